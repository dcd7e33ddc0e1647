// Package strictjson decodes JSON from outside: bounded in depth and count,
// without duplicate members, in valid Unicode, with one value and nothing after
// it. encoding/json alone keeps the last of two equal members and matches names
// without regard to case, so that two readers of one body may see two things;
// here members that differ only in case count as duplicates.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of every document.
const (
	MaxDepth  = 16
	MaxValues = 20_000 // members, elements and containers together
	MaxNumber = 32     // characters of a number
)

// Errors. All wrap ErrInvalid.
var (
	ErrInvalid   = errors.New("strictjson: not acceptable")
	ErrSyntax    = fmt.Errorf("%w: not JSON", ErrInvalid)
	ErrUnicode   = fmt.Errorf("%w: not valid Unicode", ErrInvalid)
	ErrDepth     = fmt.Errorf("%w: nested too deeply", ErrInvalid)
	ErrCount     = fmt.Errorf("%w: too many values", ErrInvalid)
	ErrDuplicate = fmt.Errorf("%w: a member is there twice", ErrInvalid)
	ErrNumber    = fmt.Errorf("%w: a number is too long", ErrInvalid)
	ErrType      = fmt.Errorf("%w: a member has the wrong type or is unknown", ErrInvalid)
)

// Unmarshal decodes into v; members that v does not have are refused.
func Unmarshal(text []byte, v any) error { return decode(text, v, true) }

// UnmarshalLax decodes into v; members that v does not have are ignored, as the
// CSC API demands of servers.
func UnmarshalLax(text []byte, v any) error { return decode(text, v, false) }

func decode(text []byte, v any, known bool) error {
	if err := Check(text); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if known {
		dec.DisallowUnknownFields()
	}
	if err := dec.Decode(v); err != nil {
		// The text of encoding/json names our field or an unknown member; the
		// latter comes from outside and is bounded here.
		msg := strings.TrimPrefix(err.Error(), "json: ")
		return fmt.Errorf("%w: %.120q", ErrType, msg)
	}
	return nil
}

// Check tells whether text is one acceptable JSON value.
func Check(text []byte) error {
	if !utf8.Valid(text) {
		return ErrUnicode
	}
	// Limits come before the full syntax check: a bomb is refused in one pass
	// over the part that shows it.
	if err := scan(text); err != nil {
		return err
	}
	if !json.Valid(text) {
		return ErrSyntax
	}
	return nil
}

type frame struct {
	object bool
	key    bool // the next string of an object is a member's name
	names  map[string]struct{}
}

// scan follows strings and brackets only; what else may be wrong is left to
// json.Valid.
func scan(text []byte) error {
	var stack []frame
	values := 0
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case '{', '[':
			if len(stack) == MaxDepth {
				return ErrDepth
			}
			stack = append(stack, frame{object: c == '{', key: c == '{'})
			values++
			i++
		case '}', ']':
			if len(stack) == 0 {
				return ErrSyntax
			}
			stack = stack[:len(stack)-1]
			i++
		case ',':
			values++
			if n := len(stack); n > 0 && stack[n-1].object {
				stack[n-1].key = true
			}
			i++
		case '"':
			end, err := stringEnd(text, i)
			if err != nil {
				return err
			}
			if n := len(stack); n > 0 && stack[n-1].key {
				if err := stack[n-1].addName(text[i:end]); err != nil {
					return err
				}
			}
			i = end
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			start := i
			for i < len(text) && strings.IndexByte("+-.eE0123456789", text[i]) >= 0 {
				i++
			}
			if i-start > MaxNumber {
				return ErrNumber
			}
		default:
			i++
		}
		if values > MaxValues {
			return ErrCount
		}
	}
	return nil
}

func (f *frame) addName(quoted []byte) error {
	f.key = false
	var name string
	if err := json.Unmarshal(quoted, &name); err != nil {
		return ErrSyntax
	}
	// Upper then lower joins what encoding/json's folding joins.
	name = strings.ToLower(strings.ToUpper(name))
	if _, ok := f.names[name]; ok {
		return ErrDuplicate
	}
	if f.names == nil {
		f.names = make(map[string]struct{})
	}
	f.names[name] = struct{}{}
	return nil
}

// stringEnd returns the index after the closing quote of the string at i. Lone
// surrogates and NUL are refused: decoders replace or cut at them differently.
func stringEnd(text []byte, i int) (int, error) {
	for i++; i < len(text); {
		switch text[i] {
		case '"':
			return i + 1, nil
		case '\\':
			n, err := escape(text[i:])
			if err != nil {
				return 0, err
			}
			i += n
		default:
			i++
		}
	}
	return 0, ErrSyntax
}

func escape(text []byte) (int, error) {
	if len(text) < 2 {
		return 0, ErrSyntax
	}
	if text[1] != 'u' {
		return 2, nil
	}
	hi, ok := hex4(text)
	switch {
	case !ok:
		return 0, ErrSyntax
	case hi == 0, hi >= 0xDC00 && hi < 0xE000:
		return 0, ErrUnicode
	case hi < 0xD800 || hi >= 0xE000:
		return 6, nil
	}
	if lo, ok := hex4(text[6:]); !ok || lo < 0xDC00 || lo >= 0xE000 {
		return 0, ErrUnicode
	}
	return 12, nil
}

// hex4 reads \uXXXX.
func hex4(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range text[2:6] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
