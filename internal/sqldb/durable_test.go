package sqldb_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/sqldb"
)

// AUD-06: every connection, the writer's and each reader's, is opened the durable way: a write-ahead log, each
// commit of which is flushed before it returns.
func TestEveryConnectionIsDurable(t *testing.T) {
	db := open(t, sqldb.Config{})
	look := func(tx *sqldb.Tx) error {
		var mode string
		var sync, foreign int
		for query, into := range map[string]any{"PRAGMA journal_mode": &mode, "PRAGMA synchronous": &sync, "PRAGMA foreign_keys": &foreign} {
			if err := tx.Row(query).Scan(into); err != nil {
				return fmt.Errorf("%s: %w", query, err)
			}
		}
		if mode != "wal" || sync != 2 || foreign != 1 {
			t.Errorf("journal_mode %s, synchronous %d, foreign_keys %d; want wal, 2 (FULL), 1", mode, sync, foreign)
		}
		return nil
	}
	if err := db.Update(context.Background(), look); err != nil {
		t.Error(err)
	}
	for range 8 { // the readers take turns
		if err := db.View(context.Background(), look); err != nil {
			t.Error(err)
		}
	}
}

// commits counts the commits in a write-ahead log: frames that say how large the
// database is afterwards (SQLite file format, 4.1).
func commits(t *testing.T, path string) (n int) {
	t.Helper()
	wal, err := os.ReadFile(path + "-wal")
	if err != nil || len(wal) < 32 {
		t.Fatalf("%d bytes of write-ahead log, %v", len(wal), err)
	}
	frame := 24 + int(binary.BigEndian.Uint32(wal[8:]))
	salt := string(wal[16:24])
	for at := 32; at+frame <= len(wal) && string(wal[at+8:at+16]) == salt; at += frame {
		if binary.BigEndian.Uint32(wal[at+4:]) != 0 {
			n++
		}
	}
	return n
}

// What waits while a change is made durable shares the next commit: a hundred callers cost
// a few flushes, whoever they are, and each alone costs one.
func TestWaitingCallersShareCommits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	db := open(t, sqldb.Config{Path: path})
	for i := range 20 {
		before := commits(t, path)
		if err := put(db, fmt.Sprint("alone ", i), i); err != nil {
			t.Fatal(err)
		}
		if n := commits(t, path) - before; n != 1 {
			t.Errorf("%d commits for one caller", n)
		}
	}
	before := commits(t, path)
	const callers = 100
	var come, done sync.WaitGroup
	come.Add(callers)
	done.Go(func() {
		err := db.Update(context.Background(), func(tx *sqldb.Tx) error {
			come.Wait()
			time.Sleep(50 * time.Millisecond) // from there to the queue
			_, err := tx.Exec("INSERT INTO kv (k, v) VALUES ('slow', 1)")
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	for i := range callers {
		done.Go(func() {
			come.Done()
			if err := put(db, fmt.Sprint("together ", i), i); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	if n := commits(t, path) - before; n > callers/10 {
		t.Errorf("%d commits for %d callers that waited", n, callers)
	}
	if n := count(t, db); n != 20+callers+1 {
		t.Errorf("%d rows", n)
	}
}
