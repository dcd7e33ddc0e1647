package sam_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// ROL-04: whatever is decided, its arguments have one form: with a member that the kind
// does not know, that is spelt otherwise, or that is no object, nothing is proposed.
func TestROL04EveryKindHasOneForm(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("anna", algo.P256)
	good := map[string]any{
		sam.DecideGrant:  grantOf("nina", "nina", sam.RoleOfficer),
		sam.DecideRevoke: sam.Revoke{Name: "olga", Why: "left"},
		sam.DecideRaw:    sam.RawPermission{Key: s.Key, Raw: true},
	}
	for _, kind := range sam.Kinds() {
		texts := []string{`{"unknown":1}`, `[]`, `null`, `"x"`, `{`}
		if args, ok := good[kind]; ok {
			text := string(w.Args(args))
			texts = append(texts, text[:len(text)-1]+`,"zzz":true}`, text+" ", strings.Replace(text, ":", ": ", 1))
			if _, err := w.M.Propose(context.Background(), samtest.Officer, kind, []byte(text)); err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
		}
		for _, text := range texts {
			refused(t, w, sap.ReasonInvalid, func() error {
				_, err := w.M.Propose(context.Background(), samtest.Officer, kind, []byte(text))
				return err
			})
		}
	}
	for what, why := range map[string]string{"no reason": "", "a reason that cannot be shown": "left\nat once"} {
		if _, err := w.M.Propose(context.Background(), samtest.Officer, sam.DecideRevoke, w.Args(sam.Revoke{Name: "olga", Why: why})); !errors.Is(err, sap.ReasonInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// ROL-04: what is proposed about an identity is still so when it is approved: a second
// revocation, and one that would leave a single officer, are refused then.
func TestROL04RevocationsMeetAtTheApproval(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	revoke := func(name string) string {
		p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideRevoke, w.Args(sam.Revoke{Name: name, Why: "left"}))
		if err != nil {
			t.Fatal(err)
		}
		return p.ID
	}
	approve := func(id string) error { _, err := w.M.Approve(ctx, samtest.Second, id); return err }
	olga, again, otto := revoke("olga"), revoke("olga"), revoke("otto")
	third, own := revoke(samtest.Second.Identity), revoke(samtest.Auditor.Identity)
	if err := errors.Join(approve(olga), approve(otto)); err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonState, func() error { return approve(again) })
	refused(t, w, sap.ReasonState, func() error { return approve(third) }) // two must remain
	if err := approve(own); err != nil {
		t.Errorf("who is no officer can go: %v", err)
	}
	if _, err := w.M.Info(ctx, samtest.Auditor); !errors.Is(err, sap.ReasonRole) {
		t.Errorf("revoked, and let in: %v", err)
	}
}

// ROL-04, KPR-03: an expired proposal whose row was edited is not written off as if it
// were the module's own: the next proposal says so.
func TestROL04ExpiredAndEditedProposal(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	propose := func() error {
		_, err := w.M.Propose(context.Background(), samtest.Officer, sam.DecideRaw, w.Args(sam.RawPermission{Key: s.Key, Raw: true}))
		return err
	}
	if err := propose(); err != nil {
		t.Fatal(err)
	}
	db := dba(t, w)
	exec(t, db, "UPDATE proposal SET by_name = 'officer-9'")
	w.Clock.Advance(25 * time.Hour)
	refused(t, w, sap.ReasonSeal, propose)
	exec(t, db, "UPDATE proposal SET by_name = ?", samtest.Officer.Identity)
	if err := propose(); err != nil {
		t.Errorf("as it was: %v", err)
	}
	if n := count(w, sam.EventLapsed); n != 1 {
		t.Errorf("%d proposals are on record as expired", n)
	}
}

// PRV-03, ROL-04: who approves a configuration is told when the module could not be
// opened after it; it is then open after the next start, or closed, but never open
// without the approval.
func TestPRV03AcceptedAndNotOpened(t *testing.T) {
	w := samtest.New(t)
	ctx := samtest.Faulty(context.Background())
	limit, after := 3, 0
	for n := 0; ; n++ {
		limit++
		restartWith(t, w, func(c *sam.Config) { c.LockoutLimit = limit })
		p, err := w.M.Propose(context.Background(), samtest.Officer, sam.DecidePolicy, w.Args(w.Waits(sam.DecidePolicy)))
		if err != nil {
			t.Fatal(err)
		}
		was := count(w, sam.EventConfig)
		w.Store.Faults.Arm(n)
		_, err = w.M.Approve(ctx, samtest.Second, p.ID)
		hit := w.Store.Faults.Disarm()
		if open := stateOf(t, w) == "open"; open != (err == nil) {
			t.Errorf("call %d (%s) failed: open %v, told %v", n, hit, open, err)
		}
		if hit == "" {
			break
		}
		w.Crash()
		accepted := count(w, sam.EventConfig) > was
		if open := w.Waits(sam.DecidePolicy) == nil; open != accepted {
			t.Errorf("call %d (%s) failed: after a start it is open: %v, the approval is on record: %v", n, hit, open, accepted)
		}
		if accepted {
			after++
		} else if _, err := w.Accept(sam.DecidePolicy); err != nil {
			t.Fatal(err)
		}
	}
	if after == 0 {
		t.Error("no call after the commit was made to fail: the test does not see them")
	}
}
