package clock

import (
	"context"
	"errors"
	"time"
)

// started is a reading of the runtime's own monotonic clock; only differences
// from it are used.
var started = time.Now()

// Reading is what a source says of a clock.
type Reading struct {
	Offset   time.Duration // UTC by the source, less the clock
	MaxError time.Duration // by how much Offset can be wrong, as the source states it
	Detail   string        // for operators: who said so
}

// Source knows UTC beside the machine's clock. Read compares the two; it fails
// when it has nothing to say: no answer, or one that cannot be believed. It
// returns when ctx ends.
type Source interface {
	Name() string
	Read(ctx context.Context, c Steady) (Reading, error)
}

// ErrSource is the cause of every failed Read.
var ErrSource = errors.New("clock: the source does not tell the time")
