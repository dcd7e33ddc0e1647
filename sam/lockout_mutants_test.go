package sam_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// AFL-01: an approval of a one-time key moves the counter like one of a signature: an
// answer that was on its way meanwhile came late and proves no copy; one to a request
// of afterwards does.
func TestAFL01LateAnswerBesideAOneTimeKey(t *testing.T) {
	for _, late := range []bool{true, false} {
		o := newOnceWorld(t)
		o.NewKey(o.alice, algo.P256)
		plain := *o.alice
		o.alice.Device.Count = 10
		if _, err := o.Redeem(o.Approve(&plain, 1)); err != nil {
			t.Fatal(err)
		}
		var req *sap.ActivationRequest
		if late {
			req = o.Ask(&plain, 1)
		}
		o.alice.Device.Count = 20
		statement, proof := o.ask()
		if _, err := o.approve(statement, proof); err != nil {
			t.Fatal(err)
		}
		if !late {
			req = o.Ask(&plain, 1)
		}
		full, err := plain.Device.SAD(req, plain.Items(t, req, 1))
		if err != nil {
			t.Fatal(err)
		}
		plain.Device.Count = 15
		sad, sadProof, err := plain.Device.Sign(full)
		if err != nil {
			t.Fatal(err)
		}
		rec := refused(t, o.World, sap.ReasonCounter, func() error { _, err := o.Redeem(sad, sadProof); return err })
		if alarm := rec.Type == sam.EventCopy; alarm == late {
			t.Errorf("late %v: %+v", late, rec)
		}
		plain.Device.Count = 30
		if _, err := o.Redeem(o.tryApprove(&plain)); (err == nil) != late {
			t.Errorf("late %v: afterwards: %v", late, err)
		}
	}
}

// tryApprove is Approve for an authenticator that may be locked: then there is no
// request, and what is redeemed is nothing.
func (o *onceWorld) tryApprove(s *samtest.Signer) (sad, proof []byte) {
	_, err := o.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
	if errors.Is(err, sap.ReasonLocked) {
		return nil, nil
	}
	return o.Approve(s, 1)
}

// AFL-01, AUD-06, ENR-04: the alarm of a copied authenticator locks it and tells the
// signer, in one transaction: when any call of the store fails, neither happened, and
// when both did, both are there.
func TestAFL01AlarmWhenTheStoreFails(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	db := dba(t, w)
	s.Device.Count = 100
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Fatal(err)
	}
	s.Device.Count = 50
	sad, proof := w.Approve(s, 1)
	ctx := samtest.Faulty(context.Background())
	for n := 0; ; n++ {
		w.Store.Faults.Arm(n)
		_, err := w.M.Redeem(ctx, samtest.SSPU, sad, proof, []byte("[]"))
		hit := w.Store.Faults.Disarm()
		var alarms, notices int
		if err := db.QueryRow("SELECT (SELECT count(*) FROM guard WHERE alarm <> ''), (SELECT count(*) FROM notice)").Scan(&alarms, &notices); err != nil {
			t.Fatal(err)
		}
		done := errors.Is(err, sap.ReasonCounter) && !errors.Is(err, sap.ReasonStore)
		if !done && !errors.Is(err, sap.ReasonStore) {
			t.Fatalf("call %d (%s) failed: %v", n, hit, err)
		}
		if want := map[bool]int{true: 1}[done]; alarms != want || notices != want {
			t.Fatalf("call %d (%s) failed: %d alarms, %d notices, told %v", n, hit, alarms, notices, err)
		}
		if !done {
			continue
		}
		// Both are the module's own: sealed, and the alarm can be lifted.
		if list := w.List("alice", 0); kinds(list) != sam.NoticeAlarm {
			t.Errorf("notices %s", kinds(list))
		}
		if err := w.M.Lift(context.Background(), samtest.Officer, "alice", sap.B64(s.Device.ID), "found to be none"); err != nil {
			t.Error(err)
		}
		return
	}
}

// AFL-01: how failures become a lock: the limit exactly, for its time exactly, for ever
// when no time is configured; a lock that ran out begins a new row.
func TestAFL01LocksAtTheirBounds(t *testing.T) {
	for _, life := range []time.Duration{0, time.Minute} {
		w := samtest.New(t, func(c *sam.Config) { c.LockoutLimit, c.LockoutTime = 2, life })
		s := w.NewSigner("alice", algo.P256)
		fail := func() {
			t.Helper()
			s.Device.Flags = samtest.UP
			sad, proof := w.Approve(s, 1)
			s.Device.Flags = samtest.UP | samtest.UV
			refused(t, w, sap.ReasonUserVerified, func() error { _, err := w.Redeem(sad, proof); return err })
		}
		ask := func() error {
			_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
			return err
		}
		fail()
		if err := ask(); err != nil {
			t.Errorf("%v: one failure of two: %v", life, err)
		}
		fail()
		if err := ask(); !errors.Is(err, sap.ReasonLocked) {
			t.Errorf("%v: two failures of two: %v", life, err)
		}
		w.Clock.Advance(59 * time.Second)
		if err := ask(); !errors.Is(err, sap.ReasonLocked) {
			t.Errorf("%v: in the last second: %v", life, err)
		}
		w.Clock.Advance(time.Second)
		if err := ask(); errors.Is(err, sap.ReasonLocked) != (life == 0) {
			t.Errorf("%v: a minute later: %v", life, err)
		}
		if life == 0 {
			w.Clock.Advance(100 * 365 * 24 * time.Hour)
			if err := w.M.Lift(context.Background(), samtest.Officer, "", sap.B64(s.Device.ID), "asked"); !errors.Is(err, sap.ReasonInvalid) {
				t.Errorf("nobody's lock: %v", err)
			}
			continue
		}
		fail() // the first of a new row
		if err := ask(); err != nil {
			t.Errorf("one failure after the lock: %v", err)
		}
	}
}
