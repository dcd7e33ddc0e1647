package sam

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/assent-sign/assent/sap"
)

// nameTypes is the closed set of attributes of a certification request's
// subject, by their RFC 4514 or customary short names.
var nameTypes = map[string]asn1.ObjectIdentifier{
	"CN": {2, 5, 4, 3}, "SN": {2, 5, 4, 4}, "SERIALNUMBER": {2, 5, 4, 5}, "C": {2, 5, 4, 6}, "L": {2, 5, 4, 7},
	"ST": {2, 5, 4, 8}, "O": {2, 5, 4, 10}, "OU": {2, 5, 4, 11}, "T": {2, 5, 4, 12}, "TITLE": {2, 5, 4, 12},
	"GN": {2, 5, 4, 42}, "GIVENNAME": {2, 5, 4, 42}, "SURNAME": {2, 5, 4, 4}, "ORGANIZATIONIDENTIFIER": {2, 5, 4, 97},
}

const (
	maxNameText = 1024
	maxRDNs     = 16
)

// parseName reads an RFC 4514 distinguished name of single-valued RDNs and
// returns its DER. The text's first RDN is the last of the DER, as the RFC says.
func parseName(text string) ([]byte, error) {
	bad := func(what string) ([]byte, error) { return nil, fmt.Errorf("%w: subject: %s", sap.ReasonInvalid, what) }
	if text == "" || len(text) > maxNameText || !utf8.ValidString(text) {
		return bad("empty, too long or not UTF-8")
	}
	var rdns pkix.RDNSequence
	for rest, more := text, true; more; {
		if len(rdns) == maxRDNs {
			return bad("too many parts")
		}
		key, after, ok := strings.Cut(rest, "=")
		oid, known := nameTypes[strings.ToUpper(strings.TrimSpace(key))]
		if !ok || !known {
			return bad(fmt.Sprintf("attribute type %.30q is not known", key))
		}
		value, tail, next, err := nameValue(after)
		if err != nil {
			return nil, err
		}
		rdns = append(pkix.RDNSequence{{{Type: oid, Value: value}}}, rdns...)
		rest, more = tail, next
	}
	der, err := asn1.Marshal(rdns)
	if err != nil {
		return bad(err.Error())
	}
	return der, nil
}

// nameValue reads a value up to an unescaped comma.
func nameValue(s string) (value, rest string, more bool, err error) {
	bad := fmt.Errorf("%w: subject value", sap.ReasonInvalid)
	s = strings.TrimLeft(s, " ")
	if strings.HasPrefix(s, "#") {
		return "", "", false, bad
	}
	var b strings.Builder
	kept := 0 // length up to the last character that is no unescaped space
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ',':
			value, rest, more = b.String()[:kept], s[i+1:], true
			return value, rest, more, checkNameValue(value)
		case '\\':
			ch, n, ok := unescape(s[i+1:])
			if !ok {
				return "", "", false, bad
			}
			b.WriteByte(ch)
			i += n
			kept = b.Len()
		case '"', '+', ';', '<', '>', 0:
			return "", "", false, bad
		default:
			b.WriteByte(c)
			if c != ' ' {
				kept = b.Len()
			}
		}
	}
	value = b.String()[:kept]
	return value, "", false, checkNameValue(value)
}

func checkNameValue(v string) error {
	if v == "" || !utf8.ValidString(v) || !sap.Displayable(v) {
		return fmt.Errorf("%w: subject value is empty or not displayable", sap.ReasonText)
	}
	return nil
}

// unescape reads what follows a backslash: a special character or two hex
// digits. n is how many characters were used.
func unescape(s string) (c byte, n int, ok bool) {
	if s == "" {
		return 0, 0, false
	}
	if strings.IndexByte(` "#+,;<=>\`, s[0]) >= 0 {
		return s[0], 1, true
	}
	if len(s) < 2 {
		return 0, 0, false
	}
	for _, h := range []byte(s[:2]) {
		c <<= 4
		switch {
		case h >= '0' && h <= '9':
			c |= h - '0'
		case h >= 'a' && h <= 'f':
			c |= h - 'a' + 10
		case h >= 'A' && h <= 'F':
			c |= h - 'A' + 10
		default:
			return 0, 0, false
		}
	}
	return c, 2, true
}

// commonName returns the DER of CN=name, without parsing name.
func commonName(name string) ([]byte, error) {
	return asn1.Marshal(pkix.RDNSequence{{{Type: nameTypes["CN"], Value: name}}})
}

// demoMark may stand before the name in certificates of a module that is not in
// production: nobody shall take them for a person's.
const demoMark = "DEMO "

// subjectOf is the subject of a certification request: the signer's proofed name,
// or what was asked for, if it names the same person (ENR-02).
func (m *Module) subjectOf(s *Signer, asked string) ([]byte, error) {
	if asked == "" {
		return commonName(s.Name)
	}
	der, err := parseName(asked)
	if err != nil {
		return nil, err
	}
	return der, m.names(der, s)
}

// names checks that a subject names the signer as he was proofed (ENR-02): an
// officer, or a CA, that writes another name into a certificate would make the key
// of one person sign as another. There is one common name, it is the proofed one
// letter by letter, and where given name or surname stand, they are both there and
// are that name together, in either order.
func (m *Module) names(subject []byte, s *Signer) error {
	var rdns pkix.RDNSequence
	if rest, err := asn1.Unmarshal(subject, &rdns); err != nil || len(rest) != 0 {
		return fmt.Errorf("%w: subject", sap.ReasonInvalid)
	}
	var common, given, surname []string
	for _, rdn := range rdns {
		for _, v := range rdn {
			text, ok := v.Value.(string)
			switch {
			case !v.Type.Equal(nameTypes["CN"]) && !v.Type.Equal(nameTypes["GN"]) && !v.Type.Equal(nameTypes["SN"]):
				continue
			case !ok:
				return fmt.Errorf("%w: subject has a name that is no text", sap.ReasonName)
			case v.Type.Equal(nameTypes["CN"]):
				common = append(common, text)
			case v.Type.Equal(nameTypes["GN"]):
				given = append(given, text)
			default:
				surname = append(surname, text)
			}
		}
	}
	fits := len(common) == 1 && (common[0] == s.Name || !m.cfg.Production && common[0] == demoMark+s.Name)
	if len(given)+len(surname) != 0 {
		fits = fits && len(given) == 1 && len(surname) == 1 && (given[0]+" "+surname[0] == s.Name || surname[0]+" "+given[0] == s.Name)
	}
	if !fits {
		return fmt.Errorf("%w: the subject's person is not %.100q, who was proofed", sap.ReasonName, s.Name)
	}
	return nil
}

// sameName compares two DER names by attribute types and text, in order: a CA
// may encode the same text as another string type (RFC 5280 section 7.1).
func sameName(a, b []byte) bool {
	var x, y pkix.RDNSequence
	if rest, err := asn1.Unmarshal(a, &x); err != nil || len(rest) != 0 {
		return false
	}
	if rest, err := asn1.Unmarshal(b, &y); err != nil || len(rest) != 0 || len(x) != len(y) || len(x) == 0 {
		return false
	}
	for i := range x {
		if len(x[i]) != 1 || len(y[i]) != 1 || !x[i][0].Type.Equal(y[i][0].Type) {
			return false
		}
		s, ok := x[i][0].Value.(string)
		t, ok2 := y[i][0].Value.(string)
		if !ok || !ok2 || s != t {
			return false
		}
	}
	return true
}
