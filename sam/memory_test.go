package sam_test

import (
	"slices"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// T33: what the module remembers of its records does not outlive a change of
// the database by somebody else, and the change itself becomes an alarm record.
func TestMemoryIsForgottenWhenSomebodyElseWrites(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	for range 2 { // the second finds everything in memory
		if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
			t.Fatal(err)
		}
	}
	sad, proof := w.Approve(s, 1)
	db := dba(t, w)
	var old int64
	if err := db.QueryRow("SELECT failures FROM guard").Scan(&old); err != nil {
		t.Fatal(err)
	}
	exec(t, db, "UPDATE guard SET failures = failures + 1")
	refused(t, w, sap.ReasonSeal, func() error { _, err := w.Redeem(sad, proof); return err })
	exec(t, db, "UPDATE guard SET failures = ?", old)
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Errorf("put back: %v", err)
	}
}

// AUD-02, T33: a change of the database by another program becomes an alarm
// record.
func TestForeignChangeIsAnAlarm(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.AnchorEvery = 5 * time.Millisecond })
	w.NewSigner("alice", algo.P256)
	exec(t, dba(t, w), "UPDATE guard SET failures = failures + 1")
	w.NewSigner("bob", algo.P256) // the module looks around when it writes
	deadline := time.Now().Add(20 * time.Second)
	for !slices.ContainsFunc(w.Records(), func(r audit.Record) bool { return r.Type == sam.EventForeign }) {
		if time.Now().After(deadline) {
			t.Fatal("no alarm")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// IAM-05, KPR-07: a key that is destroyed, and a lockout, end what is remembered
// at once.
func TestMemoryFollowsTheModulesOwnChanges(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Fatal(err)
	}
	sad, proof := w.Approve(s, 1)
	if err := w.Destroy(s.Key); err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonKeyState, func() error { _, err := w.Redeem(sad, proof); return err })
}
