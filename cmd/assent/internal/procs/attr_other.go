//go:build !linux

package procs

import "syscall"

// childAttributes: a process group of its own, so that Ctrl-C reaches this
// process only and children end in order.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
