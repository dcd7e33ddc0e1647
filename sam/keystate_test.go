package sam

import (
	"errors"
	"testing"

	"github.com/assent-sign/assent/sap"
)

// KEY-07, KPR-07, KPR-08: every pair of states of a long-term key, allowed and
// refused, written down a second time; a state that does not exist moves nowhere.
func TestKEY07EveryMoveOfALongTermKey(t *testing.T) {
	checkMoves(t, keyMoves, []string{"generated", "active", "suspended", "revoked", "expired", "destroyed"}, []string{
		"generated>active", "generated>revoked", "generated>destroyed",
		"active>suspended", "active>revoked", "active>expired", "active>destroyed",
		"suspended>active", "suspended>revoked", "suspended>expired", "suspended>destroyed",
		"revoked>destroyed", "expired>destroyed",
	})
}

// KEY-10: every pair of states of a one-time key: one way, each step once.
func TestKEY10EveryMoveOfAOneTimeKey(t *testing.T) {
	checkMoves(t, onceMoves, []string{"requested", "approved", "generated", "certified", "used", "destroyed"}, []string{
		"requested>approved", "approved>generated", "generated>certified", "certified>used", "used>destroyed",
		"requested>destroyed", "approved>destroyed", "generated>destroyed", "certified>destroyed",
	})
}

func checkMoves(t *testing.T, table map[string][]string, states, allowed []string) {
	t.Helper()
	want := map[string]bool{}
	for _, m := range allowed {
		want[m] = true
	}
	if len(table) != len(states) {
		t.Errorf("the table has %d states, want %d", len(table), len(states))
	}
	tested := 0
	for _, from := range append(states, "", "pending", "Active") {
		for _, to := range append(states, "", "pending", "Active") {
			state := from
			err := move(table, &state, to)
			tested++
			switch {
			case want[from+">"+to] && (err != nil || state != to):
				t.Errorf("%s to %s: %v", from, to, err)
			case !want[from+">"+to] && (!errors.Is(err, sap.ReasonState) || state != from):
				t.Errorf("%q to %q: %v, state now %s", from, to, err, state)
			}
		}
	}
	if tested != (len(states)+3)*(len(states)+3) {
		t.Errorf("%d pairs", tested)
	}
}
