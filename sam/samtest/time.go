package samtest

import (
	"context"
	"sync"

	"github.com/assent-sign/assent/internal/clock"
)

// Time is a second source of time that says what it is told, at first that the
// clock is right.
type Time struct {
	mu      sync.Mutex
	reading clock.Reading
	err     error
}

// Say sets what it says from now on.
func (t *Time) Say(r clock.Reading, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reading, t.err = r, err
}

// Name implements clock.Source.
func (*Time) Name() string { return "test" }

// Read implements clock.Source.
func (t *Time) Read(context.Context, clock.Steady) (clock.Reading, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reading, t.err
}
