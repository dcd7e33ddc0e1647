package sam_test

import (
	"context"
	"testing"

	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// ROL-03: whoever has a privileged role, or is an application, is never enrolled as a
// signer: not by the name of the certificate, not by the person behind it, not in
// another spelling, not after the role was taken away, and not between a proposal
// and its approval.
func TestROL03PrivilegedIdentityIsNoSigner(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	enrol := func(id string) error {
		_, err := w.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: id, Name: "Some Body", Proof: "passport"})
		return err
	}
	w.Decide(sam.DecideGrant, grantOf("paula-1", "paula", sam.RoleAuditor))
	tried := 0
	for _, c := range []sam.Caller{samtest.Officer, samtest.Second, samtest.Admin, samtest.Auditor, samtest.RA, samtest.SSPU} {
		refused(t, w, sap.ReasonSeparation, func() error { return enrol(c.Identity) })
		tried++
	}
	if tried != 6 {
		t.Fatalf("%d roles tried", tried)
	}
	for _, id := range []string{"paula", "paula-1", "PAULA", "Paula.1", "pau_la"} {
		refused(t, w, sap.ReasonSeparation, func() error { return enrol(id) })
	}
	w.Decide(sam.DecideRevoke, sam.Revoke{Name: "paula-1", Why: "left"})
	refused(t, w, sap.ReasonSeparation, func() error { return enrol("paula") })

	// A signer's id, in whatever spelling it stands in the records or in the grant, is no
	// name and no person of a role.
	for _, id := range []string{"Dora.Example", "d-o-r-a-2", "eve:EXAMPLE@x#1"} {
		if err := enrol(id); err != nil {
			t.Fatal(err)
		}
	}
	spelt := 0
	for _, id := range []string{"Dora.Example", "dora.example", "DORAEXAMPLE", "dora_example", "dora2", "D.O.R.A.2", "Dora-2", "eveexamplex1", "Eve.Example-X@1"} {
		for _, g := range []sam.Grant{grantOf(id, "somebody", sam.RoleAdmin), grantOf("somebody", id, sam.RoleAdmin)} {
			refused(t, w, sap.ReasonSeparation, func() error { _, err := w.Try(sam.DecideGrant, g); return err })
			spelt++
		}
	}
	w.Decide(sam.DecideGrant, grantOf("dora3", "dora-example-2", sam.RoleAdmin)) // another letter is another name
	if spelt != 18 {
		t.Errorf("%d spellings", spelt)
	}

	// The other way round: a signer gets no role, and one who becomes a signer while a
	// grant waits neither.
	if err := enrol("bert"); err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonSeparation, func() error { _, err := w.Try(sam.DecideGrant, grantOf("bert", "bert", sam.RoleAdmin)); return err })
	p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideGrant, w.Args(grantOf("carl-1", "carl", sam.RoleAdmin)))
	if err != nil {
		t.Fatal(err)
	}
	if err := enrol("carl"); err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonSeparation, func() error { _, err := w.M.Approve(ctx, samtest.Second, p.ID); return err })
}
