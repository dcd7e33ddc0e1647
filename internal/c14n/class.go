package c14n

import "unicode/utf8"

// Classes of bytes: what may simply be passed over in each place of a document.
// A byte without the bit is looked at: markup, the start of a reference, a
// carriage return, a control character, the first byte of a longer character.
const (
	nameByte   = 1 << iota // of a name, ASCII, without the colon
	startByte              // the first of a name, ASCII
	spaceByte              // S of XML 1.0
	textByte               // of text: not < & > ] CR, nor a control character
	valueByte              // of an attribute's value: not < & " ' TAB LF CR
	insideByte             // of a comment, processing instruction or CDATA: not CR - ? ]
)

// classes is a constant in all but name; nothing writes to it.
var classes = makeClasses()

func makeClasses() (t [256]uint8) {
	set := func(from, to byte, bits uint8) {
		for c := int(from); c <= int(to); c++ {
			t[c] |= bits
		}
	}
	set('a', 'z', nameByte|startByte)
	set('A', 'Z', nameByte|startByte)
	set('_', '_', nameByte|startByte)
	set('0', '9', nameByte)
	set('-', '-', nameByte)
	set('.', '.', nameByte)
	for _, c := range []byte(" \t\n\r") {
		t[c] |= spaceByte
	}
	set(' ', 0x7F, textByte|valueByte|insideByte)
	set('\t', '\n', textByte|insideByte)
	for _, c := range []byte("<&>]") {
		t[c] &^= textByte
	}
	for _, c := range []byte("<&\"'") {
		t[c] &^= valueByte
	}
	for _, c := range []byte("-?]") {
		t[c] &^= insideByte
	}
	return t
}

// isChar is Char of XML 1.0 (production 2).
func isChar(r rune) bool {
	return r >= 0x20 && r <= 0xD7FF || r == '\t' || r == '\n' || r == '\r' || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// isStart is NameStartChar of XML 1.0, fifth edition (production 4), without the
// colon, for characters above ASCII.
func isStart(r rune) bool {
	switch {
	case r < 0xC0, r == 0xD7, r == 0xF7, r == 0x37E:
		return false
	case r <= 0x2FF, r >= 0x370 && r <= 0x1FFF, r == 0x200C, r == 0x200D, r >= 0x2070 && r <= 0x218F, r >= 0x2C00 && r <= 0x2FEF:
		return true
	case r >= 0x3001 && r <= 0xD7FF, r >= 0xF900 && r <= 0xFDCF, r >= 0xFDF0 && r <= 0xFFFD, r >= 0x10000 && r <= 0xEFFFF:
		return true
	}
	return false
}

// isName is NameChar (production 4a), likewise.
func isName(r rune) bool {
	return isStart(r) || r == 0xB7 || r >= 0x300 && r <= 0x36F || r == 0x203F || r == 0x2040
}

// character reads one character at b[i], which is none that the classes pass
// over: the bytes of it, or why it is not one.
func character(b []byte, i int) (rune, int, error) {
	if b[i] < utf8.RuneSelf {
		if !isChar(rune(b[i])) {
			return 0, 0, bad(ErrChar, i, "control character "+shown(b[i:i+1]))
		}
		return rune(b[i]), 1, nil
	}
	r, n := utf8.DecodeRune(b[i:])
	if r == utf8.RuneError && n <= 1 {
		if !utf8.FullRune(b[i:]) {
			return 0, 0, errShort
		}
		return 0, 0, bad(ErrChar, i, "byte "+shown(b[i:i+1])+" is not UTF-8")
	}
	if !isChar(r) {
		return 0, 0, bad(ErrChar, i, "character "+shown(b[i:i+n]))
	}
	return r, n, nil
}

// name reads a qualified name at b[i:]: its end, and where its colon is or -1.
// Namespaces in XML 1.0 (productions 7 to 11): at most one colon, never first or
// last, and a name's first character after it.
func name(b []byte, i, most int) (end, colon int, err error) {
	colon = -1
	first, begin := true, i
	for i < len(b) {
		c := b[i]
		switch {
		case classes[c]&nameByte != 0:
			if first && classes[c]&startByte == 0 {
				return 0, 0, syntax(i, "a name begins with "+shown(b[i:i+1]))
			}
			i++
			first = false
		case c == ':':
			if first || colon >= 0 {
				return 0, 0, namespaces(i, "a colon where none may be")
			}
			colon, first = i, true
			i++
		case c >= utf8.RuneSelf:
			r, n, err := character(b, i)
			if err != nil {
				return 0, 0, err
			}
			if first && !isStart(r) || !isName(r) {
				return 0, 0, syntax(i, "a name with "+shown(b[i:i+n]))
			}
			i += n
			first = false
		default:
			if first {
				if colon >= 0 {
					return 0, 0, namespaces(i, "a name ends with a colon")
				}
				return 0, 0, syntax(i, "a name was expected and "+shown(b[i:i+1])+" found")
			}
			if i-begin > most {
				return 0, 0, over(ErrName, begin, most)
			}
			return i, colon, nil
		}
	}
	if i-begin > most {
		return 0, 0, over(ErrName, begin, most)
	}
	return 0, 0, errShort
}

// reference reads what stands at b[i] = '&': the character, and the bytes of the
// reference.
func reference(b []byte, i int) (rune, int, error) {
	const longest = 64 // of a reference; zeros may lead
	n := 1
	for ; ; n++ {
		if n == longest {
			return 0, 0, bad(ErrEntity, i, shown(b[i:i+n]))
		}
		if i+n >= len(b) {
			return 0, 0, errShort
		}
		if b[i+n] == ';' {
			break
		}
	}
	body := b[i+1 : i+n]
	switch string(body) {
	case "amp":
		return '&', n + 1, nil
	case "lt":
		return '<', n + 1, nil
	case "gt":
		return '>', n + 1, nil
	case "quot":
		return '"', n + 1, nil
	case "apos":
		return '\'', n + 1, nil
	}
	if len(body) < 2 || body[0] != '#' {
		return 0, 0, bad(ErrEntity, i, shown(b[i:i+n+1]))
	}
	r, ok := number(body[1:])
	if !ok {
		return 0, 0, bad(ErrEntity, i, shown(b[i:i+n+1]))
	}
	if !isChar(r) {
		return 0, 0, bad(ErrChar, i, "reference "+shown(b[i:i+n+1]))
	}
	return r, n + 1, nil
}

// number reads the digits of a character reference: decimal, or x and hexadecimal.
func number(digits []byte) (rune, bool) {
	base := rune(10)
	if digits[0] == 'x' {
		base, digits = 16, digits[1:]
	}
	r := rune(0)
	for _, c := range digits {
		d := rune(99)
		switch {
		case c >= '0' && c <= '9':
			d = rune(c - '0')
		case c >= 'a' && c <= 'f':
			d = rune(c-'a') + 10
		case c >= 'A' && c <= 'F':
			d = rune(c-'A') + 10
		}
		if d >= base {
			return 0, false
		}
		if r = r*base + d; r > utf8.MaxRune {
			return utf8.MaxRune + 1, true
		}
	}
	return r, len(digits) > 0
}
