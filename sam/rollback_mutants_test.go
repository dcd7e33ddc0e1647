package sam_test

import (
	"context"
	"sync"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samsqlite"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// together is a store whose next change is followed by another one in the same
// transaction, which then fails: as when two callers share a transaction and the disk
// is full at the commit.
type together struct {
	sam.Store
	mu     sync.Mutex
	second func(ctx context.Context) // nil: as usual
}

// Keys of contexts: of the call that is to be followed, and of the one that follows, with
// its transaction. What the module does by its own clock has neither.
type (
	followedKey struct{}
	togetherKey struct{}
)

func (s *together) Update(ctx context.Context, fn func(*sam.Tx) error) error {
	if tx, ok := ctx.Value(togetherKey{}).(*sam.Tx); ok { // the second one
		if err := fn(tx); err != nil {
			return err
		}
		return samtest.ErrFault
	}
	var second func(context.Context)
	if ctx.Value(followedKey{}) != nil {
		s.mu.Lock()
		second, s.second = s.second, nil
		s.mu.Unlock()
	}
	if second == nil {
		return s.Store.Update(ctx, fn)
	}
	return s.Store.Update(ctx, func(tx *sam.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		second(context.WithValue(ctx, togetherKey{}, tx))
		return samtest.ErrFault
	})
}

// KPR-03, T33: what a change saw of another one, in a transaction that then failed, is
// not what the module remembers: the record is as it was, and the act that failed can
// be done. (What is remembered wrongly would look like an older row that was put back.)
func TestKPR03NothingIsRememberedOfAFailedTransaction(t *testing.T) {
	o := newOnceWorld(t)
	bob := o.NewSigner("bob", algo.P256)
	closeAll(t, o.World)
	db, err := samsqlite.Open(samsqlite.Config{Path: o.DB()})
	if err != nil {
		t.Fatal(err)
	}
	store := &together{Store: db}
	o.Store = &samtest.Store{Store: store}
	o.Cfg.Store = o.Store
	if o.M, err = sam.Open(context.Background(), o.Cfg); err != nil {
		t.Fatal(err)
	}
	key := o.key().Key
	propose := func(kind string, args any) string {
		p, err := o.M.Propose(context.Background(), samtest.Officer, kind, o.Args(args))
		if err != nil {
			t.Fatal(err)
		}
		return p.ID
	}
	raw := propose(sam.DecideRaw, sam.RawPermission{Key: bob.Key, Raw: true})
	other := propose(sam.DecideRaw, sam.RawPermission{Key: bob.Key, Raw: true})
	third := propose(sam.DecideRaw, sam.RawPermission{Key: bob.Key, Raw: true})
	grant := propose(sam.DecideGrant, grantOf("nina", "nina", sam.RoleOfficer))
	revoke := propose(sam.DecideRevoke, sam.Revoke{Name: "olga", Why: "left"})
	again := propose(sam.DecideRevoke, sam.Revoke{Name: "olga", Why: "left"})
	if _, err := o.M.CreateSigner(context.Background(), samtest.RA, sam.NewSigner{ID: "carol", Name: "Carol", Proof: "p-1"}); err != nil {
		t.Fatal(err)
	}
	code, err := o.M.OpenEnrolment(context.Background(), samtest.Officer, "carol")
	if err != nil {
		t.Fatal(err)
	}
	approve := func(id string) func(context.Context) error {
		return func(ctx context.Context) error { _, err := o.M.Approve(ctx, samtest.Second, id); return err }
	}
	lost := func(ctx context.Context) error {
		return o.M.RevokeAuthenticator(ctx, samtest.Officer, "alice", sap.B64(o.alice.Device.ID), "lost")
	}
	for _, c := range []struct {
		name       string
		do, second func(context.Context) error // what succeeds afterwards is the second
	}{
		{"a proposal is withdrawn twice", func(ctx context.Context) error { _, err := o.M.Withdraw(ctx, samtest.Second, third); return err }, nil},
		{"two decisions about a key", approve(raw), approve(other)},
		{"a proposal is approved twice", approve(grant), nil},
		{"two decisions about one caller", approve(revoke), approve(again)},
		{"a lockout is lifted twice", func(ctx context.Context) error {
			return o.M.Lift(ctx, samtest.Officer, bob.ID, sap.B64(bob.Device.ID), "asked")
		}, nil},
		{"an enrolment is begun twice", func(ctx context.Context) error { _, err := o.M.BeginEnrolment(ctx, samtest.SSPU, code.ID); return err }, nil},
		{"an enrolment is opened twice", func(ctx context.Context) error {
			_, err := o.M.OpenEnrolment(ctx, samtest.Officer, "carol")
			return err
		}, nil},
		{"a session is opened for a one-time key, and its authenticator is lost", func(ctx context.Context) error {
			_, err := o.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: "alice", Key: key, N: 1})
			return err
		}, lost},
	} {
		if c.second == nil {
			c.second = c.do
		}
		ran := false
		store.mu.Lock()
		store.second = func(ctx context.Context) {
			ran = true
			_ = c.second(ctx)
		}
		store.mu.Unlock()
		if err := c.do(context.WithValue(context.Background(), followedKey{}, true)); err == nil || !ran {
			t.Errorf("%s: it did not fail: %v, %v", c.name, err, ran)
			continue
		}
		if err := c.second(context.Background()); err != nil {
			t.Errorf("%s: after the failure: %v", c.name, err)
		}
	}
	o.dead(t, key)
}
