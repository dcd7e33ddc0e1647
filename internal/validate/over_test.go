package validate

import (
	"context"
	"crypto"
	"testing"
)

// I9: a signature can have thousands of time-stamps, each with a path of its own to look for, and nothing is read for them: when the time is
// over, none is looked at any more.
func TestI9NoTimeStampIsLookedAtWhenTimeIsOver(t *testing.T) {
	for _, over := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		if over {
			cancel()
		}
		j, s := &judge{ctx: ctx}, &Signature{Kind: kindSignature, Verdict: Valid, Status: passed()}
		j.stamp(s, []byte("no token"), func(crypto.Hash) ([]byte, error) { return nil, nil })
		if looked := len(s.Warnings) > 0; looked == over {
			t.Errorf("time is over %v, looked at %v: %v", over, looked, s.Warnings)
		}
		cancel()
	}
}
