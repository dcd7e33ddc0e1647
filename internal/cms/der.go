package cms

import (
	"encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of what Parse accepts. They are far above what real messages need
// (the largest carry revocation lists) and low enough that a hostile one costs
// little; parsing allocates a few words per counted element, never per byte.
const (
	MaxMessage      = 16 << 20 // bytes of a whole message
	MaxCertificates = 100
	MaxCertificate  = 64 << 10 // bytes of one certificate
	MaxSigners      = 16
	MaxAttributes   = 64 // in one set
	MaxValues       = 64 // of one attribute
	maxOID          = 64 // bytes of an object identifier's content
	maxInteger      = 64 // bytes of an integer's content (serial numbers, versions)
)

var (
	tag0     = cbasn1.Tag(0).ContextSpecific().Constructed()
	tag1     = cbasn1.Tag(1).ContextSpecific().Constructed()
	tag2     = cbasn1.Tag(2).ContextSpecific().Constructed()
	tag3     = cbasn1.Tag(3).ContextSpecific().Constructed()
	tagKeyID = cbasn1.Tag(0).ContextSpecific()
)

// read takes the element with the given tag and returns its content.
func read(s *cryptobyte.String, tag cbasn1.Tag, what string) (cryptobyte.String, error) {
	_, content, err := readBoth(s, tag, what)
	return content, err
}

// readBoth takes the element with the given tag: the whole of it and its
// content.
func readBoth(s *cryptobyte.String, tag cbasn1.Tag, what string) (element, content cryptobyte.String, err error) {
	before := *s
	if !s.ReadASN1Element(&element, tag) {
		return nil, nil, whyNot(before, tag, what)
	}
	rest := element
	if !rest.ReadASN1(&content, tag) {
		return nil, nil, fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	return element, content, nil
}

// readAny takes the next element whatever its tag.
func readAny(s *cryptobyte.String, what string) (element cryptobyte.String, tag cbasn1.Tag, err error) {
	before := *s
	if !s.ReadAnyASN1Element(&element, &tag) {
		return nil, 0, whyNot(before, 0, what)
	}
	return element, tag, nil
}

// whyNot tells BER from nonsense, because users meet BER messages in practice
// and nonsense only when something is broken.
func whyNot(s cryptobyte.String, tag cbasn1.Tag, what string) error {
	if len(s) >= 2 && s[1] == 0x80 {
		return fmt.Errorf("%w: %s", ErrBER, what)
	}
	if tag == cbasn1.OCTET_STRING && len(s) > 0 && s[0] == 0x24 {
		return fmt.Errorf("%w: %s", ErrBER, what)
	}
	return fmt.Errorf("%w: %s", ErrMalformed, what)
}

// ReadOID takes an object identifier of at most 64 bytes; what names it in errors. Its length is checked first: decoding
// turns every byte into a machine word, so that a megabyte of arcs would become
// eight.
func ReadOID(s *cryptobyte.String, what string) (asn1.ObjectIdentifier, error) {
	element, content, err := readBoth(s, cbasn1.OBJECT_IDENTIFIER, what)
	if err != nil {
		return nil, err
	}
	if len(content) > maxOID {
		return nil, fmt.Errorf("%w: object identifier of %d bytes in %s", ErrLimit, len(content), what)
	}
	var oid asn1.ObjectIdentifier
	if !element.ReadASN1ObjectIdentifier(&oid) {
		return nil, fmt.Errorf("%w: object identifier in %s", ErrMalformed, what)
	}
	return oid, nil
}

// readInteger takes an INTEGER of bounded size and returns its
// whole element.
func readInteger(s *cryptobyte.String, what string) (element cryptobyte.String, err error) {
	element, content, err := readBoth(s, cbasn1.INTEGER, what)
	if err != nil {
		return nil, err
	}
	if len(content) > maxInteger {
		return nil, fmt.Errorf("%w: integer of %d bytes in %s", ErrLimit, len(content), what)
	}
	return element, nil
}

// readVersion takes a small version number.
func readVersion(s *cryptobyte.String, what string) (int, error) {
	element, err := readInteger(s, what)
	if err != nil {
		return 0, err
	}
	var v int
	if !element.ReadASN1Integer(&v) || v < 0 || v > 5 {
		return 0, fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	return v, nil
}

// wrap encodes content under a tag.
func wrap(tag cbasn1.Tag, parts ...[]byte) []byte {
	n := total(parts)
	out := appendHeader(make([]byte, 0, maxHeader+n), tag, n)
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func total(parts [][]byte) int {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	return n
}

// maxHeader is the longest tag and length of what may be written: a message is far below 4 GiB.
const maxHeader = 6

// appendHeader appends a tag and the length of its content in DER (X.690, 8.1.3 and 10.1).
func appendHeader(b []byte, tag cbasn1.Tag, n int) []byte {
	b = append(b, byte(tag))
	if n < 0x80 {
		return append(b, byte(n))
	}
	size := 1
	for n>>(8*size) > 0 {
		size++
	}
	b = append(b, 0x80|byte(size))
	for size--; size >= 0; size-- {
		b = append(b, byte(n>>(8*size)))
	}
	return b
}

// encoded is what fn builds, for values of this package that do not change.
func encoded(fn func(b *cryptobyte.Builder)) []byte {
	b := cryptobyte.NewBuilder(nil)
	fn(b)
	return b.BytesOrPanic()
}
