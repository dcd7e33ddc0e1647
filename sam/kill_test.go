package sam_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

type killed struct{ at sam.Step }

// runKilled calls f, which dies at a step, and gives the process's death: the
// module is abandoned and opened again on the same files.
func runKilled(t *testing.T, w *samtest.World, at sam.Step, f func() error) {
	t.Helper()
	func() {
		defer func() {
			if p := recover(); p != nil {
				if k, ok := p.(killed); !ok || k.at != at {
					panic(p)
				}
			}
		}()
		err := f()
		t.Fatalf("survived %s: %v", at, err)
	}()
	w.Crash()
}

// FPT-05, SAP-03, I2, I3, I4: a kill between any two of request, reserve, sign,
// outcome and finish. What was acknowledged stays; what was not is never
// released by itself; no kill makes a SAD usable twice.
func TestKillBetweenSteps(t *testing.T) {
	for _, c := range []struct {
		at     sam.Step
		uses   int64      // key uses until the kill
		after  sap.Reason // of the byte-identical retry; "" when it succeeds
		later  int64      // key uses of the retry
		states int        // withheld records
	}{
		{sam.StepVerified, 0, "", 1, 0},
		{sam.StepReserved, 0, sap.ReasonBurnt, 0, 1},
		{sam.StepSigned, 1, sap.ReasonBurnt, 0, 1},
		{sam.StepRecorded, 1, "", 0, 0},
	} {
		t.Run(string(c.at), func(t *testing.T) {
			var at sam.Step
			w := samtest.New(t, func(cfg *sam.Config) {
				cfg.Hook = func(s sam.Step) {
					if s == at {
						panic(killed{s})
					}
				}
			})
			s := w.NewSigner("alice", algo.P256)
			sad, proof := w.Approve(s, 2)
			start := w.Token.Uses()
			at = c.at
			runKilled(t, w, c.at, func() error { _, err := w.Redeem(sad, proof); return err })
			at = ""
			if n := w.Token.Uses() - start; n != c.uses {
				t.Errorf("%d key uses before the kill, want %d", n, c.uses)
			}
			var answer []byte
			var err error
			redeem := func() error { answer, err = w.Redeem(sad, proof); return err }
			if c.after != "" {
				refused(t, w, c.after, redeem) // with a record of its own, and no key use
			} else if redeem() != nil {
				t.Errorf("retry: %v", err)
			} else {
				w.Decode(answer)
			}
			if n := w.Token.Uses() - start; n != c.uses+c.later {
				t.Errorf("%d key uses in all, want %d", n, c.uses+c.later)
			}
			again, err2 := w.Redeem(sad, proof)
			if (err2 == nil) != (err == nil) || !bytes.Equal(answer, again) {
				t.Errorf("the refusal or answer is not stable: %v, then %v", err, err2)
			}
			if n := count(w, sam.EventWithheld); n != c.states {
				t.Errorf("%d withheld records, want %d", n, c.states)
			}
			w.Check()
		})
	}
	t.Run(string(sam.StepRequested), func(t *testing.T) {
		var die bool
		w := samtest.New(t, func(cfg *sam.Config) {
			cfg.Hook = func(s sam.Step) {
				if die && s == sam.StepRequested {
					panic(killed{s})
				}
			}
		})
		s := w.NewSigner("alice", algo.P256)
		die = true
		runKilled(t, w, sam.StepRequested, func() error {
			_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
			return err
		})
		die = false
		sad, proof := w.Approve(s, 1)
		if _, err := w.Redeem(sad, proof); err != nil {
			t.Error(err)
		}
		w.Check()
	})
}

func count(w *samtest.World, event string) int {
	n := 0
	for _, r := range w.Records() {
		if r.Type == event {
			n++
		}
	}
	return n
}

// Design, state of an authorised digest: RELEASED only on the driver's proof,
// else BURNT; both are terminal and stable.
func TestTokenFailures(t *testing.T) {
	broken := errors.New("token broke")
	for _, c := range []struct {
		name  string
		fail  func(*samtest.Token)
		first sap.Reason
		then  sap.Reason
		uses  int64
		event string
	}{
		{"never started", func(k *samtest.Token) { k.FailBefore(cryptotoken.NotStarted(broken)) }, sap.ReasonToken, sap.ReasonReleased, 0, sam.EventReleased},
		{"not proven", func(k *samtest.Token) { k.FailBefore(broken) }, sap.ReasonBurnt, sap.ReasonBurnt, 0, sam.EventWithheld},
		{"after use", func(k *samtest.Token) { k.FailAfter(broken) }, sap.ReasonBurnt, sap.ReasonBurnt, 1, sam.EventWithheld},
		{"time-out", func(k *samtest.Token) { k.FailAfter(cryptotoken.ErrTimeout) }, sap.ReasonBurnt, sap.ReasonBurnt, 1, sam.EventWithheld},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := samtest.New(t)
			s := w.NewSigner("alice", algo.P256)
			sad, proof := w.Approve(s, 2)
			start := w.Token.Uses()
			c.fail(w.Token)
			if _, err := w.Redeem(sad, proof); !errors.Is(err, c.first) {
				t.Errorf("first: %v, want %s", err, c.first)
			}
			w.Token.FailBefore(nil)
			w.Token.FailAfter(nil)
			if _, err := w.Redeem(sad, proof); !errors.Is(err, c.then) {
				t.Errorf("retry: %v, want %s", err, c.then)
			}
			w.Crash()
			if _, err := w.Redeem(sad, proof); !errors.Is(err, c.then) {
				t.Errorf("retry after restart: %v, want %s", err, c.then)
			}
			// A different assertion for the same SAD does not revive it.
			full, err := sap.DecodeSAD(sad)
			if err != nil {
				t.Fatal(err)
			}
			_, fresh, err := s.Device.Sign(full)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Redeem(sad, fresh); !errors.Is(err, sap.ReasonConsumed) {
				t.Errorf("fresh assertion: %v", err)
			}
			if n := w.Token.Uses() - start; n != c.uses {
				t.Errorf("%d key uses, want %d", n, c.uses)
			}
			if count(w, c.event) != 1 {
				t.Errorf("no %s record", c.event)
			}
			w.Check()
		})
	}
}

// SGN-03, FPT-03, T31: a wrong signature never leaves, and the module stays
// closed, also across a restart, until an officer opens it again.
func TestWrongSignatureIsWithheld(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.RSA2048)
	sad, proof := w.Approve(s, 3)
	other, otherProof := w.Approve(s, 1)
	w.Token.Spoil(true)
	answer, err := w.Redeem(sad, proof)
	if !errors.Is(err, sap.ReasonSignatureCheck) || answer != nil {
		t.Fatalf("got %v", err)
	}
	w.Token.Spoil(false)
	uses := w.Token.Uses()
	if _, err := w.Redeem(other, otherProof); !errors.Is(err, sam.ErrClosed) {
		t.Errorf("closed module: %v", err)
	}
	if _, err := w.M.CreateSigner(context.Background(), samtest.RA, sam.NewSigner{ID: "x", Name: "X", Proof: "p"}); !errors.Is(err, sam.ErrClosed) {
		t.Errorf("closed module: %v", err)
	}
	if err := w.M.Health(context.Background(), samtest.SSPU); !errors.Is(err, sam.ErrClosed) {
		t.Errorf("health: %v", err)
	}
	if st, err := w.M.Status(context.Background(), samtest.Officer); err != nil || st.State != "closed" || st.Why == "" {
		t.Errorf("status %+v, %v", st, err)
	}
	if w.Token.Uses() != uses {
		t.Error("a closed module used a key")
	}
	w.Crash()
	if _, err := w.Redeem(other, otherProof); !errors.Is(err, sam.ErrClosed) {
		t.Errorf("started again: %v", err)
	}
	reopen(t, w)
	if _, err := w.Redeem(other, otherProof); !errors.Is(err, sap.ReasonConsumed) {
		t.Errorf("approved before the module was closed: %v", err)
	}
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Errorf("approved afterwards: %v", err)
	}
	if _, err := w.Redeem(sad, proof); !errors.Is(err, sap.ReasonBurnt) {
		t.Errorf("withheld: %v", err)
	}
	w.Check()
}

// SAP-03: 200 parallel replays, byte-identical and with fresh assertions: one
// key use, and every byte-identical caller gets the same bytes.
func TestParallelReplays(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.LockoutLimit = 1000 })
	s := w.NewSigner("alice", algo.P256)
	sad, proof := w.Approve(s, 2)
	full, err := sap.DecodeSAD(sad)
	if err != nil {
		t.Fatal(err)
	}
	start := w.Token.Uses()
	var mu sync.Mutex
	answers, refusals := map[string]int{}, map[sap.Reason]int{}
	var wg sync.WaitGroup
	for i := range 200 {
		p := proof
		if i%4 == 3 {
			if _, p, err = s.Device.Sign(full); err != nil {
				t.Fatal(err)
			}
		}
		wg.Go(func() {
			a, err := w.Redeem(sad, p)
			mu.Lock()
			defer mu.Unlock()
			var ref *sam.Refusal
			switch {
			case err == nil:
				answers[string(a)]++
			case errors.As(err, &ref):
				refusals[ref.Reason]++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.Token.Uses() - start; n != 1 {
		t.Errorf("%d key uses, want 1", n)
	}
	if len(answers) != 1 || len(refusals) != 1 || refusals[sap.ReasonConsumed] == 0 {
		t.Errorf("%d different answers, refusals %v", len(answers), refusals)
	}
	w.Check()
}

// AUD-06, I3, I4: the store fails at each commit of an activation, "failed and
// not written" and "failed but written". Never a signature that is not in the
// record, never a second key use, never a lost acknowledged answer.
func TestStoreFailsAtEachCommit(t *testing.T) {
	for _, written := range []bool{false, true} {
		for n := range 4 {
			t.Run(fmt.Sprintf("written=%v/commit=%d", written, n), func(t *testing.T) {
				w := samtest.New(t)
				s := w.NewSigner("alice", algo.P256)
				sad, proof := w.Approve(s, 1)
				start := w.Token.Uses()
				fail := func(i int) bool { return i == n }
				if written {
					w.Store.FailAfter(fail)
				} else {
					w.Store.FailBefore(fail)
				}
				first, err := w.Redeem(sad, proof)
				done := w.Store.Updates()
				w.Store.FailBefore(nil)
				uses := w.Token.Uses() - start
				if n < 2 && err == nil {
					t.Errorf("commit %d of %d failed and the caller was told nothing", n, done)
				}
				if n == 0 && uses != 0 {
					t.Error("the key was used without a durable reservation")
				}
				w.Check()
				for range 2 { // the caller does as it is told: the same bytes again
					again, err2 := w.Redeem(sad, proof)
					if err == nil && (err2 != nil || !bytes.Equal(again, first)) {
						t.Errorf("an acknowledged answer was lost: %v", err2)
					}
					if err2 == nil {
						w.Decode(again)
						first, err = again, nil
					}
				}
				if n := w.Token.Uses() - start; n > 1 {
					t.Errorf("%d key uses", n)
				}
				w.Crash()
				if again, err2 := w.Redeem(sad, proof); err == nil && (err2 != nil || !bytes.Equal(again, first)) {
					t.Errorf("after restart: %v", err2)
				}
				w.Check()
			})
		}
	}
}

// AUD-06: when the store cannot write at all, nothing is signed and nothing else
// happens either.
func TestNoRecordNoAct(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	sad, proof := w.Approve(s, 1)
	before, uses := w.Records(), w.Token.Uses()
	w.Store.FailBefore(func(int) bool { return true })
	ctx := context.Background()
	for name, call := range map[string]func() error{
		"redeem": func() error { _, err := w.Redeem(sad, proof); return err },
		"request": func() error {
			_, err := w.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
			return err
		},
		"signer": func() error {
			_, err := w.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "x", Name: "X", Proof: "p"})
			return err
		},
		"generate": func() error { _, err := w.M.Generate(ctx, samtest.Officer, s.ID, "P-256", ""); return err },
		"destroy":  func() error { return w.Destroy(s.Key) },
		"audit":    func() error { _, err := w.M.Audit(ctx, samtest.Auditor, 0, 10); return err },
		"role":     func() error { _, err := w.M.Audit(ctx, samtest.Officer, 0, 10); return err },
	} {
		var ref *sam.Refusal
		if err := call(); !errors.Is(err, sap.ReasonStore) || !errors.As(err, &ref) || ref.Ref != -1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.Store.FailBefore(nil)
	if len(w.Records()) != len(before) || w.Token.Uses() != uses {
		t.Error("something happened without a record")
	}
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	for _, r := range w.Records() {
		if r.Outcome == audit.Refused {
			t.Errorf("unexpected refusal %+v", r)
		}
	}
}
