package sam_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	process "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// badDisk is the disk under the module's database, which can be told to answer EIO
// (testdata/eio).
type badDisk struct {
	t       *testing.T
	control string
	serial  int
}

const deviceEnv = "EIO_CONTROL"

// onDevice runs the calling test again as a process on a device that can fail.
func onDevice(t *testing.T) *badDisk {
	t.Helper()
	if control := os.Getenv(deviceEnv); control != "" {
		d := &badDisk{t: t, control: control}
		d.arm('o', 0)
		return d
	}
	dir := t.TempDir()
	lib := filepath.Join(dir, "eio.so")
	gcc := testenv.Need(t, "gcc")
	if out, err := process.Command(gcc, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", lib, "testdata/eio/eio.c", "-lpthread").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	cmd := process.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), "LD_PRELOAD="+lib, deviceEnv+"="+filepath.Join(dir, "control"))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	return nil
}

// arm has the from-th call of a kind fail, and all behind it.
func (d *badDisk) arm(kind rune, from int) {
	d.t.Helper()
	d.serial++
	text := fmt.Sprintf("%d %c %d\n", d.serial, kind, from)
	if err := errors.Join(os.WriteFile(d.control+".new", []byte(text), 0o600), os.Rename(d.control+".new", d.control)); err != nil {
		d.t.Fatal(err)
	}
}

// hits is how many calls failed since arm.
func (d *badDisk) hits() (n int) {
	d.t.Helper()
	b, err := os.ReadFile(d.control + ".hits")
	if err != nil {
		return 0
	}
	var serial int
	if _, err := fmt.Sscan(string(b), &serial, &n); err != nil {
		d.t.Fatal(err)
	}
	if serial != d.serial {
		return 0
	}
	return n
}

// AUD-06, I1, I3: the device under the database answers EIO: to the first write or sync of
// an activation and all behind it, to the second and all behind it, and so on through
// every one, also when half of a write has reached it. Nothing is signed without its
// record before it, nothing is acknowledged that is not on record after a restart, what
// is refused says that it was the store, and with a device that works everything goes on.
func TestAUD06DeviceErrors(t *testing.T) {
	d := onDevice(t)
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
			d.arm(kind, from)
			ok, err := trySign(w, s, t)
			hit := d.hits()
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
			d.arm('o', 0)
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
