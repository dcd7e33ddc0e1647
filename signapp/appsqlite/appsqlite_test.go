package appsqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/appsqlite"
	"github.com/assent-sign/assent/signapp/storetest"
)

func TestSQLitePassesTheSuite(t *testing.T) {
	storetest.Run(t, func(t *testing.T, dir string) signapp.Store {
		s, err := appsqlite.Open(filepath.Join(dir, "app.db"), appsqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// F4: a full database says so, keeps what it has, and works again when there is
// room.
func TestFullDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	s, err := appsqlite.Open(path, appsqlite.Options{MaxPages: 40})
	if err != nil {
		t.Fatal(err)
	}
	big := make([]byte, 20<<10)
	put := func(s *appsqlite.Store, id string) error {
		return s.Update(context.Background(), func(tx signapp.Tx) error {
			return tx.Operations().Put(signapp.OperationRow{ID: id, Client: "c", Signer: "s", State: signapp.StatePrepared, Fixed: big})
		})
	}
	n := 0
	for ; n < 100; n++ {
		if err = put(s, string(rune('a'+n))); err != nil {
			break
		}
	}
	if !errors.Is(err, signapp.ErrFull) || n == 0 {
		t.Fatalf("after %d rows: %v", n, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = appsqlite.Open(path, appsqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var rows []signapp.OperationRow
	err = s.View(context.Background(), func(tx signapp.Tx) (err error) {
		rows, err = tx.Operations().List(signapp.Everything(), signapp.Query{})
		return err
	})
	if err != nil || len(rows) != n {
		t.Fatalf("%d rows of %d, %v", len(rows), n, err)
	}
	if err := put(s, "more"); err != nil {
		t.Fatal(err)
	}
}
