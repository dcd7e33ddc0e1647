package clock

import (
	"errors"
	"testing"
	"time"
)

// TIM-01: the kernel's statement: synchronised with a bound, or nothing.
func TestTIM01Kernel(t *testing.T) {
	for name, c := range map[string]struct {
		state            int
		status, max, est int
		want             time.Duration
		err              error
	}{
		"synchronised":          {0, 0x2001, 35_000, 900, 35 * time.Millisecond, nil},
		"nobody disciplines":    {5, 0x40, 16_000_000, 16_000_000, 0, ErrSource},
		"status alone":          {0, 0x40, 10, 10, 0, ErrSource},
		"state alone":           {5, 0, 10, 10, 0, ErrSource},
		"an impossible bound":   {0, 0, -1, 0, 0, ErrSource},
		"an enormous bound":     {0, 0, 16_000_001, 0, 0, ErrSource},
		"leap second announced": {1, 0x11, 10_000, 5_000, 10 * time.Millisecond, nil},
	} {
		r, err := kernelReading(c.state, c.status, c.max, c.est)
		if !errors.Is(err, c.err) || (err == nil && (r.MaxError != c.want || r.Offset != 0)) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	// The real one says one or the other; which depends on the machine.
	if r, err := (Kernel{}).Read(ctx, System{}); err == nil && r.Detail == "" || err != nil && !errors.Is(err, ErrSource) {
		t.Errorf("this machine's kernel: %+v, %v", r, err)
	}
}
