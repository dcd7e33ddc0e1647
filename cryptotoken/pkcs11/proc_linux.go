package pkcs11

import (
	"os"
	"syscall"
)

// running is the program that runs, whatever file has its name by now: after an upgrade
// that waits for the restart a child of another version would get the PIN, and the
// requests of this one. exe is that name, for where there is no /proc.
func running(exe string) string {
	const self = "/proc/self/exe"
	if _, err := os.Stat(self); err != nil {
		return exe
	}
	return self
}

// childAttr: the kernel kills the child when the thread that started it ends
// (the keeper's, which lives as long as the token), and signals to the
// terminal's process group do not reach it.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// harden keeps the child's memory, which has held the PIN, out of core dumps
// and away from other processes of the same user.
func harden() {
	const prSetDumpable = 4
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, prSetDumpable, 0, 0)
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
}
