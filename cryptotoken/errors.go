package cryptotoken

import (
	"context"
	"errors"
	"fmt"
)

// NotStarted marks err as one before which no private-key operation began, so
// that the caller may release what it had reserved. Only a driver that can
// prove this may use it: a false claim lets an approval be used twice. The
// result matches ErrNotStarted and everything that err matches.
func NotStarted(err error) error {
	if err == nil || errors.Is(err, ErrNotStarted) {
		return err
	}
	return notStarted{err}
}

type notStarted struct{ err error }

func (e notStarted) Error() string   { return e.err.Error() + " (the key was not used)" }
func (e notStarted) Unwrap() []error { return []error{e.err, ErrNotStarted} }

// Cancelled returns the error for a context that ended before the driver began,
// nil when it is still alive. It matches ErrNotStarted and the context's cause.
func Cancelled(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return NotStarted(fmt.Errorf("cryptotoken: call given up before it began: %w", context.Cause(ctx)))
}
