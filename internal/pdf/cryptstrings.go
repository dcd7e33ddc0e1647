package pdf

import (
	"bytes"
	"crypto/aes"
)

// stringSpan is a string within a value; bare: the /Contents of a signature
// dictionary, which is never encrypted (ISO 32000-2, 7.6.2).
type stringSpan struct {
	start, end int
	bare       bool
}

// dictFrame is an open bracket: for a dictionary, what was seen of it.
type dictFrame struct {
	dict     bool
	key      string // the key whose value is awaited
	awaits   bool
	contents int // index of the string under /Contents, -1 if none
	ranged   bool
	filter   bool
	typ      string
	isValue  bool // it is the /V of another dictionary
}

// isSignature tells the dictionary of a signature. /Type may be missing (ISO 32000-2,
// table 255): then it must be the value of a field, or an object of its own that names
// its handler.
func (f *dictFrame) isSignature(ownObject bool) bool {
	switch f.typ {
	case "Sig", "DocTimeStamp":
		return f.ranged
	case "":
		return f.ranged && (f.isValue || ownObject && f.filter)
	}
	return false
}

// eachString lists the strings of a value in order.
func (v value) eachString() ([]stringSpan, error) {
	var spans []stringSpan
	frames := []dictFrame{{contents: -1}}
	l := v.sub(0)
	for {
		l.skipSpace()
		if l.pos >= len(v.raw) {
			return spans, nil
		}
		t, err := l.next()
		if err != nil {
			return nil, err
		}
		f := &frames[len(frames)-1]
		switch t.kind {
		case tokName:
			if f.dict && !f.awaits {
				f.key, f.awaits = string(decodeName(v.raw[t.start:t.end])), true
				f.ranged = f.ranged || f.key == "ByteRange"
				f.filter = f.filter || f.key == "Filter"
				continue
			}
			if f.dict && f.key == "Type" {
				f.typ = string(decodeName(v.raw[t.start:t.end]))
			}
		case tokDictOpen, tokArrayOpen:
			isValue := f.dict && f.awaits && f.key == "V"
			f.awaits = false
			frames = append(frames, dictFrame{dict: t.kind == tokDictOpen, contents: -1, isValue: isValue})
			continue
		case tokDictClose, tokArrayClose:
			if len(frames) == 1 {
				return nil, malformed(v.off, "unbalanced bracket")
			}
			if f.contents >= 0 && f.isSignature(len(frames) == 2) {
				spans[f.contents].bare = true
			}
			frames = frames[:len(frames)-1]
			continue
		case tokString, tokHex:
			if f.dict && f.awaits && f.key == "Contents" && t.kind == tokHex {
				f.contents = len(spans)
			}
			spans = append(spans, stringSpan{start: t.start, end: t.end})
		}
		f.awaits = false
	}
}

// mapStrings returns the bytes of a value with every string that can be encrypted
// replaced, in hexadecimal.
func (v value) mapStrings(fn func([]byte) ([]byte, error)) ([]byte, error) {
	spans, err := v.eachString()
	if err != nil || len(spans) == 0 {
		return v.raw, err
	}
	var out bytes.Buffer
	at := 0
	for _, s := range spans {
		if s.bare {
			continue
		}
		b, err := fn(stringBytes(v.raw[s.start:s.end]))
		if err != nil {
			return nil, malformed(v.off, "a string %v", err)
		}
		out.Write(v.raw[at:s.start])
		out.Write(hexString(b))
		at = s.end
	}
	out.Write(v.raw[at:])
	return out.Bytes(), nil
}

// hexString writes a hexadecimal string.
func hexString(b []byte) []byte {
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, 2*len(b)+2)
	out = append(out, '<')
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return append(out, '>')
}

// plainly returns a reading of an encrypted file in which all strings are decrypted
// and written alike, so that two revisions can be compared by their meaning. Its
// values have no place in the file.
func (d *Document) plainly() *Document {
	if d.crypt == nil {
		return d
	}
	p := *d
	p.plain, p.streams, p.streamMem, p.window, p.parsed = true, nil, 0, nil, nil
	return &p
}

// inPlain rewrites a value for a plain reading. packed: it comes from an object
// stream, where strings are not encrypted by themselves.
func (d *Document) inPlain(num int, v value, packed bool) (value, error) {
	if num == d.crypt.num || v.isDict() && d.isXref(v) {
		return v, nil
	}
	fn := d.crypt.openString
	if packed || !d.crypt.strings {
		fn = func(b []byte) ([]byte, error) { return b, nil }
	}
	raw, err := v.mapStrings(fn)
	return value{raw: raw, off: -1}, err
}

func (d *Document) isXref(v value) bool {
	typ, err := v.get("Type")
	return err == nil && typ.nameIs("XRef")
}

// scanMixed looks for content in clear among encrypted content: who can change the
// file on its way can add some that sends off what a reader decrypts ("PDFex", direct
// exfiltration), and the author's password vouches for none of it (ADE-04).
func (d *Document) scanMixed(s *Summary, num int, o object, metadata int) error {
	if s.PartlyEncrypted || num == d.crypt.num {
		return nil
	}
	if err := d.scanMetadata(s, o, metadata); err != nil || s.PartlyEncrypted {
		return err
	}
	if o.end < 0 {
		return nil
	}
	if o.stream >= 0 && d.isXref(o.val) {
		// One that lists nothing is content that only calls itself a cross-reference.
		s.PartlyEncrypted = !d.sections[o.stream]
		return nil
	}
	if d.crypt.strings {
		spans, err := o.val.eachString()
		if err != nil {
			return err
		}
		for _, sp := range spans {
			if sp.bare {
				continue
			}
			_, bad := d.crypt.openString(stringBytes(o.val.raw[sp.start:sp.end]))
			if s.PartlyEncrypted = bad != nil; s.PartlyEncrypted {
				return nil
			}
		}
	}
	if o.stream < 0 || num == metadata {
		return nil
	}
	filter, err := d.key(o.val, "Filter")
	if err != nil {
		return err
	}
	parms, err := d.key(o.val, "DecodeParms")
	if err != nil {
		return err
	}
	if sameShape(filter, parms) != nil {
		first, _, err := d.firstOf(filter)
		s.PartlyEncrypted = first.nameIs("Crypt") // encrypted for some readers
		if err != nil || s.PartlyEncrypted {
			return err
		}
	}
	on, _, _, err := d.cryptFilter(filter, parms)
	if err != nil {
		return err
	}
	n, err := d.streamLength(o)
	s.PartlyEncrypted = !on || err == nil && n%aes.BlockSize != 0
	return err
}

// scanMetadata looks, in a file whose metadata is in clear, for content that passes for
// metadata: readers take it for clear by its /Type, or because the catalog says so while
// something else refers to it too.
func (d *Document) scanMetadata(s *Summary, o object, metadata int) error {
	if d.crypt.metadata {
		return nil
	}
	typ, err := o.val.getDict("Type")
	if err != nil {
		return err
	}
	if o.stream >= 0 && typ.nameIs("Metadata") && o.id.num != metadata {
		s.PartlyEncrypted = true
	}
	var except []string
	if typ.nameIs("Catalog") {
		except = []string{"Metadata"}
	}
	return eachRef(o.val, except, func(id ref) {
		s.PartlyEncrypted = s.PartlyEncrypted || metadata != 0 && id.num == metadata
	})
}

// clearMetadata is the number of the stream that may be in clear because the file
// says so, 0 if there is none.
func (d *Document) clearMetadata() (int, error) {
	if d.crypt == nil || d.crypt.metadata {
		return 0, nil
	}
	cat, err := d.catalog()
	if err != nil {
		return 0, err
	}
	v, err := cat.val.get("Metadata")
	id, _ := v.asRef()
	return id.num, err
}
