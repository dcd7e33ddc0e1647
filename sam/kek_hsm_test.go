package sam_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/cryptotoken/pkcs11"
	"github.com/assent-sign/assent/cryptotoken/pkcs11/softhsm"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// hsm is a world whose token is an HSM behind PKCS #11. reopen replaces the token's
// processes, as a restart of samd does.
type hsm struct {
	*samtest.World
	cfg pkcs11.Config
}

func newHSM(t *testing.T) *hsm {
	t.Helper()
	testenv.Need(t, "softhsm2-util")
	env, module, err := softhsm.Provision(t.TempDir(), "sam", "220814", "so220814")
	if err != nil {
		t.Fatal(err)
	}
	h := &hsm{cfg: pkcs11.Config{
		Name: "hsm", Module: module, TokenLabel: "sam", PIN: []byte("220814"), Env: []string{env}, Profile: "development", Development: true,
		Watchdog: 30 * time.Second, QueueWait: 30 * time.Second, StartWait: time.Minute, Log: slog.New(slog.DiscardHandler),
	}}
	if err := pkcs11.Init(t.Context(), h.cfg); err != nil {
		t.Fatal(err)
	}
	h.World = samtest.New(t, func(c *sam.Config) { c.Token.(*samtest.Token).Full = h.open(t) })
	return h
}

func (h *hsm) open(t *testing.T) *pkcs11.Token {
	t.Helper()
	tok, err := pkcs11.Open(h.cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tok.Close() })
	return tok
}

// restart ends module and token without a word, and opens both again.
func (h *hsm) restart(t *testing.T) {
	t.Helper()
	h.Stop()
	if err := h.Token.Close(); err != nil {
		t.Fatal(err)
	}
	h.Token.Full = h.open(t)
	if err := h.Open(); err != nil {
		t.Fatal(err)
	}
}

// blobs are the wrapped keys of the database, past the module.
func (h *hsm) blobs(t *testing.T) (list []cryptotoken.Wrapped) {
	t.Helper()
	rows, err := dba(t, h.World).Query("SELECT key_type, public, blob, kek FROM credential WHERE state <> 'destroyed'")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var w cryptotoken.Wrapped
		if err := rows.Scan(&w.KeyType, &w.Public, &w.Blob, &w.KEK); err != nil {
			t.Fatal(err)
		}
		list = append(list, w)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

func (h *hsm) sign(t *testing.T, list []*samtest.Signer) {
	t.Helper()
	for _, s := range list {
		answer, err := h.Redeem(h.Approve(s, 2))
		if err != nil {
			t.Errorf("%s: %v", s.ID, err)
			continue
		}
		h.Decode(answer)
	}
}

// KPR-06, ROL-04, KPR-01: with an HSM too two officers order the next wrapping key and
// the end of the old one. Every key signs before, between and after, what was
// approved before is redeemed after, and no blob of before opens when the old
// wrapping key is gone, under no name, also after a restart.
func TestKPR06RotationOnAnHSM(t *testing.T) {
	h := newHSM(t)
	ctx := context.Background()
	var list []*samtest.Signer
	for i, kt := range []algo.KeyType{algo.P256, algo.P384, algo.RSA2048} {
		list = append(list, h.NewSigner(fmt.Sprint("signer-", i), kt))
	}
	h.sign(t, list)
	held, proof := h.Approve(list[0], 1)
	first, before := kekOf(t, h.World), h.blobs(t)
	info, err := h.Token.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.M.Propose(ctx, samtest.Officer, sam.DecideRotate, h.Args(sam.RotateKEK{From: first, Why: "yearly"}))
	if err != nil {
		t.Fatal(err)
	}
	refused(t, h.World, sap.ReasonSecond, func() error { _, err := h.M.Approve(ctx, samtest.Officer, p.ID); return err })
	if kekOf(t, h.World) != first {
		t.Fatal("one officer was enough")
	}
	if _, err := h.M.Approve(ctx, samtest.Second, p.ID); err != nil {
		t.Fatal(err)
	}
	second := kekOf(t, h.World)
	if got := under(t, h.World); first != "assent-kek" || second != "assent-kek/2" || got[second] != 3 || len(got) != 1 {
		t.Errorf("%s, then %s: %v", first, second, got)
	}
	if after, err := h.Token.Info(ctx); err != nil || after.KeyUses != info.KeyUses {
		t.Errorf("%d key uses for wrapping anew, %v", after.KeyUses-info.KeyUses, err)
	}
	if _, err := h.Redeem(held, proof); err != nil {
		t.Errorf("approved before the rotation: %v", err)
	}
	h.sign(t, list)
	backUp(t, h.World)
	h.Decide(sam.DecideDestroyKEK, sam.DestroyKEK{KEK: first, Why: "yearly"})
	for range 2 {
		for _, w := range before {
			for _, label := range []string{first, second} {
				w.KEK = label
				if err := h.Token.CheckWrapped(ctx, w); !errors.Is(err, cryptotoken.ErrBadBlob) {
					t.Errorf("%s of before as %s: %v", w.KeyType, label, err)
				}
			}
		}
		h.sign(t, list)
		h.restart(t)
	}
	if _, err := h.Try(sam.DecideDestroyKEK, sam.DestroyKEK{KEK: second, Why: "x"}); !errors.Is(err, sap.ReasonState) {
		t.Errorf("the current one: %v", err)
	}
	if count(h.World, sam.EventKEK) != 1 || count(h.World, sam.EventRewrapped) != 3 || count(h.World, sam.EventKEKDestroyed) != 1 {
		t.Error("not all of it is on record")
	}
	h.Check() // verifies the chain, and every use against an intent
}

// KPR-06, FPT-05: with an HSM a rotation that ended in the middle is finished by the
// next start, and every key signs meanwhile.
func TestKPR06UnfinishedRotationOnAnHSM(t *testing.T) {
	h := newHSM(t)
	list := []*samtest.Signer{h.NewSigner("alice", algo.P256), h.NewSigner("bob", algo.P256), h.NewSigner("carol", algo.P384)}
	first := kekOf(t, h.World)
	h.Token.FailRewrap(1)
	if _, err := h.Try(sam.DecideRotate, sam.RotateKEK{From: first, Why: "yearly"}); !errors.Is(err, sap.ReasonToken) {
		t.Fatalf("%v", err)
	}
	second := kekOf(t, h.World)
	if got := under(t, h.World); second == first || got[first] != 2 || got[second] != 1 {
		t.Fatalf("%v", got)
	}
	h.sign(t, list)
	if _, err := h.Try(sam.DecideDestroyKEK, sam.DestroyKEK{KEK: first, Why: "x"}); !errors.Is(err, sap.ReasonState) {
		t.Errorf("destroyed with keys under it: %v", err)
	}
	h.Token.FailRewrap(-1)
	h.restart(t)
	if got := under(t, h.World); kekOf(t, h.World) != second || got[second] != 3 || len(got) != 1 {
		t.Errorf("%v", got)
	}
	h.sign(t, list)
	h.Check()
}
