package sam_test

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samsqlite"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// forgetful is a store in which an outcome cannot be written: its audit record, or its
// session.
type forgetful struct {
	sam.Store
	record, session atomic.Bool
}

func (f *forgetful) Update(ctx context.Context, fn func(*sam.Tx) error) error {
	return f.Store.Update(ctx, func(tx *sam.Tx) error {
		own := *tx
		own.Audit, own.Activations = noRecord{tx.Audit, f}, noSession{tx.Activations, f}
		return fn(&own)
	})
}

type noRecord struct {
	sam.AuditTable
	f *forgetful
}

func (n noRecord) Insert(r audit.Record) error {
	if r.Type == sam.EventSigned && n.f.record.Load() {
		return samtest.ErrFault
	}
	return n.AuditTable.Insert(r)
}

type noSession struct {
	sam.ActivationTable
	f *forgetful
}

func (n noSession) Update(a *sam.Activation) error {
	if a.State == sam.ActConsumed && n.f.session.Load() {
		return samtest.ErrFault
	}
	return n.ActivationTable.Update(a)
}

// I3, I4, SAP-03, AUD-06: signatures whose outcome could not be recorded, in whole, are
// not released, neither now nor later; those beside them and after them are.
func TestSAP03OutcomeThatCannotBeRecorded(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	closeAll(t, w)
	db, err := samsqlite.Open(samsqlite.Config{Path: w.DB()})
	if err != nil {
		t.Fatal(err)
	}
	f := &forgetful{Store: db}
	w.Store = &samtest.Store{Store: f}
	w.Cfg.Store = w.Store
	if w.M, err = sam.Open(context.Background(), w.Cfg); err != nil {
		t.Fatal(err)
	}
	var lost [][2][]byte
	for what, fault := range map[string]*atomic.Bool{"audit record": &f.record, "session": &f.session} {
		sad, proof := w.Approve(s, 1)
		signed := count(w, sam.EventSigned)
		fault.Store(true)
		answer, err := w.Redeem(sad, proof)
		fault.Store(false)
		if !errors.Is(err, sap.ReasonStore) || answer != nil {
			t.Errorf("%s: %q, %v", what, answer, err)
		}
		if n := count(w, sam.EventSigned) - signed; n != 0 {
			t.Errorf("%s: %d outcomes are on record", what, n)
		}
		lost = append(lost, [2][]byte{sad, proof})
	}
	if _, err := w.Redeem(w.Approve(s, 2)); err != nil {
		t.Errorf("the next one: %v", err)
	}
	uses := w.Token.Uses()
	for range 2 {
		for _, x := range lost {
			if answer, err := w.Redeem(x[0], x[1]); !errors.Is(err, sap.ReasonBurnt) || answer != nil {
				t.Errorf("again: %q, %v", answer, err)
			}
		}
		w.Crash()
	}
	if w.Token.Uses() != uses {
		t.Error("a key was used again")
	}
	w.Check()
}

// SAP-03: what is answered again after a start is what was answered, octet by octet, for
// one item and for many.
func TestSAP03AnswersComeBackWhole(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	for _, n := range []int{1, 2, 10} {
		sad, proof := w.Approve(s, n)
		answer, err := w.Redeem(sad, proof)
		if err != nil {
			t.Fatal(err)
		}
		if a, r := w.Decode(answer); len(a.Signatures) != n || len(r.Items) != n {
			t.Errorf("%d signatures, %d items of %d", len(a.Signatures), len(r.Items), n)
		}
		w.Crash()
		if again, err := w.Redeem(sad, proof); err != nil || !bytes.Equal(again, answer) {
			t.Errorf("%d items, after a start: %v", n, err)
		}
	}
}
