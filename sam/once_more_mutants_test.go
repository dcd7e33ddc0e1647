package sam_test

import (
	"context"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// SAP-02, AFL-01, AUD-02: what is no approval of this request by this signer makes no key:
// octets that are no assertion, another's authenticator, one that is locked, a clock that
// went back before the offer. Each has its reason, and the record names key and signer.
func TestSAP02WhatApprovesNoOneTimeKey(t *testing.T) {
	for what, c := range map[string]struct {
		want sap.Reason
		call func(t *testing.T, o *onceWorld) (statement, proof []byte)
	}{
		"no assertion": {sap.ReasonEncoding, func(_ *testing.T, o *onceWorld) ([]byte, []byte) {
			statement, _ := o.ask()
			return statement, []byte("{}")
		}},
		"a credential id without form": {sap.ReasonEncoding, func(t *testing.T, o *onceWorld) ([]byte, []byte) {
			statement, proof := o.ask()
			return statement, respell(t, proof, func(a *sap.Assertion) { a.Credential = "!!" })
		}},
		"another's authenticator": {sap.ReasonAuthenticator, func(t *testing.T, o *onceWorld) ([]byte, []byte) {
			bob := o.NewSigner("bob", algo.P256)
			signed, err := o.M.RequestOneTime(context.Background(), samtest.SSPU, askOnce)
			if err != nil {
				t.Fatal(err)
			}
			statement, proof, err := bob.Device.ApproveOnce(o.StatementKey(), signed)
			if err != nil {
				t.Fatal(err)
			}
			return statement, proof
		}},
		"locked meanwhile": {sap.ReasonLocked, func(t *testing.T, o *onceWorld) ([]byte, []byte) {
			statement, proof := o.ask()
			for range 3 {
				o.alice.Device.Flags = samtest.UP
				other, bad := o.ask()
				if _, err := o.approve(other, bad); !errors.Is(err, sap.ReasonUserVerified) {
					t.Fatal(err)
				}
			}
			return statement, proof
		}},
		"before the offer": {sap.ReasonNotYet, func(_ *testing.T, o *onceWorld) ([]byte, []byte) {
			statement, proof := o.ask()
			o.Clock.Advance(-time.Second)
			return statement, proof
		}},
		"after the offer": {sap.ReasonExpired, func(_ *testing.T, o *onceWorld) ([]byte, []byte) {
			statement, proof := o.ask()
			o.Clock.Advance(5 * time.Minute)
			return statement, proof
		}},
	} {
		t.Run(what, func(t *testing.T) {
			o := newOnceWorld(t)
			statement, proof := c.call(t, o)
			made := o.keys.made()
			rec := refused(t, o.World, c.want, func() error { _, err := o.approve(statement, proof); return err })
			if !contains(rec.Data, onceKeyOf(t, statement)) || !contains(rec.Data, `"signer":"alice"`) {
				t.Errorf("the record does not name key and signer: %s", rec.Data)
			}
			if o.keys.made() != made || o.ca.Calls() != 0 {
				t.Error("a key was made")
			}
		})
	}
}

// SAP-06: an offer can be approved from the second of its issue to the last before its end.
func TestSAP06OfferToTheSecond(t *testing.T) {
	for _, after := range []time.Duration{0, 5*time.Minute - time.Second} {
		o := newOnceWorld(t)
		statement, proof := o.ask()
		o.Clock.Advance(after)
		if _, err := o.approve(statement, proof); err != nil {
			t.Errorf("after %v: %v", after, err)
		}
	}
}

// KEY-10, I2: two approvals of one request (the device was asked twice) that arrive
// together: the module has read the request for both before one of them takes it. One
// gets the key, the other a refusal; one key is made, and one counter moves.
func TestKEY10TwoApprovalsOfOneRequest(t *testing.T) {
	o := newOnceWorld(t)
	store := paused(t, o.World)
	signed, err := o.M.RequestOneTime(context.Background(), samtest.SSPU, askOnce)
	if err != nil {
		t.Fatal(err)
	}
	approve := func() (statement, proof []byte) {
		t.Helper()
		statement, proof, err := o.alice.Device.ApproveOnce(o.StatementKey(), signed)
		if err != nil {
			t.Fatal(err)
		}
		return statement, proof
	}
	statement, first := approve()
	_, second := approve()
	var between error
	made := o.keys.made()
	store.next = func() { _, between = o.approve(statement, second) }
	_, err = o.M.ApproveOneTime(context.WithValue(context.Background(), pausedKey{}, true), samtest.SSPU, statement, first)
	if between != nil || err == nil {
		t.Errorf("the one between: %v; the one that was overtaken: %v", between, err)
	}
	if n := o.keys.made() - made; n != 1 || o.ca.Calls() != 1 {
		t.Errorf("%d keys, %d certificates", n, o.ca.Calls())
	}
	o.Check()
}

// KEY-10, SAP-03, AFL-01: something of the signer's authenticator changes while a one-time
// key is about to be used: the module looks again, and the key is consumed with the session
// that is consumed, once.
func TestKEY10GuardChangesBeforeTheUse(t *testing.T) {
	var o *onceWorld
	var meanwhile func()
	o = newOnceWorld(t, func(c *sam.Config) {
		c.Hook = func(s sam.Step) {
			if f := meanwhile; s == sam.StepVerified && f != nil {
				meanwhile = nil
				f()
			}
		}
	})
	key := o.key().Key
	sad, proof := o.Approve(o.alice, 1)
	meanwhile = func() {
		if err := o.M.Lift(context.Background(), samtest.Officer, "alice", sap.B64(o.alice.Device.ID), "asked"); err != nil {
			t.Error(err)
		}
	}
	answer, err := o.Redeem(sad, proof)
	if err != nil || meanwhile != nil {
		t.Fatalf("%v", err)
	}
	o.Decode(answer)
	if n := count(o.World, sam.EventOnceUsed); n != 1 {
		t.Errorf("%d uses are on record", n)
	}
	o.dead(t, key)
	refused(t, o.World, sap.ReasonConsumed, func() error {
		_, err := o.M.Redeem(context.Background(), samtest.SSPU, sad, o.proofAgain(sad), []byte("[]"))
		return err
	})
}

// proofAgain is another assertion of alice over the same SAD.
func (o *onceWorld) proofAgain(text []byte) []byte {
	o.T.Helper()
	s, err := sap.DecodeSAD(text)
	if err != nil {
		o.T.Fatal(err)
	}
	_, proof, err := o.alice.Device.Sign(s)
	if err != nil {
		o.T.Fatal(err)
	}
	return proof
}

// KEY-10: what the caller of an approval gets: the key, its type and algorithms, the chain,
// the module's label, and the end of its time, the same again for the same octets.
func TestKEY10WhatAnApprovalReturns(t *testing.T) {
	o := newOnceWorld(t)
	statement, proof := o.ask()
	v, err := o.approve(statement, proof)
	if err != nil {
		t.Fatal(err)
	}
	again, err := o.approve(statement, proof)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []*sam.OnceView{v, again} {
		cert, err := x509.ParseCertificate(v.Chain[0])
		if err != nil {
			t.Fatal(err)
		}
		if v.Key != onceKeyOf(t, statement) || v.Signer != "alice" || v.KeyType != "P-256" || len(v.Algs) == 0 || v.Assurance == "" ||
			v.Expires != o.Clock.Now().Add(10*time.Minute).Unix() || cert.Subject.CommonName != "DEMO Signer alice" {
			t.Errorf("%+v", v)
		}
	}
	o.Clock.Advance(10 * time.Minute)
	if _, err := o.approve(statement, proof); err == nil {
		t.Error("answered after the key's time")
	}
	text, err := jcs.Marshal(struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, o.World, sap.ReasonEncoding, func() error { _, err := o.approve(text, proof); return err })
}

// KEY-10, SAP-06: each policy has its own rule: who asks for a one-time key under one gets
// its key types, CA and life, and no other policy's; under a policy without a rule there is
// none.
func TestKEY10EachPolicyHasItsOwnRule(t *testing.T) {
	o := newOnceWorld(t, func(c *sam.Config) {
		c.Policies = append(c.Policies, sam.Policy{ID: "shorter", Lifetime: time.Minute, MaxItems: 10}, sam.Policy{ID: "none", Lifetime: time.Minute, MaxItems: 10})
		c.OneTime[0].KeyTypes = []string{"P-256"}
		c.CAs = map[string]sam.CertificateAuthority{samtest.OnceCA: c.CAs[samtest.OnceCA], "other": c.CAs[samtest.OnceCA]}
		c.OneTime = append(c.OneTime, sam.OneTime{Policy: "shorter", CA: "other", KeyTypes: []string{"P-384", "RSA-3072"}, Life: time.Minute})
	})
	for name, c := range map[string]struct {
		policy, keyType string
		want            sap.Reason
		got             sap.OneTimeRequest
	}{
		"first":                     {"standard", "", "", sap.OneTimeRequest{KeyType: "P-256", CA: samtest.OnceCA, Life: 600}},
		"second":                    {"shorter", "", "", sap.OneTimeRequest{KeyType: "P-384", CA: "other", Life: 60}},
		"its other type":            {"shorter", "RSA-3072", "", sap.OneTimeRequest{KeyType: "RSA-3072", CA: "other", Life: 60}},
		"the first's type":          {"shorter", "P-256", sap.ReasonAlgorithm, sap.OneTimeRequest{}},
		"the second's type":         {"standard", "P-384", sap.ReasonAlgorithm, sap.OneTimeRequest{}},
		"a policy without a rule":   {"none", "", sap.ReasonPolicy, sap.OneTimeRequest{}},
		"its type would be allowed": {"none", "P-256", sap.ReasonPolicy, sap.OneTimeRequest{}},
	} {
		ask := askOnce
		ask.Policy, ask.KeyType = c.policy, c.keyType
		signed, err := o.M.RequestOneTime(context.Background(), samtest.SSPU, ask)
		if c.want != "" {
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, err := sap.UnB64(signed.Statement)
		if err != nil {
			t.Fatal(err)
		}
		req, err := sap.DecodeOneTime(text)
		if err != nil || req.Policy != c.policy || req.KeyType != c.got.KeyType || req.CA != c.got.CA || req.Life != c.got.Life {
			t.Errorf("%s: %+v, %v", name, req, err)
		}
	}
}
