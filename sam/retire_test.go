package sam_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// events lists the types of the records after the first n.
func events(w *samtest.World, n int) string {
	var out []string
	for _, r := range w.Records()[n:] {
		out = append(out, r.Type)
	}
	return strings.Join(out, " ")
}

// gone checks that a key is destroyed: no blob, a tombstone inside and outside
// the database, and no use by the approval that was given before.
func gone(t *testing.T, w *samtest.World, s *samtest.Signer, sad, proof []byte) {
	t.Helper()
	var state string
	var blob []byte
	db := dba(t, w)
	if err := db.QueryRow("SELECT state, blob FROM credential WHERE key = ?", s.Key).Scan(&state, &blob); err != nil || state != sam.KeyDestroyed || len(blob) != 0 {
		t.Errorf("state %s, %d bytes of blob, %v", state, len(blob), err)
	}
	var stones int
	if err := db.QueryRow("SELECT count(*) FROM tombstone WHERE key = ?", s.Key).Scan(&stones); err != nil || stones != 1 {
		t.Errorf("%d tombstones, %v", stones, err)
	}
	if !strings.Contains(readFile(t, w.Cfg.AnchorPath+".tombstones"), s.Key) {
		t.Error("no tombstone outside the database")
	}
	var open int
	if err := db.QueryRow("SELECT count(*) FROM activation WHERE signer = ? AND state = 'open'", s.ID).Scan(&open); err != nil || open != 0 {
		t.Errorf("%d sessions are still open, %v", open, err)
	}
	refused(t, w, sap.ReasonKeyState, func() error { _, err := w.Redeem(sad, proof); return err })
	refused(t, w, sap.ReasonKeyState, func() error {
		_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
		return err
	})
}

// KPR-07: the signer's request, the loss of the last authenticator, and two officers
// after a revocation or without one destroy the key at once and void what is open;
// another signer is not touched.
func TestKPR07WhatEndsAKey(t *testing.T) {
	ctx := context.Background()
	status := func(w *samtest.World, s *samtest.Signer, to string) error {
		_, err := w.M.SetCertificateStatus(ctx, samtest.Officer, s.Key, to, "the CA says so")
		return err
	}
	const decided = "decision_proposed key_destroyed activation_voided decision_approved"
	for name, c := range map[string]struct {
		end           func(w *samtest.World, s *samtest.Signer) error
		events, cause string
	}{
		"certificate revoked": {func(w *samtest.World, s *samtest.Signer) error {
			return errors.Join(status(w, s, sam.StatusRevoked), w.Destroy(s.Key))
		}, "key_retired activation_voided decision_proposed key_destroyed decision_approved", sam.CauseRevoked},
		"revoked while on hold": {func(w *samtest.World, s *samtest.Signer) error {
			return errors.Join(status(w, s, sam.StatusOnHold), status(w, s, sam.StatusRevoked), w.Destroy(s.Key))
		}, "key_suspended activation_voided key_retired decision_proposed key_destroyed decision_approved", sam.CauseRevoked},
		"signer's request": {func(w *samtest.World, s *samtest.Signer) error {
			return w.EndSigner(s.ID, sam.CauseSigner, "form 12")
		}, decided, sam.CauseSigner},
		"last authenticator lost": {func(w *samtest.World, s *samtest.Signer) error {
			return w.EndSigner(s.ID, sam.CauseAuthenticator, "reported stolen")
		}, decided, sam.CauseAuthenticator},
		"officers": {func(w *samtest.World, s *samtest.Signer) error { return w.Destroy(s.Key) }, decided, sam.CauseOfficer},
	} {
		t.Run(name, func(t *testing.T) {
			w := samtest.New(t)
			s, bob := w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256)
			sad, proof := w.Approve(s, 1)
			theirs, theirProof := w.Approve(bob, 1)
			before := len(w.Records())
			if err := c.end(w, s); err != nil {
				t.Fatal(err)
			}
			if got := events(w, before); got != c.events {
				t.Errorf("events %s, want %s", got, c.events)
			}
			for _, r := range w.Records()[before:] {
				if r.Type == sam.EventDestroyed && !contains(r.Data, `"cause":"`+c.cause+`"`) {
					t.Errorf("cause is not %s: %s", c.cause, r.Data)
				}
			}
			gone(t, w, s, sad, proof)
			w.Crash()
			gone(t, w, s, sad, proof)
			if _, err := w.Redeem(theirs, theirProof); err != nil {
				t.Errorf("another signer: %v", err)
			}
		})
	}
}

// KPR-07, SGN-02: an expired certificate stops the key at the second, and the key
// is destroyed by the next sweep; a hint that a database administrator forged does
// not make it happen earlier, nor does a missing one let the key live.
func TestKPR07ExpiryDestroysTheKey(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	ctx := context.Background()
	exec(t, dba(t, w), "UPDATE key_expiry SET not_after = 1")
	if err := w.M.ExpireKeys(ctx); err != nil {
		t.Fatal(err)
	}
	w.Clock.Set(s.Cert.NotAfter)
	if err := w.M.ExpireKeys(ctx); err != nil {
		t.Fatal(err)
	}
	sad, proof := w.Approve(s, 1)
	w.Clock.Advance(time.Second)
	refused(t, w, sap.ReasonCertValidity, func() error { _, err := w.Redeem(sad, proof); return err })
	before := len(w.Records())
	if err := w.M.ExpireKeys(ctx); err != nil {
		t.Fatal(err)
	}
	if got := events(w, before); got != "key_retired key_destroyed activation_voided" {
		t.Errorf("events %s", got)
	}
	gone(t, w, s, sad, proof)
	before = len(w.Records())
	if err := w.M.ExpireKeys(ctx); err != nil || len(w.Records()) != before {
		t.Errorf("a second sweep did something: %v", err)
	}
}

// SGN-02: what the officer says of the certificate holds before the key is used:
// on hold refuses new requests and approvals given before, and is lifted again.
func TestSGN02CertificateOnHold(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	ctx := context.Background()
	sad, proof := w.Approve(s, 1)
	status := func(to string) error {
		_, err := w.M.SetCertificateStatus(ctx, samtest.Officer, s.Key, to, "CA says so")
		return err
	}
	refused(t, w, sap.ReasonState, func() error { return status(sam.StatusGood) })
	if err := status(sam.StatusOnHold); err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonState, func() error { return status(sam.StatusOnHold) })
	refused(t, w, sap.ReasonKeyState, func() error { _, err := w.Redeem(sad, proof); return err })
	refused(t, w, sap.ReasonKeyState, func() error {
		_, err := w.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
		return err
	})
	w.Crash()
	refused(t, w, sap.ReasonKeyState, func() error {
		_, err := w.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
		return err
	})
	if err := status(sam.StatusGood); err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonKeyState, func() error { _, err := w.Redeem(sad, proof); return err })
	sad, proof = w.Approve(s, 1)
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Error(err)
	}
	for name, call := range map[string]func() error{
		"unknown status": func() error { return status("fine") },
		"no reason": func() error {
			_, err := w.M.SetCertificateStatus(ctx, samtest.Officer, s.Key, sam.StatusOnHold, "")
			return err
		},
		"unknown cause": func() error { return w.EndSigner(s.ID, "because", "x") },
	} {
		t.Run(name, func(t *testing.T) { refused(t, w, sap.ReasonInvalid, call) })
	}
	refused(t, w, sap.ReasonRole, func() error {
		_, err := w.M.SetCertificateStatus(ctx, samtest.SSPU, s.Key, sam.StatusGood, "x")
		return err
	})
}

// KEY-05: many officers link certificates to one key at the same moment; exactly
// one wins, and the others are told that the state does not allow it.
func TestKEY05ConcurrentLinksOneWins(t *testing.T) {
	w := samtest.New(t)
	s := &samtest.Signer{ID: "alice", Device: samtest.NewDevice(samtest.Origin, samtest.RPID)}
	w.Enrol(s)
	ctx := context.Background()
	cred, err := w.M.Generate(ctx, samtest.Officer, s.ID, "P-256", "")
	if err != nil {
		t.Fatal(err)
	}
	const n = 16
	chains := make([][][]byte, n)
	for i := range chains {
		now := w.Clock.Now().Add(time.Duration(i) * time.Minute)
		chains[i] = [][]byte{w.CA.Issue(t, cred.CSR, now, nil).Raw, w.CA.Cert.Raw}
	}
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range chains {
		wg.Add(1)
		go func() {
			defer wg.Done()
			_, errs[i] = w.M.LinkCertificate(ctx, samtest.Officer, cred.Key, chains[i])
		}()
	}
	wg.Wait()
	won := -1
	for i, err := range errs {
		switch {
		case err == nil && won >= 0:
			t.Errorf("links %d and %d both won", won, i)
		case err == nil:
			won = i
		case !errors.Is(err, sap.ReasonState):
			t.Errorf("link %d: %v", i, err)
		}
	}
	if won < 0 {
		t.Fatal("none won")
	}
	list, err := w.M.Credentials(ctx, samtest.SSPU, "", cred.Key)
	if err != nil || !slices.Equal(list[0].Chain[0], chains[won][0]) {
		t.Errorf("linked is not the winner's certificate: %v", err)
	}
	linked := 0
	for _, r := range w.Records() {
		if r.Type == sam.EventLinked {
			linked++
		}
	}
	if linked != 1 {
		t.Errorf("%d links are recorded", linked)
	}
}

// twins is a token that gives the same key to everybody.
type twins struct {
	samtest.Full
	once sync.Once
	key  cryptotoken.Wrapped
	err  error
}

func (k *twins) GenerateWrapped(ctx context.Context, kt algo.KeyType) (cryptotoken.Wrapped, error) {
	k.once.Do(func() { k.key, k.err = k.Full.GenerateWrapped(ctx, kt) })
	return k.key, k.err
}

// KEY-05: a faulty token that gives two signers the same key gets neither a second
// record nor a second owner for it.
func TestKEY05OneKeyOneSigner(t *testing.T) {
	w := samtest.New(t, func(cfg *sam.Config) { cfg.Token = &twins{Full: cfg.Token.(samtest.Full)} })
	alice := w.NewSigner("alice", algo.P256)
	bob := &samtest.Signer{ID: "bob", Device: samtest.NewDevice(samtest.Origin, samtest.RPID)}
	w.Enrol(bob)
	for _, signer := range []string{bob.ID, alice.ID} {
		_, err := w.M.Generate(context.Background(), samtest.Officer, signer, "P-256", "")
		if !errors.Is(err, sap.ReasonExists) {
			t.Errorf("%s got the key too: %v", signer, err)
		}
	}
	list, err := w.M.Credentials(context.Background(), samtest.SSPU, bob.ID, "")
	if err != nil || len(list) != 0 {
		t.Errorf("bob has %d keys, %v", len(list), err)
	}
}
