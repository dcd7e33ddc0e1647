package sam_test

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// keyOf is a made-up hash of a certificate's key.
func keyOf(name string) string {
	b := make([]byte, 32)
	copy(b, name)
	return hex.EncodeToString(b)
}

func grantOf(name, person string, role sam.Role) sam.Grant {
	return sam.Grant{Name: name, Person: person, Role: role, Key: keyOf(name)}
}

// callerOf is the caller that a grant lets in.
func callerOf(g sam.Grant) sam.Caller { return sam.Caller{Identity: g.Name, Role: g.Role, Key: g.Key} }

func isRaw(t *testing.T, w *samtest.World, key string) bool {
	t.Helper()
	list, err := w.M.Credentials(context.Background(), samtest.Officer, "", key)
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	return list[0].Raw
}

// ROL-04: one officer's word is a proposal and changes nothing; the same officer
// again, or the same person under another name, does not make it two; another
// officer does, and each step is one audit record with who did it.
func TestROL04TwoDifferentOfficers(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	s := w.NewSigner("anna", algo.P256)
	args := w.Args(sam.RawPermission{Key: s.Key, Raw: true})
	twin := grantOf("olga-home", samtest.Officer.Identity, sam.RoleOfficer)
	w.Decide(sam.DecideGrant, twin)

	p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideRaw, args)
	if err != nil || p.State != sam.ProposalPending || isRaw(t, w, s.Key) {
		t.Fatalf("%+v, %v", p, err)
	}
	for name, c := range map[string]sam.Caller{"same officer": samtest.Officer, "same person, other identity": callerOf(twin)} {
		t.Run(name, func(t *testing.T) {
			refused(t, w, sap.ReasonSecond, func() error { _, err := w.M.Approve(ctx, c, p.ID); return err })
		})
	}
	for name, c := range map[string]sam.Caller{"sspu": samtest.SSPU, "auditor": samtest.Auditor} {
		t.Run(name, func(t *testing.T) {
			refused(t, w, sap.ReasonRole, func() error { _, err := w.M.Approve(ctx, c, p.ID); return err })
			refused(t, w, sap.ReasonRole, func() error { _, err := w.M.Propose(ctx, c, sam.DecideRaw, args); return err })
		})
	}
	if isRaw(t, w, s.Key) {
		t.Fatal("it happened without a second officer")
	}
	before := len(w.Records())
	if p, err = w.M.Approve(ctx, samtest.Second, p.ID); err != nil || p.State != sam.ProposalApproved || !isRaw(t, w, s.Key) {
		t.Fatalf("%+v, %v", p, err)
	}
	recs := w.Records()[before:]
	if len(recs) != 2 || recs[0].Type != sam.EventPermission || recs[1].Type != sam.EventApproved ||
		!contains(recs[1].Data, `"first":"officer-1"`) || !contains(recs[1].Data, `"second":"officer-2"`) {
		t.Errorf("%+v", recs)
	}
	refused(t, w, sap.ReasonState, func() error { _, err := w.M.Approve(ctx, samtest.Second, p.ID); return err })
	refused(t, w, sap.ReasonState, func() error { _, err := w.M.Withdraw(ctx, samtest.Second, p.ID); return err })
	w.Check()
}

// ROL-04: no kind of decision happens by one officer alone (KPR-05, FPT-06).
func TestROL04EveryKindNeedsTwo(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.Release = 2 })
	ctx := context.Background()
	s := w.NewSigner("anna", algo.P256)
	w.Decide(sam.DecideGrant, grantOf("gone", "gone", sam.RoleSSPU))
	args := map[string]any{
		sam.DecideGrant:     grantOf("new", "new", sam.RoleAuditor),
		sam.DecideRevoke:    sam.Revoke{Name: "gone", Why: "left"},
		sam.DecideRaw:       sam.RawPermission{Key: s.Key, Raw: true},
		sam.DecideDowngrade: sam.Downgrade{Release: 1, Why: "the new one is slow"},
		sam.DecideBackup:    sam.MakeBackup{Why: "nightly"},
		sam.DecideRotate:    sam.RotateKEK{From: kekOf(t, w), Why: "yearly"},
		sam.DecideStatement: sam.RotateStatement{From: infoOf(t, w).KeyID, Why: "yearly"},
		sam.DecideSeal:      sam.RotateSeal{From: 1, Why: "yearly"},
		sam.DecideDestroy:   w.Destruction(w.NewSigner("dora", algo.P256).Key),
		sam.DecideRecovery:  sam.Recovery{Signer: "lena", Name: "Signer lena", Proof: "proof-2", Why: "lost it"},
	}
	w.NewSigner("emil", algo.P256)
	args[sam.DecideEndSigner] = w.End("emil", sam.CauseSigner, "asked")
	lena := w.NewSigner("lena", algo.P256)
	if err := w.M.RevokeAuthenticator(ctx, samtest.Officer, "lena", sap.B64(lena.Device.ID), "lost"); err != nil {
		t.Fatal(err)
	}
	elsewhere := []string{sam.DecidePolicy, sam.DecideRestore, sam.DecideDestroyKEK, sam.DecideStatementEnd, sam.DecideSealEnd} // in TestPRV03TwoOfficers..., TestBKP02TwoOfficers..., TestKPR06Rotation..., TestKPR06StatementKey..., TestKPR06SealByTwoOfficers
	for _, kind := range sam.Kinds() {
		in, ok := args[kind]
		if slices.Contains(elsewhere, kind) {
			continue
		}
		if !ok {
			t.Errorf("%s: no arguments here: add them", kind)
			continue
		}
		p, err := w.M.Propose(ctx, samtest.Officer, kind, w.Args(in))
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		refused(t, w, sap.ReasonSecond, func() error { _, err := w.M.Approve(ctx, samtest.Officer, p.ID); return err })
		if _, err := w.M.Approve(ctx, samtest.Second, p.ID); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// ROL-04: a proposal lives for its time, to the second; what expired is marked,
// once, and takes no room.
func TestROL04ProposalsExpire(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.ProposalLife = time.Hour })
	ctx := context.Background()
	s := w.NewSigner("anna", algo.P256)
	propose := func() *sam.Proposal {
		t.Helper()
		p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideRaw, w.Args(sam.RawPermission{Key: s.Key, Raw: true}))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p, late := propose(), propose()
	w.Clock.Advance(time.Hour - time.Second)
	if _, err := w.M.Approve(ctx, samtest.Second, p.ID); err != nil {
		t.Errorf("one second before the end: %v", err)
	}
	w.Decide(sam.DecideRaw, sam.RawPermission{Key: s.Key, Raw: false})
	w.Clock.Advance(time.Second)
	refused(t, w, sap.ReasonExpired, func() error { _, err := w.M.Approve(ctx, samtest.Second, late.ID); return err })
	if isRaw(t, w, s.Key) {
		t.Error("an expired proposal happened")
	}
	list, err := w.M.Proposals(ctx, samtest.Auditor, "", 10)
	if err != nil || len(list) != 3 {
		t.Fatalf("%v, %v", list, err)
	}
	states := map[string]int{}
	for _, q := range list {
		states[q.State]++
	}
	if states[sam.ProposalExpired] != 1 || states[sam.ProposalApproved] != 2 {
		t.Errorf("%v", states)
	}
	propose()
	propose()
	if n := count(w, sam.EventLapsed); n != 1 {
		t.Errorf("%d records of one expiry", n)
	}
	refused(t, w, sap.ReasonState, func() error { _, err := w.M.Approve(ctx, samtest.Second, late.ID); return err })
}

// I9: proposals that wait are bounded.
func TestROL04PendingProposalsAreBounded(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	args := w.Args(grantOf("new", "new", sam.RoleAuditor))
	var last *sam.Proposal
	for range 100 {
		var err error
		if last, err = w.M.Propose(ctx, samtest.Officer, sam.DecideGrant, args); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, w, sap.ReasonTooMany, func() error { _, err := w.M.Propose(ctx, samtest.Officer, sam.DecideGrant, args); return err })
	if _, err := w.M.Withdraw(ctx, samtest.Officer, last.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.M.Propose(ctx, samtest.Officer, sam.DecideGrant, args); err != nil {
		t.Error(err)
	}
}

// ROL-04, IAM-04: who lost the role before the second officer agreed, on either
// side, does not count any more.
func TestROL04RevokedOfficersDoNotCount(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	s := w.NewSigner("anna", algo.P256)
	third, fourth := grantOf("o3", "p3", sam.RoleOfficer), grantOf("o4", "p4", sam.RoleOfficer)
	w.Decide(sam.DecideGrant, third)
	w.Decide(sam.DecideGrant, fourth)
	args := w.Args(sam.RawPermission{Key: s.Key, Raw: true})
	p, err := w.M.Propose(ctx, callerOf(third), sam.DecideRaw, args)
	if err != nil {
		t.Fatal(err)
	}
	q, err := w.M.Propose(ctx, samtest.Officer, sam.DecideRaw, args)
	if err != nil {
		t.Fatal(err)
	}
	w.Decide(sam.DecideRevoke, sam.Revoke{Name: "o3", Why: "left"})
	refused(t, w, sap.ReasonSecond, func() error { _, err := w.M.Approve(ctx, samtest.Second, p.ID); return err })
	refused(t, w, sap.ReasonRole, func() error { _, err := w.M.Approve(ctx, callerOf(third), q.ID); return err })
	if _, err := w.M.Approve(ctx, callerOf(fourth), q.ID); err != nil {
		t.Error(err)
	}
}

// ROL-04: what the second officer reads is what happens: arguments have one form.
func TestROL04ArgumentsHaveOneForm(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("anna", algo.P256)
	for name, c := range map[string]struct {
		kind, args string
		want       sap.Reason
	}{
		"unknown kind":   {"sign_something", `{}`, sap.ReasonInvalid},
		"not JSON":       {sam.DecideRaw, `key`, sap.ReasonInvalid},
		"empty":          {sam.DecideRaw, ``, sap.ReasonInvalid},
		"duplicate":      {sam.DecideRaw, `{"key":"` + s.Key + `","key":"k-x","raw":true}`, sap.ReasonInvalid},
		"not canonical":  {sam.DecideRaw, `{"key": "` + s.Key + `","raw":true}`, sap.ReasonInvalid},
		"other order":    {sam.DecideRaw, `{"raw":true,"key":"` + s.Key + `"}`, sap.ReasonInvalid},
		"unknown member": {sam.DecideRaw, `{"key":"` + s.Key + `","raw":true,"sign":true}`, sap.ReasonInvalid},
		"trailing bytes": {sam.DecideRaw, `{"key":"` + s.Key + `","raw":true} `, sap.ReasonInvalid},
		"no such key":    {sam.DecideRaw, `{"key":"k-x","raw":true}`, sap.ReasonKey},
		"no change":      {sam.DecideRaw, `{"key":"` + s.Key + `","raw":false}`, sap.ReasonState},
		"too large":      {sam.DecideRaw, `{"key":"` + strings.Repeat("a", 70<<10) + `","raw":true}`, sap.ReasonTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, w, c.want, func() error {
				_, err := w.M.Propose(context.Background(), samtest.Officer, c.kind, []byte(c.args))
				return err
			})
		})
	}
	w.Decide(sam.DecideRaw, sam.RawPermission{Key: s.Key, Raw: true}) // the second officer is known
	refused(t, w, sap.ReasonInvalid, func() error {
		_, err := w.M.Approve(context.Background(), samtest.Second, "d-none")
		return err
	})
}

// ROL-04: many approvals at once: the act happens exactly once.
func TestROL04OneOfManyApprovals(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideGrant, w.Args(grantOf("new", "new", sam.RoleAuditor)))
	if err != nil {
		t.Fatal(err)
	}
	before := count(w, sam.EventGranted)
	var won atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if _, err := w.M.Approve(ctx, samtest.Second, p.ID); err == nil {
				won.Add(1)
			} else if !errors.Is(err, sap.ReasonState) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := count(w, sam.EventGranted) - before; won.Load() != 1 || n != 1 {
		t.Errorf("%d approvals won, %d grants", won.Load(), n)
	}
}

// ROL-04, T25: a proposal that was edited in the database, or put back in the
// state before, is refused.
func TestROL04EditedProposalsShow(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	s := w.NewSigner("anna", algo.P256)
	w.Decide(sam.DecideGrant, grantOf("mallory", "mallory", sam.RoleAuditor))
	p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideRaw, w.Args(sam.RawPermission{Key: s.Key, Raw: true}))
	if err != nil {
		t.Fatal(err)
	}
	db := dba(t, w)
	tested := 0
	for _, col := range columns(t, db, "proposal") {
		if col.pk {
			continue
		}
		tested++
		var old any
		if err := db.QueryRow("SELECT "+col.name+" FROM proposal WHERE id = ?", p.ID).Scan(&old); err != nil {
			t.Fatal(err)
		}
		exec(t, db, "UPDATE proposal SET "+col.name+" = ? WHERE id = ?", changed(col.kind, old), p.ID)
		refused(t, w, sap.ReasonSeal, func() error { _, err := w.M.Approve(ctx, samtest.Second, p.ID); return err })
		exec(t, db, "UPDATE proposal SET "+col.name+" = ? WHERE id = ?", old, p.ID)
	}
	if tested < 11 {
		t.Errorf("%d columns", tested)
	}
	// The row of before, with its seal, after the withdrawal.
	if _, err := db.Exec("CREATE TABLE kept AS SELECT * FROM proposal"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.M.Withdraw(ctx, samtest.Second, p.ID); err != nil {
		t.Fatal(err)
	}
	exec(t, db, "DELETE FROM proposal")
	exec(t, db, "INSERT INTO proposal SELECT * FROM kept")
	refused(t, w, sap.ReasonSeal, func() error { _, err := w.M.Approve(ctx, samtest.Second, p.ID); return err })
	if isRaw(t, w, s.Key) {
		t.Error("a withdrawn proposal happened")
	}
}

// ROL-04, AUD-06: a proposal survives a crash; an approval whose record cannot be
// written does not happen.
func TestROL04CrashAndFailingStore(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	s := w.NewSigner("anna", algo.P256)
	p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideRaw, w.Args(sam.RawPermission{Key: s.Key, Raw: true}))
	if err != nil {
		t.Fatal(err)
	}
	w.Crash()
	w.Store.FailBefore(func(int) bool { return true })
	if _, err := w.M.Approve(ctx, samtest.Second, p.ID); !errors.Is(err, sap.ReasonStore) {
		t.Errorf("%v", err)
	}
	w.Store.FailBefore(nil)
	if isRaw(t, w, s.Key) {
		t.Error("it happened without a record")
	}
	if _, err := w.M.Approve(ctx, samtest.Second, p.ID); err != nil || !isRaw(t, w, s.Key) {
		t.Errorf("after the failure: %v", err)
	}
}
