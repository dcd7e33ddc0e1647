package sam_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// AUD-06, I1, I3: the device under the database answers EIO: to the first write or sync of
// an activation and all behind it, to the second and all behind it, and so on through
// every one, also when half of a write has reached it. Nothing is signed without its
// record before it, nothing is acknowledged that is not on record after a restart, what
// is refused says that it was the store, and with a device that works everything goes on.
func TestAUD06DeviceErrors(t *testing.T) {
	d := testenv.OnDevice(t, "sam.db")
	if d == nil {
		return
	}
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	acknowledged, refusals := 0, 0
	for kind, name := range map[rune]string{'w': "writes", 't': "torn writes", 's': "syncs"} {
		failed := 0
		for from := 1; ; from++ {
			if from > 200 {
				t.Fatalf("%s: an activation does not end", name)
			}
			d.Fail(kind, from)
			ok, err := trySign(w, s, t)
			hit := d.Hits()
			if ok {
				acknowledged++
			} else {
				failed++
				refusals++
				if !errors.Is(err, sap.ReasonStore) && !errors.Is(err, sap.ReasonClosed) {
					t.Errorf("%s from %d: %v", name, from, err)
				}
				if hit == 0 {
					t.Errorf("%s from %d: refused without a fault: %v", name, from, err)
				}
			}
			if err := officerAct(w, fmt.Sprintf("%c-%d", kind, from)); err == nil && !ok {
				t.Errorf("%s from %d: an act is recorded on a device that fails", name, from)
			}
			w.Stop()
			d.Fail('o', 0)
			if err := w.Open(); err != nil {
				t.Fatalf("%s from %d: a device that works again: %v", name, from, err)
			}
			if again, err := trySign(w, s, t); !again {
				t.Fatalf("%s from %d: a device that works again: %v", name, from, err)
			}
			acknowledged++
			w.Check()
			if n := count(w, sam.EventSigned); n < acknowledged || n > acknowledged+refusals {
				t.Fatalf("%s from %d: %d signatures were acknowledged, %d refused, %d are on record", name, from, acknowledged, refusals, n)
			}
			if hit == 0 {
				break // more calls than an activation makes
			}
		}
		t.Logf("%s: %d activations refused", name, failed)
		if failed < 2 { // the reservation and the outcome
			t.Errorf("%s: %d activations met a fault: the device does not fail", name, failed)
		}
	}
}

// officerAct is an act beside activations; its record is all that it leaves.
func officerAct(w *samtest.World, id string) error {
	_, err := w.M.CreateSigner(context.Background(), samtest.RA, sam.NewSigner{ID: "x" + id, Name: "Some Body", Proof: "proof"})
	return err
}
