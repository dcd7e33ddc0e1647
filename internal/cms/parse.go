package cms

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/ber"
)

// SignedData is a parsed message. Its slices point into the bytes given to
// Parse, which must not be changed while it is in use.
type SignedData struct {
	Version         int
	ContentType     asn1.ObjectIdentifier // eContentType
	Content         []byte                // encapsulated content; nil when detached
	RawCertificates [][]byte              // X.509 certificates, DER, in message order; not yet parsed
	RawCRLs         []byte                // content of the crls field, unparsed
	Signers         []*SignerInfo

	pieces pieces
}

// pieces is what AddUnsigned puts together again.
type pieces struct {
	contentTypeOID []byte // element of ContentInfo.contentType
	head           []byte // SignedData content up to signerInfos
}

// SignerInfo is one signer of a message (RFC 5652 section 5.3).
type SignerInfo struct {
	Version int
	// Issuer (DER of the Name) and Serial identify the certificate, or
	// SubjectKeyID does; the other is nil.
	Issuer       []byte
	Serial       *big.Int
	SubjectKeyID []byte
	// Digest and Algorithm are 0 when the message names something outside the
	// closed set; Verify then says what it was.
	Digest        crypto.Hash
	Algorithm     algo.Algorithm
	SignedAttrs   []Attr // nil when the field is absent
	UnsignedAttrs []Attr
	Signature     []byte

	rawSigned []byte // element [0] of the signed attributes, nil when absent
	algErr    error
	prefix    []byte // SignerInfo content up to and including the signature
	unsigned  []byte // content of [1], nil when absent
}

// Parse reads a ContentInfo with SignedData that fills message exactly. It checks
// structure and limits, not the signature. Only DER is read.
func Parse(message []byte) (*SignedData, error) {
	sd, rest, err := parse(message)
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%w: %d bytes", ErrTrailing, len(rest))
	}
	return sd, nil
}

// ParseBER is Parse for a message of others, that may be written with indefinite lengths: it is read as its DER.
func ParseBER(message []byte) (*SignedData, error) {
	if !ber.Indefinite(message) {
		return Parse(message)
	}
	if len(message) > MaxMessage {
		return nil, fmt.Errorf("%w: message of %d bytes", ErrLimit, len(message))
	}
	out, n, err := ber.ToDER(message)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if n != len(message) {
		return nil, fmt.Errorf("%w: %d bytes", ErrTrailing, len(message)-n)
	}
	return Parse(out)
}

// ParsePadded is Parse for the /Contents string of a PDF signature, whose
// reserve is filled up with zero bytes. It also returns the message without the
// padding. Anything but zeros after the message is ErrTrailing, because data
// could hide there.
func ParsePadded(padded []byte) (sd *SignedData, message []byte, err error) {
	sd, rest, err := parse(padded)
	if err != nil {
		return nil, nil, err
	}
	if len(bytes.TrimLeft(rest, "\x00")) != 0 {
		return nil, nil, fmt.Errorf("%w: the padding is not all zero", ErrTrailing)
	}
	return sd, padded[:len(padded)-len(rest)], nil
}

func parse(message []byte) (*SignedData, []byte, error) {
	if len(message) > MaxMessage {
		return nil, nil, fmt.Errorf("%w: message of %d bytes", ErrLimit, len(message))
	}
	rest := cryptobyte.String(message)
	info, err := read(&rest, cbasn1.SEQUENCE, "ContentInfo")
	if err != nil {
		return nil, nil, err
	}
	before := info
	oid, err := ReadOID(&info, "ContentInfo")
	if err != nil {
		return nil, nil, err
	}
	if !oid.Equal(OIDSignedData) {
		return nil, nil, fmt.Errorf("%w: %s", ErrNotSignedData, oid)
	}
	sd := &SignedData{pieces: pieces{contentTypeOID: before[:len(before)-len(info)]}}
	explicit, err := read(&info, tag0, "ContentInfo content")
	if err != nil {
		return nil, nil, err
	}
	body, err := read(&explicit, cbasn1.SEQUENCE, "SignedData")
	if err != nil {
		return nil, nil, err
	}
	if !info.Empty() || !explicit.Empty() {
		return nil, nil, fmt.Errorf("%w: extra elements in ContentInfo", ErrMalformed)
	}
	if err := sd.parseBody(body); err != nil {
		return nil, nil, err
	}
	return sd, rest, nil
}

func (sd *SignedData) parseBody(body cryptobyte.String) error {
	whole := body
	var err error
	if sd.Version, err = readVersion(&body, "SignedData version"); err != nil {
		return err
	}
	if _, err = read(&body, cbasn1.SET, "digestAlgorithms"); err != nil {
		return err // the set is a hint for streaming readers; SignerInfo decides
	}
	if err = sd.parseContent(&body); err != nil {
		return err
	}
	if body.PeekASN1Tag(tag0) {
		certs, err := read(&body, tag0, "certificates")
		if err != nil {
			return err
		}
		if err = sd.parseCertificates(certs); err != nil {
			return err
		}
	}
	if body.PeekASN1Tag(tag1) {
		crls, err := read(&body, tag1, "crls")
		if err != nil {
			return err
		}
		sd.RawCRLs = crls
	}
	sd.pieces.head = whole[:len(whole)-len(body)]
	signers, err := read(&body, cbasn1.SET, "signerInfos")
	if err != nil {
		return err
	}
	if !body.Empty() {
		return fmt.Errorf("%w: extra elements in SignedData", ErrMalformed)
	}
	for !signers.Empty() {
		if len(sd.Signers) == MaxSigners {
			return fmt.Errorf("%w: more than %d signers", ErrLimit, MaxSigners)
		}
		si, err := parseSigner(&signers)
		if err != nil {
			return err
		}
		sd.Signers = append(sd.Signers, si)
	}
	return nil
}

func (sd *SignedData) parseContent(body *cryptobyte.String) error {
	encap, err := read(body, cbasn1.SEQUENCE, "encapContentInfo")
	if err != nil {
		return err
	}
	if sd.ContentType, err = ReadOID(&encap, "eContentType"); err != nil {
		return err
	}
	if encap.Empty() {
		return nil
	}
	explicit, err := read(&encap, tag0, "eContent")
	if err != nil {
		return err
	}
	content, err := read(&explicit, cbasn1.OCTET_STRING, "eContent")
	if err != nil {
		return err
	}
	if !explicit.Empty() || !encap.Empty() {
		return fmt.Errorf("%w: extra elements in encapContentInfo", ErrMalformed)
	}
	sd.Content = content
	if sd.Content == nil {
		sd.Content = []byte{}
	}
	return nil
}

// parseCertificates splits the CertificateSet. Its other choices (attribute
// certificates and the obsolete kinds) are passed over.
func (sd *SignedData) parseCertificates(s cryptobyte.String) error {
	for n := 0; !s.Empty(); n++ {
		if n == MaxCertificates {
			return fmt.Errorf("%w: more than %d certificates", ErrLimit, MaxCertificates)
		}
		cert, tag, err := readAny(&s, "certificate")
		if err != nil {
			return err
		}
		if len(cert) > MaxCertificate {
			return fmt.Errorf("%w: certificate of %d bytes", ErrLimit, len(cert))
		}
		if tag == cbasn1.SEQUENCE {
			sd.RawCertificates = append(sd.RawCertificates, cert)
		}
	}
	return nil
}

func parseSigner(s *cryptobyte.String) (*SignerInfo, error) {
	body, err := read(s, cbasn1.SEQUENCE, "SignerInfo")
	if err != nil {
		return nil, err
	}
	whole := body
	si := &SignerInfo{}
	if si.Version, err = readVersion(&body, "SignerInfo version"); err != nil {
		return nil, err
	}
	if err = si.parseSID(&body); err != nil {
		return nil, err
	}
	digest, err := readAlgorithm(&body, "digestAlgorithm")
	if err != nil {
		return nil, err
	}
	if body.PeekASN1Tag(tag0) {
		element, content, err := readBoth(&body, tag0, "signedAttrs")
		if err != nil {
			return nil, err
		}
		si.rawSigned = element
		if si.SignedAttrs, err = parseAttrs(content, signedSet); err != nil {
			return nil, err
		}
	}
	sigAlg, err := readAlgorithm(&body, "signatureAlgorithm")
	if err != nil {
		return nil, err
	}
	signature, err := read(&body, cbasn1.OCTET_STRING, "signature")
	if err != nil {
		return nil, err
	}
	si.Signature = signature
	si.prefix = whole[:len(whole)-len(body)]
	if err = si.parseUnsigned(&body); err != nil {
		return nil, err
	}
	si.setAlgorithm(digest, sigAlg)
	return si, nil
}

func (si *SignerInfo) setAlgorithm(digest, sigAlg algorithmID) {
	if si.Digest, si.algErr = digest.hash(); si.algErr == nil {
		si.Algorithm, si.algErr = sigAlg.signature(si.Digest)
	}
}

func (si *SignerInfo) parseUnsigned(body *cryptobyte.String) error {
	if body.PeekASN1Tag(tag1) {
		content, err := read(body, tag1, "unsignedAttrs")
		if err != nil {
			return err
		}
		si.unsigned = content
		if si.UnsignedAttrs, err = parseAttrs(content, unsignedSet); err != nil {
			return err
		}
	}
	if !body.Empty() {
		return fmt.Errorf("%w: extra elements in SignerInfo", ErrMalformed)
	}
	return nil
}

func (si *SignerInfo) parseSID(body *cryptobyte.String) error {
	if body.PeekASN1Tag(tagKeyID) {
		id, err := read(body, tagKeyID, "subjectKeyIdentifier")
		if err != nil {
			return err
		}
		si.SubjectKeyID = id
		return nil
	}
	sid, err := read(body, cbasn1.SEQUENCE, "issuerAndSerialNumber")
	if err != nil {
		return err
	}
	issuer, _, err := readBoth(&sid, cbasn1.SEQUENCE, "issuer")
	if err != nil {
		return err
	}
	element, err := readInteger(&sid, "serialNumber")
	if err != nil {
		return err
	}
	si.Issuer, si.Serial = issuer, new(big.Int)
	if !element.ReadASN1Integer(si.Serial) || !sid.Empty() {
		return fmt.Errorf("%w: issuerAndSerialNumber", ErrMalformed)
	}
	return nil
}

// RawSignedAttrs returns the bytes that the signature covers: the signed
// attributes exactly as they stand in the message, with the SET tag (RFC 5652
// section 5.4). It is nil when there are none.
func (si *SignerInfo) RawSignedAttrs() []byte {
	if si.rawSigned == nil {
		return nil
	}
	set := bytes.Clone(si.rawSigned)
	set[0] = 0x31
	return set
}

// Signed returns the only value of a signed attribute that must be there once.
func (si *SignerInfo) Signed(oid asn1.ObjectIdentifier) ([]byte, error) {
	return single(si.SignedAttrs, oid, "signed attribute "+oid.String())
}

// Unsigned returns the only value of an unsigned attribute that must be there
// once.
func (si *SignerInfo) Unsigned(oid asn1.ObjectIdentifier) ([]byte, error) {
	return single(si.UnsignedAttrs, oid, "unsigned attribute "+oid.String())
}

// MessageDigest returns the value of the message-digest attribute.
func (si *SignerInfo) MessageDigest() ([]byte, error) {
	v, err := single(si.SignedAttrs, OIDMessageDigest, "message-digest")
	if err != nil {
		return nil, err
	}
	return octets(v, "message-digest")
}

// TimeStampTokens returns the DER of every signature time-stamp (RFC 3161
// appendix A): tokens over the digest of Signature.
func (si *SignerInfo) TimeStampTokens() [][]byte {
	var tokens [][]byte
	for _, a := range si.UnsignedAttrs {
		if a.Type.Equal(OIDTimeStampToken) {
			tokens = append(tokens, a.Values...)
		}
	}
	return tokens
}

// Certificates parses the certificates of the message; those that Go cannot
// parse are left out.
func (sd *SignedData) Certificates() []*x509.Certificate {
	var certs []*x509.Certificate
	for _, raw := range sd.RawCertificates {
		if c, err := x509.ParseCertificate(raw); err == nil {
			certs = append(certs, c)
		}
	}
	return certs
}

// Signer returns the only signer of the message. PAdES (EN 319 142-1) and
// RFC 3161 both allow exactly one.
func (sd *SignedData) Signer() (*SignerInfo, error) {
	if len(sd.Signers) != 1 {
		return nil, fmt.Errorf("%w: it has %d", ErrSignerCount, len(sd.Signers))
	}
	return sd.Signers[0], nil
}
