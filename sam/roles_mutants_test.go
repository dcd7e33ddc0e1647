package sam_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samsqlite"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// ROL-02, IAM-01: what a grant must be by itself: names and persons of 1 to 64 octets
// of an identifier, a role that exists, a whole key in lower case; production wants the
// key.
func TestROL02GrantsAtTheirBounds(t *testing.T) {
	key := keyOf("zoom") // 7a6f6f6d...
	good := sam.Grant{Name: "dora-1", Person: "dora", Role: sam.RoleAuditor, Key: key}
	long := strings.Repeat("x", 64)
	w := samtest.New(t)
	for what, c := range map[string]struct {
		change func(g *sam.Grant)
		want   sap.Reason
	}{
		"as it should be":        {func(*sam.Grant) {}, ""},
		"longest name":           {func(g *sam.Grant) { g.Name = long }, ""},
		"longer name":            {func(g *sam.Grant) { g.Name = long + "x" }, sap.ReasonInvalid},
		"longest person":         {func(g *sam.Grant) { g.Person = long }, ""},
		"longer person":          {func(g *sam.Grant) { g.Person = long + "x" }, sap.ReasonInvalid},
		"space in the name":      {func(g *sam.Grant) { g.Name = "dora 1" }, sap.ReasonInvalid},
		"space in the person":    {func(g *sam.Grant) { g.Person = "dora x" }, sap.ReasonInvalid},
		"person of punctuation":  {func(g *sam.Grant) { g.Person = "-.-" }, sap.ReasonInvalid},
		"key in capital letters": {func(g *sam.Grant) { g.Key = strings.ToUpper(key) }, sap.ReasonInvalid},
		"key of 31 octets":       {func(g *sam.Grant) { g.Key = key[2:] }, sap.ReasonInvalid},
		"key of 33 octets":       {func(g *sam.Grant) { g.Key = key + "00" }, sap.ReasonInvalid},
		"no hex":                 {func(g *sam.Grant) { g.Key = "x" + key[1:] }, sap.ReasonInvalid},
		"no key, in a demo":      {func(g *sam.Grant) { g.Key = "" }, ""},
	} {
		g := good
		c.change(&g)
		_, err := w.M.Propose(context.Background(), samtest.Officer, sam.DecideGrant, w.Args(g))
		if (err == nil) != (c.want == "") || err != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// between is a store that does something after each change and before it is durable.
type between struct {
	sam.Store
	do atomic.Pointer[func()]
}

func (b *between) Update(ctx context.Context, fn func(*sam.Tx) error) error {
	return b.Store.Update(ctx, func(tx *sam.Tx) error {
		err := fn(tx)
		if do := b.do.Load(); do != nil {
			(*do)()
		}
		return err
	})
}

// IAM-04, ROL-04: a revocation counts from the moment when it is durable,
// also for who was looked up while it was being written.
func TestIAM04RolesAreReadAnewAfterTheCommit(t *testing.T) {
	w := samtest.New(t)
	closeAll(t, w)
	db, err := samsqlite.Open(samsqlite.Config{Path: w.DB()})
	if err != nil {
		t.Fatal(err)
	}
	store := &between{Store: db}
	w.Store = &samtest.Store{Store: store}
	w.Cfg.Store = w.Store
	ctx := context.Background()
	if w.M, err = sam.Open(ctx, w.Cfg); err != nil {
		t.Fatal(err)
	}
	olga := sam.Caller{Identity: "olga", Role: sam.RoleOfficer}
	seen := 0
	look := func() {
		if _, err := w.M.Info(ctx, olga); err == nil { // as she was before
			seen++
		}
	}
	decide := func(kind string, args any) {
		p, err := w.M.Propose(ctx, samtest.Officer, kind, w.Args(args))
		if err != nil {
			t.Fatal(err)
		}
		store.do.Store(&look)
		_, err = w.M.Approve(ctx, samtest.Second, p.ID)
		store.do.Store(nil)
		if err != nil {
			t.Fatal(err)
		}
	}
	decide(sam.DecideRevoke, sam.Revoke{Name: "olga", Why: "left"})
	if seen == 0 {
		t.Fatal("she was not looked up while the revocation was being written: the test shows nothing")
	}
	if _, err := w.M.Info(ctx, olga); !errors.Is(err, sap.ReasonRole) {
		t.Errorf("revoked, and still let in: %v", err)
	}
}

// IAM-01, IAM-04: a caller whose record could not be read is refused for that, and is
// not remembered as nobody: the next call finds the record.
func TestIAM01RecordOfACallerThatCannotBeRead(t *testing.T) {
	w := samtest.New(t)
	w.Crash() // nobody is remembered, no role has changed since
	ctx := samtest.Faulty(context.Background())
	info := func() error { _, err := w.M.Info(ctx, samtest.Auditor); return err }
	w.Store.Faults.Arm(0)
	err := info()
	if hit := w.Store.Faults.Disarm(); hit != "Identities.Get" || !errors.Is(err, sap.ReasonStore) {
		t.Errorf("call %q failed: %v", hit, err)
	}
	if err := info(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// ROL-04, FPT-05: whichever call of the database fails while a role is granted, given back
// or taken, the approver is told that it was done exactly when it was.
func TestROL04FaultsWhileARoleIsGranted(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	state := func() string {
		list, err := w.M.Identities(ctx, samtest.Officer)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			if r.Name == "dora" {
				return r.State
			}
		}
		return ""
	}
	grant := sam.Grant{Name: "dora", Person: "dora", Role: sam.RoleAuditor, Key: keyOf("dora")}
	for _, step := range []struct {
		kind string
		args any
		want string
	}{
		{sam.DecideGrant, grant, sam.IdentityActive},
		{sam.DecideRevoke, sam.Revoke{Name: "dora", Why: "left"}, sam.IdentityRevoked},
		{sam.DecideGrant, grant, sam.IdentityActive},
	} {
		was, hits := state(), map[string]bool{}
		for n := 0; ; n++ {
			p, err := w.M.Propose(ctx, samtest.Officer, step.kind, w.Args(step.args))
			if err != nil {
				t.Fatal(err)
			}
			w.Store.Faults.Arm(n)
			_, err = w.M.Approve(samtest.Faulty(ctx), samtest.Second, p.ID)
			hit := w.Store.Faults.Disarm()
			if hit == "" {
				if err != nil || state() != step.want {
					t.Fatalf("%s: %v, %s", step.kind, err, state())
				}
				break
			}
			hits[hit] = true
			if err == nil || state() != was {
				t.Fatalf("%s, %s fails: %v, %s", step.kind, hit, err, state())
			}
			if _, err := w.M.Withdraw(ctx, samtest.Officer, p.ID); err != nil {
				t.Fatal(err)
			}
		}
		if !hits["Identities.Get"] || step.kind == sam.DecideGrant && !hits["Identities.List"] {
			t.Errorf("hit %v", hits)
		}
	}
}
