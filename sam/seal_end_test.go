package sam_test

import (
	"context"
	"os"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
)

// endsLater seals everything anew, sees that the old epoch does not end as long as
// something is in the way of the anchor, and ends it after repair and a kill.
func endsLater(t *testing.T, w *samtest.World, s *samtest.Signer, repair func()) {
	t.Helper()
	rotateSeal(t, w)
	var err error
	for range 50 {
		if _, err = w.M.Reseal(context.Background()); err != nil {
			break
		}
	}
	if low, now := sealsOf(t, w); err == nil || low != 1 || now != 2 || count(w, sam.EventResealed) != 0 {
		t.Errorf("epochs %d to %d, %v", low, now, err)
	}
	w.Stop()
	repair()
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	resealAll(t, w)
	w.Crash()
	if low, now := sealsOf(t, w); low != 2 || now != 2 || count(w, sam.EventResealed) != 1 {
		t.Errorf("epochs %d to %d", low, now)
	}
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Error(err)
	}
	w.Check()
}

// KPR-06, FPT-05: the old epoch ends only when the anchor is sealed under the new one: an
// anchor that could not be replaced since the change is one that the next start reads.
func TestKPR06SealEndsOnlyUnderItsAnchor(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	if err := os.Mkdir(w.Cfg.AnchorPath+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	endsLater(t, w, s, func() { remove(t, w.Cfg.AnchorPath+".new") })
}

// KPR-06, KEY-09: a tombstone that somebody wrote into the database holds up the anchor and
// with it the end of the old epoch; when it is repaired the module opens and goes on.
func TestKPR06SealForgedTombstoneLocksNobodyOut(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	exec(t, dba(t, w), "INSERT INTO tombstone (key, destroyed, seq, version, mac) VALUES ('k-none', 1, 1, 1, x'00')")
	endsLater(t, w, s, func() { quick(t, w, "DROP TRIGGER tombstone_no_delete; DELETE FROM tombstone WHERE key = 'k-none'") })
}
