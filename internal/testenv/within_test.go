package testenv_test

import (
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/testenv"
)

// judge is a test that records whether it failed.
type judge struct {
	testing.TB
	failed int
}

func (j *judge) Helper()               {}
func (j *judge) Errorf(string, ...any) { j.failed++ }

// I9: one slow run in five is the machine's, five are the code's.
func TestWithin(t *testing.T) {
	const limit = 10 * time.Millisecond
	runs := 0
	slow := func(first int) func() {
		runs = 0
		return func() {
			if runs++; runs <= first {
				time.Sleep(testenv.Slowdown*limit + limit)
			}
		}
	}
	j := &judge{TB: t}
	testenv.Within(j, "sometimes", time.Hour, slow(1))
	if j.failed != 0 || runs != 1 {
		t.Errorf("in time: %d failures in %d runs", j.failed, runs)
	}
	testenv.Within(j, "always", limit, slow(testenv.Tries))
	if j.failed != 1 || runs != testenv.Tries {
		t.Errorf("too slow: %d failures in %d runs", j.failed, runs)
	}
}
