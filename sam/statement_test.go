package sam_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/notary"
)

func infoOf(t *testing.T, w *samtest.World) *sam.Info {
	t.Helper()
	i, err := w.M.Info(context.Background(), samtest.SSPU)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// rotateKey changes the statement key by both officers.
func rotateKey(t *testing.T, w *samtest.World, replace bool) {
	t.Helper()
	if _, err := w.Try(sam.DecideStatement, sam.RotateStatement{From: infoOf(t, w).KeyID, Replace: replace, Why: "yearly"}); err != nil {
		t.Fatal(err)
	}
}

// ringOf is what a verifier believes who pinned a key, of what the module says now.
func ringOf(t *testing.T, w *samtest.World, pin *ecdsa.PublicKey) *sap.Keyring {
	t.Helper()
	r, err := sap.NewKeyring(pin, infoOf(t, w).Successions)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// statementKeys tells which statement keys are in the token, by epoch.
func statementKeys(t *testing.T, w *samtest.World, most int64) (list []int64) {
	t.Helper()
	for n := int64(1); n <= most; n++ {
		label := "samd-statement"
		if n > 1 {
			label = fmt.Sprint(label, "/", n)
		}
		_, err := w.Token.Signer(context.Background(), cryptotoken.KeyRef{Label: label})
		if err == nil {
			list = append(list, n)
		} else if !errors.Is(err, cryptotoken.ErrKeyNotFound) {
			t.Fatal(err)
		}
	}
	return list
}

// KPR-06, ROL-04: two officers change the statement key, twice; what was asked for before
// is redeemed afterwards, a byte-identical retry gets the stored answer, what is new is
// signed by the new key, receipts of before verify from the first key on, as do the new
// ones, and the retired keys go when two officers say so.
func TestKPR06StatementKeyByTwoOfficers(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	s := w.NewSigner("alice", algo.P256)
	pin := w.StatementKey()
	first := infoOf(t, w).KeyID
	done, doneProof := w.Approve(s, 1)
	answer, err := w.Redeem(done, doneProof)
	if err != nil {
		t.Fatal(err)
	}
	old, _ := w.Decode(answer)
	held, proof := w.Approve(s, 1) // approved before, redeemed after
	p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideStatement, w.Args(sam.RotateStatement{From: first, Why: "yearly"}))
	if err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonSecond, func() error { _, err := w.M.Approve(ctx, samtest.Officer, p.ID); return err })
	if infoOf(t, w).KeyID != first {
		t.Fatal("one officer was enough")
	}
	refused(t, w, sap.ReasonState, func() error {
		_, err := w.M.Propose(ctx, samtest.Officer, sam.DecideStatementEnd, w.Args(sam.DestroyStatement{Key: first, Why: "x"}))
		return err
	})
	if _, err := w.M.Approve(ctx, samtest.Second, p.ID); err != nil {
		t.Fatal(err)
	}
	if r := last(w, sam.EventStatementKey); count(w, sam.EventStatementKey) != 1 || !contains(r.Data, `"second":"officer-2"`) || !contains(r.Data, first) {
		t.Errorf("%+v", r)
	}
	w.Clock.Advance(1e9)
	ring := ringOf(t, w, pin)
	if _, err := ring.OpenReceipt(old.Receipt); err != nil || ring.Len() != 2 || old.Receipt.Key != first {
		t.Errorf("receipt of before: %v, %d keys", err, ring.Len())
	}
	if again, err := w.Redeem(done, doneProof); err != nil || string(again) != string(answer) {
		t.Errorf("stored answer: %v", err)
	}
	late, err := w.Redeem(held, proof)
	if err != nil {
		t.Fatalf("approved before the change: %v", err)
	}
	next, _ := w.Decode(late) // verifies with the key that Info tells
	if _, err := ring.OpenReceipt(next.Receipt); err != nil || next.Receipt.Key != infoOf(t, w).KeyID || next.Receipt.Key == first {
		t.Errorf("%v", err)
	}
	rotateKey(t, w, false)
	if _, err := w.Try(sam.DecideStatement, sam.RotateStatement{From: first, Why: "again"}); !errors.Is(err, sap.ReasonInvalid) {
		t.Errorf("from a key that is over: %v", err)
	}
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(statementKeys(t, w, 4)); got != "[1 2 3]" {
		t.Errorf("keys in the token: %s", got)
	}
	backUp(t, w)
	p, err = w.M.Propose(ctx, samtest.Officer, sam.DecideStatementEnd, w.Args(sam.DestroyStatement{Key: first, Why: "backed up"}))
	if err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonSecond, func() error { _, err := w.M.Approve(ctx, samtest.Officer, p.ID); return err })
	for _, key := range []string{first, next.Receipt.Key} {
		if _, err := w.Try(sam.DecideStatementEnd, sam.DestroyStatement{Key: key, Why: "backed up"}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Try(sam.DecideStatementEnd, sam.DestroyStatement{Key: key, Why: "again"}); !errors.Is(err, sap.ReasonState) {
			t.Errorf("destroyed twice: %v", err)
		}
	}
	if got := fmt.Sprint(statementKeys(t, w, 4)); got != "[3]" || count(w, sam.EventStatementKeyEnded) != 2 {
		t.Errorf("keys in the token: %s", got)
	}
	w.Crash()
	ring = ringOf(t, w, pin)
	for _, r := range []sap.SignedReceipt{old.Receipt, next.Receipt} {
		if _, err := ring.OpenReceipt(r); err != nil || ring.Len() != 3 {
			t.Error(err)
		}
	}
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Error(err)
	}
	w.Check()
}

// KPR-06, ROL-04: nobody but an officer proposes a change, and arguments that say nothing
// or something else are refused.
func TestKPR06OnlyOfficersChangeTheStatementKey(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	from := infoOf(t, w).KeyID
	for _, kind := range []string{sam.DecideStatement, sam.DecideStatementEnd} {
		args := w.Args(sam.RotateStatement{From: from, Why: "x"})
		for _, c := range []sam.Caller{samtest.SSPU, samtest.RA, samtest.Admin, samtest.Watch, samtest.Auditor} {
			refused(t, w, sap.ReasonRole, func() error { _, err := w.M.Propose(ctx, c, kind, args); return err })
		}
	}
	for name, in := range map[string]any{
		"another key":    sam.RotateStatement{From: keyOf("x"), Why: "x"},
		"no reason":      sam.RotateStatement{From: from},
		"unknown member": map[string]any{"from": from, "replace": false, "why": "x", "to": "y"},
		"nothing":        map[string]any{},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, w, sap.ReasonInvalid, func() error { _, err := w.M.Propose(ctx, samtest.Officer, sam.DecideStatement, w.Args(in)); return err })
		})
	}
	refused(t, w, sap.ReasonInvalid, func() error {
		_, err := w.M.Propose(ctx, samtest.Officer, sam.DecideStatementEnd, w.Args(sam.DestroyStatement{Key: keyOf("x"), Why: "x"}))
		return err
	})
	if infoOf(t, w).KeyID != from || len(infoOf(t, w).Successions) != 0 {
		t.Error("changed")
	}
}

// KPR-06: a key that is believed stolen is destroyed at once, vouches for nobody, and
// whoever pins it does not believe the new one; who pins that one does.
func TestKPR06ReplacedStatementKey(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	pin := w.StatementKey()
	rotateKey(t, w, true)
	if got := fmt.Sprint(statementKeys(t, w, 3)); got != "[2]" {
		t.Errorf("keys in the token: %s", got)
	}
	answer, err := w.Redeem(w.Approve(s, 1))
	if err != nil {
		t.Fatal(err)
	}
	got, _ := w.Decode(answer)
	if _, err := ringOf(t, w, pin).OpenReceipt(got.Receipt); !errors.Is(err, sap.ReasonSAMSignature) {
		t.Errorf("believed through a stolen key: %v", err)
	}
	if _, err := ringOf(t, w, w.StatementKey()).OpenReceipt(got.Receipt); err != nil {
		t.Error(err)
	}
	w.Crash()
	rotateKey(t, w, false) // and the new one has successors as usual
	second := infoOf(t, w).Successions
	if len(second) != 2 || second[0].Signature != "" || second[1].Signature == "" {
		t.Errorf("%+v", second)
	}
	w.Check()
}

// KPR-06, AUD-05, AUD-08: the exported chain verifies from the first key on over two
// changes, with a checkpoint of each key; signed by a key that was over, or would come
// later, a checkpoint is refused.
func TestKPR06CheckpointsOfEachKey(t *testing.T) {
	w := samtest.New(t)
	pin := w.StatementKey()
	for range 2 {
		closeAll(t, w) // a checkpoint by the key in use
		if err := w.Open(); err != nil {
			t.Fatal(err)
		}
		rotateKey(t, w, false)
	}
	closeAll(t, w)
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	list := w.Records()
	n, err := notary.New(pin)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := audit.VerifySigned(n.Watch(pass(list)), n.Check, nil)
	if err != nil || sum.Checkpoints < 3 || n.Keys() != 3 {
		t.Fatalf("%+v, %d keys, %v", sum, n.Keys(), err)
	}
	stranger, err := notary.New(mustKey(t))
	if err != nil {
		t.Fatal(err)
	}
	var bad *audit.BadRecord
	if _, err := audit.VerifySigned(stranger.Watch(pass(list)), stranger.Check, nil); !errors.As(err, &bad) {
		t.Errorf("a pin of another module: %v", err)
	}
}

// KPR-06, BKP-03: a backup of before the change brings the module back to the old key as
// long as it is there, and the next change is whole; when it is destroyed the module
// stays closed and says why; a database of after the change opens.
func TestKPR06RestoreOfBeforeTheChange(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	first := infoOf(t, w).KeyID
	before := takeCopy(t, w)
	rotateKey(t, w, false)
	lost := infoOf(t, w).KeyID
	after := takeCopy(t, w)
	putCopy(t, w, before)
	accept(t, w, sam.DecideRestore)
	if i := infoOf(t, w); i.KeyID != first || len(i.Successions) != 0 {
		t.Fatalf("%+v", i)
	}
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Error(err)
	}
	rotateKey(t, w, false)
	if i := infoOf(t, w); i.KeyID == lost || i.KeyID == first {
		t.Error("a key that nothing in the database tells of was taken")
	}
	again := takeCopy(t, w)
	if _, err := w.Try(sam.DecideStatementEnd, sam.DestroyStatement{Key: first, Why: "copied", WithoutBackup: true}); err != nil {
		t.Fatal(err)
	}
	for name, old := range map[string]string{"of before": before, "of a change that a restore undid": after} {
		closeAll(t, w)
		samtest.CopyFile(t, old, w.DB())
		remove(t, w.DB()+"-wal")
		remove(t, w.DB()+"-shm")
		if err := w.Open(); !errors.Is(err, sam.ErrOpen) || !contains(err.Error(), "statement key") {
			t.Fatalf("%s: %v", name, err)
		}
		samtest.CopyFile(t, again, w.DB())
		remove(t, w.DB()+"-wal")
		remove(t, w.DB()+"-shm")
		w.Token.Forget()
		if err := w.Open(); err != nil {
			t.Fatal(err)
		}
	}
	accept(t, w, sam.DecideRestore)
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Error(err)
	}
}

// KPR-06, T33: rows about the statement key that were changed, taken out or put back from
// another time keep the module closed.
func TestKPR06RowsOfTheStatementKey(t *testing.T) {
	w := samtest.New(t)
	before := takeCopy(t, w)
	rotateKey(t, w, false)
	rotateKey(t, w, false)
	good := takeCopy(t, w)
	for name, sql := range map[string]string{
		"last one out":          "DELETE FROM succession WHERE epoch = 3",
		"first one out":         "DELETE FROM succession WHERE epoch = 2",
		"all out":               "DELETE FROM succession",
		"another signature":     "UPDATE succession SET signature = proof WHERE epoch = 3",
		"a replacement of it":   "UPDATE succession SET signature = '' WHERE epoch = 3",
		"another epoch":         "UPDATE succession SET epoch = 4 WHERE epoch = 3",
		"the module's own back": "UPDATE meta SET statement_key = (SELECT old_key FROM succession WHERE epoch = 2)",
		"the old row back":      "ATTACH '" + before + "' AS old; UPDATE meta SET (statement_key, seq, version, mac) = (SELECT statement_key, seq, version, mac FROM old.meta); DELETE FROM succession; DETACH old",
	} {
		closeAll(t, w)
		db := dba(t, w)
		if _, err := db.Exec(sql); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := w.Open(); !errors.Is(err, sam.ErrOpen) {
			t.Errorf("%s: %v", name, err)
			closeAll(t, w)
		}
		samtest.CopyFile(t, good, w.DB())
		remove(t, w.DB()+"-wal")
		remove(t, w.DB()+"-shm")
		if err := w.Open(); err != nil {
			t.Fatalf("%s, put right: %v", name, err)
		}
	}
}

func mustKey(t *testing.T) *ecdsa.PublicKey {
	t.Helper()
	k, err := algo.NewKey(rand.Reader, algo.P256)
	if err != nil {
		t.Fatal(err)
	}
	return k.Public().(*ecdsa.PublicKey)
}

func pass(list []audit.Record) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}
