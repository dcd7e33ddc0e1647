//go:build failpoints

package main

import (
	"log/slog"
	"os"
	"syscall"

	"github.com/assent-sign/assent/sam"
)

// failpoint kills the process at the step that ASSENT_FAILPOINT names: request,
// reserve, sign, outcome or finish. For kill tests only; the build tag keeps it
// out of every other binary.
func failpoint(log *slog.Logger) func(sam.Step) {
	at := sam.Step(os.Getenv("ASSENT_FAILPOINT"))
	if at == "" {
		return nil
	}
	log.Warn("samd: built with failpoints; it will end itself", "at", string(at))
	return func(s sam.Step) {
		if s == at {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
	}
}
