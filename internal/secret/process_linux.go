package secret

import (
	"fmt"
	"syscall"
)

const prSetDumpable = 4 // prctl(2)

// NoDump makes the kernel write no core file of this process and lets no other
// process of the same user look into its memory (KPR-10). Both limits go on to
// children, except the second across exec.
func NoDump() error {
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return fmt.Errorf("core dumps cannot be switched off: %w", err)
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetDumpable, 0, 0); errno != 0 {
		return fmt.Errorf("the memory cannot be closed to other processes: %w", errno)
	}
	return nil
}

// NoSwap keeps all memory of this process out of swap, as it is touched.
func NoSwap() error {
	const onFault = 4 // MCL_ONFAULT: the runtime reserves far more than it uses
	if err := syscall.Mlockall(syscall.MCL_CURRENT | syscall.MCL_FUTURE | onFault); err != nil {
		return fmt.Errorf("lock_memory: raise the limit on locked memory (LimitMEMLOCK=infinity): %w", err)
	}
	return nil
}
