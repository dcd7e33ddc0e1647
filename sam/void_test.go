package sam_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// KPR-07, SGN-05: every approval that was asked for before a key was put on hold is worth nothing when the hold is lifted, also
// of the sessions beyond the bound of today: those of before the bound was lowered.
func TestKPR07EverySessionOfBeforeTheHoldIsVoid(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.OpenSessions = 12 })
	s := w.NewSigner("alice", algo.P256)
	type approval struct{ sad, proof []byte }
	var all []approval
	for range 12 {
		sad, proof := w.Approve(s, 1)
		all = append(all, approval{sad, proof})
	}
	w.Stop()
	w.Cfg.OpenSessions = 3
	if err := w.OpenAccepted(); err != nil {
		t.Fatal(err)
	}
	for _, status := range []string{sam.StatusOnHold, sam.StatusGood} {
		if _, err := w.M.SetCertificateStatus(context.Background(), samtest.Officer, s.Key, status, "asked the signer"); err != nil {
			t.Fatal(err)
		}
	}
	uses := w.Token.Uses()
	for i, a := range all {
		if _, err := w.Redeem(a.sad, a.proof); !errors.Is(err, sap.ReasonKeyState) {
			t.Errorf("approval %d of before the hold: %v", i, err)
		}
	}
	if n := w.Token.Uses() - uses; n != 0 {
		t.Errorf("%d key uses", n)
	}
	w.Check()
}

// AFL-04: requests side by side do not come to more than the bound either.
func TestAFL04ParallelRequestsStayWithinTheBound(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.OpenSessions = 3 })
	s := w.NewSigner("alice", algo.P256)
	var (
		wg    sync.WaitGroup
		given atomic.Int64
	)
	for range 40 {
		wg.Go(func() {
			_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
			if err == nil {
				given.Add(1)
			} else if !errors.Is(err, sap.ReasonTooMany) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := given.Load(); n != 3 {
		t.Errorf("%d open requests, the bound is 3", n)
	}
}
