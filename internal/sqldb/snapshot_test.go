package sqldb_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/assent-sign/assent/internal/sqldb"
)

// BKP-01: a copy is one consistent state, taken while others write, and is gone
// afterwards, also after an error and after a process that was killed.
func TestSnapshotIsConsistent(t *testing.T) {
	path := t.TempDir() + "/a db?.sqlite"
	db := open(t, sqldb.Config{Path: path})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { // two rows at a time: an odd number would be half a transaction
		for i := 0; ; i += 2 {
			select {
			case <-stop:
				return
			default:
			}
			err := db.Update(context.Background(), func(tx *sqldb.Tx) error {
				for j := range 2 {
					if _, err := tx.Exec("INSERT INTO kv (k, v) VALUES (?, 1)", string(rune('a'+j))+string(rune(i+1000))); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	if err := os.WriteFile(path+".snapshot", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	mine := errors.New("mine")
	for i := range 5 {
		err := db.Snapshot(context.Background(), func(path string) error {
			st, err := os.Stat(path)
			if err != nil || st.Mode() != 0o600 {
				t.Errorf("%v, %v", st, err)
			}
			var n int
			if err := sqldb.ReadCopy(path, func(tx *sqldb.Tx) error { return tx.Row("SELECT count(*) FROM kv").Scan(&n) }); err != nil {
				return err
			}
			if n%2 != 0 {
				t.Errorf("%d rows: half a transaction", n)
			}
			if i == 4 {
				return mine
			}
			return nil
		})
		if (i < 4 && err != nil) || (i == 4 && !errors.Is(err, mine)) {
			t.Error(err)
		}
		if _, err := os.Stat(path + ".snapshot"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the copy is still there: %v", err)
		}
	}
	close(stop)
	wg.Wait()
}
