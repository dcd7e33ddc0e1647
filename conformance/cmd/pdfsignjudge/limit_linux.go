package main

import "syscall"

// Limits of one look: address space (a Go program reserves about 1 GiB of it
// before it uses any) and processor time.
const (
	maxMemory  = 4 << 30
	maxSeconds = 30
)

// limitSelf makes the kernel end this process when it goes over.
func limitSelf() error {
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: maxMemory, Max: maxMemory}); err != nil {
		return err
	}
	return syscall.Setrlimit(syscall.RLIMIT_CPU, &syscall.Rlimit{Cur: maxSeconds, Max: maxSeconds})
}
