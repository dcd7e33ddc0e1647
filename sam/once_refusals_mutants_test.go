package sam_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// KEY-10, KEY-07, ENR-04: a one-time key is asked for by a signer who has an
// authenticator that may be used now; an unknown signer, one without any and one whose
// only one is cooling get no offer.
func TestKEY10WhoMayAskForAOneTimeKey(t *testing.T) {
	o := newOnceWorld(t)
	ctx := context.Background()
	ask := func(signer string) func() error {
		return func() error {
			_, err := o.M.RequestOneTime(ctx, samtest.SSPU, sam.AskOnce{Signer: signer})
			return err
		}
	}
	if _, err := o.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "carol", Name: "Carol", Proof: "p-1"}); err != nil {
		t.Fatal(err)
	}
	refused(t, o.World, sap.ReasonSignerUnknown, ask("nobody"))
	refused(t, o.World, sap.ReasonState, ask("carol"))
	if err := ask("alice")(); err != nil {
		t.Fatal(err)
	}
	fresh := newDevice()
	signed, req := o.Offer("alice", sap.ActionAdd, nil)
	answer, err := o.alice.Device.Change(o.StatementKey(), signed, fresh)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Finish(req.ID, answer); err != nil {
		t.Fatal(err)
	}
	offered := func() []string {
		t.Helper()
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
		return r.Credentials
	}
	if got := offered(); len(got) != 1 || got[0] != sap.B64(o.alice.Device.ID) {
		t.Errorf("offered to %v, one of them is cooling", got)
	}
	if err := o.M.RevokeAuthenticator(ctx, samtest.Officer, "alice", sap.B64(o.alice.Device.ID), "lost"); err != nil {
		t.Fatal(err)
	}
	refused(t, o.World, sap.ReasonCooling, ask("alice"))
	if err := o.M.RevokeAuthenticator(ctx, samtest.Officer, "alice", sap.B64(fresh.ID), "lost"); err != nil {
		t.Fatal(err)
	}
	refused(t, o.World, sap.ReasonState, ask("alice"))
}

// KEY-06, PRV-02: an authenticator that an administrator of the database took away is
// missed: between offer and approval, and between certificate and use; no key is made or
// used by those who are left.
func TestKEY06AuthenticatorTakenOutOfTheDatabase(t *testing.T) {
	for _, certified := range []bool{false, true} {
		o := newOnceWorld(t)
		second := newDevice()
		signed, req := o.Offer("alice", sap.ActionAdd, nil)
		answer, err := o.alice.Device.Change(o.StatementKey(), signed, second)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Finish(req.ID, answer); err != nil {
			t.Fatal(err)
		}
		var call func() error
		want := sap.ReasonState
		if certified {
			o.key()
			sad, proof := o.Approve(o.alice, 1)
			call, want = func() error { _, err := o.Redeem(sad, proof); return err }, sap.ReasonSeal
		} else {
			statement, proof := o.ask()
			call = func() error { _, err := o.approve(statement, proof); return err }
		}
		made := o.keys.made()
		exec(t, dba(t, o.World), "PRAGMA foreign_keys = OFF; DELETE FROM authenticator WHERE credential = ?", second.ID)
		refused(t, o.World, want, call)
		if n := o.keys.made() - made; n != 0 {
			t.Errorf("certified %v: %d keys were made", certified, n)
		}
	}
}

// CRY-06, KEY-03: an algorithm that ends between offer and approval makes no key any
// more: the approval comes too late, to the second.
func TestCRY06EndBeforeTheOneTimeApproval(t *testing.T) {
	until := time.Date(2026, 11, 21, 12, 2, 0, 0, time.UTC) // the world begins at 12:00
	for _, late := range []bool{false, true} {
		o := newOnceWorld(t, func(c *sam.Config) {
			c.AlgorithmEnds = []sam.AlgorithmEnd{{KeyType: "P-256", Alg: "ES256", Until: until}}
		})
		statement, proof := o.ask()
		o.Clock.Set(until.Add(-time.Second))
		if late {
			o.Clock.Set(until)
			refused(t, o.World, sap.ReasonAlgorithm, func() error { _, err := o.approve(statement, proof); return err })
			if o.keys.made() != 0 || o.ca.Calls() != 0 {
				t.Errorf("%d keys, %d certificates", o.keys.made(), o.ca.Calls())
			}
			refused(t, o.World, sap.ReasonAlgorithm, func() error {
				_, err := o.M.RequestOneTime(context.Background(), samtest.SSPU, askOnce)
				return err
			})
			continue
		}
		o.ca.Instead(func(_ context.Context, csr []byte) ([][]byte, error) { // no certificate outlives its algorithm
			cert := o.CA.Issue(t, csr, o.Clock.Now(), func(c *x509.Certificate) { c.NotAfter = until.Add(-time.Second) })
			return [][]byte{cert.Raw, o.CA.Cert.Raw}, nil
		})
		if _, err := o.approve(statement, proof); err != nil {
			t.Errorf("in the last second: %v", err)
		}
	}
}

// KEY-10, KEY-05: what a CA returns together with an error is no certificate, whatever it
// looks like; what comes after the key's time is over neither.
func TestKEY10CertificateWithAnError(t *testing.T) {
	for what, c := range map[string]struct {
		err  error
		late time.Duration
		want sap.Reason
	}{
		"an error":          {errors.New("not sure"), 0, sap.ReasonCertLink},
		"in time":           {nil, 10*time.Minute - time.Second, ""},
		"the time was over": {nil, 10 * time.Minute, sap.ReasonExpired},
	} {
		o := newOnceWorld(t)
		o.ca.Instead(func(_ context.Context, csr []byte) ([][]byte, error) {
			cert := o.CA.Issue(t, csr, o.Clock.Now(), nil)
			o.Clock.Advance(c.late)
			return [][]byte{cert.Raw, o.CA.Cert.Raw}, c.err
		})
		statement, proof := o.ask()
		if _, err := o.approve(statement, proof); (err == nil) != (c.want == "") || err != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
		key := onceKeyOf(t, statement)
		if o.M.Kept(key) != (c.want == "") {
			t.Errorf("%s: kept %v", what, o.M.Kept(key))
		}
	}
}

// AFL-01, KEY-06, AUD-01: a failed approval of a one-time key is on the record of that
// key: the request that it ended is still the module's own after a start.
func TestAFL01EndedRequestIsOnRecord(t *testing.T) {
	o := newOnceWorld(t)
	o.alice.Device.Flags = samtest.UP
	statement, proof := o.ask()
	refused(t, o.World, sap.ReasonUserVerified, func() error { _, err := o.approve(statement, proof); return err })
	o.Crash()
	refused(t, o.World, sap.ReasonConsumed, func() error { _, err := o.approve(statement, proof); return err })
	o.dead(t, onceKeyOf(t, statement))
}

// FPT-03, FPT-04: a one-time key of before the module closed is used for nothing after
// it is open again: neither asked for nor redeemed.
func TestFPT04OneTimeKeysOfBefore(t *testing.T) {
	o := newOnceWorld(t)
	ctx := context.Background()
	key := o.key().Key
	sad, proof := o.Approve(o.alice, 1)
	shutKeeper(t, o)
	reopen(t, o.World)
	refused(t, o.World, sap.ReasonKeyState, func() error {
		_, err := o.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: "alice", Key: key, N: 1})
		return err
	})
	if _, err := o.Redeem(sad, proof); err == nil {
		t.Error("redeemed")
	}
	if n := o.Token.Uses(); n != 1 {
		t.Errorf("%d key uses, one of them is the proof of possession", n)
	}
}

// shutKeeper closes the module by a wrong signature of its statement key.
func shutKeeper(t *testing.T, o *onceWorld) {
	t.Helper()
	o.Token.SpoilNamed(true)
	defer o.Token.SpoilNamed(false)
	if _, err := o.M.SelfTest(context.Background(), samtest.Officer); err != nil {
		t.Fatal(err)
	}
	if got := stateOf(t, o.World); got != "closed" {
		t.Fatalf("it is %s", got)
	}
}

// KEY-10, SAP-14: calls of the same octets at the same time get the same key: the second
// waits for the first and answers what that one made.
func TestKEY10SameApprovalAtTheSameTime(t *testing.T) {
	o := newOnceWorld(t)
	statement, proof := o.ask()
	type result struct {
		v   *sam.OnceView
		err error
	}
	second := make(chan result, 1)
	o.ca.Instead(func(_ context.Context, csr []byte) ([][]byte, error) {
		joined := make(chan struct{})
		go func() {
			ctx := joining{context.Background(), sync.OnceFunc(func() { close(joined) })}
			v, err := o.M.ApproveOneTime(ctx, samtest.SSPU, statement, proof)
			second <- result{v, err}
		}()
		<-joined
		cert := o.CA.Issue(t, csr, o.Clock.Now(), nil)
		return [][]byte{cert.Raw, o.CA.Cert.Raw}, nil
	})
	first, err := o.approve(statement, proof)
	if err != nil {
		t.Fatal(err)
	}
	got := <-second
	if got.err != nil || got.v == nil || got.v.Key != first.Key || sha256.Sum256(got.v.Chain[0]) != sha256.Sum256(first.Chain[0]) {
		t.Errorf("%+v, %v", got.v, got.err)
	}
	if o.keys.made() != 1 || o.ca.Calls() != 1 {
		t.Errorf("%d keys, %d certificates", o.keys.made(), o.ca.Calls())
	}
}

// joining is the context of a call that waits for another one; it tells when it does.
type joining struct {
	context.Context
	waits func()
}

func (j joining) Done() <-chan struct{} {
	j.waits()
	return nil
}
