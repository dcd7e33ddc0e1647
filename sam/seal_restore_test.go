package sam_test

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// KPR-06, BKP-02, BKP-03: a backup from before a change of the sealing key is restored as
// any other, by two officers, as long as the old epoch is not destroyed: what it holds is
// sealed anew on arrival, also after a kill in the middle of that; counts and destroyed
// keys of after the backup stay; what was approved before is void.
func TestKPR06SealRestoreOfBefore(t *testing.T) {
	for name, c := range map[string]struct {
		twice bool // two changes since
		done  bool // the last one is at its end
		lost  bool // the anchor is gone
	}{
		"in the middle": {}, "at the end": {done: true}, "two changes since": {twice: true, done: true},
		"two changes since, in the middle": {twice: true}, "anchor lost": {done: true, lost: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := samtest.New(t)
			alice, bob := populate(t, w)
			held, proof := w.Approve(alice, 1)
			file := backUp(t, w)
			carol := w.NewSigner("carol", algo.P256) // whom the backup does not know
			for i := 0; i < 1 || c.twice && i < 2; i++ {
				rotateSeal(t, w)
				if c.done || c.twice && i == 0 {
					resealAll(t, w)
				}
			}
			_, now := sealsOf(t, w)
			for range 2 {
				bad := failing(t, w, bob)
				_, _ = w.Redeem(bad.sad, bad.proof)
			}
			if err := w.Destroy(carol.Key); err != nil {
				t.Fatal(err)
			}
			closeAll(t, w)
			if c.lost {
				remove(t, w.Cfg.AnchorPath)
			}
			if err := restoreFile(t, w, file); err != nil {
				t.Fatal(err)
			}
			w.Token.Forget()
			for range 2 {
				if err := w.Open(); err != nil {
					t.Fatal(err)
				}
				onlyDecidesAbout(t, w, sam.DecideRestore)
				if reseal(t, w) || len(seals(t, w)) != 1 {
					t.Error("sealed anew before anybody accepted it")
				}
				w.Stop()
			}
			if err := w.Open(); err != nil {
				t.Fatal(err)
			}
			accept(t, w, sam.DecideRestore)
			if low, epoch := sealsOf(t, w); low != 1 || epoch != now {
				t.Errorf("epochs %d to %d, want 1 to %d", low, epoch, now)
			}
			for range 5 {
				reseal(t, w)
			}
			w.Crash()
			if _, err := w.Redeem(w.Approve(alice, 1)); err != nil {
				t.Error(err)
			}
			resealAll(t, w)
			if got := seals(t, w); len(got) != 1 || got[int(now)] == 0 || count(w, sam.EventNotResealed) != 0 {
				t.Errorf("records by epoch: %v, %d refused", got, count(w, sam.EventNotResealed))
			}
			refused(t, w, sap.ReasonAudience, func() error { _, err := w.Redeem(held, proof); return err })
			if !locked(t, w, bob) {
				t.Error("failures of after the backup are forgotten")
			}
			backUp(t, w)
			w.Decide(sam.DecideSealEnd, sam.DestroySeal{Epoch: now - 1, Why: "restored"})
			w.Crash()
			if _, err := w.Redeem(w.Approve(alice, 1)); err != nil || w.Waits(sam.DecideRestore) != nil {
				t.Error(err)
			}
			w.Check()
		})
	}
}

// KPR-06, BKP-02: a backup that a release of before made while records were sealed anew
// holds both epochs, and is restored as long as there are keys for both. While what it
// held is sealed anew, this release makes no backup.
func TestKPR06SealRestoreOfTheMiddle(t *testing.T) {
	w := samtest.New(t)
	populate(t, w)
	rotateSeal(t, w)
	for range 9 {
		reseal(t, w)
	}
	file := filepath.Join(w.Cfg.Backups, "of-before.backup")
	if err := w.M.BackupOfBefore(context.Background(), file); err != nil {
		t.Fatal(err)
	}
	resealAll(t, w)
	closeAll(t, w)
	if err := restoreFile(t, w, file); err != nil {
		t.Fatal(err)
	}
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	accept(t, w, sam.DecideRestore)
	if got := seals(t, w); got[1] == 0 || got[2] == 0 {
		t.Fatalf("not the state that this test is about: %v", got)
	}
	noBackupYet(t, w)
	resealAll(t, w)
	if got := seals(t, w); len(got) != 1 {
		t.Errorf("records by epoch: %v", got)
	}
	after := backUp(t, w)
	w.Decide(sam.DecideSealEnd, sam.DestroySeal{Epoch: 1, Why: "yearly"})
	closeAll(t, w)
	if err := restoreFile(t, w, file); err != nil { // of epoch 2, which is there
		t.Fatal(err)
	}
	stays(t, w, "restore a backup that was made after it")
	if err := restoreFile(t, w, after); err != nil {
		t.Fatal(err)
	}
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	accept(t, w, sam.DecideRestore)
	w.Check()
}

func readDir(t *testing.T, dir, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// KPR-06, KPR-08: when two officers have ended the old epoch, nothing that was sealed under
// it comes back: no backup, no database put back, not even with its anchor and its lists,
// and each is refused with what to do. A backup of after the change is restored.
func TestKPR06SealDestroyed(t *testing.T) {
	for _, rotations := range []int{1, 2} {
		w := samtest.New(t)
		alice, _ := populate(t, w)
		if rotations == 2 {
			rotateSeal(t, w)
			resealAll(t, w)
		}
		before := backUp(t, w)
		closeAll(t, w)
		ends := []string{"", ".tombstones", ".failures", ".condition"}
		old := t.TempDir()
		samtest.CopyFile(t, w.DB(), filepath.Join(old, "sam.db"))
		for _, end := range ends {
			samtest.CopyFile(t, w.Cfg.AnchorPath+end, filepath.Join(old, "anchor"+end))
		}
		if err := w.Open(); err != nil {
			t.Fatal(err)
		}
		rotateSeal(t, w)
		resealAll(t, w)
		after := backUp(t, w)
		w.Decide(sam.DecideSealEnd, sam.DestroySeal{Epoch: int64(rotations), Why: "yearly"})
		sad, proof := w.Approve(alice, 1)
		closeAll(t, w)

		if err := restoreFile(t, w, before); !errors.Is(err, sam.ErrBackup) || !strings.Contains(err.Error(), "restore one that was made after it") {
			t.Errorf("backup of before: %v", err)
		}
		if _, err := os.Stat(w.DB()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("left a database: %v", err)
		}
		samtest.CopyFile(t, filepath.Join(old, "sam.db"), w.DB())
		stays(t, w, "restore a backup that was made after it")
		kept := t.TempDir()
		for _, end := range ends {
			samtest.CopyFile(t, w.Cfg.AnchorPath+end, filepath.Join(kept, "anchor"+end))
			samtest.CopyFile(t, filepath.Join(old, "anchor"+end), w.Cfg.AnchorPath+end)
		}
		stays(t, w, "restore a backup that was made after it") // all of it is of before
		for _, end := range ends {
			samtest.CopyFile(t, filepath.Join(kept, "anchor"+end), w.Cfg.AnchorPath+end)
		}
		if err := restoreFile(t, w, after); err != nil {
			t.Fatal(err)
		}
		if err := w.Open(); err != nil {
			t.Fatal(err)
		}
		w.Token.Forget()
		accept(t, w, sam.DecideRestore)
		refused(t, w, sap.ReasonAudience, func() error { _, err := w.Redeem(sad, proof); return err })
		if _, err := w.Redeem(w.Approve(alice, 1)); err != nil {
			t.Error(err)
		}
		w.Check()
	}
}

// KPR-06: a whole database of before, put back under the anchor of after, waits for two
// officers and says why; nobody is asked about one that is destroyed.
func TestKPR06SealDatabasePutBack(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	old := takeCopy(t, w)
	rotateSeal(t, w)
	resealAll(t, w)
	putCopy(t, w, old)
	st, err := w.M.Status(context.Background(), samtest.Officer)
	if err != nil || !contains(st.Why, "it is sealed under epoch 1, the anchor under epoch 2") {
		t.Errorf("%s, %v", st.Why, err)
	}
	accept(t, w, sam.DecideRestore)
	if r := last(w, sam.EventRestore); !contains(r.Data, `"seal_epoch":2`) || !contains(r.Data, `"seal_low":1`) {
		t.Errorf("%s", r.Data)
	}
	resealAll(t, w)
	if got := seals(t, w); len(got) != 1 || got[2] == 0 {
		t.Errorf("records by epoch: %v", got)
	}
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Error(err)
	}
	w.Check()
}

// KPR-06: an order that ended before its commit has left a mark in the token; the next
// one does not take it, so that nobody has derived the epoch's keys beforehand, and does
// not destroy it: another database may be sealed under it.
func TestKPR06SealOfAnUnfinishedOrder(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	s := w.NewSigner("alice", algo.P256)
	ref := cryptotoken.KeyRef{Label: "assent-seal-epoch/" + samtest.Cluster + "/2"}
	planted, err := w.Token.CreateKey(ctx, ref, algo.P256)
	if err != nil {
		t.Fatal(err)
	}
	w.Crash() // it does not disturb
	if low, now := sealsOf(t, w); low != 1 || now != 1 {
		t.Errorf("epochs %d to %d", low, now)
	}
	rotateSeal(t, w)
	kept, err := w.Token.Signer(ctx, ref)
	if err != nil {
		t.Fatal(err)
	}
	if !planted.Public().(*ecdsa.PublicKey).Equal(kept.Public()) {
		t.Error("the mark that was there is another one")
	}
	for range 2 {
		if low, now := sealsOf(t, w); low != 1 || now != 3 {
			t.Errorf("epochs %d to %d", low, now)
		}
		if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
			t.Error(err)
		}
		w.Crash()
	}
	resealAll(t, w)
	w.Crash()
	if low, now := sealsOf(t, w); low != 3 || now != 3 || len(seals(t, w)) != 1 {
		t.Errorf("epochs %d to %d", low, now)
	}
	backUp(t, w)
	w.Decide(sam.DecideSealEnd, sam.DestroySeal{Epoch: 1, Why: "yearly"})
	w.Decide(sam.DecideSealEnd, sam.DestroySeal{Epoch: 2, Why: "yearly"})
	if _, err := w.Token.Signer(ctx, ref); !errors.Is(err, cryptotoken.ErrKeyNotFound) {
		t.Errorf("the mark that nobody used: %v", err)
	}
}

// KPR-06: a new module under the name of one that is gone, whose first epoch was ended in
// this token, begins with an epoch that the token has.
func TestKPR06SealOfANewModuleOfTheSameName(t *testing.T) {
	w := samtest.New(t)
	for range 2 {
		rotateSeal(t, w)
		resealAll(t, w)
	}
	w.Decide(sam.DecideSealEnd, sam.DestroySeal{Epoch: 2, Why: "yearly", WithoutBackup: true})
	closeAll(t, w)
	for _, path := range append(readDir(t, w.Dir, "anchor*"), readDir(t, w.Dir, "sam.db*")...) {
		remove(t, path)
	}
	w.Token.Forget()
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	if low, now := sealsOf(t, w); low != 3 || now != 3 {
		t.Errorf("epochs %d to %d", low, now)
	}
	if _, err := w.Redeem(w.Approve(w.NewSigner("alice", algo.P256), 1)); err != nil {
		t.Error(err)
	}
	w.Crash()
	rotateSeal(t, w)
	resealAll(t, w)
	if got := seals(t, w); len(got) != 1 || got[4] == 0 {
		t.Errorf("records by epoch: %v", got)
	}
}

// KPR-06, KPR-01: the same with an HSM: the epochs are in the token, over a restart of its
// processes, and the end of an epoch is one for whoever has the token too.
func TestKPR06SealOnAnHSM(t *testing.T) {
	h := newHSM(t)
	alice := h.NewSigner("alice", algo.P256)
	held, proof := h.Approve(alice, 1)
	old := takeCopy(t, h.World)
	rotateSeal(t, h.World)
	for range 9 {
		reseal(t, h.World)
	}
	h.restart(t)
	if low, now := sealsOf(t, h.World); low != 1 || now != 2 {
		t.Errorf("epochs %d to %d", low, now)
	}
	if _, err := h.Redeem(held, proof); err != nil {
		t.Errorf("approved before the change: %v", err)
	}
	resealAll(t, h.World)
	h.restart(t)
	if got := seals(t, h.World); len(got) != 1 || got[2] == 0 || count(h.World, sam.EventNotResealed) != 0 {
		t.Errorf("records by epoch: %v", got)
	}
	rotateSeal(t, h.World)
	resealAll(t, h.World)
	backUp(t, h.World)
	h.Decide(sam.DecideSealEnd, sam.DestroySeal{Epoch: 2, Why: "yearly"})
	h.restart(t)
	h.sign(t, []*samtest.Signer{alice})
	h.Check()
	for _, label := range []string{"2", "1-ended", "3"} {
		_, err := h.Token.Signer(context.Background(), cryptotoken.KeyRef{Label: "assent-seal-epoch/" + samtest.Cluster + "/" + label})
		if there := err == nil; there != (label != "2") {
			t.Errorf("mark %s: %v", label, err)
		}
	}
	closeAll(t, h.World)
	for _, end := range []string{"-wal", "-shm"} {
		remove(t, h.DB()+end)
	}
	samtest.CopyFile(t, old, h.DB())
	stays(t, h.World, "restore a backup that was made after it")
}
