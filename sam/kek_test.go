package sam_test

import (
	"context"
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

func kekOf(t *testing.T, w *samtest.World) string {
	t.Helper()
	st, err := w.M.Status(context.Background(), samtest.Officer)
	if err != nil || st.KEK == "" {
		t.Fatalf("%+v, %v", st, err)
	}
	return st.KEK
}

// under counts the keys of each wrapping key, past the module.
func under(t *testing.T, w *samtest.World) map[string]int {
	t.Helper()
	rows, err := dba(t, w).Query("SELECT kek, count(*) FROM credential WHERE state <> 'destroyed' GROUP BY kek")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	out := map[string]int{}
	for rows.Next() {
		var kek string
		var n int
		if err := rows.Scan(&kek, &n); err != nil {
			t.Fatal(err)
		}
		out[kek] = n
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// KPR-06, ROL-04: the next wrapping key is ordered by two officers, and so is the end
// of the old one; every key is wrapped anew, none is used for it, all sign
// afterwards, and the audit chain of before still verifies.
func TestKPR06RotationByTwoOfficers(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	var list []*samtest.Signer
	for i := range 3 {
		list = append(list, w.NewSigner(fmt.Sprint("signer-", i), []algo.KeyType{algo.P256, algo.P384, algo.RSA3072}[i]))
	}
	held, proof := w.Approve(list[0], 1) // approved before, redeemed after
	first := kekOf(t, w)
	info, err := w.Token.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	args := w.Args(sam.RotateKEK{From: first, Why: "yearly"})
	p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideRotate, args)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonSecond, func() error { _, err := w.M.Approve(ctx, samtest.Officer, p.ID); return err })
	if kekOf(t, w) != first {
		t.Fatal("one officer was enough")
	}
	refused(t, w, sap.ReasonState, func() error {
		_, err := w.M.Propose(ctx, samtest.Officer, sam.DecideDestroyKEK, w.Args(sam.DestroyKEK{KEK: first, Why: "x"}))
		return err
	})
	if _, err := w.M.Approve(ctx, samtest.Second, p.ID); err != nil {
		t.Fatal(err)
	}
	second := kekOf(t, w)
	if got := under(t, w); second == first || got[second] != 3 || len(got) != 1 {
		t.Errorf("%s, then %s: %v", first, second, got)
	}
	after, err := w.Token.Info(ctx)
	if err != nil || after.KeyUses != info.KeyUses {
		t.Errorf("%d key uses for wrapping anew, %v", after.KeyUses-info.KeyUses, err)
	}
	if count(w, sam.EventKEK) != 1 || count(w, sam.EventRewrapped) != 3 || !contains(last(w, sam.EventKEK).Data, `"second":"officer-2"`) {
		t.Error("not all of it is on record")
	}
	if _, err := w.Redeem(held, proof); err != nil {
		t.Errorf("approved before the rotation: %v", err)
	}
	backUp(t, w)
	p, err = w.M.Propose(ctx, samtest.Officer, sam.DecideDestroyKEK, w.Args(sam.DestroyKEK{KEK: first, Why: "yearly"}))
	if err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonSecond, func() error { _, err := w.M.Approve(ctx, samtest.Officer, p.ID); return err })
	if _, err := w.M.Approve(ctx, samtest.Second, p.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.Token.DestroyKEK(ctx, first); !errors.Is(err, cryptotoken.ErrKeyNotFound) {
		t.Errorf("the old wrapping key is there: %v", err)
	}
	w.Crash()
	for _, s := range list {
		if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
			t.Errorf("%s: %v", s.ID, err)
		}
	}
	if _, err := w.Try(sam.DecideRotate, sam.RotateKEK{From: first, Why: "again"}); !errors.Is(err, sap.ReasonInvalid) {
		t.Errorf("a rotation from what is no more: %v", err)
	}
	w.Check() // verifies the chain
}

// KPR-06: the module serves while keys are wrapped anew.
func TestKPR06SigningWhileRotating(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	bob := w.NewSigner("bob", algo.P256)
	for range 29 { // more than one batch
		w.NewKey(&samtest.Signer{ID: s.ID, Device: s.Device}, algo.P256)
		w.NewKey(&samtest.Signer{ID: bob.ID, Device: bob.Device}, algo.P256)
	}
	type one struct{ sad, proof []byte }
	var list []one
	for range 20 {
		sad, proof := w.Approve(s, 1)
		list = append(list, one{sad, proof})
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, x := range list {
			if _, err := w.Redeem(x.sad, x.proof); err != nil {
				t.Error(err)
			}
		}
	})
	if _, err := w.Try(sam.DecideRotate, sam.RotateKEK{From: kekOf(t, w), Why: "yearly"}); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if got := under(t, w); got[kekOf(t, w)] != 60 || len(got) != 1 {
		t.Errorf("%v", got)
	}
	w.Check()
}

// KPR-06, FPT-05: a rotation that ends in the middle leaves every key usable, is not
// followed by another one, and is finished by the next start, or by the officers.
func TestKPR06UnfinishedRotation(t *testing.T) {
	for _, how := range []string{"start", "officers"} {
		t.Run(how, func(t *testing.T) {
			w := samtest.New(t)
			a, b := w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256)
			first := kekOf(t, w)
			w.Token.FailRewrap(1)
			if _, err := w.Try(sam.DecideRotate, sam.RotateKEK{From: first, Why: "yearly"}); !errors.Is(err, sap.ReasonToken) {
				t.Fatalf("%v", err)
			}
			second := kekOf(t, w)
			if got := under(t, w); got[first] != 1 || got[second] != 1 {
				t.Fatalf("%v", got)
			}
			for _, s := range []*samtest.Signer{a, b} {
				if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
					t.Error(err)
				}
			}
			if _, err := w.Try(sam.DecideDestroyKEK, sam.DestroyKEK{KEK: first, Why: "x"}); !errors.Is(err, sap.ReasonState) {
				t.Errorf("destroyed under a key: %v", err)
			}
			w.Token.FailRewrap(-1)
			if how == "start" {
				w.Crash()
			} else if _, err := w.Try(sam.DecideRotate, sam.RotateKEK{From: second, Why: "finish"}); err != nil {
				t.Fatal(err)
			}
			if got := under(t, w); kekOf(t, w) != second || got[second] != 2 || len(got) != 1 {
				t.Errorf("%v", got)
			}
			w.Check()
		})
	}
}

// KPR-06, KPR-01: a new blob that does not open is not taken: the old one stays.
func TestKPR06SpoiltBlobsAreNotTaken(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	first := kekOf(t, w)
	w.Token.SpoilRewrap(true)
	if _, err := w.Try(sam.DecideRotate, sam.RotateKEK{From: first, Why: "yearly"}); !errors.Is(err, sap.ReasonToken) {
		t.Fatalf("%v", err)
	}
	if got := under(t, w); got[first] != 1 || len(got) != 1 {
		t.Errorf("%v", got)
	}
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Error(err)
	}
}
