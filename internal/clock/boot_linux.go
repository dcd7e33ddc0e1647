package clock

import (
	"syscall"
	"time"
	"unsafe"
)

const clockBoottime = 7 // clock_gettime(2): as CLOCK_MONOTONIC, and goes on while the machine sleeps

// sinceBoot is the time since the machine was started. It follows the rate to
// which the kernel disciplines the clock, and no step of it.
func sinceBoot() time.Duration {
	var ts syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockBoottime, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return time.Since(started) // goes on all the same, except asleep
	}
	return time.Duration(ts.Nano())
}
