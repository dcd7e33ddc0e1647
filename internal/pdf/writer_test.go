package pdf

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

// save writes b to a file for a judge.
func save(t testing.TB, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.pdf")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// output runs a judge and returns what it prints.
func output(t testing.TB, program string, args ...string) string {
	t.Helper()
	b, err := exec.Command(testenv.Need(t, program), args...).Output()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", program, args, err, b)
	}
	return string(b)
}

// qpdfClean demands that qpdf finds nothing wrong.
func qpdfClean(t testing.TB, b []byte) {
	t.Helper()
	path := save(t, b)
	if out, err := exec.Command(testenv.Need(t, "qpdf"), "--check", path).CombinedOutput(); err != nil {
		t.Errorf("qpdf --check: %v: %s", err, out)
	}
}

// refused demands a typed refusal without output.
func refused(t *testing.T, in []byte, opt SignOptions, want error) {
	t.Helper()
	out := &memFile{}
	p, err := Prepare(context.Background(), bytes.NewReader(in), int64(len(in)), out, opt)
	if !errors.Is(err, want) || p != nil {
		t.Errorf("got %v, %v, want %v", p, err, want)
	}
	if len(out.b) > 0 {
		t.Errorf("refused, but %d bytes written", len(out.b))
	}
}

// objectOf returns the raw value of an object.
func objectOf(t testing.TB, b []byte, num int) string {
	t.Helper()
	o, err := open(t, b).loadNumber(num)
	if err != nil {
		t.Fatal(err)
	}
	return string(o.val.raw)
}

// D1, ADE-06: a second signature goes into its own hole, even where the first left more
// zeros than the second needs; the first keeps its bytes and its digest.
func TestD1SecondSignatureNeverLandsInTheFirst(t *testing.T) {
	big := testOptions()
	big.Reserve = 32 << 10
	out, p := prepare(t, plainPDF(), big)
	if err := Embed(out, p, fakeCMS(100)); err != nil {
		t.Fatal(err)
	}
	second, p2 := prepare(t, out.b, testOptions())
	if p2.ContentsOffset < p.Size {
		t.Fatalf("the hole at %d lies in the original of %d bytes", p2.ContentsOffset, p.Size)
	}
	if err := Embed(second, p2, fakeCMS(900)); err != nil {
		t.Fatal(err)
	}
	sigs := signatures(t, second.b)
	if len(sigs) != 2 || len(sigs[0].Problems)+len(sigs[1].Problems) > 0 {
		t.Fatalf("%+v", sigs)
	}
	first, err := sigs[0].CMS()
	if err != nil || !bytes.Equal(first, fakeCMS(100)) {
		t.Fatalf("the first signature changed: %v", err)
	}
	digest, err := HashRange(context.Background(), second, p.ByteRange, crypto.SHA256)
	if err != nil || !bytes.Equal(digest, p.Digest) {
		t.Fatalf("the first digest changed: %v", err)
	}
	qpdfClean(t, second.b)
}

// D2: text in the document that looks like a placeholder is left alone.
func TestD2PlaceholderTextInADocumentIsNoPlaceholder(t *testing.T) {
	trap := "/Type /Sig /ByteRange[0 ********** ********** **********] /Contents<" + strings.Repeat("0", 4096) + ">"
	in := buildPDF("/Root 1 0 R", plainCatalog, plainPages, plainPage,
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(trap), trap))
	signed := sign(t, in, testOptions())
	if !bytes.HasPrefix(signed, in) {
		t.Fatal("original bytes changed")
	}
	if sigs := signatures(t, signed); len(sigs) != 1 || len(sigs[0].Problems) > 0 {
		t.Fatalf("%+v", sigs)
	}
}

// D3: all fields and every other key of the form survive; one field is added.
func TestD3FormSurvives(t *testing.T) {
	for _, form := range []string{"direct", "indirect"} {
		for _, fields := range []string{"direct", "indirect"} {
			t.Run(form+" form, "+fields+" fields", func(t *testing.T) {
				in := docSpec{kind: "table", form: form, fields: fields, sigField: true}.build()
				signed := sign(t, in, testOptions())
				before, after := formOf(t, in), formOf(t, signed)
				for _, key := range []string{"NeedAppearances", "DA", "DR"} {
					a, _ := before.get(key)
					b, _ := after.get(key)
					if !bytes.Equal(a.raw, b.raw) || a.isNull() {
						t.Errorf("/%s was %s, is %s", key, a.raw, b.raw)
					}
				}
				if flags, _ := after.get("SigFlags"); string(flags.raw) != "3" {
					t.Errorf("/SigFlags %s", flags.raw)
				}
				got, want := fieldNames(t, signed), append(fieldNames(t, in), "Signature1")
				if !reflect.DeepEqual(got, want) {
					t.Errorf("fields %v, want %v", got, want)
				}
				if list := output(t, "mutool", "show", save(t, signed), "form"); !strings.Contains(list, "name") {
					t.Errorf("mutool sees no field of the original: %s", list)
				}
				qpdfClean(t, signed)
			})
		}
	}
}

func formOf(t *testing.T, b []byte) value {
	t.Helper()
	form, err := open(t, b).form()
	if err != nil {
		t.Fatal(err)
	}
	return form
}

func fieldNames(t *testing.T, b []byte) []string {
	t.Helper()
	var names []string
	d := open(t, b)
	form, err := d.form()
	if err == nil {
		_, err = d.eachField(form, func(f field) error {
			names = append(names, f.name)
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// D5, E6, D7: title and producer stay; the update follows the kind of the file's
// cross-reference and copies trailer keys it does not know.
func TestD5TrailerKeysStay(t *testing.T) {
	for _, kind := range []string{"table", "stream", "hybrid"} {
		t.Run(kind, func(t *testing.T) {
			in := docSpec{kind: kind, packed: true, flate: true, trailer: "/Vendor#20Key [1 (\\))]"}.build()
			signed := sign(t, in, testOptions())
			info := func(b []byte) string {
				out := output(t, "pdfinfo", save(t, b))
				return regexp.MustCompile(`(?m)^(File size|Form|Optimized):.*$`).ReplaceAllString(out, "")
			}
			if a, b := info(in), info(signed); a != b || !strings.Contains(a, "Contract (final)") {
				t.Errorf("pdfinfo before:\n%s\nafter:\n%s", a, b)
			}
			d := open(t, signed)
			for key, want := range map[string]string{"ID": "[<0102> <0304>]", "Vendor Key": "[1 (\\))]", "Root": "1 0 R"} {
				if v, _ := d.trailer.get(key); string(v.raw) != want {
					t.Errorf("/%s is %s, want %s", key, v.raw, want)
				}
			}
			wantKind := map[string]xrefKind{"table": xrefTableKind, "hybrid": xrefTableKind, "stream": xrefStreamKind}[kind]
			if d.kind != wantKind {
				t.Errorf("kind %d, want %d", d.kind, wantKind)
			}
			if v, _ := d.trailer.get("XRefStm"); !v.isNull() {
				t.Errorf("/XRefStm copied: it would hide later updates")
			}
			qpdfClean(t, signed)
		})
	}
}

// D7: every legal spelling of /Root is understood and copied.
func TestD7SpellingsOfRoot(t *testing.T) {
	for _, root := range []string{"/Root\n1 0 R", "/Root  1  0  R", "/Root%c\r1 0 R", "/Ro#6ft 1 0 R"} {
		signed := sign(t, buildPDF(root, plainCatalog, plainPages, plainPage, plainContent), testOptions())
		if sigs := signatures(t, signed); len(sigs) != 1 || !sigs[0].CoversWholeFile {
			t.Errorf("%q: %+v", root, sigs)
		}
		qpdfClean(t, signed)
	}
}

// D8: strings and names of a catalog that has to be changed keep their escapes.
func TestD8CatalogKeepsItsEscapes(t *testing.T) {
	odd := `/Lang (en\)x) /PieceInfo<</A#20B(\(\\)/C<28>>>/ViewerPreferences<</Direction/L2R>>`
	in := buildPDF("/Root 1 0 R", "<</Type/Catalog/Pages 2 0 R"+odd+">>", plainPages, plainPage, plainContent)
	signed := sign(t, in, testOptions())
	if got := objectOf(t, signed, 1); !strings.Contains(got, odd) || !strings.Contains(got, "/AcroForm") {
		t.Errorf("catalog is %s", got)
	}
	qpdfClean(t, signed)
}

// D10: a CMS that does not fit is a typed error and changes nothing.
func TestD10OversizedCMSIsRefused(t *testing.T) {
	out, p := prepare(t, plainPDF(), testOptions())
	before := bytes.Clone(out.b)
	if err := Embed(out, p, make([]byte, p.Reserve+1)); !errors.Is(err, ErrReserve) {
		t.Fatalf("got %v", err)
	}
	if !bytes.Equal(before, out.b) {
		t.Fatal("the file changed")
	}
	if err := Embed(out, p, make([]byte, p.Reserve)); err != nil {
		t.Fatalf("a CMS that just fits: %v", err)
	}
}

// D14: the signature dictionary has exactly these keys, by the options given.
func TestD14KeysOfTheSignatureDictionary(t *testing.T) {
	base := []string{"ByteRange", "Contents", "Filter", "M", "SubFilter", "Type"}
	full := testOptions()
	full.Name, full.Reason, full.Location, full.ContactInfo = "A", "B", "C", "D"
	for _, c := range []struct {
		opt  SignOptions
		want []string
	}{
		{testOptions(), base},
		{full, append([]string{"Name", "Reason", "Location", "ContactInfo"}, base...)},
	} {
		signed := sign(t, plainPDF(), c.opt)
		s := signatures(t, signed)[0]
		var keys []string
		v := value{raw: []byte(objectOf(t, signed, s.Object))}
		if err := v.eachPair(func(k []byte, _ value) bool { keys = append(keys, string(k)); return true }); err != nil {
			t.Fatal(err)
		}
		sort.Strings(keys)
		sort.Strings(c.want)
		if !reflect.DeepEqual(keys, c.want) {
			t.Errorf("keys %v, want %v", keys, c.want)
		}
		if s.Type != "Sig" || s.Filter != "Adobe.PPKLite" || s.SubFilter != "ETSI.CAdES.detached" {
			t.Errorf("%+v", s)
		}
	}
}

// D4: the annotations of a page stay what and where they are, as references or as they are written, and in front of the
// widget that is added; the page's other keys stay too.
func TestD4AnnotationsStay(t *testing.T) {
	for _, annots := range []string{"direct", "indirect"} {
		for _, kind := range []string{"table", "stream", "hybrid"} {
			in := docSpec{kind: kind, packed: true, annots: annots, form: "indirect"}.build()
			list := func(b []byte) (elems []string, rest string) {
				d := open(t, b)
				p, err := d.firstPage()
				if err != nil {
					t.Fatal(err)
				}
				a, err := d.key(p.val, "Annots")
				if err == nil {
					err = a.eachElem(func(e value) bool { elems = append(elems, string(e.raw)); return true })
				}
				if err == nil {
					err = p.val.eachPair(func(k []byte, v value) bool {
						if string(k) != "Annots" {
							rest += fmt.Sprintf("/%s %s\n", k, v.raw)
						}
						return true
					})
				}
				if err != nil {
					t.Fatal(err)
				}
				return elems, rest
			}
			before, page := list(in)
			after, page2 := list(sign(t, in, testOptions()))
			if len(before) == 0 || len(after) != len(before)+1 || !reflect.DeepEqual(after[:len(before)], before) || page != page2 {
				t.Errorf("%s, %s: annotations %q, page\n%sbecame %q\n%s", kind, annots, before, page, after, page2)
			}
		}
	}
}

// D17: catalog, form and page keep their numbers, and the widget of the invisible
// signature is listed on the first page behind the annotations that stand there, as references or as they are.
func TestD17NumbersKeptAndWidgetListed(t *testing.T) {
	for _, annots := range []string{"absent", "null", "direct", "indirect"} {
		for _, kind := range []string{"table", "stream", "hybrid"} {
			in := docSpec{kind: kind, packed: true, annots: annots, form: "indirect"}.build()
			signed := sign(t, in, testOptions())
			d := open(t, signed)
			root, _ := d.trailer.get("Root")
			p, err := d.firstPage()
			if err != nil || string(root.raw) != "1 0 R" || p.id.num != 20 {
				t.Fatalf("root %s, page %+v, %v", root.raw, p.id, err)
			}
			list, err := d.key(p.val, "Annots")
			if err != nil {
				t.Fatal(err)
			}
			var last value
			n := 0
			if err := list.eachElem(func(e value) bool { last = e; n++; return true }); err != nil {
				t.Fatal(err)
			}
			want := map[string]int{"absent": 1, "null": 1, "direct": 3, "indirect": 2}[annots]
			widget, err := d.resolve(last)
			if err != nil || n != want {
				t.Fatalf("%s: %d annotations, want %d, %v", annots, n, want, err)
			}
			if f, _ := widget.get("F"); string(f.raw) != "132" {
				t.Errorf("widget %s", widget.raw)
			}
			qpdfClean(t, signed)
		}
	}
}

// D18: bytes before the header, pages without /Type, odd line ends, padding and a
// missing last line end: other tools read such files, so we sign them, and judges
// agree about the result.
func TestD18OddFilesThatOthersReadAreSigned(t *testing.T) {
	plain := string(plainPDF())
	files := map[string][]byte{
		"bytes before the header": docSpec{kind: "table", junk: 7}.build(),
		"before, xref stream":     docSpec{kind: "stream", junk: 7, packed: true}.build(),
		"page without type":       docSpec{kind: "table", untyped: true}.build(),
		"CR line ends":            docSpec{kind: "table", eol: "\r"}.build(),
		"CRLF line ends":          docSpec{kind: "table", eol: "\r\n"}.build(),
		"NULs behind the trailer": docSpec{kind: "table", padding: strings.Repeat("\x00", 900)}.build(),
		"no last line end":        []byte(strings.TrimRight(plain, "\n")),
		"offsets that count the bytes": finishPDF(bytes.NewBufferString("12345\n%PDF-1.7\n"), 0,
			"/Root 1 0 R", plainCatalog, plainPages, plainPage, plainContent),
	}
	qpdf := testenv.Need(t, "qpdf")
	for name, in := range files {
		t.Run(name, func(t *testing.T) {
			out, p := prepare(t, in, testOptions())
			if hole, err := ReadPrepared(out, p.Size); err != nil || hole.ByteRange != p.ByteRange {
				t.Errorf("ReadPrepared: %+v, %v", hole, err)
			}
			signed := sign(t, in, testOptions())
			if s := signatures(t, signed); len(s) != 1 || !s[0].CoversWholeFile || len(s[0].Problems) > 0 {
				t.Errorf("%+v", s)
			}
			before, after := exitCode(t, qpdf, "--check", save(t, in)), exitCode(t, qpdf, "--check", save(t, signed))
			if badness(after) > badness(before) {
				t.Errorf("qpdf --check: exit %d before, %d after", before, after)
			}
			report, _ := exec.Command(testenv.Need(t, "pdfsig"), "-nocert", save(t, signed)).Output()
			if !strings.Contains(string(report), "  - Total document signed") {
				t.Errorf("pdfsig: %s", report)
			}
		})
	}
}

// 1.7: files as qpdf writes them, packed into object streams, linearized or both,
// take two signatures and stay clean.
func TestPackedAndLinearizedFilesTakeTwoSignatures(t *testing.T) {
	qpdf := testenv.Need(t, "qpdf")
	for _, args := range [][]string{{"--object-streams=generate"}, {"--linearize"}, {"--object-streams=generate", "--linearize"}} {
		path := filepath.Join(t.TempDir(), "g.pdf")
		src := save(t, docSpec{kind: "table", pages: 4, form: "indirect", annots: "indirect"}.build())
		if out, err := exec.Command(qpdf, append(args, src, path)...).CombinedOutput(); err != nil {
			t.Fatalf("qpdf: %v: %s", err, out)
		}
		in, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		twice := sign(t, sign(t, in, testOptions()), testOptions())
		if s := signatures(t, twice); len(s) != 2 || len(s[0].Problems)+len(s[1].Problems) > 0 {
			t.Errorf("%v: %+v", args, s)
		}
		if n, err := open(t, twice).pageCount(); err != nil || n != 4 {
			t.Errorf("%v: %d pages, %v", args, n, err)
		}
		qpdfClean(t, twice)
	}
}

// pageCount counts the leaves of the page tree.
func (d *Document) pageCount() (int, error) {
	var s Summary
	err := d.countPages(&s)
	return s.Pages, err
}

// D24: the digest is the caller's choice among the approved ones.
func TestD24DigestIsChosenByTheCaller(t *testing.T) {
	for h, size := range map[crypto.Hash]int{crypto.SHA256: 32, crypto.SHA384: 48, crypto.SHA512: 64} {
		opt := testOptions()
		opt.Hash = h
		out, p := prepare(t, plainPDF(), opt)
		got, err := HashRange(context.Background(), out, p.ByteRange, h)
		if err != nil || len(p.Digest) != size || !bytes.Equal(got, p.Digest) {
			t.Errorf("%v: %x, %x, %v", h, p.Digest, got, err)
		}
	}
	for _, h := range []crypto.Hash{0, crypto.SHA1, crypto.MD5, crypto.SHA512_224} {
		opt := testOptions()
		opt.Hash = h
		refused(t, plainPDF(), opt, ErrOptions)
	}
}

// D27: the process may stop between the phases; the record and the file are all
// that is needed, and a repeated Embed heals a partial one.
func TestD27RestartBetweenThePhases(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.pdf")
	var stored []byte
	func() { // the process that prepares
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		in := plainPDF()
		p, err := Prepare(context.Background(), bytes.NewReader(in), int64(len(in)), f, testOptions())
		if err != nil {
			t.Fatal(err)
		}
		if stored, err = json.Marshal(p); err != nil {
			t.Fatal(err)
		}
	}()
	var p Prepared
	if err := json.Unmarshal(stored, &p); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteAt([]byte("deadbeef"), p.ContentsOffset+1+700); err != nil { // a torn write
		t.Fatal(err)
	}
	if err := Embed(f, &p, fakeCMS(120)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := signatures(t, b)[0]
	if got, err := s.CMS(); err != nil || !bytes.Equal(got, fakeCMS(120)) || !s.CoversWholeFile {
		t.Errorf("%v, %+v", err, s)
	}
}

// A record that Prepare cannot have made patches nothing.
func TestEmbedRefusesADamagedRecord(t *testing.T) {
	out, p := prepare(t, plainPDF(), testOptions())
	before := bytes.Clone(out.b)
	for name, damage := range map[string]func(p *Prepared){
		"offset in the original": func(p *Prepared) { p.ContentsOffset = 10; p.ByteRange[1] = 10 },
		"other length":           func(p *Prepared) { p.ContentsLength += 2; p.ByteRange[2] += 2; p.ByteRange[3] -= 2 },
		"other range":            func(p *Prepared) { p.ByteRange[0] = 1 },
		"larger reserve":         func(p *Prepared) { p.Reserve *= 2 },
		"zero":                   func(p *Prepared) { *p = Prepared{} },
	} {
		bad := *p
		damage(&bad)
		if err := Embed(out, &bad, fakeCMS(10)); !errors.Is(err, ErrNotPrepared) || !bytes.Equal(before, out.b) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// 1.3 rule 5: a cancelled context or a failing disk is an error, never a Prepared.
func TestPrepareFailsWithItsContextAndItsDisk(t *testing.T) {
	in := plainPDF()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if p, err := Prepare(ctx, bytes.NewReader(in), int64(len(in)), &memFile{}, testOptions()); p != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v, %v", p, err)
	}
	full := errors.New("disk full")
	if p, err := Prepare(context.Background(), bytes.NewReader(in), int64(len(in)), failingWriter{full}, testOptions()); p != nil || !errors.Is(err, full) {
		t.Errorf("disk full: %v, %v", p, err)
	}
	if p, err := Prepare(context.Background(), bytes.NewReader(in), int64(len(in))+5, &memFile{}, testOptions()); p != nil || err == nil {
		t.Errorf("file shorter than said: %v, %v", p, err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
