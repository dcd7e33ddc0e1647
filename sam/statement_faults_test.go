package sam_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// KPR-06, FPT-05: the module fails, or dies, at each step of a change: it goes on with one
// key, the one that the database names, everything signed verifies from the first key on,
// and the next change is whole.
func TestKPR06InterruptedChange(t *testing.T) {
	at := func(n int) func(int) bool { return func(i int) bool { return i == n } }
	for name, c := range map[string]struct {
		fail func(w *samtest.World)
		keys int // afterwards
	}{
		"approval not written":         {func(w *samtest.World) { w.Store.FailBefore(at(1)) }, 1},
		"no key is made":               {func(w *samtest.World) { w.Token.FailDestroy(cryptotoken.ErrUnavailable) }, 1},
		"the keys do not sign":         {func(w *samtest.World) { w.Token.FailNamed(cryptotoken.ErrUnavailable) }, 1},
		"the keys sign wrongly":        {func(w *samtest.World) { w.Token.SpoilNamed(true) }, 1},
		"change not written":           {func(w *samtest.World) { w.Store.FailBefore(at(2)) }, 1},
		"written and not acknowledged": {func(w *samtest.World) { w.Store.FailAfter(at(2)) }, 2},
	} {
		for _, then := range []string{"goes on", "dies"} {
			t.Run(name+", "+then, func(t *testing.T) {
				w := samtest.New(t)
				s := w.NewSigner("alice", algo.P256)
				pin, first := w.StatementKey(), infoOf(t, w).KeyID
				c.fail(w)
				if _, err := w.Try(sam.DecideStatement, sam.RotateStatement{From: first, Why: "yearly"}); err == nil {
					t.Fatal("done")
				}
				w.Store.FailBefore(nil)
				w.Token.FailDestroy(nil)
				w.Token.FailNamed(nil)
				w.Token.SpoilNamed(false)
				if then == "dies" {
					w.Crash()
				}
				for n := c.keys; n <= c.keys+1; n++ {
					i := infoOf(t, w)
					answer, err := w.Redeem(w.Approve(s, 1))
					if err != nil {
						t.Fatal(err)
					}
					got, _ := w.Decode(answer)
					ring := ringOf(t, w, pin)
					if _, err := ring.OpenReceipt(got.Receipt); err != nil || ring.Len() != n || got.Receipt.Key != i.KeyID || (i.KeyID == first) != (n == 1) {
						t.Errorf("%d keys, want %d: %v", ring.Len(), n, err)
					}
					if n == c.keys {
						rotateKey(t, w, false)
					}
				}
				w.Check()
			})
		}
	}
}

// KPR-06, FPT-05: a replaced key that could not be destroyed at once goes with the next
// start, and with the officers' decision; meanwhile nothing is signed by it.
func TestKPR06ReplacedKeyIsDestroyedLater(t *testing.T) {
	for _, how := range []string{"start", "officers"} {
		t.Run(how, func(t *testing.T) {
			w := samtest.New(t)
			first := infoOf(t, w).KeyID
			// The first destruction of a change is that of what an earlier one left.
			if _, err := w.Token.CreateKey(context.Background(), cryptotoken.KeyRef{Label: "samd-statement/2"}, algo.P256); err != nil {
				t.Fatal(err)
			}
			w.Token.FailDestroyOf("samd-statement", cryptotoken.ErrUnavailable)
			if _, err := w.Try(sam.DecideStatement, sam.RotateStatement{From: first, Replace: true, Why: "stolen"}); !errors.Is(err, sap.ReasonToken) {
				t.Fatalf("%v", err)
			}
			if got := fmt.Sprint(statementKeys(t, w, 2)); got != "[1 2]" || infoOf(t, w).KeyID == first {
				t.Fatalf("keys in the token: %s", got)
			}
			w.Token.FailDestroyOf("", nil)
			if how == "start" {
				w.Crash()
			} else if _, err := w.Try(sam.DecideStatementEnd, sam.DestroyStatement{Key: first, Why: "finish"}); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(statementKeys(t, w, 2)); got != "[2]" || count(w, sam.EventStatementKeyEnded) != 1 {
				t.Errorf("keys in the token: %s, %d records", got, count(w, sam.EventStatementKeyEnded))
			}
			w.Crash() // and it is not asked for again
			if count(w, sam.EventStatementKeyEnded) != 1 {
				t.Error("ended twice")
			}
		})
	}
}

// KPR-06: the module serves while its statement key changes: each receipt is by the key in
// use, before the change by the old one and after it by the new one.
func TestKPR06SigningWhileTheStatementKeyChanges(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	pin := w.StatementKey()
	type one struct{ sad, proof []byte }
	var list []one
	for range 24 {
		sad, proof := w.Approve(s, 1)
		list = append(list, one{sad, proof})
	}
	answers := make([][]byte, len(list))
	var wg sync.WaitGroup
	for half := range 2 {
		wg.Go(func() {
			for i := half; i < len(list); i += 2 {
				var err error
				if answers[i], err = w.Redeem(list[i].sad, list[i].proof); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 3 {
		if _, err := w.Try(sam.DecideStatement, sam.RotateStatement{From: infoOf(t, w).KeyID, Why: "yearly"}); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	ring := ringOf(t, w, pin)
	for i := range answers {
		var a samtest.Answer
		if err := json.Unmarshal(answers[i], &a); err != nil {
			t.Fatal(err)
		}
		if _, err := ring.OpenReceipt(a.Receipt); err != nil {
			t.Error(err)
		}
	}
	w.Check()
}

// KPR-06: a statement key is no wrapping key, no seal and no signer's key, and none of
// those is a statement key: the token refuses each in the place of the other.
func TestKPR06KeysAreOfOnePurpose(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	w.NewSigner("alice", algo.P256)
	kek := kekOf(t, w)
	wrapped, err := w.Token.GenerateWrapped(ctx, algo.P256)
	if err != nil {
		t.Fatal(err)
	}
	as := func(kek string) cryptotoken.Wrapped { v := wrapped; v.KEK = kek; return v }
	if err := w.Token.CheckWrapped(ctx, as("samd-statement")); !errors.Is(err, cryptotoken.ErrBadBlob) {
		t.Errorf("a statement key as wrapping key: %v", err)
	}
	if err := w.Token.DestroyKEK(ctx, "samd-statement"); !errors.Is(err, cryptotoken.ErrKeyNotFound) {
		t.Errorf("a statement key destroyed as wrapping key: %v", err)
	}
	if _, err := w.Token.Signer(ctx, cryptotoken.KeyRef{Label: kek}); !errors.Is(err, cryptotoken.ErrKeyNotFound) {
		t.Errorf("a wrapping key as statement key: %v", err)
	}
	if err := w.Token.DestroyKey(ctx, cryptotoken.KeyRef{Label: kek}); !errors.Is(err, cryptotoken.ErrKeyNotFound) {
		t.Errorf("a wrapping key destroyed as statement key: %v", err)
	}
	if err := w.Token.CheckWrapped(ctx, as(kek)); err != nil {
		t.Errorf("the wrapping key: %v", err)
	}
	for _, bad := range []any{sam.RotateKEK{From: infoOf(t, w).KeyID, Why: "x"}, sam.DestroyKEK{KEK: "samd-statement", Why: "x"}} {
		kind := sam.DecideRotate
		if _, ok := bad.(sam.DestroyKEK); ok {
			kind = sam.DecideDestroyKEK
		}
		_, err := w.Try(kind, bad)
		if kind == sam.DecideRotate && !errors.Is(err, sap.ReasonInvalid) || err == nil {
			t.Errorf("%s of a statement key: %v", kind, err)
		}
	}
	if _, err := w.Try(sam.DecideStatement, sam.RotateStatement{From: kek, Why: "x"}); !errors.Is(err, sap.ReasonInvalid) {
		t.Errorf("the statement key's change, for a wrapping key: %v", err)
	}
	if _, err := w.Try(sam.DecideStatementEnd, sam.DestroyStatement{Key: kek, Why: "x"}); !errors.Is(err, sap.ReasonInvalid) {
		t.Errorf("the end of a statement key, for a wrapping key: %v", err)
	}
	closeAll(t, w)
	w.Cfg.StatementKey = kek
	stays(t, w, "statement key")
}
