package testenv

import (
	"testing"
	"time"
)

// Tries is how often Within repeats what took too long.
const Tries = 5

// Within runs f, which must be repeatable, and fails the test when it takes longer
// than limit every time of Tries. A machine that stands still for a moment is not
// the code's doing, and passes; code that is too slow is so each time. Under the
// race detector the limit is Slowdown times as long.
func Within(t testing.TB, what string, limit time.Duration, f func()) {
	t.Helper()
	limit *= Slowdown
	best := time.Duration(-1)
	for range Tries {
		start := time.Now()
		f()
		if took := time.Since(start); best < 0 || took < best {
			best = took
		}
		if best <= limit {
			return
		}
	}
	t.Errorf("%s: took %v, %d times; the limit is %v", what, best, Tries, limit)
}
