// Package jcs encodes and strictly decodes the subset of RFC 8785 (JSON
// Canonicalization Scheme) that Assent signs: objects, arrays, strings,
// booleans and integers of at most 53 bits. Fractions, exponents and null do
// not exist here, because a signed statement has no use for them and they are
// where implementations differ.
//
// There is one byte string for every value. Decode refuses every other
// spelling (duplicate names, white space, unsorted names, needless escapes,
// trailing bytes, invalid UTF-8), so that two readers of the same bytes cannot
// see two values.
package jcs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxSize is the largest canonical text that Unmarshal reads, in bytes. A SAD with
// 1,000 items of ordinary names stays well below it.
const MaxSize = 1 << 20

// MaxDepth bounds nesting.
const MaxDepth = 16

const maxInt = 1<<53 - 1

// Errors of this package.
var (
	ErrNotCanonical = errors.New("jcs: text is not in canonical form")
	ErrTooLarge     = errors.New("jcs: text is too large or too deep")
	ErrValue        = errors.New("jcs: value has no canonical form")
)

// Marshal returns the canonical form of v: directly for structs, slices,
// strings, integers and booleans; by way of encoding/json for everything else.
func Marshal(v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	for rv.Kind() == reflect.Pointer && !rv.IsNil() {
		rv = rv.Elem()
	}
	if rv.IsValid() {
		if p := planOf(rv.Type()); p != nil {
			return p.encode(make([]byte, 0, 512), rv)
		}
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrValue, err)
	}
	return Transform(raw)
}

// Transform brings JSON text into canonical form. It refuses values outside
// the subset and duplicate names.
func Transform(raw []byte) ([]byte, error) {
	if len(raw) > MaxSize {
		return nil, ErrTooLarge
	}
	if !utf8.Valid(raw) {
		return nil, ErrNotCanonical
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	out, err := appendValue(make([]byte, 0, len(raw)), dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, ErrNotCanonical
	}
	return out, nil
}

// Unmarshal decodes canonical text into v, a pointer. Every member of v must be
// there and every name must be known to v, spelt as in v: the text is exactly
// what Marshal would make of the value that was read.
func Unmarshal(text []byte, v any) error { return UnmarshalUpTo(MaxSize, text, v) }

// UnmarshalUpTo is Unmarshal of a text of at most so many bytes, for a message that holds another one.
func UnmarshalUpTo(size int, text []byte, v any) error {
	if len(text) > size {
		return ErrTooLarge
	}
	if !utf8.Valid(text) {
		return ErrNotCanonical
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return fmt.Errorf("%w: cannot decode into %T", ErrValue, v)
	}
	if p := planOf(rv.Type().Elem()); p != nil {
		r := reader{text: text}
		if err := p.decode(&r, rv.Elem(), 0); err != nil {
			return err
		}
		if r.at != len(text) {
			return r.fail("bytes after the value")
		}
		return nil
	}
	return unmarshalByJSON(text, v)
}

// unmarshalByJSON serves types without a plan (maps, interfaces, omitempty).
func unmarshalByJSON(text []byte, v any) error {
	canon, err := Transform(text)
	if err != nil {
		return err
	}
	if !bytes.Equal(canon, text) {
		return ErrNotCanonical
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", ErrNotCanonical, err)
	}
	// encoding/json matches names without regard to case and lets members be
	// absent; re-encoding shows both.
	again, err := Marshal(reflect.ValueOf(v).Elem().Interface())
	if err != nil {
		return err
	}
	if !bytes.Equal(again, text) {
		return fmt.Errorf("%w: members missing, misspelt or of another type", ErrNotCanonical)
	}
	return nil
}

func appendValue(out []byte, dec *json.Decoder, depth int) ([]byte, error) {
	if depth > MaxDepth {
		return nil, ErrTooLarge
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotCanonical, err)
	}
	switch t := tok.(type) {
	case json.Delim:
		if t == '{' {
			return appendObject(out, dec, depth)
		}
		return appendArray(out, dec, depth)
	case string:
		return AppendString(out, t), nil
	case json.Number:
		n, err := strconv.ParseInt(t.String(), 10, 64)
		if err != nil || n > maxInt || n < -maxInt || (n == 0 && t.String() != "0") {
			return nil, fmt.Errorf("%w: number %s", ErrValue, t)
		}
		return strconv.AppendInt(out, n, 10), nil
	case bool:
		return strconv.AppendBool(out, t), nil
	}
	return nil, fmt.Errorf("%w: null", ErrValue)
}

func appendArray(out []byte, dec *json.Decoder, depth int) ([]byte, error) {
	out = append(out, '[')
	for i := 0; dec.More(); i++ {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = appendValue(out, dec, depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotCanonical, err)
	}
	return append(out, ']'), nil
}

type member struct {
	name string
	text []byte
}

func appendObject(out []byte, dec *json.Decoder, depth int) ([]byte, error) {
	var members []member
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotCanonical, err)
		}
		name, ok := tok.(string)
		if !ok {
			return nil, ErrNotCanonical
		}
		text, err := appendValue(nil, dec, depth+1)
		if err != nil {
			return nil, err
		}
		members = append(members, member{name, text})
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotCanonical, err)
	}
	slices.SortFunc(members, func(a, b member) int { return compareUTF16(a.name, b.name) })
	out = append(out, '{')
	for i, m := range members {
		if i > 0 {
			if members[i-1].name == m.name {
				return nil, fmt.Errorf("%w: name %q twice", ErrNotCanonical, m.name)
			}
			out = append(out, ',')
		}
		out = AppendString(out, m.name)
		out = append(out, ':')
		out = append(out, m.text...)
	}
	return append(out, '}'), nil
}

// compareUTF16 orders names by UTF-16 code units (RFC 8785 section 3.2.3).
func compareUTF16(a, b string) int {
	return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
}

// AppendString appends s as a canonical JSON string (RFC 8785 section 3.2.2.2).
func AppendString(out []byte, s string) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\\':
			out = append(out, '\\', c)
		case '\b':
			out = append(out, '\\', 'b')
		case '\t':
			out = append(out, '\\', 't')
		case '\n':
			out = append(out, '\\', 'n')
		case '\f':
			out = append(out, '\\', 'f')
		case '\r':
			out = append(out, '\\', 'r')
		default:
			if c < 0x20 {
				out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				out = append(out, c)
			}
		}
	}
	return append(out, '"')
}
