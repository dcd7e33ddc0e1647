package workers

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"sync"
	"time"

	"github.com/assent-sign/assent/internal/algo"
)

// Rehearser proves, before a person is asked, that a container will hold a
// signature: it has one made with a throw-away key of the same kind and a
// self-made certificate. What that proves depends on the kind of key and on the
// algorithm, not on the document or on whose certificate it is, so that it is
// proven once for each pair. What does depend on them a worker checks each time.
type Rehearser struct {
	random io.Reader
	mu     sync.Mutex
	keys   map[algo.KeyType]*throwAway
}

type throwAway struct {
	key    crypto.Signer
	cert   []byte
	proven map[algo.Algorithm]bool
}

// NewRehearser returns a rehearser that draws its keys from random.
func NewRehearser(random io.Reader) *Rehearser {
	return &Rehearser{random: random, keys: map[algo.KeyType]*throwAway{}}
}

// Once calls rehearse with a throw-away key of the same kind as the
// certificate's, and a certificate for it, unless a call for that kind of key and
// this algorithm has succeeded before. A failure is ErrRehearsal and is not kept.
func (r *Rehearser) Once(leaf *x509.Certificate, alg algo.Algorithm, rehearse func(key crypto.Signer, cert []byte) error) error {
	kt, err := algo.KeyTypeOf(leaf.PublicKey)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInput, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.keys[kt]
	if t == nil {
		if t, err = makeThrowAway(r.random, kt); err != nil {
			return fmt.Errorf("%w: %w", ErrRehearsal, err)
		}
		r.keys[kt] = t
	}
	if t.proven[alg] {
		return nil
	}
	if err := rehearse(t.key, t.cert); err != nil {
		return fmt.Errorf("%w: %w", ErrRehearsal, err)
	}
	t.proven[alg] = true
	return nil
}

func makeThrowAway(random io.Reader, kt algo.KeyType) (*throwAway, error) {
	key, err := algo.NewKey(random, kt)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rehearsal, never used"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), KeyUsage: x509.KeyUsageContentCommitment,
	}
	cert, err := x509.CreateCertificate(random, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &throwAway{key, cert, map[algo.Algorithm]bool{}}, nil
}
