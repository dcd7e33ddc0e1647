package state

import (
	"context"
	"slices"
	"sync"

	"github.com/assent-sign/assent/internal/clock"
)

// Memory is a Store that forgets everything at the end of the process. It is
// for tests: after a restart a used code could be used again.
type Memory struct {
	mu   sync.Mutex
	now  clock.Clock
	rows map[[2]string]Record
}

// NewMemory makes an empty store that reads the given clock.
func NewMemory(now clock.Clock) *Memory {
	return &Memory{now: now, rows: make(map[[2]string]Record)}
}

func (m *Memory) live(kind, id string) (Record, bool) {
	r, ok := m.rows[[2]string{kind, id}]
	return r, ok && m.now.Now().Before(r.Expires)
}

// Get implements Store.
func (m *Memory) Get(_ context.Context, kind, id string) (Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.live(kind, id)
	if !ok {
		return Record{}, ErrNotFound
	}
	r.Data = slices.Clone(r.Data)
	return r, nil
}

// Insert implements Store.
func (m *Memory) Insert(_ context.Context, r Record) error {
	if err := r.Check(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.live(r.Kind, r.ID); ok {
		return ErrExists
	}
	r.Version, r.Data = 1, slices.Clone(r.Data)
	m.rows[[2]string{r.Kind, r.ID}] = r
	return nil
}

// Swap implements Store.
func (m *Memory) Swap(_ context.Context, r Record) error {
	if err := r.Check(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old, ok := m.live(r.Kind, r.ID)
	if !ok || old.Version != r.Version {
		return ErrConflict
	}
	r.Version, r.Data = r.Version+1, slices.Clone(r.Data)
	m.rows[[2]string{r.Kind, r.ID}] = r
	return nil
}

// Sweep implements Store.
func (m *Memory) Sweep(_ context.Context, limit int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, now := 0, m.now.Now()
	for k, r := range m.rows {
		if n < limit && !now.Before(r.Expires) {
			delete(m.rows, k)
			n++
		}
	}
	return n, nil
}
