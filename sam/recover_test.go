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

// lost is a world in which alice has lost her only authenticator, and an officer
// has revoked it.
type lost struct {
	*samtest.World
	alice *samtest.Signer
	fresh *samtest.Device
}

func newLost(t *testing.T, change ...func(*sam.Config)) *lost {
	t.Helper()
	w := samtest.New(t, change...)
	l := &lost{World: w, alice: w.NewSigner("alice", algo.P256), fresh: newDevice()}
	if err := w.M.RevokeAuthenticator(context.Background(), samtest.Officer, "alice", sap.B64(l.alice.Device.ID), "lost on a journey"); err != nil {
		t.Fatal(err)
	}
	return l
}

var reproofed = sam.Recovery{Signer: "alice", Name: "Signer alice", Proof: "proof-2", Why: "came in person with her passport"}

// halves has both officers fetch theirs.
func (l *lost) halves() (id, first, second string) {
	l.T.Helper()
	a, err := l.M.GiveHalf(context.Background(), samtest.Officer, "alice")
	if err != nil {
		l.T.Fatal(err)
	}
	b, err := l.M.GiveHalf(context.Background(), samtest.Second, "alice")
	if err != nil {
		l.T.Fatal(err)
	}
	if a.ID != b.ID || a.No != 1 || b.No != 2 || a.Half == b.Half {
		l.T.Fatalf("%+v, %+v", a, b)
	}
	return a.ID, a.Half, b.Half
}

// enrol answers the recovery with a code.
func (l *lost) enrol(id, code string, d *samtest.Device) error {
	l.T.Helper()
	req, err := l.M.BeginEnrolment(context.Background(), samtest.SSPU, id)
	if err != nil {
		return err
	}
	reg, err := d.Register(l.StatementKey(), req, code)
	if err != nil {
		return err
	}
	_, err = l.M.FinishEnrolment(context.Background(), samtest.SSPU, id, reg)
	return err
}

// ENR-06: a signer who has lost everything is proofed again, two officers decide,
// each hands over one half of the code; the new authenticator cools, the old key is
// gone for ever, and the new one signs.
func TestENR06Recovery(t *testing.T) {
	l := newLost(t)
	l.Decide(sam.DecideRecovery, reproofed)
	if v, err := l.M.Credentials(context.Background(), samtest.Officer, "", l.alice.Key); err != nil || v[0].State != sam.KeyDestroyed {
		t.Fatalf("the old key: %+v, %v", v, err)
	}
	id, first, second := l.halves()
	l.Crash()
	if err := l.enrol(id, first+second, l.fresh); err != nil {
		t.Fatal(err)
	}
	list := l.List("alice", 0)
	if got := kinds(list); got != sam.NoticeLost+" "+sam.NoticeProofing+" "+sam.NoticeAdded || len(list.Authenticators) != 1 {
		t.Errorf("notices %s", got)
	}
	if a := list.Authenticators[0]; a.Via != sam.ViaProofing || a.Usable || a.UsableFrom != l.Clock.Now().Add(24*time.Hour).Unix() {
		t.Errorf("%+v", a)
	}
	old := *l.alice
	l.alice.Device = l.fresh
	l.NewKey(l.alice, algo.P256)
	refused(t, l.World, sap.ReasonCooling, func() error { return signWith(l.World, l.alice, l.fresh) })
	refused(t, l.World, sap.ReasonCooling, func() error {
		_, err := l.M.BeginChange(context.Background(), samtest.SSPU, sam.AskChange{Signer: "alice", Action: sap.ActionAdd})
		return err
	})
	l.Clock.Advance(24 * time.Hour)
	if err := signWith(l.World, l.alice, l.fresh); err != nil {
		t.Fatal(err)
	}
	refused(t, l.World, sap.ReasonKeyState, func() error { return signWith(l.World, &old, l.fresh) })
	refused(t, l.World, sap.ReasonEnrolment, func() error { return l.enrol(id, first+second, newDevice()) })
	if rec := lastOf(t, l.World, sam.EventReproofed).Data; !strings.Contains(rec, `"before":"proof-1"`) || !strings.Contains(rec, `"proof":"proof-2"`) {
		t.Errorf("record %s", rec)
	}
	l.Check()
}

// ENR-06: what one person, one role, or an incomplete proofing asks for is refused,
// for its own reason, and nothing changes.
func TestENR06RecoveryNeedsTwoOfficersAndANewProofing(t *testing.T) {
	ctx := context.Background()
	l := newLost(t)
	bob := l.NewSigner("bob", algo.P256)
	if _, err := l.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "carol", Name: "Carol", Proof: "p"}); err != nil {
		t.Fatal(err)
	}
	before := reference(l.World, "alice") + reference(l.World, "bob")
	// The first officer under a second name, by which the same person is known.
	l.Decide(sam.DecideGrant, sam.Grant{Name: "officer-1b", Person: samtest.Officer.Identity, Role: sam.RoleOfficer, Key: keyOf("o1b")})
	twin := sam.Caller{Identity: "officer-1b", Role: sam.RoleOfficer, Key: keyOf("o1b")}
	propose := func(c sam.Caller, change func(*sam.Recovery)) func() error {
		in := reproofed
		if change != nil {
			change(&in)
		}
		return func() error { _, err := l.M.Propose(ctx, c, sam.DecideRecovery, l.Args(in)); return err }
	}
	for name, x := range map[string]struct {
		want sap.Reason
		call func() error
	}{
		"the signing application":  {sap.ReasonRole, propose(samtest.SSPU, nil)},
		"an administrator":         {sap.ReasonRole, propose(samtest.Admin, nil)},
		"an operator":              {sap.ReasonRole, propose(samtest.Watch, nil)},
		"an auditor":               {sap.ReasonRole, propose(samtest.Auditor, nil)},
		"the registration":         {sap.ReasonRole, propose(samtest.RA, nil)},
		"who still has a passkey":  {sap.ReasonLive, propose(samtest.Officer, func(r *sam.Recovery) { r.Signer, r.Name = "bob", "Signer bob" })},
		"who was never enrolled":   {sap.ReasonState, propose(samtest.Officer, func(r *sam.Recovery) { r.Signer, r.Name = "carol", "Carol" })},
		"who does not exist":       {sap.ReasonSignerUnknown, propose(samtest.Officer, func(r *sam.Recovery) { r.Signer = "dora" })},
		"another person's name":    {sap.ReasonName, propose(samtest.Officer, func(r *sam.Recovery) { r.Name = "Mallory" })},
		"the proofing of before":   {sap.ReasonProofing, propose(samtest.Officer, func(r *sam.Recovery) { r.Proof = "proof-1" })},
		"no proofing":              {sap.ReasonInvalid, propose(samtest.Officer, func(r *sam.Recovery) { r.Proof = "" })},
		"no reason":                {sap.ReasonInvalid, propose(samtest.Officer, func(r *sam.Recovery) { r.Why = "" })},
		"a first enrolment's code": {sap.ReasonState, func() error { _, err := l.M.OpenEnrolment(ctx, samtest.Officer, "alice"); return err }},
		"a half of what was never decided": {sap.ReasonEnrolment, func() error {
			_, err := l.M.GiveHalf(ctx, samtest.Officer, "alice")
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, l.World, x.want, x.call)
			if reference(l.World, "alice")+reference(l.World, "bob") != before {
				t.Error("something changed")
			}
		})
	}
	p, err := l.M.Propose(ctx, samtest.Officer, sam.DecideRecovery, l.Args(reproofed))
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []sam.Caller{samtest.Officer, twin} {
		refused(t, l.World, sap.ReasonSecond, func() error { _, err := l.M.Approve(ctx, who, p.ID); return err })
	}
	refused(t, l.World, sap.ReasonEnrolment, func() error { _, err := l.M.GiveHalf(ctx, samtest.Officer, "alice"); return err })
	if reference(l.World, "alice")+reference(l.World, "bob") != before || len(l.List("alice", 0).Notices) != 1 {
		t.Error("one officer changed something")
	}
	if err := signWith(l.World, bob, bob.Device); err != nil {
		t.Error(err)
	}
}

// ENR-06: a proposal that was right when it was made is looked at again: who got an
// authenticator meanwhile is not recovered.
func TestENR06LiveAuthenticatorAtTheApproval(t *testing.T) {
	l := newLost(t)
	ctx := context.Background()
	p, err := l.M.Propose(ctx, samtest.Officer, sam.DecideRecovery, l.Args(reproofed))
	if err != nil {
		t.Fatal(err)
	}
	l.Decide(sam.DecideRecovery, reproofed) // another proposal of the same
	id, first, second := l.halves()
	if err := l.enrol(id, first+second, l.fresh); err != nil {
		t.Fatal(err)
	}
	refused(t, l.World, sap.ReasonLive, func() error { _, err := l.M.Approve(ctx, samtest.Second, p.ID); return err })
}

// ENR-06: each half is given once, to its officer; nothing but both, in their
// order, opens the enrolment; and it closes with time, wrong codes, and when one of
// the two is no officer any more.
func TestENR06TheTwoHalves(t *testing.T) {
	ctx := context.Background()
	wrong := func(name string, code func(first, second string) string) {
		t.Run(name, func(t *testing.T) {
			l := newLost(t)
			l.Decide(sam.DecideRecovery, reproofed)
			id, first, second := l.halves()
			for range 3 {
				refusedIn(t, l.World, sap.ReasonEnrolCode, 1, func() error { return l.enrol(id, code(first, second), l.fresh) })
			}
			refused(t, l.World, sap.ReasonEnrolment, func() error { return l.enrol(id, first+second, l.fresh) })
			if n := len(l.List("alice", 0).Authenticators); n != 0 {
				t.Errorf("%d authenticators", n)
			}
		})
	}
	wrong("swapped", func(a, b string) string { return b + a })
	wrong("the first twice", func(a, _ string) string { return a + a })
	wrong("the second twice", func(_, b string) string { return b + b })
	wrong("the first alone", func(a, _ string) string { return a })
	wrong("the second alone", func(_, b string) string { return b })

	l := newLost(t)
	l.Decide(sam.DecideRecovery, reproofed)
	third := sam.Caller{Identity: "olga", Role: sam.RoleOfficer}
	refused(t, l.World, sap.ReasonSecond, func() error { _, err := l.M.GiveHalf(ctx, third, "alice"); return err })
	for _, who := range []sam.Caller{samtest.SSPU, samtest.Auditor, samtest.RA, samtest.Admin, samtest.Watch} {
		refused(t, l.World, sap.ReasonRole, func() error { _, err := l.M.GiveHalf(ctx, who, "alice"); return err })
	}
	id, first, second := l.halves()
	for _, who := range []sam.Caller{samtest.Officer, samtest.Second} {
		refused(t, l.World, sap.ReasonState, func() error { _, err := l.M.GiveHalf(ctx, who, "alice"); return err })
	}
	l.Decide(sam.DecideRevoke, sam.Revoke{Name: "otto", Why: "left"}) // no one of the two
	l.Clock.Advance(72 * time.Hour)
	refused(t, l.World, sap.ReasonEnrolment, func() error { return l.enrol(id, first+second, l.fresh) })
	refused(t, l.World, sap.ReasonEnrolment, func() error { _, err := l.M.GiveHalf(ctx, samtest.Officer, "alice"); return err })

	// A second decision makes the codes of the first worthless.
	again := reproofed
	again.Proof = "proof-3"
	l.Decide(sam.DecideRecovery, again)
	next, a, b := l.halves()
	refused(t, l.World, sap.ReasonEnrolment, func() error { return l.enrol(id, first+second, l.fresh) })
	l.Decide(sam.DecideRevoke, sam.Revoke{Name: samtest.Second.Identity, Why: "suspected"})
	refusedIn(t, l.World, sap.ReasonSecond, 1, func() error { return l.enrol(next, a+b, l.fresh) })
}

// ENR-06, ENR-03: recovery is never weaker than enrolment: the same policy on the
// new authenticator, and none that anybody has.
func TestENR06RecoveryIsNoWeakerThanEnrolment(t *testing.T) {
	l := newLost(t, func(c *sam.Config) { c.DeviceBound, c.WrongCodes = true, 20 })
	bob := l.NewSigner("bob", algo.P256)
	l.Decide(sam.DecideRecovery, reproofed)
	id, first, second := l.halves()
	for name, x := range map[string]struct {
		want   sap.Reason
		device func(*samtest.Device)
	}{
		"a key that is backed up": {sap.ReasonBackup, func(d *samtest.Device) { d.Flags |= samtest.BE | samtest.BS }},
		"no user verification":    {sap.ReasonUserVerified, func(d *samtest.Device) { d.Flags = samtest.UP }},
		"another origin":          {sap.ReasonOrigin, func(d *samtest.Device) { d.Origin = "http://localhost:8440" }},
		"another relying party":   {sap.ReasonRPID, func(d *samtest.Device) { d.RPID = "evil.example" }},
		"an assertion":            {sap.ReasonCeremony, func(d *samtest.Device) { d.Type = "webauthn.get" }},
		"a forged attestation":    {sap.ReasonAttestation, func(d *samtest.Device) { d.Format = "tpm" }},
		"bob's credential id":     {sap.ReasonExists, func(d *samtest.Device) { d.ID = bob.Device.ID }},
	} {
		d := newDevice()
		x.device(d)
		refusedIn(t, l.World, x.want, 1, func() error { return l.enrol(id, first+second, d) })
		if n := len(l.List("alice", 0).Authenticators); n != 0 {
			t.Fatalf("%s: %d authenticators", name, n)
		}
	}
	if err := l.enrol(id, first+second, l.fresh); err != nil {
		t.Fatal(err)
	}
}

// ENR-06, PRV-01: two officers and the signing application together, who recover a
// signer with an authenticator of their own, sign nothing with the signer's key:
// it is destroyed with their decision, whatever time passes.
func TestENR06ConspiracyGetsNoOldKey(t *testing.T) {
	l := newLost(t)
	held, proof := l.Token.Uses(), l.alice.Key
	open := func() error { return signWith(l.World, l.alice, l.fresh) }
	refused(t, l.World, sap.ReasonAuthenticator, open)
	l.Decide(sam.DecideRecovery, reproofed)
	id, first, second := l.halves()
	if err := l.enrol(id, first+second, l.fresh); err != nil {
		t.Fatal(err)
	}
	l.Clock.Advance(48 * time.Hour)
	refused(t, l.World, sap.ReasonKeyState, open)
	if _, err := l.M.SetCertificateStatus(context.Background(), samtest.Officer, proof, sam.StatusGood, "x"); !errors.Is(err, sap.ReasonState) {
		t.Errorf("got %v", err)
	}
	if n := l.Token.Uses() - held; n != 0 {
		t.Errorf("%d key uses", n)
	}
	l.Crash()
	refused(t, l.World, sap.ReasonKeyState, open)
}

// ENR-06: the decision and all that belongs to it are one transaction.
func TestENR06OneTransaction(t *testing.T) {
	for _, done := range []bool{false, true} {
		l := newLost(t)
		ctx := context.Background()
		p, err := l.M.Propose(ctx, samtest.Officer, sam.DecideRecovery, l.Args(reproofed))
		if err != nil {
			t.Fatal(err)
		}
		fail := l.Store.FailBefore
		if done {
			fail = l.Store.FailAfter
		}
		fail(func(int) bool { return true })
		if _, err := l.M.Approve(ctx, samtest.Second, p.ID); !errors.Is(err, sap.ReasonStore) {
			t.Errorf("got %v", err)
		}
		fail(nil)
		l.Crash()
		_, err = l.M.GiveHalf(ctx, samtest.Officer, "alice")
		if done != (err == nil) {
			t.Errorf("written %v: a half: %v", done, err)
		}
		v, err := l.M.Credentials(ctx, samtest.Officer, "", l.alice.Key)
		if err != nil || done != (v[0].State == sam.KeyDestroyed) || done != (len(l.List("alice", 0).Notices) == 2) {
			t.Errorf("written %v: %+v, %v", done, v, err)
		}
		l.Check()
	}
}
