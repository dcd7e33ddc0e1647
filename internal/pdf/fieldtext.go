package pdf

import (
	"bytes"
	"strings"
)

// maxLook bounds the content of a look whose text is read, in bytes.
const maxLook = 1 << 20

// seenText is the text that a look shows, without spaces; false if that cannot be told: it is drawn with more than letters, is not
// seen, or is in codes whose meaning the file does not say.
func (d *Document) seenText(look object) (string, bool, error) {
	resources, err := d.key(look.val, "Resources")
	if err != nil {
		return "", false, err
	}
	fonts := nullValue()
	if resources.isDict() {
		if fonts, err = d.key(resources, "Font"); err != nil {
			return "", false, err
		}
	}
	b, err := d.content(look)
	if err != nil {
		_, err = d.undecoded(err)
		return "", false, err
	}
	if len(b) > maxLook {
		return "", false, nil
	}
	s := lookText{d: d, fonts: fonts, known: map[string]func([]byte) (string, bool){}, plain: true}
	w := contentWalk{lexer: lexer{b: b, eof: true}}
	w.drawn.texts = s.add
	if why := w.walk(); why != "" || s.err != nil {
		return "", false, s.err
	}
	for _, use := range w.drawn.uses.order {
		if use.part == "XObject" || use.part == "Shading" || use.part == "Pattern" {
			return "", false, nil
		}
	}
	return squeezed(s.out.String()), s.plain && !w.drawn.other, nil
}

// lookText collects the texts of a look.
type lookText struct {
	d     *Document
	fonts value
	known map[string]func([]byte) (string, bool)
	out   strings.Builder
	plain bool
	err   error
}

func (s *lookText) add(font string, text []byte) {
	if !s.plain || s.err != nil {
		return
	}
	if font == anotherFont {
		s.plain = false
		return
	}
	font = font[1:]
	read, known := s.known[font]
	if !known {
		if read, s.err = s.d.readerOf(s.fonts, font); s.err != nil {
			return
		}
		s.known[font] = read
	}
	if read == nil {
		s.plain = false
		return
	}
	out, ok := read(text)
	s.out.WriteString(out)
	s.plain = ok
}

// readerOf gives what the octets of a font mean, nil if that is not known.
func (d *Document) readerOf(fonts value, name string) (func([]byte) (string, bool), error) {
	if !fonts.isDict() {
		return nil, nil
	}
	font, err := d.key(fonts, name)
	if err != nil || !font.isDict() {
		return nil, err
	}
	v, err := font.values("Subtype", "Encoding", "ToUnicode")
	if err != nil {
		return nil, err
	}
	encoding, err := d.resolve(v[1])
	if err != nil {
		return nil, err
	}
	if v[0].nameIs("Type3") {
		return nil, nil
	}
	if v[0].nameIs("Type0") || encoding.isNull() && !v[2].isNull() {
		m, err := d.toUnicode(v[2])
		if err != nil || m == nil {
			return nil, err
		}
		width := 1
		if v[0].nameIs("Type0") {
			width = 2
		}
		return func(b []byte) (string, bool) { return m.text(b, width) }, nil
	}
	e, err := d.encodingOf(encoding)
	return e.text, err
}

// text is what octets mean.
func (e *encoding) text(b []byte) (string, bool) {
	var out strings.Builder
	for _, c := range b {
		r := e.character(c)
		if r == 0 {
			return "", false
		}
		out.WriteRune(r)
	}
	return out.String(), true
}

// unicodeMap is a /ToUnicode CMap (ISO 32000-2, 9.10.3).
type unicodeMap map[uint32]string

// mostMapped bounds its entries.
const mostMapped = 1 << 16

func (m unicodeMap) text(b []byte, width int) (string, bool) {
	var out strings.Builder
	for ; len(b) >= width; b = b[width:] {
		text, known := m[codeOf(b[:width])]
		if !known {
			return "", false
		}
		out.WriteString(text)
	}
	return out.String(), len(b) == 0
}

func codeOf(b []byte) (n uint32) {
	for _, c := range b[:min(len(b), 4)] {
		n = n<<8 | uint32(c)
	}
	return n
}

// toUnicode reads the map of a font, nil if there is none that can be read.
func (d *Document) toUnicode(v value) (unicodeMap, error) {
	o, err := d.objectOf(v)
	if err != nil || o.stream < 0 {
		return nil, err
	}
	b, err := d.content(o)
	if err != nil {
		_, err = d.undecoded(err)
		return nil, err
	}
	return readUnicodeMap(b), nil
}

// mapItem is a code or a text of a CMap, or an array of texts.
type mapItem struct {
	text []byte
	list [][]byte
}

// readUnicodeMap is nil for a map that cannot be read, or is too large.
func readUnicodeMap(b []byte) unicodeMap {
	m := unicodeMap{}
	l := lexer{b: b, eof: true}
	var items []mapItem
	listed := false
	for {
		l.skipSpace()
		if l.pos >= len(b) {
			return m
		}
		t, err := l.next()
		if err != nil || len(items) > mostMapped {
			return nil
		}
		switch word := b[t.start:t.end]; t.kind {
		case tokHex:
			if n := len(items) - 1; listed {
				items[n].list = append(items[n].list, stringBytes(word))
			} else {
				items = append(items, mapItem{text: stringBytes(word)})
			}
		case tokArrayOpen, tokArrayClose:
			if listed = t.kind == tokArrayOpen; listed {
				items = append(items, mapItem{})
			}
		case tokWord:
			if !m.take(string(word), items) {
				return nil
			}
			items = nil
		}
	}
}

// take enters what stands in front of an operator, and tells whether there was room for it.
func (m unicodeMap) take(op string, items []mapItem) bool {
	switch op {
	case "endbfchar":
		for ; len(items) >= 2; items = items[2:] {
			m[codeOf(items[0].text)] = utf16Text(items[1].text)
		}
	case "endbfrange":
		for ; len(items) >= 3; items = items[3:] {
			from, to := codeOf(items[0].text), codeOf(items[1].text)
			for i := uint32(0); from+i <= to && from+i >= from; i++ {
				switch last := bytes.Clone(items[2].text); {
				case items[2].list != nil && int(i) < len(items[2].list):
					m[from+i] = utf16Text(items[2].list[i])
				case len(last) >= 2:
					unit := codeOf(last[len(last)-2:]) + i
					last[len(last)-2], last[len(last)-1] = byte(unit>>8), byte(unit)
					m[from+i] = utf16Text(last)
				}
				if len(m) > mostMapped || i > mostMapped {
					return false
				}
			}
		}
	}
	return len(m) <= mostMapped
}

func utf16Text(b []byte) string { return decodeText(append([]byte{0xfe, 0xff}, b...)) }
