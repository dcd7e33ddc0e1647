package sam_test

import (
	"context"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// AUD-01, FPT-05, ENR-04, ENR-06: whichever single call of the store fails while
// authenticators are changed or recovered, the act fails and says so, and can be done
// afterwards: an authenticator never comes without its notice, nor with keys that are
// bound to those of before.
func TestENR06AnyCallOfTheStoreFailsInAChange(t *testing.T) {
	o := newOnceWorld(t)
	o.NewKey(o.alice, algo.P256)
	for _, a := range changes(o) {
		t.Run(a.name, func(t *testing.T) {
			if calls := failEach(t, o.World, a); calls == 0 {
				t.Error("no call of the store was made to fail: the test does not see the act")
			}
		})
	}
	list := o.List("alice", 0)
	want := sam.NoticeAdded + " " + sam.NoticeRemoved + " " + sam.NoticeLost + " " + sam.NoticeProofing + " " + sam.NoticeAdded
	if got := kinds(list); got != want || len(list.Authenticators) != 1 {
		t.Errorf("notices %s, want %s; %d authenticators", got, want, len(list.Authenticators))
	}
	o.Check()
}

// changes are the acts of one signer's authenticators, each after the one before.
func changes(o *onceWorld) []step {
	ctx := samtest.Faulty(context.Background())
	added, last := newDevice(), newDevice()
	var id, code string
	need := func(err error) {
		o.T.Helper()
		if err != nil {
			o.T.Fatal(err)
		}
	}
	finish := func(action string, fresh, target *samtest.Device) func() func() error {
		return func() func() error {
			signed, req := o.Offer("alice", action, target)
			answer, err := o.alice.Device.Change(o.StatementKey(), signed, fresh)
			need(err)
			text, err := jcs.Marshal(answer)
			need(err)
			return func() error { _, err := o.M.FinishChange(ctx, samtest.SSPU, req.ID, text); return err }
		}
	}
	half := func(c sam.Caller) func() func() error {
		return func() func() error {
			return func() error {
				h, err := o.M.GiveHalf(ctx, c, "alice")
				if err == nil {
					id, code = h.ID, code+h.Half
				}
				return err
			}
		}
	}
	return []step{
		{name: "offer", begin: func() func() error {
			o.Clock.Advance(11 * time.Minute)
			return func() error {
				_, err := o.M.BeginChange(ctx, samtest.SSPU, sam.AskChange{Signer: "alice", Action: sap.ActionAdd})
				return err
			}
		}},
		{name: "add", begin: finish(sap.ActionAdd, added, nil)},
		{name: "remove", begin: finish(sap.ActionRemove, nil, added)},
		{name: "list", begin: func() func() error {
			return func() error {
				_, err := o.M.Authenticators(ctx, samtest.SSPU, sam.AskList{Signer: "alice", Nonce: sap.B64(make([]byte, sap.NonceLen))})
				return err
			}
		}},
		{name: "lose", begin: func() func() error {
			o.Clock.Advance(11 * time.Minute)
			need(o.M.EndOneTime(context.Background()))
			o.key() // it ends with the authenticator
			return func() error {
				return o.M.RevokeAuthenticator(ctx, samtest.Officer, "alice", sap.B64(o.alice.Device.ID), "lost")
			}
		}},
		{name: "decide a recovery", repaired: true, begin: func() func() error {
			p, err := o.M.Propose(context.Background(), samtest.Officer, sam.DecideRecovery, o.Args(reproofed))
			need(err)
			return func() error { _, err := o.M.Approve(ctx, samtest.Second, p.ID); return err }
		}},
		{name: "first half", begin: half(samtest.Officer)},
		{name: "second half", begin: half(samtest.Second)},
		{name: "enrol", begin: func() func() error {
			req, err := o.M.BeginEnrolment(context.Background(), samtest.SSPU, id)
			need(err)
			reg, err := last.Register(o.StatementKey(), req, code)
			need(err)
			return func() error { _, err := o.M.FinishEnrolment(ctx, samtest.SSPU, id, reg); return err }
		}},
	}
}

// KEY-06, KPR-07: a one-time key's record that was edited in the database is found when
// the signer's authenticators change: the change says so and does not happen.
func TestKEY06EditedOneTimeKeyAtAChange(t *testing.T) {
	o := newOnceWorld(t)
	key := o.key().Key
	db := dba(t, o.World)
	exec(t, db, "UPDATE onetime SET expires = expires + 1000 WHERE key = ?", key)
	revoke := func() error {
		return o.M.RevokeAuthenticator(context.Background(), samtest.Officer, "alice", sap.B64(o.alice.Device.ID), "lost")
	}
	refused(t, o.World, sap.ReasonSeal, revoke)
	exec(t, db, "UPDATE onetime SET expires = expires - 1000 WHERE key = ?", key)
	if err := revoke(); err != nil {
		t.Errorf("as it was: %v", err)
	}
	o.dead(t, key)
}

// KEY-10, KPR-07: the end of a one-time key begins with its memory: when it could not be
// recorded, the key is gone all the same, and nobody may use what its record says.
func TestKEY10MemoryEndsFirst(t *testing.T) {
	o := newOnceWorld(t)
	key := o.key().Key
	sad, proof := o.Approve(o.alice, 1)
	for n := 0; o.M.Kept(key); n++ {
		o.Store.Faults.Arm(n)
		err := o.M.RevokeAuthenticator(samtest.Faulty(context.Background()), samtest.Officer, "alice", sap.B64(o.alice.Device.ID), "lost")
		if hit := o.Store.Faults.Disarm(); err == nil || hit == "" {
			t.Fatalf("call %d (%s) failed: %v", n, hit, err)
		}
	}
	refused(t, o.World, sap.ReasonKeyState, func() error {
		_, err := o.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: "alice", Key: key, N: 1})
		return err
	})
	refused(t, o.World, sap.ReasonKeyState, func() error { _, err := o.Redeem(sad, proof); return err })
	o.Crash()
	o.dead(t, key)
}
