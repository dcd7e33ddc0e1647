package signer_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/xades"
	"github.com/assent-sign/assent/signapp/signer"
	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

// invoice is XML that would be a page and a program if anybody drew it.
const invoice = "<invoice xmlns=\"urn:example:invoice\"><h:script xmlns:h=\"http://www.w3.org/1999/xhtml\">document.title = 'taken over'</h:script>" +
	"<line>1 &amp; 2 &lt;b&gt; \u202e999\u202c \u200bEUR</line></invoice>"

// addXML is add for the canonical octets of an XML document.
func (f *fake) addXML(name, octets string) (*operation, string) {
	f.t.Helper()
	return f.addForm(name, octets, sap.XAdESEnveloped)
}

// addForm is add for what a signature of a form is over.
func (f *fake) addForm(name, octets, form string) (*operation, string) {
	f.t.Helper()
	return f.addObjects(name, []string{octets}, form, nil)
}

// addObjects is addForm for several data objects, of which more describes all but the first one.
func (f *fake) addObjects(name string, octets []string, form string, objects *sap.XAdESObjects) (*operation, string) {
	f.t.Helper()
	mime := "text/xml"
	if strings.HasPrefix(octets[0], "%PDF-") {
		mime = "application/pdf"
	}
	return f.addTyped(name, mime, octets, form, objects)
}

// addTyped is addObjects for a first data object that is said to be of a type.
func (f *fake) addTyped(name, mime string, octets []string, form string, objects *sap.XAdESObjects) (*operation, string) {
	f.t.Helper()
	o, link := f.add()
	doc := sha256.Sum256([]byte(octets[0]))
	var sizes []int
	if objects != nil && len(objects.More) > 0 {
		for i, s := range octets {
			if sizes = append(sizes, len(s)); i > 0 {
				d := sha256.Sum256([]byte(s))
				objects.More[i-1].Doc = sap.B64(d[:])
			}
		}
	}
	it, err := sap.NewXAdESItem(0, name, algo.ES256, doc[:], f.cert, sap.XAdES{
		ID: "xades-1", Form: form, Objects: objects, Time: 1_800_000_000, MIME: mime, Description: "Invoice <17>", Roles: []string{"Buyer & payer"},
		Commitments: []string{"http://uri.etsi.org/01903/v1.2.2#ProofOfApproval", "urn:example:a"}, Place: sap.XAdESPlace{City: "Athens", Country: "GR"},
		Policy: sap.XAdESPolicy{ID: "urn:oid:1.2.3", Hash: "sha256", Digest: sap.B64(make([]byte, 32))},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	p, err := sap.XAdESParameters(it, f.cert, algo.ES256)
	if err != nil {
		f.t.Fatal(err)
	}
	info, err := xades.SignedInfo(p)
	if err != nil {
		f.t.Fatal(err)
	}
	properties, err := xades.SignedProperties(p)
	if err != nil {
		f.t.Fatal(err)
	}
	sum := sha256.Sum256(info)
	f.set(func() {
		o.items = append(o.items, &item{kind: sap.KindXAdES, name: name, sizes: sizes, bytes: []byte(strings.Join(octets, "")), dtbsr: sum[:], attributes: info, properties: properties, of: &it})
	})
	return o, link
}

// finishXML puts the signature in, as the worker does.
func (it *item) finishXML(cert, sig []byte) error {
	p, err := sap.XAdESParameters(*it.of, cert, algo.ES256)
	if err != nil {
		return err
	}
	before, after, err := xades.Around(p, sig, [][]byte{cert})
	if err != nil {
		return err
	}
	switch it.of.XAdES.Form {
	case sap.XAdESDetached, sap.XAdESBeside:
		it.bytes = append(before, after...)
	case sap.XAdESContained:
		it.bytes = slices.Concat(before, []byte(base64.StdEncoding.EncodeToString(it.bytes)), after)
	case sap.XAdESEnveloping:
		data := bytes.TrimSuffix(bytes.TrimPrefix(it.bytes, []byte(xades.ObjectTag(it.of.XAdES.ID))), []byte("</ds:Object>"))
		it.bytes = slices.Concat(before, data, after)
	default:
		end := bytes.LastIndex(it.bytes, []byte("</"))
		it.bytes = slices.Concat(it.bytes[:end], before, after, it.bytes[end:])
	}
	return nil
}

// SAP-02, SGN-04: an XML document is shown as the text of its canonical octets and never becomes
// part of the page; every property that is signed is on the page in words; approving it
// gives a signature over exactly that, and the file can be saved. It needs no viewer of PDF.
func TestSAP02XMLIsShownAsTextAndSigned(t *testing.T) {
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	_, link := f.addXML("invoice.xml", invoice)
	p.Go(link)
	p.WaitFor(canSign)
	shown := browsertest.Eval[string](p, "document.querySelector('.octets').textContent")
	want := strings.NewReplacer("\u202e", "[U+202E]", "\u202c", "[U+202C]", "\u200b", "[U+200B]").Replace(invoice)
	if shown != want {
		t.Errorf("on the page is\n%s\nwant\n%s", shown, want)
	}
	if n := browsertest.Eval[int](p, "document.querySelectorAll('.octets :not(mark)').length"); n != 0 || strings.Contains(browsertest.Eval[string](p, "document.title"), "taken over") {
		t.Errorf("%d elements came out of the document", n)
	}
	for _, words := range []string{"The whole text is here.", "the whole document, with any signatures in it", "Invoice <17>", "Buyer & payer", "having approved its content (proof of approval)", "urn:example:a",
		"Athens", "GR", "urn:oid:1.2.3", "text/xml", "XML, shown as text, shown now", "level B-T", "Sign 1 document as Anna Example"} {
		p.WaitText(words)
	}
	p.Screenshot("xml-1280")
	p.Click("#sign")
	p.WaitFor("document.querySelector('#signed')")
	p.ClickText("Download signed “invoice.xml”")
	p.WaitText("has the signature that you approved and was saved")
	if f.uses() != 1 {
		t.Errorf("%d key uses", f.uses())
	}
	clean(t, p)
}

// A large text is shown in parts, all of which can be reached, and the page says so.
func TestLargeXMLIsShownInParts(t *testing.T) {
	f, b := newFake(t, func(c *signer.Config) { c.MaxDocument = 10 << 20 }), browsertest.New(t)
	p := enrolled(t, f, b)
	var text strings.Builder
	text.WriteString("<a>")
	for i := range 30_000 {
		fmt.Fprintf(&text, "<b>%05d \U0001F600</b>", i)
	}
	text.WriteString("</a>")
	_, link := f.addXML("large.xml", text.String())
	p.Go(link)
	p.WaitFor(canSign)
	p.WaitText("This is part 1 of ")
	n := browsertest.Eval[int](p, "Number(/part 1 of (\\d+)/.exec(document.querySelector('#part').textContent)[1])")
	whole := ""
	for i := range n {
		whole += browsertest.Eval[string](p, "document.querySelector('.octets').textContent")
		if i < n-1 {
			p.Click("#next-part")
			p.WaitText(fmt.Sprintf("This is part %d of %d.", i+2, n))
		}
	}
	if whole != text.String() {
		t.Errorf("the %d parts have %d bytes and are not the text of %d", n, len(whole), text.Len())
	}
	clean(t, p)
}

// SGN-04, T2: whatever the application changes of an XML item, the page stops before the passkey.
func TestSGN04XMLCheats(t *testing.T) {
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	item := func(change func(it map[string]any, o *operation)) func(o *operation) lies {
		return func(o *operation) lies { return lies{view: func(v map[string]any) { change(firstItem(v), o) }} }
	}
	property := func(change func(x *sap.XAdES)) func(o *operation) lies {
		return item(func(it map[string]any, o *operation) {
			x := *o.items[0].of.XAdES
			change(&x)
			it["xades"] = []sap.XAdES{x}
		})
	}
	for _, c := range []struct {
		name, code string
		lie        func(o *operation) lies
	}{
		{"another document", "attributes", func(*operation) lies {
			return lies{document: func(b []byte) []byte { return bytes.Replace(b, []byte("999"), []byte("111"), 1) }}
		}},
		{"no text", "document", func(*operation) lies {
			return lies{document: func(b []byte) []byte { return bytes.Replace(b, []byte("999"), []byte("\xff99"), 1) }}
		}},
		{"another role than is signed", "attributes", property(func(x *sap.XAdES) { x.Roles = []string{"Owner"} })},
		{"a role that is signed and not shown", "attributes", property(func(x *sap.XAdES) { x.Roles = []string{} })},
		{"another time", "attributes", property(func(x *sap.XAdES) { x.Time++ })},
		{"another form", "attributes", property(func(x *sap.XAdES) { x.Form = sap.XAdESParallel })},
		{"an unknown form", "attributes", property(func(x *sap.XAdES) { x.Form = "detached" })},
		{"a role that turns direction", "view", property(func(x *sap.XAdES) { x.Roles = []string{"\u202eresu"} })},
		{"no properties", "view", item(func(it map[string]any, _ *operation) { it["xades"] = []sap.XAdES{} })},
		{"properties twice", "view", item(func(it map[string]any, o *operation) {
			it["xades"] = []sap.XAdES{*o.items[0].of.XAdES, *o.items[0].of.XAdES}
		})},
		{"more signed properties", "attributes", item(func(it map[string]any, o *operation) {
			it["signed_properties"] = sap.B64(append(bytes.Clone(o.items[0].properties), ' '))
		})},
		{"another SignedInfo", "attributes", item(func(it map[string]any, o *operation) {
			it["signed_attributes"] = sap.B64(append(bytes.Clone(o.items[0].attributes), ' '))
		})},
		{"another digest", "digest", item(func(it map[string]any, _ *operation) { it["dtbsr"] = sap.B64(make([]byte, 32)) })},
		{"called a PDF", "view", item(func(it map[string]any, _ *operation) { it["kind"] = "pades" })},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, link := f.addXML("invoice.xml", invoice)
			lie := c.lie(o)
			f.set(func() { f.lie = lie })
			defer f.set(func() { f.lie = lies{} })
			p.Go(link)
			p.WaitFor("document.querySelector('#stop, #sign, #error')")
			if got := browsertest.Eval[string](p, "document.querySelector('#stop')?.dataset.code ?? 'no stop'"); got != c.code {
				t.Errorf("stop code %q, want %q; the page says:\n%s", got, c.code, p.Text())
			}
			if gets, _ := p.Ceremonies(); gets != 0 || f.uses() != 0 {
				t.Errorf("%d times a passkey was asked for, %d key uses", gets, f.uses())
			}
		})
	}
}
