package sam_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// noBackupYet asks for a backup, which is refused because records are sealed anew, and
// leaves no file.
func noBackupYet(t *testing.T, w *samtest.World) {
	t.Helper()
	was := readDir(t, w.Cfg.Backups, "*.backup*")
	refused(t, w, sap.ReasonResealing, func() error {
		_, err := w.M.Propose(context.Background(), samtest.Officer, sam.DecideBackup, w.Args(sam.MakeBackup{Why: "nightly"}))
		return err
	})
	if now := readDir(t, w.Cfg.Backups, "*.backup*"); !slices.Equal(now, was) {
		t.Errorf("files %v, before %v", now, was)
	}
}

// KPR-06, BKP-01: no backup is made of a database that is sealed under two epochs, since
// it would be worth nothing when the older one is destroyed: not proposed, not approved,
// not written when the change came in between, not after a restart. The refusal says what
// to do; the same order is carried out when the re-sealing has ended, and its file is
// restored without the old epoch.
func TestKPR06NoBackupWhileRecordsAreSealedAnew(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	alice, _ := populate(t, w)
	order, err := w.M.Propose(ctx, samtest.Officer, sam.DecideBackup, w.Args(sam.MakeBackup{Why: "nightly"}))
	if err != nil {
		t.Fatal(err)
	}
	rotateSeal(t, w)
	approved := func() error { _, err := w.M.Approve(ctx, samtest.Second, order.ID); return err }
	for _, step := range []func(){func() {}, func() { reseal(t, w) }, w.Crash} {
		step()
		noBackupYet(t, w)
		refused(t, w, sap.ReasonResealing, approved)
		err := w.M.ActBackup(ctx, order)
		if !errors.Is(err, sap.ReasonResealing) || !contains(err.Error(), "again when status shows one epoch") {
			t.Errorf("approved before the change: %v", err)
		}
		if list := readDir(t, w.Cfg.Backups, "*.backup*"); len(list) != 0 || count(w, sam.EventBackup) != 0 {
			t.Errorf("made: %v, %d on record", list, count(w, sam.EventBackup))
		}
	}
	resealAll(t, w)
	if err := approved(); err != nil {
		t.Fatal(err)
	}
	list := readDir(t, w.Cfg.Backups, "*.backup*")
	if len(list) != 1 {
		t.Fatalf("made: %v", list)
	}
	if r := last(w, sam.EventBackup); !contains(r.Data, `"seal_epoch":2`) || !contains(r.Data, filepath.Base(list[0])) {
		t.Errorf("%s", r.Data)
	}
	w.Decide(sam.DecideSealEnd, sam.DestroySeal{Epoch: 1, Why: "yearly"})
	closeAll(t, w)
	if err := restoreFile(t, w, list[0]); err != nil {
		t.Fatal(err)
	}
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	accept(t, w, sam.DecideRestore)
	if _, err := w.Redeem(w.Approve(alice, 1)); err != nil {
		t.Error(err)
	}
	w.Check()
}

// KPR-06, BKP-01: the end of an epoch of the sealing key, which makes all backups of before
// worthless, is refused as long as none of a later epoch is on record; officers who want
// it all the same have to say so, and that is on record. A backup of a later epoch is
// enough, also when it is not of the present one.
func TestKPR06SealIsNotDestroyedBeforeABackup(t *testing.T) {
	type step struct {
		rotate, backup bool
		end            int64 // ends this epoch
		refused        bool
		without        bool
	}
	rotate, backup := step{rotate: true}, step{backup: true}
	no := func(e int64) step { return step{end: e, refused: true} }
	yes := func(e int64) step { return step{end: e} }
	without := func(e int64) step { return step{end: e, without: true} }
	for name, steps := range map[string][]step{
		"none at all":              {rotate, no(1), without(1)},
		"one of before":            {backup, rotate, no(1), backup, yes(1)},
		"one of before, said so":   {backup, rotate, without(1)},
		"one between two changes":  {rotate, backup, rotate, no(2), yes(1), backup, yes(2)},
		"one of before the second": {backup, rotate, backup, rotate, rotate, no(3), no(2), yes(1)},
	} {
		t.Run(name, func(t *testing.T) {
			w := samtest.New(t)
			s := w.NewSigner("alice", algo.P256)
			for i, x := range steps {
				switch {
				case x.rotate:
					rotateSeal(t, w)
					resealAll(t, w)
					continue
				case x.backup:
					backUp(t, w)
					continue
				}
				for _, restart := range []bool{false, true} { // what was made in another run counts
					if restart && x.refused {
						w.Crash()
					} else if restart {
						continue
					}
					before := count(w, sam.EventSealKeyDestroyed)
					_, err := w.Try(sam.DecideSealEnd, sam.DestroySeal{Epoch: x.end, Why: "yearly", WithoutBackup: x.without})
					if ended := count(w, sam.EventSealKeyDestroyed) - before; x.refused != errors.Is(err, sap.ReasonNoBackup) || !x.refused && err != nil || ended == 0 != x.refused {
						t.Fatalf("step %d: %v, %d ended", i+1, err, ended)
					}
				}
				if r := last(w, sam.EventSealKeyDestroyed); !x.refused && !contains(r.Data, fmt.Sprintf(`"without_backup":%t`, x.without)) {
					t.Errorf("step %d: %s", i+1, r.Data)
				}
			}
			w.Crash()
			if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
				t.Error(err)
			}
			w.Check()
		})
	}
}

// KPR-06, BKP-03: what a restored database knows of backups is what it was at its backup:
// the end of an epoch waits for a new one, though the file is there.
func TestKPR06SealAfterARestoreWaitsForABackup(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	rotateSeal(t, w)
	resealAll(t, w)
	file := backUp(t, w)
	closeAll(t, w)
	if err := restoreFile(t, w, file); err != nil {
		t.Fatal(err)
	}
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	accept(t, w, sam.DecideRestore)
	if _, err := w.Try(sam.DecideSealEnd, sam.DestroySeal{Epoch: 1, Why: "yearly"}); !errors.Is(err, sap.ReasonNoBackup) {
		t.Errorf("got %v", err)
	}
	backUp(t, w)
	w.Decide(sam.DecideSealEnd, sam.DestroySeal{Epoch: 1, Why: "yearly"})
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Error(err)
	}
}

// KPR-06, FPT-05: whichever call of the database fails while the module looks for a backup,
// it does not take one for there; nor when somebody edited the record that it finds.
func TestKPR06SealFaultsWhileLookingForABackup(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	rotateSeal(t, w)
	resealAll(t, w)
	backUp(t, w)
	ask := func(ctx context.Context) error {
		_, err := w.M.Propose(ctx, samtest.Officer, sam.DecideSealEnd, w.Args(sam.DestroySeal{Epoch: 1, Why: "yearly"}))
		return err
	}
	hits := []string{}
	for n := 0; ; n++ {
		w.Store.Faults.Arm(n)
		err := ask(samtest.Faulty(ctx))
		hit := w.Store.Faults.Disarm()
		if hit == "" {
			if err != nil {
				t.Error(err)
			}
			break
		}
		if err == nil {
			t.Errorf("%s fails, and the end is proposed", hit)
		}
		hits = append(hits, hit)
	}
	if !slices.Contains(hits, "Audit.LastOf") || !slices.Contains(hits, "Audit.Page") {
		t.Errorf("hit %v", hits)
	}
	// A record that somebody edited is none.
	quick(t, w, "DROP TRIGGER audit_no_update")
	exec(t, dba(t, w), `UPDATE audit SET data = '{"obj":"backup","seal_epoch":9}' WHERE type = 'backup_made'`)
	if err := ask(ctx); !errors.Is(err, sap.ReasonSeal) {
		t.Errorf("edited: %v", err)
	}
}

// BKP-01, ROL-04: a backup has a reason that the record can show: given, of at most 200
// octets, of one line.
func TestBKP01BackupHasAReason(t *testing.T) {
	w := samtest.New(t)
	propose := func(why string) error {
		_, err := w.M.Propose(context.Background(), samtest.Officer, sam.DecideBackup, w.Args(sam.MakeBackup{Why: why}))
		return err
	}
	for _, why := range []string{"", strings.Repeat("a", 201), "two\nlines"} {
		refused(t, w, sap.ReasonInvalid, func() error { return propose(why) })
	}
	if err := propose(strings.Repeat("a", 200)); err != nil {
		t.Error(err)
	}
}

// BKP-01, AUD-01, FPT-05: whichever call of the database fails while a backup is approved and
// made, the approver is told that it was made exactly when that is on record.
func TestBKP01FaultsWhileABackupIsMade(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	hits := []string{}
	for n := 0; ; n++ {
		p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideBackup, w.Args(sam.MakeBackup{Why: "nightly"}))
		if err != nil {
			t.Fatal(err)
		}
		before := count(w, sam.EventBackup)
		w.Store.Faults.Arm(n)
		_, err = w.M.Approve(samtest.Faulty(ctx), samtest.Second, p.ID)
		hit := w.Store.Faults.Disarm()
		if made := count(w, sam.EventBackup) - before; made == 1 != (err == nil) {
			t.Errorf("%q fails: %v, %d on record", hit, err, made)
		}
		if hit == "" {
			break
		}
		hits = append(hits, hit)
	}
	if n := len(hits); n < 6 {
		t.Errorf("hit %v", hits)
	}
}
