package sam_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// takeCopy stops the module, copies its database and starts it again.
func takeCopy(t *testing.T, w *samtest.World) (old string) {
	t.Helper()
	closeAll(t, w)
	old = filepath.Join(t.TempDir(), "old.db")
	samtest.CopyFile(t, w.DB(), old)
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	return old
}

// putCopy puts a copy in place of the database and starts the module, which then
// waits. The newer chain's intents are gone with it.
func putCopy(t *testing.T, w *samtest.World, old string) {
	t.Helper()
	closeAll(t, w)
	samtest.CopyFile(t, old, w.DB())
	remove(t, w.DB()+"-wal")
	remove(t, w.DB()+"-shm")
	w.Token.Forget()
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	if w.Waits(sam.DecideRestore) == nil {
		t.Fatal("an older database, and nobody is asked")
	}
}

func accept(t *testing.T, w *samtest.World, kind string) {
	t.Helper()
	if _, err := w.Accept(kind); err != nil {
		t.Fatal(err)
	}
}

// BKP-02, ROL-04, KPR-05: an older database is taken by two different officers and
// by nobody else; until then nothing but this decision works, and neither a
// restart nor time opens the module. Each step is one audit record.
func TestBKP02TwoOfficersAcceptARestore(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	s := w.NewSigner("alice", algo.P256)
	sad, proof := w.Approve(s, 1)
	old := takeCopy(t, w)
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Fatal(err)
	}
	putCopy(t, w, old)
	for range 2 {
		onlyDecidesAbout(t, w, sam.DecideRestore)
		w.Clock.Advance(time.Hour)
		w.Crash()
	}
	closeAll(t, w) // an orderly stop does not make the anchor forget
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	in := w.Waits(sam.DecideRestore).(sam.AcceptRestore)
	p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideRestore, w.Args(in))
	if err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonSecond, func() error { _, err := w.M.Approve(ctx, samtest.Officer, p.ID); return err })
	for _, c := range []sam.Caller{samtest.Admin, samtest.Watch, samtest.Auditor, samtest.SSPU, samtest.RA} {
		refused(t, w, sap.ReasonRole, func() error { _, err := w.M.Approve(ctx, c, p.ID); return err })
	}
	refused(t, w, sap.ReasonClosed, func() error { _, err := w.Redeem(sad, proof); return err })
	for name, change := range map[string]func(*sam.AcceptRestore){
		"another database": func(a *sam.AcceptRestore) { a.Head = keyOf("x") },
		"another anchor":   func(a *sam.AcceptRestore) { a.AnchorSeq++ },
		"another loss":     func(a *sam.AcceptRestore) { a.Lost = []string{sam.LostAnchor} },
		"no reason":        func(a *sam.AcceptRestore) { a.Why = "" },
	} {
		t.Run(name, func(t *testing.T) {
			bad := in
			change(&bad)
			refused(t, w, sap.ReasonInvalid, func() error {
				_, err := w.M.Propose(ctx, samtest.Officer, sam.DecideRestore, w.Args(bad))
				return err
			})
		})
	}
	before := len(w.Records())
	if _, err := w.M.Approve(ctx, samtest.Second, p.ID); err != nil {
		t.Fatal(err)
	}
	rec := last(w, sam.EventRestore)
	if count(w, sam.EventRestore) != 1 || !contains(rec.Data, `"first":"officer-1"`) || !contains(rec.Data, `"second":"officer-2"`) || !contains(rec.Data, `"why":"disk failed"`) {
		t.Errorf("%+v", rec)
	}
	if got := events(w, before); got != "restore_accepted condition_recorded decision_approved self_test" {
		t.Errorf("records: %s", got)
	}
	refused(t, w, sap.ReasonAudience, func() error { _, err := w.Redeem(sad, proof); return err })
	refused(t, w, sap.ReasonState, func() error { _, err := w.M.Propose(ctx, samtest.Officer, sam.DecideRestore, w.Args(in)); return err })
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Error(err)
	}
	w.Crash()
	if w.Waits(sam.DecideRestore) != nil {
		t.Error("asked again")
	}
	w.Check()
}

// BKP-03, AFL-01: restart after n-1 failures, over a database from before them: one
// more failure locks. A lock stays a lock, whatever the older database says.
func TestAFL01CountsSurviveARestore(t *testing.T) {
	w := samtest.New(t) // limit 3
	alice, bob := w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256)
	fail := func(s *samtest.Signer) {
		t.Helper()
		bad := failing(t, w, s)
		refused(t, w, sap.ReasonUserVerified, func() error { _, err := w.Redeem(bad.sad, bad.proof); return err })
	}
	old := takeCopy(t, w)
	fail(alice)
	fail(alice)
	for range 3 {
		fail(bob)
	}
	if !locked(t, w, bob) || locked(t, w, alice) {
		t.Fatal("not the state that this test is about")
	}
	for range 2 { // and a second restore of the same database does not help either
		putCopy(t, w, old)
		accept(t, w, sam.DecideRestore)
		if !locked(t, w, bob) || locked(t, w, alice) {
			t.Errorf("after the restore: bob %v, alice %v", locked(t, w, bob), locked(t, w, alice))
		}
	}
	if n := count(w, sam.EventKept); n != 2 {
		t.Errorf("%d records of kept counts", n)
	}
	fail(alice)
	if !locked(t, w, alice) {
		t.Error("the failures of before the restore do not count")
	}
	// Lifted by an officer, which the list knows: the next restore asks for no more.
	for _, s := range []*samtest.Signer{alice, bob} {
		if err := w.M.Lift(context.Background(), samtest.Officer, s.ID, sap.B64(s.Device.ID), "called back"); err != nil {
			t.Fatal(err)
		}
	}
	putCopy(t, w, old)
	accept(t, w, sam.DecideRestore)
	if locked(t, w, alice) || locked(t, w, bob) {
		t.Error("a lifted lock came back")
	}
	if _, err := w.Redeem(w.Approve(alice, 1)); err != nil {
		t.Error(err)
	}
}

// AFL-01, AFL-02: a lock without an end, and the alarm of a copied authenticator,
// survive a restore too.
func TestAFL01LocksForEverSurviveARestore(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.LockoutTime = -1 })
	alice, bob := w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256)
	old := takeCopy(t, w)
	for range 3 {
		bad := failing(t, w, alice)
		if _, err := w.Redeem(bad.sad, bad.proof); err == nil {
			t.Fatal("accepted")
		}
	}
	for _, n := range []uint32{9, 8} {
		bob.Device.Count = n
		_, _ = w.Redeem(w.Approve(bob, 1))
	}
	putCopy(t, w, old)
	accept(t, w, sam.DecideRestore)
	w.Clock.Advance(365 * 24 * time.Hour / 2)
	if !locked(t, w, alice) || !locked(t, w, bob) {
		t.Errorf("alice %v, bob %v", locked(t, w, alice), locked(t, w, bob))
	}
}

// AFL-01: successful approvals write nothing beside the anchor; each counted
// failure is one line, there before the answer is.
func TestAFL01OnlyFailuresAreListed(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	lines := func() int { return len(splitLines(readIfThere(t, w.Cfg.AnchorPath+".failures"))) }
	for range 3 {
		if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if n := lines(); n != 0 {
		t.Errorf("%d lines after successes", n)
	}
	for i := range 2 {
		bad := failing(t, w, s)
		_, _ = w.Redeem(bad.sad, bad.proof)
		if n := lines(); n != i+1 {
			t.Errorf("%d lines after %d failures", n, i+1)
		}
	}
}

// AFL-01, FPT-03: a failure that cannot be listed closes the module: otherwise it
// could be repeated.
func TestAFL01ListThatCannotBeWritten(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	bad := failing(t, w, s)
	if err := mkdir(w.Cfg.AnchorPath + ".failures"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Redeem(bad.sad, bad.proof); err == nil {
		t.Fatal("accepted")
	}
	if st, err := w.M.Status(context.Background(), samtest.Officer); err != nil || st.State != "closed" || !contains(st.Why, "list of failures") {
		t.Errorf("%+v, %v", st, err)
	}
}

// BKP-03, T37: the list of failures is changed, taken apart or cut off: the module
// stays closed. A line that a crash left without its end is none.
func TestBKP03ListOfFailuresIsWhole(t *testing.T) {
	w := samtest.New(t)
	alice, bob := w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256)
	for _, s := range []*samtest.Signer{alice, bob, alice} {
		bad := failing(t, w, s)
		_, _ = w.Redeem(bad.sad, bad.proof)
	}
	closeAll(t, w)
	path := w.Cfg.AnchorPath + ".failures"
	text := readFile(t, path)
	l := splitLines(text)
	if len(l) != 3 {
		t.Fatalf("%d lines", len(l))
	}
	join := func(lines ...string) string {
		out := ""
		for _, x := range lines {
			out += x + "\n"
		}
		return out
	}
	for name, c := range map[string][2]string{
		"gone":       {"", "has 0 lines"},
		"cut off":    {join(l[0], l[1]), "has 2 lines"},
		"swapped":    {join(l[1], l[0], l[2]), "line 1"},
		"one less":   {join(l[0], l[2]), "line 2"},
		"twice":      {join(l[0], l[1], l[2], l[2]), "line 4"},
		"bit flip":   {text[:10] + string(text[10]^1) + text[11:], "line 1"},
		"not a line": {text + "x\n", "line 4"},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, path, c[0])
			stays(t, w, c[1])
		})
	}
	write(t, path, text+"torn")
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	if readFile(t, path) != text {
		t.Error("the torn line is still there")
	}
}

// BKP-03: two officers who were revoked since the copy cannot accept it, though
// the older database knows them as officers.
func TestBKP03RevokedOfficersAcceptNothing(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	gone := []sam.Grant{grantOf("o7", "p7", sam.RoleOfficer), grantOf("o8", "p8", sam.RoleOfficer), grantOf("o9", "p9", sam.RoleOfficer)}
	for _, g := range gone {
		w.Decide(sam.DecideGrant, g)
	}
	old := takeCopy(t, w)
	for _, g := range gone {
		w.Decide(sam.DecideRevoke, sam.Revoke{Name: g.Name, Why: "left"})
	}
	w.Decide(sam.DecideGrant, gone[2]) // and came back
	putCopy(t, w, old)
	args := w.Args(w.Waits(sam.DecideRestore))
	for _, g := range gone[:2] {
		refused(t, w, sap.ReasonRole, func() error { _, err := w.M.Propose(ctx, callerOf(g), sam.DecideRestore, args); return err })
	}
	p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideRestore, args)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range gone[:2] {
		refused(t, w, sap.ReasonRole, func() error { _, err := w.M.Approve(ctx, callerOf(g), p.ID); return err })
	}
	if _, err := w.M.Approve(ctx, callerOf(gone[2]), p.ID); err != nil {
		t.Error(err)
	}
}

// BKP-03: what was open in the older database and used, withdrawn or stopped since
// does not come back: an enrolment's code, a proposal, a key on hold.
func TestBKP03NothingOpenComesBack(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	s := w.NewSigner("alice", algo.P256)
	if _, err := w.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "bob", Name: "Bob", Proof: "p"}); err != nil {
		t.Fatal(err)
	}
	code, err := w.M.OpenEnrolment(ctx, samtest.Officer, "bob")
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideRaw, w.Args(sam.RawPermission{Key: s.Key, Raw: true}))
	if err != nil {
		t.Fatal(err)
	}
	old := takeCopy(t, w)
	if _, err := w.M.Withdraw(ctx, samtest.Officer, p.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.M.SetCertificateStatus(ctx, samtest.Officer, s.Key, sam.StatusOnHold, "lost card"); err != nil {
		t.Fatal(err)
	}
	putCopy(t, w, old)
	accept(t, w, sam.DecideRestore)
	refused(t, w, sap.ReasonState, func() error { _, err := w.M.Approve(ctx, samtest.Second, p.ID); return err })
	refused(t, w, sap.ReasonEnrolment, func() error { _, err := w.M.BeginEnrolment(ctx, samtest.SSPU, code.ID); return err })
	refused(t, w, sap.ReasonKeyState, func() error {
		_, err := w.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
		return err
	})
	if _, err := w.M.SetCertificateStatus(ctx, samtest.Officer, s.Key, sam.StatusGood, "found"); err != nil {
		t.Error(err)
	}
}

// BKP-02, FPT-05: a crash between the acceptance and the anchor that follows it: the
// acceptance stands, once, and the epoch is the new one.
func TestBKP02CrashBeforeTheAnchor(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	old := takeCopy(t, w)
	sad, proof := w.Approve(s, 1)
	putCopy(t, w, old)
	anchor := readFile(t, w.Cfg.AnchorPath)
	accept(t, w, sam.DecideRestore)
	w.Stop()
	write(t, w.Cfg.AnchorPath, anchor)
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	if info, err := w.M.Info(context.Background(), samtest.SSPU); err != nil || info.Audience != samtest.Cluster+"#2" || w.Waits(sam.DecideRestore) != nil {
		t.Errorf("%+v, %v", info, err)
	}
	refused(t, w, sap.ReasonAudience, func() error { _, err := w.Redeem(sad, proof); return err })
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Error(err)
	}
}

// BKP-02, PRV-03: an older database with an older configuration: the restore comes
// first, then the configuration, each by two.
func TestBKP02RestoreThenPolicy(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	old := takeCopy(t, w)
	restartWith(t, w, func(c *sam.Config) { c.LockoutLimit = 2 })
	accept(t, w, sam.DecidePolicy)
	putCopy(t, w, old)
	if w.Waits(sam.DecidePolicy) == nil {
		t.Fatal("the configuration that the older database knows is not this one")
	}
	if _, err := w.Accept(sam.DecidePolicy); err == nil {
		t.Error("the configuration was accepted before the restore")
	}
	accept(t, w, sam.DecideRestore)
	refused(t, w, sap.ReasonClosed, func() error {
		_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
		return err
	})
	accept(t, w, sam.DecidePolicy)
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Error(err)
	}
	w.Check()
}

// BKP-02, ROL-06: a database from before the ceremony makes nobody an officer, so
// that another ceremony could be held with it: it is refused.
func TestBKP02DatabaseFromBeforeTheCeremony(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.Ceremony = nil })
	document := samtest.Ceremony(t, samtest.Cluster)
	closeAll(t, w)
	old := filepath.Join(t.TempDir(), "old.db")
	samtest.CopyFile(t, w.DB(), old)
	w.Cfg.Ceremony = document
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	closeAll(t, w)
	samtest.CopyFile(t, old, w.DB())
	remove(t, w.DB()+"-wal")
	remove(t, w.DB()+"-shm")
	w.Cfg.Ceremony = samtest.Ceremony(t, samtest.Cluster) // mallory's
	stays(t, w, "before the ceremony")
}

// AFL-01: counts of a program that had no list yet go onto it at the next start.
func TestAFL01CountsOfBeforeTheList(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	bad := failing(t, w, s)
	_, _ = w.Redeem(bad.sad, bad.proof)
	w.Stop() // its anchor is of the start and knows of no list
	remove(t, w.Cfg.AnchorPath+".failures")
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	if n := len(splitLines(readIfThere(t, w.Cfg.AnchorPath+".failures"))); n != 1 {
		t.Errorf("%d lines", n)
	}
}
