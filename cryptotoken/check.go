package cryptotoken

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"fmt"

	"github.com/assent-sign/assent/internal/algo"
)

// Bounds that every driver keeps.
const (
	MaxDigests = 4096     // digests of one SignWrapped
	MaxBlob    = 16 << 10 // bytes of Wrapped.Blob; RSA-4096 needs 2.4 KB
	MaxPublic  = 2 << 10  // bytes of Wrapped.Public
	MaxLabel   = 255      // bytes of a key or seal label
)

// CheckSign tells whether digests can be signed with alg by a key of type kt.
// Drivers call it before anything else. ErrInvalidInput and ErrNotStarted.
func CheckSign(kt algo.KeyType, alg algo.Algorithm, digests [][]byte) error {
	if !kt.Fits(alg) {
		return NotStarted(fmt.Errorf("%w: key type %q with algorithm %s", ErrInvalidInput, kt, alg))
	}
	if len(digests) == 0 || len(digests) > MaxDigests {
		return NotStarted(fmt.Errorf("%w: %d digests, want 1 to %d", ErrInvalidInput, len(digests), MaxDigests))
	}
	for i, d := range digests {
		if len(d) != alg.Hash().Size() {
			return NotStarted(fmt.Errorf("%w: digest %d has %d bytes, %s wants %d",
				ErrInvalidInput, i, len(d), alg, alg.Hash().Size()))
		}
	}
	return nil
}

// CheckWrappedForm checks the parts of w that need no key: type, bounds and that
// Public is a key of KeyType. It returns the public key. ErrInvalidInput for an
// unknown type, ErrBadBlob for the rest; both with ErrNotStarted.
func CheckWrappedForm(w Wrapped) (crypto.PublicKey, error) {
	if !w.KeyType.Valid() {
		return nil, NotStarted(fmt.Errorf("%w: key type %q", ErrInvalidInput, w.KeyType))
	}
	if len(w.Blob) == 0 || len(w.Blob) > MaxBlob || len(w.Public) > MaxPublic {
		return nil, NotStarted(fmt.Errorf("%w: blob of %d bytes, public key of %d", ErrBadBlob, len(w.Blob), len(w.Public)))
	}
	pub, err := x509.ParsePKIXPublicKey(w.Public)
	if err != nil {
		return nil, NotStarted(fmt.Errorf("%w: public key does not parse", ErrBadBlob))
	}
	if kt, err := algo.KeyTypeOf(pub); err != nil || kt != w.KeyType {
		return nil, NotStarted(fmt.Errorf("%w: public key is not of type %s", ErrBadBlob, w.KeyType))
	}
	return pub, nil
}

// CheckLabel checks a key or seal label: 1 to MaxLabel bytes of printable
// ASCII. ErrInvalidInput and ErrNotStarted.
func CheckLabel(label string) error {
	ok := len(label) >= 1 && len(label) <= MaxLabel
	for i := 0; ok && i < len(label); i++ {
		ok = label[i] >= 0x20 && label[i] < 0x7f
	}
	if !ok {
		return NotStarted(fmt.Errorf("%w: label %.40q is not 1 to %d printable ASCII characters", ErrInvalidInput, label, MaxLabel))
	}
	return nil
}

// AlgorithmOf maps what crypto.Signer.Sign is given to the closed set. A PSS
// salt must be as long as the hash, given as such or as
// rsa.PSSSaltLengthEqualsHash. ErrInvalidInput and ErrNotStarted.
func AlgorithmOf(kt algo.KeyType, opts crypto.SignerOpts) (algo.Algorithm, error) {
	if opts == nil {
		return 0, NotStarted(fmt.Errorf("%w: no hash named", ErrInvalidInput))
	}
	pss, isPSS := opts.(*rsa.PSSOptions)
	if isPSS && (pss == nil || (pss.SaltLength != rsa.PSSSaltLengthEqualsHash && pss.SaltLength != pss.Hash.Size())) {
		return 0, NotStarted(fmt.Errorf("%w: PSS salt must be as long as the hash", ErrInvalidInput))
	}
	for _, a := range algo.All() {
		if kt.Fits(a) && a.IsPSS() == isPSS && a.Hash() == opts.HashFunc() {
			return a, nil
		}
	}
	return 0, NotStarted(fmt.Errorf("%w: key type %s with hash %s", ErrInvalidInput, kt, opts.HashFunc()))
}

// SealPrefix stands before the label in what every Sealer feeds to HMAC.
const SealPrefix = "assent seal v1\x00"
