package sam_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// stored reads a key's state and wrapped octets from the database itself.
func stored(t *testing.T, db *sql.DB, key string) (state string, blob []byte) {
	t.Helper()
	if err := db.QueryRow("SELECT state, blob FROM credential WHERE key = ?", key).Scan(&state, &blob); err != nil {
		t.Fatal(err)
	}
	return state, blob
}

// live checks that a key is as it was: it signs.
func live(t *testing.T, w *samtest.World, s *samtest.Signer) {
	t.Helper()
	if state, blob := stored(t, dba(t, w), s.Key); state != sam.KeyActive || len(blob) < 32 {
		t.Errorf("state %s, %d octets of blob", state, len(blob))
	}
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Errorf("the key does not sign: %v", err)
	}
}

// destructions are both decisions that destroy alice's one key.
func destructions(w *samtest.World, s *samtest.Signer) map[string]any {
	return map[string]any{
		sam.DecideDestroy:   w.Destruction(s.Key),
		sam.DecideEndSigner: w.End(s.ID, sam.CauseSigner, "letter of 2 May"),
	}
}

// ROL-04, KPR-07: one officer alone destroys no key: what he proposes changes
// nothing; he cannot approve it, under no name of his; nobody but an officer can;
// what he can do alone (hold, revocation, the end of all authenticators) leaves the
// wrapped key where it is.
func TestROL04OneOfficerDestroysNothing(t *testing.T) {
	ctx := context.Background()
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	twin := grantOf("olga-home", samtest.Officer.Identity, sam.RoleOfficer)
	w.Decide(sam.DecideGrant, twin)
	for kind, args := range destructions(w, s) {
		p, err := w.M.Propose(ctx, samtest.Officer, kind, w.Args(args))
		if err != nil {
			t.Fatal(err)
		}
		approve := func(c sam.Caller) func() error {
			return func() error { _, err := w.M.Approve(ctx, c, p.ID); return err }
		}
		refused(t, w, sap.ReasonSecond, approve(samtest.Officer))
		refused(t, w, sap.ReasonSecond, approve(callerOf(twin)))
		for _, c := range []sam.Caller{samtest.SSPU, samtest.RA, samtest.Admin, samtest.Watch, samtest.Auditor} {
			refused(t, w, sap.ReasonRole, approve(c))
			refused(t, w, sap.ReasonRole, func() error { _, err := w.M.Propose(ctx, c, kind, w.Args(args)); return err })
		}
		live(t, w, s)
	}
	_, blob := stored(t, dba(t, w), s.Key)
	if err := w.M.RevokeAuthenticator(ctx, samtest.Officer, s.ID, sap.B64(s.Device.ID), "lost"); err != nil {
		t.Fatal(err)
	}
	for _, status := range []string{sam.StatusOnHold, sam.StatusGood, sam.StatusRevoked} {
		if _, err := w.M.SetCertificateStatus(ctx, samtest.Officer, s.Key, status, "the CA says so"); err != nil {
			t.Fatal(err)
		}
		if _, now := stored(t, dba(t, w), s.Key); !slices.Equal(now, blob) {
			t.Errorf("one officer's %q changed the wrapped key", status)
		}
	}
	if n := count(w, sam.EventDestroyed); n != 0 {
		t.Errorf("%d records of destroyed keys", n)
	}
}

// ROL-04, KPR-07, KPR-08: what the second officer reads is whose key it is and its
// certificate; with the approval it happens in one transaction with its records; a
// second approval does nothing; the same key cannot be destroyed twice.
func TestROL04TwoOfficersDestroyAKey(t *testing.T) {
	ctx := context.Background()
	for _, kind := range []string{sam.DecideDestroy, sam.DecideEndSigner} {
		t.Run(kind, func(t *testing.T) {
			w := samtest.New(t)
			s := w.NewSigner("alice", algo.P256)
			args := destructions(w, s)[kind]
			p, err := w.M.Propose(ctx, samtest.Officer, kind, w.Args(args))
			if err != nil {
				t.Fatal(err)
			}
			list, err := w.M.Proposals(ctx, samtest.Second, sam.ProposalPending, 10)
			if err != nil || len(list) != 1 || !strings.Contains(string(list[0].Args), s.Key) || !strings.Contains(string(list[0].Args), `"signer":"alice"`) {
				t.Fatalf("the second officer reads %+v, %v", list, err)
			}
			if in := w.Destruction(s.Key); kind == sam.DecideDestroy && (len(in.Cert) != 64 || !strings.Contains(string(list[0].Args), in.Cert)) {
				t.Errorf("no certificate in %s", list[0].Args)
			}
			live(t, w, s)
			sad, proof := w.Approve(s, 1)
			before := len(w.Records())
			if _, err := w.M.Approve(ctx, samtest.Second, p.ID); err != nil {
				t.Fatal(err)
			}
			recs := w.Records()[before:]
			last := recs[len(recs)-1]
			if got := events(w, before); got != "key_destroyed activation_voided decision_approved" || !contains(last.Data, `"first":"officer-1"`) ||
				!contains(last.Data, `"second":"officer-2"`) || !contains(last.Data, `"signer":"alice"`) {
				t.Errorf("%s: %s", got, last.Data)
			}
			gone(t, w, s, sad, proof)
			refused(t, w, sap.ReasonState, func() error { _, err := w.M.Approve(ctx, samtest.Second, p.ID); return err })
			refused(t, w, sap.ReasonState, func() error {
				_, err := w.M.Propose(ctx, samtest.Officer, kind, w.Args(args))
				return err
			})
			w.Check()
		})
	}
}

// ROL-04, FPT-05, AUD-06: the key ends with the approval's record or not at all,
// wherever the store fails, also across a crash; a proposal that was not approved
// can still be.
func TestROL04DestructionIsOneTransaction(t *testing.T) {
	ctx := context.Background()
	for _, kind := range []string{sam.DecideDestroy, sam.DecideEndSigner} {
		for _, written := range []bool{false, true} {
			w := samtest.New(t)
			s := w.NewSigner("alice", algo.P256)
			sad, proof := w.Approve(s, 1)
			p, err := w.M.Propose(ctx, samtest.Officer, kind, w.Args(destructions(w, s)[kind]))
			if err != nil {
				t.Fatal(err)
			}
			fail := w.Store.FailBefore
			if written {
				fail = w.Store.FailAfter
			}
			fail(func(int) bool { return true })
			if _, err := w.M.Approve(ctx, samtest.Second, p.ID); !errors.Is(err, sap.ReasonStore) {
				t.Errorf("%s, written %v: %v", kind, written, err)
			}
			fail(nil)
			w.Crash()
			if n := count(w, sam.EventApproved); written != (n == 1) || written != (count(w, sam.EventDestroyed) == 1) {
				t.Errorf("%s, written %v: %d records of the approval", kind, written, n)
			}
			if !written {
				live(t, w, s)
				if _, err := w.M.Approve(ctx, samtest.Second, p.ID); err != nil {
					t.Fatal(err)
				}
			}
			gone(t, w, s, sad, proof)
			w.Check()
		}
	}
}

// ROL-04: what expired or was withdrawn destroys nothing.
func TestROL04LapsedDestructionDestroysNothing(t *testing.T) {
	ctx := context.Background()
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	for kind, args := range destructions(w, s) {
		for name, c := range map[string]struct {
			end  func(id string) error
			want sap.Reason
		}{
			"withdrawn": {func(id string) error { _, err := w.M.Withdraw(ctx, samtest.Second, id); return err }, sap.ReasonState},
			"expired":   {func(string) error { w.Clock.Advance(24 * time.Hour); return nil }, sap.ReasonExpired},
		} {
			p, err := w.M.Propose(ctx, samtest.Officer, kind, w.Args(args))
			if err == nil {
				err = c.end(p.ID)
			}
			if err != nil {
				t.Fatalf("%s, %s: %v", kind, name, err)
			}
			refused(t, w, c.want, func() error { _, err := w.M.Approve(ctx, samtest.Second, p.ID); return err })
			live(t, w, s)
		}
	}
}

// ROL-04: the state is checked at the approval again: what is not as the second
// officer read it is refused, and nothing is destroyed by it.
func TestROL04DestructionOfWhatChangedSince(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		kind   string
		change func(t *testing.T, w *samtest.World, s *samtest.Signer)
	}{
		"destroyed by another proposal": {sam.DecideDestroy, func(t *testing.T, w *samtest.World, s *samtest.Signer) {
			if err := w.Destroy(s.Key); err != nil {
				t.Fatal(err)
			}
		}},
		"destroyed as its certificate expired": {sam.DecideDestroy, func(t *testing.T, w *samtest.World, s *samtest.Signer) {
			w.Clock.Set(s.Cert.NotAfter.Add(time.Second))
			if err := w.M.ExpireKeys(ctx); err != nil {
				t.Fatal(err)
			}
		}},
		"all keys, and one is gone": {sam.DecideEndSigner, func(t *testing.T, w *samtest.World, s *samtest.Signer) {
			if err := w.Destroy(s.Key); err != nil {
				t.Fatal(err)
			}
		}},
		"all keys, and there is one more": {sam.DecideEndSigner, func(t *testing.T, w *samtest.World, s *samtest.Signer) {
			if _, err := w.M.Generate(ctx, samtest.Officer, s.ID, "P-256", ""); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := samtest.New(t, func(c *sam.Config) { c.ProposalLife = 10000 * time.Hour })
			s := w.NewSigner("alice", algo.P256)
			p, err := w.M.Propose(ctx, samtest.Officer, c.kind, w.Args(destructions(w, s)[c.kind]))
			if err != nil {
				t.Fatal(err)
			}
			c.change(t, w, s)
			before := count(w, sam.EventDestroyed)
			refused(t, w, sap.ReasonState, func() error { _, err := w.M.Approve(ctx, samtest.Second, p.ID); return err })
			if n := count(w, sam.EventDestroyed) - before; n != 0 {
				t.Errorf("%d keys were destroyed", n)
			}
			if _, err := w.M.Withdraw(ctx, samtest.Officer, p.ID); err != nil {
				t.Errorf("the proposal cannot be ended: %v", err)
			}
		})
	}
	t.Run("a certificate was linked", func(t *testing.T) {
		w := samtest.New(t)
		s := w.NewSigner("alice", algo.P256)
		v, err := w.M.Generate(ctx, samtest.Officer, s.ID, "P-256", "")
		if err != nil {
			t.Fatal(err)
		}
		p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideDestroy, w.Args(w.Destruction(v.Key)))
		if err != nil {
			t.Fatal(err)
		}
		chain := [][]byte{w.CA.Issue(t, v.CSR, w.Clock.Now(), nil).Raw, w.CA.Cert.Raw}
		if _, err := w.M.LinkCertificate(ctx, samtest.Officer, v.Key, chain); err != nil {
			t.Fatal(err)
		}
		refused(t, w, sap.ReasonState, func() error { _, err := w.M.Approve(ctx, samtest.Second, p.ID); return err })
		if err := w.Destroy(v.Key); err != nil { // as it is now
			t.Error(err)
		}
		live(t, w, s)
	})
}

// ROL-04: a proposal that misleads its reader, or says nothing, is refused at once.
func TestROL04MisleadingDestructions(t *testing.T) {
	w := samtest.New(t)
	s, bob := w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256)
	w.NewKey(s, algo.P256)
	good, all := w.Destruction(s.Key), w.End(s.ID, sam.CauseSigner, "asked")
	key := func(change func(*sam.DestroyKey)) any {
		in := good
		change(&in)
		return in
	}
	end := func(change func(*sam.EndSigner)) any {
		in := all
		in.Keys = slices.Clone(all.Keys)
		change(&in)
		return in
	}
	for name, c := range map[string]struct {
		kind string
		args any
		want sap.Reason
	}{
		"another signer":            {sam.DecideDestroy, key(func(d *sam.DestroyKey) { d.Signer = bob.ID }), sap.ReasonSigner},
		"no signer":                 {sam.DecideDestroy, key(func(d *sam.DestroyKey) { d.Signer = "" }), sap.ReasonSigner},
		"another key's certificate": {sam.DecideDestroy, key(func(d *sam.DestroyKey) { d.Cert = w.Destruction(bob.Key).Cert }), sap.ReasonState},
		"no certificate":            {sam.DecideDestroy, key(func(d *sam.DestroyKey) { d.Cert = "" }), sap.ReasonState},
		"certificate in capitals":   {sam.DecideDestroy, key(func(d *sam.DestroyKey) { d.Cert = "A" + strings.ToUpper(d.Cert[1:]) }), sap.ReasonState},
		"no such key":               {sam.DecideDestroy, key(func(d *sam.DestroyKey) { d.Key = "k-none" }), sap.ReasonKey},
		"key without a reason":      {sam.DecideDestroy, key(func(d *sam.DestroyKey) { d.Why = "" }), sap.ReasonInvalid},
		"reason not displayable":    {sam.DecideDestroy, key(func(d *sam.DestroyKey) { d.Why = "a\nb" }), sap.ReasonInvalid},
		"no such signer":            {sam.DecideEndSigner, end(func(e *sam.EndSigner) { e.Signer = "nobody" }), sap.ReasonSignerUnknown},
		"unknown cause":             {sam.DecideEndSigner, end(func(e *sam.EndSigner) { e.Cause = sam.CauseOfficer }), sap.ReasonInvalid},
		"signer without a reason":   {sam.DecideEndSigner, end(func(e *sam.EndSigner) { e.Why = "" }), sap.ReasonInvalid},
		"a key is left out":         {sam.DecideEndSigner, end(func(e *sam.EndSigner) { e.Keys = e.Keys[1:] }), sap.ReasonState},
		"a key of another signer":   {sam.DecideEndSigner, end(func(e *sam.EndSigner) { e.Keys = append(e.Keys, bob.Key); slices.Sort(e.Keys) }), sap.ReasonState},
		"no order":                  {sam.DecideEndSigner, end(func(e *sam.EndSigner) { slices.Reverse(e.Keys) }), sap.ReasonState},
		"another kind's arguments":  {sam.DecideEndSigner, good, sap.ReasonInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, w, c.want, func() error {
				_, err := w.M.Propose(context.Background(), samtest.Officer, c.kind, w.Args(c.args))
				return err
			})
		})
	}
	if len(all.Keys) != 2 {
		t.Fatalf("keys %v", all.Keys)
	}
	if err := w.EndSigner(s.ID, sam.CauseSigner, "asked"); err != nil {
		t.Error(err)
	}
	if n := count(w, sam.EventDestroyed); n != 2 {
		t.Errorf("%d keys were destroyed", n)
	}
	live(t, w, bob)
}

// SGN-02, KPR-07: what one officer revokes is unusable at once, for requests and
// for approvals given before, across a crash, and nothing that one officer can do
// brings it back; its octets stay until two destroy it, or its certificate runs out.
func TestSGN02RevokedKeyIsUnusableAtOnce(t *testing.T) {
	ctx := context.Background()
	w := samtest.New(t)
	s, bob := w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256)
	sad, proof := w.Approve(s, 1)
	status := func(key, to string) func() error {
		return func() error {
			_, err := w.M.SetCertificateStatus(ctx, samtest.Officer, key, to, "the CA says so")
			return err
		}
	}
	v, err := w.M.Generate(ctx, samtest.Officer, s.ID, "P-256", "")
	if err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonState, status(v.Key, sam.StatusRevoked)) // it has no certificate
	if err := status(s.Key, sam.StatusRevoked)(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		refused(t, w, sap.ReasonKeyState, func() error { _, err := w.Redeem(sad, proof); return err })
		refused(t, w, sap.ReasonKeyState, func() error {
			_, err := w.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
			return err
		})
		for _, to := range []string{sam.StatusGood, sam.StatusOnHold, sam.StatusRevoked} {
			refused(t, w, sap.ReasonState, status(s.Key, to))
		}
		refused(t, w, sap.ReasonState, func() error { _, err := w.M.LinkCertificate(ctx, samtest.Officer, s.Key, s.Chain); return err })
		if state, blob := stored(t, dba(t, w), s.Key); state != sam.KeyRevoked || len(blob) < 32 {
			t.Errorf("state %s, %d octets of blob", state, len(blob))
		}
		w.Crash()
	}
	live(t, w, bob)
	w.Clock.Set(s.Cert.NotAfter.Add(time.Second))
	before := len(w.Records())
	if err := w.M.ExpireKeys(ctx); err != nil {
		t.Fatal(err)
	}
	var d map[string]any
	for _, r := range w.Records()[before:] {
		if contains(r.Data, s.Key) {
			if err := json.Unmarshal([]byte(r.Data), &d); err != nil || r.Type != sam.EventDestroyed || d["cause"] != sam.CauseExpired {
				t.Errorf("%+v, %v", r, err)
			}
		}
	}
	if d == nil {
		t.Error("its certificate has run out, and it is there still")
	}
	if state, blob := stored(t, dba(t, w), s.Key); state != sam.KeyDestroyed || len(blob) != 0 {
		t.Errorf("state %s, %d octets of blob", state, len(blob))
	}
	w.Check()
}

// BKP-03, SGN-02: an older database does not know of the revocation, be the key
// active there, on hold or without its certificate: it is revoked again with the
// acceptance, and no officer lifts it.
func TestBKP03RevokedKeysStayRevoked(t *testing.T) {
	ctx := context.Background()
	for _, was := range []string{sam.KeyActive, sam.KeySuspended, sam.KeyGenerated} {
		t.Run(was, func(t *testing.T) {
			w := samtest.New(t)
			s := &samtest.Signer{ID: "alice", Device: samtest.NewDevice(samtest.Origin, samtest.RPID)}
			w.Enrol(s)
			v, err := w.M.Generate(ctx, samtest.Officer, s.ID, "P-256", "")
			if err != nil {
				t.Fatal(err)
			}
			old := ""
			if was == sam.KeyGenerated {
				old = takeCopy(t, w)
			}
			chain := [][]byte{w.CA.Issue(t, v.CSR, w.Clock.Now(), nil).Raw, w.CA.Cert.Raw}
			link := func() error { _, err := w.M.LinkCertificate(ctx, samtest.Officer, v.Key, chain); return err }
			status := func(to string) error {
				_, err := w.M.SetCertificateStatus(ctx, samtest.Officer, v.Key, to, "the CA says so")
				return err
			}
			if err := link(); err != nil {
				t.Fatal(err)
			}
			if was == sam.KeySuspended {
				if err := status(sam.StatusOnHold); err != nil {
					t.Fatal(err)
				}
			}
			if old == "" {
				old = takeCopy(t, w)
			}
			if err := status(sam.StatusRevoked); err != nil {
				t.Fatal(err)
			}
			putCopy(t, w, old)
			if state, _ := stored(t, dba(t, w), v.Key); state != was {
				t.Fatalf("the older database has it as %s", state)
			}
			accept(t, w, sam.DecideRestore)
			refused(t, w, sap.ReasonState, func() error { return status(sam.StatusGood) })
			refused(t, w, sap.ReasonState, link)
			refused(t, w, sap.ReasonKeyState, func() error {
				_, err := w.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: s.ID, Key: v.Key, N: 1})
				return err
			})
			if state, blob := stored(t, dba(t, w), v.Key); state != sam.KeyRevoked || len(blob) < 32 {
				t.Errorf("state %s, %d octets of blob", state, len(blob))
			}
			if err := w.Destroy(v.Key); err != nil {
				t.Error(err)
			}
		})
	}
}
