package sam_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// approveBatch is an approval of n items under a policy.
func approveBatch(t *testing.T, w *samtest.World, s *samtest.Signer, policy string, n int) (sad, proof []byte) {
	t.Helper()
	req := w.AskFor(samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: n, Policy: policy})
	full, err := s.Device.SAD(req, s.Items(t, req, n))
	if err != nil {
		t.Fatal(err)
	}
	if sad, proof, err = s.Device.Sign(full); err != nil {
		t.Fatal(err)
	}
	return sad, proof
}

// BLK-01: batches are off under a policy with max_items 1: a request for two is
// refused, and so is a SAD that brings two under such a policy.
func TestBLK01SwitchedOffByPolicy(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	refused(t, w, sap.ReasonTooMany, func() error {
		_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 2, Policy: sam.PolicyQualified})
		return err
	})
	req := w.AskFor(samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1, Policy: sam.PolicyQualified})
	full, err := s.Device.SAD(req, s.Items(t, req, 2))
	if err != nil {
		t.Fatal(err)
	}
	full.Bind.N = 2
	sad, proof, err := s.Device.Sign(full)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonBinding, func() error { _, err := w.Redeem(sad, proof); return err })
	if _, err := w.Redeem(approveBatch(t, w, s, sam.PolicyQualified, 1)); err != nil {
		t.Errorf("one is allowed: %v", err)
	}
}

// BLK-02: the list is ordered, its length is the announced one, no digest occurs
// twice, and no policy lifts the cap of 1,000.
func TestBLK02ListIsExact(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	// The device's encoder refuses the same; so the text is composed around it.
	send := func(change func(*sap.SAD)) func() error {
		req := w.AskFor(samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 3})
		full, err := s.Device.SAD(req, s.Items(t, req, 3))
		if err != nil {
			t.Fatal(err)
		}
		change(full)
		text, err := jcs.Marshal(full)
		if err != nil {
			t.Fatal(err)
		}
		nonce, err := sap.UnB64(full.Bind.Nonce)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := s.Device.Assert(nonce, text)
		if err != nil {
			t.Fatal(err)
		}
		return func() error { _, err := w.Redeem(text, proof); return err }
	}
	for name, c := range map[string]struct {
		want   sap.Reason
		change func(*sap.SAD)
	}{
		"one item less":         {sap.ReasonCount, func(a *sap.SAD) { a.Items = a.Items[:2] }},
		"one item more":         {sap.ReasonCount, func(a *sap.SAD) { it := a.Items[0]; it.I = 3; a.Items = append(a.Items, it) }},
		"no items":              {sap.ReasonCount, func(a *sap.SAD) { a.Items = []sap.Item{} }},
		"other order":           {sap.ReasonCount, func(a *sap.SAD) { a.Items[0], a.Items[1] = a.Items[1], a.Items[0] }},
		"an index twice":        {sap.ReasonCount, func(a *sap.SAD) { a.Items[1].I = 0 }},
		"negative index":        {sap.ReasonCount, func(a *sap.SAD) { a.Items[0].I = -1 }},
		"the same digest twice": {sap.ReasonDuplicateItem, func(a *sap.SAD) { a.Items[2].Doc, a.Items[2].DTBSR = a.Items[0].Doc, a.Items[0].DTBSR }},
	} {
		t.Run(name, func(t *testing.T) { refused(t, w, c.want, send(c.change)) })
	}
	for _, n := range []int{0, -1, 11, 1001, 1 << 30} {
		err := func() error {
			_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: n})
			return err
		}()
		if !errors.Is(err, sap.ReasonCount) && !errors.Is(err, sap.ReasonTooMany) {
			t.Errorf("n=%d: %v", n, err)
		}
	}
	cfg := w.Cfg
	cfg.Policies = []sam.Policy{{ID: "huge", MaxItems: 1001, Lifetime: time.Minute}}
	cfg.Store = &nopStore{}
	if _, err := sam.Open(context.Background(), cfg); !errors.Is(err, sam.ErrConfig) {
		t.Errorf("a policy of 1,001 items: %v", err)
	}
}

// BLK-03: callers that race for one approval of n items get exactly n signatures
// in all, whatever they send: the same bytes share one answer, others are refused.
func TestBLK03ParallelCallersNeverExceedTheTotal(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	const n, callers = 5, 24
	for round := range 3 {
		req := w.Ask(s, n)
		approvals := make([][2][]byte, 4) // four different SADs of one session
		for i := range approvals {
			full, err := s.Device.SAD(req, s.Items(t, req, n))
			if err != nil {
				t.Fatal(err)
			}
			full.Ctx.Operation = "op-" + string(rune('a'+i))
			sad, proof, err := s.Device.Sign(full)
			if err != nil {
				t.Fatal(err)
			}
			approvals[i] = [2][]byte{sad, proof}
		}
		before := len(w.Token.Log())
		answers := make([][]byte, callers)
		var wg sync.WaitGroup
		for i := range callers {
			wg.Add(1)
			go func() {
				defer wg.Done()
				a := approvals[i%len(approvals)]
				answers[i], _ = w.Redeem(a[0], a[1])
			}()
		}
		wg.Wait()
		signed := 0
		for _, u := range w.Token.Log()[before:] {
			signed += len(u.Digests)
		}
		if signed != n {
			t.Errorf("round %d: %d signatures of %d approved", round, signed, n)
		}
		winner := ""
		for i, a := range answers {
			switch {
			case a == nil:
			case winner == "":
				winner = string(a)
			case winner != string(a):
				t.Errorf("round %d: caller %d got another answer", round, i)
			}
		}
		if winner == "" {
			t.Errorf("round %d: nobody got the signatures", round)
		}
	}
	w.Check()
}

// BLK-03: a batch is reserved whole or not at all; when the token fails in the
// middle, no signature is released and no slot is left.
func TestBLK03AllOrNone(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want sap.Reason
	}{
		"not begun":     {cryptotoken.NotStarted(errors.New("busy")), sap.ReasonReleased},
		"in the middle": {nil, sap.ReasonBurnt},
	} {
		t.Run(name, func(t *testing.T) {
			w := samtest.New(t)
			s := w.NewSigner("alice", algo.P256)
			sad, proof := w.Approve(s, 7)
			if c.err != nil {
				w.Token.FailBefore(c.err)
			} else {
				w.Token.FailAfter(errors.New("died after some"))
			}
			if _, err := w.Redeem(sad, proof); err == nil {
				t.Fatal("signed")
			}
			w.Token.FailBefore(nil)
			w.Token.FailAfter(nil)
			refused(t, w, c.want, func() error { _, err := w.Redeem(sad, proof); return err })
			w.Check()
		})
	}
}

// BLK-02, I9: the largest batch, 1,000 items, goes the whole way within the
// message bounds; its memory stays a small multiple of what is sent.
func TestBLK02ThousandItems(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	sad, proof := approveBatch(t, w, s, "bulk", sap.MaxItems)
	if len(sad) > jcs.MaxSize {
		t.Fatalf("a SAD of %d octets exceeds the bound of %d", len(sad), jcs.MaxSize)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	answer, err := w.Redeem(sad, proof)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	a, r := w.Decode(answer)
	if len(a.Signatures) != sap.MaxItems || len(r.Items) != sap.MaxItems {
		t.Errorf("%d signatures, %d items in the receipt", len(a.Signatures), len(r.Items))
	}
	used := after.TotalAlloc - before.TotalAlloc
	t.Logf("SAD of %d octets, answer of %d, %d octets allocated", len(sad), len(answer), used)
	if used > 64<<20 {
		t.Errorf("%d octets were allocated", used)
	}
	w.Check()
}
