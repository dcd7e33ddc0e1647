package pdf

import (
	"bytes"
	"math"
)

// value is one PDF value as its own bytes: raw begins with its first byte and
// ends with its last. off is the file offset of raw[0], or -1 within an object
// stream, whose bytes have no place in the file.
type value struct {
	raw []byte
	off int64
}

// ref is the number and generation of an indirect object.
type ref struct {
	num int
	gen int
}

var nullRaw = []byte("null")

func nullValue() value { return value{raw: nullRaw, off: -1} }

func (v value) isNull() bool  { return len(v.raw) == 0 || string(v.raw) == "null" }
func (v value) isDict() bool  { return bytes.HasPrefix(v.raw, []byte("<<")) }
func (v value) isArray() bool { return len(v.raw) > 0 && v.raw[0] == '[' }
func (v value) isName() bool  { return len(v.raw) > 0 && v.raw[0] == '/' }

func (v value) isString() bool {
	return len(v.raw) > 0 && (v.raw[0] == '(' || v.raw[0] == '<') && !v.isDict()
}

// at returns the sub-value raw[start:end].
func (v value) at(start, end int) value {
	off := int64(-1)
	if v.off >= 0 {
		off = v.off + int64(start)
	}
	return value{raw: v.raw[start:end:end], off: off}
}

// sub is a lexer over the inside of v. The span was checked when v was read, so
// depth needs no new bound.
func (v value) sub(from int) lexer {
	return lexer{b: v.raw, pos: from, eof: true, maxDepth: math.MaxInt32}
}

// eachSpan calls fn for every decoded key of a dictionary and the span of its
// value within v.raw, until fn returns false.
func (v value) eachSpan(fn func(key []byte, start, end int) bool) error {
	if !v.isDict() {
		return malformed(v.off, "dictionary expected, found %s", brief(v.raw))
	}
	l := v.sub(2)
	for {
		t, err := l.next()
		if err != nil {
			return malformed(v.off, "dictionary: %v", err)
		}
		if t.kind == tokDictClose {
			return nil
		}
		if t.kind != tokName {
			return malformed(v.off, "dictionary key %s is no name", brief(v.raw[t.start:t.end]))
		}
		start, end, err := l.value()
		if err != nil {
			return malformed(v.off, "value of %s: %v", brief(v.raw[t.start:t.end]), err)
		}
		if !fn(decodeName(v.raw[t.start:t.end]), start, end) {
			return nil
		}
	}
}

// eachPair calls fn for every decoded key and its value until fn returns false.
func (v value) eachPair(fn func(key []byte, val value) bool) error {
	return v.eachSpan(func(key []byte, start, end int) bool {
		return fn(key, v.at(start, end))
	})
}

// find returns the span of a key's value; start is 0 if the key is absent. A key
// that occurs twice is an error: readers disagree about which one counts, so the
// signer might see one document and a verifier another.
func (v value) find(key string) (start, end int, err error) {
	n := 0
	err = v.eachSpan(func(k []byte, s, e int) bool {
		if string(k) == key {
			start, end = s, e
			n++
		}
		return true
	})
	if err == nil && n > 1 {
		err = malformed(v.off, "key /%s occurs %d times", key, n)
	}
	return start, end, err
}

// get returns the value of a key, null if it is absent.
func (v value) get(key string) (value, error) {
	start, end, err := v.find(key)
	if err != nil || start == 0 {
		return nullValue(), err
	}
	return v.at(start, end), nil
}

// values returns what get would for each of the keys, in their order, and walks the dictionary once.
func (v value) values(keys ...string) ([]value, error) {
	out := make([]value, len(keys))
	twice := -1
	err := v.eachSpan(func(k []byte, start, end int) bool {
		for i, key := range keys {
			if string(k) == key {
				if out[i].raw != nil {
					twice = i
				}
				out[i] = v.at(start, end)
			}
		}
		return true
	})
	if err == nil && twice >= 0 {
		err = malformed(v.off, "key /%s occurs several times", keys[twice])
	}
	for i := range out {
		if out[i].raw == nil {
			out[i] = nullValue()
		}
	}
	return out, err
}

// eachElem calls fn for every element of an array until fn returns false.
func (v value) eachElem(fn func(elem value) bool) error {
	if !v.isArray() {
		return malformed(v.off, "array expected, found %s", brief(v.raw))
	}
	l := v.sub(1)
	for {
		l.skipSpace()
		if l.pos < len(v.raw) && v.raw[l.pos] == ']' {
			return nil
		}
		start, end, err := l.value()
		if err != nil {
			return malformed(v.off, "array: %v", err)
		}
		if !fn(v.at(start, end)) {
			return nil
		}
	}
}

// asInt reads an integer.
func (v value) asInt() (int64, bool) { return parseInt(v.raw) }

// asRef reads a reference "N G R".
func (v value) asRef() (ref, bool) {
	if len(v.raw) < 5 || v.raw[len(v.raw)-1] != 'R' || !isDigit(v.raw[0]) {
		return ref{}, false
	}
	l := v.sub(0)
	var n [2]int64
	for i := range n {
		t, err := l.next()
		if err != nil {
			return ref{}, false
		}
		var ok bool
		if n[i], ok = parseInt(v.raw[t.start:t.end]); !ok || n[i] < 0 {
			return ref{}, false
		}
	}
	if n[0] > maxObjectNumber || n[1] > 65535 {
		return ref{num: 0, gen: 0}, true // names no object: object 0 is always free
	}
	return ref{num: int(n[0]), gen: int(n[1])}, true
}

// nameIs reports whether v is the name /want.
func (v value) nameIs(want string) bool {
	return v.isName() && string(decodeName(v.raw)) == want
}

// name returns the decoded name without its slash, "" if v is none.
func (v value) name() string {
	if !v.isName() {
		return ""
	}
	return string(decodeName(v.raw))
}

func parseInt(b []byte) (int64, bool) {
	neg := false
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		neg = b[0] == '-'
		b = b[1:]
	}
	if !allDigits(b) || len(b) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		n = n*10 + int64(c-'0')
	}
	if neg {
		n = -n
	}
	return n, true
}

// decodeName removes the slash and resolves #xx (ISO 32000-1, 7.3.5).
func decodeName(raw []byte) []byte {
	b := raw[1:]
	if bytes.IndexByte(b, '#') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '#' && i+2 < len(b) && hexVal(b[i+1]) >= 0 && hexVal(b[i+2]) >= 0 {
			out = append(out, byte(hexVal(b[i+1])<<4|hexVal(b[i+2])))
			i += 2
			continue
		}
		out = append(out, b[i])
	}
	return out
}

func hexVal(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// brief quotes at most 24 bytes for a message.
func brief(b []byte) string {
	if len(b) > 24 {
		b = b[:24]
	}
	out := make([]byte, 0, len(b)+2)
	out = append(out, '"')
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			c = '.'
		}
		out = append(out, c)
	}
	return string(append(out, '"'))
}
