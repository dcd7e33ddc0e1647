package clock

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// Kernel is what the operating system says of its own clock, adjtimex(2): that a
// time service (chrony, ntpd, PTP) disciplines it, and how wrong it can be. The
// kernel lets that bound grow while nobody corrects the clock and declares the
// clock unsynchronised when it has grown to 16 s, so a service that died shows.
// It is no second opinion on the service itself; SNTP is.
type Kernel struct{}

const (
	kernelUnsynchronised = 0x40 // STA_UNSYNC
	kernelError          = 5    // TIME_ERROR
	kernelMaxError       = 16_000_000
)

// Name implements Source.
func (Kernel) Name() string { return "kernel" }

// Read implements Source. The offset is 0: the bound says it all.
func (Kernel) Read(context.Context, Steady) (Reading, error) {
	var t syscall.Timex
	state, err := syscall.Adjtimex(&t)
	if err != nil {
		return Reading{}, fmt.Errorf("%w: adjtimex: %w", ErrSource, err)
	}
	return kernelReading(state, int(t.Status), int(t.Maxerror), int(t.Esterror))
}

func kernelReading(state, status, maxError, estError int) (Reading, error) {
	if state == kernelError || status&kernelUnsynchronised != 0 {
		return Reading{}, fmt.Errorf("%w: the kernel's clock is not synchronised: no time service disciplines it", ErrSource)
	}
	if maxError < 0 || maxError > kernelMaxError {
		return Reading{}, fmt.Errorf("%w: the kernel states an error of %d microseconds", ErrSource, maxError)
	}
	return Reading{
		MaxError: time.Duration(maxError) * time.Microsecond,
		Detail:   fmt.Sprintf("synchronised, estimated error %v", time.Duration(estError)*time.Microsecond),
	}, nil
}
