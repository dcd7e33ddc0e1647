package signer_test

import (
	"testing"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/signapp/signer"
	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

// scripted is a PDF that is UTF-8 all through: as text, it would show its source.
const scripted = "%PDF-1.4\n1 0 obj\n<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>/Pages 2 0 R>>\nendobj\n" +
	"2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count 1>>\nendobj\n3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>\nendobj\n" +
	"trailer\n<</Root 1 0 R/Size 4>>\nstartxref\n0\n%%EOF\n"

// refused opens an operation under what makes a signature qualified and wants the page to say why it cannot be signed, and no passkey
// to be asked for however often the button is pressed.
func refused(t *testing.T, p *browsertest.Page, link, words string) {
	t.Helper()
	p.Go(link)
	p.WaitText(words)
	p.Click("#sign")
	if gets, _ := p.Ceremonies(); gets != 0 {
		t.Errorf("%q reached the passkey dialog", words)
	}
}

// SGN-04, ADE-04: a PDF that is signed beside its signature, alone or with other files, is drawn as its pages and looked through
// like every PDF: whoever gets it opens it as one, and its source as text would be another document. With active parts it is not
// signed where the signature can be a qualified one.
func TestSGN04PDFBesideItsSignatureIsDrawn(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	f.policy = "qualified"
	p := enrolled(t, f, b)
	annex := func() *sap.XAdESObjects {
		return &sap.XAdESObjects{More: []sap.XAdESObject{{Name: "annex.pdf", MIME: "application/pdf"}}}
	}
	_, alone := f.addForm("contract.pdf", scripted, sap.XAdESDetached)
	refused(t, p, alone, "“contract.pdf” holds parts")
	p.WaitText("1 page, shown now")
	_, among := f.addObjects("terms.txt", []string{"Terms", scripted}, sap.XAdESDetached, annex())
	refused(t, p, among, "“annex.pdf” holds parts")

	f.set(func() { f.policy = "" })
	_, link := f.addForm("contract.pdf", string(makePDF("Lease", "House rules")), sap.XAdESDetached)
	p.Go(link)
	p.WaitFor(canSign)
	p.WaitText("2 pages, shown now")
	p.Click("#sign")
	p.WaitText("Signed: 1 document")
	_, link = f.addForm("contract.pdf", scripted, sap.XAdESDetached)
	p.Go(link)
	p.WaitText("This document contains program code.")
	clean(t, p)
}

// SGN-04: without a viewer a PDF beside its signature cannot be seen, and is not signed.
func TestSGN04PDFBesideItsSignatureNeedsTheViewer(t *testing.T) {
	f, b := newFake(t, func(c *signer.Config) { c.Files, c.AllowMissingViewer = oursOnly(t), true }), browsertest.New(t)
	p := enrolled(t, f, b)
	_, link := f.addForm("contract.pdf", scripted, sap.XAdESDetached)
	refused(t, p, link, "no document viewer")
}

// SGN-04, ADE-04: the type that a signature says its data is of is what the signer saw. Pages are drawn of what is said to be a PDF and is
// nothing else, text is shown of what is said to be text in UTF-8: else whoever goes by the type, or by another reading of the
// file, sees another document. It is warned of, and where the signature can be a qualified one nothing of that is signed.
func TestSGN04TypeOfDataIsWhatIsShown(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	lease := string(makePDF("I owe 1 euro"))
	const by, both = "Programs that go by it may show something else", "can be read as another kind of file"
	for _, c := range []struct{ name, mime, octets, form, warning string }{
		{"a PDF that is said to be HTML", "text/html", lease, sap.XAdESContained, by},
		{"a page of HTML around a PDF", "application/pdf", "<html><body>I owe 999 euros</body><!--\n" + lease + "-->", sap.XAdESContained, both},
		{"text in another character set", "text/plain; charset=utf-7", "I owe +ADEAMAAw- euros", sap.XAdESDetached, by},
		{"text that is said to be a PDF", "application/pdf", "I owe 1 euro", sap.XAdESDetached, by},
		{"XML that is said to be HTML", "text/html", "<a>1 euro</a>", sap.XAdESEnveloped, by},
		{"XML that readers of PDF open", "text/xml", "<a>" + scripted + "</a>", sap.XAdESEnveloped, both},
	} {
		t.Run(c.name, func(t *testing.T) {
			for policy, words := range map[string]string{"": c.warning, "qualified": "“data” can show others something else than you see here"} {
				f.set(func() { f.policy = policy })
				_, link := f.addTyped("data", c.mime, []string{c.octets}, c.form, nil)
				if policy == "qualified" {
					refused(t, p, link, words)
				} else {
					p.Go(link)
				}
				p.WaitText(c.warning)
			}
		})
	}
	f.set(func() { f.policy, f.assurance = "", sap.AssuranceQualified }) // whatever policy the service chose
	_, link := f.addTyped("data", "text/html", []string{"1 euro"}, sap.XAdESDetached, nil)
	refused(t, p, link, "“data” can show others something else than you see here")
	for mime, octets := range map[string]string{"application/pdf": lease, "text/plain; charset=utf-8": "1 euro", "application/ubl+xml": "<a>1 euro</a>"} {
		_, link := f.addTyped("data", mime, []string{octets}, sap.XAdESDetached, nil)
		p.Go(link)
		p.WaitFor(canSign)
		p.Click("#sign")
		p.WaitText("Signed: 1 document")
	}
	clean(t, p)
}

// SGN-04: where the signature can be a qualified one, each of the files or elements that it covers was on the screen before it is
// made; to have opened the first one is not enough.
func TestSGN04EachPartIsOpenedBeforeAQualifiedSignature(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	f.policy = "qualified"
	p := enrolled(t, f, b)
	more := func(name, mime string) *sap.XAdESObjects {
		return &sap.XAdESObjects{More: []sap.XAdESObject{{Name: name, MIME: mime}}}
	}
	elements := more("e2", "text/xml")
	elements.Part = "e1"
	for _, c := range []struct {
		name, form, open, button string
		octets                   []string
		objects                  *sap.XAdESObjects
	}{
		{"terms.txt", sap.XAdESDetached, "Show annex.pdf", "Sign 2 documents as", []string{"Terms", string(makePDF("Annex"))}, more("annex.pdf", "application/pdf")},
		{"order.xml", sap.XAdESBeside, "Show element “e2” of “order.xml”", "Sign 2 elements of a document as", []string{`<a Id="e1">1</a>`, `<b Id="e2">2</b>`}, elements},
	} {
		_, link := f.addObjects(c.name, c.octets, c.form, c.objects)
		refused(t, p, link, "This signature covers 1 part that you have not opened.")
		p.WaitText(c.button)
		p.ClickText(c.open)
		p.WaitFor(canSign)
		p.Click("#sign")
		p.WaitFor("document.querySelector('#signed')")
	}
	clean(t, p)
}
