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

// SAP-13: the policy of seals has ids of its own, which no policy for natural
// persons can take. A person's key gets no request under it, and an approval that
// names it, edited behind the device or signed by it, is refused; no one-time key
// is made under it either.
func TestSAP13SealPolicyNeverForAPersonsKey(t *testing.T) {
	for _, id := range []string{sam.PolicySeal, sam.PolicySeal + "-2", sam.PolicySeal + "-qualified"} {
		_, err := sam.Open(context.Background(), sam.Config{
			Cluster: "x", Store: &nopStore{}, Token: samtest.New(t).Token, AnchorPath: t.TempDir() + "/anchor", Origin: samtest.Origin, RPID: samtest.RPID,
			Policies: []sam.Policy{{ID: "standard", MaxItems: 1, Lifetime: time.Minute}, {ID: id, MaxItems: 1, Lifetime: time.Minute}},
		})
		if !errors.Is(err, sam.ErrConfig) || !strings.Contains(err.Error(), "reserved for seals") {
			t.Errorf("policy %s: %v", id, err)
		}
	}
	o := newOnceWorld(t)
	s := o.NewSigner("bob", algo.P256)
	ctx := context.Background()
	for _, id := range []string{sam.PolicySeal, sam.PolicySeal + "-2"} {
		refused(t, o.World, sap.ReasonPolicy, func() error {
			_, err := o.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1, Policy: id})
			return err
		})
		refused(t, o.World, sap.ReasonPolicy, func() error {
			_, err := o.M.RequestOneTime(ctx, samtest.SSPU, sam.AskOnce{Signer: "alice", Subject: "CN=DEMO Signer alice", Policy: id})
			return err
		})
		own := sign(t, o.World, s, 1, func(x *sap.SAD) { x.Bind.Policy = id })
		refused(t, o.World, sap.ReasonBinding, func() error { _, err := o.Redeem(own.sad, own.proof); return err })
		edited := sign(t, o.World, s, 1, nil)
		full, err := sap.DecodeSAD(edited.sad)
		if err != nil {
			t.Fatal(err)
		}
		full.Bind.Policy = id
		refused(t, o.World, sap.ReasonBinding, func() error { _, err := o.Redeem(loosely(t, full), edited.proof); return err })
	}
}

// SAP-14: an identity-linked session, that of a one-time key, has an id that never
// comes again and the id of the identity proofing, both under the signer's own
// assertion; the SAD names the session's key, and one SAD belongs to it: of two
// that the signer approved the older is void, and after one was used no other is
// taken.
func TestSAP14SessionAndProofingInTheApproval(t *testing.T) {
	o := newOnceWorld(t)
	bob := o.NewSigner("bob", algo.P256)
	sessions := map[string]bool{}
	for range 3 {
		statement, proof := o.ask()
		r, err := sap.DecodeOneTime(statement)
		if err != nil {
			t.Fatal(err)
		}
		if r.Proofing != "proof-1" || sessions[r.Key] || len(r.Key) < 24 {
			t.Errorf("session %q, proofing %q", r.Key, r.Proofing)
		}
		sessions[r.Key] = true
		// The proofing is approved, not only told: another one voids the assertion.
		r.Proofing = "proof-9"
		refused(t, o.World, sap.ReasonBinding, func() error { _, err := o.approve(loosely(t, r), proof); return err })
	}
	v := o.key()
	older, olderProof := o.Approve(o.alice, 1)
	newer, newerProof := o.Approve(o.alice, 1)
	full, err := sap.DecodeSAD(newer)
	if err != nil {
		t.Fatal(err)
	}
	if full.Bind.Key != v.Key || !strings.HasPrefix(v.Key, "o-") || full.Bind.Signer == bob.ID {
		t.Errorf("the SAD names key %s of %s", full.Bind.Key, full.Bind.Signer)
	}
	refused(t, o.World, sap.ReasonBinding, func() error { _, err := o.Redeem(older, olderProof); return err })
	if _, err := o.Redeem(newer, newerProof); err != nil {
		t.Fatal(err)
	}
	_, err = o.Redeem(older, olderProof)
	if err == nil {
		t.Error("two SADs for one session")
	}
	o.dead(t, v.Key)
	proofed := map[string]bool{}
	for _, r := range o.Records() {
		if r.Type == sam.EventSigner {
			proofed[r.Data] = strings.Contains(r.Data, `"proof":"proof-1"`)
		}
	}
	if len(proofed) != 2 {
		t.Errorf("%d signers were recorded", len(proofed))
	}
}
