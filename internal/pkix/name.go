package pkix

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/text/unicode/norm"

	"github.com/assent-sign/assent/internal/der"
)

const (
	maxRDNs = 64
	maxAVAs = 16 // in one RDN

	oidEmailAddress der.OID = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"
)

// Name is a distinguished name. Names are compared as RFC 5280 section 7.1 and
// RFC 4518 say: without regard to the kind of string, to case, to white space at
// the ends or its amount inside, and to Unicode's different spellings of the same
// characters. Two names with different octets can be equal.
type Name struct {
	Raw    []byte   // DER, SEQUENCE OF RelativeDistinguishedName
	rdns   []string // one canonical form for each, outermost first
	emails []string // values of emailAddress attributes
}

// IsEmpty tells whether the name has no parts.
func (n Name) IsEmpty() bool { return len(n.rdns) == 0 }

// Equal tells whether two names are the same.
func (n Name) Equal(o Name) bool { return slices.Equal(n.rdns, o.rdns) }

// Within tells whether the name lies in the subtree of another: begins with all
// its parts.
func (n Name) Within(tree Name) bool {
	return len(n.rdns) >= len(tree.rdns) && slices.Equal(n.rdns[:len(tree.rdns)], tree.rdns)
}

// Key is equal for equal names and for no others.
func (n Name) Key() string {
	var b []byte
	for _, r := range n.rdns {
		b = appendField(b, r)
	}
	return string(b)
}

// String renders the name for messages: its attribute values, innermost first.
func (n Name) String() string {
	var out []string
	for _, r := range n.rdns {
		out = append(out, printable(r))
	}
	slices.Reverse(out)
	return strings.Join(out, ", ")
}

// printable leaves of a canonical RDN what a person can read.
func printable(rdn string) string {
	var values []string
	for rest := []byte(rdn); len(rest) > 0; {
		var typ, value []byte
		if typ, rest = takeField(rest); rest == nil {
			break
		}
		value, rest = takeField(rest)
		if len(value) > 0 {
			values = append(values, shortType(der.OID(typ))+"="+strings.Map(visible, string(value[1:])))
		}
	}
	return strings.Join(values, "+")
}

func visible(r rune) rune {
	if r == utf8.RuneError || !unicode.IsPrint(r) {
		return '?'
	}
	return r
}

func shortType(o der.OID) string {
	switch o {
	case "\x55\x04\x03":
		return "cn"
	case "\x55\x04\x06":
		return "c"
	case "\x55\x04\x0a":
		return "o"
	case "\x55\x04\x0b":
		return "ou"
	}
	return o.String()
}

// ParseName reads a Name.
func ParseName(in []byte) (Name, error) {
	s := cryptobyte.String(in)
	n, err := readName(&s)
	if err == nil && !s.Empty() {
		err = der.Malformed("name: bytes behind the end")
	}
	return n, err
}

func readName(s *cryptobyte.String) (Name, error) {
	element, err := der.ReadElement(s, asn1.SEQUENCE, "name")
	if err != nil {
		return Name{}, err
	}
	n := Name{Raw: element}
	body, err := der.Only(element, asn1.SEQUENCE, "name")
	for err == nil && !body.Empty() {
		var set cryptobyte.String
		if len(n.rdns) == maxRDNs {
			return Name{}, der.TooMany("parts of a name", maxRDNs)
		}
		if set, err = der.Read(&body, asn1.SET, "relative name"); err == nil {
			err = n.addRDN(set)
		}
	}
	return n, err
}

// under returns the name with one more part: the content of a
// RelativeDistinguishedName (RFC 5280 section 4.2.1.13, nameRelativeToCRLIssuer).
func (n Name) under(set []byte) (Name, error) {
	out := Name{rdns: slices.Clone(n.rdns), emails: slices.Clone(n.emails)}
	return out, out.addRDN(set)
}

func (n *Name) addRDN(set cryptobyte.String) error {
	var parts []string
	for !set.Empty() {
		if len(parts) == maxAVAs {
			return der.TooMany("attributes in a part of a name", maxAVAs)
		}
		ava, err := der.Read(&set, asn1.SEQUENCE, "attribute of a name")
		if err != nil {
			return err
		}
		typ, err := der.ReadOID(&ava, "attribute of a name")
		if err != nil {
			return err
		}
		element, tag, err := der.ReadAny(&ava, "value in a name")
		if err != nil {
			return err
		}
		if !ava.Empty() {
			return der.Malformed("attribute of a name")
		}
		value, text := canonicalValue(element, tag)
		if typ == oidEmailAddress && text {
			n.emails = append(n.emails, value[1:])
		}
		parts = append(parts, string(appendField(appendField(nil, string(typ)), value)))
	}
	if len(parts) == 0 {
		return der.Malformed("empty part of a name")
	}
	slices.Sort(parts) // a SET has no order
	n.rdns = append(n.rdns, strings.Join(parts, ""))
	return nil
}

// appendField adds a length and the field, so that fields cannot run together.
func appendField(b []byte, field string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(field))), field...)
}

func takeField(b []byte) (field, rest []byte) {
	if len(b) < 4 || uint64(len(b)-4) < uint64(binary.BigEndian.Uint32(b)) {
		return nil, nil
	}
	end := 4 + int(binary.BigEndian.Uint32(b))
	return b[4:end], b[end:]
}

// canonicalValue is "t" and the prepared text of a string, or "b" and the octets
// of anything else.
func canonicalValue(element []byte, tag asn1.Tag) (value string, text bool) {
	content, err := der.Only(element, tag, "value")
	if err != nil {
		return "b" + string(element), false
	}
	s, ok := decodeText(content, tag)
	if !ok {
		return "b" + string(element), false
	}
	return "t" + prepare(s), true
}

func decodeText(c []byte, tag asn1.Tag) (string, bool) {
	switch tag {
	case asn1.PrintableString, asn1.IA5String, asn1.UTF8String, asn1.Tag(18), asn1.Tag(26): // NumericString, VisibleString
		return string(c), utf8.Valid(c)
	case asn1.T61String: // in certificates this is ISO 8859-1
		out := make([]rune, len(c))
		for i, b := range c {
			out[i] = rune(b)
		}
		return string(out), true
	case asn1.Tag(30): // BMPString
		if len(c)%2 != 0 {
			return "", false
		}
		units := make([]uint16, 0, len(c)/2)
		for i := 0; i < len(c); i += 2 {
			units = append(units, binary.BigEndian.Uint16(c[i:]))
		}
		return string(utf16.Decode(units)), true
	case asn1.Tag(28): // UniversalString
		if len(c)%4 != 0 {
			return "", false
		}
		var out []rune
		for i := 0; i < len(c); i += 4 {
			out = append(out, rune(binary.BigEndian.Uint32(c[i:])&0x7fffffff))
		}
		return string(out), true
	}
	return "", false
}

// prepare folds a text as RFC 4518 section 2 does for a comparison without case:
// what is invisible is dropped, white space becomes single spaces with none at the
// ends, compatible characters become one (NFKC), and so do upper and lower case.
func prepare(s string) string {
	folded := strings.Map(fold, norm.NFKC.String(s))
	return strings.Join(strings.Fields(norm.NFKC.String(folded)), " ")
}

func fold(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r) || r == 0x34f || r == 0xfffc:
		return -1
	}
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if 'A' <= least && least <= 'Z' { // the least of the orbit of k is K; messages read better in lower case
		return least + 'a' - 'A'
	}
	return least
}
