package pkix

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/der"
)

// MaxCertificate bounds a certificate, in bytes.
const MaxCertificate = 64 << 10

// KeyUsage is a set of the named bits of RFC 5280 section 4.2.1.3: bit n is bit n.
type KeyUsage uint16

// The bits of KeyUsage that matter here.
const (
	DigitalSignature  KeyUsage = 1 << 0
	ContentCommitment KeyUsage = 1 << 1
	KeyCertSign       KeyUsage = 1 << 5
	CRLSign           KeyUsage = 1 << 6
)

// Certificate is a certificate taken apart. Nothing of it is copied: it keeps the
// octets that it was parsed from, which must not change.
type Certificate struct {
	Raw []byte // the whole
	TBS []byte // what is signed
	// Version is 1, 2 or 3.
	Version int
	// Serial is the content of the INTEGER; it may be negative or long.
	Serial          string
	Issuer, Subject Name
	NotBefore       time.Time
	NotAfter        time.Time
	// SPKI is the SubjectPublicKeyInfo; KeyBits the content of its bit string, which
	// OCSP hashes.
	SPKI, KeyBits []byte
	// PublicKey is nil for a kind of key that the standard library does not read;
	// such a key verifies nothing.
	PublicKey crypto.PublicKey
	Extensions

	algorithm, signature []byte
}

// Parse reads a certificate. The octets must be DER from the first to the last.
func Parse(in []byte) (*Certificate, error) {
	if len(in) > MaxCertificate {
		return nil, fmt.Errorf("%w: certificate of %d bytes", der.ErrLimit, len(in))
	}
	outer, err := der.Only(in, asn1.SEQUENCE, "certificate")
	if err != nil {
		return nil, err
	}
	c := &Certificate{Raw: in}
	var tbs cryptobyte.String
	if tbs, err = der.ReadElement(&outer, asn1.SEQUENCE, "tbsCertificate"); err != nil {
		return nil, err
	}
	c.TBS = tbs
	if c.algorithm, err = der.ReadElement(&outer, asn1.SEQUENCE, "signatureAlgorithm"); err != nil {
		return nil, err
	}
	bits, err := der.Read(&outer, asn1.BIT_STRING, "signature")
	if err != nil {
		return nil, err
	}
	if len(bits) > 0 && bits[0] == 0 { // no algorithm signs in bits; what does not end with an octet verifies nothing
		c.signature = bits[1:]
	}
	if !outer.Empty() {
		return nil, der.Malformed("certificate: more than three fields")
	}
	body, err := der.Only(tbs, asn1.SEQUENCE, "tbsCertificate")
	if err != nil {
		return nil, err
	}
	if err := c.parseTBS(body); err != nil {
		return nil, err
	}
	return c, nil
}

// ParseAll reads certificates in order.
func ParseAll(ders ...[]byte) ([]*Certificate, error) {
	out := make([]*Certificate, 0, len(ders))
	for i, in := range ders {
		c, err := Parse(in)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i+1, err)
		}
		out = append(out, c)
	}
	return out, nil
}

func (c *Certificate) parseTBS(s cryptobyte.String) error {
	version, explicit, err := der.ReadOptional(&s, der.Context(0), "version")
	if err != nil {
		return err
	}
	c.Version = 1
	if explicit {
		v, err := der.ReadInteger(&version, "version")
		if err != nil {
			return err
		}
		if !version.Empty() || (v != "\x01" && v != "\x02") {
			return der.Malformed("version of a certificate")
		}
		c.Version = int(v[0]) + 1
	}
	if c.Serial, err = der.ReadInteger(&s, "serial number"); err != nil {
		return err
	}
	inner, err := der.ReadElement(&s, asn1.SEQUENCE, "signature")
	if err != nil {
		return err
	}
	if !bytes.Equal(inner, c.algorithm) { // section 4.1.1.2; else what is signed does not name the algorithm
		return der.Malformed("certificate: two signature algorithms")
	}
	if c.Issuer, err = readName(&s); err != nil {
		return err
	}
	if err := c.parseValidity(&s); err != nil {
		return err
	}
	if c.Subject, err = readName(&s); err != nil {
		return err
	}
	if err := c.parseKey(&s); err != nil {
		return err
	}
	return c.parseRest(&s)
}

func (c *Certificate) parseValidity(s *cryptobyte.String) error {
	v, err := der.Read(s, asn1.SEQUENCE, "validity")
	if err != nil {
		return err
	}
	if c.NotBefore, err = der.ReadTime(&v, "notBefore"); err != nil {
		return err
	}
	if c.NotAfter, err = der.ReadTime(&v, "notAfter"); err != nil {
		return err
	}
	if !v.Empty() {
		return der.Malformed("validity")
	}
	return nil
}

func (c *Certificate) parseKey(s *cryptobyte.String) error {
	spki, err := der.ReadElement(s, asn1.SEQUENCE, "subject public key")
	if err != nil {
		return err
	}
	c.SPKI = spki
	body, err := der.Only(spki, asn1.SEQUENCE, "subject public key")
	if err != nil {
		return err
	}
	if _, err = der.Read(&body, asn1.SEQUENCE, "algorithm of the subject public key"); err != nil {
		return err
	}
	if c.KeyBits, err = der.ReadBits(&body, "subject public key"); err != nil {
		return err
	}
	if !body.Empty() {
		return der.Malformed("subject public key")
	}
	if key, err := x509.ParsePKIXPublicKey(spki); err == nil {
		c.PublicKey = key
	}
	return nil
}

// parseRest takes unique identifiers, which say nothing, and extensions.
func (c *Certificate) parseRest(s *cryptobyte.String) error {
	c.PathLength, c.RequireExplicit, c.InhibitMapping, c.InhibitAny = -1, -1, -1, -1
	for tag := uint8(1); tag <= 2; tag++ {
		if _, _, err := der.ReadOptional(s, der.Primitive(tag), "unique identifier"); err != nil {
			return err
		}
	}
	ext, present, err := der.ReadOptional(s, der.Context(3), "extensions")
	if err != nil {
		return err
	}
	if !s.Empty() {
		return der.Malformed("certificate: fields behind the extensions")
	}
	if !present {
		return nil
	}
	if c.Version != 3 {
		return der.Malformed("extensions in a certificate before version 3")
	}
	return c.parse(ext)
}

// SelfIssued tells whether issuer and subject are the same name (section 6.1).
func (c *Certificate) SelfIssued() bool { return c.Issuer.Equal(c.Subject) }

// Equal tells whether two certificates are the same octets.
func (c *Certificate) Equal(o *Certificate) bool { return bytes.Equal(c.Raw, o.Raw) }

// String names the certificate for messages.
func (c *Certificate) String() string {
	return fmt.Sprintf("%q (serial %s)", c.Subject.String(), hex.EncodeToString([]byte(c.Serial)))
}

// CheckIssuedBy verifies the certificate's signature with the key of another and
// that this other has the issuer's name; nothing else.
func (c *Certificate) CheckIssuedBy(issuer *Certificate) error {
	return c.CheckIssuedWith(issuer, func(issuer *Certificate, algorithm, signed, sig []byte) error {
		return VerifySignature(issuer.PublicKey, algorithm, signed, sig)
	})
}

// CheckIssuedWith is CheckIssuedBy with another way to verify a signature: one that remembers.
func (c *Certificate) CheckIssuedWith(issuer *Certificate, verify func(issuer *Certificate, algorithm, signed, sig []byte) error) error {
	if !c.Issuer.Equal(issuer.Subject) {
		return fmt.Errorf("%w: %s names another issuer than %s", ErrUnknownIssuer, c, issuer)
	}
	if err := verify(issuer, c.algorithm, c.TBS, c.signature); err != nil {
		return fmt.Errorf("%s with the key of %s: %w", c, issuer, err)
	}
	return nil
}
