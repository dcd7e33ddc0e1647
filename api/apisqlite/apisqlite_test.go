package apisqlite_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/assent-sign/assent/api/apisqlite"
	"github.com/assent-sign/assent/api/state"
	"github.com/assent-sign/assent/api/state/statetest"
	"github.com/assent-sign/assent/internal/clock"
)

func open(t *testing.T, path string, c clock.Clock) *apisqlite.Store {
	t.Helper()
	s, err := apisqlite.Open(path, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestSQLitePassesTheSuite(t *testing.T) {
	statetest.Run(t, func(t *testing.T, c clock.Clock) (state.Store, func() state.Store) {
		path := filepath.Join(t.TempDir(), "api.db")
		s := open(t, path, c)
		return s, func() state.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, path, c)
		}
	})
}

// A closed database answers with an error, never with "not found": a used code
// must not look unused.
func TestClosedDatabaseIsAnError(t *testing.T) {
	c := clock.NewFake(time.Unix(1_800_000_000, 0))
	s := open(t, filepath.Join(t.TempDir(), "api.db"), c)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "k", "a"); err == nil || errors.Is(err, state.ErrNotFound) {
		t.Errorf("Get = %v", err)
	}
	if err := s.Insert(t.Context(), state.Record{Kind: "k", ID: "a", Expires: c.Now().Add(time.Hour)}); err == nil || errors.Is(err, state.ErrExists) {
		t.Errorf("Insert = %v", err)
	}
	if err := s.Ping(t.Context()); err == nil {
		t.Error("Ping of a closed database said yes")
	}
}
