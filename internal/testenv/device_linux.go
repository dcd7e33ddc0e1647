package testenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Device is the disk under the databases of a test, which can be told to answer EIO
// (testdata/eio).
type Device struct {
	t       testing.TB
	control string
	serial  int
}

const (
	deviceControl = "EIO_CONTROL"
	deviceFile    = "EIO_FILE"
)

// OnDevice runs the calling test again, as a process on a device that can fail for SQLite's
// files that have a text in their path. It returns nil to the test that was called, which
// then has nothing to do.
func OnDevice(t *testing.T, file string) *Device {
	t.Helper()
	if control := os.Getenv(deviceControl); control != "" {
		d := &Device{t: t, control: control}
		d.Fail('o', 0)
		return d
	}
	dir := t.TempDir()
	lib := filepath.Join(dir, "eio.so")
	gcc, source := Need(t, "gcc"), filepath.Join(Root(), "internal", "testenv", "testdata", "eio", "eio.c")
	if out, err := exec.CommandContext(t.Context(), gcc, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", lib, source, "-lpthread").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), "LD_PRELOAD="+lib, deviceControl+"="+filepath.Join(dir, "control"), deviceFile+"="+file)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	return nil
}

// Fail has the from-th call of a kind fail, and all behind it: 'r' reads, 'w' writes, 't'
// writes that get half way, 's' syncs; 'x' is the from-th read alone, 'o' nothing.
func (d *Device) Fail(kind rune, from int) {
	d.t.Helper()
	d.serial++
	text := fmt.Sprintf("%d %c %d\n", d.serial, kind, from)
	if err := errors.Join(os.WriteFile(d.control+".new", []byte(text), 0o600), os.Rename(d.control+".new", d.control)); err != nil {
		d.t.Fatal(err)
	}
}

// Hits is how many calls failed since Fail.
func (d *Device) Hits() (n int) {
	d.t.Helper()
	b, err := os.ReadFile(d.control + ".hits")
	if err != nil {
		return 0
	}
	var serial int
	if _, err := fmt.Sscan(string(b), &serial, &n); err != nil || serial != d.serial {
		return 0
	}
	return n
}
