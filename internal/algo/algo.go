// Package algo is the closed set of signature algorithms that Assent knows.
//
// Every place that names an algorithm (token, SAD, CMS, CSC) uses these values,
// so that a new or a withdrawn algorithm is one change. The zero value is
// invalid. The dated policy (until when an algorithm may be used) is not here:
// it belongs to the module that decides (sam). What nobody may use is not in the set:
// SHA-1, short RSA, P-224 (CRY-02), EdDSA and post-quantum algorithms (CRY-04). Sources: ETSI TS 119 312, RFC
// 5480, RFC 5758, RFC 4055, RFC 8017.
package algo

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // registers SHA-256 for crypto.Hash.New
	_ "crypto/sha512" // registers SHA-384 and SHA-512
	"errors"
	"fmt"
	"io"
)

// ErrUnknown is returned for a name or number outside the closed set.
var ErrUnknown = errors.New("algo: not an approved algorithm")

// ErrKeyMismatch is returned when a key cannot be used with an algorithm.
var ErrKeyMismatch = errors.New("algo: key does not fit the algorithm")

// Algorithm is a complete signature algorithm: key family, scheme and digest.
type Algorithm uint8

// The closed set. Numbers are stored; never renumber.
const (
	ES256 Algorithm = iota + 1 // ECDSA P-256 with SHA-256
	ES384                      // ECDSA P-384 with SHA-384
	ES512                      // ECDSA P-521 with SHA-512
	RS256                      // RSASSA-PKCS1-v1_5 with SHA-256
	RS384                      // RSASSA-PKCS1-v1_5 with SHA-384
	RS512                      // RSASSA-PKCS1-v1_5 with SHA-512
	PS256                      // RSASSA-PSS, SHA-256, MGF1-SHA-256, salt 32
	PS384                      // RSASSA-PSS, SHA-384, MGF1-SHA-384, salt 48
	PS512                      // RSASSA-PSS, SHA-512, MGF1-SHA-512, salt 64
)

// KeyType is the kind and size of a key pair.
type KeyType string

// The key types that can be generated.
const (
	P256    KeyType = "P-256"
	P384    KeyType = "P-384"
	P521    KeyType = "P-521"
	RSA2048 KeyType = "RSA-2048" // legacy
	RSA3072 KeyType = "RSA-3072"
	RSA4096 KeyType = "RSA-4096"
)

type row struct {
	name string
	hash crypto.Hash
	pss  bool
	ec   bool
}

// rows are the set by number; 0 is no algorithm.
var rows = [...]row{
	ES256: {"ES256", crypto.SHA256, false, true},
	ES384: {"ES384", crypto.SHA384, false, true},
	ES512: {"ES512", crypto.SHA512, false, true},
	RS256: {"RS256", crypto.SHA256, false, false},
	RS384: {"RS384", crypto.SHA384, false, false},
	RS512: {"RS512", crypto.SHA512, false, false},
	PS256: {"PS256", crypto.SHA256, true, false},
	PS384: {"PS384", crypto.SHA384, true, false},
	PS512: {"PS512", crypto.SHA512, true, false},
}

// Parse returns the algorithm of a name such as "ES256". Names are the JOSE
// names (RFC 7518 section 3.1); they are exact, case matters.
func Parse(name string) (Algorithm, error) {
	for a, r := range rows {
		if a > 0 && r.name == name {
			return Algorithm(a), nil
		}
	}
	return 0, fmt.Errorf("%w: %q", ErrUnknown, name)
}

// All returns the closed set in a fixed order.
func All() []Algorithm {
	return []Algorithm{ES256, ES384, ES512, RS256, RS384, RS512, PS256, PS384, PS512}
}

// String returns the JOSE name, or "invalid".
func (a Algorithm) String() string {
	if a.Valid() {
		return a.row().name
	}
	return "invalid"
}

// MarshalText implements encoding.TextMarshaler.
func (a Algorithm) MarshalText() ([]byte, error) {
	if !a.Valid() {
		return nil, ErrUnknown
	}
	return []byte(a.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Algorithm) UnmarshalText(b []byte) error {
	v, err := Parse(string(b))
	if err != nil {
		return err
	}
	*a = v
	return nil
}

// Valid tells whether a is in the closed set.
func (a Algorithm) Valid() bool { return a > 0 && int(a) < len(rows) }

// row is what is known of a, nothing if it is invalid.
func (a Algorithm) row() row {
	if !a.Valid() {
		return row{}
	}
	return rows[a]
}

// Hash returns the digest, 0 when a is invalid.
func (a Algorithm) Hash() crypto.Hash { return a.row().hash }

// IsECDSA tells whether a is an ECDSA algorithm.
func (a Algorithm) IsECDSA() bool { return a.row().ec }

// IsPSS tells whether a is RSASSA-PSS.
func (a Algorithm) IsPSS() bool { return a.row().pss }

// SignerOpts returns what crypto.Signer.Sign takes for a.
func (a Algorithm) SignerOpts() crypto.SignerOpts {
	r := a.row()
	if r.pss {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: r.hash}
	}
	return r.hash
}

// HashName returns "sha256", "sha384" or "sha512".
func HashName(h crypto.Hash) string {
	switch h {
	case crypto.SHA256:
		return "sha256"
	case crypto.SHA384:
		return "sha384"
	case crypto.SHA512:
		return "sha512"
	}
	return ""
}

// ParseHash is the inverse of HashName.
func ParseHash(name string) (crypto.Hash, error) {
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		if HashName(h) == name {
			return h, nil
		}
	}
	return 0, fmt.Errorf("%w: hash %q", ErrUnknown, name)
}

// KeyTypeOf returns the key type of a public key.
func KeyTypeOf(pub crypto.PublicKey) (KeyType, error) {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return P256, nil
		case elliptic.P384():
			return P384, nil
		case elliptic.P521():
			return P521, nil
		}
	case *rsa.PublicKey:
		switch k.N.BitLen() {
		case 2048:
			return RSA2048, nil
		case 3072:
			return RSA3072, nil
		case 4096:
			return RSA4096, nil
		}
	}
	return "", fmt.Errorf("%w: public key %T", ErrUnknown, pub)
}

// Default returns the algorithm whose digest fits the key: SHA-256 for P-256
// and RSA, SHA-384 for P-384, SHA-512 for P-521. RSA keys sign with PKCS #1
// v1.5 by default, because every reader of PDF signatures knows it.
func (k KeyType) Default() Algorithm {
	switch k {
	case P256:
		return ES256
	case P384:
		return ES384
	case P521:
		return ES512
	case RSA2048, RSA3072, RSA4096:
		return RS256
	}
	return 0
}

// Curve returns the curve of an elliptic key type, nil for RSA and unknown types.
func (k KeyType) Curve() elliptic.Curve {
	switch k {
	case P256:
		return elliptic.P256()
	case P384:
		return elliptic.P384()
	case P521:
		return elliptic.P521()
	}
	return nil
}

// NewKey generates a key pair of the type in software. ErrUnknown for a type
// outside the closed set.
func NewKey(random io.Reader, k KeyType) (crypto.Signer, error) {
	if c := k.Curve(); c != nil {
		return ecdsa.GenerateKey(c, random)
	}
	bits := map[KeyType]int{RSA2048: 2048, RSA3072: 3072, RSA4096: 4096}[k]
	if bits == 0 {
		return nil, fmt.Errorf("%w: key type %q", ErrUnknown, k)
	}
	return rsa.GenerateKey(random, bits)
}

// Valid tells whether k is in the closed set.
func (k KeyType) Valid() bool { return k.Default() != 0 }

// Fits tells whether a key of type k can be used with a.
func (k KeyType) Fits(a Algorithm) bool {
	if !a.Valid() || !k.Valid() {
		return false
	}
	if a.IsECDSA() {
		return k.Default() == a
	}
	return k == RSA2048 || k == RSA3072 || k == RSA4096
}

// Verify checks a signature over digest. ECDSA signatures are ASN.1 DER.
func Verify(pub crypto.PublicKey, a Algorithm, digest, sig []byte) error {
	kt, err := KeyTypeOf(pub)
	if err != nil {
		return err
	}
	if !kt.Fits(a) || len(digest) != a.Hash().Size() {
		return fmt.Errorf("%w: %s with %s, digest of %d bytes", ErrKeyMismatch, kt, a, len(digest))
	}
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(k, digest, sig) {
			return ErrBadSignature
		}
		return nil
	case *rsa.PublicKey:
		return verifyRSA(k, a, digest, sig)
	}
	return ErrKeyMismatch
}

// MaxRSA bounds RSA keys of others, in bits. The work with one grows with the square of its length: a key of half a million bits takes
// half a minute to verify one signature, which nothing interrupts.
const MaxRSA = 8192

// TooLong tells whether a key is an RSA key above MaxRSA. crypto/x509 has no bound.
func TooLong(pub crypto.PublicKey) bool {
	k, ok := pub.(*rsa.PublicKey)
	return ok && k.N.BitLen() > MaxRSA
}

// VerifyForeign is Verify for signatures of others, whose keys and digests need not be of the pairs that we
// sign with: any of the curves, and RSA of 2048 to 8192 bits, with any of the digests. A curve with a shorter
// digest is as strong as that (ETSI TS 119 312, clause 7).
func VerifyForeign(pub crypto.PublicKey, a Algorithm, digest, sig []byte) error {
	if !a.Valid() || len(digest) != a.Hash().Size() {
		return fmt.Errorf("%w: %s, digest of %d bytes", ErrKeyMismatch, a, len(digest))
	}
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		if _, err := KeyTypeOf(pub); err != nil || !a.IsECDSA() {
			return OfKey(pub, fmt.Errorf("%w: %s with an elliptic key: %w", ErrKeyMismatch, a, errors.Join(err, ErrUnknown)))
		}
		if !ecdsa.VerifyASN1(k, digest, sig) {
			return ErrBadSignature
		}
		return nil
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); a.IsECDSA() || bits < 2048 || bits > MaxRSA {
			return OfKey(pub, fmt.Errorf("%w: %s with an RSA key of %d bits", ErrKeyMismatch, a, bits))
		}
		return verifyRSA(k, a, digest, sig)
	}
	return fmt.Errorf("%w: public key %T", ErrUnknown, pub)
}

func verifyRSA(k *rsa.PublicKey, a Algorithm, digest, sig []byte) error {
	var err error
	if a.IsPSS() {
		err = rsa.VerifyPSS(k, a.Hash(), digest, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.Hash()})
	} else {
		err = rsa.VerifyPKCS1v15(k, a.Hash(), digest, sig)
	}
	if err != nil {
		return ErrBadSignature
	}
	return nil
}

// ErrBadSignature is returned by Verify when the signature does not verify.
var ErrBadSignature = errors.New("algo: signature does not verify")
