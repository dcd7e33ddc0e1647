package attestation

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // hashes of the algorithms below
	_ "crypto/sha512"
	"crypto/x509"
	"fmt"
	"math/big"

	"github.com/fxamacker/cbor/v2"
)

// COSE algorithms (RFC 9053, RFC 8812) that are known here. SHA-1 is not.
const (
	ES256 = -7
	EdDSA = -8
	ES384 = -35
	ES512 = -36
	PS256 = -37
	RS256 = -257
)

// parseKey reads a COSE key that must end where the octets end. ECDSA keys must
// be on the curve that goes with their algorithm (section 5.8.5).
func parseKey(text []byte) (crypto.PublicKey, int, error) {
	var k map[int]cbor.RawMessage
	if err := decode(text, &k); err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrKey, err)
	}
	kty, err := member[int](k, 1)
	if err != nil {
		return nil, 0, err
	}
	alg, err := member[int](k, 3)
	if err != nil {
		return nil, 0, err
	}
	want := map[int]int{1: 4, 2: 5, 3: 4}[kty] // members of OKP, EC2, RSA keys
	if want == 0 || len(k) != want {
		return nil, 0, fmt.Errorf("%w: key type %d with %d members", ErrKey, kty, len(k))
	}
	var pub crypto.PublicKey
	switch {
	case kty == 2:
		pub, err = parseEC2(k, alg)
	case kty == 3 && alg == RS256:
		pub, err = parseRSA(k)
	case kty == 1 && alg == EdDSA:
		pub, err = parseOKP(k)
	default:
		err = fmt.Errorf("%w: %d with key type %d", ErrAlgorithm, alg, kty)
	}
	return pub, alg, err
}

func member[T any](k map[int]cbor.RawMessage, label int) (v T, err error) {
	raw, ok := k[label]
	if !ok {
		return v, fmt.Errorf("%w: no member %d", ErrKey, label)
	}
	if err := decode(raw, &v); err != nil {
		return v, fmt.Errorf("%w: member %d: %w", ErrKey, label, err)
	}
	return v, nil
}

func parseEC2(k map[int]cbor.RawMessage, alg int) (*ecdsa.PublicKey, error) {
	crv, err := member[int](k, -1)
	if err != nil {
		return nil, err
	}
	x, err := member[[]byte](k, -2)
	if err != nil {
		return nil, err
	}
	y, err := member[[]byte](k, -3)
	if err != nil {
		return nil, err
	}
	var curve elliptic.Curve
	switch {
	case crv == 1 && alg == ES256:
		curve = elliptic.P256()
	case crv == 2 && alg == ES384:
		curve = elliptic.P384()
	case crv == 3 && alg == ES512:
		curve = elliptic.P521()
	default:
		return nil, fmt.Errorf("%w: %d on curve %d", ErrAlgorithm, alg, crv)
	}
	n := (curve.Params().BitSize + 7) / 8
	if len(x) != n || len(y) != n {
		return nil, fmt.Errorf("%w: coordinates of %d and %d octets", ErrKey, len(x), len(y))
	}
	// ParseUncompressedPublicKey also checks that the point is on the curve.
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x...), y...))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return pub, nil
}

func parseRSA(k map[int]cbor.RawMessage) (*rsa.PublicKey, error) {
	n, err := member[[]byte](k, -1)
	if err != nil {
		return nil, err
	}
	e, err := member[[]byte](k, -2)
	if err != nil {
		return nil, err
	}
	if string(e) != "\x01\x00\x01" || len(n) < 256 || len(n) > 1024 || n[0] == 0 {
		return nil, fmt.Errorf("%w: RSA modulus of %d octets, exponent %x", ErrKey, len(n), e)
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}, nil
}

func parseOKP(k map[int]cbor.RawMessage) (ed25519.PublicKey, error) {
	crv, err := member[int](k, -1)
	if err != nil {
		return nil, err
	}
	x, err := member[[]byte](k, -2)
	if err != nil {
		return nil, err
	}
	if crv != 6 {
		return nil, fmt.Errorf("%w: EdDSA on curve %d", ErrAlgorithm, crv)
	}
	if len(x) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: Ed25519 key of %d octets", ErrKey, len(x))
	}
	return ed25519.PublicKey(x), nil
}

// checkSignature verifies sig over message under a COSE algorithm. A key of
// another kind than the algorithm's is refused by the standard library.
func checkSignature(cert *x509.Certificate, alg int, message, sig []byte) error {
	a, ok := map[int]x509.SignatureAlgorithm{
		ES256: x509.ECDSAWithSHA256, ES384: x509.ECDSAWithSHA384, ES512: x509.ECDSAWithSHA512,
		RS256: x509.SHA256WithRSA, PS256: x509.SHA256WithRSAPSS, EdDSA: x509.PureEd25519,
	}[alg]
	if !ok {
		return fmt.Errorf("%w: %d", ErrAlgorithm, alg)
	}
	if err := cert.CheckSignature(a, message, sig); err != nil {
		return fmt.Errorf("%w: %w", ErrStatement, err)
	}
	return nil
}

// hashOf is the hash of a COSE algorithm.
func hashOf(alg int) (crypto.Hash, error) {
	h, ok := map[int]crypto.Hash{
		ES256: crypto.SHA256, RS256: crypto.SHA256, PS256: crypto.SHA256, ES384: crypto.SHA384, ES512: crypto.SHA512,
	}[alg]
	if !ok {
		return 0, fmt.Errorf("%w: %d", ErrAlgorithm, alg)
	}
	return h, nil
}
