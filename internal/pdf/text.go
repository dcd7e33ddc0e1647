package pdf

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// stringBytes decodes a literal or hexadecimal string (ISO 32000-1, 7.3.4).
func stringBytes(raw []byte) []byte {
	if len(raw) < 2 {
		return nil
	}
	if raw[0] == '<' {
		return hexBytes(raw[1 : len(raw)-1])
	}
	return literalBytes(raw[1 : len(raw)-1])
}

// hexBytes ignores what is no hex digit and completes an odd last digit with 0.
func hexBytes(b []byte) []byte {
	if len(b)%2 == 0 {
		out := make([]byte, len(b)/2)
		if _, err := hex.Decode(out, b); err == nil {
			return out
		}
	}
	out := make([]byte, 0, len(b)/2+1)
	hi := -1
	for _, c := range b {
		v := hexVal(c)
		if v < 0 {
			continue
		}
		if hi < 0 {
			hi = v
			continue
		}
		out = append(out, byte(hi<<4|v))
		hi = -1
	}
	if hi >= 0 {
		out = append(out, byte(hi<<4))
	}
	return out
}

func literalBytes(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '\r': // an end of line is one LF, however it is written
			if i+1 < len(b) && b[i+1] == '\n' {
				i++
			}
			out = append(out, '\n')
		case c == '\\' && i+1 < len(b):
			i++
			var n int
			out, n = appendEscape(out, b[i:])
			i += n - 1
		default:
			out = append(out, c)
		}
	}
	return out
}

// appendEscape decodes what follows a backslash and returns how much it used.
func appendEscape(out, b []byte) ([]byte, int) {
	if i := strings.IndexByte("nrtbf", b[0]); i >= 0 {
		return append(out, "\n\r\t\b\f"[i]), 1
	}
	switch c := b[0]; {
	case c == '\r' && len(b) > 1 && b[1] == '\n':
		return out, 2
	case c == '\r' || c == '\n':
		return out, 1
	case c >= '0' && c <= '7':
		n, v := 0, 0
		for n < 3 && n < len(b) && b[n] >= '0' && b[n] <= '7' {
			v = v<<3 | int(b[n]-'0')
			n++
		}
		return append(out, byte(v)), n
	}
	return append(out, b[0]), 1
}

// pdfDocHigh is PDFDocEncoding for 0x80 to 0xa0; the rest is Latin-1 (annex D.2).
var pdfDocHigh = [...]rune{
	'•', '†', '‡', '…', '—', '–', 'ƒ', '⁄', '‹', '›', '−', '‰', '„', '“', '”', '‘',
	'’', '‚', '™', 'ﬁ', 'ﬂ', 'Ł', 'Œ', 'Š', 'Ÿ', 'Ž', 'ı', 'ł', 'œ', 'š', 'ž', utf8.RuneError, '€',
}

// text decodes a text string (ISO 32000-2, 7.9.2.2) that is not encrypted, "" if v is
// no string. Document.text is for those of a file.
func (v value) text() string {
	if !v.isString() {
		return ""
	}
	return decodeText(stringBytes(v.raw))
}

func decodeText(b []byte) string {
	switch {
	case len(b) >= 2 && b[0] == 0xfe && b[1] == 0xff:
		u := make([]uint16, 0, len(b)/2)
		for i := 2; i+1 < len(b); i += 2 {
			u = append(u, uint16(b[i])<<8|uint16(b[i+1]))
		}
		return string(utf16.Decode(u))
	case len(b) >= 3 && b[0] == 0xef && b[1] == 0xbb && b[2] == 0xbf:
		return strings.ToValidUTF8(string(b[3:]), string(utf8.RuneError))
	}
	var s strings.Builder
	for _, c := range b {
		if c >= 0x80 && int(c)-0x80 < len(pdfDocHigh) {
			s.WriteRune(pdfDocHigh[c-0x80])
			continue
		}
		s.WriteRune(rune(c))
	}
	return s.String()
}

// encodeText writes a text string: printable ASCII as a literal with escapes,
// anything else as UTF-16BE in hexadecimal, which needs no escaping at all (D9).
func encodeText(s string) []byte {
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] >= 0x20 && s[i] < 0x7f
	}
	if !ascii {
		out := []byte("<FEFF")
		for _, u := range utf16.Encode([]rune(s)) {
			for shift := 12; shift >= 0; shift -= 4 {
				out = append(out, "0123456789ABCDEF"[u>>shift&15])
			}
		}
		return append(out, '>')
	}
	out := []byte{'('}
	for i := range len(s) {
		if c := s[i]; c == '(' || c == ')' || c == '\\' {
			out = append(out, '\\')
		}
		out = append(out, s[i])
	}
	return append(out, ')')
}

// encodeTime writes a date in UTC (ISO 32000-1, 7.9.4).
func encodeTime(t time.Time) []byte {
	return []byte(t.UTC().Format("(D:20060102150405Z)"))
}

// parseTime reads "D:YYYYMMDDHHmmSSOHH'mm'", of which all after the year may be
// missing; false if it is no date.
func parseTime(s string) (time.Time, bool) {
	s = strings.TrimPrefix(s, "D:")
	parts := [6]int{0, 1, 1, 0, 0, 0}
	width := [6]int{4, 2, 2, 2, 2, 2}
	i := 0
	for ; i < len(parts) && s != "" && isDigit(s[0]); i++ {
		if len(s) < width[i] {
			return time.Time{}, false
		}
		n, err := strconv.ParseUint(s[:width[i]], 10, 16)
		if err != nil {
			return time.Time{}, false
		}
		parts[i], s = int(n), s[width[i]:]
	}
	if i == 0 {
		return time.Time{}, false
	}
	zone, ok := parseZone(s)
	if !ok {
		return time.Time{}, false
	}
	t := time.Date(parts[0], time.Month(parts[1]), parts[2], parts[3], parts[4], parts[5], 0, zone)
	if t.Month() != time.Month(parts[1]) || t.Day() != parts[2] {
		return time.Time{}, false // the 31st of February and the like
	}
	return t, true
}

func parseZone(s string) (*time.Location, bool) {
	if s == "" || s[0] == 'Z' {
		return time.UTC, true
	}
	if s[0] != '+' && s[0] != '-' {
		return nil, false
	}
	digits := strings.ReplaceAll(s[1:], "'", "")
	if len(digits) != 2 && len(digits) != 4 {
		return nil, false
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return nil, false
	}
	hours, minutes := int(n), 0
	if len(digits) == 4 {
		hours, minutes = int(n)/100, int(n)%100
	}
	if hours > 23 || minutes > 59 {
		return nil, false
	}
	sec := hours*3600 + minutes*60
	if s[0] == '-' {
		sec = -sec
	}
	return time.FixedZone("", sec), true
}
