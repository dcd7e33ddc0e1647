package sqldb_test

import (
	"context"
	"testing"

	"github.com/assent-sign/assent/internal/sqldb"
)

// The driver takes a missing argument for NULL and database/sql would turn types
// into each other: neither may happen to records whose columns are sealed
// (KEY-06).
func TestArgumentsAndTypesAreStrict(t *testing.T) {
	db := open(t, sqldb.Config{Migrations: files("CREATE TABLE loose (a, b)")})
	type kind string
	err := db.Update(context.Background(), func(tx *sqldb.Tx) error {
		if _, err := tx.Exec("INSERT INTO loose (a, b) VALUES (?, ?)", "only one"); err == nil {
			t.Error("a missing argument was accepted")
		}
		_, err := tx.Exec("INSERT INTO loose (a, b) VALUES (?, ?)", 2, kind("x"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var (
		s  string
		b  []byte
		n  int
		n8 int8
		k  kind
		ok bool
	)
	for i, c := range []struct {
		query string
		dest  []any
		good  bool
	}{
		{"SELECT a, b FROM loose", []any{&n, &k}, true},
		{"SELECT a FROM loose", []any{&n, &k}, false},
		{"SELECT a FROM loose", []any{&s}, false},
		{"SELECT a FROM loose", []any{&k}, false},
		{"SELECT a FROM loose", []any{&b}, false},
		{"SELECT a FROM loose", []any{&ok}, false}, // 2
		{"SELECT a - 1 FROM loose", []any{&ok}, true},
		{"SELECT a * 64 FROM loose", []any{&n8}, false},
		{"SELECT b FROM loose", []any{&n}, false},
		{"SELECT b FROM loose", []any{&b}, false},
		{"SELECT NULL FROM loose", []any{&s}, false},
		{"SELECT x'00' FROM loose", []any{&b}, true},
	} {
		err := db.View(context.Background(), func(tx *sqldb.Tx) error { return tx.Row(c.query).Scan(c.dest...) })
		if (err == nil) != c.good {
			t.Errorf("%d: %s: %v", i, c.query, err)
		}
	}
	if n != 2 || k != "x" || !ok || string(b) != "\x00" {
		t.Errorf("read %d %q %v %x", n, k, ok, b)
	}
	if err := db.View(context.Background(), func(tx *sqldb.Tx) error {
		return tx.Each(func(sqldb.Scanner) error { return tx.Row("SELECT a FROM loose").Scan(&n) }, "SELECT a FROM loose")
	}); err == nil {
		t.Error("a statement was run again while its rows were read")
	}
}
