package cms

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // ESS signing-certificate version 1 (RFC 2634) knows only SHA-1
	"encoding/asn1"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Attribute returns the DER of an Attribute (RFC 5652 section 5.3): the type
// and the SET OF its values, each given in DER and written in DER order. It
// returns nil when the identifier cannot be encoded or there is no value;
// SortedSet and Assemble refuse such an attribute.
func Attribute(oid asn1.ObjectIdentifier, valuesDER ...[]byte) []byte {
	if len(valuesDER) == 0 {
		return nil
	}
	values := slices.Clone(valuesDER)
	slices.SortFunc(values, bytes.Compare)
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
			for _, v := range values {
				b.AddBytes(v)
			}
		})
	})
	der, err := b.Bytes()
	if err != nil {
		return nil
	}
	return der
}

// ContentTypeAttr returns the content-type attribute (RFC 5652 section 11.1).
func ContentTypeAttr(contentType asn1.ObjectIdentifier) []byte {
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1ObjectIdentifier(contentType)
	v, err := b.Bytes()
	if err != nil {
		return nil
	}
	return Attribute(OIDContentType, v)
}

// MessageDigestAttr returns the message-digest attribute (RFC 5652 section
// 11.2) for the digest of the content.
func MessageDigestAttr(digest []byte) []byte {
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1OctetString(digest)
	return Attribute(OIDMessageDigest, b.BytesOrPanic())
}

// SigningTimeAttr returns the signing-time attribute (RFC 5652 section 11.3),
// to the second, in UTC. PAdES baseline signatures must not have it.
func SigningTimeAttr(t time.Time) []byte {
	t = t.UTC()
	b := cryptobyte.NewBuilder(nil)
	if y := t.Year(); y >= 1950 && y < 2050 {
		b.AddASN1UTCTime(t)
	} else {
		b.AddASN1GeneralizedTime(t)
	}
	v, err := b.Bytes()
	if err != nil {
		return nil
	}
	return Attribute(OIDSigningTime, v)
}

// SigningCertificateV2Attr returns the ESS signing-certificate-v2 attribute
// (RFC 5035 section 3) that binds the signature to one certificate. SHA-256 is
// the default of the structure and is therefore omitted, as DER demands; the
// optional issuerSerial is left out. It returns nil for a hash outside SHA-256,
// SHA-384 and SHA-512.
func SigningCertificateV2Attr(certDER []byte, h crypto.Hash) []byte {
	if _, err := hashOID(h); err != nil {
		return nil
	}
	sum := h.New()
	sum.Write(certDER)
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // SigningCertificateV2
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // certs
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // ESSCertIDv2
				if h != crypto.SHA256 {
					AddDigestAlgorithm(b, h)
				}
				b.AddASN1OctetString(sum.Sum(nil))
			})
		})
	})
	v, err := b.Bytes()
	if err != nil {
		return nil
	}
	return Attribute(OIDSigningCertificateV2, v)
}

// SortedSet returns the SET OF (tag 0x31) of the attributes in DER order. These
// bytes are hashed and signed (RFC 5652 section 5.4), and given to Assemble
// unchanged. It returns nil when an attribute is nil.
func SortedSet(attrs [][]byte) []byte {
	sorted := slices.Clone(attrs)
	slices.SortFunc(sorted, bytes.Compare)
	for _, a := range sorted {
		if len(a) == 0 {
			return nil
		}
	}
	return wrap(cbasn1.SET, sorted...)
}

// Attr is one attribute of a parsed message. All slices point into the message.
type Attr struct {
	Type   asn1.ObjectIdentifier
	Values [][]byte // each the DER of one value
	Raw    []byte   // the DER of the whole attribute
}

// attrSet is what the parts of a set of attributes are called in errors: put together once, and not for every one that is read.
type attrSet struct{ set, attribute, typ, values, value string }

func newAttrSet(set string) *attrSet {
	return &attrSet{set, "attribute of " + set, "attribute type of " + set, "attribute values of " + set, "attribute value of " + set}
}

var (
	signedSet   = newAttrSet("signedAttrs")
	unsignedSet = newAttrSet("unsignedAttrs")
	givenSet    = newAttrSet("signed attributes")
	givenOne    = newAttrSet("attribute")
)

// parseAttrs reads the content of a SET OF Attribute.
func parseAttrs(s cryptobyte.String, in *attrSet) ([]Attr, error) {
	attrs := make([]Attr, 0, 4)
	for !s.Empty() {
		if len(attrs) == MaxAttributes {
			return nil, fmt.Errorf("%w: more than %d attributes in %s", ErrLimit, MaxAttributes, in.set)
		}
		a, err := parseAttr(&s, in)
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, a)
	}
	return attrs, nil
}

func parseAttr(s *cryptobyte.String, in *attrSet) (Attr, error) {
	raw, body, err := readBoth(s, cbasn1.SEQUENCE, in.attribute)
	if err != nil {
		return Attr{}, err
	}
	a := Attr{Raw: raw}
	if a.Type, err = ReadOID(&body, in.typ); err != nil {
		return Attr{}, err
	}
	values, err := read(&body, cbasn1.SET, in.values)
	if err != nil {
		return Attr{}, err
	}
	if !body.Empty() {
		return Attr{}, fmt.Errorf("%w: attribute of %s has extra elements", ErrMalformed, in.set)
	}
	for !values.Empty() {
		if len(a.Values) == MaxValues {
			return Attr{}, fmt.Errorf("%w: more than %d values in an attribute of %s", ErrLimit, MaxValues, in.set)
		}
		v, _, err := readAny(&values, in.value)
		if err != nil {
			return Attr{}, err
		}
		a.Values = append(a.Values, v)
	}
	return a, nil
}

// single returns the only value of the only attribute with the given type.
func single(attrs []Attr, oid asn1.ObjectIdentifier, name string) ([]byte, error) {
	var found *Attr
	for i := range attrs {
		if !attrs[i].Type.Equal(oid) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%w: %s is present twice", ErrAttribute, name)
		}
		found = &attrs[i]
	}
	if found == nil {
		return nil, fmt.Errorf("%w: %s is missing", ErrAttribute, name)
	}
	if len(found.Values) != 1 {
		return nil, fmt.Errorf("%w: %s has %d values", ErrAttribute, name, len(found.Values))
	}
	return found.Values[0], nil
}

// has tells whether an attribute of the type is there at all.
func has(attrs []Attr, oid asn1.ObjectIdentifier) bool {
	return slices.ContainsFunc(attrs, func(a Attr) bool { return a.Type.Equal(oid) })
}

// isSorted tells whether the attributes are in DER order. Equal ones may follow
// each other: X.690 section 11.6 orders a SET OF, it does not forbid repetition.
func isSorted(attrs []Attr) bool {
	for i := 1; i < len(attrs); i++ {
		if bytes.Compare(attrs[i-1].Raw, attrs[i].Raw) > 0 {
			return false
		}
	}
	return true
}

// octets returns the content of a DER OCTET STRING that fills der.
func octets(der []byte, what string) ([]byte, error) {
	s := cryptobyte.String(der)
	v, err := read(&s, cbasn1.OCTET_STRING, what)
	if err != nil {
		return nil, err
	}
	if !s.Empty() {
		return nil, fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	return v, nil
}
