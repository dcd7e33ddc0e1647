package sapclient

import (
	"testing"
	"time"
)

// TIM-01: the Date of an answer has whole seconds and was written between sending and
// receiving: what may be the same time is no difference, and what is one is never overstated.
func TestTIM01SkewOf(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 400e6, time.UTC)
	for _, c := range []struct {
		date           string
		sent, received time.Time
		want           time.Duration
		ok             bool
	}{
		{"Wed, 04 Mar 2026 05:06:07 GMT", at, at.Add(100 * time.Millisecond), 0, true},
		{"Wed, 04 Mar 2026 05:06:08 GMT", at, at.Add(800 * time.Millisecond), 0, true},
		{"Wed, 04 Mar 2026 05:06:06 GMT", at, at, -400 * time.Millisecond, true},
		{"Wed, 04 Mar 2026 05:16:07 GMT", at, at.Add(30 * time.Second), 9*time.Minute + 29*time.Second + 600*time.Millisecond, true},
		{"Wed, 04 Mar 2026 04:56:07 GMT", at, at.Add(30 * time.Second), -(9*time.Minute + 59*time.Second + 400*time.Millisecond), true},
		{"Wed, 04 Mar 2026 05:06:20 GMT", at, at.Add(time.Minute), 0, true},
		{"", at, at, 0, false},
		{"yesterday", at, at, 0, false},
	} {
		if got, ok := skewOf(c.date, c.sent, c.received); got != c.want || ok != c.ok {
			t.Errorf("%s: %v %v, want %v %v", c.date, got, ok, c.want, c.ok)
		}
	}
}
