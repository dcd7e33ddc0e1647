// Package rng is a source of random bytes that watches itself (KEY-11): every
// byte that is handed out has gone through the two continuous health tests of
// NIST SP 800-90B, section 4.4, and a source that failed one is never used
// again. What these tests find is a source that broke (it stands still, repeats
// itself, prefers one value); they say nothing about a source that was made to
// look random, such as a keyed sequence that somebody else knows too.
package rng

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// ErrHealth tells that the source failed a health test, or could not be read. It is final.
var ErrHealth = errors.New("rng: the source of random numbers failed its health test")

// The tests look at bytes and assume full entropy, 8 bits each. The limits are
// those of SP 800-90B for a false alarm once in 2^40 samples: 1+ceil(40/8), and
// one more than the critical value of the binomial distribution B(512, 1/256).
const (
	repetitionLimit = 6
	window          = 512
	proportionLimit = 19
	// StartupSamples are drawn and thrown away by Test: twice what section 4.3
	// asks for.
	StartupSamples = 2048
)

// Source hands out tested random bytes (KEY-11). It is safe for concurrent use.
type Source struct {
	from io.Reader

	mu     sync.Mutex
	failed error
	last   byte // repetition count test
	run    int
	first  byte // adaptive proportion test: first value of the window
	seen   int  // samples of the window
	same   int  // of them, equal to first
}

// New returns a source on top of from, normally crypto/rand.Reader.
func New(from io.Reader) *Source { return &Source{from: from} }

// Fill fills b. On ErrHealth b holds zeros.
func (s *Source) Fill(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		clear(b)
		return s.failed
	}
	_, err := io.ReadFull(s.from, b)
	if err == nil {
		err = s.judge(b)
	}
	if err != nil {
		clear(b)
		s.failed = fmt.Errorf("%w: %w", ErrHealth, err)
	}
	return s.failed
}

// Read implements io.Reader: all of b, or none of it.
func (s *Source) Read(b []byte) (int, error) {
	if err := s.Fill(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Test draws StartupSamples and throws them away: the start-up and on-demand
// test.
func (s *Source) Test() error {
	b := make([]byte, StartupSamples)
	defer clear(b)
	return s.Fill(b)
}

func (s *Source) judge(b []byte) error {
	for _, v := range b {
		if s.run > 0 && v == s.last {
			s.run++
		} else {
			s.last, s.run = v, 1
		}
		if s.run >= repetitionLimit {
			return fmt.Errorf("repetition count test: %d equal bytes in a row", s.run)
		}
		if s.seen == 0 {
			s.first, s.same = v, 0
		}
		s.seen++
		if v == s.first {
			s.same++
		}
		if s.same >= proportionLimit {
			return fmt.Errorf("adaptive proportion test: one value %d times in %d bytes", s.same, s.seen)
		}
		if s.seen == window {
			s.seen = 0
		}
	}
	return nil
}
