package main

import (
	"context"
	"time"

	"github.com/assent-sign/assent/signapp"
)

// skew is how far samd's clock is ahead of this machine's, as of its last answer; when
// that was too far it is asked again, so that a clock that was set right counts at once.
func (a *app) skew(ctx context.Context) time.Duration {
	if s := a.sam.Skew(); s.Abs() <= signapp.MaxSkew {
		return s
	}
	_ = a.sam.Health(ctx) // its answer has the time, a refusal too
	return a.sam.Skew()
}

// timely is the readiness check: it asks samd for the time first.
func (a *app) timely(ctx context.Context) error {
	_ = a.sam.Health(ctx) // the check of that name says what is wrong with it
	return a.service.Timely(ctx)
}
