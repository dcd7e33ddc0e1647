package sam_test

import (
	"context"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// noMarks is a token that makes no keys.
type noMarks struct {
	samtest.Full
	cryptotoken.Rotator
}

func (noMarks) CreateKey(context.Context, cryptotoken.KeyRef, algo.KeyType) (cryptotoken.Signer, error) {
	return nil, cryptotoken.ErrUnavailable
}

// KPR-06, FPT-05: the module fails, or dies, at each step of the change and of its end:
// the epochs that count are those that the database names, and it can be done again.
func TestKPR06SealInterrupted(t *testing.T) {
	at := func(n int) func(int) bool { return func(i int) bool { return i == n } }
	for name, c := range map[string]struct {
		fail  func(w *samtest.World)
		epoch int64 // afterwards
	}{
		"approval not written":         {func(w *samtest.World) { w.Store.FailBefore(at(1)) }, 1},
		"no mark is made":              {func(w *samtest.World) { w.Token.Full = noMarks{w.Token.Full, w.Token.Full.(cryptotoken.Rotator)} }, 1},
		"change not written":           {func(w *samtest.World) { w.Store.FailBefore(at(2)) }, 1},
		"written and not acknowledged": {func(w *samtest.World) { w.Store.FailAfter(at(2)) }, 2},
	} {
		for _, then := range []string{"goes on", "dies"} {
			t.Run(name+", "+then, func(t *testing.T) {
				w := samtest.New(t)
				s := w.NewSigner("alice", algo.P256)
				c.fail(w)
				if _, err := w.Try(sam.DecideSeal, sam.RotateSeal{From: 1, Why: "yearly"}); err == nil {
					t.Fatal("done")
				}
				w.Store.FailBefore(nil)
				if x, ok := w.Token.Full.(noMarks); ok {
					w.Token.Full = x.Full
				}
				if then == "dies" {
					w.Crash()
				}
				if _, now := sealsOf(t, w); now != c.epoch {
					t.Fatalf("epoch %d", now)
				}
				for range 2 {
					if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
						t.Fatal(err)
					}
					resealAll(t, w)
					_, now := sealsOf(t, w)
					if got := seals(t, w); len(got) != 1 || got[int(now)] == 0 {
						t.Errorf("epoch %d: %v", now, got)
					}
					rotateSeal(t, w)
				}
				w.Check()
			})
		}
	}
	for name, fail := range map[string]func(w *samtest.World){
		"end not written":                   func(w *samtest.World) { w.Store.FailBefore(at(0)) },
		"end written, and not acknowledged": func(w *samtest.World) { w.Store.FailAfter(at(0)) },
	} {
		for _, then := range []string{"goes on", "dies"} {
			t.Run(name+", "+then, func(t *testing.T) {
				w := samtest.New(t)
				s := w.NewSigner("alice", algo.P256)
				rotateSeal(t, w)
				for range 15 {
					reseal(t, w)
				}
				fail(w)
				if _, err := w.M.Reseal(context.Background()); err == nil {
					t.Fatal("done")
				}
				w.Store.FailBefore(nil)
				if then == "dies" {
					w.Crash()
				}
				resealAll(t, w)
				if low, now := sealsOf(t, w); low != 2 || now != 2 || count(w, sam.EventResealed) != 1 {
					t.Errorf("epochs %d to %d, %d records", low, now, count(w, sam.EventResealed))
				}
				w.Crash()
				if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// KPR-06, FPT-05: whichever call of the database fails around a change whose commit is
// not acknowledged either: the module knows which epochs count, or closes; opened again
// by an officer it finds out by itself, and no epoch that is in use is given up.
func TestKPR06SealFaultsAroundTheChange(t *testing.T) {
	closed := 0
	for n := 0; ; n++ {
		w := samtest.New(t)
		ctx := context.Background()
		s := w.NewSigner("alice", algo.P256)
		p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideSeal, w.Args(sam.RotateSeal{From: 1, Why: "yearly"}))
		if err != nil {
			t.Fatal(err)
		}
		w.Store.FailAfter(func(i int) bool { return i == 1 })
		w.Store.Faults.Arm(n)
		_, _ = w.M.Approve(samtest.Faulty(ctx), samtest.Second, p.ID)
		hit := w.Store.Faults.Disarm()
		w.Store.FailBefore(nil)
		if st, err := w.M.Status(ctx, samtest.Officer); err != nil || st.State == "closed" {
			closed++
			if _, err := w.M.Reopen(ctx, samtest.Officer, "looked at it"); err != nil {
				t.Fatalf("%s: %v", hit, err)
			}
		}
		resealAll(t, w)
		for i := range 2 {
			low, now := sealsOf(t, w)
			if got := seals(t, w); low != now || len(got) != 1 || got[int(now)] == 0 {
				t.Errorf("%s: epochs %d to %d: %v", hit, low, now, got)
			}
			if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
				t.Errorf("%s: %v", hit, err)
			}
			if i == 0 {
				rotateSeal(t, w)
				w.Crash()
				resealAll(t, w)
			}
		}
		if hit == "" {
			break
		}
	}
	if closed == 0 {
		t.Error("the change was always known: no fault hit its question")
	}
}

// KPR-06, FPT-05: whichever call of the database fails while records are sealed anew: the
// batch says so and nothing of it is kept, no record is passed over, and the walk ends with
// all of them under the new epoch.
func TestKPR06SealFaultsWhileSealingAnew(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	alice, _ := populate(t, w)
	rotateSeal(t, w)
	hits := map[string]bool{}
	for batch := 0; ; batch++ {
		if batch > 50 {
			t.Fatal("it does not end")
		}
		before := seals(t, w)
		for n := 0; ; n++ {
			w.Store.Faults.Arm(n)
			_, err := w.M.Reseal(samtest.Faulty(ctx))
			hit := w.Store.Faults.Disarm()
			if hit == "" {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			hits[hit] = true
			low, now := sealsOf(t, w)
			if err == nil && low == now { // after the end is written nothing is left that must be
				break
			}
			if now := seals(t, w); err == nil || now[2] != before[2] {
				t.Errorf("batch %d, %s fails: %v; %d records are sealed anew, before %d", batch, hit, err, now[2], before[2])
			}
		}
		if low, now := sealsOf(t, w); low == now {
			break
		}
	}
	for _, call := range []string{"Seals.After", "Seals.Reseal", "Meta.Get", "Meta.Update"} {
		if !hits[call] {
			t.Errorf("%s never failed: %v", call, hits)
		}
	}
	if got := seals(t, w); len(got) != 1 || count(w, sam.EventNotResealed) != 0 {
		t.Errorf("records by epoch: %v, %d refused", got, count(w, sam.EventNotResealed))
	}
	if _, err := w.Redeem(w.Approve(alice, 1)); err != nil {
		t.Error(err)
	}
	w.Check()
}

// KPR-06, AUD-04: an authenticator's row that does not verify is named by its credential in
// the record that says so.
func TestKPR06SealNamesAnAuthenticatorThatDoesNotVerify(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	rotateSeal(t, w)
	exec(t, dba(t, w), "UPDATE authenticator SET backup_eligible = 1 - backup_eligible WHERE signer = 'alice'")
	resealAll(t, w)
	names := map[string]bool{}
	for _, r := range w.Records() {
		if r.Type == sam.EventNotResealed {
			names[r.Data] = true
		}
	}
	found := false
	for data := range names {
		found = found || contains(data, `"record":"authenticator:`+sap.B64(s.Device.ID)+`"`)
	}
	if !found {
		t.Errorf("%v", names)
	}
}
