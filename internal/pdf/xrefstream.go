package pdf

import (
	"bufio"
	"errors"
	"io"
)

// readStreamSection reads a cross-reference stream (ISO 32000-1, 7.5.8).
func (d *Document) readStreamSection(off int64) (section, error) {
	sec := section{kind: xrefStreamKind, off: off}
	o, err := d.objectAt(off)
	if err != nil {
		return sec, err
	}
	typ, err := o.val.getDict("Type")
	if err != nil {
		return sec, err
	}
	if o.stream < 0 || !typ.nameIs("XRef") {
		return sec, damaged(off, "object %d is no cross-reference stream", o.id.num)
	}
	sec.trailer = o.val
	if d.sections == nil {
		d.sections = map[int64]bool{}
	}
	d.sections[o.stream] = true
	w, err := d.fieldWidths(o.val)
	if err != nil {
		return sec, err
	}
	body, err := d.streamReader(o, int64(d.lim.MaxObjects)*16)
	if err != nil {
		return sec, err
	}
	br := bufio.NewReaderSize(body, 4096)
	var inner error
	err = d.eachIndexRange(o.val, func(start, count int64) bool {
		inner = d.readStreamEntries(br, w, start, count)
		return inner == nil
	})
	if err == nil {
		err = inner
	}
	return sec, err
}

// getDict is get for a value that may be no dictionary: then the key is absent.
func (v value) getDict(key string) (value, error) {
	if !v.isDict() {
		return nullValue(), nil
	}
	return v.get(key)
}

// fieldWidths reads /W.
func (d *Document) fieldWidths(dict value) ([3]int, error) {
	var w [3]int
	v, err := dict.get("W")
	if err != nil {
		return w, err
	}
	i, good := 0, v.isArray()
	if good {
		err = v.eachElem(func(e value) bool {
			n, ok := e.asInt()
			good = good && ok && n >= 0 && n <= 8
			if good && i < 3 {
				w[i] = int(n)
			}
			i++
			return good
		})
	}
	if err != nil || !good || i < 3 || w[1] == 0 {
		return w, damaged(v.off, "cross-reference stream with a bad /W")
	}
	return w, nil
}

// eachIndexRange calls fn for every subsection of /Index, by default [0 Size].
func (d *Document) eachIndexRange(dict value, fn func(start, count int64) bool) error {
	index, err := dict.get("Index")
	if err != nil {
		return err
	}
	if index.isNull() {
		v, err := dict.get("Size")
		if err != nil {
			return err
		}
		size, ok := v.asInt()
		if !ok || size < 0 {
			return damaged(dict.off, "cross-reference stream without /Size")
		}
		fn(0, size)
		return nil
	}
	var start int64
	i, good := 0, true
	err = index.eachElem(func(e value) bool {
		n, ok := e.asInt()
		if !ok || n < 0 {
			good = false
			return false
		}
		i++
		if i%2 == 1 {
			start = n
			return true
		}
		return fn(start, n)
	})
	if err != nil || !good {
		return damaged(index.off, "cross-reference stream with a bad /Index")
	}
	return nil
}

// readStreamEntries reads count entries of widths w. A stream that ends early is
// damaged: some readers then leave the rest unlisted, others search the whole file for
// objects.
func (d *Document) readStreamEntries(r io.Reader, w [3]int, start, count int64) error {
	if start > maxObjectNumber || count > maxObjectNumber+1 || start+count > maxObjectNumber+1 {
		return overLimit("cross-reference subsection %d+%d", start, count)
	}
	buf := make([]byte, w[0]+w[1]+w[2])
	for num := start; num < start+count; num++ {
		if _, err := io.ReadFull(r, buf); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return damaged(-1, "cross-reference stream ends before object %d", num)
			}
			return err
		}
		typ := uint64(1)
		if w[0] > 0 {
			typ = bigEndian(buf[:w[0]])
		}
		f2, f3 := bigEndian(buf[w[0]:w[0]+w[1]]), bigEndian(buf[w[0]+w[1]:])
		if d.listed != nil {
			if err := d.listed(int(num), typ, f2, f3); err != nil {
				return err
			}
		}
		e, ok := d.streamEntry(typ, f2, f3)
		if !ok {
			continue
		}
		if err := d.xref.setNew(int(num), e, d.lim); err != nil {
			return err
		}
	}
	return nil
}

// streamEntry builds an entry; unknown types stand for null objects.
func (d *Document) streamEntry(typ, f2, f3 uint64) (entry, bool) {
	if f3 > 0xffffffff {
		return entry{}, false
	}
	switch typ {
	case 0:
		return entry{kind: entryFree, aux: uint32(f3)}, true
	case 1:
		if f2 == 0 {
			return entry{kind: entryFree}, true
		}
		if f2 >= uint64(d.size-d.base) {
			return entry{kind: entryFree}, true // names no object
		}
		return entry{kind: entryOffset, off: d.base + int64(f2), aux: uint32(f3)}, true
	case 2:
		if f2 > maxObjectNumber {
			return entry{}, false
		}
		return entry{kind: entryInStream, off: int64(f2), aux: uint32(f3)}, true
	}
	return entry{}, false
}

func bigEndian(b []byte) uint64 {
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}
