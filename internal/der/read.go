package der

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// What can be wrong with an encoding. Every error of this package wraps one.
var (
	ErrMalformed = errors.New("der: not well-formed DER of the expected structure")
	ErrLimit     = errors.New("der: size or count limit exceeded")
)

const (
	maxOID     = 64 // bytes of an object identifier's content
	maxInteger = 64 // bytes of an integer's content (serial and CRL numbers)
)

// Context is the constructed context-specific tag of a number.
func Context(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific().Constructed() }

// Primitive is the primitive context-specific tag of a number.
func Primitive(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific() }

// Malformed is an ErrMalformed that names what was read.
func Malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// TooMany is an ErrLimit that names what there were too many of.
func TooMany(what string, limit int) error {
	return fmt.Errorf("%w: more than %d %s", ErrLimit, limit, what)
}

// Read takes the element with the tag and returns its content; what names it in
// errors.
func Read(s *cryptobyte.String, tag asn1.Tag, what string) (cryptobyte.String, error) {
	var content cryptobyte.String
	if !s.ReadASN1(&content, tag) {
		return nil, Malformed(what)
	}
	return content, nil
}

// ReadElement takes the element with the tag and returns the whole of it.
func ReadElement(s *cryptobyte.String, tag asn1.Tag, what string) (cryptobyte.String, error) {
	var element cryptobyte.String
	if !s.ReadASN1Element(&element, tag) {
		return nil, Malformed(what)
	}
	return element, nil
}

// ReadAny takes the next element whatever its tag is: the whole of it.
func ReadAny(s *cryptobyte.String, what string) (cryptobyte.String, asn1.Tag, error) {
	var element cryptobyte.String
	var tag asn1.Tag
	if !s.ReadAnyASN1Element(&element, &tag) {
		return nil, 0, Malformed(what)
	}
	return element, tag, nil
}

// ReadOptional takes the element with the tag if it is next.
func ReadOptional(s *cryptobyte.String, tag asn1.Tag, what string) (content cryptobyte.String, present bool, err error) {
	if !s.ReadOptionalASN1(&content, &present, tag) {
		return nil, false, Malformed(what)
	}
	return content, present, nil
}

// Only takes an element that must be the whole of in.
func Only(in []byte, tag asn1.Tag, what string) (cryptobyte.String, error) {
	s := cryptobyte.String(in)
	content, err := Read(&s, tag, what)
	if err == nil && !s.Empty() {
		return nil, Malformed(what + ": bytes behind the end")
	}
	return content, err
}

// ReadInteger takes an INTEGER of at most 64 bytes and returns its content: two's
// complement, as short as it can be, so that equal numbers have equal content.
// Negative numbers are left to the caller.
func ReadInteger(s *cryptobyte.String, what string) (string, error) {
	c, err := Read(s, asn1.INTEGER, what)
	if err != nil {
		return "", err
	}
	return Integer(c, what)
}

// Integer checks the content of an INTEGER, such as one under another tag.
func Integer(c []byte, what string) (string, error) {
	if len(c) > maxInteger {
		return "", fmt.Errorf("%w: integer of %d bytes in %s", ErrLimit, len(c), what)
	}
	if len(c) == 0 || (len(c) > 1 && (c[0] == 0 && c[1] < 0x80 || c[0] == 0xff && c[1] >= 0x80)) {
		return "", Malformed(what + ": integer")
	}
	return string(c), nil
}

// Small turns the content of an INTEGER into a number; more than 31 bits or a
// negative one is ErrLimit.
func Small(content string, what string) (int, error) {
	if len(content) == 0 || content[0] >= 0x80 || len(content) > 5 || (len(content) == 5 && content[0] != 0) {
		return 0, fmt.Errorf("%w: number out of range in %s", ErrLimit, what)
	}
	n := 0
	for i := range len(content) {
		n = n<<8 | int(content[i])
	}
	if n > 1<<31-1 {
		return 0, fmt.Errorf("%w: number out of range in %s", ErrLimit, what)
	}
	return n, nil
}

// ReadBool takes a BOOLEAN if it is next; absent is false. DER leaves a default out
// and encodes true as FF.
func ReadBool(s *cryptobyte.String, what string) (bool, error) {
	c, present, err := ReadOptional(s, asn1.BOOLEAN, what)
	if err != nil || !present {
		return false, err
	}
	return Bool(c, what)
}

// Bool decodes the content of a BOOLEAN. FALSE where it is the default should be
// absent, but certificates that spell it out are about; it is accepted.
func Bool(c []byte, what string) (bool, error) {
	if len(c) != 1 || (c[0] != 0 && c[0] != 0xff) {
		return false, Malformed(what + ": boolean")
	}
	return c[0] == 0xff, nil
}

// ReadBits takes a BIT STRING whose content is whole octets.
func ReadBits(s *cryptobyte.String, what string) ([]byte, error) {
	c, err := Read(s, asn1.BIT_STRING, what)
	if err != nil {
		return nil, err
	}
	if len(c) == 0 || c[0] != 0 {
		return nil, Malformed(what + ": bit string")
	}
	return c[1:], nil
}

// Flags decodes the content of a BIT STRING of named bits: bit n of the result is
// bit n of the string. More than 16 bits are ErrLimit.
func Flags(c []byte, what string) (uint16, error) {
	if len(c) > 3 {
		return 0, fmt.Errorf("%w: flags in %s", ErrLimit, what)
	}
	if len(c) == 0 || c[0] > 7 || (len(c) == 1 && c[0] != 0) {
		return 0, Malformed(what + ": bit string")
	}
	unused := int(c[0])
	bits := (len(c)-1)*8 - unused
	if len(c) > 1 && c[len(c)-1]&(1<<unused-1) != 0 {
		return 0, Malformed(what + ": unused bits")
	}
	var out uint16
	for i := range bits {
		if c[1+i/8]&(0x80>>(i%8)) != 0 {
			out |= 1 << i
		}
	}
	return out, nil
}

// ReadTime takes a UTCTime or a GeneralizedTime in the form of RFC 5280 section
// 4.1.2.5: to the second, in UTC, without fraction. Years of two digits are 1950
// to 2049.
func ReadTime(s *cryptobyte.String, what string) (time.Time, error) {
	if s.PeekASN1Tag(asn1.UTCTime) {
		c, err := Read(s, asn1.UTCTime, what)
		if err != nil {
			return time.Time{}, err
		}
		century := "20"
		if len(c) > 0 && c[0] >= '5' {
			century = "19"
		}
		return parseTime(century+string(c[:min(len(c), 32)]), what)
	}
	return ReadGeneralized(s, what)
}

// ReadGeneralized takes a GeneralizedTime.
func ReadGeneralized(s *cryptobyte.String, what string) (time.Time, error) {
	c, err := Read(s, asn1.GeneralizedTime, what)
	if err != nil {
		return time.Time{}, err
	}
	return parseTime(string(c[:min(len(c), 32)]), what)
}

func parseTime(text, what string) (time.Time, error) {
	const form = "20060102150405Z"
	t, err := time.Parse(form, text)
	if err != nil || t.Format(form) != text {
		return time.Time{}, Malformed(what + ": time")
	}
	return t, nil
}
