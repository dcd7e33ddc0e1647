package samrpc

import (
	"errors"
	"net/http"
	"sync"
)

// MaxBodies bounds the octets of the bodies that calls of one caller hold at one time. A body is read before the module
// looks at the caller's right, so that everyone with a certificate of the caller CA, whose role may have been taken away
// long ago, could make it hold as many as there are connections (I9). It is room for 38 of the largest
// approvals side by side, or for thousands of the usual ones.
const MaxBodies = 64 << 20

var errFull = errors.New("samrpc: the caller's calls that are under way hold too much already")

// bodies counts what is held, by the key of the caller's certificate.
type bodies struct {
	mu   sync.Mutex
	held map[string]int64
}

// take counts the body of a call, at least its share that is allocated, and returns what ends it. errFull.
func (b *bodies) take(key string, r *http.Request, limit int64) (func(), error) {
	n := r.ContentLength
	if n < 0 || n > limit { // not said; or refused before it is read
		n = limit
	}
	if n == 0 {
		return func() {}, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held[key]+n > MaxBodies {
		return nil, errFull
	}
	if b.held == nil {
		b.held = map[string]int64{}
	}
	b.held[key] += n
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.held[key] -= n; b.held[key] == 0 {
			delete(b.held, key)
		}
	}, nil
}
