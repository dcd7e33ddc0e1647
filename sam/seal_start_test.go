package sam_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
)

// KPR-06: a database of before there were epochs of seals is of the first one, without
// anybody's doing, and its sealing key is changed like any other.
func TestKPR06SealOfOlderDatabases(t *testing.T) {
	w := samtest.New(t)
	alice, _ := populate(t, w)
	held, proof := w.Approve(alice, 1)
	closeAll(t, w)
	db := dba(t, w)
	for _, q := range []string{
		"ALTER TABLE meta DROP COLUMN seal_epoch", "ALTER TABLE meta DROP COLUMN seal_low", "DROP TRIGGER tombstone_no_update",
		"CREATE TRIGGER tombstone_no_update BEFORE UPDATE ON tombstone BEGIN SELECT RAISE(ABORT, 'tombstones are never changed'); END",
		"DELETE FROM schema_migration WHERE number = 11",
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	if low, now := sealsOf(t, w); low != 1 || now != 1 {
		t.Errorf("epochs %d to %d", low, now)
	}
	if _, err := w.Redeem(held, proof); err != nil {
		t.Error(err)
	}
	if text := readFile(t, w.Cfg.AnchorPath); strings.Contains(text, "seal") {
		t.Errorf("an older program could not read the anchor: %s", text)
	}
	rotateSeal(t, w)
	resealAll(t, w)
	w.Crash()
	if _, err := w.Redeem(w.Approve(alice, 1)); err != nil || len(seals(t, w)) != 1 {
		t.Error(err)
	}
	w.Check()
}

// derivations counts what a module asks its token to derive.
type derivations struct {
	samtest.Full
	mu    sync.Mutex
	seals int
	named int
}

func (d *derivations) DeriveSeal(ctx context.Context, label string) ([]byte, error) {
	d.mu.Lock()
	d.seals++
	d.mu.Unlock()
	return d.Full.DeriveSeal(ctx, label)
}

func (d *derivations) Signer(ctx context.Context, ref cryptotoken.KeyRef) (cryptotoken.Signer, error) {
	d.mu.Lock()
	d.named++
	d.mu.Unlock()
	return d.Full.Signer(ctx, ref)
}

// KPR-06: no redemption asks the token for a seal, in whatever epoch and also while
// records of two epochs count: the keys are in memory since the start, or the rotation.
func TestKPR06SealCostsNoTokenCall(t *testing.T) {
	var d *derivations
	w := samtest.New(t, func(c *sam.Config) {
		tok := c.Token.(*samtest.Token)
		d = &derivations{Full: tok.Full}
		tok.Full = struct {
			samtest.Full
			cryptotoken.Rotator
		}{d, d.Full.(cryptotoken.Rotator)}
	})
	s := w.NewSigner("alice", algo.P256)
	for _, step := range []func(){func() {}, func() { rotateSeal(t, w) }, func() { resealAll(t, w) }, w.Crash} {
		step()
		sad, proof := w.Approve(s, 1)
		before := fmt.Sprint(d.seals, d.named)
		if _, err := w.Redeem(sad, proof); err != nil {
			t.Fatal(err)
		}
		if after := fmt.Sprint(d.seals, d.named); after != before {
			t.Errorf("calls of the token: %s, then %s", before, after)
		}
	}
	if d.seals < 9 {
		t.Errorf("%d derivations in all: they are not counted", d.seals)
	}
}
