package signapp_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/apptest"
)

// F21, AUD-06, I1, I3, I4: the device under the application's database answers EIO from
// the first, the second and so on of its writes, torn writes, syncs or reads on, or to one
// read alone, while an approval is redeemed and its documents are finished. The approval is
// submitted to the module as often as it takes and used once; when the device works again
// the operation ends with its documents, and the signer is asked for nothing but the same
// bytes again when he was told of an error.
func TestAUD06DeviceErrorsUnderTheApplication(t *testing.T) {
	d := testenv.OnDevice(t, "app.db")
	if d == nil {
		return
	}
	for kind, name := range map[rune]string{'w': "writes", 't': "torn writes", 's': "syncs", 'r': "reads", 'x': "one read"} {
		r := newRig(t, nil)
		faults, told := 0, 0
		for from, hit := 1, 1; hit > 0; from = nextFault(from) {
			when := fmt.Sprintf("%s from %d", name, from)
			if from > 300 {
				t.Fatalf("%s: it does not end", when)
			}
			keys, _ := r.Module.Uses()
			op := r.Create("anna", "first", "second")
			g, v := r.Open(apptest.Login("anna", "s"), op.ID)
			sad, proof := r.Approve(g, v)
			r.Stop()
			r.Start() // nothing is in SQLite's memory
			d.Fail(kind, from)
			_, err := r.Service.Redeem(bg, g, sad, proof)
			if errors.Is(err, signapp.ErrNotFound) {
				t.Errorf("%s: what could not be read is said not to be there: %v", when, err)
			}
			if err == nil {
				underWay(t, r, d, op.ID)
			}
			r.Stop()
			hit = d.Hits()
			d.Fail('o', 0)
			if err != nil {
				told++
				if hit == 0 {
					t.Fatalf("%s: refused without a fault: %v", when, err)
				}
			}
			if hit > 0 {
				faults++
			}
			r.Start()
			if err := r.Service.Resume(bg); err != nil {
				t.Fatalf("%s: a device that works again: %v", when, err)
			}
			now, err2 := r.Service.Get(bg, apptest.Acme, op.ID)
			if err2 != nil {
				t.Fatalf("%s: the operation is lost: %v", when, err2)
			}
			if now.State == signapp.StateShown {
				if err == nil {
					t.Fatalf("%s: an approval was taken and is lost", when)
				}
				if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
					t.Fatalf("%s: the same bytes again: %v", when, err)
				}
			}
			checkFinished(t, r, r.Await(op.ID), "first", "second")
			if now, _ := r.Module.Uses(); now-keys != 2 {
				t.Fatalf("%s: %d key uses for 2 documents", when, now-keys)
			}
		}
		t.Logf("%s: %d times a fault, %d times the signer was told", name, faults, told)
		if faults < 2 {
			t.Errorf("%s: %d faults: the device does not fail", name, faults)
		}
	}
}

// underWay waits until the operation has ended or the device has failed. An operation that
// cannot be read is no operation that is not there.
func underWay(t *testing.T, r *apptest.Rig, d *testenv.Device, id string) {
	t.Helper()
	for range 2000 {
		ctx, cancel := context.WithTimeout(bg, 5*time.Millisecond)
		op, err := r.Service.Wait(ctx, apptest.Acme, id)
		cancel()
		if errors.Is(err, signapp.ErrNotFound) {
			t.Error("what could not be read is said not to be there")
		}
		if err == nil && op.State.Terminal() || d.Hits() > 0 {
			return
		}
	}
	t.Fatal("neither finished nor a fault")
}

// nextFault steps through the numbers of calls at which faults begin: each one in the soak
// form, else fewer and fewer.
func nextFault(from int) int {
	if os.Getenv("ASSENT_SOAK") != "" {
		return from + 1
	}
	return from + 1 + from/8
}
