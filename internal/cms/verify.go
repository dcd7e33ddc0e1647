package cms

import (
	"bytes"
	"crypto"
	"crypto/subtle"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/algo"
)

// VerifyOptions says what Verify expects and which departures of foreign
// messages it lets pass. The zero value is the rule for our own signatures:
// detached id-data, DER order, ESS version 2.
type VerifyOptions struct {
	// ContentType is the expected eContentType; nil means id-data.
	ContentType asn1.ObjectIdentifier
	// Certificates are searched besides those in the message.
	Certificates []*x509.Certificate
	// AllowUnsorted accepts signed attributes that are not written in DER order. The value must be over the DER all the same
	// (RFC 5652, section 5.4).
	AllowUnsorted bool
	// AllowESSv1 accepts signing-certificate (RFC 2634, SHA-1) where version 2 is
	// absent. Time-stamp authorities still write it; binding a certificate needs
	// second-preimage resistance only.
	AllowESSv1 bool
	// AllowNoESS accepts a signer without any signing-certificate attribute, as
	// adbe.pkcs7.detached signatures have. The certificate is then named by the
	// signer identifier only, which does not protect it.
	AllowNoESS bool
	// AllowAnyKey accepts an approved key with another digest than the one that we sign with by it, such as P-384 with
	// SHA-256, which authorities and signing software of others use.
	AllowAnyKey bool
	// AllowOtherSerial lets the digest in a signing-certificate attribute decide, also where the issuer and the serial number beside it
	// are of another certificate: they are a hint (EN 319 102-1, 5.2.3.4). Misnamed tells.
	AllowOtherSerial bool
}

// Verify checks one signer of the message: the signed attributes are present,
// DER-sorted and unique; content-type and message-digest agree with the content;
// the signing-certificate attribute names the certificate that the signer
// identifier names; the algorithm is in the closed set and fits the key; the
// signature verifies. contentDigest is the digest (with si.Digest) of the
// detached content; for encapsulated content it may be nil and is computed.
//
// The returned certificate is the one whose key verified the signature. Every
// later check (chain, key usage) must be made on it and on no other certificate
// of the message (CVE-2026-39984).
func (sd *SignedData) Verify(si *SignerInfo, contentDigest []byte, opts VerifyOptions) (*x509.Certificate, error) {
	leaf, dtbsr, err := sd.CheckSigned(si, contentDigest, opts)
	if err != nil {
		return nil, err
	}
	verify := algo.Verify
	if opts.AllowAnyKey {
		verify = algo.VerifyForeign
	}
	if err := verify(leaf.PublicKey, si.Algorithm, dtbsr, si.Signature); err != nil {
		return nil, signatureError(err)
	}
	return leaf, nil
}

// CheckSigned is Verify without the signature value: it returns the certificate
// and the digest (with si.Digest) that the value must be over. It is for messages
// whose signature does not exist yet; what it accepts is not verified.
func (sd *SignedData) CheckSigned(si *SignerInfo, contentDigest []byte, opts VerifyOptions) (leaf *x509.Certificate, dtbsr []byte, err error) {
	if si.algErr != nil {
		return nil, nil, si.algErr
	}
	if si.rawSigned == nil {
		return nil, nil, ErrNoSignedAttrs
	}
	if err := si.checkAttributeSet(opts); err != nil {
		return nil, nil, err
	}
	if err := sd.checkContent(si, contentDigest, opts); err != nil {
		return nil, nil, err
	}
	if leaf, err = sd.signerCertificate(si, opts); err != nil {
		return nil, nil, err
	}
	return leaf, si.signedDigest(), nil
}

// signedDigest is what the value is over: the DER of the attributes (RFC 5652, section 5.4), in its order also where the message
// has them in another.
func (si *SignerInfo) signedDigest() []byte {
	h := si.Digest.New()
	if isSorted(si.SignedAttrs) {
		h.Write([]byte{0x31}) // the SET tag in place of [0]
		h.Write(si.rawSigned[1:])
		return h.Sum(nil)
	}
	var list [][]byte
	for _, a := range si.SignedAttrs {
		list = append(list, a.Raw)
	}
	h.Write(SortedSet(list))
	return h.Sum(nil)
}

func signatureError(err error) error {
	if errors.Is(err, algo.ErrBadSignature) {
		return ErrSignature
	}
	return fmt.Errorf("%w: %w", ErrAlgorithm, err)
}

func (si *SignerInfo) checkAttributeSet(opts VerifyOptions) error {
	for i, a := range si.SignedAttrs {
		for _, b := range si.SignedAttrs[:i] {
			if a.Type.Equal(b.Type) {
				return fmt.Errorf("%w: signed attribute %s is present twice", ErrAttribute, a.Type)
			}
		}
	}
	if !opts.AllowUnsorted && !isSorted(si.SignedAttrs) {
		return ErrUnsorted
	}
	return nil
}

func (sd *SignedData) checkContent(si *SignerInfo, contentDigest []byte, opts VerifyOptions) error {
	want := opts.ContentType
	if want == nil {
		want = OIDData
	}
	if !sd.ContentType.Equal(want) {
		return fmt.Errorf("%w: eContentType is %s, want %s", ErrContentType, sd.ContentType, want)
	}
	if err := checkContentTypeAttr(si.SignedAttrs, want); err != nil {
		return err
	}
	if sd.Content != nil {
		h := si.Digest.New()
		h.Write(sd.Content)
		own := h.Sum(nil)
		if contentDigest != nil && !bytes.Equal(own, contentDigest) {
			return fmt.Errorf("%w: the encapsulated content is not the content given", ErrMessageDigest)
		}
		contentDigest = own
	}
	md, err := si.MessageDigest()
	if err != nil {
		return err
	}
	if len(contentDigest) != si.Digest.Size() || subtle.ConstantTimeCompare(md, contentDigest) != 1 {
		return ErrMessageDigest
	}
	return nil
}

func checkContentTypeAttr(attrs []Attr, want asn1.ObjectIdentifier) error {
	v, err := single(attrs, OIDContentType, "content-type")
	if err != nil {
		return err
	}
	s := cryptobyte.String(v)
	oid, err := ReadOID(&s, "content-type attribute")
	if err != nil {
		return err
	}
	if !s.Empty() || !oid.Equal(want) {
		return fmt.Errorf("%w: the content-type attribute is %s, want %s", ErrContentType, oid, want)
	}
	return nil
}

// signerCertificate finds the certificate by the signer identifier and by the
// signing-certificate attribute, which must agree. Several certificates may
// carry the same issuer and serial number (an attacker can add some): the
// protected attribute decides.
func (sd *SignedData) signerCertificate(si *SignerInfo, opts VerifyOptions) (*x509.Certificate, error) {
	ids, err := si.essIDs(opts)
	if err != nil {
		return nil, err
	}
	named := false
	for _, c := range sd.candidates(si, opts) {
		named = true
		if ids.match(c, opts) {
			return c, nil
		}
	}
	if named {
		return nil, ErrESSMismatch
	}
	return nil, ErrNoCertificate
}

// candidates returns the certificates that the signer identifier names.
func (sd *SignedData) candidates(si *SignerInfo, opts VerifyOptions) []*x509.Certificate {
	var found []*x509.Certificate
	for _, raw := range sd.RawCertificates {
		if si.SubjectKeyID == nil && !bytes.Contains(raw, si.Issuer) {
			continue // cheap; parsing a certificate is not, and the message may hold a hundred
		}
		if c, err := parsed.parse(raw); err == nil && si.names(c) {
			found = append(found, c)
		}
	}
	for _, c := range opts.Certificates {
		if si.names(c) {
			found = append(found, c)
		}
	}
	return found
}

// names tells whether the signer identifier fits the certificate.
func (si *SignerInfo) names(c *x509.Certificate) bool {
	if si.SubjectKeyID != nil {
		return bytes.Equal(c.SubjectKeyId, si.SubjectKeyID)
	}
	return bytes.Equal(c.RawIssuer, si.Issuer) && c.SerialNumber.Cmp(si.Serial) == 0
}

// essID is the first certificate identifier of a signing-certificate attribute.
type essID struct {
	hash   crypto.Hash
	digest []byte
	issuer []byte   // DER of the directory name, nil when absent
	serial *big.Int // nil when absent
}

// essIDs holds one identifier per attribute version present; all must match.
type essIDs []essID

func (ids essIDs) match(c *x509.Certificate, opts VerifyOptions) bool {
	for _, id := range ids {
		h := id.hash.New()
		h.Write(c.Raw)
		if !bytes.Equal(h.Sum(nil), id.digest) {
			return false
		}
		if !opts.AllowOtherSerial && id.misnames(c) {
			return false
		}
	}
	return true
}

func (id *essID) misnames(c *x509.Certificate) bool {
	return id.serial != nil && (c.SerialNumber.Cmp(id.serial) != 0 || !bytes.Equal(c.RawIssuer, id.issuer))
}

// Misnamed tells whether a signing-certificate attribute has the issuer and serial number of another certificate than the one given.
func (si *SignerInfo) Misnamed(c *x509.Certificate) bool {
	ids, err := si.essIDs(VerifyOptions{AllowESSv1: true, AllowNoESS: true})
	return err == nil && slices.ContainsFunc(ids, func(id essID) bool { return id.misnames(c) })
}

// Misnames tells whether an IssuerSerial in DER (RFC 5035, section 4) is not that of a certificate, or cannot be read.
func Misnames(issuerSerial []byte, c *x509.Certificate) bool {
	var id essID
	s := cryptobyte.String(issuerSerial)
	return id.readIssuerSerial(&s) != nil || id.misnames(c)
}

func (si *SignerInfo) essIDs(opts VerifyOptions) (essIDs, error) {
	var ids essIDs
	v2, v1 := has(si.SignedAttrs, OIDSigningCertificateV2), has(si.SignedAttrs, OIDSigningCertificate)
	if v2 {
		id, err := essFrom(si.SignedAttrs, OIDSigningCertificateV2, "signing-certificate-v2")
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	if v1 {
		id, err := essFrom(si.SignedAttrs, OIDSigningCertificate, "signing-certificate")
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	switch {
	case !v2 && v1 && !opts.AllowESSv1:
		return nil, fmt.Errorf("%w: only version 1 (SHA-1) is there", ErrNoESS)
	case !v2 && !v1 && !opts.AllowNoESS:
		return nil, ErrNoESS
	}
	return ids, nil
}

// essFrom reads SigningCertificate or SigningCertificateV2. The first
// identifier is the signer's certificate (RFC 5035 section 3).
func essFrom(attrs []Attr, oid asn1.ObjectIdentifier, name string) (essID, error) {
	v, err := single(attrs, oid, name)
	if err != nil {
		return essID{}, err
	}
	s := cryptobyte.String(v)
	outer, err := read(&s, cbasn1.SEQUENCE, name)
	if err != nil {
		return essID{}, err
	}
	certs, err := read(&outer, cbasn1.SEQUENCE, name+" certs")
	if err != nil {
		return essID{}, err
	}
	body, err := read(&certs, cbasn1.SEQUENCE, name+" ESSCertID")
	if err != nil {
		return essID{}, err
	}
	id := essID{hash: crypto.SHA1}
	if oid.Equal(OIDSigningCertificateV2) {
		id.hash = crypto.SHA256
		if body.PeekASN1Tag(cbasn1.SEQUENCE) {
			if id.hash, err = ReadDigestAlgorithm(&body); err != nil {
				return essID{}, err
			}
		}
	}
	digest, err := read(&body, cbasn1.OCTET_STRING, name+" certHash")
	if err != nil {
		return essID{}, err
	}
	id.digest = digest
	if !body.Empty() {
		err = id.readIssuerSerial(&body)
	}
	return id, err
}

// readIssuerSerial reads IssuerSerial (RFC 5035 section 4). Its issuer is a
// GeneralNames that must hold exactly one directory name.
func (id *essID) readIssuerSerial(body *cryptobyte.String) error {
	is, err := read(body, cbasn1.SEQUENCE, "issuerSerial")
	if err != nil {
		return err
	}
	names, err := read(&is, cbasn1.SEQUENCE, "issuerSerial issuer")
	if err != nil {
		return err
	}
	name, err := read(&names, cbasn1.Tag(4).ContextSpecific().Constructed(), "issuerSerial directoryName")
	if err != nil {
		return err
	}
	element, err := readInteger(&is, "issuerSerial serialNumber")
	if err != nil {
		return err
	}
	id.issuer, id.serial = name, new(big.Int)
	if !element.ReadASN1Integer(id.serial) || !names.Empty() || !body.Empty() {
		return fmt.Errorf("%w: issuerSerial", ErrMalformed)
	}
	return nil
}
