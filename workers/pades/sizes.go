package pades

import (
	"bytes"
	"slices"
	"sync"

	"github.com/assent-sign/assent/internal/algo"
)

// sizes keeps how large the message of a signature can become. That depends on the algorithm and on the certificates, not
// on the document, and a worker with a key of its own has the same every time. It decides about room only: the rehearsal
// measures the very message, each time.
type sizes struct {
	mu    sync.Mutex
	alg   algo.Algorithm
	chain [][]byte
	later int
	size  int
}

// of returns the size for the chain and for attributes of later bytes, and calls measure if the last one was for others.
func (s *sizes) of(alg algo.Algorithm, chain [][]byte, later int, measure func() (int, error)) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.size > 0 && s.alg == alg && s.later == later && slices.EqualFunc(s.chain, chain, bytes.Equal) {
		return s.size, nil
	}
	n, err := measure()
	if err != nil {
		return 0, err
	}
	own := make([][]byte, len(chain))
	for i, c := range chain {
		own[i] = bytes.Clone(c)
	}
	s.alg, s.chain, s.later, s.size = alg, own, later, n
	return n, nil
}
