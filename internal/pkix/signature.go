package pkix

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/der"
)

const (
	oidPSS     der.OID = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"
	oidMGF1    der.OID = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08"
	oidRS256   der.OID = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"
	oidRS384   der.OID = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"
	oidRS512   der.OID = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"
	oidES256   der.OID = "\x2a\x86\x48\xce\x3d\x04\x03\x02"
	oidES384   der.OID = "\x2a\x86\x48\xce\x3d\x04\x03\x03"
	oidES512   der.OID = "\x2a\x86\x48\xce\x3d\x04\x03\x04"
	oidEd25519 der.OID = "\x2b\x65\x70"
	oidSHA256  der.OID = "\x60\x86\x48\x01\x65\x03\x04\x02\x01"
	oidSHA384  der.OID = "\x60\x86\x48\x01\x65\x03\x04\x02\x02"
	oidSHA512  der.OID = "\x60\x86\x48\x01\x65\x03\x04\x02\x03"
)

// Bounds of RSA keys, in bits. The largest verifies in less than a millisecond.
const (
	minRSA = 2048
	maxRSA = 8192
)

type scheme uint8

const (
	pkcs1 scheme = iota + 1
	pss
	ec
	ed
)

// VerifySignature verifies a signature of a certificate, CRL or OCSP response:
// algorithm is the DER of the AlgorithmIdentifier. Accepted are RSA of 2048 to
// 8192 bits (PKCS #1 v1.5; PSS with one digest throughout and a salt of its
// length), ECDSA on P-256, P-384 and P-521, each with SHA-256, SHA-384 or SHA-512
// in any combination, and Ed25519. It is wider than the set that Assent signs with,
// because the authorities are others'.
func VerifySignature(key crypto.PublicKey, algorithm, signed, sig []byte) error {
	how, h, err := parseAlgorithm(algorithm)
	if err != nil {
		return err
	}
	digest := signed
	if how != ed {
		sum := h.New()
		sum.Write(signed)
		digest = sum.Sum(nil)
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < minRSA || n > maxRSA {
			return fmt.Errorf("%w: RSA key of %d bits", ErrAlgorithm, n)
		}
		return verifyRSA(k, how, h, digest, sig)
	case *ecdsa.PublicKey:
		if how != ec || k.Curve.Params().BitSize < 256 {
			return mismatch(key)
		}
		if !ecdsa.VerifyASN1(k, digest, sig) {
			return ErrSignature
		}
		return nil
	case ed25519.PublicKey:
		if how != ed {
			return mismatch(key)
		}
		if len(k) != ed25519.PublicKeySize || !ed25519.Verify(k, digest, sig) {
			return ErrSignature
		}
		return nil
	}
	return fmt.Errorf("%w: key of type %T", ErrAlgorithm, key)
}

func verifyRSA(k *rsa.PublicKey, how scheme, h crypto.Hash, digest, sig []byte) error {
	var err error
	switch how {
	case pkcs1:
		err = rsa.VerifyPKCS1v15(k, h, digest, sig)
	case pss:
		err = rsa.VerifyPSS(k, h, digest, sig, &rsa.PSSOptions{SaltLength: h.Size(), Hash: h})
	default:
		return mismatch(k)
	}
	if err != nil {
		return ErrSignature
	}
	return nil
}

func mismatch(key crypto.PublicKey) error {
	return fmt.Errorf("%w: it does not fit a key of type %T", ErrAlgorithm, key)
}

func parseAlgorithm(in []byte) (scheme, crypto.Hash, error) {
	body, err := der.Only(in, asn1.SEQUENCE, "algorithm")
	if err != nil {
		return 0, 0, err
	}
	oid, err := der.ReadOID(&body, "algorithm")
	if err != nil {
		return 0, 0, err
	}
	params := []byte(body)
	null := len(params) == 0 || bytes.Equal(params, []byte{5, 0})
	switch {
	case oid == oidPSS:
		h, err := pssDigest(params)
		return pss, h, err
	case oid == oidRS256 && null:
		return pkcs1, crypto.SHA256, nil
	case oid == oidRS384 && null:
		return pkcs1, crypto.SHA384, nil
	case oid == oidRS512 && null:
		return pkcs1, crypto.SHA512, nil
	case oid == oidES256 && null:
		return ec, crypto.SHA256, nil
	case oid == oidES384 && null:
		return ec, crypto.SHA384, nil
	case oid == oidES512 && null:
		return ec, crypto.SHA512, nil
	case oid == oidEd25519 && len(params) == 0:
		return ed, 0, nil
	}
	return 0, 0, fmt.Errorf("%w: %s", ErrAlgorithm, oid)
}

// pssDigest reads RSASSA-PSS-params (RFC 4055 section 3.1). The only accepted
// values are those that pssParams writes, so they are compared and not understood.
func pssDigest(params []byte) (crypto.Hash, error) {
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		for _, null := range []bool{true, false} {
			want, err := pssParams(h, null)
			if err == nil && bytes.Equal(params, want) {
				return h, nil
			}
		}
	}
	return 0, fmt.Errorf("%w: RSASSA-PSS parameters", ErrAlgorithm)
}

// pssParams are the parameters with one digest for the message and the mask, and a
// salt as long as it; the digest's own parameters are NULL or absent.
func pssParams(h crypto.Hash, null bool) ([]byte, error) {
	oid := map[crypto.Hash]der.OID{crypto.SHA256: oidSHA256, crypto.SHA384: oidSHA384, crypto.SHA512: oidSHA512}[h]
	digest := func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(oid)) })
			if null {
				b.AddASN1NULL()
			}
		})
	}
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(der.Context(0), digest)
		b.AddASN1(der.Context(1), func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(oidMGF1)) })
				digest(b)
			})
		})
		b.AddASN1(der.Context(2), func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(h.Size())) })
	})
	return b.Bytes()
}
