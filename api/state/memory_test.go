package state_test

import (
	"testing"

	"github.com/assent-sign/assent/api/state"
	"github.com/assent-sign/assent/api/state/statetest"
	"github.com/assent-sign/assent/internal/clock"
)

func TestMemoryPassesTheSuite(t *testing.T) {
	statetest.Run(t, func(_ *testing.T, c clock.Clock) (state.Store, func() state.Store) {
		return state.NewMemory(c), nil
	})
}
