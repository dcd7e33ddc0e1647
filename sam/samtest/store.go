package samtest

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sam"
)

// ErrFault is what injected store failures return.
var ErrFault = errors.New("samtest: injected store failure")

// Store is a store that can be made to fail in pairs: "failed and not written",
// "failed but written".
type Store struct {
	sam.Store
	Faults Faults // of single calls

	mu     sync.Mutex
	before func(n int) bool
	after  func(n int) bool
	n      int // updates since the last FailBefore or FailAfter
	copied func()
}

// FailBefore makes Update number n (from 0, counted from now) fail without
// being written when f(n) is true; nil ends it.
func (s *Store) FailBefore(f func(n int) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after, s.n = f, nil, 0
}

// FailAfter makes Update number n fail although it was written.
func (s *Store) FailAfter(f func(n int) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after, s.n = nil, f, 0
}

// Updates returns the number of updates since the last FailBefore or FailAfter.
func (s *Store) Updates() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// BeforeSnapshot calls f before the next copies of the database; nil ends it.
func (s *Store) BeforeSnapshot(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.copied = f
}

// Snapshot implements sam.Snapshotter.
func (s *Store) Snapshot(ctx context.Context, use func(io.Reader, int64, audit.Head) error) error {
	s.mu.Lock()
	f := s.copied
	s.mu.Unlock()
	if f != nil {
		f()
	}
	return s.Store.(sam.Snapshotter).Snapshot(ctx, use)
}

// Update implements sam.Store.
func (s *Store) Update(ctx context.Context, fn func(*sam.Tx) error) error {
	s.mu.Lock()
	before := s.before != nil && s.before(s.n)
	after := s.after != nil && s.after(s.n)
	s.n++
	s.mu.Unlock()
	if before {
		return ErrFault
	}
	err := s.Store.Update(ctx, s.Faults.in(ctx, fn))
	if err == nil && after {
		return ErrFault
	}
	return err
}

// View implements sam.Store.
func (s *Store) View(ctx context.Context, fn func(*sam.Tx) error) error {
	return s.Store.View(ctx, s.Faults.in(ctx, fn))
}
