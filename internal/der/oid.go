package der

import (
	"crypto/x509"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// OID is an object identifier: the content octets of its DER encoding. Unlike
// asn1.ObjectIdentifier it can be compared, be a key of a map and be a constant,
// and its arcs have no upper bound (2.25 carries UUIDs).
type OID string

// String is the dotted form.
func (o OID) String() string {
	var x x509.OID
	if err := x.UnmarshalBinary([]byte(o)); err != nil {
		return fmt.Sprintf("invalid object identifier %x", string(o))
	}
	return x.String()
}

// ParseOID reads the dotted form.
func ParseOID(dotted string) (OID, error) {
	if len(dotted) > 4*maxOID {
		return "", fmt.Errorf("%w: object identifier of %d characters", ErrLimit, len(dotted))
	}
	x, err := x509.ParseOID(dotted)
	if err != nil {
		return "", fmt.Errorf("%w: object identifier %q", ErrMalformed, dotted)
	}
	content, err := x.MarshalBinary()
	if err != nil || len(content) > maxOID {
		return "", fmt.Errorf("%w: object identifier %q", ErrLimit, dotted)
	}
	return OID(content), nil
}

// ReadOID takes an OBJECT IDENTIFIER of at most 64 bytes.
func ReadOID(s *cryptobyte.String, what string) (OID, error) {
	c, err := Read(s, asn1.OBJECT_IDENTIFIER, what)
	if err != nil {
		return "", err
	}
	return oid(c, what)
}

func oid(c []byte, what string) (OID, error) {
	if len(c) > maxOID {
		return "", fmt.Errorf("%w: object identifier of %d bytes in %s", ErrLimit, len(c), what)
	}
	start := true
	for _, b := range c {
		if start && b == 0x80 { // a leading zero: a second spelling of the same arc
			return "", Malformed(what + ": object identifier")
		}
		start = b < 0x80
	}
	if len(c) == 0 || !start {
		return "", Malformed(what + ": object identifier")
	}
	return OID(c), nil
}
