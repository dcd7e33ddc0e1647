package clock

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

var (
	ctx   = context.Background()
	epoch = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
)

// scripted says what a test wants.
type scripted struct {
	Reading
	err error
}

func (*scripted) Name() string { return "scripted" }

func (s *scripted) Read(context.Context, Steady) (Reading, error) { return s.Reading, s.err }

// TIM-01, F25: a clock that is moved, forward or back, by more than the limit, is
// found at the next look, also in small steps; time that goes by is no step, however long.
func TestTIM01Steps(t *testing.T) {
	for by, want := range map[time.Duration]error{
		0: nil, time.Second: nil, -2 * time.Second: nil, 2001 * time.Millisecond: ErrStep, -2001 * time.Millisecond: ErrStep,
		time.Hour: ErrStep, -time.Hour: ErrStep, 2 * 365 * 24 * time.Hour: ErrStep, -200 * 365 * 24 * time.Hour: ErrStep,
	} {
		c := NewFake(epoch)
		w := NewWatch(c, 2*time.Second, time.Hour)
		c.Advance(3 * 365 * 24 * time.Hour)
		if err := w.Check(); err != nil {
			t.Errorf("time went by: %v", err)
		}
		c.Step(by)
		if err := w.Check(); !errors.Is(err, want) {
			t.Errorf("step of %v: %v, want %v", by, err, want)
		}
		c.Step(-by)
		if err := w.Check(); err != nil {
			t.Errorf("step of %v taken back: %v", by, err)
		}
	}
	c := NewFake(epoch)
	w := NewWatch(c, 2*time.Second, time.Hour)
	for range 3 {
		c.Step(-time.Second)
	}
	if err := w.Check(); !errors.Is(err, ErrStep) {
		t.Errorf("three small steps: %v", err)
	}
	w.Rebase()
	if err := w.Check(); err != nil {
		t.Errorf("taken as right: %v", err)
	}
}

// TIM-01: a second source that contradicts, cannot say, is silent for too long, or
// was never heard.
func TestTIM01Sources(t *testing.T) {
	silent := fmt.Errorf("%w: nobody there", ErrSource)
	type step struct {
		after   time.Duration
		reading Reading
		err     error
		want    error
	}
	good := Reading{Offset: 100 * time.Millisecond, MaxError: 50 * time.Millisecond}
	for name, steps := range map[string][]step{
		"never heard":               {{0, Reading{}, silent, ErrDoubt}},
		"agrees":                    {{0, good, nil, nil}},
		"the clock is behind":       {{0, Reading{Offset: 3 * time.Second}, nil, ErrDoubt}},
		"the clock is ahead":        {{0, Reading{Offset: -3 * time.Second}, nil, ErrDoubt}},
		"too coarse from the start": {{0, Reading{MaxError: 5 * time.Second}, nil, ErrDoubt}},
		"silent for a while":        {{0, good, nil, nil}, {10 * time.Minute, Reading{}, silent, nil}, {time.Minute, good, nil, nil}},
		"silent for too long":       {{0, good, nil, nil}, {10*time.Minute + 1, Reading{}, silent, ErrDoubt}, {time.Minute, good, nil, nil}},
		"too coarse for too long":   {{0, good, nil, nil}, {10*time.Minute + 1, Reading{Offset: time.Second, MaxError: 1500 * time.Millisecond}, nil, ErrDoubt}},
		"runs away slowly": {{0, good, nil, nil}, {time.Minute, Reading{Offset: time.Second}, nil, nil}, {time.Minute, Reading{Offset: 2 * time.Second}, nil, nil},
			{time.Minute, Reading{Offset: 3 * time.Second}, nil, ErrDoubt}},
		"a contradiction is not forgotten in silence": {{0, good, nil, nil}, {time.Second, Reading{Offset: time.Hour}, nil, ErrDoubt},
			{time.Second, Reading{}, silent, ErrDoubt}, {time.Second, good, nil, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			c, src := NewFake(epoch), &scripted{}
			w := NewWatch(c, 2*time.Second, 10*time.Minute, src)
			if err := w.Check(); !errors.Is(err, ErrDoubt) {
				t.Errorf("before anything was compared: %v", err)
			}
			for i, s := range steps {
				c.Advance(s.after)
				src.Reading, src.err = s.reading, s.err
				if err := w.Compare(ctx); !errors.Is(err, s.want) {
					t.Errorf("step %d: %v, want %v", i, err, s.want)
				}
				if err := w.Check(); !errors.Is(err, s.want) {
					t.Errorf("step %d, checked: %v, want %v", i, err, s.want)
				}
			}
		})
	}
}

// TIM-01: silence is noticed without being asked again: the check counts the time
// itself.
func TestTIM01SilenceBetweenComparisons(t *testing.T) {
	c := NewFake(epoch)
	w := NewWatch(c, time.Second, time.Minute, &scripted{})
	if err := w.Compare(ctx); err != nil {
		t.Fatal(err)
	}
	c.Advance(time.Minute + 1)
	if err := w.Check(); !errors.Is(err, ErrDoubt) || !strings.Contains(err.Error(), "scripted") {
		t.Errorf("got %v", err)
	}
}

// TIM-01: while all sources agree, small corrections do not add up; a step beyond
// the limit stays one, whatever a source says.
func TestTIM01CorrectionsThatSourcesConfirm(t *testing.T) {
	c := NewFake(epoch)
	w := NewWatch(c, 2*time.Second, time.Minute, &scripted{})
	for range 10 {
		c.Step(time.Second)
		if err := w.Compare(ctx); err != nil {
			t.Fatal(err)
		}
	}
	c.Step(3 * time.Second)
	if err := w.Compare(ctx); !errors.Is(err, ErrStep) {
		t.Errorf("got %v", err)
	}
	if err := w.Compare(ctx); !errors.Is(err, ErrStep) {
		t.Errorf("the second look: %v", err)
	}
}

// The machine's own clocks: no step is seen where none is, and time goes on.
func TestSystemClockIsSteady(t *testing.T) {
	var c System
	w := NewWatch(c, time.Second, time.Minute)
	for before := c.Elapsed(); c.Elapsed() == before; {
	}
	if err := w.Check(); err != nil {
		t.Error(err)
	}
}

// stepping is a clock that is moved just before it is read for the n-th time.
type stepping struct {
	*Fake
	n int
}

func (s *stepping) Now() time.Time {
	if s.n--; s.n == 0 {
		s.Step(time.Minute)
	}
	return s.Fake.Now()
}

// TIM-01: a step at any moment of a comparison with a source that agrees is found, by it
// or by the next look: it does not slip in between the check and what is taken as right.
func TestTIM01StepWhileComparing(t *testing.T) {
	for n := 1; ; n++ {
		c := &stepping{Fake: NewFake(epoch)}
		w := NewWatch(c, 2*time.Second, time.Hour, &scripted{})
		if err := w.Compare(ctx); err != nil {
			t.Fatal(err)
		}
		c.n = n
		err := w.Compare(ctx)
		if c.n > 0 { // it ended before
			if n < 3 {
				t.Fatalf("a comparison reads the clock %d times only", n-1)
			}
			return
		}
		if later := w.Check(); !errors.Is(later, ErrStep) {
			t.Errorf("step before reading %d: %v, then %v", n, err, later)
		}
	}
}
