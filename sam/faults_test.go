package sam_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samsqlite"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// step is something that the module does; begin makes what it needs and may be
// called again after a failure.
type step struct {
	name     string
	begin    func() (do func() error)
	or       sap.Reason // another reason that says as much
	repaired bool       // what follows the commit (the anchor, the end of a one-time key) may fail: housekeeping does it again
}

// AUD-01, FPT-05, I2, I8: whichever single call of the store fails in the middle of an
// act, the act fails and says so, nothing of it happened, and it succeeds afterwards:
// no read that failed counts as "there is none", no write as written, and no act
// happens without its audit record.
func TestAnyCallOfTheStoreFails(t *testing.T) {
	o := newOnceWorld(t, func(c *sam.Config) { c.LockoutLimit = 1 << 20 })
	bob := o.NewSigner("bob", algo.P256)
	for _, a := range steps(o, bob) {
		t.Run(a.name, func(t *testing.T) {
			calls := failEach(t, o.World, a)
			if calls == 0 {
				t.Error("no call of the store was made to fail: the test does not see the act")
			}
		})
	}
	o.Check()
}

// failEach fails the first call of the store, then the second, until the act makes no
// more calls.
func failEach(t *testing.T, w *samtest.World, a step) int {
	t.Helper()
	for n := range 200 {
		do := a.begin()
		w.Store.Faults.Arm(n)
		err := do()
		hit := w.Store.Faults.Disarm()
		if hit == "" {
			if err != nil {
				t.Fatalf("after %d failures it does not succeed any more: %v", n, err)
			}
			return n
		}
		if err == nil && a.repaired {
			return n
		}
		if err == nil {
			t.Errorf("call %d (%s) failed and nobody was told", n, hit)
		} else if !errors.Is(err, sap.ReasonStore) && (a.or == "" || !errors.Is(err, a.or)) && !errors.Is(err, samtest.ErrFault) {
			t.Errorf("call %d (%s) failed: refused for another reason: %v", n, hit, err)
		}
	}
	t.Fatal("it makes more than 200 calls")
	return 0
}

// steps are what callers ask for, in an order in which each can follow the one before.
func steps(o *onceWorld, bob *samtest.Signer) []step {
	ctx := samtest.Faulty(context.Background())
	m := o.M
	plain := func(name string, do func() error) step {
		return step{name: name, begin: func() func() error { return do }}
	}
	carl := &samtest.Signer{ID: "carl", Device: samtest.NewDevice(samtest.Origin, samtest.RPID)}
	dave := o.NewSigner("dave", algo.P256)
	var code *sam.Code
	var fresh *sam.CredentialView
	var pending string
	propose := func() error {
		p, err := m.Propose(ctx, samtest.Officer, sam.DecideRaw, o.Args(sam.RawPermission{Key: bob.Key, Raw: true}))
		if err == nil {
			pending = p.ID
		}
		return err
	}
	need := func(err error) {
		o.T.Helper()
		if err != nil {
			o.T.Fatal(err)
		}
	}
	return []step{
		plain("create signer", func() error {
			_, err := m.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "carl", Name: "Carl", Proof: "proof-1"})
			return err
		}),
		plain("signer", func() error { _, err := m.Signer(ctx, samtest.Officer, "bob"); return err }),
		plain("open enrolment", func() (err error) {
			c, err := m.OpenEnrolment(ctx, samtest.Officer, "carl")
			if err == nil {
				code = c
			}
			return err
		}),
		plain("begin enrolment", func() error { _, err := m.BeginEnrolment(ctx, samtest.SSPU, code.ID); return err }),
		{name: "finish enrolment", begin: func() func() error {
			req, err := m.BeginEnrolment(ctx, samtest.SSPU, code.ID)
			need(err)
			reg, err := carl.Device.Register(o.StatementKey(), req, code.Code)
			need(err)
			return func() error { _, err := m.FinishEnrolment(ctx, samtest.SSPU, code.ID, reg); return err }
		}},
		plain("generate", func() (err error) {
			v, err := m.Generate(ctx, samtest.Officer, "carl", string(algo.P256), "")
			if err == nil {
				fresh = v
			}
			return err
		}),
		{name: "link", begin: func() func() error {
			o.Token.Forget() // keys that proved their possession and could not be recorded
			cert := o.CA.Issue(o.T, fresh.CSR, o.Clock.Now(), nil)
			return func() error {
				_, err := m.LinkCertificate(ctx, samtest.Officer, fresh.Key, [][]byte{cert.Raw, o.CA.Cert.Raw})
				return err
			}
		}},
		plain("request", func() error {
			_, err := m.Request(ctx, samtest.SSPU, sam.Ask{Signer: bob.ID, Key: bob.Key, N: 1})
			return err
		}),
		{name: "redeem", begin: func() func() error {
			sad, proof := o.Approve(bob, 1)
			return func() error { _, err := m.Redeem(ctx, samtest.SSPU, sad, proof, []byte("[]")); return err }
		}},
		{name: "redeem after a restart", begin: func() func() error {
			sad, proof := o.Approve(bob, 1)
			o.Crash()
			m = o.M
			return func() error { _, err := m.Redeem(ctx, samtest.SSPU, sad, proof, []byte("[]")); return err }
		}},
		plain("credentials", func() error { _, err := m.Credentials(ctx, samtest.Officer, "bob", ""); return err }),
		plain("credential", func() error { _, err := m.Credentials(ctx, samtest.Officer, "", bob.Key); return err }),
		plain("propose", propose),
		plain("proposals", func() error { _, err := m.Proposals(ctx, samtest.Officer, "", 10); return err }),
		{name: "withdraw", begin: func() func() error {
			need(propose())
			return func() error { _, err := m.Withdraw(ctx, samtest.Second, pending); return err }
		}},
		{name: "propose when others have expired", begin: func() func() error {
			need(propose())
			o.Clock.Advance(25 * time.Hour)
			return propose
		}},
		{name: "withdraw it", begin: func() func() error {
			return func() error { _, err := m.Withdraw(ctx, samtest.Second, pending); return err }
		}},
		{name: "approve", begin: func() func() error {
			need(propose())
			return func() error { _, err := m.Approve(ctx, samtest.Second, pending); return err }
		}},
		{name: "grant", begin: func() func() error {
			p, err := m.Propose(context.Background(), samtest.Officer, sam.DecideGrant, o.Args(grantOf("nina", "nina", sam.RoleOfficer)))
			need(err)
			return func() error { _, err := m.Approve(ctx, samtest.Second, p.ID); return err }
		}},
		{name: "revoke", begin: func() func() error {
			p, err := m.Propose(context.Background(), samtest.Officer, sam.DecideRevoke, o.Args(sam.Revoke{Name: "nina", Why: "left"}))
			need(err)
			return func() error { _, err := m.Approve(ctx, samtest.Second, p.ID); return err }
		}},
		plain("take raw away", func() error { _, err := m.SetRaw(ctx, samtest.Officer, bob.Key, false); return err }),
		plain("identities", func() error { _, err := m.Identities(ctx, samtest.Auditor); return err }),
		plain("audit", func() error { _, err := m.Audit(ctx, samtest.Auditor, 0, 10); return err }),
		plain("explain", func() error { _, err := m.Explain(ctx, samtest.Officer, "1"); return err }),
		plain("lift", func() error { return m.Lift(ctx, samtest.Officer, bob.ID, sap.B64(bob.Device.ID), "the owner asked") }),
		plain("hold", func() error {
			_, err := m.SetCertificateStatus(ctx, samtest.Officer, dave.Key, sam.StatusOnHold, "asked")
			return err
		}),
		{name: "revoke", repaired: true, begin: func() func() error {
			return func() error {
				_, err := m.SetCertificateStatus(ctx, samtest.Officer, dave.Key, sam.StatusRevoked, "the CA says so")
				return err
			}
		}},
		{name: "destroy", repaired: true, begin: func() func() error {
			p, err := m.Propose(context.Background(), samtest.Officer, sam.DecideDestroy, o.Args(o.Destruction(dave.Key)))
			need(err)
			return func() error { _, err := m.Approve(ctx, samtest.Second, p.ID); return err }
		}},
		plain("ask for a one-time key", func() error { _, err := m.RequestOneTime(ctx, samtest.SSPU, askOnce); return err }),
		{name: "approve a one-time key", begin: func() func() error {
			o.Clock.Advance(11 * time.Minute) // what failed before is over
			need(m.EndOneTime(ctx))
			statement, proof := o.ask()
			return func() error { _, err := m.ApproveOneTime(ctx, samtest.SSPU, statement, proof); return err }
		}},
		{name: "redeem with a one-time key", repaired: true, begin: func() func() error {
			o.Token.Forget()
			o.Clock.Advance(11 * time.Minute)
			need(m.EndOneTime(ctx))
			o.key()
			sad, proof := o.Approve(o.alice, 1)
			return func() error { _, err := m.Redeem(ctx, samtest.SSPU, sad, proof, []byte("[]")); return err }
		}},
		{name: "reopen", or: sap.ReasonSelfTest, begin: func() func() error {
			if st, err := m.Status(context.Background(), samtest.Auditor); err != nil || st.State != "closed" {
				need(err)
				o.Token.SpoilNamed(true)
				_, err := m.SelfTest(context.Background(), samtest.Officer)
				need(err)
				o.Token.SpoilNamed(false)
			}
			return func() error { _, err := m.Reopen(ctx, samtest.Officer, "looked at it"); return err }
		}},
		plain("status", func() error { _, err := m.Status(ctx, samtest.Auditor); return err }),
		plain("expire keys", func() error { return m.ExpireKeys(ctx) }),
		plain("end one-time keys", func() error { return m.EndOneTime(ctx) }),
		plain("purge", func() error { return m.Purge(ctx) }),
		{name: "end signer", repaired: true, begin: func() func() error {
			p, err := m.Propose(context.Background(), samtest.Officer, sam.DecideEndSigner, o.Args(o.End("carl", sam.CauseSigner, "asked")))
			need(err)
			return func() error { _, err := m.Approve(ctx, samtest.Second, p.ID); return err }
		}},
	}
}

// FPT-03, I5: a start in which any call of the store fails is no start: the module
// does not open on half of what it has to know, and opens when the store works.
func TestAnyCallOfTheStoreFailsAtStart(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	w.NewKey(s, algo.P256)
	sad, proof := w.Approve(s, 1)
	w.Stop()
	for n := range 200 {
		db, err := samsqlite.Open(samsqlite.Config{Path: w.DB()})
		if err != nil {
			t.Fatal(err)
		}
		store := &samtest.Store{Store: db}
		store.Faults.Arm(n)
		cfg := w.Cfg
		cfg.Store = store
		m, err := sam.Open(samtest.Faulty(context.Background()), cfg)
		hit := store.Faults.Disarm()
		if err == nil {
			if hit != "" {
				t.Errorf("call %d (%s) failed and the module opened", n, hit)
			}
			if _, err := m.Redeem(context.Background(), samtest.SSPU, sad, proof, []byte("[]")); hit == "" && err != nil {
				t.Errorf("after %d failures: %v", n, err)
			}
			_ = m.Close()
		} else {
			_ = db.Close()
		}
		if hit == "" {
			if n < 10 {
				t.Errorf("a start makes %d calls of the store: the test does not see it", n)
			}
			return
		}
	}
	t.Error("a start makes more than 200 calls")
}

// AFL-01: a failure of the genuine authenticator counts exactly once, also when the store
// fails while it is counted: not at all, or counted, never half, and who asks is told
// which it was.
func TestAFL01CountingWhenTheStoreFails(t *testing.T) {
	o := newOnceWorld(t, func(c *sam.Config) { c.LockoutLimit = 1 << 20 })
	bob := o.NewSigner("bob", algo.P256)
	ctx := samtest.Faulty(context.Background())
	failures := func(s *samtest.Signer) (n int) {
		if err := dba(t, o.World).QueryRow("SELECT failures FROM guard WHERE signer = ?", s.ID).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for name, c := range map[string]struct {
		of    *samtest.Signer
		begin func() func() error
	}{
		"redeem": {bob, func() func() error {
			sad, proof := o.Approve(bob, 1)
			return func() error { _, err := o.M.Redeem(ctx, samtest.SSPU, sad, proof, []byte("[]")); return err }
		}},
		"one-time key": {o.alice, func() func() error {
			o.Clock.Advance(6 * time.Minute)
			if err := o.M.EndOneTime(context.Background()); err != nil {
				t.Fatal(err)
			}
			statement, proof := o.ask()
			return func() error { _, err := o.M.ApproveOneTime(ctx, samtest.SSPU, statement, proof); return err }
		}},
	} {
		c.of.Device.Flags = samtest.UP // not verified: by the genuine key, and refused
		before, counted := failures(c.of), 0
		for n := range 200 {
			do := c.begin()
			o.Store.Faults.Arm(n)
			err := do()
			hit := o.Store.Faults.Disarm()
			switch {
			case errors.Is(err, sap.ReasonUserVerified) && !errors.Is(err, sap.ReasonStore):
				counted++
			case !errors.Is(err, sap.ReasonStore):
				t.Errorf("%s, call %d (%s) failed: %v", name, n, hit, err)
			}
			if got := failures(c.of) - before; got != counted {
				t.Fatalf("%s, call %d (%s) failed: %d failures count, %d were told", name, n, hit, got, counted)
			}
			if hit == "" {
				break
			}
		}
		if counted == 0 {
			t.Errorf("%s: no failure was counted", name)
		}
	}
}
