package pkix

import (
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/der"
)

const maxPoints = 64 // distribution points, names of one, access descriptions

// Reasons is a set of ReasonFlags (RFC 5280 section 4.2.1.13): bit n is flag n.
type Reasons uint16

// AllReasons are flags 1 to 8; flag 0 is unused.
const AllReasons Reasons = 0x1fe

// PointName is a DistributionPointName: one of its fields is set, or none.
type PointName struct {
	Full     []GeneralName
	relative []byte // content of a RelativeDistinguishedName
}

// IsZero tells whether the point has no name.
func (p PointName) IsZero() bool { return len(p.Full) == 0 && p.relative == nil }

// Names returns the full names, after putting a relative one under the name of the
// CRL's issuer.
func (p PointName) Names(issuer Name) ([]GeneralName, error) {
	if p.relative == nil {
		return p.Full, nil
	}
	n, err := issuer.under(p.relative)
	if err != nil {
		return nil, err
	}
	return []GeneralName{{Kind: DirectoryName, Name: n}}, nil
}

// DistributionPoint says where, from whom and for which reasons of revocation a
// CRL is to be had.
type DistributionPoint struct {
	Name PointName
	// Reasons is 0 when the point covers all.
	Reasons Reasons
	// CRLIssuer is empty when the certificate's issuer signs the CRL.
	CRLIssuer []GeneralName
}

// ParsePointName reads the content of a DistributionPointName, which is a CHOICE
// behind an explicit tag.
func ParsePointName(body cryptobyte.String) (PointName, error) {
	full, isFull, err := der.ReadOptional(&body, der.Context(0), "full name of a distribution point")
	if err != nil {
		return PointName{}, err
	}
	relative, isRelative, err := der.ReadOptional(&body, der.Context(1), "relative name of a distribution point")
	if err != nil {
		return PointName{}, err
	}
	if isFull == isRelative || !body.Empty() {
		return PointName{}, der.Malformed("name of a distribution point")
	}
	if isRelative {
		_, err := Name{}.under(relative)
		return PointName{relative: relative}, err
	}
	names, err := readGeneralNames(full)
	if len(names) > maxPoints { // each is compared with each of the other side
		return PointName{}, der.TooMany("names of a distribution point", maxPoints)
	}
	return PointName{Full: names}, err
}

// ParsePoints reads CRLDistributionPoints, the syntax of freshestCRL too.
func ParsePoints(value []byte) ([]DistributionPoint, error) {
	body, err := der.Only(value, asn1.SEQUENCE, "distribution points")
	if err != nil {
		return nil, err
	}
	var out []DistributionPoint
	for !body.Empty() {
		if len(out) == maxPoints {
			return nil, der.TooMany("distribution points", maxPoints)
		}
		one, err := der.Read(&body, asn1.SEQUENCE, "distribution point")
		if err != nil {
			return nil, err
		}
		p, err := parsePoint(one)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func parsePoint(one cryptobyte.String) (p DistributionPoint, err error) {
	name, present, err := der.ReadOptional(&one, der.Context(0), "distribution point")
	if err != nil {
		return p, err
	}
	if present {
		if p.Name, err = ParsePointName(name); err != nil {
			return p, err
		}
	}
	reasons, present, err := der.ReadOptional(&one, der.Primitive(1), "distribution point")
	if err != nil {
		return p, err
	}
	if present {
		flags, err := der.Flags(reasons, "reasons of a distribution point")
		if err != nil {
			return p, err
		}
		if p.Reasons = Reasons(flags) & AllReasons; p.Reasons == 0 {
			return p, der.Malformed("distribution point for no reason")
		}
	}
	issuer, present, err := der.ReadOptional(&one, der.Context(2), "distribution point")
	if err != nil {
		return p, err
	}
	if present {
		if p.CRLIssuer, err = readGeneralNames(issuer); err != nil {
			return p, err
		}
	}
	if !one.Empty() || (p.Name.IsZero() && len(p.CRLIssuer) == 0) {
		return p, der.Malformed("distribution point")
	}
	return p, nil
}

// Access is an AccessDescription (RFC 5280 section 4.2.2.1).
type Access struct {
	Method   der.OID
	Location GeneralName
}

// Methods of Access.
const (
	AccessOCSP      der.OID = "\x2b\x06\x01\x05\x05\x07\x30\x01" // 1.3.6.1.5.5.7.48.1
	AccessCAIssuers der.OID = "\x2b\x06\x01\x05\x05\x07\x30\x02" // 1.3.6.1.5.5.7.48.2
)

func parseAccess(value []byte) ([]Access, error) {
	body, err := der.Only(value, asn1.SEQUENCE, "authority information access")
	if err != nil {
		return nil, err
	}
	var out []Access
	for !body.Empty() {
		if len(out) == maxPoints {
			return nil, der.TooMany("access descriptions", maxPoints)
		}
		one, err := der.Read(&body, asn1.SEQUENCE, "access description")
		if err != nil {
			return nil, err
		}
		var a Access
		if a.Method, err = der.ReadOID(&one, "access description"); err != nil {
			return nil, err
		}
		if a.Location, err = readGeneralName(&one); err != nil {
			return nil, err
		}
		if !one.Empty() {
			return nil, der.Malformed("access description")
		}
		out = append(out, a)
	}
	return out, nil
}
