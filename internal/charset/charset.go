// Package charset reads XML documents that are in another encoding than UTF-8, for those who judge them: canonical forms, and so
// digests, are of characters (Canonical XML 1.0, section 2.1), and what is signed is not how they were encoded.
//
// # One decision
//
// A document that two programs decode to different characters has two faces, and a signature covers one of them. So only such
// documents are read of which every reader of XML must decide the same (XML 1.0, section 4.3.3 and appendix F):
//
//   - UTF-16 of both orders, with its byte order mark and a declaration that says "UTF-16" or names no encoding;
//   - the encodings of Names, without a byte order mark, declared by that name in a declaration that is written to the
//     letter of production 23. Each is ASCII with other characters above, so there is no doubt about the declaration itself.
//
// All other encodings are left to the parser (c14n), which refuses what is not UTF-8. Decoding is strict: an octet that the
// encoding does not define, or that gives a C1 control character (which browsers take for one of windows-1252), a surrogate that is
// alone and a second mark are refused. Nothing is ever replaced.
package charset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// MaxSize bounds a document in another encoding than UTF-8, in octets: it is decoded in memory, to at most three times as much.
const MaxSize = 32 << 20

var (
	// ErrOctets: an octet that the encoding does not define, or that readers decode differently.
	ErrOctets = errors.New("charset: the document is not in the encoding that it declares")
	// ErrDisagree: the byte order mark and the declaration name different encodings.
	ErrDisagree = errors.New("charset: byte order mark and XML declaration do not agree on the encoding")
	// ErrSize: the document is above MaxSize.
	ErrSize = errors.New("charset: the document is too large for another encoding than UTF-8")
)

// tables are the encodings of one octet for each character, in capitals. Left out are those of which tables differ between programs
// (ISO-8859-7 has two editions) and those that reorder or combine characters (Hebrew, Arabic, Vietnamese, Thai).
var tables = map[string]*charmap.Charmap{
	"ISO-8859-1": charmap.ISO8859_1, "ISO-8859-2": charmap.ISO8859_2, "ISO-8859-4": charmap.ISO8859_4, "ISO-8859-5": charmap.ISO8859_5,
	"ISO-8859-9": charmap.ISO8859_9, "ISO-8859-13": charmap.ISO8859_13, "ISO-8859-15": charmap.ISO8859_15,
	"WINDOWS-1250": charmap.Windows1250, "WINDOWS-1251": charmap.Windows1251, "WINDOWS-1252": charmap.Windows1252,
	"WINDOWS-1254": charmap.Windows1254, "WINDOWS-1257": charmap.Windows1257,
	"US-ASCII": nil, // no octet above 0x7F
}

const utf16Name = "UTF-16"

// Names are the encodings that a declaration may name, in capitals; case does not matter there.
func Names() []string { return append(slices.Sorted(maps.Keys(tables)), utf16Name) }

// declared is an XML declaration to the letter (productions 23 to 26, 32, 80 and 81).
var declared = regexp.MustCompile(`^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0')(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"([A-Za-z][A-Za-z0-9._-]*)"|'([A-Za-z][A-Za-z0-9._-]*)'))?` +
	`(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>`)

// maxDeclaration bounds a declaration, in octets of UTF-8.
const maxDeclaration = 512

// UTF8 gives the document in UTF-8, with a declaration that says so, and the name of the encoding that it was in. A document that
// neither its mark nor its declaration puts into one of these encodings is given back nil, without a judgement: it is for the parser.
// ErrOctets, ErrDisagree, ErrSize, and errors of r.
func UTF8(r io.ReaderAt, size int64) ([]byte, string, error) {
	head := make([]byte, maxDeclaration)
	n, err := r.ReadAt(head[:min(int64(len(head)), max(size, 0))], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, "", err
	}
	name, decode := recognise(head[:n])
	if decode == nil {
		return nil, "", nil
	}
	if size > MaxSize {
		return nil, "", fmt.Errorf("%w: %d octets in %s, the bound is %d", ErrSize, size, name, MaxSize)
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(r, 0, size), raw); err != nil {
		return nil, "", err
	}
	text, err := decode(raw)
	if err != nil {
		return nil, "", fmt.Errorf("%w (%s)", err, name)
	}
	text, err = redeclare(text, name)
	return text, name, err
}

// recognise tells the encoding from the first octets.
func recognise(head []byte) (string, func([]byte) ([]byte, error)) {
	if big := bytes.HasPrefix(head, []byte("\xFE\xFF")); big || bytes.HasPrefix(head, []byte("\xFF\xFE")) {
		return utf16Name, func(raw []byte) ([]byte, error) { return wide(raw, big) }
	}
	name := nameIn(head)
	table, known := tables[name]
	if !known {
		return "", nil
	}
	return name, func(raw []byte) ([]byte, error) { return single(raw, table) }
}

// nameIn is the encoding that a declaration names, in capitals; empty if there is none.
func nameIn(text []byte) string {
	m := declared.FindSubmatch(text[:min(len(text), maxDeclaration)])
	if m == nil {
		return ""
	}
	return strings.ToUpper(string(m[1]) + string(m[2]))
}

// single decodes octets by a table; without one, of ASCII.
func single(raw []byte, table *charmap.Charmap) ([]byte, error) {
	out := make([]byte, 0, len(raw)+len(raw)/8)
	for i, b := range raw {
		if b < utf8.RuneSelf {
			out = append(out, b)
			continue
		}
		c := utf8.RuneError
		if table != nil {
			c = table.DecodeByte(b)
		}
		if c == utf8.RuneError || c < 0xA0 {
			return nil, fmt.Errorf("%w: octet %#x at byte %d", ErrOctets, b, i)
		}
		out = utf8.AppendRune(out, c)
	}
	return out, nil
}

// wide decodes UTF-16 behind its mark.
func wide(raw []byte, big bool) ([]byte, error) {
	if len(raw)%2 != 0 {
		return nil, fmt.Errorf("%w: it ends within a character", ErrOctets)
	}
	unit := func(i int) rune {
		if big {
			return rune(raw[i])<<8 | rune(raw[i+1])
		}
		return rune(raw[i+1])<<8 | rune(raw[i])
	}
	out := make([]byte, 0, len(raw))
	for i := 2; i < len(raw); i += 2 {
		c := unit(i)
		if utf16.IsSurrogate(c) {
			if i+4 > len(raw) {
				return nil, fmt.Errorf("%w: it ends within a character", ErrOctets)
			}
			if c = utf16.DecodeRune(c, unit(i+2)); c == utf8.RuneError {
				return nil, fmt.Errorf("%w: half of a surrogate pair at byte %d", ErrOctets, i)
			}
			i += 2
		}
		out = utf8.AppendRune(out, c)
	}
	if bytes.HasPrefix(out, []byte("\uFEFF")) {
		return nil, fmt.Errorf("%w: two byte order marks", ErrOctets)
	}
	return out, nil
}

// redeclare has a text's declaration say UTF-8, after it was seen to say what the text was in, or nothing. Of what follows nothing is changed.
func redeclare(text []byte, name string) ([]byte, error) {
	if !bytes.HasPrefix(text, []byte("<?xml")) || len(text) > 5 && !strings.ContainsRune(" \t\r\n", rune(text[5])) {
		return text, nil // no declaration: UTF-16 by its mark alone
	}
	m := declared.FindSubmatchIndex(text[:min(len(text), maxDeclaration)])
	if m == nil {
		return nil, fmt.Errorf("%w: the declaration cannot be read", ErrDisagree)
	}
	from, to := max(m[2], m[4]), max(m[3], m[5])
	if from < 0 {
		return text, nil // UTF-8 is what no name means
	}
	if said := string(text[from:to]); !strings.EqualFold(said, name) {
		return nil, fmt.Errorf("%w: %s and %q", ErrDisagree, name, said)
	}
	return slices.Concat(text[:from], []byte("UTF-8"), text[to:]), nil
}
