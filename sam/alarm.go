package sam

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sap"
)

// Alarms (AUD-09, SRG_AA.6.1). They are computed from the audit records and from
// nothing else: what is committed is counted, and at the start the records of the
// longest window are counted again, so that a restart neither forgets what was on
// its way to an alarm nor raises one twice. An alarm is a record of its own, once
// for each kind and subject in a window; a line in the log, of the highest
// priority; and part of the status. It stops nothing: what has to stop is stopped
// where it is found.

// Kinds of alarms.
const (
	AlarmOffHours      = "off_hours"
	AlarmVolume        = "volume"
	AlarmSignerVolume  = "signer_volume"
	AlarmSignerAsked   = "signer_requests"
	AlarmParallel      = "parallel_sessions"
	AlarmClockStep     = "clock_step"
	AlarmClockSource   = "clock_source"
	AlarmRefusals      = "refusals"
	AlarmLockout       = "lockout"
	AlarmAuthenticator = "authenticator_copied"
	AlarmTampering     = "tampering"
	AlarmSelfTest      = "self_test"
	AlarmClosed        = "closed"
	AlarmCrash         = "crash"
	AlarmAnchor        = "anchor"
)

// LevelAlarm is the level of an alarm's log line: above every other.
const LevelAlarm = slog.LevelError + 4

// seen is an audit record as far as alarms look at it.
type seen struct {
	event, actor, outcome string
	reason                sap.Reason
	signer, detail        string
	locked                bool
	kind, subject         string // of an alarm's own record
	since                 int64  // when its window began
	n                     int    // and what was counted
	at                    time.Time
}

// eventParallel is no record: a person's calls came from two places.
const eventParallel = "parallel"

// alarmRow is a line of the table of alarms.
type alarmRow struct {
	kind   string
	means  string
	count  int           // so many
	window time.Duration // within this
	// subject says whom a record counts against; "" when it does not.
	subject func(s seen, h *Hours) string
}

// alarmRows is the whole table, with the thresholds that hold when none are
// configured (AUD-09).
func alarmRows() []alarmRow {
	is := func(event string, subject func(seen) string) func(seen, *Hours) string {
		return func(s seen, _ *Hours) string {
			if s.event != event {
				return ""
			}
			return subject(s)
		}
	}
	signer := func(s seen) string { return s.signer }
	all := func(seen) string { return "module" }
	return []alarmRow{
		{AlarmOffHours, "a person worked outside the hours", 1, 8 * time.Hour, offHours},
		{AlarmVolume, "many signatures altogether", 20_000, time.Hour, is(EventReserved, all)},
		{AlarmSignerVolume, "many signatures of one signer", 500, time.Hour, is(EventReserved, signer)},
		{AlarmSignerAsked, "many requests to one signer at a time", 100, 15 * time.Minute, is(EventRequested, signer)},
		{AlarmParallel, "one person's calls come from two places at a time", 1, time.Hour, is(eventParallel, func(s seen) string { return s.actor })},
		{AlarmClockStep, "the clock was moved", 1, time.Minute, is(EventClosed, func(s seen) string {
			if !strings.HasPrefix(s.detail, clock.ErrStep.Error()) {
				return ""
			}
			return "module"
		})},
		{AlarmClockSource, "a second source of time contradicts or is silent", 1, 10 * time.Minute, is(EventClockDoubt, all)},
		{AlarmRefusals, "one caller is refused again and again", 20, 10 * time.Minute, func(s seen, _ *Hours) string {
			if s.outcome != audit.Refused {
				return ""
			}
			return s.actor
		}},
		{AlarmLockout, "an authenticator was locked", 1, time.Hour, func(s seen, _ *Hours) string {
			if !s.locked {
				return ""
			}
			return s.signer
		}},
		{AlarmAuthenticator, "an authenticator was copied", 1, time.Hour, is(EventCopy, signer)},
		{AlarmTampering, "records or the database were changed from outside", 1, time.Hour, func(s seen, _ *Hours) string {
			if s.event != EventForeign && s.reason != sap.ReasonSeal {
				return ""
			}
			return "database"
		}},
		{AlarmSelfTest, "a self-test failed", 1, 10 * time.Minute, func(s seen, _ *Hours) string {
			if s.event != EventSelfTest || s.outcome != audit.Error {
				return ""
			}
			return "module"
		}},
		{AlarmClosed, "the module closed itself", 1, time.Minute, is(EventClosed, all)},
		{AlarmCrash, "the last run ended without its stop record", 1, time.Hour, is(EventUnclean, all)},
		{AlarmAnchor, "the anchor cannot be written: an older database put back would not be noticed", 1, 10 * time.Minute, is(EventAnchorLost, all)},
	}
}

// AlarmKinds lists the kinds of alarms.
func AlarmKinds() []string {
	var out []string
	for _, r := range alarmRows() {
		out = append(out, r.kind)
	}
	return out
}

// AlarmLimit is the threshold of a kind. A Count below zero switches it off.
type AlarmLimit struct {
	Count  int
	Window time.Duration // 1s to MaxAlarmWindow
}

// MaxAlarmWindow bounds what is counted again at a start.
const MaxAlarmWindow = 24 * time.Hour

// Hours are when people work.
type Hours struct {
	Days     []time.Weekday
	From, To time.Duration // since midnight
	Zone     *time.Location
}

// within tells whether t is in the hours; without hours it always is.
func (h *Hours) within(t time.Time) bool {
	if h == nil {
		return true
	}
	t = t.In(h.Zone)
	day := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
	return slices.Contains(h.Days, t.Weekday()) && day >= h.From && day < h.To
}

// offHours counts the acts of people, not of programs.
func offHours(s seen, h *Hours) string {
	role, _, _ := strings.Cut(s.actor, ":")
	if !isPerson(Role(role)) || h.within(s.at) {
		return ""
	}
	return s.actor
}

func isPerson(r Role) bool {
	return r == RoleOfficer || r == RoleAdmin || r == RoleAuditor || r == RoleRA
}

// Raised is an alarm.
type Raised struct {
	Kind, Means, Subject string
	Count                int
	Time                 int64 // Unix seconds
}

// due is an alarm that is not recorded yet.
type due struct {
	Raised
	since  int64 // begin of the window, Unix milliseconds
	window time.Duration
	said   bool // in the log
}

// tally counts one kind for one subject in one window.
type tally struct {
	from   time.Time
	n      int
	raised bool
}

// alarms counts. It keeps no more than maxTallies counts and maxRaised alarms.
type alarms struct {
	rows  []alarmRow
	hours *Hours
	wake  chan struct{}

	mu      sync.Mutex
	tallies map[string]*tally
	due     []due
	recent  []Raised
	places  map[string]place
}

type place struct {
	from string
	at   time.Duration
}

const (
	maxTallies = 20_000
	maxRaised  = 32
	maxReplay  = 100_000 // records counted at a start
)

func newAlarms(cfg AlarmConfig) *alarms {
	a := &alarms{hours: cfg.Hours, wake: make(chan struct{}, 1), tallies: map[string]*tally{}, places: map[string]place{}}
	for _, r := range alarmRows() {
		if l, ok := cfg.Limits[r.kind]; ok {
			r.count, r.window = l.Count, l.Window
		}
		if r.count > 0 {
			a.rows = append(a.rows, r)
		}
	}
	return a
}

// AlarmConfig sets thresholds; the table's own hold for what is not in it.
type AlarmConfig struct {
	Limits map[string]AlarmLimit
	Hours  *Hours
}

func (c AlarmConfig) check() error {
	for kind, l := range c.Limits {
		switch {
		case !slices.Contains(AlarmKinds(), kind):
			return fmt.Errorf("%w: there is no alarm %q", ErrConfig, kind)
		case l.Count == 0, l.Count > 0 && (l.Window < time.Second || l.Window > MaxAlarmWindow):
			return fmt.Errorf("%w: alarm %s: a count, and a window of 1s to %v; a count below zero switches it off", ErrConfig, kind, MaxAlarmWindow)
		}
	}
	if h := c.Hours; h != nil && (h.Zone == nil || len(h.Days) == 0 || h.From < 0 || h.To > 24*time.Hour || h.From >= h.To) {
		return fmt.Errorf("%w: hours need days, a zone, and from before to", ErrConfig)
	}
	return nil
}

// see counts committed records.
func (a *alarms) see(list ...seen) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range list {
		if s.event == EventAlarm {
			a.recorded(s)
			continue
		}
		for i := range a.rows {
			if subject := a.rows[i].subject(s, a.hours); subject != "" {
				a.count(&a.rows[i], subject, s.at)
			}
		}
	}
	if len(a.due) > 0 {
		select {
		case a.wake <- struct{}{}:
		default:
		}
	}
}

func tallyKey(kind, subject string) string { return kind + "\x00" + subject }

func (a *alarms) count(r *alarmRow, subject string, at time.Time) {
	key := tallyKey(r.kind, subject)
	t := a.tallies[key]
	if t == nil || at.Sub(t.from) >= r.window || at.Before(t.from.Add(-r.window)) {
		if t == nil && len(a.tallies) >= maxTallies {
			a.makeRoom(at)
		}
		t = &tally{from: at}
		a.tallies[key] = t
	}
	t.n++
	if t.n >= r.count && !t.raised {
		t.raised = true
		a.due = append(a.due, due{
			Raised: Raised{Kind: r.kind, Means: r.means, Subject: subject, Count: t.n, Time: at.Unix()},
			since:  t.from.UnixMilli(), window: r.window,
		})
	}
}

// makeRoom drops the counts whose windows are over, and when that is not enough,
// any.
func (a *alarms) makeRoom(at time.Time) {
	for key, t := range a.tallies {
		if at.Sub(t.from) > MaxAlarmWindow || len(a.tallies) >= maxTallies {
			delete(a.tallies, key)
		}
	}
}

// recorded is an alarm of which the chain tells: it is not due any more, in the
// window of which the chain tells.
func (a *alarms) recorded(s seen) {
	a.tallies[tallyKey(s.kind, s.subject)] = &tally{from: time.UnixMilli(s.since), raised: true}
	r := Raised{Kind: s.kind, Subject: s.subject, Count: s.n, Time: s.at.Unix()}
	for _, row := range alarmRows() {
		if row.kind == s.kind {
			r.Means = row.means
		}
	}
	a.recent = append(a.recent, r)
	a.recent = a.recent[max(0, len(a.recent)-maxRaised):]
	if i := slices.IndexFunc(a.due, func(d due) bool { return d.Kind == s.kind && d.Subject == s.subject }); i >= 0 {
		a.due = slices.Delete(a.due, i, i+1)
	}
}

// next is what has to be recorded next.
func (a *alarms) next() (due, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.due) == 0 {
		return due{}, false
	}
	d := a.due[0]
	a.due[0].said = true
	return d, true
}

// forgetOld drops what is due of windows that are over: of a start, whose first
// windows begin where the counting does.
func (a *alarms) forgetOld(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.due = slices.DeleteFunc(a.due, func(d due) bool { return now.Sub(time.UnixMilli(d.since)) >= d.window })
}

// raised are the alarms of this run and of the last day before it, the oldest
// first.
func (a *alarms) raised() []Raised {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := slices.Clone(a.recent)
	for _, d := range a.due {
		out = append(out, d.Raised)
	}
	return out
}

// called notices that a person calls from two places at a time.
func (a *alarms) called(c Caller, clk clock.Steady) {
	if c.From == "" || !isPerson(c.Role) {
		return
	}
	elapsed := clk.Elapsed()
	a.mu.Lock()
	before, known := a.places[c.Identity]
	if len(a.places) < maxTallies || known { // identities are granted, so there are few
		a.places[c.Identity] = place{c.From, elapsed}
	}
	a.mu.Unlock()
	if known && before.from != c.From && elapsed-before.at < parallelWithin {
		a.see(seen{event: eventParallel, actor: c.actor(), at: clk.Now()})
	}
}

// parallelWithin is how soon after each other calls from two places are at a time.
const parallelWithin = 5 * time.Minute

// openAlarms counts the records of the longest window.
func (m *Module) openAlarms(ctx context.Context) error {
	since := m.clock.Now().Add(-MaxAlarmWindow).UnixMilli()
	var pages [][]seen // the youngest first
	err := m.view(ctx, func(tx *Tx) error {
		pages = nil
		head, err := tx.Audit.Last()
		if err != nil {
			return err
		}
		from := head.Seq + 1
		for from > 0 && head.Seq-from < maxReplay {
			start := max(0, from-1000)
			page, err := tx.Audit.Page(start, int(from-start))
			if err != nil {
				return err
			}
			part := make([]seen, len(page))
			for i, r := range page {
				part[i] = asSeen(r)
			}
			pages, from = append(pages, part), start
			if len(page) == 0 || page[0].Time < since {
				break
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: audit: %w", ErrOpen, err)
	}
	slices.Reverse(pages)
	m.alarms.see(slices.DeleteFunc(slices.Concat(pages...), func(s seen) bool { return s.at.UnixMilli() < since })...)
	m.alarms.forgetOld(m.clock.Now())
	return nil
}

// raise records what is due, and says it in the log (AUD-09).
func (m *Module) raise(ctx context.Context) error {
	for {
		r, ok := m.alarms.next()
		if !ok {
			return nil
		}
		if !r.said {
			m.logger.Log(ctx, LevelAlarm, "samd: alarm", "alarm", r.Kind, "means", r.Means, "subject", r.Subject, "count", r.Count)
		}
		err := m.update(ctx, self(), func(w *work) error {
			_, err := w.log(EventAlarm, audit.Error, "", audit.Data{"kind": r.Kind, "subject": r.Subject, "count": r.Count, "since": r.since})
			return err
		})
		if err != nil {
			return err // it stays due; the next tick tries again
		}
	}
}
