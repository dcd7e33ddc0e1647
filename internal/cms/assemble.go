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
	a, err := parseAttr(&s, givenOne)
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
	attrs, err := parseAttrs(content, givenSet)
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
	if !ids.match(leaf, VerifyOptions{}) {
		return fmt.Errorf("%w: the leaf is %s", ErrESSMismatch, leaf.Subject)
	}
	return nil
}

// version follows RFC 5652 section 5.1 for messages without attribute
// certificates, other certificate kinds and subject key identifiers.
func (in *Input) version() byte {
	if in.ContentType.Equal(OIDData) {
		return 1
	}
	return 3
}

// build writes the ContentInfo: its parts first, each in its own octets, and then all of them behind their headers at once.
func (in *Input) build(leaf *x509.Certificate) ([]byte, error) {
	signer, err := in.signerInfo(leaf)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	encap, err := in.encapContentInfo()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	var certs []byte
	if !in.OmitCertificates {
		certs = wrapSetOf(tag0, in.Chain)
	}
	parts := [][]byte{integer(in.version()), wrap(cbasn1.SET, digestIDs[in.Alg.Hash()]), encap, certs, wrap(cbasn1.SET, signer)}
	n := total(parts)
	if n > MaxMessage {
		return nil, fmt.Errorf("%w: message of %d bytes", ErrLimit, n)
	}
	body := appendHeader(make([]byte, 0, maxHeader), cbasn1.SEQUENCE, n)
	explicit := appendHeader(make([]byte, 0, maxHeader), tag0, len(body)+n)
	der := wrap(cbasn1.SEQUENCE, append([][]byte{signedDataOID, explicit, body}, parts...)...)
	if len(der) > MaxMessage {
		return nil, fmt.Errorf("%w: message of %d bytes", ErrLimit, len(der))
	}
	return der, nil
}

// What every message says in the same octets.
var (
	signedDataOID = encoded(func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(OIDSignedData) })
	digestIDs     = encodedOfAll(algo.Algorithm.Hash, AddDigestAlgorithm)
	signatureIDs  = encodedOfAll(func(a algo.Algorithm) algo.Algorithm { return a }, addSignatureAlgorithm)
)

// encodedOfAll is what add appends for the part of each algorithm.
func encodedOfAll[K comparable](part func(algo.Algorithm) K, add func(*cryptobyte.Builder, K)) map[K][]byte {
	all := map[K][]byte{}
	for _, a := range algo.All() {
		all[part(a)] = encoded(func(b *cryptobyte.Builder) { add(b, part(a)) })
	}
	return all
}

// integer is an INTEGER below 128.
func integer(n byte) []byte { return []byte{byte(cbasn1.INTEGER), 1, n} }

func (in *Input) encapContentInfo() ([]byte, error) {
	oid := cryptobyte.NewBuilder(make([]byte, 0, maxOID))
	oid.AddASN1ObjectIdentifier(in.ContentType)
	der, err := oid.Bytes()
	if err != nil {
		return nil, err
	}
	if in.Content == nil {
		return wrap(cbasn1.SEQUENCE, der), nil
	}
	return wrap(cbasn1.SEQUENCE, der, wrap(tag0, wrap(cbasn1.OCTET_STRING, in.Content))), nil
}

func (in *Input) signerInfo(leaf *x509.Certificate) ([]byte, error) {
	number := cryptobyte.NewBuilder(make([]byte, 0, maxInteger))
	number.AddASN1BigInt(leaf.SerialNumber)
	serial, err := number.Bytes()
	if err != nil {
		return nil, err
	}
	var unsigned []byte
	if len(in.Unsigned) > 0 {
		unsigned = wrapSetOf(tag1, in.Unsigned)
	}
	return wrap(cbasn1.SEQUENCE,
		integer(1), // issuerAndSerialNumber
		wrap(cbasn1.SEQUENCE, leaf.RawIssuer, serial),
		digestIDs[in.Alg.Hash()],
		[]byte{byte(tag0)}, in.SignedAttrs[1:], // IMPLICIT [0] in place of the SET tag, nothing else changes
		signatureIDs[in.Alg],
		wrap(cbasn1.OCTET_STRING, in.Signature),
		unsigned), nil
}

// wrapSetOf writes an implicitly tagged SET OF in DER order.
func wrapSetOf(tag cbasn1.Tag, elements [][]byte) []byte {
	sorted := slices.Clone(elements)
	slices.SortFunc(sorted, bytes.Compare)
	return wrap(tag, sorted...)
}
