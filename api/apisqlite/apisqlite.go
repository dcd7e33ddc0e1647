// Package apisqlite keeps the front doors' state in SQLite. One statement
// decides each question of state.Store, and commits are shared between
// requests (internal/sqldb).
package apisqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/assent-sign/assent/api/state"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/internal/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

//go:embed get.sql
var sqlGet string

//go:embed insert.sql
var sqlInsert string

//go:embed swap.sql
var sqlSwap string

//go:embed sweep.sql
var sqlSweep string

// Store is a state.Store.
type Store struct {
	db    *sqldb.DB
	clock clock.Clock
}

var _ state.Store = (*Store)(nil)

// Open opens or makes the database file.
func Open(path string, c clock.Clock) (*Store, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	db, err := sqldb.Open(sqldb.Config{Path: path, Migrations: files})
	if err != nil {
		return nil, err
	}
	return &Store{db: db, clock: c}, nil
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

func (s *Store) now() int64 { return s.clock.Now().UnixMilli() }

// Get implements state.Store.
func (s *Store) Get(ctx context.Context, kind, id string) (state.Record, error) {
	r := state.Record{Kind: kind, ID: id}
	err := s.db.View(ctx, func(tx *sqldb.Tx) error {
		var expires int64
		if err := tx.Row(sqlGet, kind, id, s.now()).Scan(&r.Version, &expires, &r.Data); err != nil {
			return err
		}
		r.Expires = time.UnixMilli(expires)
		return nil
	})
	if errors.Is(err, sql.ErrNoRows) {
		return state.Record{}, state.ErrNotFound
	}
	if err != nil {
		return state.Record{}, fmt.Errorf("apisqlite: get %s: %w", kind, err)
	}
	return r, nil
}

// Insert implements state.Store.
func (s *Store) Insert(ctx context.Context, r state.Record) error {
	if err := r.Check(); err != nil {
		return err
	}
	return s.change(ctx, state.ErrExists, func(tx *sqldb.Tx) (int64, error) {
		return tx.Exec(sqlInsert, r.Kind, r.ID, r.Expires.UnixMilli(), notNil(r.Data), s.now())
	})
}

// Swap implements state.Store.
func (s *Store) Swap(ctx context.Context, r state.Record) error {
	if err := r.Check(); err != nil {
		return err
	}
	return s.change(ctx, state.ErrConflict, func(tx *sqldb.Tx) (int64, error) {
		return tx.Exec(sqlSwap, r.Expires.UnixMilli(), notNil(r.Data), r.Kind, r.ID, r.Version, s.now())
	})
}

// change runs one statement; when it touched no row, the answer is lost.
func (s *Store) change(ctx context.Context, lost error, exec func(*sqldb.Tx) (int64, error)) error {
	err := s.db.Update(ctx, func(tx *sqldb.Tx) error {
		n, err := exec(tx)
		if err == nil && n == 0 {
			return lost
		}
		return err
	})
	if err != nil && !errors.Is(err, lost) {
		return fmt.Errorf("apisqlite: %w", err)
	}
	return err
}

// Sweep implements state.Store.
func (s *Store) Sweep(ctx context.Context, limit int) (int, error) {
	var n int64
	err := s.db.Update(ctx, func(tx *sqldb.Tx) (err error) {
		n, err = tx.Exec(sqlSweep, s.now(), limit)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("apisqlite: sweep: %w", err)
	}
	return int(n), nil
}

// Ping writes and so proves that the database can be written.
func (s *Store) Ping(ctx context.Context) error {
	return s.db.Update(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.Exec(sqlSweep, s.now(), 1)
		return err
	})
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
