package sam_test

import (
	"context"
	"encoding/hex"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// SAP-06, KEY-10: what a request for a one-time key offers is what the signer and the
// configuration say: the signer's authenticators, the allowed key types, the policy's
// time, an id and a nonce of their full lengths.
func TestSAP06WhatAOneTimeRequestOffers(t *testing.T) {
	o := newOnceWorld(t)
	ctx := context.Background()
	signed, err := o.M.RequestOneTime(ctx, samtest.SSPU, askOnce)
	if err != nil {
		t.Fatal(err)
	}
	text, err := sap.UnB64(signed.Statement)
	if err != nil {
		t.Fatal(err)
	}
	r, err := sap.DecodeOneTime(text)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.Credentials, []string{sap.B64(o.alice.Device.ID)}) {
		t.Errorf("authenticators %v", r.Credentials)
	}
	id, err := hex.DecodeString(strings.TrimPrefix(r.Key, "o-"))
	if err != nil || len(id) != 16 {
		t.Errorf("id %q: %v", r.Key, err)
	}
	if r.Life != 600 || r.Expires-r.IssuedAt != 300 || r.KeyType != "P-256" || r.IssuedAt != o.Clock.Now().Unix() {
		t.Errorf("%+v", r)
	}
	for what, c := range map[string]struct {
		ask  sam.AskOnce
		want sap.Reason
	}{
		"a key type that is valid and not allowed": {sam.AskOnce{Signer: "alice", KeyType: "P-521"}, sap.ReasonAlgorithm},
		"a key type that does not exist":           {sam.AskOnce{Signer: "alice", KeyType: "P-224"}, sap.ReasonAlgorithm},
		"a policy without one-time keys":           {sam.AskOnce{Signer: "alice", Policy: "bulk"}, sap.ReasonPolicy},
		"a policy that does not exist":             {sam.AskOnce{Signer: "alice", Policy: "none"}, sap.ReasonPolicy},
		"a name that is none":                      {sam.AskOnce{Signer: "alice", Subject: "CN"}, sap.ReasonInvalid},
	} {
		t.Run(what, func(t *testing.T) {
			refused(t, o.World, c.want, func() error { _, err := o.M.RequestOneTime(ctx, samtest.SSPU, c.ask); return err })
		})
	}
	if _, err := o.M.RequestOneTime(ctx, samtest.SSPU, sam.AskOnce{Signer: "alice", KeyType: "RSA-3072"}); err != nil {
		t.Errorf("another allowed key type: %v", err)
	}
}

// AFL-01, ENR-06: the approval of a one-time key moves the signature counter and ends a
// row of failures, as that of a signature does; a copy of the authenticator shows here.
func TestAFL01OneTimeApprovalMovesTheCounter(t *testing.T) {
	o := newOnceWorld(t)
	fail := func() {
		t.Helper()
		o.alice.Device.Flags = samtest.UP
		statement, proof := o.ask()
		o.alice.Device.Flags = samtest.UP | samtest.UV
		refused(t, o.World, sap.ReasonUserVerified, func() error { _, err := o.approve(statement, proof); return err })
	}
	o.alice.Device.Count = 5
	fail()
	fail()                            // of three
	want := int(o.alice.Device.Count) // of the next assertion
	if _, err := o.approve(o.ask()); err != nil {
		t.Fatal(err)
	}
	var count, failures int
	row := dba(t, o.World).QueryRow("SELECT sign_count, failures FROM guard")
	if err := row.Scan(&count, &failures); err != nil || count != want || failures != 0 {
		t.Errorf("counter %d, want %d; %d failures: %v", count, want, failures, err)
	}
	o.alice.Device.Count = 5 // the copy
	statement, proof := o.ask()
	rec := refused(t, o.World, sap.ReasonCounter, func() error { _, err := o.approve(statement, proof); return err })
	if rec.Type != sam.EventCopy {
		t.Errorf("%+v", rec)
	}
}

// SAP-02, ENR-03: the policy's tier and the signer's lock hold for a one-time key as
// for a signature, at the time of the approval.
func TestSAP02OneTimeApprovalAsksForTheTier(t *testing.T) {
	m := newMaker(t)
	o := newOnceWorld(t, func(c *sam.Config) { c.Models.Metadata = m.blob(t, 3) })
	statement, proof := o.ask()
	o.Stop()
	o.Cfg.Policies[0].Tier = sam.TierAttested
	if err := o.OpenAccepted(); err != nil {
		t.Fatal(err)
	}
	// A start ends what was asked for before; what is asked for now is refused when
	// it is approved, and no key is made.
	made := o.keys.made()
	if _, err := o.approve(statement, proof); err == nil {
		t.Error("an approval of before the start is taken")
	}
	signed, err := o.M.RequestOneTime(context.Background(), samtest.SSPU, askOnce)
	if err == nil {
		if statement, proof, err = o.alice.Device.ApproveOnce(o.StatementKey(), signed); err != nil {
			t.Fatal(err)
		}
		refused(t, o.World, sap.ReasonTier, func() error { _, err := o.approve(statement, proof); return err })
	} else if !errors.Is(err, sap.ReasonTier) {
		t.Errorf("%v", err)
	}
	if n := o.keys.made() - made; n != 0 {
		t.Errorf("%d keys were made", n)
	}
}

// SAP-06: a one-time key that is over, or whose memory is gone, is used for nothing,
// whatever else is in order: neither asked for nor redeemed.
func TestSAP06OneTimeKeyThatIsOver(t *testing.T) {
	o := newOnceWorld(t)
	v := o.key()
	ask := func() error {
		_, err := o.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: "alice", Key: v.Key, N: 1})
		return err
	}
	o.Clock.Advance(10*time.Minute - time.Second)
	if err := ask(); err != nil {
		t.Errorf("in the last second: %v", err)
	}
	o.Clock.Advance(time.Second)
	refused(t, o.World, sap.ReasonKeyState, ask)
	if err := o.EndSigner("alice", sam.CauseSigner, "asked"); err != nil {
		t.Fatal(err)
	}
	o.dead(t, v.Key)
}

// SAP-06: the configuration of one-time keys at its bounds.
func TestSAP06OneTimeConfigurationBounds(t *testing.T) {
	cfg := newOnceWorld(t).Cfg
	for name, c := range map[string]struct {
		change func(*sam.Config)
		bad    bool
	}{
		"one policy twice":        {func(c *sam.Config) { c.OneTime = append(c.OneTime, c.OneTime[0]) }, true},
		"two policies":            {func(c *sam.Config) { two := c.OneTime[0]; two.Policy = "bulk"; c.OneTime = append(c.OneTime, two) }, false},
		"ten seconds":             {func(c *sam.Config) { c.OneTime[0].Life = 10 * time.Second }, false},
		"less":                    {func(c *sam.Config) { c.OneTime[0].Life = 10*time.Second - 1 }, true},
		"thirty minutes":          {func(c *sam.Config) { c.OneTime[0].Life = 30 * time.Minute }, false},
		"more":                    {func(c *sam.Config) { c.OneTime[0].Life = 30*time.Minute + 1 }, true},
		"a CA without a name":     {func(c *sam.Config) { c.CAs[""] = c.CAs[c.OneTime[0].CA]; c.OneTime[0].CA = "" }, true},
		"a second type unknown":   {func(c *sam.Config) { c.OneTime[0].KeyTypes = []string{"P-256", "P-224"} }, true},
		"the largest pool":        {func(c *sam.Config) { c.KeyPool = map[string]int{"P-256": 1000} }, false},
		"a larger pool":           {func(c *sam.Config) { c.KeyPool = map[string]int{"P-256": 1001} }, true},
		"an empty pool":           {func(c *sam.Config) { c.KeyPool = map[string]int{"P-256": 0} }, false},
		"less than an empty pool": {func(c *sam.Config) { c.KeyPool = map[string]int{"P-256": -1} }, true},
		"a pool of no type":       {func(c *sam.Config) { c.KeyPool = map[string]int{"P-224": 1} }, true},
	} {
		x := cfg
		x.OneTime = slices.Clone(cfg.OneTime)
		x.CAs = map[string]sam.CertificateAuthority{}
		for name, ca := range cfg.CAs {
			x.CAs[name] = ca
		}
		c.change(&x)
		x.Store = &nopStore{}
		x.AnchorPath = filepath.Join(t.TempDir(), "missing", "anchor") // never opened
		if _, err := sam.Open(context.Background(), x); errors.Is(err, sam.ErrConfig) != c.bad {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// KEY-10, KPR-04: a one-time key is in memory from its certificate to its use, and not
// after whatever ends it, as long as it would have lived.
func TestKEY10MemoryOfOneTimeKeys(t *testing.T) {
	ctx := context.Background()
	for name, end := range map[string]func(o *onceWorld, key string) error{
		"used": func(o *onceWorld, _ string) error { _, err := o.Redeem(o.Approve(o.alice, 1)); return err },
		"used, and the token failed": func(o *onceWorld, _ string) error {
			sad, proof := o.Approve(o.alice, 1)
			o.Token.FailAfter(errors.New("gone"))
			defer o.Token.FailAfter(nil)
			if _, err := o.Redeem(sad, proof); err == nil {
				return errors.New("the token failed and nobody was told")
			}
			return nil
		},
		"the signer ends": func(o *onceWorld, _ string) error {
			return o.EndSigner("alice", sam.CauseSigner, "asked")
		},
		"its time is over": func(o *onceWorld, _ string) error {
			o.Clock.Advance(10 * time.Minute)
			err := o.M.EndOneTime(ctx)
			o.Clock.Advance(-10 * time.Minute) // it does not come back
			return err
		},
	} {
		o := newOnceWorld(t)
		v := o.key()
		if !o.M.Kept(v.Key) {
			t.Fatalf("%s: the key is not there to begin with", name)
		}
		if err := end(o, v.Key); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if o.M.Kept(v.Key) {
			t.Errorf("%s: the key is still in memory", name)
		}
	}
}
