package cryptotoken

import (
	"crypto/rand"
	"crypto/x509"
	"fmt"

	"github.com/assent-sign/assent/internal/algo"
)

// generationTestLabel separates the generation test from every other use of a
// key: no document digest can equal a hash that begins with it.
const generationTestLabel = "assent generation test v1\x00"

// GenerationTest returns what a driver signs once, right after it generated a
// key: algorithm and digest, fixed by the public key (PKIX DER), so that an
// auditor can tell this one signature from all others.
func GenerationTest(kt algo.KeyType, public []byte) (algo.Algorithm, []byte) {
	return fixedTest(kt, generationTestLabel, public)
}

const proofLabel = "assent key proof v1\x00"

// Prove signs a digest fixed by the public key and verifies the signature: a
// named key that the token cannot use correctly is found when it is loaded, not
// when a document waits. ErrSelfTest.
func Prove(s Signer) error {
	public, err := x509.MarshalPKIXPublicKey(s.Public())
	if err != nil {
		return fmt.Errorf("%w: public key: %w", ErrSelfTest, err)
	}
	a, digest := fixedTest(s.KeyType(), proofLabel, public)
	sig, err := s.Sign(rand.Reader, digest, a.SignerOpts())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSelfTest, err)
	}
	if err := algo.Verify(s.Public(), a, digest, sig); err != nil {
		return fmt.Errorf("%w: signature of %s key: %w", ErrSelfTest, s.KeyType(), err)
	}
	return nil
}

func fixedTest(kt algo.KeyType, label string, public []byte) (algo.Algorithm, []byte) {
	a := kt.Default()
	if !a.Valid() {
		return 0, nil
	}
	h := a.Hash().New()
	h.Write([]byte(label))
	h.Write(public)
	return a, h.Sum(nil)
}
