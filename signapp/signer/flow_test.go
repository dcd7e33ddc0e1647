package signer_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/signapp/signer"
	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

const canSign = "document.querySelector('#sign')?.getAttribute('aria-disabled') === 'false'"

func TestDecline(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	o, link := f.add("lease.pdf")
	p.Go(link)
	p.Click("#decline")
	p.WaitFor("document.activeElement?.id === 'reason'")
	p.Keys("The rent is wrong.")
	p.Screenshot("decline-1280")
	p.Click("#confirm-decline")
	p.WaitText("You did not sign")
	p.WaitText("Example Lettings Ltd is told that you declined.")
	f.set(func() {
		if o.state != "declined" || o.reason != "The rent is wrong." || f.signatures != 0 {
			t.Errorf("state %s, reason %q, %d key uses", o.state, o.reason, f.signatures)
		}
	})
	if gets, _ := p.Ceremonies(); gets != 0 {
		t.Error("declining asked for a passkey")
	}
	clean(t, p)
}

// A closed dialog, a wrong finger, no passkey: the page stays and nothing is lost.
func TestPasskeyDialogCancelledStays(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	_, link := f.add("lease.pdf")
	p.Go(link)
	p.WaitFor(canSign)
	p.Authenticator().UserVerified(false)
	p.Click("#sign")
	p.WaitText("The passkey dialog was closed, or this device has no passkey for signing as Anna Example.")
	p.Screenshot("cancelled-1280")
	if f.uses() != 0 {
		t.Error("signed without user verification")
	}
	p.Authenticator().UserVerified(true)
	p.WaitFor(canSign)
	p.Click("#sign")
	p.WaitFor("document.querySelector('#signed')")
	clean(t, p)
}

// SAP-02: an authenticator that signs without verifying the user is refused by
// the SAM, and the page says that nothing was signed.
func TestRefusedBySAM(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	_, link := f.add("lease.pdf")
	p.Go(link)
	p.WaitFor(canSign)
	p.Authenticator().LieAboutUV(true)
	p.Click("#sign")
	p.WaitFor("document.querySelector('#error, .notice')")
	if f.uses() != 0 || !strings.Contains(p.Text(), "othing was signed") {
		t.Errorf("%d key uses; the page says:\n%s", f.uses(), p.Text())
	}
	// The operation still waits: the signer may begin anew.
	p.Authenticator().LieAboutUV(false)
	p.ClickText("Try again")
	p.WaitFor(canSign)
	p.Click("#sign")
	p.WaitFor("document.querySelector('#signed')")
}

// A request that ended while it was being read: the page says which end it was.
func TestEndedWhileReading(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	for state, want := range map[string]string{"expired": "This request has expired", "cancelled": "The sender withdrew this request"} {
		o, link := f.add("lease.pdf")
		p.Go(link)
		p.WaitFor(canSign)
		f.set(func() {
			o.state = state
			f.lie = lies{redeem: func(w http.ResponseWriter, _ func()) bool {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusConflict)
				_, _ = w.Write([]byte(`{"error":"state","message":"Moved on.","retry":"never"}`))
				return true
			}}
		})
		p.Click("#sign")
		p.WaitText(want)
	}
	if f.uses() != 0 {
		t.Error("a request that had ended was signed")
	}
}

// losing is a network that loses answers as long as it says so. What was asked is done.
func (f *fake) losing(t *testing.T, lost *int, more func(n int) bool) func(http.ResponseWriter, func()) bool {
	return func(w http.ResponseWriter, do func()) bool {
		if !more(*lost) {
			return false
		}
		*lost++
		do()
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return true
		}
		// A closed connection alone would be repeated by the browser itself.
		_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\nAccess-Control-Allow-Origin: %s\r\nAccess-Control-Allow-Credentials: true\r\n\r\n{", f.origin)
		_ = c.Close()
		return true
	}
}

// Answers that got lost, as when a phone changes its network: the document is fetched again, and the
// same approval is sent again, without a word; the key is used once.
func TestLostAnswerIsRepeatedByItself(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	_, link := f.add("lease.pdf")
	lost, cut := 0, 0
	twice := func(n int) bool { return n < 2 }
	f.set(func() { f.lie = lies{redeem: f.losing(t, &lost, twice), fileSend: f.losing(t, &cut, twice)} })
	p.Go(link)
	p.WaitFor(canSign)
	p.Click("#sign")
	p.WaitFor("document.querySelector('#signed')")
	if gets, _ := p.Ceremonies(); gets != 1 || f.uses() != 1 || lost != 2 || cut != 2 {
		t.Errorf("%d dialogs, %d key uses, %d and %d answers lost; want 1, 1, 2 and 2", gets, f.uses(), lost, cut)
	}
	clean(t, p)
}

// A connection that stays lost: the signer sends the same bytes again, the key is used once.
func TestLostAnswerIsRepeated(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	_, link := f.add("lease.pdf")
	lost, down := 0, true
	f.set(func() { f.lie = lies{redeem: f.losing(t, &lost, func(int) bool { return down })} })
	p.Go(link)
	p.WaitFor(canSign)
	p.Click("#sign")
	p.WaitText("The connection was lost after you approved.")
	p.Click("#sign") // rests: a second approval would be a second key use
	f.set(func() { down = false })
	p.Click("#send-again")
	p.WaitFor("document.querySelector('#signed')")
	if gets, _ := p.Ceremonies(); gets != 1 || f.uses() != 1 || lost < 2 {
		t.Errorf("%d dialogs, %d key uses, %d answers lost; want 1, 1 and several", gets, f.uses(), lost)
	}
	clean(t, p)
}

// BLK-04: pdf.js draws on without a font, a character map or a decoder that it did not get. What so may lack text or pictures is not
// signed.
func TestBLK04LostPartsOfTheViewer(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	_, link := f.add("lease.pdf")
	f.noFonts.Store(1000)
	p.Go(link)
	p.WaitText("so parts of it may be missing")
	p.Screenshot("lost-parts-1280")
	p.Click("#sign")
	if gets, _ := p.Ceremonies(); gets != 0 || f.uses() != 0 {
		t.Errorf("%d dialogs, %d key uses for a document that was not shown whole", gets, f.uses())
	}
	f.noFonts.Store(0)
	p.Click("#show-again")
	p.WaitFor(canSign)
	p.Click("#sign")
	p.WaitFor("document.querySelector('#signed')")
}

// BLK-04: what turns out not to be whole while the passkey dialog is open is not signed.
func TestBLK04LostPartsWhileApproving(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	_, link := f.add()
	in := makePDF("One", "Two", "Three")
	last := bytes.LastIndex(in, []byte("/F1 3 0 R"))
	other := "/F1 << /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>"
	prepared, state := preparePDF(t, rebuildTable(slices.Concat(in[:last], []byte(other), in[last+len("/F1 3 0 R"):])))
	f.set(func() {
		for _, o := range f.ops {
			o.items = append(o.items, f.item("lease.pdf", prepared, state))
		}
	})
	p.Go(link)
	p.WaitFor(canSign)
	browsertest.Eval[bool](p, `(() => {
		const get = navigator.credentials.get.bind(navigator.credentials);
		let first = true; // of the dialogs stays open until it is touched
		navigator.credentials.get = async (o) => { const r = await get(o); if (first) { first = false; await new Promise((go) => (window.touched = go)); } return r; };
		return true; })()`)
	f.noFonts.Store(1000)
	p.Click("#sign")
	browsertest.Eval[bool](p, "(document.querySelector('.stage iframe').scrollIntoView(), true)") // what nobody sees is not drawn
	browsertest.EvalFrame[bool](p.DocumentFrame(), "(document.getElementById('pages').scrollTop = 1e6, true)")
	p.WaitText("so parts of it may be missing")
	browsertest.Eval[bool](p, "(window.touched(), true)")
	p.WaitText("Your approval was not sent")
	p.Click("#sign")
	if gets, _ := p.Ceremonies(); gets != 1 || f.uses() != 0 {
		t.Errorf("%d dialogs, %d key uses for a document that was not shown whole", gets, f.uses())
	}
	f.noFonts.Store(0)
	p.Click("#show-again")
	p.WaitFor(canSign)
	p.Click("#sign")
	p.WaitFor("document.querySelector('#signed')")
}

// T8: an answer that got lost, and somebody else's login in the same browser before the approval is sent again: it may have counted, and the
// page must not say that nothing was signed.
func TestLostAnswerAndAnotherLogin(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	o, link := f.add("lease.pdf")
	sent := 0
	f.set(func() {
		f.lie = lies{redeem: func(w http.ResponseWriter, do func()) bool {
			w.Header().Set("Content-Type", "application/json")
			if sent++; sent == 1 {
				do()
				w.WriteHeader(http.StatusBadGateway)
				_, _ = w.Write([]byte(`{"error":"unavailable","message":"No answer.","retry":"later"}`))
				return true
			}
			o.session = "of somebody else"
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"error":"not_found","message":"No such operation.","retry":"never"}`))
			return true
		}}
	})
	p.Go(link)
	p.WaitFor(canSign)
	p.Click("#sign")
	p.WaitText("did not say whether your approval counted")
	if browsertest.Eval[bool](p, "document.body.textContent.includes('othing was signed')") {
		t.Error("the page says that nothing was signed")
	}
	p.Click("#send-again")
	p.WaitText("somebody else has logged in")
	if said := browsertest.Eval[string](p, "document.querySelector('#error').textContent"); strings.Contains(said, "Nothing was signed") || f.uses() != 1 {
		t.Errorf("%d key uses; the page says %q", f.uses(), said)
	}
}

// WCAG 2.2.1: the end is announced, more time is one button, nothing is lost;
// a request that is over cannot be approved.
func TestMoreTime(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	f.set(func() { f.lifetime = 5 })
	_, link := f.add("lease.pdf")
	p.Go(link)
	p.WaitText("You can take more time.")
	p.WaitText("The time to decide is over.")
	p.Screenshot("time-over-1280")
	p.Click("#sign")
	if gets, _ := p.Ceremonies(); gets != 0 {
		t.Error("a request that is over opened the passkey dialog")
	}
	f.set(func() { f.lifetime = 300 })
	p.Click("#more-time")
	p.WaitText("You have more time now")
	p.WaitFor(canSign)
	p.Click("#sign")
	p.WaitFor("document.querySelector('#signed')")
	clean(t, p)
}

// A renewed request may not bring other terms.
func TestMoreTimeWithOtherTermsIsStopped(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	f.set(func() { f.lifetime = 5 })
	_, link := f.add("lease.pdf")
	p.Go(link)
	p.WaitText("You can take more time.")
	f.set(func() { f.lie = lies{request: resign(f, func(r *sap.ActivationRequest) { r.Bind.Policy = "bulk" })} })
	p.Click("#more-time")
	p.WaitFor("document.querySelector('#stop')?.dataset.code === 'binding'")
}

func TestEndedOperations(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	for state, want := range map[string]string{
		"expired": "This request has expired", "cancelled": "The sender withdrew this request",
		"failed": "This request cannot be completed", "finished": "You already answered this request",
	} {
		o, link := f.add("lease.pdf")
		f.set(func() { o.state = state })
		p.Go(link)
		p.WaitText(want)
		if n := browsertest.Eval[int](p, "document.querySelectorAll('#sign').length"); n != 0 {
			t.Errorf("%s: there is a button to sign", state)
		}
	}
	o, link := f.add("lease.pdf")
	f.set(func() { o.returnURL = "https://evil.example/" })
	f.set(func() { o.state = "expired" })
	p.Go(link)
	p.WaitText("This request has expired")
	if to := browsertest.Eval[string](p, "[...document.querySelectorAll('a[href]')].map((a) => a.href).join(' ')"); to != f.api()+"/operations/"+o.id {
		t.Errorf("the page links to %s, not to the application alone", to)
	}
	clean(t, p)
}

// A reload finds the operation again without the ticket; a stranger's tab does not.
func TestReloadKeepsTheOperation(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	o, link := f.add("lease.pdf")
	p.Go(link)
	p.WaitFor(canSign)
	p.Reload()
	p.WaitFor(canSign)
	other := p.Tab()
	other.Go(f.origin + "/#op=" + o.id)
	other.WaitText("Open the request again from the page where you signed in.")
	p.Click("#sign")
	p.WaitFor("document.querySelector('#signed')")
	p.Reload()
	p.WaitText("You already answered this request")
}

// A document that cannot be drawn cannot be approved; saying no stays possible.
func TestUnshowableDocumentCannotBeSigned(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	_, link := f.addBytes("broken.pdf", func(b []byte) []byte {
		return bytes.ReplaceAll(bytes.Clone(b), []byte("/Root"), []byte("/Roox"))
	})
	p.Go(link)
	p.WaitText("“broken.pdf” cannot be shown here, so it cannot be signed here.")
	p.Click("#sign")
	if gets, _ := p.Ceremonies(); gets != 0 || f.uses() != 0 {
		t.Error("an unshowable document reached the passkey dialog")
	}
	p.Click("#decline")
	p.Click("#confirm-decline")
	p.WaitText("You did not sign")
}

// T6: what a picture of the pages does not show is said in words; code in a
// document does not run.
func TestHiddenPartsAreNamed(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	o, link := f.add()
	prepared, state := preparePDF(t, hiddenParts())
	f.set(func() { o.items = append(o.items, f.item("code.pdf", prepared, state)) })
	p.Go(link)
	p.WaitText("This document contains program code. The code does not run here")
	p.WaitText("Files are attached inside this document.")
	p.WaitText("This document has parts that are switched off and not visible here.")
	p.WaitText("This document has actions that open programs or other files")
	p.WaitText("This document contains sound, film or 3D content")
	clean(t, p)
}

// hiddenParts is a PDF with nearly everything that its picture does not show.
func hiddenParts() []byte {
	in := bytes.Replace(makePDF("with code"), []byte("/Type /Catalog"), []byte(`/Type /Catalog /Names << /JavaScript << /Names [(a) << /S /JavaScript /JS (app.alert\(1\)) >>] >> /EmbeddedFiles << /Names [(b.txt) << /Type /Filespec /F (b.txt) >>] >> >> /OCProperties << /OCGs [6 0 R] /D << /OFF [6 0 R] /Order [6 0 R] >> >>`), 1)
	in = bytes.Replace(in, []byte("/Type /Page "), []byte("/Type /Page /Annots [<< /Type /Annot /Subtype /Link /Rect [0 0 50 50] /A << /S /Launch /F (calc.exe) >> >> << /Type /Annot /Subtype /Movie /Rect [0 0 50 50] >>] "), 1)
	in = bytes.Replace(in, []byte("xref\n0 "), []byte("6 0 obj\n<< /Type /OCG /Name (small print) >>\nendobj\nxref\n0 "), 1)
	return rebuildTable(in) // what is behind moved; the writer repairs nothing
}

// ADE-04: a document with hidden or active parts gets no qualified signature, whatever
// the service says, and although the signer opened only the other one.
func TestADE04QualifiedPolicyAndHiddenParts(t *testing.T) {
	needViewer(t)
	for name, set := range map[string]func(*fake){
		"by the policy": func(f *fake) { f.policy = "qualified" },
		"by the key":    func(f *fake) { f.assurance = sap.AssuranceQualified }, // whatever policy the service chose
	} {
		t.Run(name, func(t *testing.T) { refusesHiddenParts(t, set, hiddenParts()) })
	}
	t.Run("pages of two meanings", func(t *testing.T) {
		two := makePDF("Lease", "Annex")
		refusesHiddenParts(t, func(f *fake) { f.policy = "qualified" }, bytes.Replace(two, []byte("/Count 2"), []byte("/Count 1"), 1))
	})
}

// refusesHiddenParts has a document and one that cannot be signed put before the signer.
func refusesHiddenParts(t *testing.T, set func(*fake), bad []byte) {
	f, b := newFake(t, nil), browsertest.New(t)
	set(f)
	p := enrolled(t, f, b)
	o, link := f.add("plain.pdf")
	prepared, state := preparePDF(t, bad)
	f.set(func() { o.items = append(o.items, f.item("code.pdf", prepared, state)) })
	p.Go(link)
	p.WaitText("“code.pdf” holds parts")
	p.Click("#sign")
	if gets, _ := p.Ceremonies(); gets != 0 {
		t.Error("a document with hidden parts reached the passkey dialog under the policy for qualified signatures")
	}
	p.Click("#decline")
	p.Click("#confirm-decline")
	p.WaitText("You did not sign")

	_, link = f.add("plain.pdf", "second.pdf")
	p.Go(link)
	p.WaitFor(`document.querySelector("#sign")?.getAttribute("aria-disabled") === "false"`)
	p.Click("#sign")
	p.WaitText("Signed: 2 documents")
	clean(t, p)
}

// Without the viewer (demo only) documents cannot be approved in the browser.
func TestNoViewerNoSigning(t *testing.T) {
	f, b := newFake(t, func(c *signer.Config) { c.Files, c.AllowMissingViewer = oursOnly(t), true }), browsertest.New(t)
	p := enrolled(t, f, b)
	_, link := f.add("lease.pdf")
	p.Go(link)
	p.WaitText("This installation has no document viewer")
	p.Click("#sign")
	if gets, _ := p.Ceremonies(); gets != 0 {
		t.Error("a document that nobody saw reached the passkey dialog")
	}
	clean(t, p)
}

// Raw digests have their own wording, their own button and "not shown".
func TestRawDigestHasItsOwnWording(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	o, link := f.add()
	f.set(func() {
		o.items = append(o.items, &item{kind: sap.KindRaw, name: "build 4711", dtbsr: []byte(strings.Repeat("d", 32))})
	})
	p.Go(link)
	p.WaitText("You are approving a fingerprint of content that is not shown.")
	p.WaitText("Approve 1 fingerprint as Anna Example")
	p.Screenshot("raw-1280")
	p.WaitFor(canSign)
	p.Click("#sign")
	p.WaitFor("document.querySelector('#signed')")
	p.WaitText("not shown")
	clean(t, p)
}

// WCAG 2.1.1, ENR-04: enrolment by keyboard alone; Enter at the link's page does
// nothing before the button has the focus.
func TestEnrolmentByKeyboard(t *testing.T) {
	f, b := newFake(t, nil), browsertest.New(t)
	p := b.Person(t)
	p.Go(f.openEnrolment("Anna Example"))
	p.WaitFor("document.querySelector('#create')")
	p.Front()
	p.Keys(kb.Enter)
	if _, creates := p.Ceremonies(); creates != 0 {
		t.Error("a key press creates a passkey before the button has the focus")
	}
	p.Keys(kb.Tab)
	p.WaitFor("document.activeElement?.id === 'create'")
	p.Keys(kb.Enter)
	p.WaitFor("document.querySelector('#enrolled')")
	if browsertest.Eval[string](p, "document.activeElement?.tagName") != "H1" {
		t.Error("the focus is not on the heading of the result")
	}
	clean(t, p)
}

// WCAG 2.1.1, 2.4.3: the whole flow by keyboard; focus goes to each heading.
func TestKeyboardOnly(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	_, link := f.add("lease.pdf", "annex.pdf")
	p.Go(link)
	p.WaitFor(canSign)
	p.WaitText("3 pages, not opened yet")
	if browsertest.Eval[string](p, "document.activeElement?.tagName") != "H1" {
		t.Error("the focus is not on the heading of the step")
	}
	p.Front()
	var order []string
	at := ""
	for range 30 {
		before := at
		p.Keys(kb.Tab)
		// The frame is another process, and focus takes its time. Within the frame
		// the page sees no change.
		for end := time.Now().Add(time.Second); at == before && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			now := browsertest.Eval[string](p, "((e) => !e || e === document.body ? '' : e.id || e.innerText || e.tagName)(document.activeElement)")
			if now != "" { // on its way into the frame it is nowhere
				at = now
			}
		}
		if len(order) == 0 || order[len(order)-1] != at {
			order = append(order, at)
		}
		if at == "sign" {
			break
		}
	}
	if got := strings.Join(order, " | "); got != "Show lease.pdf | Show annex.pdf | IFRAME | sign" {
		t.Errorf("order of focus: %s", got)
	}
	p.Keys(kb.Tab)
	if browsertest.Eval[string](p, "document.activeElement?.id") != "decline" {
		t.Error("after signing comes not signing")
	}
	p.Keys(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift))
	p.Keys(kb.Enter)
	p.WaitFor("document.querySelector('#signed')")
	if browsertest.Eval[string](p, "document.activeElement?.tagName") != "H1" {
		t.Error("the focus is not on the heading of the result")
	}
	clean(t, p)
}

// WCAG 1.4.10, 2.5.8, 1.4.3: 320 px without sideways scrolling, targets of
// 44 px, contrast of 4.5, in light and dark.
func TestNarrowAndDark(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	for _, dark := range []bool{false, true} {
		name := map[bool]string{false: "-320", true: "-320-dark"}[dark]
		p.Viewport(320, 640, dark)
		p.Go(f.openEnrolment("Anna Example"))
		p.WaitFor("document.querySelector('#create')")
		fits(t, p, "enrol"+name)
		_, link := f.add("A lease with a rather long file name, signed in two copies 2027-02.pdf", "annex.pdf")
		p.Go(link)
		p.WaitFor(canSign)
		p.WaitText("3 pages, not opened yet")
		fits(t, p, "review"+name)
		p.Click("#sign")
		p.WaitText("Download signed “annex.pdf”")
		fits(t, p, "result"+name)
		o, second := f.add("lease.pdf")
		f.set(func() { o.asker = "\u202e" })
		p.Go(second)
		p.WaitFor("document.querySelector('#stop')")
		fits(t, p, "stop"+name)
	}
	p.Viewport(1280, 900, true)
	_, link := f.add("lease.pdf", "annex.pdf")
	p.Go(link)
	p.WaitFor(canSign)
	p.WaitText("3 pages, not opened yet")
	fits(t, p, "review-1280-dark")
}

const looks = `(() => {
  const out = [];
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth) out.push('scrolls sideways: ' + document.documentElement.scrollWidth);
  for (const e of document.querySelectorAll('button, a.act, select, input')) {
    const r = e.getBoundingClientRect();
    if (r.width > 0 && (r.height < 44 || r.width < 44)) out.push('small target: ' + e.innerText + ' ' + r.width + 'x' + r.height);
  }
  const acts = ['sign', 'decline'].map((i) => document.getElementById(i)?.getBoundingClientRect()).filter(Boolean);
  if (acts.length === 2 && (acts[0].width !== acts[1].width || acts[0].height !== acts[1].height)) out.push('sign and decline differ in size');
  const lum = (c) => { const f = c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2]; };
  const rgb = (s) => s.match(/[\d.]+/g).map(Number);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n = walker.nextNode(); n; n = walker.nextNode()) {
    const e = n.parentElement;
    if (!n.data.trim() || e.closest('.only-read, noscript, script') || e.getClientRects().length === 0) continue;
    let b = e;
    while (b && (rgb(getComputedStyle(b).backgroundColor)[3] ?? 1) === 0) b = b.parentElement;
    const l = [lum(rgb(getComputedStyle(e).color)), lum(rgb(getComputedStyle(b ?? document.body).backgroundColor))].sort((x, y) => y - x);
    if ((l[0] + 0.05) / (l[1] + 0.05) < 4.5) out.push('contrast ' + ((l[0] + 0.05) / (l[1] + 0.05)).toFixed(2) + ': ' + n.data.slice(0, 40));
  }
  return out;
})()`

func fits(t *testing.T, p *browsertest.Page, name string) {
	t.Helper()
	p.Screenshot(name)
	for _, bad := range browsertest.Eval[[]string](p, looks) {
		t.Errorf("%s: %s", name, bad)
	}
	clean(t, p)
}

// ENR-04: every way in which an enrolment can fail says so and sets nothing up.
func TestEnrolmentRefusals(t *testing.T) {
	f, b := newFake(t, func(c *signer.Config) {
		if !signer.HasViewer(signer.Assets()) {
			c.AllowMissingViewer = true
		}
	}), browsertest.New(t)
	p := b.Person(t)
	link := f.openEnrolment("Anna Example")
	p.Go(strings.Split(link, "&code=")[0])
	p.WaitText("This enrolment link is incomplete or was used already.")
	// A code that the officer did not give: the SAM refuses the proof.
	p.Go("about:blank")
	p.Go(strings.Split(link, "&code=")[0] + "&code=" + sap.B64(make([]byte, 20)))
	p.Click("#create")
	p.WaitText("The signing module refused this enrolment.")
	// An offer that the SAM did not sign, or for another link: no passkey dialog.
	for _, spoil := range []func(){
		func() { f.set(func() { f.enrolment.Signature = sap.B64(make([]byte, 64)) }) },
		func() { f.openEnrolment("Mallory") },
	} {
		link = f.openEnrolment("Anna Example")
		spoil()
		p.Go("about:blank")
		p.Go(link)
		p.WaitText("The offer to enrol was not made by the signing module.")
		if _, creates := p.Ceremonies(); creates != 0 {
			t.Error("a passkey was made for an offer that is not genuine")
		}
	}
	// A closed dialog: try again.
	p.Go("about:blank")
	p.Go(f.openEnrolment("Anna Example"))
	p.Authenticator().UserVerified(false)
	p.Click("#create")
	p.WaitText("The dialog was closed and no passkey was made.")
	p.Authenticator().UserVerified(true)
	p.Click("#create")
	p.WaitFor("document.querySelector('#enrolled')")
	have := len(p.Authenticator().Credentials())
	f.set(func() {
		if f.credential == "" || have == 0 {
			t.Error("nothing was enrolled")
		}
	})
	clean(t, p)
}
