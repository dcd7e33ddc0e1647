package cms

import (
	"crypto"
	"encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/algo"
)

var (
	oidSHA256 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSHA384 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}
	oidSHA512 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}

	oidRSA   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidMGF1  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}
	oidPSS   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidRS256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidRS384 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}
	oidRS512 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}
	oidES256 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidES384 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}
	oidES512 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}
)

// hashOID returns the identifier of a digest of the closed set.
func hashOID(h crypto.Hash) (asn1.ObjectIdentifier, error) {
	switch h {
	case crypto.SHA256:
		return oidSHA256, nil
	case crypto.SHA384:
		return oidSHA384, nil
	case crypto.SHA512:
		return oidSHA512, nil
	}
	return nil, fmt.Errorf("%w: hash %d", ErrAlgorithm, h)
}

// AddDigestAlgorithm appends the AlgorithmIdentifier of a digest (SHA-256,
// SHA-384, SHA-512) with absent parameters (RFC 5754 section 2). It exists for
// the other structures that name a digest, such as a message imprint.
func AddDigestAlgorithm(b *cryptobyte.Builder, h crypto.Hash) {
	oid, err := hashOID(h)
	if err != nil {
		b.SetError(err)
		return
	}
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid) })
}

// addHashNull is a digest identifier with NULL parameters: what RFC 4055
// section 2.1 prescribes inside RSASSA-PSS parameters.
func addHashNull(b *cryptobyte.Builder, h crypto.Hash) {
	oid, err := hashOID(h)
	if err != nil {
		b.SetError(err)
		return
	}
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1NULL()
	})
}

// addSignatureAlgorithm appends the signatureAlgorithm of a SignerInfo.
func addSignatureAlgorithm(b *cryptobyte.Builder, a algo.Algorithm) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		switch {
		case a.IsPSS():
			b.AddASN1ObjectIdentifier(oidPSS)
			addPSSParameters(b, a.Hash())
		case a == algo.ES256:
			b.AddASN1ObjectIdentifier(oidES256)
		case a == algo.ES384:
			b.AddASN1ObjectIdentifier(oidES384)
		case a == algo.ES512:
			b.AddASN1ObjectIdentifier(oidES512)
		default:
			// RFC 3370 section 3.2: rsaEncryption is what every reader knows; the
			// digest is the one of digestAlgorithm.
			b.AddASN1ObjectIdentifier(oidRSA)
			b.AddASN1NULL()
		}
	})
}

// addPSSParameters writes RSASSA-PSS-params (RFC 4055 section 3.1) with equal
// digests and a salt of the digest's length. The defaults of that structure are
// SHA-1, so everything but trailerField is explicit.
func addPSSParameters(b *cryptobyte.Builder, h crypto.Hash) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(tag0, func(b *cryptobyte.Builder) { addHashNull(b, h) })
		b.AddASN1(tag1, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidMGF1)
				addHashNull(b, h)
			})
		})
		b.AddASN1(tag2, func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(h.Size())) })
	})
}

// algorithmID is a split AlgorithmIdentifier. params is nil when absent.
type algorithmID struct {
	oid    asn1.ObjectIdentifier
	params []byte
}

func (a algorithmID) noParams() bool {
	return a.params == nil || (len(a.params) == 2 && a.params[0] == 5 && a.params[1] == 0)
}

// readAlgorithm takes an AlgorithmIdentifier.
func readAlgorithm(s *cryptobyte.String, what string) (algorithmID, error) {
	var a algorithmID
	body, err := read(s, cbasn1.SEQUENCE, what)
	if err != nil {
		return a, err
	}
	if a.oid, err = ReadOID(&body, what); err != nil {
		return a, err
	}
	if !body.Empty() {
		if a.params, _, err = readParams(&body, what); err != nil {
			return a, err
		}
	}
	return a, nil
}

func readParams(body *cryptobyte.String, what string) ([]byte, cbasn1.Tag, error) {
	p, tag, err := readAny(body, what)
	if err == nil && !body.Empty() {
		err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	return p, tag, err
}

// ReadDigestAlgorithm takes an AlgorithmIdentifier of a digest. Parameters may
// be absent or NULL (RFC 5754 section 2). A digest outside the closed set is
// ErrAlgorithm.
func ReadDigestAlgorithm(s *cryptobyte.String) (crypto.Hash, error) {
	a, err := readAlgorithm(s, "digest algorithm")
	if err != nil {
		return 0, err
	}
	return a.hash()
}

func (a algorithmID) hash() (crypto.Hash, error) {
	if a.noParams() {
		switch {
		case a.oid.Equal(oidSHA256):
			return crypto.SHA256, nil
		case a.oid.Equal(oidSHA384):
			return crypto.SHA384, nil
		case a.oid.Equal(oidSHA512):
			return crypto.SHA512, nil
		}
	}
	if err := a.ended(); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrAlgorithm, err)
	}
	return 0, fmt.Errorf("%w: digest %s", ErrAlgorithm, a.oid)
}

// ended are digests, and signature algorithms that name one, of which the time is over, by identifier.
var ended = map[string]string{
	"1.2.840.113549.2.5": "MD5", "1.3.14.3.2.26": "SHA-1", "1.3.36.3.2.1": "RIPEMD-160", "1.0.10118.3.0.55": "Whirlpool",
	"1.2.840.113549.1.1.4": "MD5", "1.2.840.113549.1.1.5": "SHA-1", "1.2.840.10045.4.1": "SHA-1",
}

func (a algorithmID) ended() error { return algo.EndedDigest(ended[a.oid.String()]) }

// signature maps a signatureAlgorithm and the digestAlgorithm beside it to the
// closed set. A signature algorithm that names another digest than
// digestAlgorithm is refused: which of the two a reader believes would differ.
func (a algorithmID) signature(h crypto.Hash) (algo.Algorithm, error) {
	var got algo.Algorithm
	var err error
	switch {
	case a.oid.Equal(oidPSS):
		got, err = pssAlgorithm(a.params)
	case !a.noParams():
		err = fmt.Errorf("%w: parameters of %s", ErrAlgorithm, a.oid)
	case a.oid.Equal(oidRSA):
		got = map[crypto.Hash]algo.Algorithm{crypto.SHA256: algo.RS256, crypto.SHA384: algo.RS384, crypto.SHA512: algo.RS512}[h]
	case a.oid.Equal(oidRS256):
		got = algo.RS256
	case a.oid.Equal(oidRS384):
		got = algo.RS384
	case a.oid.Equal(oidRS512):
		got = algo.RS512
	case a.oid.Equal(oidES256):
		got = algo.ES256
	case a.oid.Equal(oidES384):
		got = algo.ES384
	case a.oid.Equal(oidES512):
		got = algo.ES512
	}
	if err != nil {
		return 0, err
	}
	if err := a.ended(); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrAlgorithm, err)
	}
	if !got.Valid() || got.Hash() != h {
		return 0, fmt.Errorf("%w: signature %s with digest %s", ErrAlgorithm, a.oid, algo.HashName(h))
	}
	return got, nil
}

// pssAlgorithm reads RSASSA-PSS-params. The SHA-1 defaults, different digests
// and other salt lengths are outside the closed set.
func pssAlgorithm(params []byte) (algo.Algorithm, error) {
	bad := fmt.Errorf("%w: RSASSA-PSS parameters", ErrAlgorithm)
	s := cryptobyte.String(params)
	body, err := read(&s, cbasn1.SEQUENCE, "RSASSA-PSS parameters")
	if err != nil || !s.Empty() {
		return 0, bad
	}
	var hashField, mgfField, saltField, trailer cryptobyte.String
	var ok [4]bool
	if !body.ReadOptionalASN1(&hashField, &ok[0], tag0) || !body.ReadOptionalASN1(&mgfField, &ok[1], tag1) ||
		!body.ReadOptionalASN1(&saltField, &ok[2], tag2) || !body.ReadOptionalASN1(&trailer, &ok[3], tag3) ||
		!body.Empty() || !ok[0] || !ok[1] || !ok[2] {
		return 0, bad
	}
	h, err := ReadDigestAlgorithm(&hashField)
	if err != nil || !hashField.Empty() {
		return 0, bad
	}
	mgf, err := readAlgorithm(&mgfField, "mask generation function")
	if err != nil || !mgfField.Empty() || !mgf.oid.Equal(oidMGF1) {
		return 0, bad
	}
	inner := cryptobyte.String(mgf.params)
	mh, err := ReadDigestAlgorithm(&inner)
	if err != nil || !inner.Empty() || mh != h {
		return 0, bad
	}
	var salt, one int
	if !saltField.ReadASN1Integer(&salt) || !saltField.Empty() || salt != h.Size() {
		return 0, bad
	}
	if ok[3] && (!trailer.ReadASN1Integer(&one) || !trailer.Empty() || one != 1) {
		return 0, bad
	}
	return map[crypto.Hash]algo.Algorithm{crypto.SHA256: algo.PS256, crypto.SHA384: algo.PS384, crypto.SHA512: algo.PS512}[h], nil
}
