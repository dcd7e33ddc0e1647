package secret_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/assent-sign/assent/internal/secret"
)

// KPR-10: after NoDump the kernel writes no core file of the process and hides its
// memory from other processes of the same user. In a process of its own: it
// cannot be taken back.
func TestKPR10NoCoreDumps(t *testing.T) {
	if os.Getenv("SECRET_NODUMP_CHILD") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKPR10NoCoreDumps$", "-test.v")
		cmd.Env = append(os.Environ(), "SECRET_NODUMP_CHILD=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "no dumps") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if err := secret.NoDump(); err != nil {
		t.Fatal(err)
	}
	limits, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(limits)) {
		if f := strings.Fields(line); strings.HasPrefix(line, "Max core file size") && (f[4] != "0" || f[5] != "0") {
			t.Errorf("core files: %s", line)
		}
	}
	if n, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, 3, 0, 0); errno != 0 || n != 0 { // PR_GET_DUMPABLE
		t.Errorf("dumpable is %d (%v)", n, errno)
	}
	t.Log("no dumps")
}
