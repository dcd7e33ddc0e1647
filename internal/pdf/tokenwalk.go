package pdf

import (
	"bytes"
	"strings"
)

// tokenWalk goes over the tokens of an object once. It notes names, so that #-escapes hide nothing, and what readers take for
// different things (ADE-04): a key that a dictionary has twice, of which they take the first or the last, a reference of another
// generation than its object, which some follow, and words and numbers that are none.
type tokenWalk struct {
	d      *Document
	s      *Summary
	raw    []byte
	open   []openValue
	before [2]token // in front of the present one
}

// openValue is a dictionary or an array that is not closed yet.
type openValue struct {
	dict bool
	key  []byte // whose value is expected or being read
	from int    // where that value begins, after white space; 0: a key is expected
	size int    // tokens of it that were read, not counting what is within
	ref  bool   // the last of them is R
	keys keySet
}

// keySet are the values of a dictionary's keys; most have few.
type keySet struct {
	few  []keyValue
	many map[string][]byte
}

type keyValue struct{ key, val []byte }

const fewKeys = 32

// add tells whether the key is there with another value. Cairo writes one resource several times.
func (k *keySet) add(key, val []byte) bool {
	if k.many != nil {
		was, ok := k.many[string(key)]
		k.many[string(key)] = val
		return ok && !bytes.Equal(was, val)
	}
	for _, f := range k.few {
		if bytes.Equal(f.key, key) {
			return !bytes.Equal(f.val, val)
		}
	}
	if k.few = append(k.few, keyValue{key, val}); len(k.few) > fewKeys {
		k.many = map[string][]byte{}
		for _, f := range k.few {
			k.many[string(f.key)] = f.val
		}
	}
	return false
}

func (d *Document) scanTokens(s *Summary, v value) error {
	w := tokenWalk{d: d, s: s, raw: v.raw}
	l := v.sub(0)
	for {
		l.skipSpace()
		if l.pos >= len(v.raw) {
			return nil
		}
		t, err := l.next()
		if err != nil {
			return err
		}
		if w.odd(t) {
			s.Twofaced = true
		}
		w.before[0], w.before[1] = w.before[1], t
	}
}

func (w *tokenWalk) odd(t token) bool {
	word := w.raw[t.start:t.end]
	var name []byte
	if t.kind == tokName {
		name = decodeName(word)
		w.s.note(name)
	}
	if w.nest(t, name) {
		return true
	}
	switch t.kind {
	case tokNumber:
		return !plainNumber(word)
	case tokHex:
		return strings.ContainsFunc(string(word[1:len(word)-1]), notHexadecimal)
	case tokWord:
		if string(word) == "R" {
			return w.oddReference(t)
		}
		return string(word) != "true" && string(word) != "false" && string(word) != "null"
	}
	return false
}

// nest keeps account of what is open, and tells what entry does.
func (w *tokenWalk) nest(t token, name []byte) (odd bool) {
	if len(w.open) > 0 {
		if f := &w.open[len(w.open)-1]; f.dict {
			odd = w.entry(f, t, name)
		}
	}
	switch t.kind {
	case tokDictOpen, tokArrayOpen:
		w.open = append(w.open, openValue{dict: t.kind == tokDictOpen})
	case tokDictClose, tokArrayClose:
		w.open = w.open[:max(0, len(w.open)-1)]
	}
	return odd
}

// entry tells whether a key of a dictionary stands there again with another value, or does not have one value: MuPDF and PDFium go
// on in different ways then.
func (w *tokenWalk) entry(f *openValue, t token, name []byte) (odd bool) {
	closes := t.kind == tokDictClose
	if f.from > 0 && (closes || name != nil && f.size > 0) {
		odd = f.size != 1 && (f.size != 3 || !f.ref) || f.keys.add(f.key, bytes.TrimFunc(w.raw[f.from:t.start], pdfSpace))
		f.from = 0
	}
	switch {
	case closes:
	case f.from > 0:
		f.size++
		f.ref = string(w.raw[t.start:t.end]) == "R"
	case name != nil:
		f.key, f.from, f.size = name, t.end, 0
	default:
		odd = true
	}
	return odd
}

// oddReference tells whether the reference that ends with a token is one to some readers only.
func (w *tokenWalk) oddReference(end token) bool {
	if w.before[1].kind != tokNumber || w.before[0].kind != tokNumber {
		return true
	}
	from := w.before[0].start
	n := [2][]byte{w.raw[from:w.before[0].end], w.raw[w.before[1].start:w.before[1].end]}
	if !nameable(n) || !allDigits(n[0]) || !allDigits(n[1]) || len(n[0]) > maxDigits || len(n[1]) > 5 || bytes.IndexByte(w.raw[from:end.start], '%') >= 0 {
		return true
	}
	num, _ := parseInt(n[0])
	gen, _ := parseInt(n[1])
	switch e := w.d.xref.get(int(num)); e.kind {
	case entryOffset:
		return int64(e.aux) != gen
	case entryInStream:
		return gen != 0
	}
	return false
}

// plainNumber tells a number of the form of ISO 32000-1, 7.3.3.
func plainNumber(b []byte) bool {
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		b = b[1:]
	}
	whole, part, _ := bytes.Cut(b, []byte("."))
	return len(whole)+len(part) > 0 && (len(whole) == 0 || allDigits(whole)) && (len(part) == 0 || allDigits(part))
}
