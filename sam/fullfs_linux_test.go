package sam_test

import (
	"context"
	"errors"
	"os"
	process "os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// A disk of its own for one test: the test runs again as a process in a mount
// namespace, on a tmpfs of a few megabytes. Where a namespace cannot be had, the kernel's limit
// on the size of files takes the place of the disk's: it also ends writes in the middle.
const faultEnv = "SAM_TEST_FAULT"

const (
	faultTmpfs = "tmpfs"
	faultFsize = "fsize"
	faultFiles = "files"
)

// inProcess runs the calling test again as a process under a fault, and tells
// whether this is that process.
func inProcess(t *testing.T, fault string) (inside bool) {
	t.Helper()
	if os.Getenv(faultEnv) != "" {
		return true
	}
	run := func(fault string, attr *syscall.SysProcAttr) ([]byte, error) {
		cmd := process.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
		cmd.Env = append(os.Environ(), faultEnv+"="+fault, "SAM_TEST_DISK="+t.TempDir())
		cmd.SysProcAttr = attr
		return cmd.CombinedOutput()
	}
	var attr *syscall.SysProcAttr
	if fault == faultTmpfs {
		attr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		if os.Getuid() != 0 {
			attr.Cloneflags |= syscall.CLONE_NEWUSER
			attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
			attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		}
	}
	out, err := run(fault, attr)
	if fault == faultTmpfs && (err != nil && len(out) == 0 || strings.Contains(string(out), noMount)) {
		t.Logf("no file system of its own here (%v): the limit on the size of files takes its place", err)
		out, err = run(faultFsize, nil)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

const noMount = "this kernel mounts nothing for us"

// room is what a process may still write.
type room struct {
	t       *testing.T
	ballast string
	before  syscall.Rlimit
}

// newRoom makes the world's disk a small one, when there is one to be had.
func newRoom(t *testing.T) *room {
	t.Helper()
	r := &room{t: t}
	switch os.Getenv(faultEnv) {
	case faultTmpfs:
		disk := os.Getenv("SAM_TEST_DISK")
		err := errors.Join(syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""), syscall.Mount("none", disk, "tmpfs", 0, "size=16m"))
		if err != nil {
			t.Fatalf("%s: %v", noMount, err)
		}
		t.Setenv("TMPDIR", disk)
		r.ballast = filepath.Join(disk, "ballast")
	case faultFsize:
		signal.Ignore(syscall.SIGXFSZ)
	}
	return r
}

// end takes all of it away.
func (r *room) end(w *samtest.World) {
	r.t.Helper()
	if r.ballast == "" {
		st, err := os.Stat(w.DB() + "-wal")
		if err != nil {
			r.t.Fatal(err)
		}
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &r.before); err != nil {
			r.t.Fatal(err)
		}
		limit := r.before
		limit.Cur = uint64(st.Size())
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			r.t.Fatal(err)
		}
		return
	}
	f, err := os.Create(r.ballast)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, n := range []int{1 << 20, 4096, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, n))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		r.t.Fatalf("the disk is not full: %v", err)
	}
	if err := f.Close(); err != nil {
		r.t.Fatal(err)
	}
}

// back gives it back.
func (r *room) back() {
	r.t.Helper()
	if r.ballast == "" {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &r.before); err != nil {
			r.t.Fatal(err)
		}
	} else if err := os.Remove(r.ballast); err != nil {
		r.t.Fatal(err)
	}
}

// trySign asks, approves and redeems once; it may fail at any point.
func trySign(w *samtest.World, s *samtest.Signer, t *testing.T) (signed bool, err error) {
	signedReq, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
	if err != nil {
		return false, err
	}
	req, err := sap.OpenActivationRequest(w.StatementKey(), signedReq)
	if err != nil {
		t.Fatal(err)
	}
	full, err := s.Device.SAD(req, s.Items(t, req, 1))
	if err != nil {
		t.Fatal(err)
	}
	sad, proof, err := s.Device.Sign(full)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := w.Redeem(sad, proof)
	if err == nil {
		w.Decode(answer)
	} else if answer != nil {
		t.Errorf("an answer beside an error: %v", err)
	}
	return err == nil, err
}

// outOfRoom signs until nothing can be written any more, gives the room back and
// signs again.
func outOfRoom(t *testing.T) {
	r := newRoom(t)
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	if ok, err := trySign(w, s, t); !ok {
		t.Fatal(err)
	}
	r.end(w)
	acknowledged, failed := 1, 0
	for n := 0; failed < 3; n++ {
		ok, err := trySign(w, s, t)
		switch {
		case ok:
			acknowledged++
		case !errors.Is(err, sap.ReasonStore):
			t.Fatalf("without room: %v", err)
		default:
			failed++
			if text := err.Error(); failed == 1 && !strings.Contains(text, "full") && !strings.Contains(text, "I/O") {
				t.Errorf("the message does not say what is wrong: %v", err)
			}
		}
		if n == 5000 {
			t.Fatal("the disk never became full")
		}
	}
	// Closing needs no room: the mark is there already (FPT-03).
	w.Token.FailProbe(cryptotoken.ErrSelfTest)
	_, _ = w.M.SelfTest(context.Background(), samtest.Officer)
	w.Token.FailProbe(nil)
	if _, err := trySign(w, s, t); err == nil {
		t.Error("signed after a failed self-test")
	}
	w.Stop()
	r.back()
	if err := w.Open(); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	if _, err := trySign(w, s, t); !errors.Is(err, sap.ReasonClosed) {
		t.Errorf("the closing was forgotten: %v", err)
	}
	reopen(t, w)
	if ok, err := trySign(w, s, t); !ok {
		t.Errorf("with room again: %v", err)
	}
	acknowledged++
	w.Check() // no key use without its earlier record
	if n := count(w, sam.EventSigned); n < acknowledged {
		t.Errorf("%d signatures were acknowledged, %d are on record", acknowledged, n)
	}
	t.Logf("%d signatures, then no room", acknowledged)
}

// AUD-06, F4, F5: a disk that is really full: nothing is signed without its record, the
// message says why, closing still works, and with room again everything goes on.
func TestAUD06FullFileSystem(t *testing.T) {
	if inProcess(t, faultTmpfs) {
		outOfRoom(t)
	}
}

// AUD-06: writes that end in the middle of a file with an I/O error.
func TestAUD06WritesThatFail(t *testing.T) {
	if inProcess(t, faultFsize) {
		outOfRoom(t)
	}
}

// AUD-06, F33: no file can be opened any more: what is open goes on with its records, what
// needs a new one fails, and nothing is lost when files can be opened again.
func TestAUD06NoMoreFiles(t *testing.T) {
	if !inProcess(t, faultFiles) {
		return
	}
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	none := before
	none.Cur = 3
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open(w.Cfg.AnchorPath); !errors.Is(err, syscall.EMFILE) {
		_ = f.Close()
		t.Fatalf("files can be opened: %v", err)
	}
	signed := 0
	for range 20 {
		if ok, err := trySign(w, s, t); ok {
			signed++
		} else if !errors.Is(err, sap.ReasonStore) && !errors.Is(err, sap.ReasonToken) && !errors.Is(err, sap.ReasonBurnt) {
			t.Errorf("without files: %v", err)
		}
	}
	if err := w.M.Close(); err == nil {
		t.Error("the anchor was written without a file")
	}
	w.M = nil
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err := w.Open(); err != nil { // the database goes on from the older anchor
		t.Fatal(err)
	}
	if ok, err := trySign(w, s, t); !ok {
		t.Errorf("with files again: %v", err)
	}
	if n := count(w, sam.EventSigned); n != signed+1 {
		t.Errorf("%d signatures were acknowledged, %d are on record", signed+1, n)
	}
	w.Check()
	t.Logf("%d signatures without files", signed)
}
