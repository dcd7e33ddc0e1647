package sam_test

import (
	"context"
	"errors"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samsqlite"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// acting is a source of random octets that does something, once, before its next ones.
type acting struct{ do func() }

func (a *acting) Read(b []byte) (int, error) {
	if do := a.do; do != nil {
		a.do = nil
		do()
	}
	return randRead(b)
}

// FPT-03: a failure that comes while the self-tests of a reopening run is not opened
// over. The module stays closed, in memory and, with a crash at that moment, at the next
// start; and no record says that it was opened.
func TestFPT03AFailureDuringTheTestsOfAReopening(t *testing.T) {
	random := &acting{}
	w := samtest.New(t, func(c *sam.Config) { c.Random = random })
	shut(t, w)
	random.do = func() { w.M.CloseForUse("another failure") }
	_, err := w.M.Reopen(context.Background(), samtest.Officer, "looked at it")
	if !errors.Is(err, sap.ReasonClosed) || random.do != nil {
		t.Errorf("%v", err)
	}
	if got := stateOf(t, w); got != "closed" {
		t.Errorf("it is %s", got)
	}
	if n := count(w, sam.EventReopened); n != 0 {
		t.Errorf("%d records say that it was opened", n)
	}
	if why := keptCondition(t, w); why == "" {
		t.Error("a crash now would open it")
	}
	reopen(t, w)
	if got := stateOf(t, w); got != "open" {
		t.Errorf("it is %s", got)
	}
}

// opening is a store during whose next writing of an open condition something fails.
type opening struct {
	sam.Store
	fails func()
}

func (o *opening) Update(ctx context.Context, fn func(*sam.Tx) error) error {
	return o.Store.Update(ctx, func(tx *sam.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		if cond, err := tx.Condition.Get(); err == nil && cond.Closed == "" && o.fails != nil {
			o.fails()
			o.fails = nil
		}
		return nil
	})
}

// FPT-03: nor is one that comes while the opening is being written: that it is closed
// again is on record when the officer hears of it.
func TestFPT03AFailureWhileTheOpeningIsWritten(t *testing.T) {
	w := samtest.New(t)
	closeAll(t, w)
	db, err := samsqlite.Open(samsqlite.Config{Path: w.DB()})
	if err != nil {
		t.Fatal(err)
	}
	store := &opening{Store: db}
	w.Store = &samtest.Store{Store: store}
	w.Cfg.Store = w.Store
	if w.M, err = sam.Open(context.Background(), w.Cfg); err != nil {
		t.Fatal(err)
	}
	shut(t, w)
	store.fails = func() { w.M.StopUse("another failure") }
	if _, err := w.M.Reopen(context.Background(), samtest.Officer, "looked at it"); !errors.Is(err, sap.ReasonClosed) || store.fails != nil {
		t.Errorf("%v", err)
	}
	if got := stateOf(t, w); got != "closed" {
		t.Errorf("it is %s", got)
	}
	if why := keptCondition(t, w); why == "" {
		t.Error("a crash now would open it")
	}
	if opened, closed := count(w, sam.EventReopened), count(w, sam.EventClosed); opened != 1 || closed != 2 {
		t.Errorf("%d openings and %d closings on record", opened, closed)
	}
	closeAll(t, w)
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	if got := stateOf(t, w); got != "closed" {
		t.Errorf("after a start it is %s", got)
	}
}

// keptCondition is why the module is closed, as a start would find it.
func keptCondition(t *testing.T, w *samtest.World) (why string) {
	t.Helper()
	if err := dba(t, w).QueryRow("SELECT closed FROM condition").Scan(&why); err != nil {
		t.Fatal(err)
	}
	return why
}

// ROL-04, KPR-06: a change of the sealing key is refused at once where the token cannot
// make one: two officers do not decide what cannot be done.
func TestROL04NoNewSealOfATokenThatMakesNoKeys(t *testing.T) {
	w := samtest.New(t)
	restartWith(t, w, func(c *sam.Config) { c.Token = fixed{w.Token, w.Token, w.Token} })
	for kind, args := range map[string]any{
		sam.DecideSeal:      sam.RotateSeal{From: 1, Why: "yearly"},
		sam.DecideStatement: sam.RotateStatement{Why: "yearly"},
	} {
		if _, err := w.M.Propose(context.Background(), samtest.Officer, kind, w.Args(args)); !errors.Is(err, sap.ReasonState) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// fixed is a token whose named keys are made by other means.
type fixed struct {
	cryptotoken.Token
	cryptotoken.Wrapper
	cryptotoken.Sealer
}

// KPR-08: a key that the list outside the database has as destroyed is not used, though
// all that the module remembers of it says otherwise.
func TestKPR08ListedKeyIsNotUsedFromMemory(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Fatal(err)
	}
	sad, proof := w.Approve(s, 1)
	w.M.List(s.Key)
	refused(t, w, sap.ReasonKeyState, func() error { _, err := w.Redeem(sad, proof); return err })
}

// KEY-11: an enrolment has no id of octets that were not drawn: the code is there
// already when the source fails.
func TestKEY11NoEnrolmentIDWithoutRandomOctets(t *testing.T) {
	random := &running{}
	w := samtest.New(t, func(c *sam.Config) { c.Random = random })
	random.on = true
	id, err := w.M.EnrolmentID()
	if err == nil || id != "" {
		t.Errorf("%q, %v", id, err)
	}
}

// running is a source that stops.
type running struct{ on bool }

func (r *running) Read(b []byte) (int, error) {
	if r.on {
		return 0, errors.New("no more")
	}
	return randRead(b)
}
