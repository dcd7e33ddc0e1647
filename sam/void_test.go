package sam_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
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

// FPT-04, FPT-03: an approval that was given before the module was closed is not used after it is open again, also where its
// redemption was on the way meanwhile, before the reservation or behind it.
func TestFPT04NoUseAcrossAClosing(t *testing.T) {
	for _, step := range []sam.Step{sam.StepVerified, sam.StepReserved} {
		t.Run(fmt.Sprint(step), func(t *testing.T) {
			var meanwhile func()
			w := samtest.New(t, func(c *sam.Config) {
				c.Hook = func(s sam.Step) {
					if f := meanwhile; s == step && f != nil {
						meanwhile = nil
						f()
					}
				}
			})
			s := w.NewSigner("alice", algo.P256)
			sad, proof := w.Approve(s, 1)
			meanwhile = func() {
				w.Token.FailProbe(fmt.Errorf("%w: case opened", cryptotoken.ErrTamper))
				if _, err := w.M.SelfTest(context.Background(), samtest.Officer); err != nil {
					t.Error(err)
				}
				w.Token.FailProbe(nil)
				reopen(t, w)
			}
			uses := w.Token.Uses()
			if _, err := w.Redeem(sad, proof); err == nil {
				t.Error("signed across a closing")
			}
			if n := w.Token.Uses() - uses; n != 0 {
				t.Errorf("%d key uses", n)
			}
			if _, err := w.Redeem(sad, proof); err == nil {
				t.Error("signed at the second try")
			}
			sad, proof = w.Approve(s, 1)
			if _, err := w.Redeem(sad, proof); err != nil {
				t.Errorf("what was approved afterwards: %v", err)
			}
			w.Check()
		})
	}
}

// FPT-04: what a signer approved before the module was closed, a one-time key or another authenticator, is not made after it is
// open again: it is offered and approved anew.
func TestFPT04ApprovalsOfBeforeMakeNothing(t *testing.T) {
	o := newOnceWorld(t)
	statement, proof := o.ask()
	fresh := samtest.NewDevice(samtest.Origin, samtest.RPID)
	signed, offer := o.Offer("alice", sap.ActionAdd, nil)
	answer, err := o.alice.Device.Change(o.StatementKey(), signed, fresh)
	if err != nil {
		t.Fatal(err)
	}
	shutKeeper(t, o)
	reopen(t, o.World)
	refused(t, o.World, sap.ReasonConsumed, func() error { _, err := o.approve(statement, proof); return err })
	if o.keys.made() != 0 || o.ca.Calls() != 0 {
		t.Errorf("%d keys, %d certificates", o.keys.made(), o.ca.Calls())
	}
	refused(t, o.World, sap.ReasonEnrolment, func() error { _, err := o.Finish(offer.ID, answer); return err })
	if _, err := o.Add("alice", o.alice.Device, fresh); err != nil {
		t.Errorf("another authenticator, offered anew: %v", err)
	}
	if _, err := o.approve(o.ask()); err != nil {
		t.Errorf("a one-time key, offered anew: %v", err)
	}
	o.Check()
}
