package sam_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// lines collects a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// provoke is how an alarm comes about.
type provoke struct {
	count   int
	subject string
	do      func(x *alarmWorld) error
}

type alarmWorld struct {
	*samtest.World
	t     *testing.T
	alice *samtest.Signer
	log   *lines
	doubt int
}

func (x *alarmWorld) refusedRequest() error {
	_, err := x.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: "nobody", Key: "none", N: 1})
	return fails(err, sap.ReasonSignerUnknown)
}

func (x *alarmWorld) sign() error { return second(x.Redeem(x.Approve(x.alice, 1))) }

func (x *alarmWorld) failedTest() error {
	x.Token.FailProbe(cryptotoken.ErrSelfTest)
	err := second(x.M.SelfTest(context.Background(), samtest.Officer))
	x.Token.FailProbe(nil)
	return errors.Join(err, second(x.M.Reopen(context.Background(), samtest.Officer, "looked at it")))
}

// unverified approves without user verification until the authenticator is locked.
func (x *alarmWorld) unverified() error {
	d := *x.alice.Device
	d.Flags = samtest.UP
	s := *x.alice
	s.Device = &d
	for range 3 {
		if err := fails(second(x.Redeem(x.Approve(&s, 1))), sap.ReasonUserVerified); err != nil {
			return err
		}
	}
	return x.M.Lift(context.Background(), samtest.Officer, x.alice.ID, sap.B64(x.alice.Device.ID), "called back")
}

func (x *alarmWorld) copied() error {
	x.alice.Device.Count += 10
	err := x.sign()
	x.alice.Device.Count--
	err = errors.Join(err, fails(second(x.Redeem(x.Approve(x.alice, 1))), sap.ReasonCounter))
	return errors.Join(err, x.M.Lift(context.Background(), samtest.Officer, x.alice.ID, sap.B64(x.alice.Device.ID), "called back"))
}

func (x *alarmWorld) outside() error {
	before := count(x.World, sam.EventForeign)
	db := dba(x.t, x.World)
	_, err := db.Exec(fmt.Sprintf("CREATE TABLE foreign_%d (a)", before))
	err = errors.Join(err, db.Close(), fails(second(x.M.Explain(context.Background(), samtest.Officer, "nonsense")), sap.ReasonInvalid))
	waitFor(x.t, "the change to be found", func() bool { return count(x.World, sam.EventForeign) > before })
	return err
}

func (x *alarmWorld) moved() error {
	before := count(x.World, sam.EventClosed)
	x.Clock.Step(10 * time.Second)
	waitFor(x.t, "the closing", func() bool { return count(x.World, sam.EventClosed) > before })
	return second(x.M.Reopen(context.Background(), samtest.Officer, "it is right now"))
}

func (x *alarmWorld) silent() error {
	x.doubt++
	x.Time.Say(clock.Reading{Offset: time.Hour}, nil)
	waitFor(x.t, "the doubt", func() bool { return count(x.World, sam.EventClockDoubt) == x.doubt })
	x.Time.Say(clock.Reading{}, nil)
	waitFor(x.t, "its end", func() bool { return count(x.World, sam.EventClockSure) == x.doubt })
	return nil
}

func (x *alarmWorld) anchorLost() error { return loseAnchor(x.t, x.World) }

// loseAnchor puts a folder where the anchor is written before it is renamed, and
// lets something happen that it must follow.
func loseAnchor(t *testing.T, w *samtest.World) error {
	t.Helper()
	lost, kept := count(w, sam.EventAnchorLost), count(w, sam.EventAnchorKept)
	waitFor(t, "the anchor to follow what was before", func() bool {
		text, err := os.ReadFile(w.Cfg.AnchorPath)
		return err == nil && strings.Contains(string(text), fmt.Sprintf(`"seq":%d,`, w.Records()[len(w.Records())-1].Seq))
	})
	time.Sleep(10 * w.Cfg.AnchorEvery) // what it follows already is written once more at most
	block := w.Cfg.AnchorPath + ".new"
	// The module may be about to rename the file that is there.
	waitFor(t, "the obstacle", func() bool { return os.Mkdir(block, 0o700) == nil })
	err := fails(second(w.M.Explain(context.Background(), samtest.Officer, "nonsense")), sap.ReasonInvalid)
	waitFor(t, "the failure of the anchor", func() bool { return count(w, sam.EventAnchorLost) == lost+1 })
	err = errors.Join(err, os.Remove(block))
	waitFor(t, "the anchor", func() bool { return count(w, sam.EventAnchorKept) == kept+1 })
	return err
}

func (x *alarmWorld) twoPlaces() error {
	for _, from := range []string{"192.0.2.1", "192.0.2.2"} {
		c := samtest.Auditor
		c.From = from
		if _, err := x.M.Info(context.Background(), c); err != nil {
			return err
		}
	}
	return nil
}

// provocations has a line for every row of the table of alarms.
func provocations() map[string]provoke {
	return map[string]provoke{
		sam.AlarmOffHours: {1, "auditor:auditor-1", func(x *alarmWorld) error {
			return second(x.M.Audit(context.Background(), samtest.Auditor, 0, 1))
		}},
		sam.AlarmVolume:       {2, "module", func(x *alarmWorld) error { return errors.Join(x.sign(), x.sign()) }},
		sam.AlarmSignerVolume: {2, "alice", func(x *alarmWorld) error { return errors.Join(x.sign(), x.sign()) }},
		sam.AlarmSignerAsked:  {3, "alice", func(x *alarmWorld) error { x.Ask(x.alice, 1); x.Ask(x.alice, 1); x.Ask(x.alice, 1); return nil }},
		sam.AlarmParallel:     {1, "auditor:auditor-1", (*alarmWorld).twoPlaces},
		sam.AlarmClockStep:    {1, "module", (*alarmWorld).moved},
		sam.AlarmClockSource:  {1, "module", (*alarmWorld).silent},
		sam.AlarmRefusals: {3, "sspu:ssad-1", func(x *alarmWorld) error {
			return errors.Join(x.refusedRequest(), x.refusedRequest(), x.refusedRequest())
		}},
		sam.AlarmLockout:       {1, "alice", (*alarmWorld).unverified},
		sam.AlarmAuthenticator: {1, "alice", (*alarmWorld).copied},
		sam.AlarmTampering:     {1, "database", (*alarmWorld).outside},
		sam.AlarmSelfTest:      {1, "module", (*alarmWorld).failedTest},
		sam.AlarmClosed:        {1, "module", (*alarmWorld).failedTest},
		sam.AlarmCrash:         {1, "module", func(x *alarmWorld) error { x.Crash(); return nil }},
		sam.AlarmAnchor:        {1, "module", (*alarmWorld).anchorLost},
	}
}

// newAlarmWorld has one kind of alarm.
func newAlarmWorld(t *testing.T, kind string, n int, window time.Duration) *alarmWorld {
	t.Helper()
	x := &alarmWorld{t: t, log: &lines{}}
	source := &samtest.Time{}
	x.World = samtest.New(t, func(c *sam.Config) {
		c.Alarms.Limits[kind] = sam.AlarmLimit{Count: n, Window: window}
		c.Alarms.Hours = &sam.Hours{Days: []time.Weekday{time.Monday}, From: 8 * time.Hour, To: 18 * time.Hour, Zone: time.UTC} // it is Saturday
		c.AnchorEvery, c.ClockEvery, c.ClockLoss = 5*time.Millisecond, 5*time.Millisecond, 24*time.Hour
		c.TimeSources, c.Log = []clock.Source{source}, slog.New(slog.NewTextHandler(x.log, nil))
	})
	x.Time = source
	x.alice = x.NewSigner("alice", algo.P256)
	return x
}

// shown are the alarms of a kind and subject in the status: what is counted shows
// there at once.
func (x *alarmWorld) shown(kind, subject string) int {
	x.t.Helper()
	st, err := x.M.Status(context.Background(), samtest.Watch)
	if err != nil {
		x.t.Fatal(err)
	}
	n := 0
	for _, a := range st.Alarms {
		if a.Kind == kind && a.Subject == subject && a.Means != "" && a.Count > 0 {
			n++
		}
	}
	return n
}

// recorded are the records of it.
func (x *alarmWorld) recorded(kind, subject string) int {
	x.t.Helper()
	n := 0
	for _, r := range x.Records() {
		var d struct{ Kind, Subject string }
		if err := json.Unmarshal([]byte(r.Data), &d); err != nil {
			x.t.Fatal(err)
		}
		if r.Type == sam.EventAlarm && d.Kind == kind && d.Subject == subject {
			n++
		}
	}
	return n
}

// AUD-09: every alarm is provoked: it is a record of its own, exactly once in a
// window, a line of the log and part of the status; the next window has the next
// one; a restart repeats none.
func TestAUD09EachAlarm(t *testing.T) {
	table := provocations()
	const window = time.Hour
	for _, kind := range sam.AlarmKinds() {
		p, ok := table[kind]
		if !ok {
			t.Errorf("%s: nothing provokes it", kind)
			continue
		}
		t.Run(kind, func(t *testing.T) {
			x := newAlarmWorld(t, kind, p.count, window)
			again := func(want int, why string) {
				t.Helper()
				if err := p.do(x); err != nil {
					t.Fatal(err)
				}
				// Housekeeping's own record is counted when its commit returns, a moment
				// after it can be read.
				waitFor(t, "the alarm in the status", func() bool { return x.shown(kind, p.subject) >= want })
				if n := x.shown(kind, p.subject); n != want {
					t.Errorf("%s: the status shows %d alarms, want %d", why, n, want)
				}
				waitFor(t, "the record", func() bool { return x.recorded(kind, p.subject) >= want })
				if n := x.recorded(kind, p.subject); n != want {
					t.Errorf("%s: %d records, want %d", why, n, want)
				}
			}
			if n := x.shown(kind, p.subject); n != 0 {
				t.Errorf("%d alarms before anything happened", n)
			}
			again(1, "first")
			again(1, "again in the same window")
			if !strings.Contains(x.log.String(), "level=ERROR+4") || !strings.Contains(x.log.String(), "alarm="+kind) {
				t.Errorf("no line in the log:\n%s", x.log)
			}
			x.Clock.Advance(window)
			again(2, "in the next window")
			x.Crash()
			if n := x.shown(kind, p.subject); n != 2 {
				t.Errorf("after a restart: %d alarms, want 2", n)
			}
		})
	}
}

// AUD-09: what was on its way to an alarm is not forgotten by a restart, and an
// alarm that could not be recorded is recorded by the next run.
func TestAUD09RestartForgetsNothing(t *testing.T) {
	x := newAlarmWorld(t, sam.AlarmRefusals, 3, time.Hour)
	if err := errors.Join(x.refusedRequest(), x.refusedRequest()); err != nil {
		t.Fatal(err)
	}
	x.Crash()
	x.Store.FailBefore(func(n int) bool { return n > 0 }) // the refusal is written, its alarm is not
	if err := x.refusedRequest(); err != nil {
		t.Fatal(err)
	}
	if n := x.shown(sam.AlarmRefusals, "sspu:ssad-1"); n != 1 {
		t.Errorf("%d alarms after the third refusal", n)
	}
	x.Crash()
	waitFor(t, "the record", func() bool { return x.recorded(sam.AlarmRefusals, "sspu:ssad-1") == 1 })
	x.Crash()
	if x.shown(sam.AlarmRefusals, "sspu:ssad-1") != 1 || x.recorded(sam.AlarmRefusals, "sspu:ssad-1") != 1 {
		t.Error("it was raised again")
	}
}

// AUD-09: in the hours nobody alarms, and programs never do.
func TestAUD09Hours(t *testing.T) {
	x := newAlarmWorld(t, sam.AlarmOffHours, 1, time.Hour)
	later := func(d time.Duration) {
		x.Clock.Advance(d)
		waitFor(t, "the second source of time", func() bool { return clockState(t, x.World).Trusted })
	}
	later(48*time.Hour - 10*time.Minute) // Monday, 11:50
	st, err := x.M.Status(context.Background(), samtest.Watch)
	if err != nil {
		t.Fatal(err)
	}
	before := len(st.Alarms)
	if err := errors.Join(second(x.M.Audit(context.Background(), samtest.Auditor, 0, 1)), x.sign()); err != nil {
		t.Fatal(err)
	}
	later(12 * time.Hour)
	if err := x.sign(); err != nil {
		t.Fatal(err)
	}
	if st, err = x.M.Status(context.Background(), samtest.Watch); err != nil || len(st.Alarms) != before {
		t.Errorf("%+v, %v", st.Alarms, err)
	}
}

// AUD-09: thresholds that make no sense are refused, and the table has no two rows
// of one kind.
func TestAUD09Configuration(t *testing.T) {
	w := samtest.New(t)
	hours := &sam.Hours{Days: []time.Weekday{time.Monday}, From: 8 * time.Hour, To: 7 * time.Hour, Zone: time.UTC}
	for name, bad := range map[string]sam.AlarmConfig{
		"unknown kind": {Limits: map[string]sam.AlarmLimit{"weather": {Count: 1, Window: time.Hour}}},
		"no count":     {Limits: map[string]sam.AlarmLimit{sam.AlarmCrash: {Window: time.Hour}}},
		"no window":    {Limits: map[string]sam.AlarmLimit{sam.AlarmCrash: {Count: 1}}},
		"a week":       {Limits: map[string]sam.AlarmLimit{sam.AlarmCrash: {Count: 1, Window: 7 * 24 * time.Hour}}},
		"empty hours":  {Hours: hours},
		"no zone":      {Hours: &sam.Hours{Days: hours.Days, To: time.Hour}},
	} {
		cfg := w.Cfg
		cfg.Store, cfg.Alarms = &nopStore{}, bad
		if _, err := sam.Open(context.Background(), cfg); !errors.Is(err, sam.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	kinds := sam.AlarmKinds()
	slices.Sort(kinds)
	if n := len(slices.Compact(slices.Clone(kinds))); n != len(kinds) || n < 10 {
		t.Errorf("%d kinds of %d rows", n, len(kinds))
	}
}
