package signer_test

import (
	"strings"
	"testing"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/xades"
	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

// SAP-02, SGN-04: what a signature of each form is over is shown as what it is, by its bytes and not by a claimed type: XML and
// text as text, a PDF as its pages, other bytes by their numbers and with a warning. Approving it gives a signature over
// exactly that, which can be saved.
func TestSAP02EveryFormIsShownAndSigned(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	object := xades.ObjectTag("xades-1") + "<a>240 euros</a></ds:Object>"
	for _, c := range []struct{ name, octets, form, shown, words string }{
		{"terms.txt", "Terms: 240 euros\r\n\u202eΑθήνα", sap.XAdESDetached, "Terms: 240 euros[U+000D]\n[U+202E]Αθήνα", "the file as it is, by its name; text, shown now; exactly the bytes whose fingerprint"},
		{"a.xml", object, sap.XAdESEnveloping, object, "which is put inside of the signature; XML, shown as text, shown now"},
		{"terms.txt", "<b>240</b> & euros\n", sap.XAdESContained, "<b>240</b> & euros\n", "the file as it is, which is put inside of the signature; text, shown now"},
		{"a.bin", "240\x00\xff\n", sap.XAdESContained, "00000000  32 34 30 00 ff 0a" + strings.Repeat(" ", 31) + " 240...\n", "neither text nor a PDF, shown by its bytes, shown now; Sign it only if you know what it is; All bytes are here."},
		{"a.txt", string(makePDF("Lease", "House rules")), sap.XAdESContained, "", "2 pages, shown now; This picture is drawn from exactly the bytes"},
	} {
		_, link := f.addForm(c.name, c.octets, c.form)
		uses := f.uses()
		p.Go(link)
		p.WaitFor(canSign)
		for _, words := range strings.Split(c.words, "; ") {
			p.WaitText(words)
		}
		if got := browsertest.Eval[string](p, "document.querySelector('.octets')?.textContent ?? ''"); got != c.shown {
			t.Errorf("%s, %s: on the page is\n%q, want\n%q", c.form, c.name, got, c.shown)
		}
		p.Click("#sign")
		p.WaitFor("document.querySelector('#signed')")
		p.ClickText("Download signed “" + c.name + "”")
		p.WaitText("has the signature that you approved and was saved")
		if f.uses() != uses+1 {
			t.Errorf("%s, %s: %d key uses", c.form, c.name, f.uses()-uses)
		}
	}
	clean(t, p)
}

// ADE-04: under the policy for qualified signatures nothing is signed that is neither text nor a PDF, nor a PDF with hidden
// parts, inside of a signature too.
func TestADE04QualifiedPolicyInsideOfASignature(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	f.policy = "qualified"
	p := enrolled(t, f, b)
	for octets, words := range map[string]string{"240\x00": "“a.bin” is neither text nor a PDF", string(hiddenParts()): "“a.bin” holds parts"} {
		_, link := f.addForm("a.bin", octets, sap.XAdESContained)
		p.Go(link)
		p.WaitText(words)
		p.Click("#sign")
		if gets, _ := p.Ceremonies(); gets != 0 {
			t.Errorf("%q reached the passkey dialog", words)
		}
	}
	_, link := f.addForm("a.bin", "text", sap.XAdESContained)
	p.Go(link)
	p.WaitFor(canSign)
	p.Click("#sign")
	p.WaitText("Signed: 1 document")
	clean(t, p)
}

// SGN-04, T2: whatever the application changes of a request of the new forms, the page stops before the passkey: other bytes
// than were announced, another form, a name that a detached signature would not have.
func TestSGN04FormCheats(t *testing.T) {
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	form := func(to string) func(o *operation) lies {
		return func(o *operation) lies {
			return lies{view: func(v map[string]any) {
				x := *o.items[0].of.XAdES
				x.Form = to
				firstItem(v)["xades"] = []sap.XAdES{x}
			}}
		}
	}
	other := func(*operation) lies {
		return lies{document: func(b []byte) []byte { return []byte(strings.Replace(string(b), "240", "999", 1)) }}
	}
	const text = "Terms: 240 euros"
	for _, c := range []struct {
		name, form, code string
		lie              func(o *operation) lies
	}{
		{"other bytes, detached", sap.XAdESDetached, "attributes", other},
		{"other bytes, inside", sap.XAdESContained, "attributes", other},
		{"other XML inside", sap.XAdESEnveloping, "attributes", other},
		{"another name", sap.XAdESDetached, "attributes", func(*operation) lies {
			return lies{view: func(v map[string]any) { firstItem(v)["name"] = "other.txt" }}
		}},
		{"inside, said to be beside", sap.XAdESContained, "attributes", form(sap.XAdESDetached)},
		{"octets, said to be XML", sap.XAdESContained, "attributes", form(sap.XAdESEnveloping)},
		{"XML, said to be octets", sap.XAdESEnveloping, "attributes", form(sap.XAdESContained)},
		{"said to be in the document", sap.XAdESContained, "attributes", form(sap.XAdESEnveloped)},
		{"a form of no kind", sap.XAdESContained, "attributes", form("enclosed")},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, link := f.addForm("terms.txt", text, c.form)
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
