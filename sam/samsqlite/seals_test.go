package samsqlite_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samsqlite"
)

// KPR-06: a row that is no record is listed by its key and its error, and the walk goes on
// behind it; who asks for that record gets none.
func TestKPR06WalkGoesOnBehindARowThatIsNone(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "sam.db")
	s, err := samsqlite.Open(samsqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	stamp := sam.Stamp{Version: 1, MAC: []byte{1}}
	if err := s.Update(ctx, func(tx *sam.Tx) error {
		if err := tx.Signers.Insert(&sam.Signer{ID: "s1", Stamp: stamp}); err != nil {
			return err
		}
		for _, key := range []string{"o1", "o2", "o3"} {
			if err := tx.Onces.Insert(&sam.Once{Key: key, Signer: "s1", State: sam.OnceRequested, Stamp: stamp}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Exec("UPDATE onetime SET chain = x'ff' WHERE key = 'o2'"); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{1, 2, 9} {
		var keys []any
		err := s.View(ctx, func(tx *sam.Tx) error {
			for at := any(nil); ; {
				list, err := tx.Seals.After("onetime", at, limit)
				if err != nil || len(list) == 0 {
					return err
				}
				for _, row := range list {
					at = row.Key
					keys = append(keys, at)
					if spoiled := at == "o2"; spoiled != (row.Err != nil) || spoiled != (row.Record == nil) {
						t.Errorf("%v: %+v", at, row)
					}
				}
			}
		})
		if err != nil || len(keys) != 3 || keys[0] != "o1" || keys[1] != "o2" || keys[2] != "o3" {
			t.Errorf("%d at a time: %v, %v", limit, keys, err)
		}
	}
	if err := s.View(ctx, func(tx *sam.Tx) error { _, err := tx.Onces.Get("o2"); return err }); err == nil {
		t.Error("read all the same")
	}
}
