package clock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Errors of a Watch.
var (
	ErrStep  = errors.New("clock: the clock was moved")
	ErrDoubt = errors.New("clock: the time is in doubt")
)

// Watch finds out when a clock cannot be believed (TIM-01). It is safe for
// concurrent use.
type Watch struct {
	clock   Steady
	sources []Source
	limit   time.Duration
	loss    time.Duration

	base atomic.Pointer[moment]
	mu   sync.Mutex // one comparison at a time
	said atomic.Pointer[[]Said]
}

// moment is one moment on both clocks.
type moment struct {
	wall    time.Time
	elapsed time.Duration
}

// Said is the last word of a source.
type Said struct {
	Name     string
	Reading  Reading       // the last good one
	Agrees   bool          // the last answer came and is within the limit
	Detail   string        // why not, else what the reading says
	Agreed   bool          // it has agreed, and not contradicted since
	LastGood time.Duration // Elapsed when it last agreed
	Wrong    bool          // it contradicts the clock: no bound of error explains the difference
}

// NewWatch watches a clock from now on. limit is how far the clock may be from
// UTC, and how far it may move in one step; loss is how long a source may say
// nothing of use. Without sources only steps are found.
func NewWatch(c Steady, limit, loss time.Duration, sources ...Source) *Watch {
	w := &Watch{clock: c, sources: sources, limit: limit, loss: loss}
	said := make([]Said, len(sources))
	for i, s := range sources {
		said[i] = Said{Name: s.Name(), Detail: "not asked yet"}
	}
	w.said.Store(&said)
	w.Rebase()
	return w
}

// Rebase takes the clock as right from here on.
func (w *Watch) Rebase() {
	m := w.moment()
	w.base.Store(&m)
}

// moment reads both clocks at once.
func (w *Watch) moment() (m moment) {
	// Elapsed on both sides: a pause in between shows, and is taken again.
	for range 10 {
		before := w.clock.Elapsed()
		wall := w.clock.Now()
		after := w.clock.Elapsed()
		m = moment{wall, before + (after-before)/2}
		if after-before < time.Millisecond {
			break
		}
	}
	return m
}

// Moved is by how much the clock was moved since the last Rebase: forward, or back
// for a negative result. Steps add up.
func (w *Watch) Moved() time.Duration {
	b := w.base.Load()
	// Not Sub on times of the runtime: it would take their monotonic readings.
	wall := w.clock.Now().Round(0).Sub(b.wall.Round(0))
	return wall - (w.clock.Elapsed() - b.elapsed)
}

// Check is cheap enough for every use of the time: ErrStep when the clock was
// moved beyond the limit, ErrDoubt when a source contradicts it or has been
// silent for too long, by what Compare last heard.
func (w *Watch) Check() error {
	if d := w.Moved(); d > w.limit || d < -w.limit {
		return fmt.Errorf("%w by %v; the limit is %v", ErrStep, d.Round(time.Millisecond), w.limit)
	}
	now := w.clock.Elapsed()
	for _, s := range *w.said.Load() {
		switch {
		case s.Wrong:
			return fmt.Errorf("%w: %s: %s", ErrDoubt, s.Name, s.Detail)
		case !s.Agreed:
			return fmt.Errorf("%w: %s has not agreed yet: %s", ErrDoubt, s.Name, s.Detail)
		case now-s.LastGood > w.loss:
			return fmt.Errorf("%w: %s has not agreed for %v: %s", ErrDoubt, s.Name, (now - s.LastGood).Round(time.Second), s.Detail)
		}
	}
	return nil
}

// Said is what each source last said.
func (w *Watch) Said() []Said { return append([]Said{}, *w.said.Load()...) }

// Compare asks every source. When all agree, what small steps there were before are
// forgotten; a step while it asks, or between its check and its end, is not.
func (w *Watch) Compare(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	from := w.moment()
	said := w.Said()
	all := len(said) > 0
	for i, s := range w.sources {
		r, err := s.Read(ctx, w.clock)
		w.judge(&said[i], r, err)
		all = all && said[i].Agrees
	}
	w.said.Store(&said)
	err := w.Check()
	if err == nil && all {
		w.base.Store(&from)
	}
	return err
}

// judge takes in an answer. Within the limit with certainty, it agrees; beyond it
// with certainty, the clock or the source is wrong; else the source is too coarse
// to say, which is no better than silence.
func (w *Watch) judge(s *Said, r Reading, err error) {
	s.Agrees, s.Wrong = false, false
	if err != nil {
		s.Detail = err.Error()
		return
	}
	off := max(r.Offset, -r.Offset)
	s.Reading = r
	switch {
	case off+r.MaxError <= w.limit:
		s.Agrees, s.Agreed, s.LastGood, s.Detail = true, true, w.clock.Elapsed(), r.Detail
	case off-r.MaxError > w.limit:
		s.Wrong, s.Agreed = true, false // silence afterwards makes nothing better
		s.Detail = fmt.Sprintf("the clock is off by %v (at most %v wrong), the limit is %v", -r.Offset.Round(time.Millisecond), r.MaxError.Round(time.Millisecond), w.limit)
	default:
		s.Detail = fmt.Sprintf("it cannot say within %v: %v, up to %v wrong", w.limit, r.Offset.Round(time.Millisecond), r.MaxError.Round(time.Millisecond))
	}
}
