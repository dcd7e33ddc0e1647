package sam_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// ENR-01: who has not been proofed has no record, and who has no record gets no
// enrolment and no key. The reference of the proofing is in the audit chain before
// anything that follows from it.
func TestENR01ProofingComesFirst(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	w.NewSigner("alice", algo.P256)
	for name, proof := range map[string]string{
		"none": "", "control characters": "file\n7", "direction marks": "file\u202e7", "too long": strings.Repeat("x", sap.MaxText+1),
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, w, sap.ReasonInvalid, func() error {
				_, err := w.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "eve", Name: "Eve", Proof: proof})
				return err
			})
		})
	}
	refused(t, w, sap.ReasonSignerUnknown, func() error { _, err := w.M.OpenEnrolment(ctx, samtest.Officer, "eve"); return err })
	refused(t, w, sap.ReasonSignerUnknown, func() error { _, err := w.M.Generate(ctx, samtest.Officer, "eve", "P-256", ""); return err })
	if _, err := w.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "eve", Name: "Eve", Proof: "file-7"}); err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonState, func() error { _, err := w.M.Generate(ctx, samtest.Officer, "eve", "P-256", ""); return err })
	first := map[string]int{}
	for i, r := range w.Records() {
		if _, ok := first[r.Type]; !ok && (strings.Contains(r.Data, `"signer":"alice"`)) {
			first[r.Type] = i + 1
			if r.Type == sam.EventSigner && !strings.Contains(r.Data, `"proof":"proof-1"`) {
				t.Errorf("the record of the signer names no proofing: %s", r.Data)
			}
		}
	}
	if first[sam.EventSigner] == 0 || first[sam.EventSigner] > first[sam.EventEnrolOpened] || first[sam.EventEnrolOpened] > first[sam.EventKey] {
		t.Errorf("the order of the records is %v", first)
	}
}

// batch is an approval of n items of its own for a request.
func batch(t *testing.T, s *samtest.Signer, req *sap.ActivationRequest, n int, seed string) (sad, proof []byte) {
	t.Helper()
	items := make([]sap.Item, n)
	for i := range items {
		doc := sha256.Sum256([]byte(fmt.Sprint(seed, i)))
		it, err := sap.NewPAdESItem(i, fmt.Sprintf("%s-%d.pdf", seed, i), algo.ES256, doc[:], s.Cert.Raw)
		if err != nil {
			t.Fatal(err)
		}
		items[i] = it
	}
	full, err := s.Device.SAD(req, items)
	if err != nil {
		t.Fatal(err)
	}
	text := loosely(t, full)
	nonce, err := sap.UnB64(req.Bind.Nonce)
	if err != nil {
		t.Fatal(err)
	}
	if proof, err = s.Device.Assert(nonce, text); err != nil {
		t.Fatal(err)
	}
	return text, proof
}

// BLK-03: a batch is taken whole or not at all, within its session and its time,
// and callers in parallel never get more signatures than were approved: eight
// different approvals of one request, each redeemed eight times at once with two
// proofs, make one of them win, with its own digests, once.
func TestBLK03RacesStayWithinTheApproval(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.LockoutLimit = 1000 })
	s := w.NewSigner("alice", algo.P256)
	for round, n := range []int{1, 3, 40, 200} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			req := w.AskFor(samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: n, Policy: "bulk"})
			type try struct{ sad, proof []byte }
			var tries []try
			for i := range 8 {
				for range 2 {
					sad, proof := batch(t, s, req, n, fmt.Sprintf("r%d-%d-", round, i))
					tries = append(tries, try{sad, proof})
				}
			}
			uses, log := w.Token.Uses(), len(w.Token.Log())
			var mu sync.Mutex
			won := map[string]int{}
			var wg sync.WaitGroup
			for range 4 {
				for _, x := range tries {
					wg.Go(func() {
						_, err := w.Redeem(x.sad, x.proof)
						mu.Lock()
						defer mu.Unlock()
						if err == nil {
							won[string(x.sad)]++
						} else if !errors.Is(err, sap.ReasonConsumed) {
							t.Error(err)
						}
					})
				}
			}
			wg.Wait()
			if len(won) != 1 || w.Token.Uses() != uses+1 {
				t.Fatalf("%d approvals won, %d key uses", len(won), w.Token.Uses()-uses)
			}
			if got := len(w.Token.Log()[log].Digests); got != n {
				t.Errorf("%d digests signed, %d approved", got, n)
			}
		})
	}
	t.Run("parts, more, late", func(t *testing.T) {
		for _, n := range []int{2, 4} {
			req := w.AskFor(samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 3, Policy: "bulk"})
			sad, proof := batch(t, s, req, n, "part")
			refused(t, w, sap.ReasonCount, func() error { _, err := w.Redeem(sad, proof); return err })
		}
		req := w.AskFor(samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 3, Policy: "bulk"})
		sad, proof := batch(t, s, req, 3, "late")
		w.Clock.Advance(5 * time.Minute)
		refused(t, w, sap.ReasonExpired, func() error { _, err := w.Redeem(sad, proof); return err })
	})
	w.Check()
}

// BLK-02: through the module: two equal digests, indexes out of order, more items
// than the policy or the protocol allows.
func TestBLK02ListsThatAreRefused(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	for name, c := range map[string]struct {
		want   sap.Reason
		change func(*sap.SAD)
	}{
		"one digest twice": {sap.ReasonDuplicateItem, func(x *sap.SAD) {
			x.Items[2] = x.Items[0]
			x.Items[2].I = 2
		}},
		"one digest twice, other name": {sap.ReasonDuplicateItem, func(x *sap.SAD) {
			x.Items[2] = x.Items[0]
			x.Items[2].I, x.Items[2].Name = 2, "another.pdf"
		}},
		"indexes exchanged": {sap.ReasonCount, func(x *sap.SAD) { x.Items[0].I, x.Items[1].I = 1, 0 }},
		"one missing":       {sap.ReasonCount, func(x *sap.SAD) { x.Items = x.Items[:2] }},
		"one more": {sap.ReasonCount, func(x *sap.SAD) {
			it := x.Items[2]
			it.I, it.Doc, it.DTBSR = 3, otherDigest(), otherDigest()
			x.Items = append(x.Items, it)
		}},
		"none": {sap.ReasonCount, func(x *sap.SAD) { x.Items, x.Bind.N = []sap.Item{}, 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			req := w.Ask(s, 3)
			full, err := s.Device.SAD(req, s.Items(t, req, 3))
			if err != nil {
				t.Fatal(err)
			}
			c.change(full)
			text := loosely(t, full)
			nonce, err := sap.UnB64(req.Bind.Nonce)
			if err != nil {
				t.Fatal(err)
			}
			proof, err := s.Device.Assert(nonce, text)
			if err != nil {
				t.Fatal(err)
			}
			refused(t, w, c.want, func() error { _, err := w.Redeem(text, proof); return err })
		})
	}
	refused(t, w, sap.ReasonTooMany, func() error {
		_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: sap.MaxItems + 1, Policy: "bulk"})
		return err
	})
	w.Check()
}
