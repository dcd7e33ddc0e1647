package signer_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

// leadsTo presses the one link of a page that ended.
func leadsTo(t *testing.T, p *browsertest.Page, url string) {
	t.Helper()
	p.WaitFor("document.querySelector('#back')")
	p.Click("#back")
	p.WaitFor("location.href === '" + url + "'")
}

// The answer to the trade of the ticket got lost, and with it the ticket, which counts once: one click leads
// to the request in the application, where a new one is made. So it is for who has no ticket at all.
func TestSpentTicketHasAWayOn(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	o, link := f.add("lease.pdf")
	lost := 0
	f.set(func() { f.lie = lies{session: f.losing(t, &lost, func(n int) bool { return n < 1 })} })
	p.Go(link)
	p.WaitText("Open the request again from the page where you signed in.")
	p.Screenshot("ticket-spent")
	if lost != 1 || strings.Contains(p.Text(), "othing was signed") {
		t.Errorf("%d answers lost; the page says:\n%s", lost, p.Text())
	}
	p.Reload()
	p.WaitText("Open the request again from the page where you signed in.")
	leadsTo(t, p, f.api()+"/operations/"+o.id)
	p.Go(f.origin + "/#op=" + o.id)
	leadsTo(t, p, f.api()+"/operations/"+o.id)
	p.Go(f.origin + "/")
	p.WaitText("Nothing to sign here")
	leadsTo(t, p, f.api()+"/")
	clean(t, p)
}

// A request that ended, and a result, lead back to the application also where the sender named no address.
func TestEveryEndHasAWayOn(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	o, link := f.add("lease.pdf")
	f.set(func() { o.returnURL = "" })
	p.Go(link)
	p.WaitFor(canSign)
	p.Click("#sign")
	p.WaitFor("document.querySelector('#signed')")
	leadsTo(t, p, f.api()+"/operations/"+o.id)
	p.Go(f.origin + "/#op=" + o.id)
	p.WaitText("You already answered this request")
	leadsTo(t, p, f.api()+"/operations/"+o.id)
	clean(t, p)
}

// A page that is loaded again after the approval does not know yet what became of it: without an answer it
// claims nothing.
func TestNoAnswerAfterTheApprovalClaimsNothing(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	down := func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }
	busy := func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"error":"unavailable","message":"No answer.","retry":"later"}`))
		return true
	}
	for _, c := range []struct {
		how  func(http.ResponseWriter, *http.Request) bool
		says string
	}{{down, "The service cannot be reached."}, {busy, "The service is busy or not available now."}} {
		_, link := f.add("lease.pdf")
		p.Go(link)
		p.WaitFor(canSign)
		p.Click("#sign")
		p.WaitFor("document.querySelector('#signed')")
		f.set(func() { f.lie.any = c.how })
		p.Reload()
		p.WaitText(c.says)
		if strings.Contains(p.Text(), "othing was signed") {
			t.Errorf("the document is signed; the page says:\n%s", p.Text())
		}
		f.set(func() { f.lie.any = nil })
		p.ClickText("Try again")
		p.WaitText("You already answered this request")
	}
}

// The signing origin itself did not answer: that is no fault of its set-up, and the ticket is still there.
func TestConfigurationThatGotLostIsAskedForAgain(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	_, link := f.add("lease.pdf")
	f.cut.Store(1000)
	p.Go(link)
	p.WaitText("The service cannot be reached.")
	if f.cut.Load() > 998 || strings.Contains(p.Text(), "not set up correctly") {
		t.Errorf("%d answers did not get lost; the page says:\n%s", f.cut.Load(), p.Text())
	}
	f.cut.Store(0)
	p.ClickText("Try again")
	p.WaitFor(canSign)
}

// The sender's time ends before the activation request does: the page names the earlier end, and offers no
// more time than there is.
func TestSendersTimeIsTheEnd(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	o, link := f.add("lease.pdf")
	f.set(func() { o.expires = time.Now().Add(8 * time.Second) })
	p.Go(link)
	p.WaitText("seconds are left to decide")
	if strings.Contains(p.Text(), "More time") {
		t.Errorf("more time is offered than the sender gave:\n%s", p.Text())
	}
	p.WaitText("The time that the sender gave you is over.")
	p.Click("#sign")
	if gets, _ := p.Ceremonies(); gets != 0 {
		t.Error("a request that is over opened the passkey dialog")
	}
	time.Sleep(time.Until(o.expires)) // what is waited for is the clock itself
	p.ClickText("Continue")
	p.WaitText("This request has expired")
	clean(t, p)
}

// ENR-04: the answer to an enrolment got lost, and the module takes each once: sent again it is refused, but the
// passkey is set up, and the page must not say that it is not.
func TestLostAnswerOfAnEnrolmentClaimsNothing(t *testing.T) {
	f, b := newFake(t, nil), browsertest.New(t)
	p := b.Person(t)
	lost := 0
	f.set(func() {
		losing := f.losing(t, &lost, func(n int) bool { return n < 1 })
		f.lie = lies{enrol: func(w http.ResponseWriter, do func()) bool {
			if losing(w, do) {
				return true
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"error":"refused","message":"The signature module refused.","retry":"never"}`))
			return true
		}}
	})
	p.Go(f.openEnrolment("Anna Example"))
	p.Click("#create")
	p.WaitText("The connection was lost.")
	p.ClickText("Send again")
	p.WaitText("Your passkey may be set up")
	if strings.Contains(p.Text(), "Nothing was") || f.credential == "" {
		t.Errorf("the passkey is set up; the page says:\n%s", p.Text())
	}
	p.Click("#keys")
	p.WaitFor("location.pathname === '/passkeys'")
}
