package pdf

import (
	"bytes"
	"errors"
)

// Lexical conventions of ISO 32000-1, 7.2. Everything here works on a byte slice
// that may end in the middle of the file: errShort asks for a longer one.

// errShort says that the slice ends inside the token; read more and try again.
var errShort = errors.New("pdf: need more bytes")

type tokenKind uint8

const (
	tokDictOpen tokenKind = iota + 1
	tokDictClose
	tokArrayOpen
	tokArrayClose
	tokString
	tokHex
	tokName
	tokNumber
	tokWord // any other run of regular characters
)

// token is a lexical unit b[start:end].
type token struct {
	kind       tokenKind
	start, end int
}

// Classes of characters (ISO 32000-1, tables 1 and 2); all others are regular.
const (
	classSpace = 1 << iota
	classDelim
	classHex
)

var classes = func() (t [256]uint8) {
	for _, c := range []byte("\x00\t\n\f\r ") {
		t[c] |= classSpace
	}
	for _, c := range []byte("()<>[]{}/%") {
		t[c] |= classDelim
	}
	for _, c := range []byte("0123456789abcdefABCDEF") {
		t[c] |= classHex
	}
	return t
}()

func isSpace(c byte) bool { return classes[c]&classSpace != 0 }

func isRegular(c byte) bool { return classes[c]&(classSpace|classDelim) == 0 }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// lexer reads tokens from b. eof says that b ends where the data ends, so that a
// run of regular characters may end there too.
type lexer struct {
	b        []byte
	pos      int
	eof      bool
	maxDepth int
}

// skipSpace moves over white space and comments.
func (l *lexer) skipSpace() {
	for l.pos < len(l.b) {
		c := l.b[l.pos]
		if c == '%' {
			for l.pos < len(l.b) && l.b[l.pos] != '\r' && l.b[l.pos] != '\n' {
				l.pos++
			}
			continue
		}
		if !isSpace(c) {
			return
		}
		l.pos++
	}
}

// end reports running out of bytes: malformed at the end of the data, else short.
func (l *lexer) end(what string) error {
	if l.eof {
		return malformed(-1, "%s ends with the data", what)
	}
	return errShort
}

// next reads one token.
func (l *lexer) next() (token, error) {
	l.skipSpace()
	if l.pos >= len(l.b) {
		return token{}, l.end("value")
	}
	t := token{start: l.pos}
	var err error
	switch c := l.b[l.pos]; c {
	case '(':
		t.kind, err = tokString, l.skipString()
	case '<', '>':
		t.kind, err = l.angle(c)
	case '[':
		t.kind = tokArrayOpen
		l.pos++
	case ']':
		t.kind = tokArrayClose
		l.pos++
	case '/':
		t.kind = tokName
		l.pos++
		err = l.skipRegular("name")
	case ')', '{', '}':
		return t, malformed(-1, "unexpected %q", c)
	default:
		t.kind = tokWord
		if isDigit(c) || c == '+' || c == '-' || c == '.' {
			t.kind = tokNumber
		}
		err = l.skipRegular("word")
	}
	t.end = l.pos
	return t, err
}

func (l *lexer) skipRegular(what string) error {
	for l.pos < len(l.b) && isRegular(l.b[l.pos]) {
		l.pos++
	}
	if l.pos == len(l.b) && !l.eof {
		return l.end(what)
	}
	return nil
}

// angle reads <<, >> or a hexadecimal string.
func (l *lexer) angle(c byte) (tokenKind, error) {
	if l.pos+1 >= len(l.b) {
		return 0, l.end("delimiter")
	}
	if l.b[l.pos+1] == c {
		l.pos += 2
		if c == '<' {
			return tokDictOpen, nil
		}
		return tokDictClose, nil
	}
	if c == '>' {
		return 0, malformed(-1, "unexpected '>'")
	}
	end := bytes.IndexByte(l.b[l.pos:], '>')
	if end < 0 {
		l.pos = len(l.b)
		return tokHex, l.end("hexadecimal string")
	}
	l.pos += end + 1
	return tokHex, nil
}

// skipString moves over a literal string with its balanced parentheses.
func (l *lexer) skipString() error {
	depth := 0
	for l.pos < len(l.b) {
		switch l.b[l.pos] {
		case '\\':
			l.pos++ // the escaped character is skipped below
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				l.pos++
				return nil
			}
		}
		l.pos++
	}
	l.pos = len(l.b)
	return l.end("string")
}

// value moves over one complete value and returns its span. It keeps an explicit
// stack, so that nesting cannot exhaust the goroutine's (D12), and joins "N G R"
// to one reference.
func (l *lexer) value() (start, end int, err error) {
	var stack []tokenKind
	first := true
	for {
		t, err := l.next()
		if err != nil {
			return 0, 0, err
		}
		if first {
			start, first = t.start, false
		}
		switch t.kind {
		case tokDictOpen, tokArrayOpen:
			if len(stack) >= l.maxDepth {
				return 0, 0, overLimit("nesting deeper than %d", l.maxDepth)
			}
			stack = append(stack, t.kind)
			continue
		case tokDictClose, tokArrayClose:
			if len(stack) == 0 || stack[len(stack)-1] != t.kind-1 {
				return 0, 0, malformed(-1, "unbalanced bracket")
			}
			stack = stack[:len(stack)-1]
		case tokWord:
			if structural(l.b[t.start:t.end]) {
				return 0, 0, malformed(-1, "%q inside a value", l.b[t.start:t.end])
			}
		case tokNumber:
			if len(stack) == 0 {
				if err := l.reference(t); err != nil {
					return 0, 0, err
				}
			}
		}
		if len(stack) == 0 {
			return start, l.pos, nil
		}
	}
}

// structural tells the words that end an object; inside a value they mean that a
// bracket is missing.
func structural(w []byte) bool {
	switch string(w) {
	case "obj", "endobj", "stream", "endstream", "xref", "trailer", "startxref":
		return true
	}
	return false
}

// reference moves on over "G R" if the number t begins a reference.
func (l *lexer) reference(t token) error {
	if !allDigits(l.b[t.start:t.end]) {
		return nil
	}
	save := l.pos
	gen, err := l.next()
	if err == nil && gen.kind == tokNumber && allDigits(l.b[gen.start:gen.end]) {
		var r token
		r, err = l.next()
		if err == nil && r.kind == tokWord && string(l.b[r.start:r.end]) == "R" {
			return nil
		}
	}
	if errors.Is(err, errShort) {
		return err
	}
	l.pos = save
	return nil
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	return len(b) > 0
}
