package signer_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/assent-sign/assent/signapp/signer"
	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

// needViewer: without pdf.js documents cannot be shown, so nothing of what
// follows could be tested.
func needViewer(t *testing.T) {
	t.Helper()
	if !signer.HasViewer(signer.Assets()) {
		missing(t, "the document viewer is not built (make assets)")
	}
}

// enrolled returns a person who has enrolled a signing passkey in the browser
// and is logged in at the application.
func enrolled(t *testing.T, f *fake, b *browsertest.Browser) *browsertest.Page {
	t.Helper()
	p := b.Person(t)
	p.Go(f.openEnrolment("Anna Example"))
	p.Click("#create")
	p.WaitFor("document.querySelector('#enrolled')")
	p.Go(f.api() + "/login?s=session-of-anna")
	return p
}

func clean(t *testing.T, p *browsertest.Page) {
	t.Helper()
	for _, v := range p.Problems() {
		t.Errorf("policy violation or error on the page: %s", v)
	}
}

// ENR-04, SAP-02, SAP-08, BLK-04: enrol, read, approve, result, download, in a real browser
// with a real WebAuthn ceremony. Zero policy violations.
func TestSignInBrowser(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := b.Person(t)
	p.Viewport(1280, 900, false)
	link := f.openEnrolment("Anna Example")
	p.Go(link)
	p.WaitFor("document.querySelector('#create')")
	if url := browsertest.Eval[string](p, "location.href"); strings.Contains(url, "code") {
		t.Errorf("the one-time code stays in the address bar: %s", url)
	}
	p.Screenshot("enrol-1280")
	p.Click("#create")
	p.WaitFor("document.querySelector('#enrolled')")
	p.Screenshot("enrolled-1280")
	clean(t, p)

	p.Go(f.api() + "/login?s=session-of-anna")
	o, link := f.add("lease.pdf", "annex.pdf")
	p.Go(link)
	p.WaitFor("document.querySelector('#sign')?.getAttribute('aria-disabled') === 'false'")
	p.WaitText("Example Lettings Ltd")
	for _, want := range []string{"900 € a month", "lease.pdf", "3 pages", "Anna Example", "Assent DEMO Issuing CA", "Signature with a trusted time-stamp (level B-T)", "2 signatures, now, once", "Development: software keys, no legal claim.", "Sign 2 documents as Anna Example", "Do not sign", "DEMO:"} {
		if !strings.Contains(p.Text(), want) {
			t.Errorf("the review does not show %q", want)
		}
	}
	if url := browsertest.Eval[string](p, "location.href"); strings.Contains(url, "ticket") {
		t.Errorf("the ticket stays in the address bar: %s", url)
	}
	p.WaitText("3 pages, not opened yet")
	p.Screenshot("review-1280")
	frame := p.DocumentFrame()
	frame.WaitFor("document.querySelector('canvas')")
	if !browsertest.EvalFrame[bool](frame, `(() => { const c = document.querySelector('canvas'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height / 4).data; let dark = 0; for (let i = 0; i < d.length; i += 4) if (d[i] < 128) dark++; return dark > 200; })()`) {
		t.Error("the first page is drawn without its words")
	}
	browsertest.EvalFrame[bool](frame, "(document.getElementById('text').click(), true)")
	frame.WaitFor("document.getElementById('reading').innerText.includes('The rent is 900 EUR a month')")
	if browsertest.EvalFrame[string](frame, "String(self.origin)") != "null" {
		t.Error("the document frame has an origin")
	}

	p.Click("#sign")
	p.WaitFor("document.querySelector('#signed')")
	p.WaitText("Download signed “lease.pdf”")
	p.Screenshot("result-1280")
	threeEqual(t, p, 2)
	dir := p.Downloads()
	p.ClickText("Download signed “lease.pdf”")
	got := p.Downloaded(dir, "lease-signed.pdf")
	if !bytes.Equal(got, o.items[0].bytes) {
		t.Error("the downloaded file is not the signed file")
	}
	p.Click("#receipt")
	if r := p.Downloaded(dir, "receipt-"+o.id+".json"); !bytes.Contains(r, []byte(`"signature"`)) {
		t.Error("no receipt was saved")
	}
	if f.uses() != 2 {
		t.Errorf("%d key uses for 2 documents", f.uses())
	}
	clean(t, p)
	p.Click("#continue")
	p.WaitText("the app origin")
}

// threeEqual: shown, approved and signed fingerprints of each document agree.
func threeEqual(t *testing.T, p *browsertest.Page, n int) {
	t.Helper()
	all := browsertest.Eval[[][]string](p, `[...document.querySelectorAll('table.three')].map((t) => ['shown', 'approved', 'signed'].map((k) => t.querySelector('tr[data-kind=' + k + '] .fingerprint')?.title ?? ''))`)
	if len(all) != n {
		t.Fatalf("%d fingerprint tables, want %d", len(all), n)
	}
	for _, f := range all {
		if len(f[0]) != 64 || f[0] != f[1] || f[1] != f[2] {
			t.Errorf("fingerprints differ: %v", f)
		}
	}
}
