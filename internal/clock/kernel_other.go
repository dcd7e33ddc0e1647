//go:build !linux

package clock

import (
	"context"
	"fmt"
)

// Kernel is what the operating system says of its own clock. It needs Linux.
type Kernel struct{}

// Name implements Source.
func (Kernel) Name() string { return "kernel" }

// Read implements Source.
func (Kernel) Read(context.Context, Steady) (Reading, error) {
	return Reading{}, fmt.Errorf("%w: only Linux tells whether its clock is synchronised", ErrSource)
}
