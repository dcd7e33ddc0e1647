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
	keys   *ThrowAways
	mu     sync.Mutex
	proven map[pair]bool
}

// pair is what a rehearsal proves something about.
type pair struct {
	kt  algo.KeyType
	alg algo.Algorithm
}

// NewRehearser returns a rehearser that signs with keys, which it may share with others.
func NewRehearser(keys *ThrowAways) *Rehearser {
	return &Rehearser{keys: keys, proven: map[pair]bool{}}
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
	if r.proven[pair{kt, alg}] {
		return nil
	}
	t, err := r.keys.of(kt)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRehearsal, err)
	}
	if err := rehearse(t.key, t.cert); err != nil {
		return fmt.Errorf("%w: %w", ErrRehearsal, err)
	}
	r.proven[pair{kt, alg}] = true
	return nil
}

// ThrowAways are the keys that rehearsals sign with, one of each kind of key. Their signatures
// leave no rehearsal and nobody trusts their certificates, so that all workers of a set may
// share them: to make an RSA key takes a second or more, of the first signer's time.
type ThrowAways struct {
	random io.Reader
	mu     sync.Mutex
	kinds  map[algo.KeyType]*throwAway
}

// throwAway is made when it is first needed; whoever needs another kind does not wait.
type throwAway struct {
	mu   sync.Mutex
	key  crypto.Signer
	cert []byte
}

// NewThrowAways returns keys that will be drawn from random.
func NewThrowAways(random io.Reader) *ThrowAways {
	return &ThrowAways{random: random, kinds: map[algo.KeyType]*throwAway{}}
}

// of gives the key of a kind, and makes it unless it is there. A failure is not kept.
func (k *ThrowAways) of(kt algo.KeyType) (*throwAway, error) {
	k.mu.Lock()
	t := k.kinds[kt]
	if t == nil {
		t = &throwAway{}
		k.kinds[kt] = t
	}
	k.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.key != nil {
		return t, nil
	}
	var err error
	t.key, t.cert, err = makeThrowAway(k.random, kt)
	return t, err
}

func makeThrowAway(random io.Reader, kt algo.KeyType) (crypto.Signer, []byte, error) {
	key, err := algo.NewKey(random, kt)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rehearsal, never used"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), KeyUsage: x509.KeyUsageContentCommitment,
	}
	cert, err := x509.CreateCertificate(random, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	return key, cert, nil
}
