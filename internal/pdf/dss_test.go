package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// withDSS appends validation data and returns the whole file.
func withDSS(t testing.TB, in []byte, all ValidationData, entries ...SignatureData) []byte {
	t.Helper()
	tail, err := open(t, in).PlanDSS(all, entries...)
	if err != nil {
		t.Fatalf("PlanDSS: %v", err)
	}
	return slices.Concat(in, tail)
}

func data(names ...string) (out [][]byte) {
	for _, n := range names {
		out = append(out, []byte("DER of "+n))
	}
	return out
}

func text(list [][]byte) string { return string(bytes.Join(list, []byte("|"))) }

func storeOf(t testing.TB, b []byte) *DSS {
	t.Helper()
	s, err := open(t, b).DSS()
	if err != nil {
		t.Fatalf("DSS: %v", err)
	}
	return s
}

// EN 319 142-1, 5.4.2: validation data goes into a security store behind the
// signature, which stays what it was; the only later change is validation data.
func TestDSSIsAddedBehindTheSignature(t *testing.T) {
	signed := sign(t, plainPDF(), testOptions())
	sig := signatures(t, signed)[0]
	all := ValidationData{Certs: data("ca", "responder"), OCSPs: data("ocsp"), CRLs: data("crl")}
	out := withDSS(t, signed, all, SignatureData{sig.Contents, ValidationData{Certs: data("ca"), OCSPs: data("ocsp")}})
	if !bytes.HasPrefix(out, signed) {
		t.Fatal("the signed file is no prefix")
	}
	qpdfClean(t, out)
	s := storeOf(t, out)
	if text(s.Certs) != text(all.Certs) || text(s.OCSPs) != text(all.OCSPs) || text(s.CRLs) != text(all.CRLs) || !slices.Equal(s.VRI, []string{VRIKey(sig.Contents)}) {
		t.Errorf("%+v", s)
	}
	after := signatures(t, out)
	if len(after) != 1 || len(after[0].Problems) > 0 || after[0].CoveredEnd != int64(len(signed)) {
		t.Fatalf("%+v", after)
	}
	changes, err := open(t, out).LaterChanges(after[0])
	if err != nil || len(changes) != 1 || changes[0].Kind != ChangeDSS {
		t.Errorf("%v %v", changes, err)
	}
	if storeOf(t, signed) != nil {
		t.Error("a store in a file that has none")
	}
}

// What the store has is neither doubled nor lost, whoever wrote it and however:
// direct or indirect, packed, with keys that we do not know.
func TestDSSMerges(t *testing.T) {
	stream := func(s string) string { return fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(s), s) }
	entry := VRIKey([]byte("contents"))
	for name, objs := range map[string][]string{
		"indirect": {"<< /Type /Catalog /Pages 2 0 R /DSS 6 0 R >>", plainPages, plainPage, plainContent, stream("DER of ca"),
			"<< /Certs [5 0 R] /Foo (kept) /VRI 7 0 R >>", "<< /" + entry + " 8 0 R /Other << /TU (kept too) >> >>", "<< /Cert 9 0 R /TU (and this) >>", "[5 0 R]"},
		"direct": {"<< /Type /Catalog /Pages 2 0 R /DSS << /Certs 6 0 R /Foo (kept) /VRI << /" + entry + " << /Cert [5 0 R] /TU (and this) >> /Other << /TU (kept too) >> >> >> >>",
			plainPages, plainPage, plainContent, stream("DER of ca"), "[5 0 R]"},
	} {
		t.Run(name, func(t *testing.T) {
			in := buildPDF("/Root 1 0 R", objs...)
			all := ValidationData{Certs: data("ca", "more", "more"), CRLs: data("ca")}
			out := withDSS(t, in, all, SignatureData{[]byte("contents"), ValidationData{Certs: data("ca", "more"), CRLs: data("ca")}})
			qpdfClean(t, out)
			s := storeOf(t, out)
			if text(s.Certs) != text(data("ca", "more")) || text(s.CRLs) != text(data("ca")) {
				t.Errorf("%+v", s)
			}
			if len(s.VRI) != 1 || s.VRI[0] != entry {
				t.Errorf("%+v", s.VRI)
			}
			d := open(t, out)
			for _, kept := range []string{"(kept)", "(kept too)", "(and this)"} {
				if !found(t, d, kept) {
					t.Errorf("%s is lost", kept)
				}
			}
			if tail, err := d.PlanDSS(all, SignatureData{[]byte("contents"), ValidationData{Certs: data("more")}}); err != nil || tail != nil {
				t.Errorf("all is there, and yet %d bytes, %v", len(tail), err)
			}
		})
	}
}

// found looks for text in what the catalog's /DSS leads to.
func found(t *testing.T, d *Document, what string) (hit bool) {
	t.Helper()
	err := d.xref.each(func(num int, _ entry) error {
		o, err := d.loadNumber(num)
		hit = hit || strings.Contains(string(o.val.raw), what)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hit
}

// Whatever is added in whatever portions, the store holds the union, each item
// once, every earlier state is a prefix, and every signature has its entry.
func TestDSSHoldsTheUnion(t *testing.T) {
	signed := sign(t, plainPDF(), testOptions())
	rapid.Check(t, func(t *rapid.T) {
		b := signed
		want := [3]map[string]bool{{}, {}, {}}
		names := map[string]bool{}
		pick := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 3)
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			all := ValidationData{data(pick.Draw(t, "certs")...), data(pick.Draw(t, "ocsps")...), data(pick.Draw(t, "crls")...)}
			sig := []byte(rapid.SampledFrom([]string{"one", "two"}).Draw(t, "sig"))
			d, err := Open(bytes.NewReader(b), int64(len(b)), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			tail, err := d.PlanDSS(all, SignatureData{sig, all})
			if err != nil {
				t.Fatal(err)
			}
			b = slices.Concat(b, tail)
			names[VRIKey(sig)] = true
			for i, list := range all.lists() {
				for _, it := range list {
					want[i][string(it)] = true
				}
			}
		}
		d, err := Open(bytes.NewReader(b), int64(len(b)), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := d.DSS()
		if err != nil {
			t.Fatal(err)
		}
		for i, list := range s.lists() {
			got := map[string]bool{}
			for _, it := range list {
				if got[string(it)] {
					t.Errorf("%q twice", it)
				}
				got[string(it)] = true
			}
			if len(got) != len(want[i]) {
				t.Errorf("%s: %v, want %v", storeKeys[i], got, want[i])
			}
		}
		if len(s.VRI) != len(names) || !names[s.VRI[0]] {
			t.Errorf("%v, want %v", s.VRI, names)
		}
	})
}

// A store that is not one, and data that is none, are refused by name.
func TestDSSRefusals(t *testing.T) {
	file := func(dss string, more ...string) []byte {
		return buildPDF("/Root 1 0 R", append([]string{"<< /Type /Catalog /Pages 2 0 R /DSS " + dss + " >>", plainPages, plainPage, plainContent}, more...)...)
	}
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"no dictionary":    {file("[]"), ErrMalformed},
		"no array":         {file("<< /Certs (x) >>"), ErrMalformed},
		"no reference":     {file("<< /CRLs [(x)] >>"), ErrMalformed},
		"no stream":        {file("<< /OCSPs [3 0 R] >>"), ErrMalformed},
		"unknown filter":   {file("<< /OCSPs [5 0 R] >>", "<< /Length 1 /Filter /Crypt >>\nstream\nx\nendstream"), ErrUnsupported},
		"too many items":   {file("<< /Certs [" + strings.Repeat("4 0 R ", maxStoreItems+1) + "] >>"), ErrLimit},
		"VRI no dict":      {file("<< /VRI (x) >>"), ErrMalformed},
		"damaged and sold": {append([]byte("%PDF-1.7\n"), bytes.ReplaceAll(plainPDF()[9:], []byte("startxref\n"), []byte("startxref\n9"))...), ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, c.in).PlanDSS(ValidationData{Certs: data("x")}, SignatureData{[]byte("s"), ValidationData{Certs: data("x")}})
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	d := open(t, plainPDF())
	for name, err := range map[string]error{
		"empty item":        second(d.PlanDSS(ValidationData{CRLs: [][]byte{{}}})),
		"entry outside all": second(d.PlanDSS(ValidationData{Certs: data("x")}, SignatureData{[]byte("s"), ValidationData{CRLs: data("x")}})),
	} {
		if !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if tail, err := d.PlanDSS(ValidationData{}); tail != nil || err != nil {
		t.Errorf("nothing to add, and yet %q, %v", tail, err)
	}
}

func second(_ []byte, err error) error { return err }

// ISO 32000-2, 12.8.2.2 and 12.8.5: a document time-stamp may follow a
// certification that allows no change, and a lock of all fields; an approval
// signature may not.
func TestDocumentTimeStampIsNeverForbidden(t *testing.T) {
	first := testOptions()
	first.Certify = 1
	in := sign(t, plainPDF(), first)
	opt := testOptions()
	if _, _, err := open(t, in).PlanSignature(opt); !errors.Is(err, ErrForbidden) {
		t.Errorf("a second signature: %v", err)
	}
	opt.SubFilter = SubFilterRFC3161
	tail, p, err := open(t, in).PlanSignature(opt)
	if err != nil {
		t.Fatal(err)
	}
	out := &memFile{b: slices.Concat(in, tail)}
	if err := Embed(out, p, fakeCMS(200)); err != nil {
		t.Fatal(err)
	}
	qpdfClean(t, out.b)
	sigs := signatures(t, out.b)
	if len(sigs) != 2 || sigs[1].Type != "DocTimeStamp" || !sigs[1].CoversWholeFile || len(sigs[0].Problems)+len(sigs[1].Problems) > 0 {
		t.Fatalf("%+v", sigs)
	}
	changes, err := open(t, out.b).LaterChanges(sigs[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if !c.Expected() {
			t.Errorf("%+v", c)
		}
	}
}

// ISO 32000-1, 12.8.2.2 and 12.8.4: a certification says what it permits, in the
// signature and in /Perms of the catalog, and is the first signature or none.
func TestCertification(t *testing.T) {
	for name, catalog := range map[string]string{
		"no Perms":       plainCatalog,
		"direct Perms":   "<< /Type /Catalog /Pages 2 0 R /Perms << /UR3 null >> >>",
		"indirect Perms": "<< /Type /Catalog /Pages 2 0 R /Perms 5 0 R >>",
	} {
		for p := 1; p <= 3; p++ {
			t.Run(fmt.Sprintf("%s, P %d", name, p), func(t *testing.T) {
				opt := testOptions()
				opt.Certify = p
				in := buildPDF("/Root 1 0 R", catalog, plainPages, plainPage, plainContent, "<< /UR3 null >>")
				out, rec := prepare(t, in, opt)
				if hole, err := ReadPrepared(out, rec.Size); err != nil || hole.ByteRange != rec.ByteRange {
					t.Fatalf("the prepared file is not read back: %v", err)
				}
				if err := Embed(out, rec, fakeCMS(300)); err != nil {
					t.Fatal(err)
				}
				qpdfClean(t, out.b)
				sigs := signatures(t, out.b)
				if len(sigs) != 1 || sigs[0].Certification != p || !sigs[0].CoversWholeFile || len(sigs[0].Problems) > 0 {
					t.Fatalf("%+v", sigs)
				}
				d := open(t, out.b)
				cat, err := d.catalog()
				if err != nil {
					t.Fatal(err)
				}
				perms, err := d.key(cat.val, "Perms")
				if err != nil {
					t.Fatal(err)
				}
				if v, err := perms.get("DocMDP"); err != nil || string(v.raw) != fmt.Sprintf("%d 0 R", sigs[0].Object) {
					t.Errorf("/Perms says %s, %v", v.raw, err)
				}
				refused(t, out.b, opt, ErrForbidden)
			})
		}
	}
	opt := testOptions()
	opt.Certify = 2
	refused(t, sign(t, plainPDF(), testOptions()), opt, ErrForbidden)
	refused(t, buildPDF("/Root 1 0 R", "<< /Type /Catalog /Pages 2 0 R /Perms << /DocMDP 4 0 R >> >>", plainPages, plainPage, plainContent), opt, ErrForbidden)
	refused(t, buildPDF("/Root 1 0 R", "<< /Type /Catalog /Pages 2 0 R /Perms (x) >>", plainPages, plainPage, plainContent), opt, ErrMalformed)
	opt.Certify = 4
	refused(t, plainPDF(), opt, ErrOptions)
	opt.Certify, opt.SubFilter = 1, SubFilterRFC3161
	refused(t, plainPDF(), opt, ErrOptions)
}
