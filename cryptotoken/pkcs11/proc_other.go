//go:build unix && !linux

package pkcs11

import "syscall"

func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// running is the file of the program: nothing names the one that runs.
func running(exe string) string { return exe }

func harden() { _ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) }
