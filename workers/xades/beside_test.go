package xades_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/internal/xmlsig"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/workertest"
)

const order = "<?xml version='1.0'?>\r\n<o:order xmlns:o='urn:example:order' xmlns:u='urn:unused'><!-- c -->\n<o:head Id='h-1'>240 euros &amp; more<!-- d --></o:head>\n" +
	"<o:line Id='l_2' o:no = \"1\"><deep Id='d.3'/></o:line><note>not signed</note></o:order>\n"

// beside are the properties of a worker that signs elements beside the signature.
func beside(ids string) map[string]string {
	p := map[string]string{"signature_packaging": "INTERNALLY_DETACHED"}
	if ids != "" {
		p["reference_ids"] = ids
	}
	return p
}

// xmlsecBeside has xmlsec1 verify a signature over elements of the order.
func xmlsecBeside(t *testing.T, root, file string) error {
	t.Helper()
	return xmlsec(t, root, file, "--id-attr:Id", "urn:example:order:head", "--id-attr:Id", "urn:example:order:line", "--id-attr:Id", "deep")
}

// ADE-02, ADE-03: elements of a document are signed by their identifiers, one or several by one signature, each with a DataObjectFormat of
// its own, at every level; xmlsec1 verifies the result, and not after a change in an element; the user's bytes stay, and what is
// not named is not signed.
func TestADE02InternallyDetachedSignedAndJudged(t *testing.T) {
	for level, want := range map[string]int{"B-B": 0, "B-T": 1, "B-LT": 4, "B-LTA": 5} {
		a := workertest.NewAuthority(t)
		e, _, _ := longterm(t, a, level, beside(""))
		for _, ids := range []string{"h-1", "l_2, h-1", "d.3,l_2,h-1"} {
			in, out := input(order), workertest.File(t, "out.xml")
			in.Params = map[string]string{"reference_ids": ids}
			res, err := workers.SignNow(context.Background(), e, in, out)
			if err != nil || res.Level != level {
				t.Fatalf("%s, %s: %+v, %v", level, ids, res, err)
			}
			signed, err := os.ReadFile(out.Name())
			if err != nil {
				t.Fatal(err)
			}
			kept(t, string(signed), order)
			d, err := xmlsig.Read(bytes.NewReader(signed), int64(len(signed)), c14n.Limits{})
			if err != nil || len(d.Signatures) != 1 {
				t.Fatal(err)
			}
			s := &d.Signatures[0]
			c, err := d.Check(bytes.NewReader(signed), s, c14n.Limits{})
			names := strings.Split(strings.ReplaceAll(ids, " ", ""), ",")
			if err != nil || len(c.Covers) != len(names)+1 || len(s.Properties.MimeTypes) != len(names) || len(s.Properties.Unsigned) != want || len(c.Stray) > 0 {
				t.Fatalf("%s, %s: %v, %+v", level, ids, err, c)
			}
			for i, name := range names {
				if v := c.Covers[i]; v.ID != name || v.Document || v.Less != "" || v.Content {
					t.Errorf("%+v, want %s", v, name)
				}
			}
			run(t, "xmllint", "--noout", "--nonet", out.Name())
			if err := xmlsecBeside(t, a.Root, out.Name()); err != nil {
				t.Errorf("%s, %s: %v", level, ids, err)
			}
			for change, ok := range map[string]bool{"240": false, "not signed": true} {
				write(t, filepath.Dir(out.Name()), "changed.xml", bytes.Replace(signed, []byte(change), []byte("999"), 1))
				if err := xmlsecBeside(t, a.Root, filepath.Join(filepath.Dir(out.Name()), "changed.xml")); (err == nil) != ok {
					t.Errorf("%s, %s, another %q: %v", level, ids, change, err)
				}
			}
		}
	}
}

// SGN-04, ADE-05: what is shown is the canonical form of each element, one after the other in the order that was asked for, with the
// digests that are signed; another order, another name, one less, are something else.
func TestADE05InternallyDetachedShownIsSigned(t *testing.T) {
	e, chain, _ := longterm(t, workertest.NewAuthority(t), "B-B", beside("l_2,h-1"))
	in, out := input(order), workertest.File(t, "out.xml")
	in.Chain, in.Alg = chain, algo.ES256
	p, sig := workertest.Approved(t, e, in, out)
	var shown bytes.Buffer
	if err := e.Worker.(workers.Shower).Show(t.Context(), p, out, &shown); err != nil {
		t.Fatal(err)
	}
	want := []string{`<o:line xmlns:o="urn:example:order" Id="l_2" o:no="1"><deep Id="d.3"></deep></o:line>`, `<o:head xmlns:o="urn:example:order" Id="h-1">240 euros &amp; more</o:head>`}
	if shown.String() != strings.Join(want, "") || p.ShownSize != int64(shown.Len()) || len(p.ShownSizes) != 2 || p.ShownSizes[0] != int64(len(want[0])) {
		t.Fatalf("%q, %d, %v", &shown, p.ShownSize, p.ShownSizes)
	}
	x := p.XAdES
	if !bytes.Equal(digest([]byte(want[0])), p.DocDigest) || x.Objects.Part != "l_2" || x.Objects.More[0].Name != "h-1" || x.Objects.More[0].Doc != sap.B64(digest([]byte(want[1]))) {
		t.Errorf("%x, %+v", p.DocDigest, x.Objects)
	}
	for name, edit := range map[string]func(it *sap.Item, o *sap.XAdESObjects){
		"":              func(*sap.Item, *sap.XAdESObjects) {},
		"swapped":       func(it *sap.Item, o *sap.XAdESObjects) { it.Doc, o.More[0].Doc = o.More[0].Doc, it.Doc },
		"names swapped": func(_ *sap.Item, o *sap.XAdESObjects) { o.Part, o.More[0].Name = o.More[0].Name, o.Part },
		"all swapped": func(it *sap.Item, o *sap.XAdESObjects) {
			it.Doc, o.Part, o.More[0].Doc, o.More[0].Name = o.More[0].Doc, o.More[0].Name, it.Doc, o.Part
		},
		"one less":     func(_ *sap.Item, o *sap.XAdESObjects) { o.More = nil },
		"one twice":    func(_ *sap.Item, o *sap.XAdESObjects) { o.More = append(o.More, o.More[0]) },
		"another type": func(_ *sap.Item, o *sap.XAdESObjects) { o.More[0].MIME = "text/html" },
	} {
		it, y := p.Item(0), *x
		y.Objects = &sap.XAdESObjects{Part: x.Objects.Part, More: append([]sap.XAdESObject{}, x.Objects.More...)}
		it.XAdES = &y
		edit(&it, y.Objects)
		if _, err := sap.Rebuild(it, chain[0], p.Alg, nil); (err == nil) != (name == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The document was changed meanwhile.
	changed := workertest.File(t, "changed")
	if _, err := changed.WriteString(strings.Replace(order, "240", "999", 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Worker.Finish(t.Context(), p, sig, changed); !errors.Is(err, workers.ErrState) {
		t.Errorf("changed: %v", err)
	}
	if _, err := e.Worker.Finish(t.Context(), p, sig, out); err != nil {
		t.Fatal(err)
	}
}

// ADE-05: the root, which the signature stands in, parts of other signatures, elements that are not there, or two of a name, are not
// signed by identifier; neither is a document that a signature covers already.
func TestADE05InternallyDetachedRefusals(t *testing.T) {
	e, chain, _ := longterm(t, workertest.NewAuthority(t), "B-B", beside(""))
	const sig = `<s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#" Id="s"><s:Object Id="o"/></s:Signature>`
	for name, c := range map[string]struct {
		doc, ids string
		want     error
	}{
		"no identifier":         {order, "", workers.ErrParams},
		"an empty one":          {order, "h-1,,l_2", workers.ErrParams},
		"one twice":             {order, "h-1,h-1", workers.ErrParams},
		"a pointer":             {`<a><b Id="x(y)"/></a>`, "x(y)", workers.ErrParams},
		"hidden":                {order, "h-1\u200b", workers.ErrParams},
		"too many":              {order, strings.Repeat("a,", 50) + "b", workers.ErrParams},
		"not there":             {order, "h-1,none", workers.ErrInput},
		"the root":              {`<a Id="x"/>`, "x", workers.ErrInput},
		"two elements":          {`<a><b Id="x"/><b id="x"/></a>`, "x", workers.ErrInput},
		"a signature":           {"<a>" + sig + "</a>", "s", workers.ErrInput},
		"a part of a signature": {"<a>" + sig + "</a>", "o", workers.ErrInput},
		"signed whole":          {`<a><b Id="x"/><s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"><s:SignedInfo><s:Reference URI=""/></s:SignedInfo></s:Signature></a>`, "x", workers.ErrInput},
		"document type":         {`<!DOCTYPE a><a><b Id="x"/></a>`, "x", workers.ErrInput},
		"a PDF too":             {`<!-- %PDF-1.7 --><a><b Id="x"/></a>`, "x", workers.ErrInput},
	} {
		in, out := input(c.doc), workertest.File(t, "out.xml")
		in.Chain, in.Alg, in.Params = chain, algo.ES256, map[string]string{"reference_ids": c.ids}
		if _, err := e.Worker.Prepare(t.Context(), in, out); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if info, err := out.Stat(); err != nil || info.Size() != 0 {
			t.Errorf("%s: %d bytes were written (%v)", name, info.Size(), err)
		}
	}
	other, chain, _ := longterm(t, workertest.NewAuthority(t), "B-B", nil)
	in := input(order)
	in.Chain, in.Alg, in.Params = chain, algo.ES256, map[string]string{"reference_ids": "h-1"}
	if _, err := other.Worker.Prepare(t.Context(), in, workertest.File(t, "out.xml")); !errors.Is(err, workers.ErrParams) {
		t.Errorf("enveloped, over an element: %v", err)
	}
}

// ADE-02: signatures over different elements stand side by side in one document, made one after the other, and hold all.
func TestADE02InternallyDetachedSideBySide(t *testing.T) {
	a := workertest.NewAuthority(t)
	e, _, _ := longterm(t, a, "B-T", beside(""))
	doc := order
	for _, ids := range []string{"h-1", "l_2", "h-1,l_2"} {
		in, out := input(doc), workertest.File(t, "out.xml")
		in.Params = map[string]string{"reference_ids": ids}
		if _, err := workers.SignNow(t.Context(), e, in, out); err != nil {
			t.Fatal(err)
		}
		signed, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		doc = string(signed)
	}
	d, err := xmlsig.Read(strings.NewReader(doc), int64(len(doc)), c14n.Limits{})
	if err != nil || len(d.Signatures) != 3 {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "three.xml")
	if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range d.Signatures {
		s := &d.Signatures[i]
		if _, err := d.Check(strings.NewReader(doc), s, c14n.Limits{}); err != nil {
			t.Errorf("signature %d: %v", i, err)
		}
		out, err := exec.Command(testenv.Need(t, "xmlsec1"), "--verify", "--enabled-key-data", "x509", "--trusted-pem", a.Root, "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties",
			"--id-attr:Id", "http://www.w3.org/2000/09/xmldsig#:Signature", "--id-attr:Id", "urn:example:order:head", "--id-attr:Id", "urn:example:order:line", "--node-id", s.ID, file).CombinedOutput()
		if err != nil {
			t.Errorf("signature %d: %v\n%s", i, err, out)
		}
	}
}
