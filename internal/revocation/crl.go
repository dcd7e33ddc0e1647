package revocation

import (
	"bytes"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/der"
	"github.com/assent-sign/assent/internal/pkix"
)

// MaxCRL bounds a CRL, in bytes: about a million entries.
const MaxCRL = 40 << 20

const (
	oidReasonCode   der.OID = "\x55\x1d\x15"
	oidHoldCode     der.OID = "\x55\x1d\x17"
	oidInvalidity   der.OID = "\x55\x1d\x18"
	oidCertIssuer   der.OID = "\x55\x1d\x1d"
	oidCRLNumber    der.OID = "\x55\x1d\x14"
	oidDelta        der.OID = "\x55\x1d\x1b"
	oidIssuingPoint der.OID = "\x55\x1d\x1c"
	oidAuthorityKey der.OID = "\x55\x1d\x23"
	oidFreshestCRL  der.OID = "\x55\x1d\x2e"
	oidExpiredOnCRL der.OID = "\x55\x1d\x3c"
	oidIssuerAlt    der.OID = "\x55\x1d\x12"
	oidAuthorityInf der.OID = "\x2b\x06\x01\x05\x05\x07\x01\x01"
)

// CRL is a certificate revocation list taken apart (RFC 5280 section 5). Its
// entries stay octets: a list of a million costs what its octets cost.
type CRL struct {
	Raw    []byte
	Issuer pkix.Name
	// ThisUpdate is when the list was made, NextUpdate when the next will be there at
	// the latest; zero when it does not say.
	ThisUpdate, NextUpdate time.Time
	// Number is the content of the INTEGER cRLNumber, empty when absent. Base is that
	// of deltaCRLIndicator, and makes the list a delta.
	Number, Base   string
	Point          *IssuingPoint
	AuthorityKeyID []byte
	FreshestCRL    []pkix.DistributionPoint
	// KeepsExpired is the time since which certificates stay on the list after they
	// expire (X.509 expiredCertsOnCRL); zero when the list does not say.
	KeepsExpired time.Time

	tbs, algorithm, signature []byte
	entries                   cryptobyte.String
	point                     []byte    // the extension's octets
	unknown                   []der.OID // critical extensions of the list or an entry that are not understood
}

// IssuingPoint is issuingDistributionPoint (section 5.2.5): what a list is about.
type IssuingPoint struct {
	Name                             pkix.PointName
	OnlyUsers, OnlyCAs, OnlyAttrCert bool
	Indirect                         bool
	Reasons                          pkix.Reasons // 0: all
}

// entry is one revoked certificate.
type entry struct {
	serial  string
	date    time.Time
	reason  Reason
	issuers []pkix.GeneralName // nil: of the list's issuer
	unknown der.OID            // a critical extension that is not understood
}

// Reason is a CRLReason (section 5.3.1).
type Reason uint8

// The reasons that change something here.
const (
	Unspecified          Reason = 0
	KeyCompromise        Reason = 1
	AffiliationChanged   Reason = 3
	Superseded           Reason = 4
	CessationOfOperation Reason = 5
	CertificateHold      Reason = 6
	removeFromCRL        Reason = 8
)

// String is the reason's name in RFC 5280.
func (r Reason) String() string {
	names := [...]string{"unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded", "cessationOfOperation",
		"certificateHold", "unused", "removeFromCRL", "privilegeWithdrawn", "aACompromise"}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// ParseCRL reads a list in DER. All its entries are looked at, since one with a
// critical extension that is not understood spoils the list.
func ParseCRL(in []byte) (*CRL, error) {
	if len(in) > MaxCRL {
		return nil, fmt.Errorf("%w: CRL of %d bytes", ErrLimit, len(in))
	}
	c := &CRL{Raw: in}
	if err := c.parse(in); err != nil {
		return nil, fmt.Errorf("%w: CRL: %w", ErrMalformed, err)
	}
	return c, nil
}

func (c *CRL) parse(in []byte) error {
	outer, err := der.Only(in, asn1.SEQUENCE, "CRL")
	if err != nil {
		return err
	}
	var tbs cryptobyte.String
	if tbs, c.algorithm, c.signature, err = readSigned(&outer); err != nil {
		return err
	}
	c.tbs = tbs
	s, err := der.Only(tbs, asn1.SEQUENCE, "tbsCertList")
	if err != nil {
		return err
	}
	if s.PeekASN1Tag(asn1.INTEGER) {
		if v, err := der.ReadInteger(&s, "version"); err != nil || v != "\x01" {
			return der.Malformed("version of a CRL")
		}
	}
	inner, err := der.ReadElement(&s, asn1.SEQUENCE, "signature")
	if err != nil {
		return err
	}
	if !bytes.Equal(inner, c.algorithm) {
		return der.Malformed("two signature algorithms")
	}
	name, err := der.ReadElement(&s, asn1.SEQUENCE, "issuer")
	if err != nil {
		return err
	}
	if c.Issuer, err = pkix.ParseName(name); err != nil {
		return err
	}
	if c.ThisUpdate, err = der.ReadTime(&s, "thisUpdate"); err != nil {
		return err
	}
	if s.PeekASN1Tag(asn1.UTCTime) || s.PeekASN1Tag(asn1.GeneralizedTime) {
		if c.NextUpdate, err = der.ReadTime(&s, "nextUpdate"); err != nil {
			return err
		}
	}
	return c.parseLists(&s)
}

// readSigned takes the three fields of anything signed: octets, algorithm,
// signature. A signature that is no whole octets verifies nothing.
func readSigned(s *cryptobyte.String) (tbs, algorithm cryptobyte.String, signature []byte, err error) {
	if tbs, err = der.ReadElement(s, asn1.SEQUENCE, "what is signed"); err != nil {
		return nil, nil, nil, err
	}
	if algorithm, err = der.ReadElement(s, asn1.SEQUENCE, "signature algorithm"); err != nil {
		return nil, nil, nil, err
	}
	bits, err := der.Read(s, asn1.BIT_STRING, "signature")
	if err != nil {
		return nil, nil, nil, err
	}
	if len(bits) > 0 && bits[0] == 0 {
		signature = bits[1:]
	}
	return tbs, algorithm, signature, nil
}

func (c *CRL) parseLists(s *cryptobyte.String) error {
	var present bool
	var err error
	if c.entries, present, err = der.ReadOptional(s, asn1.SEQUENCE, "revoked certificates"); err != nil {
		return err
	}
	if present {
		err := c.each(func(e *entry) (bool, error) {
			if e.unknown != "" && len(c.unknown) == 0 {
				c.unknown = append(c.unknown, e.unknown)
			}
			return false, nil
		})
		if err != nil {
			return err
		}
	}
	ext, present, err := der.ReadOptional(s, der.Context(0), "extensions")
	if err != nil {
		return err
	}
	if !s.Empty() {
		return der.Malformed("fields behind the extensions")
	}
	if !present {
		return nil
	}
	return pkix.EachExtension(ext, func(oid der.OID, critical bool, value []byte) error {
		known, err := c.extension(oid, value)
		if critical && !known {
			c.unknown = append(c.unknown, oid)
		}
		return err
	})
}

func (c *CRL) extension(oid der.OID, value []byte) (known bool, err error) {
	s := cryptobyte.String(value)
	switch oid {
	case oidCRLNumber, oidDelta:
		field := &c.Number
		if oid == oidDelta {
			field = &c.Base
		}
		if *field, err = der.ReadInteger(&s, "CRL number"); err == nil && (!s.Empty() || (*field)[0] >= 0x80) {
			err = der.Malformed("CRL number")
		}
	case oidIssuingPoint:
		c.point = value
		c.Point, err = parseIssuingPoint(value)
	case oidAuthorityKey:
		c.AuthorityKeyID, err = pkix.ParseAuthorityKeyID(value)
	case oidFreshestCRL:
		c.FreshestCRL, err = pkix.ParsePoints(value)
	case oidExpiredOnCRL:
		if c.KeepsExpired, err = der.ReadGeneralized(&s, "expiredCertsOnCRL"); err == nil && !s.Empty() {
			err = der.Malformed("expiredCertsOnCRL")
		}
	case oidIssuerAlt, oidAuthorityInf:
	default:
		return false, nil
	}
	return true, err
}

func parseIssuingPoint(value []byte) (*IssuingPoint, error) {
	const what = "issuing distribution point"
	s, err := der.Only(value, asn1.SEQUENCE, what)
	if err != nil {
		return nil, err
	}
	p := &IssuingPoint{}
	name, present, err := der.ReadOptional(&s, der.Context(0), what)
	if err != nil {
		return nil, err
	}
	if present {
		if p.Name, err = pkix.ParsePointName(name); err != nil {
			return nil, err
		}
	}
	flags := []*bool{1: &p.OnlyUsers, 2: &p.OnlyCAs, 4: &p.Indirect, 5: &p.OnlyAttrCert}
	for tag := uint8(1); tag <= 5; tag++ {
		c, present, err := der.ReadOptional(&s, der.Primitive(tag), what)
		if err != nil {
			return nil, err
		}
		if !present {
			continue
		}
		if tag == 3 {
			bits, err := der.Flags(c, what)
			if p.Reasons = pkix.Reasons(bits) & pkix.AllReasons; err != nil || p.Reasons == 0 {
				return nil, der.Malformed(what + ": reasons")
			}
			continue
		}
		if *flags[tag], err = der.Bool(c, what); err != nil {
			return nil, err
		}
	}
	if !s.Empty() {
		return nil, der.Malformed(what)
	}
	return p, nil
}

// each calls do for every entry, in order, until it says stop. An entry without
// certificateIssuer is of the issuer of the entry before (section 5.3.3).
func (c *CRL) each(do func(*entry) (stop bool, err error)) error {
	var e entry
	for s := c.entries; !s.Empty(); {
		body, err := der.Read(&s, asn1.SEQUENCE, "entry of a CRL")
		if err != nil {
			return err
		}
		if err := e.parse(body); err != nil {
			return err
		}
		if stop, err := do(&e); stop || err != nil {
			return err
		}
	}
	return nil
}

func (e *entry) parse(s cryptobyte.String) error {
	*e = entry{issuers: e.issuers}
	var err error
	if e.serial, err = der.ReadInteger(&s, "entry of a CRL"); err != nil {
		return err
	}
	if e.date, err = der.ReadTime(&s, "entry of a CRL"); err != nil {
		return err
	}
	if s.Empty() {
		return nil
	}
	ext, err := der.ReadElement(&s, asn1.SEQUENCE, "entry of a CRL")
	if err != nil {
		return err
	}
	if !s.Empty() {
		return der.Malformed("entry of a CRL")
	}
	return pkix.EachExtension(ext, e.extension)
}

func (e *entry) extension(oid der.OID, critical bool, value []byte) error {
	switch oid {
	case oidReasonCode:
		r, err := parseReason(value)
		e.reason = r
		return err
	case oidCertIssuer:
		names, err := pkix.ParseGeneralNames(value)
		e.issuers = names
		return err
	case oidInvalidity, oidHoldCode:
	default:
		if critical {
			e.unknown = oid
		}
	}
	return nil
}

func parseReason(in []byte) (Reason, error) {
	c, err := der.Only(in, asn1.ENUM, "reason of revocation")
	if err != nil {
		return 0, err
	}
	if len(c) != 1 || c[0] > 10 || c[0] == 7 {
		return 0, der.Malformed("reason of revocation")
	}
	return Reason(c[0]), nil
}

// find returns the entry of a certificate on the list, nil if there is none. Lists
// have one for each certificate; where one has two, a revocation counts.
func (c *CRL) find(cert *pkix.Certificate) (*entry, error) {
	var found *entry
	var issuers *pkix.GeneralName // of the entries that ours was last computed for
	ours := c.Issuer.Equal(cert.Issuer)
	err := c.each(func(e *entry) (bool, error) {
		if e.issuers != nil && &e.issuers[0] != issuers {
			issuers, ours = &e.issuers[0], hasName(e.issuers, cert.Issuer)
		}
		if ours && e.serial == cert.Serial {
			one := *e
			found = &one
		}
		return found != nil && found.reason != removeFromCRL, nil
	})
	return found, err
}

// newer compares CRL numbers.
func newer(a, b string) bool {
	x, y := bytes.TrimLeft([]byte(a), "\x00"), bytes.TrimLeft([]byte(b), "\x00")
	if len(x) != len(y) {
		return len(x) > len(y)
	}
	return bytes.Compare(x, y) > 0
}

// expiredKept tells whether the list speaks about a certificate at all, given that
// lists drop certificates once they expire.
func (c *CRL) expiredKept(cert *pkix.Certificate) bool {
	return !c.ThisUpdate.After(cert.NotAfter) || (!c.KeepsExpired.IsZero() && !c.KeepsExpired.After(cert.NotAfter))
}
