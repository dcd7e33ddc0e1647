package cms

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/algo"
)

// Input is everything that a message with one signer is made of.
type Input struct {
	// SignedAttrs is exactly the DER SET (tag 0x31) whose digest was signed.
	SignedAttrs []byte
	Alg         algo.Algorithm
	// Signature in the form of crypto.Signer: DER for ECDSA.
	Signature []byte
	// Chain is the signer's certificate and then its issuers, DER. All of it goes
	// into the message unless OmitCertificates is set.
	Chain            [][]byte
	OmitCertificates bool
	// Parsed is Chain once more, for callers that have parsed it already; nil
	// otherwise. A certificate that is not the one of Chain is ErrInput.
	Parsed []*x509.Certificate
	// Unsigned attributes, each the DER of an Attribute.
	Unsigned [][]byte
	// ContentType of the content; nil means id-data.
	ContentType asn1.ObjectIdentifier
	// Content is encapsulated; nil leaves the signature detached.
	Content []byte
}

// Assemble writes the ContentInfo with SignedData (RFC 5652) in DER. It refuses
// a set of signed attributes that Verify would refuse: unsorted or repeated
// attributes, a content-type or message-digest that does not fit, a
// signing-certificate-v2 that names another certificate than Chain[0]. It does
// not verify the signature, so that a container can be rehearsed before there is
// one; callers verify the result with Parse and Verify.
func Assemble(in Input) ([]byte, error) {
	leaf, err := in.check()
	if err != nil {
		return nil, err
	}
	if err := checkSignatureSize(leaf, len(in.Signature)); err != nil {
		return nil, err
	}
	return in.build(leaf)
}

// MaxSize returns an upper bound of the size of the assembled message in bytes:
// ECDSA signatures vary in length, and the room for the message must be chosen
// before the signature exists. in.Signature is not looked at; the digests in
// in.SignedAttrs may be any of the right length. later is the size of attributes
// (with their headers) that AddUnsigned will add afterwards.
func MaxSize(in Input, later int) (int, error) {
	leaf, err := in.check()
	if err != nil {
		return 0, err
	}
	in.Signature = make([]byte, MaxSignature(leaf.PublicKey))
	der, err := in.build(leaf)
	if err != nil {
		return 0, err
	}
	if later > 0 {
		// Six nested length fields may grow by up to four bytes each, and the
		// field of the unsigned attributes may be new.
		later += 6*4 + 6
	}
	return len(der) + later, nil
}

// MaxSignature returns the largest size in bytes of a signature by the key: the
// modulus size for RSA, the largest Ecdsa-Sig-Value for ECDSA, 0 for other keys.
func MaxSignature(pub any) int {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return k.Size()
	case *ecdsa.PublicKey:
		bits := k.Params().N.BitLen()
		number := bits/8 + 1 // an INTEGER needs a sign bit
		body := 2 * (2 + number)
		if body > 127 {
			return body + 3
		}
		return body + 2
	}
	return 0
}

func checkSignatureSize(leaf *x509.Certificate, n int) error {
	limit := MaxSignature(leaf.PublicKey)
	_, isRSA := leaf.PublicKey.(*rsa.PublicKey)
	if n == 0 || n > limit || (isRSA && n != limit) {
		return fmt.Errorf("%w: signature of %d bytes, the key makes at most %d", ErrInput, n, limit)
	}
	return nil
}

// check validates everything but the signature and returns the leaf.
func (in *Input) check() (*x509.Certificate, error) {
	if !in.Alg.Valid() {
		return nil, fmt.Errorf("%w: %s", ErrAlgorithm, in.Alg)
	}
	if len(in.Chain) == 0 || len(in.Chain) > MaxCertificates {
		return nil, fmt.Errorf("%w: chain of %d certificates", ErrInput, len(in.Chain))
	}
	leaf, err := in.parseChain()
	if err != nil {
		return nil, err
	}
	kt, err := algo.KeyTypeOf(leaf.PublicKey)
	if err != nil || !kt.Fits(in.Alg) {
		return nil, fmt.Errorf("%w: %s with the key of %s", ErrAlgorithm, in.Alg, leaf.Subject)
	}
	if in.ContentType == nil {
		in.ContentType = OIDData
	}
	if err := in.checkUnsigned(); err != nil {
		return nil, err
	}
	return leaf, in.checkSigned(leaf)
}

// parseChain makes sure that every member of the chain is a certificate, and
// returns the signer's.
func (in *Input) parseChain() (*x509.Certificate, error) {
	if in.Parsed != nil {
		same := slices.EqualFunc(in.Parsed, in.Chain, func(c *x509.Certificate, der []byte) bool { return bytes.Equal(c.Raw, der) })
		if !same {
			return nil, fmt.Errorf("%w: the parsed chain is another one", ErrInput)
		}
		return in.Parsed[0], nil
	}
	list, err := ParseChain(in.Chain)
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// ParseChain parses each certificate of a chain. ErrInput says which one is none.
func ParseChain(chain [][]byte) ([]*x509.Certificate, error) {
	out := make([]*x509.Certificate, len(chain))
	for i, der := range chain {
		var err error
		if out[i], err = parsed.parse(der); err != nil {
			return nil, fmt.Errorf("%w: certificate %d of the chain, from the signer's: %w", ErrInput, i+1, err)
		}
	}
	return out, nil
}

func (in *Input) checkUnsigned() error {
	for i, u := range in.Unsigned {
		if err := checkAttribute(u); err != nil {
			return fmt.Errorf("%w: unsigned attribute %d: %w", ErrInput, i+1, err)
		}
	}
	return nil
}

// checkAttribute tells whether der is exactly one Attribute with a value.
func checkAttribute(der []byte) error {
	s := cryptobyte.String(der)
	a, err := parseAttr(&s, "attribute")
	if err != nil {
		return err
	}
	if !s.Empty() || len(a.Values) == 0 {
		return fmt.Errorf("%w: not one attribute with a value", ErrAttribute)
	}
	return nil
}

// checkSigned runs the checks of Verify on the attributes to be assembled.
func (in *Input) checkSigned(leaf *x509.Certificate) error {
	s := cryptobyte.String(in.SignedAttrs)
	content, err := read(&s, cbasn1.SET, "signed attributes")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInput, err)
	}
	if !s.Empty() {
		return fmt.Errorf("%w: bytes after the signed attributes", ErrInput)
	}
	attrs, err := parseAttrs(content, "signed attributes")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInput, err)
	}
	si := &SignerInfo{SignedAttrs: attrs, Digest: in.Alg.Hash()}
	if err := si.checkAttributeSet(VerifyOptions{}); err != nil {
		return err
	}
	digest, err := si.MessageDigest()
	if err != nil {
		return err
	}
	sd := &SignedData{ContentType: in.ContentType, Content: in.Content}
	if in.Content != nil {
		digest = nil // computed from the content
	}
	if err := sd.checkContent(si, digest, VerifyOptions{ContentType: in.ContentType}); err != nil {
		return err
	}
	ids, err := si.essIDs(VerifyOptions{})
	if err != nil {
		return err
	}
	if !ids.match(leaf) {
		return fmt.Errorf("%w: the leaf is %s", ErrESSMismatch, leaf.Subject)
	}
	return nil
}

// version follows RFC 5652 section 5.1 for messages without attribute
// certificates, other certificate kinds and subject key identifiers.
func (in *Input) version() int64 {
	if in.ContentType.Equal(OIDData) {
		return 1
	}
	return 3
}

func (in *Input) build(leaf *x509.Certificate) ([]byte, error) {
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // ContentInfo
		b.AddASN1ObjectIdentifier(OIDSignedData)
		b.AddASN1(tag0, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { in.addSignedData(b, leaf) })
		})
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	if len(der) > MaxMessage {
		return nil, fmt.Errorf("%w: message of %d bytes", ErrLimit, len(der))
	}
	return der, nil
}

func (in *Input) addSignedData(b *cryptobyte.Builder, leaf *x509.Certificate) {
	b.AddASN1Int64(in.version())
	b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { AddDigestAlgorithm(b, in.Alg.Hash()) })
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // encapContentInfo
		b.AddASN1ObjectIdentifier(in.ContentType)
		if in.Content != nil {
			b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(in.Content) })
		}
	})
	if !in.OmitCertificates {
		addSetOf(b, tag0, in.Chain)
	}
	b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { // signerInfos
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { in.addSignerInfo(b, leaf) })
	})
}

func (in *Input) addSignerInfo(b *cryptobyte.Builder, leaf *x509.Certificate) {
	b.AddASN1Int64(1) // issuerAndSerialNumber
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(leaf.RawIssuer)
		b.AddASN1BigInt(leaf.SerialNumber)
	})
	AddDigestAlgorithm(b, in.Alg.Hash())
	b.AddUint8(uint8(tag0)) // IMPLICIT [0] in place of the SET tag, nothing else changes
	b.AddBytes(in.SignedAttrs[1:])
	addSignatureAlgorithm(b, in.Alg)
	b.AddASN1OctetString(in.Signature)
	if len(in.Unsigned) > 0 {
		addSetOf(b, tag1, in.Unsigned)
	}
}

// addSetOf writes an implicitly tagged SET OF in DER order.
func addSetOf(b *cryptobyte.Builder, tag cbasn1.Tag, elements [][]byte) {
	sorted := slices.Clone(elements)
	slices.SortFunc(sorted, bytes.Compare)
	b.AddASN1(tag, func(b *cryptobyte.Builder) {
		for _, e := range sorted {
			b.AddBytes(e)
		}
	})
}
