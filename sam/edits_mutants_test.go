package sam_test

import (
	"errors"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// KEY-06, T33: whichever single record that an act reads was edited in the database, the
// act is refused for its seal, and can be done when the record is again as the module
// wrote it: no act looks at a row without looking at its seal.
func TestKEY06AnyRecordOfAnActIsEdited(t *testing.T) {
	o := newOnceWorld(t, func(c *sam.Config) { c.LockoutLimit = 1 << 20 })
	bob := o.NewSigner("bob", algo.P256)
	for _, a := range steps(o, bob) {
		t.Run(a.name, func(t *testing.T) { editEach(t, o.World, a) })
	}
	o.Check()
}

// KEY-06, ENR-04, ENR-06: the same for changes of authenticators and for recovery.
func TestKEY06AnyRecordOfAChangeIsEdited(t *testing.T) {
	o := newOnceWorld(t)
	o.NewKey(o.alice, algo.P256)
	for _, a := range changes(o) {
		t.Run(a.name, func(t *testing.T) { editEach(t, o.World, a) })
	}
	o.Check()
}

// editEach edits the first record that the act reads, then the second, until it reads
// no more.
func editEach(t *testing.T, w *samtest.World, a step) {
	t.Helper()
	for n := range 200 {
		do := a.begin()
		w.Store.Faults.Edit(n)
		err := do()
		read := w.Store.Faults.Edited()
		if read == "" {
			if err != nil {
				t.Fatalf("after %d edits it does not succeed any more: %v", n, err)
			}
			return
		}
		if err == nil && a.repaired { // what comes after the commit
			return
		}
		if err == nil {
			t.Errorf("record %d (%s) is edited and nobody was told", n, read)
		} else if !errors.Is(err, sap.ReasonSeal) {
			t.Errorf("record %d (%s) is edited: refused for another reason: %v", n, read, err)
		}
	}
	t.Fatal("it reads more than 200 records")
}
