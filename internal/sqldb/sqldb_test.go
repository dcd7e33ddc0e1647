package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/assent-sign/assent/internal/sqldb"
)

func files(texts ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i, t := range texts {
		m[fmt.Sprintf("%04d_step.sql", i+1)] = &fstest.MapFile{Data: []byte(t)}
	}
	return m
}

const schema = `CREATE TABLE kv (k TEXT PRIMARY KEY, v INTEGER NOT NULL) STRICT;
CREATE TABLE many (v BLOB) STRICT;`

func open(t testing.TB, cfg sqldb.Config) *sqldb.DB {
	t.Helper()
	if cfg.Path == "" {
		cfg.Path = filepath.Join(t.TempDir(), "a db?.sqlite") // a name that needs escaping
	}
	if cfg.Migrations == nil {
		cfg.Migrations = files(schema)
	}
	db, err := sqldb.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func put(db *sqldb.DB, k string, v int) error {
	return db.Update(context.Background(), func(tx *sqldb.Tx) error {
		_, err := tx.Exec("INSERT INTO kv (k, v) VALUES (?, ?)", k, v)
		return err
	})
}

func count(t testing.TB, db *sqldb.DB) (n int) {
	t.Helper()
	if err := db.View(context.Background(), func(tx *sqldb.Tx) error { return tx.Row("SELECT count(*) FROM kv").Scan(&n) }); err != nil {
		t.Fatal(err)
	}
	return n
}

// One failing function of a group, an error or a panic, leaves nothing of
// itself and does not hurt the others.
func TestGroupMembersDoNotHurtEachOther(t *testing.T) {
	db := open(t, sqldb.Config{})
	mine := errors.New("mine")
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			err := db.Update(context.Background(), func(tx *sqldb.Tx) error {
				if _, err := tx.Exec("INSERT INTO kv (k, v) VALUES (?, ?)", fmt.Sprint(i), i); err != nil {
					return err
				}
				switch i % 3 {
				case 1:
					return mine
				case 2:
					panic("boom")
				}
				return nil
			})
			want := []error{nil, mine, sqldb.ErrPanic}[i%3]
			if !errors.Is(err, want) {
				t.Errorf("%d: %v, want %v", i, err, want)
			}
		})
	}
	wg.Wait()
	if n := count(t, db); n != 100 {
		t.Errorf("%d rows, want 100", n)
	}
}

// A function sees what earlier ones of its group did; Memo is emptied by a
// failure.
func TestMemoIsEmptiedByFailures(t *testing.T) {
	db := open(t, sqldb.Config{})
	update := func(fail bool) (had any) {
		err := db.Update(context.Background(), func(tx *sqldb.Tx) error {
			had = *tx.Memo()
			*tx.Memo() = "known"
			if fail {
				return errors.New("no")
			}
			_, err := tx.Exec("INSERT INTO many (v) VALUES (x'00')")
			return err
		})
		if (err != nil) != fail {
			t.Fatal(err)
		}
		return had
	}
	if update(false) != nil || update(false) != "known" || update(true) != "known" || update(false) != nil {
		t.Error("memo survived a failure, or did not survive a commit")
	}
	if err := db.View(context.Background(), func(tx *sqldb.Tx) error {
		if tx.Memo() != nil {
			t.Error("a view has a memo")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// AUD-06: a full disk is an error to every waiter of the group, and nothing of
// the group exists.
func TestFullDiskFailsTheWholeGroup(t *testing.T) {
	db := open(t, sqldb.Config{MaxPages: 30})
	if err := put(db, "before", 1); err != nil {
		t.Fatal(err)
	}
	start, held := make(chan struct{}), make(chan struct{})
	holder := make(chan error, 1)
	go func() { // holds the committer until all the others wait: they make one group
		holder <- db.Update(context.Background(), func(*sqldb.Tx) error { close(held); <-start; return nil })
	}()
	<-held
	errs := make(chan error, 20)
	for i := range 20 {
		go func() {
			errs <- db.Update(context.Background(), func(tx *sqldb.Tx) error {
				if _, err := tx.Exec("INSERT INTO kv (k, v) VALUES (?, 1)", fmt.Sprint(i)); err != nil {
					return err
				}
				_, err := tx.Exec("INSERT INTO many (v) VALUES (zeroblob(8000))")
				return err
			})
		}()
	}
	time.Sleep(50 * time.Millisecond) // for them to queue; the checks below hold for every grouping
	close(start)
	if err := <-holder; err != nil {
		t.Fatal(err)
	}
	failed := 0
	for range 20 {
		if err := <-errs; err != nil {
			failed++
		}
	}
	rows := count(t, db)
	if failed == 0 || rows != 1+20-failed {
		t.Errorf("%d failed, %d rows", failed, rows)
	}
	if err := db.View(context.Background(), func(tx *sqldb.Tx) error {
		var kv, many int
		if err := tx.Row("SELECT (SELECT count(*) FROM kv), (SELECT count(*) FROM many)").Scan(&kv, &many); err != nil {
			return err
		}
		if kv-1 != many {
			t.Errorf("half of a function exists: %d and %d", kv-1, many)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := put(db, "after", 1); err != nil {
		t.Errorf("a small change afterwards: %v", err)
	}
}

// A change that returned is on the disk: another connection to a copy of the
// files, taken without closing, sees it.
func TestDurableWhenUpdateReturns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	db := open(t, sqldb.Config{Path: path})
	for i := range 50 {
		if err := put(db, fmt.Sprint(i), i); err != nil {
			t.Fatal(err)
		}
	}
	copyTo := filepath.Join(t.TempDir(), "y.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copyTo+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := open(t, sqldb.Config{Path: copyTo})
	if n := count(t, again); n != 50 {
		t.Errorf("%d rows after the crash, want 50", n)
	}
}

func TestViewCannotWriteAndCloseEndsAll(t *testing.T) {
	db := open(t, sqldb.Config{})
	err := db.View(context.Background(), func(tx *sqldb.Tx) error {
		_, err := tx.Exec("INSERT INTO kv (k, v) VALUES ('x', 1)")
		return err
	})
	if err == nil {
		t.Error("a view wrote")
	}
	if err := db.View(context.Background(), func(tx *sqldb.Tx) error { return tx.Row("SELECT v FROM kv WHERE k = 'none'").Scan(new(int)) }); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("no row: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := db.Update(ctx, func(*sqldb.Tx) error { t.Error("ran"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := put(db, "x", 1); !errors.Is(err, sqldb.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
	if err := db.View(context.Background(), func(*sqldb.Tx) error { return nil }); !errors.Is(err, sqldb.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

func TestOneProcessAndFileMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	open(t, sqldb.Config{Path: path})
	if _, err := sqldb.Open(sqldb.Config{Path: path, Migrations: files(schema)}); !errors.Is(err, sqldb.ErrInUse) {
		t.Errorf("second open: %v", err)
	}
	for _, suffix := range []string{"", "-wal", ".lock"} {
		if st, err := os.Stat(path + suffix); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", suffix, st.Mode(), err)
		}
	}
}

// Migrations go forward only, are never changed, and leave no gap.
func TestMigrations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	try := func(m fstest.MapFS) error {
		db, err := sqldb.Open(sqldb.Config{Path: path, Migrations: m})
		if err == nil {
			err = db.Close()
		}
		return err
	}
	two := files(schema, "ALTER TABLE kv ADD COLUMN w INTEGER")
	for i, c := range []struct {
		m    fstest.MapFS
		want error
	}{
		{files(schema), nil}, {files(schema), nil}, {files(schema + " "), sqldb.ErrSchema}, {files(schema, "NOT SQL"), sqldb.ErrSchema},
		{two, nil}, {files(schema), sqldb.ErrSchema}, {fstest.MapFS{"0002_x.sql": {Data: []byte(schema)}}, sqldb.ErrSchema},
		{fstest.MapFS{"1_x.sql": {Data: []byte(schema)}}, sqldb.ErrSchema}, {two, nil},
	} {
		if err := try(c.m); !errors.Is(err, c.want) {
			t.Errorf("step %d: %v, want %v", i, err, c.want)
		}
	}
}

// BenchmarkUpdate is B5: durable acknowledgements with 1 to 128 callers.
func BenchmarkUpdate(b *testing.B) {
	for _, callers := range []int{1, 32, 128} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			db := open(b, sqldb.Config{})
			payload := []byte(strings.Repeat("x", 368))
			b.SetParallelism((callers + 1) / 2)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					err := db.Update(context.Background(), func(tx *sqldb.Tx) error {
						_, err := tx.Exec("INSERT INTO many (v) VALUES (?)", payload)
						return err
					})
					if err != nil {
						b.Fatal(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "acks/s")
		})
	}
}

// Foreign grows when another connection has committed, and not by what this DB
// does itself; the memo is forgotten then.
func TestForeignShowsTheWorkOfOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db := open(t, sqldb.Config{Path: path})
	for i := range 3 {
		if err := put(db, fmt.Sprint("own", i), 1); err != nil {
			t.Fatal(err)
		}
	}
	if n := db.Foreign(); n != 0 {
		t.Fatalf("own commits count as foreign: %d", n)
	}
	memo := func(want any) {
		t.Helper()
		if err := db.Update(context.Background(), func(tx *sqldb.Tx) error {
			if *tx.Memo() != want {
				t.Errorf("memo %v, want %v", *tx.Memo(), want)
			}
			*tx.Memo() = "known"
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	memo(nil)
	memo("known")
	other, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	if _, err := other.Exec("UPDATE kv SET v = 2 WHERE k = 'own1'"); err != nil {
		t.Fatal(err)
	}
	memo(nil)
	if n := db.Foreign(); n != 1 {
		t.Errorf("a foreign commit counts %d", n)
	}
}
