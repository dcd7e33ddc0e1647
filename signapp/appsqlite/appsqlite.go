// Package appsqlite keeps the signing application's operations, documents' rows,
// bearer values and login passkeys in SQLite: signapp.Store for one process.
package appsqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/mattn/go-sqlite3"

	"github.com/assent-sign/assent/internal/sqldb"
	"github.com/assent-sign/assent/signapp"
)

//go:embed migrations/*.sql
var embedded embed.FS

// Store is the driver.
type Store struct {
	db *sqldb.DB
}

// Options bound the database. The zero value is good.
type Options struct {
	MaxPages int // of 4096 bytes; none when 0
}

// Open opens or makes the database file and brings its schema up to date.
func Open(path string, opt Options) (*Store, error) {
	migrations, err := fs.Sub(embedded, "migrations")
	if err != nil {
		return nil, err
	}
	db, err := sqldb.Open(sqldb.Config{Path: path, Migrations: migrations, MaxPages: opt.MaxPages})
	if err != nil {
		return nil, err
	}
	return &Store{db}, nil
}

// View implements signapp.Store.
func (s *Store) View(ctx context.Context, f func(signapp.Tx) error) error {
	return translate(s.db.View(ctx, func(t *sqldb.Tx) error { return f(tx{t}) }))
}

// Update implements signapp.Store.
func (s *Store) Update(ctx context.Context, f func(signapp.Tx) error) error {
	return translate(s.db.Update(ctx, func(t *sqldb.Tx) error { return f(tx{t}) }))
}

// Close implements signapp.Store.
func (s *Store) Close() error { return s.db.Close() }

// translate gives the application's sentinel to a database that is full or
// cannot be written.
func translate(err error) error {
	var se sqlite3.Error
	full := errors.As(err, &se) && (se.Code == sqlite3.ErrFull || se.Code == sqlite3.ErrIoErr || se.Code == sqlite3.ErrReadonly)
	if full || errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: %w", signapp.ErrFull, err)
	}
	return err
}

type tx struct{ *sqldb.Tx }

func (t tx) Documents() signapp.Documents   { return documents{t.Tx} }
func (t tx) Operations() signapp.Operations { return operations{t.Tx} }
func (t tx) Secrets() signapp.Secrets       { return secrets{t.Tx} }
func (t tx) Passkeys() signapp.Passkeys     { return passkeys{t.Tx} }

// Kept implements signapp.Tx. The triggers of the schema keep the books.
func (t tx) Kept(client string) (signapp.Kept, error) {
	k := signapp.Kept{Client: client}
	err := t.Row(`SELECT bytes, operations FROM kept WHERE client = ?`, client).Scan(&k.Bytes, &k.Operations)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return k, err
}

// KeptBy implements signapp.Tx.
func (t tx) KeptBy() ([]signapp.Kept, error) {
	var all []signapp.Kept
	err := t.Each(func(row sqldb.Scanner) error {
		var k signapp.Kept
		err := row.Scan(&k.Client, &k.Bytes, &k.Operations)
		all = append(all, k)
		return err
	}, `SELECT client, bytes, operations FROM kept ORDER BY client`)
	return all, err
}

// found maps "no row" to the application's sentinel.
func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return signapp.ErrNotFound
	}
	return err
}

// inserted maps a taken key to the application's sentinel.
func inserted(n int64, err error) error {
	var se sqlite3.Error
	if errors.As(err, &se) && se.Code == sqlite3.ErrConstraint {
		return signapp.ErrExists
	}
	if err == nil && n == 0 {
		return signapp.ErrExists
	}
	return err
}

// blob keeps NOT NULL columns from seeing nil.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
