package sam_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// failing is an approval that counts as a failed authentication.
func failing(t *testing.T, w *samtest.World, s *samtest.Signer) approval {
	t.Helper()
	bad := *s.Device
	bad.Flags = samtest.UP // UV=0
	thief := *s
	thief.Device = &bad
	return sign(t, w, &thief, 1, nil)
}

func locked(t *testing.T, w *samtest.World, s *samtest.Signer) bool {
	t.Helper()
	v, err := w.M.Signer(context.Background(), samtest.Officer, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	return v.Authenticators[0].Locked
}

// AFL-01, AFL-02: failures count over restarts; at the limit even the right
// approval is refused; the SSPU cannot lift it, an officer can; others are not
// touched.
func TestLockout(t *testing.T) {
	w := samtest.New(t) // limit 3, 15 minutes
	s, other := w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256)
	good, goodProof := w.Approve(s, 1)
	for i := range 3 {
		bad := failing(t, w, s)
		if locked(t, w, s) {
			t.Fatalf("locked after %d failures", i)
		}
		w.Crash()
		refused(t, w, sap.ReasonUserVerified, func() error { _, err := w.Redeem(bad.sad, bad.proof); return err })
	}
	w.Crash()
	if !locked(t, w, s) {
		t.Fatal("not locked at the limit")
	}
	refused(t, w, sap.ReasonLocked, func() error { _, err := w.Redeem(good, goodProof); return err })
	refused(t, w, sap.ReasonLocked, func() error {
		_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
		return err
	})
	if sad, proof := w.Approve(other, 1); !locked(t, w, other) {
		if _, err := w.Redeem(sad, proof); err != nil {
			t.Errorf("another signer: %v", err)
		}
	}
	id := sap.B64(s.Device.ID)
	refused(t, w, sap.ReasonRole, func() error { return w.M.Lift(context.Background(), samtest.SSPU, s.ID, id, "please") })
	refused(t, w, sap.ReasonAuthenticator, func() error { return w.M.Lift(context.Background(), samtest.Officer, other.ID, id, "mixed up") })
	refused(t, w, sap.ReasonInvalid, func() error { return w.M.Lift(context.Background(), samtest.Officer, s.ID, id, "") })
	if err := w.M.Lift(context.Background(), samtest.Officer, s.ID, id, "identity checked on the phone"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Redeem(good, goodProof); err != nil {
		t.Errorf("after lifting: %v", err)
	}
	w.Check()
}

// AFL-02: a lock ends by itself after its time, and the count starts again; with
// a negative time it never does.
func TestLockoutTime(t *testing.T) {
	for name, forever := range map[string]bool{"15 minutes": false, "until lifted": true} {
		t.Run(name, func(t *testing.T) {
			w := samtest.New(t, func(c *sam.Config) {
				if forever {
					c.LockoutTime = -1
				}
			})
			s := w.NewSigner("alice", algo.P256)
			for range 3 {
				bad := failing(t, w, s)
				if _, err := w.Redeem(bad.sad, bad.proof); err == nil {
					t.Fatal("accepted")
				}
			}
			w.Clock.Advance(15*time.Minute - time.Second)
			if !locked(t, w, s) {
				t.Error("lock ended early")
			}
			w.Clock.Advance(time.Second)
			if locked(t, w, s) != forever {
				t.Errorf("locked: %v after its time", !forever)
			}
			if forever {
				w.Clock.Advance(10 * 365 * 24 * time.Hour)
				if !locked(t, w, s) {
					t.Error("lock ended")
				}
				return
			}
			bad := failing(t, w, s)
			if _, err := w.Redeem(bad.sad, bad.proof); err == nil || locked(t, w, s) {
				t.Error("the count did not start again")
			}
		})
	}
}

// AFL-01: an honest approval in between starts the count again (consecutive).
func TestSuccessResetsTheCount(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	for range 4 {
		for range 2 {
			bad := failing(t, w, s)
			if _, err := w.Redeem(bad.sad, bad.proof); err == nil {
				t.Fatal("accepted")
			}
		}
		sad, proof := w.Approve(s, 1)
		if _, err := w.Redeem(sad, proof); err != nil {
			t.Fatal(err)
		}
	}
	w.Check()
}

// AFL-01, T28: many wrong tries at once are all counted.
func TestParallelFailures(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.LockoutLimit = 20 })
	s := w.NewSigner("alice", algo.P256)
	bad := make([]approval, 20)
	for i := range bad {
		bad[i] = failing(t, w, s)
	}
	var wg sync.WaitGroup
	for _, b := range bad {
		wg.Go(func() {
			if _, err := w.Redeem(b.sad, b.proof); err == nil {
				t.Error("accepted")
			}
		})
	}
	wg.Wait()
	if !locked(t, w, s) {
		t.Error("20 parallel failures did not lock")
	}
	w.Check()
}

// T3, ENR-03: a signature counter that does not grow in an approval of a later
// request proves a copy: refused under an event of its own, told to the signer,
// and nothing signs with it until an officer lifts the alarm, whatever the time.
func TestSignatureCounterCopyAlarm(t *testing.T) {
	for name, next := range map[string]uint32{"stands still": 10, "goes back": 9, "goes to nought": 0} {
		t.Run(name, func(t *testing.T) {
			w := samtest.New(t)
			s := w.NewSigner("alice", algo.P256)
			use := func(n uint32) approval {
				s.Device.Count = n
				return sign(t, w, s, 1, nil)
			}
			for _, n := range []uint32{1, 2, 10} {
				a := use(n)
				if _, err := w.Redeem(a.sad, a.proof); err != nil {
					t.Fatalf("count %d: %v", n, err)
				}
			}
			w.Crash()
			a := use(next)
			rec := refused(t, w, sap.ReasonCounter, func() error { _, err := w.Redeem(a.sad, a.proof); return err })
			if rec.Type != sam.EventCopy || !contains(rec.Data, `"locked":true`) {
				t.Errorf("%+v", rec)
			}
			refused(t, w, sap.ReasonConsumed, func() error { _, err := w.Redeem(a.sad, a.proof); return err })
			w.Crash()
			w.Clock.Advance(365 * 24 * time.Hour / 2)
			if !locked(t, w, s) {
				t.Error("the alarm ended by itself")
			}
			refused(t, w, sap.ReasonLocked, func() error {
				_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
				return err
			})
			if err := w.M.Lift(context.Background(), samtest.Officer, s.ID, sap.B64(s.Device.ID), "device was repaired"); err != nil {
				t.Fatal(err)
			}
			last := w.Records()[len(w.Records())-1]
			if last.Type != sam.EventLifted || !contains(last.Data, `"alarm":"copy"`) {
				t.Errorf("%+v", last)
			}
			a = use(11)
			if _, err := w.Redeem(a.sad, a.proof); err != nil {
				t.Error(err)
			}
			w.Check()
		})
	}
}

// T27: the signing application holds a genuine approval back and hands it in
// after a later one. It is refused, but it is no proof of a copy: who only relays
// cannot raise the alarm.
func TestSignatureCounterOutOfOrderIsNoAlarm(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	s.Device.Count = 1
	held := sign(t, w, s, 1, nil)
	s.Device.Count = 2
	later := sign(t, w, s, 1, nil)
	if _, err := w.Redeem(later.sad, later.proof); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		rec := refused(t, w, sap.ReasonCounter, func() error { _, err := w.Redeem(held.sad, held.proof); return err })
		if rec.Type == sam.EventCopy || contains(rec.Data, `"failures"`) {
			t.Fatalf("%+v", rec)
		}
	}
	s.Device.Count = 3
	a := sign(t, w, s, 1, nil)
	if _, err := w.Redeem(a.sad, a.proof); err != nil {
		t.Error(err)
	}
}
