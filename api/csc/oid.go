package csc

import (
	"crypto"
	"errors"

	"github.com/assent-sign/assent/internal/algo"
)

// Object identifiers of digests, keys and curves.
const (
	OIDSHA256 = "2.16.840.1.101.3.4.2.1"
	OIDSHA384 = "2.16.840.1.101.3.4.2.2"
	OIDSHA512 = "2.16.840.1.101.3.4.2.3"
	OIDRSA    = "1.2.840.113549.1.1.1"
	OIDEC     = "1.2.840.10045.2.1"
	OIDPSS    = "1.2.840.113549.1.1.10"
	OIDP256   = "1.2.840.10045.3.1.7"
	OIDP384   = "1.3.132.0.34"
	OIDP521   = "1.3.132.0.35"
)

// ErrAlgorithm is returned for an identifier that is not served: SHA-1, MD5, a
// raw RSA operation and everything unknown.
var ErrAlgorithm = errors.New("csc: algorithm is not served")

// HashOID returns the identifier of a digest algorithm, "" for others.
func HashOID(h crypto.Hash) string {
	switch h {
	case crypto.SHA256:
		return OIDSHA256
	case crypto.SHA384:
		return OIDSHA384
	case crypto.SHA512:
		return OIDSHA512
	}
	return ""
}

// ParseHash is the inverse of HashOID.
func ParseHash(oid string) (crypto.Hash, error) {
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		if HashOID(h) == oid {
			return h, nil
		}
	}
	return 0, ErrAlgorithm
}

// SignOID returns the full signature identifier of an algorithm. All PSS
// algorithms share one; their digest is in signAlgoParams.
func SignOID(a algo.Algorithm) string {
	switch a {
	case algo.ES256:
		return "1.2.840.10045.4.3.2"
	case algo.ES384:
		return "1.2.840.10045.4.3.3"
	case algo.ES512:
		return "1.2.840.10045.4.3.4"
	case algo.RS256:
		return "1.2.840.113549.1.1.11"
	case algo.RS384:
		return "1.2.840.113549.1.1.12"
	case algo.RS512:
		return "1.2.840.113549.1.1.13"
	case algo.PS256, algo.PS384, algo.PS512:
		return OIDPSS
	}
	return ""
}

// ParseSign finds the algorithm of signAlgo. hash is hashAlgorithmOID's digest
// or 0 when the parameter is absent; it is needed for a bare key identifier
// and for PSS, and must not contradict a full identifier (clause 11.10).
func ParseSign(signAlgo string, hash crypto.Hash) (algo.Algorithm, error) {
	for _, a := range algo.All() {
		switch signAlgo {
		case SignOID(a):
			if a.Hash() == hash || hash == 0 && !a.IsPSS() {
				return a, nil
			}
		case OIDEC:
			if a.IsECDSA() && a.Hash() == hash {
				return a, nil
			}
		case OIDRSA:
			if !a.IsECDSA() && !a.IsPSS() && a.Hash() == hash {
				return a, nil
			}
		}
	}
	return 0, ErrAlgorithm
}

// KeyOID returns the identifier of a key's algorithm.
func KeyOID(k algo.KeyType) string {
	switch k {
	case algo.P256, algo.P384, algo.P521:
		return OIDEC
	case algo.RSA2048, algo.RSA3072, algo.RSA4096:
		return OIDRSA
	}
	return ""
}

// KeySize returns the size in bits and, for EC keys, the curve's identifier.
func KeySize(k algo.KeyType) (bits int, curve string) {
	switch k {
	case algo.P256:
		return 256, OIDP256
	case algo.P384:
		return 384, OIDP384
	case algo.P521:
		return 521, OIDP521
	case algo.RSA2048:
		return 2048, ""
	case algo.RSA3072:
		return 3072, ""
	case algo.RSA4096:
		return 4096, ""
	}
	return 0, ""
}
