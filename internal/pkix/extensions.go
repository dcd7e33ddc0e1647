package pkix

import (
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/der"
)

const (
	maxExtensions = 64
	maxPolicies   = 256 // policies or mappings in a certificate
	maxPurposes   = 64

	oidSubjectKeyID      der.OID = "\x55\x1d\x0e"
	oidKeyUsage          der.OID = "\x55\x1d\x0f"
	oidSubjectAltName    der.OID = "\x55\x1d\x11"
	oidIssuerAltName     der.OID = "\x55\x1d\x12"
	oidBasicConstraints  der.OID = "\x55\x1d\x13"
	oidNameConstraints   der.OID = "\x55\x1d\x1e"
	oidCRLPoints         der.OID = "\x55\x1d\x1f"
	oidPolicies          der.OID = "\x55\x1d\x20"
	oidPolicyMappings    der.OID = "\x55\x1d\x21"
	oidAuthorityKeyID    der.OID = "\x55\x1d\x23"
	oidPolicyConstraints der.OID = "\x55\x1d\x24"
	oidExtKeyUsage       der.OID = "\x55\x1d\x25"
	oidFreshestCRL       der.OID = "\x55\x1d\x2e"
	oidInhibitAny        der.OID = "\x55\x1d\x36"
	oidAuthorityInfo     der.OID = "\x2b\x06\x01\x05\x05\x07\x01\x01"
	oidOCSPNoCheck       der.OID = "\x2b\x06\x01\x05\x05\x07\x30\x01\x05"
	oidNoRevAvail        der.OID = "\x55\x1d\x38"
	oidQCStatements      der.OID = "\x2b\x06\x01\x05\x05\x07\x01\x03"

	// AnyPolicy is the policy that stands for all (section 4.2.1.4).
	AnyPolicy der.OID = "\x55\x1d\x20\x00"
)

// Purposes of an extended key usage.
const (
	AnyPurpose          der.OID = "\x55\x1d\x25\x00"
	PurposeTimeStamping der.OID = "\x2b\x06\x01\x05\x05\x07\x03\x08"
	PurposeOCSPSigning  der.OID = "\x2b\x06\x01\x05\x05\x07\x03\x09"

	purposeServer der.OID = "\x2b\x06\x01\x05\x05\x07\x03\x01"
	purposeClient der.OID = "\x2b\x06\x01\x05\x05\x07\x03\x02"
	purposeCode   der.OID = "\x2b\x06\x01\x05\x05\x07\x03\x03"
)

// Mapping says that an issuer's policy is equal to one of its subject (section
// 4.2.1.5).
type Mapping struct{ Issuer, Subject der.OID }

// Extensions are the extensions of a certificate that path validation and
// revocation read.
type Extensions struct {
	HasBasicConstraints bool
	IsCA                bool
	PathLength          int // -1: none given
	HasKeyUsage         bool
	KeyUsage            KeyUsage
	// Purposes is nil when the extension is absent.
	Purposes     []der.OID
	SubjectKeyID []byte
	// AuthorityKeyID is its keyIdentifier, nil when absent.
	AuthorityKeyID []byte
	AltNames       []GeneralName
	HasPolicies    bool
	Policies       []der.OID
	Mappings       []Mapping
	// RequireExplicit and InhibitMapping are policyConstraints, InhibitAny is
	// inhibitAnyPolicy; -1: absent.
	RequireExplicit, InhibitMapping, InhibitAny int
	Constraints                                 *Constraints
	CRLPoints, FreshestCRL                      []DistributionPoint
	Access                                      []Access
	// OCSPNoCheck: the issuer wants no revocation check of this responder (RFC 6960
	// section 4.2.2.2.1).
	OCSPNoCheck bool
	// NoRevAvail: the issuer tells nobody whether it revoked this certificate (RFC 9608).
	NoRevAvail bool
	// Critical are critical extensions that nothing here understands.
	Critical []der.OID
}

// parse reads the content of the explicit tag of extensions.
func (x *Extensions) parse(in cryptobyte.String) error {
	return EachExtension(in, func(oid der.OID, critical bool, value []byte) error {
		known, err := x.one(oid, value)
		if err != nil {
			return err
		}
		if critical && !known {
			x.Critical = append(x.Critical, oid)
		}
		return nil
	})
}

// EachExtension reads Extensions and calls do for each; one that occurs twice is
// an error (RFC 5280 section 4.2), since readers would differ in which counts.
func EachExtension(in []byte, do func(oid der.OID, critical bool, value []byte) error) error {
	list, err := der.Only(in, asn1.SEQUENCE, "extensions")
	if err != nil {
		return err
	}
	var seen []der.OID
	for !list.Empty() {
		if len(seen) == maxExtensions {
			return der.TooMany("extensions", maxExtensions)
		}
		one, err := der.Read(&list, asn1.SEQUENCE, "extension")
		if err != nil {
			return err
		}
		oid, err := der.ReadOID(&one, "extension")
		if err != nil {
			return err
		}
		critical, err := der.ReadBool(&one, "extension")
		if err != nil {
			return err
		}
		value, err := der.Read(&one, asn1.OCTET_STRING, "extension")
		if err != nil {
			return err
		}
		if !one.Empty() || slices.Contains(seen, oid) {
			return der.Malformed("extension " + oid.String())
		}
		seen = append(seen, oid)
		if err := do(oid, critical, value); err != nil {
			return err
		}
	}
	return nil
}

// one reads an extension and tells whether it is understood.
func (x *Extensions) one(oid der.OID, value []byte) (known bool, err error) {
	switch oid {
	case oidBasicConstraints:
		err = x.basicConstraints(value)
	case oidKeyUsage:
		err = x.keyUsage(value)
	case oidExtKeyUsage:
		x.Purposes, err = parsePurposes(value)
	case oidSubjectKeyID:
		x.SubjectKeyID, err = der.Only(value, asn1.OCTET_STRING, "subject key identifier")
	case oidAuthorityKeyID:
		x.AuthorityKeyID, err = ParseAuthorityKeyID(value)
	case oidSubjectAltName:
		x.AltNames, err = ParseGeneralNames(value)
	case oidPolicies:
		x.HasPolicies = true
		x.Policies, err = parsePolicies(value)
	case oidPolicyMappings:
		x.Mappings, err = parseMappings(value)
	case oidPolicyConstraints:
		err = x.policyConstraints(value)
	case oidInhibitAny:
		s := cryptobyte.String(value)
		if x.InhibitAny, err = readSmall(&s, "inhibitAnyPolicy"); err == nil && !s.Empty() {
			err = der.Malformed("inhibitAnyPolicy")
		}
	case oidNameConstraints:
		x.Constraints, err = parseConstraints(value)
	case oidCRLPoints:
		x.CRLPoints, err = ParsePoints(value)
	case oidFreshestCRL:
		x.FreshestCRL, err = ParsePoints(value)
	case oidAuthorityInfo:
		x.Access, err = parseAccess(value)
	case oidOCSPNoCheck:
		x.OCSPNoCheck = true
	case oidNoRevAvail:
		if x.NoRevAvail = true; string(value) != "\x05\x00" {
			err = der.Malformed("noRevAvail")
		}
	case oidIssuerAltName, oidQCStatements: // neither changes the outcome; RFC 3739 section 3.2.6 lets the latter be critical
	default:
		return false, nil
	}
	return true, err
}

func readSmall(s *cryptobyte.String, what string) (int, error) {
	content, err := der.ReadInteger(s, what)
	if err != nil {
		return 0, err
	}
	return der.Small(content, what)
}

func (x *Extensions) basicConstraints(value []byte) error {
	body, err := der.Only(value, asn1.SEQUENCE, "basic constraints")
	if err != nil {
		return err
	}
	x.HasBasicConstraints = true
	if x.IsCA, err = der.ReadBool(&body, "basic constraints"); err != nil {
		return err
	}
	if body.Empty() {
		return nil
	}
	if x.PathLength, err = readSmall(&body, "path length"); err != nil {
		return err
	}
	if !body.Empty() {
		return der.Malformed("basic constraints")
	}
	return nil
}

func (x *Extensions) keyUsage(value []byte) error {
	bits, err := der.Only(value, asn1.BIT_STRING, "key usage")
	if err != nil {
		return err
	}
	flags, err := der.Flags(bits, "key usage")
	x.HasKeyUsage, x.KeyUsage = true, KeyUsage(flags)
	return err
}

func parsePurposes(value []byte) ([]der.OID, error) {
	body, err := der.Only(value, asn1.SEQUENCE, "extended key usage")
	if err != nil {
		return nil, err
	}
	out := []der.OID{}
	for !body.Empty() {
		if len(out) == maxPurposes {
			return nil, der.TooMany("purposes of a key", maxPurposes)
		}
		oid, err := der.ReadOID(&body, "extended key usage")
		if err != nil {
			return nil, err
		}
		out = append(out, oid)
	}
	if len(out) == 0 {
		return nil, der.Malformed("extended key usage without purpose")
	}
	return out, nil
}

// ParseAuthorityKeyID reads the keyIdentifier of an AuthorityKeyIdentifier; nil
// when it has none. Issuer and serial number in it help nobody to find a key.
func ParseAuthorityKeyID(value []byte) ([]byte, error) {
	body, err := der.Only(value, asn1.SEQUENCE, "authority key identifier")
	if err != nil {
		return nil, err
	}
	id, present, err := der.ReadOptional(&body, der.Primitive(0), "authority key identifier")
	if err != nil || !present {
		return nil, err
	}
	return id, nil
}

// parsePolicies reads certificatePolicies. Qualifiers are passed over: nothing of
// the outcome depends on them.
func parsePolicies(value []byte) ([]der.OID, error) {
	body, err := der.Only(value, asn1.SEQUENCE, "certificate policies")
	if err != nil {
		return nil, err
	}
	var out []der.OID
	seen := map[der.OID]bool{}
	for !body.Empty() {
		if len(out) == maxPolicies {
			return nil, der.TooMany("certificate policies", maxPolicies)
		}
		one, err := der.Read(&body, asn1.SEQUENCE, "certificate policy")
		if err != nil {
			return nil, err
		}
		oid, err := der.ReadOID(&one, "certificate policy")
		if err != nil {
			return nil, err
		}
		if _, _, err := der.ReadOptional(&one, asn1.SEQUENCE, "policy qualifiers"); err != nil {
			return nil, err
		}
		if !one.Empty() || seen[oid] { // section 4.2.1.4: a policy must not occur twice
			return nil, der.Malformed("certificate policy")
		}
		seen[oid] = true
		out = append(out, oid)
	}
	if len(out) == 0 {
		return nil, der.Malformed("empty list of certificate policies")
	}
	return out, nil
}

func parseMappings(value []byte) ([]Mapping, error) {
	body, err := der.Only(value, asn1.SEQUENCE, "policy mappings")
	if err != nil {
		return nil, err
	}
	var out []Mapping
	for !body.Empty() {
		if len(out) == maxPolicies {
			return nil, der.TooMany("policy mappings", maxPolicies)
		}
		one, err := der.Read(&body, asn1.SEQUENCE, "policy mapping")
		if err != nil {
			return nil, err
		}
		var m Mapping
		if m.Issuer, err = der.ReadOID(&one, "policy mapping"); err != nil {
			return nil, err
		}
		if m.Subject, err = der.ReadOID(&one, "policy mapping"); err != nil {
			return nil, err
		}
		if !one.Empty() {
			return nil, der.Malformed("policy mapping")
		}
		out = append(out, m)
	}
	if len(out) == 0 {
		return nil, der.Malformed("empty list of policy mappings")
	}
	return out, nil
}

func (x *Extensions) policyConstraints(value []byte) error {
	body, err := der.Only(value, asn1.SEQUENCE, "policy constraints")
	if err != nil {
		return err
	}
	for tag, field := range []*int{&x.RequireExplicit, &x.InhibitMapping} {
		c, present, err := der.ReadOptional(&body, der.Primitive(uint8(tag)), "policy constraints")
		if err != nil {
			return err
		}
		if !present {
			continue
		}
		n, err := der.Integer(c, "policy constraints")
		if err != nil {
			return err
		}
		if *field, err = der.Small(n, "policy constraints"); err != nil {
			return err
		}
	}
	if !body.Empty() || (x.RequireExplicit < 0 && x.InhibitMapping < 0) {
		return der.Malformed("policy constraints")
	}
	return nil
}
