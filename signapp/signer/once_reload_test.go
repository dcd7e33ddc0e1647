package signer_test

import (
	"fmt"
	"testing"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

// otherKey has the relay offer another key of the signer's for signature, in its own claims
// and in a request that the SAM signed.
func (f *fake) otherKey(key string) {
	f.lie.request = resign(f, func(r *sap.ActivationRequest) { r.Bind.Key = key })
	f.lie.view = func(v map[string]any) {
		if v["key"] != "" {
			v["key"] = key
		}
	}
}

// KEY-10, T8: the page begins again between the approval of the key and its use. What was
// approved is compared all the same: the same key signs, another one is stopped, whether
// one-time or long-term, and so are other rules and another name.
func TestKEY10ReloadBetweenTheApprovals(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	for name, c := range map[string]struct {
		code string
		lie  func()
	}{
		"the same key":              {"", func() {}},
		"another one-time key":      {"binding", func() { f.otherKey("o-other") }},
		"a long-term key":           {"binding", func() { f.otherKey("key-0001") }},
		"the same key, other rules": {"binding", func() { f.lie.request = resign(f, func(r *sap.ActivationRequest) { r.Bind.Policy = "bulk" }) }},
		"asked for by another":      {"binding", func() { f.lie.request = resign(f, func(r *sap.ActivationRequest) { r.Bind.Caller = "ssad-2" }) }},
	} {
		f.set(func() { f.lie = lies{} })
		_, link := f.addOnce("lease.pdf")
		p.Go(link)
		p.WaitFor(canMake)
		p.Click("#make")
		p.WaitFor(canSign)
		f.set(c.lie)
		p.Reload()
		if c.code != "" {
			p.WaitFor("document.querySelector('#stop')")
			if got := browsertest.Eval[string](p, "document.querySelector('#stop').dataset.code"); got != c.code {
				t.Errorf("%s: %s, want %s", name, got, c.code)
			}
			if gets, _ := p.Ceremonies(); gets != 0 { // the page begins to count anew
				t.Errorf("%s: the passkey was asked", name)
			}
			continue
		}
		p.WaitFor(canSign)
		p.WaitText("3 pages, shown now")
		p.Click("#sign")
		p.WaitFor("document.querySelector('#signed')")
	}
	if f.uses() != 1 || f.made() != 5 {
		t.Errorf("%d signatures, %d keys", f.uses(), f.made())
	}
}

// KEY-10: where this tab does not know what was approved (another tab, cleared storage, an
// entry that is no offer), the key that is there is given up and another is approved; it is
// never used unseen. An offer put in the place of the approved one is of another key.
func TestKEY10ReloadWithoutTheApproval(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	const each = "(() => { for (const k of Object.keys(sessionStorage).filter((k) => k.startsWith('assent-once'))) %s; return true })()"
	for name, script := range map[string]string{
		"nothing kept": "sessionStorage.removeItem(k)",
		"no offer":     "sessionStorage.setItem(k, '{\"statement\":1}')",
	} {
		f.set(func() { f.lie = lies{} })
		o, link := f.addOnce("lease.pdf")
		p.Go(link)
		p.WaitFor(canMake)
		p.Click("#make")
		p.WaitFor(canSign)
		made, used := f.made(), f.uses()
		browsertest.Eval[bool](p, fmt.Sprintf(each, script))
		p.Reload()
		p.WaitFor(canMake)
		if f.made() != made || f.uses() != used {
			t.Errorf("%s: %d keys, %d signatures", name, f.made(), f.uses())
		}
		f.set(func() {
			if o.ended != 1 || !o.keyless {
				t.Errorf("%s: %d keys ended", name, o.ended)
			}
		})
		p.Click("#make")
		p.WaitFor(canSign)
		p.WaitText("3 pages, shown now")
		p.Click("#sign")
		p.WaitFor("document.querySelector('#signed')")
		if f.made() != made+1 || f.uses() != used+1 {
			t.Errorf("%s: %d keys, %d signatures", name, f.made(), f.uses())
		}
	}
	// The claims name a long-term key, the SAM's request the one-time key; and claims that
	// a key has ended while it has not.
	used := f.uses()
	for name, c := range map[string]struct {
		code string
		lie  func()
	}{
		"claimed to be a long-term key": {"binding", func() {
			f.lie.view = func(v map[string]any) { v["key"] = "key-0001" }
		}},
		"claimed by both, with a request of the SAM": {"binding", func() {
			f.lie.request = resign(f, func(r *sap.ActivationRequest) { r.Bind.Key = "o-other" })
			f.lie.view = func(v map[string]any) { v["key"] = "key-0001" }
		}},
		"a key that did not end": {"view", func() {
			f.lie.view = func(v map[string]any) { v["one_time"], v["key"] = false, "o-x" }
		}},
	} {
		f.set(func() { f.lie = lies{} })
		_, link := f.addOnce("lease.pdf")
		p.Go(link)
		p.WaitFor(canMake)
		p.Click("#make")
		p.WaitFor(canSign)
		browsertest.Eval[bool](p, fmt.Sprintf(each, "sessionStorage.removeItem(k)"))
		f.set(c.lie)
		p.Reload()
		p.WaitFor("document.querySelector('#stop')")
		if got := browsertest.Eval[string](p, "document.querySelector('#stop').dataset.code"); got != c.code {
			t.Errorf("%s: %s, want %s", name, got, c.code)
		}
	}
	if f.uses() != used {
		t.Errorf("%d signatures", f.uses()-used)
	}
}
