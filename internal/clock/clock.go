// Package clock is the seam through which code asks for the time, so that tests
// can move it. Every expiry, lockout and certificate check of a module uses the
// one clock that it was given (SAP-06); nothing takes the time from a message.
//
// Whoever sets that clock back makes expired approvals and certificates good
// again (T38). So there is a Watch: it holds the clock against time that only
// goes on, which shows a step at once, and against other sources of UTC with a
// stated accuracy (Kernel, SNTP), which show a clock that was wrong from the
// beginning or runs away slowly (TIM-01).
package clock

import (
	"sync"
	"time"
)

// Clock tells the time.
type Clock interface {
	Now() time.Time
}

// Steady is a clock beside which time goes on that nobody can set. Elapsed is
// counted from some fixed moment of the machine's past and never goes back; it
// includes time asleep. Its differences are what time-outs and the Watch go by.
type Steady interface {
	Clock
	Elapsed() time.Duration
}

// System is the machine's clock.
type System struct{}

// Now implements Clock.
func (System) Now() time.Time { return time.Now() }

// Elapsed implements Steady.
func (System) Elapsed() time.Duration { return sinceBoot() }

// Fake is a clock that stands still until it is moved. The zero value stands at
// the zero time; use NewFake.
type Fake struct {
	mu      sync.Mutex
	now     time.Time
	elapsed time.Duration
}

// NewFake returns a clock that stands at t.
func NewFake(t time.Time) *Fake { return &Fake{now: t} }

// Now implements Clock.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// Elapsed implements Steady.
func (f *Fake) Elapsed() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.elapsed
}

// Advance lets d go by. For a negative d, which time cannot do, it steps back.
func (f *Fake) Advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.move(d)
}

// Set moves the clock to t, as Advance does.
func (f *Fake) Set(t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.move(t.Sub(f.now))
}

func (f *Fake) move(d time.Duration) {
	f.now = f.now.Add(d)
	f.elapsed += max(d, 0)
}

// Step sets the clock forward or back by d, as an administrator does: no time
// goes by.
func (f *Fake) Step(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}
