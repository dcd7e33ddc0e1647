package workers

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"sync"
	"time"

	"github.com/assent-sign/assent/internal/algo"
)

// Rehearser holds throw-away keys, one of each kind that was needed, with
// self-made certificates. A container rehearsed with them proves, before a
// person is asked, that the real one will hold together.
type Rehearser struct {
	random io.Reader
	mu     sync.Mutex
	keys   map[algo.KeyType]*throwAway
}

type throwAway struct {
	key  crypto.Signer
	cert []byte
}

// NewRehearser returns a rehearser that draws its keys from random.
func NewRehearser(random io.Reader) *Rehearser {
	return &Rehearser{random: random, keys: map[algo.KeyType]*throwAway{}}
}

// For returns a throw-away key of the same kind as the certificate's, and a
// certificate for it.
func (r *Rehearser) For(leaf *x509.Certificate) (crypto.Signer, []byte, error) {
	kt, err := algo.KeyTypeOf(leaf.PublicKey)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.keys[kt]; ok {
		return t.key, t.cert, nil
	}
	t, err := makeThrowAway(r.random, kt)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrRehearsal, err)
	}
	r.keys[kt] = t
	return t.key, t.cert, nil
}

func makeThrowAway(random io.Reader, kt algo.KeyType) (*throwAway, error) {
	var key crypto.Signer
	var err error
	switch kt {
	case algo.P256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), random)
	case algo.P384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), random)
	case algo.P521:
		key, err = ecdsa.GenerateKey(elliptic.P521(), random)
	case algo.RSA2048:
		key, err = rsa.GenerateKey(random, 2048)
	case algo.RSA3072:
		key, err = rsa.GenerateKey(random, 3072)
	case algo.RSA4096:
		key, err = rsa.GenerateKey(random, 4096)
	default:
		err = algo.ErrUnknown
	}
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
	return &throwAway{key, cert}, nil
}
