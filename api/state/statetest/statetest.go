// Package statetest is the suite that every driver of state.Store passes.
package statetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/api/state"
	"github.com/assent-sign/assent/internal/clock"
)

// newClock stands at a fixed moment.
func newClock() *clock.Fake { return clock.NewFake(time.Unix(1_800_000_000, 0).UTC()) }

// Open makes an empty store that reads the clock; reopen gives the same data
// again after a restart (nil when the driver is not durable).
type Open func(t *testing.T, c clock.Clock) (s state.Store, reopen func() state.Store)

// Run runs the suite.
func Run(t *testing.T, open Open) {
	t.Run("GetInsert", func(t *testing.T) { getInsert(t, open) })
	t.Run("SwapIsCompareAndSwap", func(t *testing.T) { swap(t, open) })
	t.Run("Expiry", func(t *testing.T) { expiry(t, open) })
	t.Run("Limits", func(t *testing.T) { limits(t, open) })
	t.Run("ConcurrentOnce", func(t *testing.T) { concurrent(t, open) })
	// A driver that does not outlive its process has nothing to prove here.
	if _, reopen := open(t, newClock()); reopen != nil {
		t.Run("Durable", func(t *testing.T) { durable(t, open) })
	}
	t.Run("CancelledContext", func(t *testing.T) { cancelled(t, open) })
}

func getInsert(t *testing.T, open Open) {
	c := newClock()
	s, _ := open(t, c)
	ctx := t.Context()
	if _, err := s.Get(ctx, "k", "a"); !errors.Is(err, state.ErrNotFound) {
		t.Fatalf("Get of nothing = %v, want ErrNotFound", err)
	}
	r := state.Record{Kind: "k", ID: "a", Expires: c.Now().Add(time.Minute), Data: []byte("one\x00two")}
	if err := s.Insert(ctx, r); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(ctx, "k", "a")
	if err != nil || !bytes.Equal(got.Data, r.Data) || got.Version != 1 || !got.Expires.Equal(r.Expires) || got.Kind != "k" || got.ID != "a" {
		t.Fatalf("Get = %+v, %v", got, err)
	}
	if err := s.Insert(ctx, r); !errors.Is(err, state.ErrExists) {
		t.Fatalf("second Insert = %v, want ErrExists", err)
	}
	if err := s.Insert(ctx, state.Record{Kind: "k2", ID: "a", Expires: r.Expires}); err != nil {
		t.Fatalf("same id of another kind: %v", err)
	}
	if _, err := s.Get(ctx, "k", "A"); !errors.Is(err, state.ErrNotFound) {
		t.Fatalf("identifiers must be compared exactly, got %v", err)
	}
}

func swap(t *testing.T, open Open) {
	c := newClock()
	s, _ := open(t, c)
	ctx := t.Context()
	r := state.Record{Kind: "k", ID: "a", Expires: c.Now().Add(time.Minute), Data: []byte("1")}
	if err := s.Swap(ctx, state.Record{Kind: "k", ID: "a", Version: 1, Expires: r.Expires}); !errors.Is(err, state.ErrConflict) {
		t.Fatalf("Swap of nothing = %v, want ErrConflict", err)
	}
	if err := s.Insert(ctx, r); err != nil {
		t.Fatal(err)
	}
	r.Version, r.Data = 1, []byte("2")
	if err := s.Swap(ctx, r); err != nil {
		t.Fatal(err)
	}
	if err := s.Swap(ctx, r); !errors.Is(err, state.ErrConflict) {
		t.Fatalf("Swap with an old version = %v, want ErrConflict", err)
	}
	got, err := s.Get(ctx, "k", "a")
	if err != nil || got.Version != 2 || string(got.Data) != "2" {
		t.Fatalf("Get = %+v, %v", got, err)
	}
}

func expiry(t *testing.T, open Open) {
	c := newClock()
	s, _ := open(t, c)
	ctx := t.Context()
	for i := range 5 {
		r := state.Record{Kind: "k", ID: fmt.Sprint(i), Expires: c.Now().Add(time.Duration(i+1) * time.Minute)}
		if err := s.Insert(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	c.Advance(3 * time.Minute)
	if _, err := s.Get(ctx, "k", "2"); !errors.Is(err, state.ErrNotFound) {
		t.Fatalf("a record exists at its expiry: %v", err)
	}
	if err := s.Swap(ctx, state.Record{Kind: "k", ID: "2", Version: 1, Expires: c.Now().Add(time.Hour)}); !errors.Is(err, state.ErrConflict) {
		t.Fatalf("Swap revived an expired record: %v", err)
	}
	if err := s.Insert(ctx, state.Record{Kind: "k", ID: "0", Expires: c.Now().Add(time.Hour), Data: []byte("new")}); err != nil {
		t.Fatalf("Insert over an expired record: %v", err)
	}
	if got, err := s.Get(ctx, "k", "0"); err != nil || got.Version != 1 || string(got.Data) != "new" {
		t.Fatalf("Get = %+v, %v", got, err)
	}
	if n, err := s.Sweep(ctx, 1); err != nil || n != 1 {
		t.Fatalf("Sweep(1) = %d, %v", n, err)
	}
	if n, err := s.Sweep(ctx, 100); err != nil || n != 1 {
		t.Fatalf("Sweep(100) = %d, %v; want the one that is left", n, err)
	}
	for _, id := range []string{"0", "3", "4"} {
		if _, err := s.Get(ctx, "k", id); err != nil {
			t.Fatalf("Sweep took live record %s: %v", id, err)
		}
	}
}

func limits(t *testing.T, open Open) {
	c := newClock()
	s, _ := open(t, c)
	exp := c.Now().Add(time.Minute)
	for name, r := range map[string]state.Record{
		"no kind":   {ID: "a", Expires: exp},
		"no id":     {Kind: "k", Expires: exp},
		"long kind": {Kind: string(bytes.Repeat([]byte("k"), state.MaxKind+1)), ID: "a", Expires: exp},
		"long id":   {Kind: "k", ID: string(bytes.Repeat([]byte("k"), state.MaxID+1)), Expires: exp},
		"long data": {Kind: "k", ID: "a", Expires: exp, Data: make([]byte, state.MaxData+1)},
	} {
		if err := s.Insert(t.Context(), r); !errors.Is(err, state.ErrTooLarge) {
			t.Errorf("%s: Insert = %v, want ErrTooLarge", name, err)
		}
	}
	big := state.Record{Kind: "k", ID: "b", Version: 1, Expires: exp}
	if err := s.Insert(t.Context(), big); err != nil {
		t.Fatal(err)
	}
	big.Data = make([]byte, state.MaxData+1)
	if err := s.Swap(t.Context(), big); !errors.Is(err, state.ErrTooLarge) {
		t.Errorf("Swap = %v, want ErrTooLarge", err)
	}
}

func concurrent(t *testing.T, open Open) {
	c := newClock()
	s, _ := open(t, c)
	exp := c.Now().Add(time.Minute)
	once := func(what string, f func() error, lost error) {
		t.Helper()
		const n = 16
		errs := make([]error, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { errs[i] = f() })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			switch {
			case err == nil:
				won++
			case !errors.Is(err, lost):
				t.Errorf("%s: %v", what, err)
			}
		}
		if won != 1 {
			t.Errorf("%s: %d of %d callers won, want 1", what, won, n)
		}
	}
	once("Insert", func() error { return s.Insert(t.Context(), state.Record{Kind: "k", ID: "x", Expires: exp}) }, state.ErrExists)
	once("Swap", func() error { return s.Swap(t.Context(), state.Record{Kind: "k", ID: "x", Version: 1, Expires: exp}) }, state.ErrConflict)
}

func durable(t *testing.T, open Open) {
	c := newClock()
	s, reopen := open(t, c)
	r := state.Record{Kind: "jti", ID: "used", Expires: c.Now().Add(time.Minute)}
	if err := s.Insert(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if err := reopen().Insert(t.Context(), r); !errors.Is(err, state.ErrExists) {
		t.Fatalf("after a restart Insert = %v, want ErrExists", err)
	}
}

func cancelled(t *testing.T, open Open) {
	c := newClock()
	s, _ := open(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Insert(ctx, state.Record{Kind: "k", ID: "a", Expires: c.Now().Add(time.Minute)})
	if err == nil {
		if _, err := s.Get(t.Context(), "k", "a"); err != nil {
			t.Fatalf("Insert said yes under a cancelled context, but: %v", err)
		}
	}
}
