package sam

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sap"
)

// The time decides whether an approval is fresh, a certificate valid, a lockout
// over, an algorithm allowed. Whoever sets the clock decides that (T38). So keys
// are used only while the clock can be believed (TIM-01, F25):
//
//   - A step, forward or back, beyond Config.ClockLimit brings the module into its
//     secure state. Approvals of before are void. Only an officer ends that, and
//     only when every second source of time agrees with the clock as it is then.
//   - A second source that contradicts the clock, or none that was heard for
//     Config.ClockLoss, stops requests and redemptions with ReasonClock. That ends
//     by itself as soon as the sources agree again: nothing was moved.
//
// A step is looked for at every use, not only now and then.

// compareTimeout bounds one comparison with all sources.
const compareTimeout = 10 * time.Second

// ClockStatus is what is known about the time, for operators.
type ClockStatus struct {
	Trusted bool
	Why     string // it is not
	Sources []ClockSource
}

// ClockSource is what a second source of time last said.
type ClockSource struct {
	Name   string
	Agrees bool
	Detail string
}

// openTime is the first comparison: what is wrong from the beginning stops the use
// of keys, not the module, since the network may come later.
func (m *Module) openTime(ctx context.Context) error {
	if err := m.compareTime(ctx); err != nil {
		return fmt.Errorf("%w: audit: %w", ErrOpen, err)
	}
	return nil
}

// timely tells whether the time is good enough to use a key at it (TIM-01).
func (m *Module) timely() error {
	err := m.watch.Check()
	if err == nil {
		return nil
	}
	m.noticeStep(err)
	return fmt.Errorf("%w: %w", sap.ReasonClock, err)
}

// noticeStep closes the module when err is a step of the clock.
func (m *Module) noticeStep(err error) {
	if errors.Is(err, clock.ErrStep) && m.failedWhy() == "" {
		m.stopUse(err.Error())
	}
}

// timekeeping compares the clock with its second sources, again and again.
func (m *Module) timekeeping() {
	tick := time.NewTicker(m.cfg.ClockEvery)
	defer tick.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-tick.C:
			if err := m.compareTime(context.Background()); err != nil {
				m.logger.Error("samd: the state of the clock could not be recorded", "err", err)
			}
		}
	}
}

// compareTime asks the sources and records when the answer changes.
func (m *Module) compareTime(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, compareTimeout)
	defer cancel()
	err := m.watch.Compare(ctx)
	m.noticeStep(err)
	m.timeMu.Lock()
	defer m.timeMu.Unlock()
	doubt := errors.Is(err, clock.ErrDoubt)
	if doubt == m.doubted || errors.Is(err, clock.ErrStep) {
		return nil
	}
	logErr := m.update(context.WithoutCancel(ctx), self(), func(w *work) error {
		if !doubt {
			_, err := w.log(EventClockSure, audit.OK, "", audit.Data{})
			return err
		}
		_, logErr := w.log(EventClockDoubt, audit.Error, sap.ReasonClock, audit.Data{"detail": detail(err)})
		return logErr
	})
	if logErr == nil {
		m.doubted = doubt
	}
	return logErr
}

// settleTime takes the clock as right after a step, on an officer's word and with
// every second source agreeing. From then on records count whose times are earlier
// than those of before: a clock that was set two years ahead and back again would
// keep the module closed for two years (TIM-01).
func (m *Module) settleTime(ctx context.Context, c Caller) error {
	compare, cancel := context.WithTimeout(ctx, compareTimeout)
	defer cancel()
	moved := errors.Is(m.watch.Compare(compare), clock.ErrStep)
	err := testClock(ctx, m)
	if errors.Is(err, sap.ReasonStore) {
		return err // records that cannot be read say nothing of the clock
	}
	behind := err != nil
	if !moved && !behind {
		return nil
	}
	said := m.watch.Said()
	for _, s := range said {
		if s.Agrees {
			continue
		}
		if behind {
			return nil // the self-test will say so
		}
		return fmt.Errorf("%w: %s: %s; set the clock right first", sap.ReasonClock, s.Name, clip(s.Detail, 100))
	}
	if behind && len(said) == 0 {
		return nil // a person's word alone does not go behind the records
	}
	err = m.update(ctx, c, func(w *work) error {
		_, err := w.log(EventClockSet, audit.OK, "", audit.Data{"moved_ms": m.watch.Moved().Milliseconds()})
		return err
	})
	if err == nil {
		m.watch.Rebase()
	}
	return err
}

// clockSlack is how far behind the latest of the last clockRecords records the
// clock may be.
const (
	clockSlack   = 2 * time.Second
	clockRecords = 1000
)

// testClock: time does not go back behind what was recorded since an officer last
// said that the clock is right. In a closed module it is asked again before that
// opens: refused at the start, it could not be opened at all.
func testClock(ctx context.Context, m *Module) error {
	var latest int64
	err := m.view(ctx, func(tx *Tx) error {
		head, err := tx.Audit.Last()
		if err != nil {
			return err
		}
		page, err := tx.Audit.Page(max(0, head.Seq-clockRecords), clockRecords+1)
		for _, r := range page {
			latest = max(latest, r.Time)
			if r.Type == EventClockSet {
				latest = r.Time
			}
		}
		return err
	})
	now := m.clock.Now()
	if last := time.UnixMilli(latest); err == nil && now.Add(clockSlack).Before(last) {
		return fmt.Errorf("the clock says %s, an audit record is of %s", now.UTC().Format(time.RFC3339), last.UTC().Format(time.RFC3339))
	}
	return err
}

func sourceNames(list []clock.Source) []string {
	out := []string{}
	for _, s := range list {
		out = append(out, s.Name())
	}
	return out
}

func (m *Module) clockStatus() ClockStatus {
	out := ClockStatus{Trusted: true}
	if err := m.watch.Check(); err != nil {
		out.Trusted, out.Why = false, detail(err)
	}
	for _, s := range m.watch.Said() {
		out.Sources = append(out.Sources, ClockSource{Name: s.Name, Agrees: s.Agrees, Detail: clip(s.Detail, 200)})
	}
	return out
}
