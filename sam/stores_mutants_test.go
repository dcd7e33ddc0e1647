package sam_test

import (
	"context"
	"sync"
	"testing"

	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samsqlite"
	"github.com/assent-sign/assent/sam/samtest"
)

// pausing is a store in which something happens before the next change of a marked call:
// after all that this call has read, and before what it writes.
type pausing struct {
	sam.Store
	mu   sync.Mutex
	skip int // changes of the call before it
	next func()
}

// pausedKey marks the context of that call.
type pausedKey struct{}

func (p *pausing) Update(ctx context.Context, fn func(*sam.Tx) error) error {
	if ctx.Value(pausedKey{}) != nil {
		p.mu.Lock()
		var next func()
		if p.skip--; p.skip < 0 {
			next, p.next = p.next, nil
		}
		p.mu.Unlock()
		if next != nil {
			next()
		}
	}
	return p.Store.Update(ctx, fn)
}

// paused opens the world anew, on such a store.
func paused(t *testing.T, w *samtest.World) *pausing {
	t.Helper()
	closeAll(t, w)
	db, err := samsqlite.Open(samsqlite.Config{Path: w.DB()})
	if err != nil {
		t.Fatal(err)
	}
	p := &pausing{Store: db}
	w.Store = &samtest.Store{Store: p}
	w.Cfg.Store = w.Store
	if w.M, err = sam.Open(context.Background(), w.Cfg); err != nil {
		t.Fatal(err)
	}
	return p
}
