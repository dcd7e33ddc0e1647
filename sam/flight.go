package sam

import (
	"context"
	"errors"
	"sync"

	"github.com/assent-sign/assent/internal/failpoint"
)

// flights lets a byte-identical retry wait for the first call instead of being
// judged beside it: both get the same bytes from one key use.
type flights struct {
	mu sync.Mutex
	m  map[string]*flight
	wg sync.WaitGroup
}

type flight struct {
	done   chan struct{}
	answer []byte
	err    error
}

var errAbandoned = errors.New("sam: the call was abandoned")

// do runs fn once for all concurrent callers with the same id. fn goes on when
// the first caller's context ends: what was begun must reach its outcome.
func (f *flights) do(ctx context.Context, id []byte, fn func(context.Context) ([]byte, error)) ([]byte, error) {
	failpoint.Before("samd/24-sad-lock-taken")
	f.mu.Lock()
	if f.m == nil {
		f.m = map[string]*flight{}
	}
	key := string(id)
	if running, ok := f.m[key]; ok {
		f.mu.Unlock()
		select {
		case <-running.done:
			return running.answer, running.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	fl := &flight{done: make(chan struct{}), err: errAbandoned}
	f.m[key] = fl
	f.wg.Add(1)
	f.mu.Unlock()
	failpoint.After("samd/24-sad-lock-taken")
	defer func() {
		failpoint.Before("samd/40-sad-lock-released")
		f.mu.Lock()
		delete(f.m, key)
		f.mu.Unlock()
		failpoint.After("samd/40-sad-lock-released")
		close(fl.done)
		f.wg.Done()
	}()
	fl.answer, fl.err = fn(context.WithoutCancel(ctx))
	return fl.answer, fl.err
}

func (f *flights) wait() { f.wg.Wait() }
