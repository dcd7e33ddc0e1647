package sam_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// timed is a world with a second source of time that is asked all the time.
func timed(t *testing.T) *samtest.World {
	t.Helper()
	source := &samtest.Time{}
	w := samtest.New(t, func(c *sam.Config) {
		c.TimeSources, c.ClockEvery, c.ClockLoss, c.AnchorEvery = []clock.Source{source}, 5*time.Millisecond, 10*time.Minute, 5*time.Millisecond
	})
	w.Time = source
	return w
}

func clockState(t *testing.T, w *samtest.World) sam.ClockStatus {
	t.Helper()
	st, err := w.M.Status(context.Background(), samtest.Watch)
	if err != nil {
		t.Fatal(err)
	}
	return st.Clock
}

// TIM-01, F25, T38: a clock that is moved closes the module at the very next use,
// forward or back; the reason is named, in the answer to the operator, the chain and the
// status; approvals of before are void; only an officer opens it again, and not
// before every second source agrees.
func TestTIM01StepClosesTheModule(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour, 3 * time.Second, -3 * time.Second, 2 * 365 * 24 * time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			want := sap.ReasonClock
			if by < 0 {
				want = sap.ReasonSelfTest // it is behind the records, too
			}
			source := &samtest.Time{}
			w := samtest.New(t, func(c *sam.Config) { // nothing looks but the use itself
				c.TimeSources, c.ClockLoss = []clock.Source{source}, 24*time.Hour
			})
			alice := w.NewSigner("alice", algo.P256)
			sad, proof := w.Approve(alice, 1)
			uses := w.Token.Uses()
			w.Clock.Step(by)
			source.Say(clock.Reading{Offset: -by}, nil) // it goes on as before
			if _, err := w.Redeem(sad, proof); !errors.Is(err, sap.ReasonClock) {
				t.Errorf("after the step: %v", err)
			}
			if rec := lastOf(t, w, string(sam.OpRedeem)); !strings.Contains(why(t, rec), "moved by "+by.String()) {
				t.Errorf("the record does not say what happened: %s", rec.Data)
			}
			waitFor(t, "the closing", func() bool { return count(w, sam.EventClosed) == 1 })
			if _, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: alice.ID, Key: alice.Key, N: 1}); !errors.Is(err, sap.ReasonClosed) {
				t.Errorf("closed: %v", err)
			}
			if st := clockState(t, w); st.Trusted || !strings.Contains(st.Why, "moved") {
				t.Errorf("status: %+v", st)
			}
			if _, err := w.M.Reopen(context.Background(), samtest.Officer, "it is right"); !errors.Is(err, want) {
				t.Errorf("reopened while the source says otherwise: %v", err)
			}
			w.Clock.Step(-by) // set right
			if _, err := w.Redeem(sad, proof); !errors.Is(err, sap.ReasonClosed) {
				t.Errorf("it opened by itself: %v", err)
			}
			source.Say(clock.Reading{}, nil)
			reopen(t, w)
			if _, err := w.Redeem(sad, proof); !errors.Is(err, sap.ReasonConsumed) {
				t.Errorf("an approval of before the step: %v", err)
			}
			if n := w.Token.Uses() - uses; n != 0 {
				t.Errorf("%d key uses", n)
			}
			if _, err := w.Redeem(w.Approve(alice, 1)); err != nil {
				t.Error(err)
			}
			w.Check()
		})
	}
}

// TIM-01: the clock was years ahead and is right again, and the module was started
// anew in between: it stays closed, and can be opened.
func TestTIM01StepAndRestart(t *testing.T) {
	w := timed(t)
	alice := w.NewSigner("alice", algo.P256)
	w.Clock.Step(2 * 365 * 24 * time.Hour)
	waitFor(t, "the closing", func() bool { return count(w, sam.EventClosed) == 1 })
	w.Crash()
	w.Clock.Step(-2 * 365 * 24 * time.Hour)
	w.Crash()
	if _, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: alice.ID, Key: alice.Key, N: 1}); !errors.Is(err, sap.ReasonClosed) {
		t.Errorf("after the start: %v", err)
	}
	w.Time.Say(clock.Reading{}, clock.ErrSource)
	if _, err := w.M.Reopen(context.Background(), samtest.Officer, "it is right"); !errors.Is(err, sap.ReasonSelfTest) {
		t.Errorf("reopened without a second source: %v", err)
	}
	w.Time.Say(clock.Reading{}, nil)
	reopen(t, w)
	if count(w, sam.EventClockSet) != 1 {
		t.Error("what the officer said is not on record")
	}
	if _, err := w.Redeem(w.Approve(alice, 1)); err != nil {
		t.Error(err)
	}
	w.Crash() // the records of the years ahead are of before the officer's word
	if _, err := w.Redeem(w.Approve(alice, 1)); err != nil {
		t.Error(err)
	}
}

// TIM-01: without any second source an officer's word does not take time back
// behind the records.
func TestTIM01NobodysWordAgainstTheRecords(t *testing.T) {
	w := samtest.New(t)
	alice := w.NewSigner("alice", algo.P256)
	w.Clock.Step(-time.Hour)
	if _, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: alice.ID, Key: alice.Key, N: 1}); !errors.Is(err, sap.ReasonClock) {
		t.Errorf("after the step: %v", err)
	}
	if _, err := w.M.Reopen(context.Background(), samtest.Officer, "believe me"); !errors.Is(err, sap.ReasonSelfTest) {
		t.Errorf("got %v", err)
	}
}

// TIM-01: the clock was wrong, the step made it right, every source agrees: an
// officer opens the module at the new time, and the step is none any more.
func TestTIM01StepThatIsRight(t *testing.T) {
	w := timed(t)
	alice := w.NewSigner("alice", algo.P256)
	w.Clock.Step(time.Minute)
	waitFor(t, "the closing without any use", func() bool { return count(w, sam.EventClosed) == 1 })
	reopen(t, w)
	if _, err := w.Redeem(w.Approve(alice, 1)); err != nil {
		t.Error(err)
	}
	if st := clockState(t, w); !st.Trusted {
		t.Errorf("%+v", st)
	}
}

// TIM-01: a small correction, as a time service makes it, disturbs nobody.
func TestTIM01SmallCorrections(t *testing.T) {
	w := samtest.New(t)
	alice := w.NewSigner("alice", algo.P256)
	for range 2 {
		w.Clock.Step(900 * time.Millisecond)
		if _, err := w.Redeem(w.Approve(alice, 1)); err != nil {
			t.Error(err)
		}
	}
}

// TIM-01: drift, a source that lies, and a source that is lost stop requests and
// redemptions with a named reason and one record each; administration goes on, nothing
// is closed, and when the sources agree again the same approval is still good.
func TestTIM01SourcesThatDoNotAgree(t *testing.T) {
	silent := fmt.Errorf("%w: no answer", clock.ErrSource)
	for name, spoil := range map[string]func(w *samtest.World){
		"the clock ran away": func(w *samtest.World) { w.Time.Say(clock.Reading{Offset: -2500 * time.Millisecond}, nil) },
		"the source lies":    func(w *samtest.World) { w.Time.Say(clock.Reading{Offset: 24 * time.Hour}, nil) },
		"the source is lost": func(w *samtest.World) { w.Time.Say(clock.Reading{}, silent); w.Clock.Advance(11 * time.Minute) },
		"it cannot say": func(w *samtest.World) {
			w.Time.Say(clock.Reading{MaxError: time.Hour}, nil)
			w.Clock.Advance(11 * time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := timed(t)
			alice := w.NewSigner("alice", algo.P256)
			spoil(w)
			waitFor(t, "the doubt", func() bool { return count(w, sam.EventClockDoubt) == 1 })
			sspu := func() error {
				_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: alice.ID, Key: alice.Key, N: 1})
				return err
			}
			refused(t, w, sap.ReasonClock, sspu)
			refused(t, w, sap.ReasonClock, func() error { _, err := w.Redeem([]byte("{}"), []byte("{}")); return err })
			if st := clockState(t, w); st.Trusted || len(st.Sources) != 1 || st.Sources[0].Agrees || st.Why == "" {
				t.Errorf("status: %+v", st)
			}
			if _, err := w.M.CreateSigner(context.Background(), samtest.RA, sam.NewSigner{ID: "bob", Name: "Bob", Proof: "p"}); err != nil {
				t.Errorf("administration: %v", err)
			}
			w.Time.Say(clock.Reading{Offset: 50 * time.Millisecond}, nil)
			waitFor(t, "the end of the doubt", func() bool { return count(w, sam.EventClockSure) == 1 })
			if _, err := w.Redeem(w.Approve(alice, 1)); err != nil {
				t.Errorf("afterwards: %v", err)
			}
			if count(w, sam.EventClosed) != 0 || count(w, sam.EventClockDoubt) != 1 {
				t.Error("it was closed, or recorded more than once")
			}
			for _, r := range w.Records() {
				if r.Type == sam.EventClockDoubt && (r.Reason != string(sap.ReasonClock) || r.Outcome != audit.Error || !strings.Contains(why(t, r), "test")) {
					t.Errorf("record: %+v", r)
				}
			}
		})
	}
}

// lastOf is the last record of a type.
func lastOf(t *testing.T, w *samtest.World, event string) audit.Record {
	t.Helper()
	var out audit.Record
	for _, r := range w.Records() {
		if r.Type == event {
			out = r
		}
	}
	if out.Type == "" {
		t.Fatalf("no record of %s", event)
	}
	return out
}

func why(t *testing.T, r audit.Record) string {
	t.Helper()
	var d struct {
		Detail string `json:"detail"`
	}
	if err := json.Unmarshal([]byte(r.Data), &d); err != nil {
		t.Fatal(err)
	}
	return d.Detail
}

// TIM-01: without a word of the second source nothing is signed from the start; it
// need not be there for the module to open.
func TestTIM01NotHeardYet(t *testing.T) {
	source := &samtest.Time{}
	source.Say(clock.Reading{}, clock.ErrSource)
	w := samtest.New(t, func(c *sam.Config) {
		c.TimeSources, c.ClockEvery = []clock.Source{source}, 5*time.Millisecond
	})
	alice := w.NewSigner("alice", algo.P256)
	refused(t, w, sap.ReasonClock, func() error {
		_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: alice.ID, Key: alice.Key, N: 1})
		return err
	})
	source.Say(clock.Reading{}, nil)
	waitFor(t, "the first word", func() bool { return clockState(t, w).Trusted })
	if _, err := w.Redeem(w.Approve(alice, 1)); err != nil {
		t.Error(err)
	}
}

// TIM-01: configurations that would look away.
func TestTIM01Configuration(t *testing.T) {
	w := samtest.New(t)
	for name, change := range map[string]func(*sam.Config){
		"production without a second source": func(c *sam.Config) { c.Production = true },
		"a limit of an hour":                 func(c *sam.Config) { c.ClockLimit = time.Hour },
		"a negative limit":                   func(c *sam.Config) { c.ClockLimit = -1 },
		"silence for a month":                func(c *sam.Config) { c.ClockLoss = 30 * 24 * time.Hour },
		"compared too seldom":                func(c *sam.Config) { c.ClockEvery = time.Hour },
	} {
		cfg := w.Cfg
		cfg.Store = &nopStore{}
		change(&cfg)
		if _, err := sam.Open(context.Background(), cfg); !errors.Is(err, sam.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if st := clockState(t, w); !st.Trusted || len(st.Sources) != 0 {
		t.Errorf("development without a second source: %+v", st)
	}
}
