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
