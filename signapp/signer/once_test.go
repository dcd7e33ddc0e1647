package signer_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

const canMake = "document.querySelector('#make')?.getAttribute('aria-disabled') !== 'true' && !!document.querySelector('#make')"

// made counts one-time keys.
func (f *fake) made() (n int) {
	f.set(func() { n = f.keysMade })
	return n
}

// KEY-10, SAP-08: a signer without a certificate sees in whose name, from whom and for how
// long one is made, approves that with the passkey, reads the documents, and approves the
// signature with the passkey again. Nothing exists before the first approval, nothing is
// signed before the second.
func TestKEY10SignWithAOneTimeKeyInBrowser(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	p.Viewport(1280, 900, false)
	_, link := f.addOnce("lease.pdf", "annex.pdf")
	p.Go(link)
	p.WaitFor(canMake)
	for _, want := range []string{"A certificate for this one signature", "Example Lettings Ltd", "900 € a month", "lease.pdf", "annex.pdf", "Anna Example (passport 7)",
		"demo-ca", "standard", "lives 10 minutes, signs once and is then destroyed", "This approval signs nothing.", "Make the certificate for Anna Example", "Do not sign"} {
		if !strings.Contains(p.Text(), want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	p.Screenshot("once-1280")
	if f.made() != 0 || f.uses() != 0 {
		t.Error("a key or a signature before the approval")
	}
	p.Click("#make")
	p.WaitFor(canSign)
	if f.made() != 1 || f.uses() != 0 {
		t.Errorf("%d keys, %d signatures before the second approval", f.made(), f.uses())
	}
	p.WaitText("Assent DEMO Issuing CA")
	p.WaitText("3 pages, not opened yet") // the page stands still: a click hits what it aims at
	p.Click("#sign")
	p.WaitFor("document.querySelector('#signed')")
	threeEqual(t, p, 2)
	if gets, _ := p.Ceremonies(); gets != 2 || f.made() != 1 || f.uses() != 2 {
		t.Errorf("%d approvals, %d keys, %d signatures", gets, f.made(), f.uses())
	}
	clean(t, p)
}

// KEY-10: no to the certificate is no to the request; a closed dialog and an authenticator
// that did not verify the user make no key; a lost answer is asked for again and makes one.
func TestKEY10NoKeyWithoutApproval(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	o, link := f.addOnce("lease.pdf")
	p.Go(link)
	p.WaitFor(canMake)
	p.Authenticator().UserVerified(false)
	p.Click("#make")
	p.WaitText("The passkey dialog was closed")
	p.Authenticator().UserVerified(true)
	p.Authenticator().LieAboutUV(true)
	p.WaitFor(canMake)
	p.Click("#make")
	p.WaitText("The signing module refused. There is no key")
	p.Authenticator().LieAboutUV(false)
	if f.made() != 0 {
		t.Errorf("%d keys without an approval", f.made())
	}
	lost, down := 0, true
	f.set(func() { f.lie = lies{onceSend: f.losing(t, &lost, func(int) bool { return down })} })
	p.Click("#again")
	p.WaitFor(canMake)
	p.Click("#make")
	p.WaitText("It makes one key only.")
	f.set(func() { down = false })
	p.Click("#send-again")
	p.WaitFor(canSign)
	if f.made() != 1 {
		t.Errorf("%d keys", f.made())
	}
	o, link = f.addOnce("lease.pdf")
	p.Go(link)
	p.WaitFor(canMake)
	p.Click("#decline")
	p.WaitText("You did not sign")
	f.set(func() {
		if o.state != "declined" || f.keysMade != 1 || f.signatures != 0 {
			t.Errorf("state %s, %d keys, %d signatures", o.state, f.keysMade, f.signatures)
		}
	})
}

// KEY-10: an answer that got lost, and a refusal when the approval is sent again: there may be a key, and the page does not say that there is none.
func TestKEY10LostAnswerAndARefusal(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	o, link := f.addOnce("lease.pdf")
	lost := 0
	lose := f.losing(t, &lost, func(n int) bool { return n < 1 })
	f.set(func() {
		f.lie = lies{onceSend: func(w http.ResponseWriter, do func()) bool {
			if lose(w, do) {
				o.state = "declined" // what is sent again is refused
				return true
			}
			return false
		}}
	})
	p.Go(link)
	p.WaitFor(canMake)
	p.Click("#make")
	p.WaitText("it was sent before and may have counted then")
	if f.made() != 1 || strings.Contains(p.Text(), "There is no key") {
		t.Errorf("%d keys; the page says:\n%s", f.made(), p.Text())
	}
}

// withMore names further files under the signature of the first item.
func withMore(names ...string) func(map[string]any) {
	return func(v map[string]any) { firstItem(v)["more"] = names }
}

// KEY-10, SGN-04, T5: an offer that the SAM did not make, or made for somebody or
// something else, stops the page before the passkey; so does a certificate in another name
// than the approved one and a request for another policy, before anything is signed.
func TestKEY10LyingOfferIsStopped(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	evil := newKey(t)
	change := func(c func(*sap.OneTimeRequest)) lies { return lies{once: c} }
	for name, c := range map[string]struct {
		code string
		lie  lies
	}{
		"not signed by the SAM": {"request", lies{onceRaw: func(s *sap.Signed) {
			text, _ := sap.UnB64(s.Statement)
			sig, _ := sap.Sign(evil, sap.LabelOneTime, text)
			s.Signature = sap.B64(sig)
		}}},
		"signed for another purpose": {"request", lies{onceRaw: func(s *sap.Signed) {
			text, _ := sap.UnB64(s.Statement)
			sig, _ := sap.Sign(f.sam, sap.LabelActivationRequest, text)
			s.Signature = sap.B64(sig)
		}}},
		"a life of a day":        {"request", change(func(r *sap.OneTimeRequest) { r.Life = 86400 })},
		"a name that misleads":   {"request", change(func(r *sap.OneTimeRequest) { r.Subject = sap.B64(commonNameDER("Anna\u202eelpmaxE")) })},
		"no name":                {"request", change(func(r *sap.OneTimeRequest) { r.Subject = "MAA" })},
		"for another signer":     {"binding", change(func(r *sap.OneTimeRequest) { r.Signer = "ben" })},
		"of another SAM's epoch": {"binding", change(func(r *sap.OneTimeRequest) { r.Audience = "demo#2" })},
		"for another place":      {"binding", change(func(r *sap.OneTimeRequest) { r.Origin = "https://evil.example" })},
		"for another rpId":       {"binding", change(func(r *sap.OneTimeRequest) { r.RPID = "evil.example" })},
		"another carrier":        {"binding", change(func(r *sap.OneTimeRequest) { r.Carrier = "devicekey" })},
		"an asker nobody reads":  {"view", lies{view: func(v map[string]any) { v["asker"] = "Bank\u202e" }}},
		"a file nobody reads":    {"view", lies{view: withMore("a\u202efdp.txt")}},
		"a file without a name":  {"view", lies{view: withMore("b.txt", "")}},
	} {
		_, link := f.addOnce("lease.pdf")
		f.set(func() { f.lie = c.lie })
		before, _ := p.Ceremonies()
		p.Go(link)
		p.WaitFor("document.querySelector('#stop')")
		if got := browsertest.Eval[string](p, "document.querySelector('#stop').dataset.code"); got != c.code {
			t.Errorf("%s: %s, want %s", name, got, c.code)
		}
		if gets, _ := p.Ceremonies(); gets != before {
			t.Errorf("%s: the passkey was asked", name)
		}
	}
	if f.made() != 0 {
		t.Errorf("%d keys", f.made())
	}
	for name, c := range map[string]struct {
		code string
		lie  func()
	}{
		"a certificate in another name": {"certificate", func() { f.onceName = "Mallory" }},
		"a request under other rules": {"binding", func() {
			f.lie.request = resign(f, func(r *sap.ActivationRequest) { r.Bind.Policy = "bulk" })
		}},
		"another key": {"binding", func() {
			f.lie.request = resign(f, func(r *sap.ActivationRequest) { r.Bind.Key = "key-0001" })
			f.lie.view = func(v map[string]any) {
				if v["key"] != "" {
					v["key"] = "key-0001"
				}
			}
		}},
	} {
		_, link := f.addOnce("lease.pdf")
		f.set(func() { f.lie, f.onceName = lies{}, "Anna Example"; c.lie() })
		p.Go(link)
		p.WaitFor(canMake)
		p.Click("#make")
		p.WaitFor("document.querySelector('#stop')")
		if got := browsertest.Eval[string](p, "document.querySelector('#stop').dataset.code"); got != c.code {
			t.Errorf("%s: %s, want %s", name, got, c.code)
		}
	}
	if f.uses() != 0 {
		t.Errorf("%d signatures", f.uses())
	}
}
