package sam_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samsqlite"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// FPT-05, AUD-01: the very first start, in which the module makes its own record and its
// condition, is whole or none: whichever call of the store fails, it does not open.
func TestFPT05AnyCallFailsAtTheFirstStart(t *testing.T) {
	w := samtest.New(t)
	w.Stop()
	for n := range 200 {
		dir := filepath.Join(w.Dir, "first")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		db, err := samsqlite.Open(samsqlite.Config{Path: filepath.Join(dir, "sam.db")})
		if err != nil {
			t.Fatal(err)
		}
		store := &samtest.Store{Store: db}
		store.Faults.Arm(n)
		cfg := w.Cfg
		cfg.Store, cfg.AnchorPath, cfg.Ceremony = store, filepath.Join(dir, "anchor"), nil
		m, err := sam.Open(samtest.Faulty(context.Background()), cfg)
		hit := store.Faults.Disarm()
		switch {
		case err == nil && hit != "":
			t.Errorf("call %d (%s) failed and the module opened", n, hit)
		case err != nil && hit == "":
			t.Fatalf("after %d failures: %v", n, err)
		case err != nil && !errors.Is(err, sam.ErrOpen) && !errors.Is(err, sap.ReasonStore):
			t.Errorf("call %d (%s) failed: %v", n, hit, err)
		}
		if err == nil {
			err = m.Close()
		} else {
			err = db.Close()
		}
		if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
			t.Fatal(err)
		}
		if hit == "" {
			if n < 20 {
				t.Errorf("a first start makes %d calls of the store: the test does not see it", n)
			}
			return
		}
	}
	t.Error("a first start makes more than 200 calls")
}

// KEY-06, FPT-05, I5: a start that finds any one of its records edited is none, also when
// it has to clear up after a crash: a session that was reserved, a one-time key. What is
// edited is not cleared away, but found.
func TestKEY06AnyRecordIsEditedAtAStart(t *testing.T) {
	var die sam.Step
	o := newOnceWorld(t, func(c *sam.Config) {
		c.Hook = func(s sam.Step) {
			if s == die {
				panic(killed{s})
			}
		}
	})
	bob := o.NewSigner("bob", algo.P256)
	o.key()
	sad, proof := o.Approve(bob, 1)
	die = sam.StepReserved
	func() {
		defer func() { _ = recover() }()
		_, _ = o.Redeem(sad, proof)
	}()
	die = ""
	o.Stop()
	read := map[string]bool{}
	for n := range 200 {
		db, err := samsqlite.Open(samsqlite.Config{Path: o.DB()})
		if err != nil {
			t.Fatal(err)
		}
		store := &samtest.Store{Store: db}
		store.Faults.Edit(n)
		cfg := o.Cfg
		cfg.Store = store
		m, err := sam.Open(samtest.Faulty(context.Background()), cfg)
		hit := store.Faults.Edited()
		read[hit] = true
		switch {
		case err == nil && hit != "":
			_ = m.Close()
			t.Fatalf("record %d (%s) is edited and the module opened", n, hit)
		case err == nil:
			_ = m.Abandon()
		default:
			_ = db.Close()
		}
		if err != nil && (hit == "" || !errors.Is(err, sam.ErrOpen) && !errors.Is(err, sap.ReasonSeal)) {
			t.Fatalf("record %d (%s) is edited: %v", n, hit, err)
		}
		if hit == "" {
			break
		}
	}
	for _, want := range []string{"Meta.Get", "Condition.Get", "Sessions.Reserved", "OnceList.Live"} {
		if !read[want] {
			t.Errorf("the test does not see what %s reads: %v", want, read)
		}
	}
	if err := o.Open(); err != nil {
		t.Fatal(err)
	}
	refused(t, o.World, sap.ReasonBurnt, func() error { _, err := o.Redeem(sad, proof); return err })
	o.dead(t, o.alice.Key)
}

// T34, KPR-03: a database and an anchor that do not belong together, each of them genuine
// and of this cluster and token, do not open.
func TestKPR03DatabaseOfAnotherInstance(t *testing.T) {
	w := samtest.New(t)
	closeAll(t, w)
	mine := w.Cfg.AnchorPath
	w.Cfg.AnchorPath = filepath.Join(w.Dir, "other-anchor")
	path := filepath.Join(w.Dir, "other.db")
	db, err := samsqlite.Open(samsqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	cfg := w.Cfg
	cfg.Store = db
	m, err := sam.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", ".tombstones", ".failures", ".condition"} { // its files in place of the other's
		if text := readIfThere(t, w.Cfg.AnchorPath+suffix); text != "" {
			write(t, mine+suffix, text)
		}
	}
	w.Cfg.AnchorPath = mine
	stays(t, w, "database is of")
}

// T34, BKP-03: what the anchor knows beyond the length of the chain: the epoch that two
// officers have opened, and how many keys are destroyed. A database that is longer and
// still behind in one of them waits for two officers.
func TestBKP03LongerAndStillOlder(t *testing.T) {
	t.Run("epoch", func(t *testing.T) {
		w := samtest.New(t)
		s := w.NewSigner("alice", algo.P256)
		short := takeCopy(t, w)
		for range 30 {
			w.Ask(s, 1)
		}
		long := takeCopy(t, w)
		putCopy(t, w, short)
		accept(t, w, sam.DecideRestore)
		closeAll(t, w)
		samtest.CopyFile(t, long, w.DB())
		remove(t, w.DB()+"-wal")
		remove(t, w.DB()+"-shm")
		waitsFor(t, w, sam.DecideRestore, "its epoch is 1, the anchor's 2")
	})
	t.Run("destroyed keys", func(t *testing.T) {
		w := samtest.New(t)
		s := w.NewSigner("alice", algo.P256)
		if err := w.Destroy(s.Key); err != nil {
			t.Fatal(err)
		}
		closeAll(t, w)
		db := dba(t, w)
		for _, trigger := range triggers(t, w, "tombstone") {
			if _, err := db.Exec("DROP TRIGGER " + trigger); err != nil {
				t.Fatal(err)
			}
		}
		exec(t, db, "DELETE FROM tombstone")
		waitsFor(t, w, sam.DecideRestore, "it knows 0 destroyed keys, the anchor 1")
	})
	t.Run("own record", func(t *testing.T) {
		w := samtest.New(t)
		w.NewSigner("alice", algo.P256)
		short := takeCopy(t, w)
		w.NewSigner("bob", algo.P256)
		putCopy(t, w, short)
		accept(t, w, sam.DecideRestore)
		closeAll(t, w)
		exec(t, dba(t, w), "ATTACH DATABASE ? AS old; UPDATE meta SET (epoch, seq, version, mac) = (SELECT epoch, seq, version, mac FROM old.meta)", short)
		stays(t, w, "the module's own record is not the last one that was written")
	})
}

// triggers are those of a table.
func triggers(t *testing.T, w *samtest.World, table string) (names []string) {
	t.Helper()
	rows, err := dba(t, w).Query("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", table)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return names
}

// FPT-03, AUD-06: on a full disk the mark cannot be written, and that is told.
func TestFPT03MarkOnAFullDevice(t *testing.T) {
	w := samtest.New(t)
	w.Stop()
	path := w.Cfg.AnchorPath + ".condition"
	remove(t, path)
	if err := os.Symlink("/dev/full", path); err != nil {
		t.Fatal(err)
	}
	err := w.Open()
	if !errors.Is(err, sam.ErrOpen) || !strings.Contains(err.Error(), "condition mark") {
		t.Errorf("%v", err)
	}
	if err == nil {
		closeAll(t, w)
	}
}
