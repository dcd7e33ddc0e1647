package pkix

import (
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/der"
)

// Kind is the form of a GeneralName: its tag number (RFC 5280 section 4.2.1.6).
type Kind uint8

// The forms that are understood. Others are kept by number.
const (
	EmailName     Kind = 1
	DNSName       Kind = 2
	DirectoryName Kind = 4
	URIName       Kind = 6
	IPName        Kind = 7
)

const maxNames = 1024 // general names in one list

// GeneralName is one name of a list.
type GeneralName struct {
	Kind Kind
	// Text is the address, DNS name or URI (IA5); for IPName the octets.
	Text string
	// Name is set for DirectoryName.
	Name Name
}

func readGeneralName(s *cryptobyte.String) (GeneralName, error) {
	element, tag, err := der.ReadAny(s, "general name")
	if err != nil {
		return GeneralName{}, err
	}
	if tag&0xc0 != 0x80 {
		return GeneralName{}, der.Malformed("general name")
	}
	g := GeneralName{Kind: Kind(tag & 0x1f)}
	content, err := der.Only(element, tag, "general name")
	if err != nil {
		return GeneralName{}, err
	}
	switch {
	case tag == der.Context(uint8(DirectoryName)):
		g.Name, err = ParseName(content)
		return g, err
	case g.Kind == DirectoryName:
		return GeneralName{}, der.Malformed("directory name")
	case tag&0x20 == 0: // primitive: a string, an address, an identifier
		for _, b := range content {
			if b >= 0x80 && g.Kind != IPName && g.Kind != 8 {
				return GeneralName{}, der.Malformed("general name: not IA5")
			}
		}
		g.Text = string(content)
	}
	return g, nil
}

// readGeneralNames reads the content of GeneralNames.
func readGeneralNames(body cryptobyte.String) ([]GeneralName, error) {
	var out []GeneralName
	for !body.Empty() {
		if len(out) == maxNames {
			return nil, der.TooMany("general names", maxNames)
		}
		g, err := readGeneralName(&body)
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	if len(out) == 0 {
		return nil, der.Malformed("empty list of general names")
	}
	return out, nil
}

// ParseGeneralNames reads GeneralNames: the value of the extension
// certificateIssuer of an entry of a CRL, for one.
func ParseGeneralNames(in []byte) ([]GeneralName, error) {
	body, err := der.Only(in, asn1.SEQUENCE, "general names")
	if err != nil {
		return nil, err
	}
	return readGeneralNames(body)
}
