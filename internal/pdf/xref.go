package pdf

import (
	"bytes"
	"errors"
)

// entryKind tells where an object is.
type entryKind uint8

const (
	entryNone     entryKind = iota // not listed
	entryFree                      // listed as free
	entryOffset                    // off is its absolute offset, aux its generation
	entryInStream                  // off is the object stream's number, aux the index
)

// entry is one line of the cross-reference.
type entry struct {
	off  int64
	aux  uint32
	kind entryKind
}

// xrefKind is the form of a cross-reference section.
type xrefKind uint8

const (
	xrefTableKind  xrefKind = iota + 1 // also the table of a hybrid file
	xrefStreamKind                     // ISO 32000-1, 7.5.8
)

const pageSize = 64

// xrefTable maps object numbers to entries, in pages, so that sparse numbers cost
// no more than the limit allows.
type xrefTable struct {
	pages   []*[pageSize]entry
	used    int // pages allocated
	highest int // highest number ever listed, free ones included

	watch     int  // a number that may be listed as one object only
	rewritten bool // and is listed as several

	// older is the table of the revision before, of which every entry holds that this one does not list; nil if all are here.
	older *xrefTable
}

func (t *xrefTable) get(num int) entry {
	if t.has(num) {
		if e := t.pages[num/pageSize][num%pageSize]; e.kind != entryNone || t.older == nil {
			return e
		}
	}
	if t.older != nil {
		return t.older.get(num)
	}
	return entry{}
}

// has tells whether there is a page of its own for a number.
func (t *xrefTable) has(num int) bool {
	p := num / pageSize
	return num > 0 && p < len(t.pages) && t.pages[p] != nil
}

// over returns an empty table over t, for an update of the file.
func (t *xrefTable) over() xrefTable {
	return xrefTable{older: t, used: t.used, highest: t.highest}
}

// setNew records an entry unless a newer section did.
func (t *xrefTable) setNew(num int, e entry, lim Limits) error {
	return t.store(num, e, lim, false)
}

func (t *xrefTable) store(num int, e entry, lim Limits, overwrite bool) error {
	if num <= 0 {
		return nil // object 0 heads the free list
	}
	if num > maxObjectNumber {
		return overLimit("object number %d", num)
	}
	p := num / pageSize
	for p >= len(t.pages) {
		t.pages = append(t.pages, make([]*[pageSize]entry, max(16, len(t.pages)))...)
	}
	if t.pages[p] == nil {
		if t.older == nil || !t.older.has(num) {
			t.used++
		}
		if t.used > lim.MaxObjects/pageSize+1 {
			return overLimit("more than %d objects", lim.MaxObjects)
		}
		t.pages[p] = new([pageSize]entry)
	}
	t.highest = max(t.highest, num)
	slot := &t.pages[p][num%pageSize]
	if num == t.watch && slot.kind != entryNone && *slot != e && e.kind != entryFree {
		t.rewritten = true
	}
	if overwrite || slot.kind == entryNone {
		*slot = e
	}
	return nil
}

// each calls fn for every listed object in order of number.
func (t *xrefTable) each(fn func(num int, e entry) error) error {
	if t.older != nil {
		return t.eachOver(fn)
	}
	for p, page := range t.pages {
		if page == nil {
			continue
		}
		for i := range page {
			if page[i].kind == entryNone {
				continue
			}
			if err := fn(p*pageSize+i, page[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// eachOver is each for a table over an older one.
func (t *xrefTable) eachOver(fn func(num int, e entry) error) error {
	for p := range max(len(t.pages), len(t.older.pages)) {
		first := p * pageSize
		if !t.has(first+1) && !t.older.has(first+1) {
			continue
		}
		for num := first; num < first+pageSize; num++ {
			if e := t.get(num); e.kind != entryNone {
				if err := fn(num, e); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// tailWindow is where startxref is looked for, behind any padding.
const tailWindow = 2048

// maxPadding bounds white space and NULs behind the last %%EOF.
const maxPadding = 1 << 20

// startXref finds the offset that the last startxref names.
func (d *Document) startXref() (int64, error) {
	b, from, err := d.lastContent()
	if err != nil {
		return 0, err
	}
	i := bytes.LastIndex(b, []byte("startxref"))
	if i < 0 {
		return 0, damaged(from, "no startxref")
	}
	l := lexer{b: b, pos: i + len("startxref"), eof: true}
	t, err := l.next()
	if err != nil {
		return 0, damaged(from+int64(i), "startxref without offset")
	}
	n, ok := parseInt(b[t.start:t.end])
	if !ok || n <= 0 || n >= d.size-d.base {
		return 0, damaged(from+int64(i), "startxref outside the file")
	}
	return d.base + n, nil
}

// lastContent gives the last bytes before white space and NULs at the end of the file, tailWindow of them
// or all, and their offset.
func (d *Document) lastContent() (b []byte, from int64, err error) {
	end := d.size
	for end > 0 && d.size-end < maxPadding {
		from = max(0, end-blockSize)
		if b, err = d.viewBlock(from, end); err != nil {
			return nil, 0, err
		}
		n := len(b)
		for n > 0 && isSpace(b[n-1]) {
			n--
		}
		end = from + int64(n)
		if b = b[:n]; n > 0 {
			break
		}
	}
	start := max(0, end-tailWindow)
	if start < from {
		b, err = d.view(int(end-start), start)
		return b, start, err
	}
	return b[start-from:], start, nil
}

// viewBlock is view for at most a block of bytes, which then are at hand: the cross-reference often stands there too.
func (d *Document) viewBlock(from, end int64) ([]byte, error) {
	if d.mem != nil {
		return d.view(int(end-from), from)
	}
	b, err := d.readAt(d.block.clear()[:end-from], from)
	if err == nil {
		d.block.set(from, len(b))
	}
	return b, err
}

// readXref reads the chain of sections from the newest to the oldest.
func (d *Document) readXref() error {
	start, err := d.startXref()
	if err != nil {
		return err
	}
	seen := map[int64]bool{}
	newer := int64(0)
	for off := start; off >= 0; {
		if seen[off] {
			return damaged(off, "cross-reference sections form a cycle")
		}
		if len(seen) >= d.lim.MaxXrefSections {
			return overLimit("more than %d cross-reference sections", d.lim.MaxXrefSections)
		}
		seen[off] = true
		sec, err := d.readSection(off)
		if err != nil {
			return err
		}
		if d.chain = len(seen); d.chain == 1 {
			d.kind, d.newest, d.trailer = sec.kind, sec.off, sec.trailer
			err = d.watchEncrypt()
		} else {
			err = d.sameEncrypt(sec, newer)
		}
		if err != nil {
			return err
		}
		newer = sec.off
		if off, err = d.prevOffset(sec); err != nil {
			return err
		}
	}
	return nil
}

// watchEncrypt makes the cross-reference notice an older object under the number of
// the encryption dictionary.
func (d *Document) watchEncrypt() error {
	v, err := d.trailer.get("Encrypt")
	if id, ok := v.asRef(); err == nil && ok {
		d.xref.watch = id.num
	}
	return err
}

// sameEncrypt demands that an older section names the same encryption as the newest:
// an update that changes it gives the bytes before it, signed ones too, another
// meaning. The second section of a linearized file, which stands behind the first, may
// leave it out (ISO 32000-1, annex F.3.12).
func (d *Document) sameEncrypt(sec section, newer int64) error {
	now, err1 := d.trailer.get("Encrypt")
	was, err2 := sec.trailer.get("Encrypt")
	if err := firstError(err1, err2); err != nil {
		return err
	}
	a, isRef := now.asRef()
	b, wasRef := was.asRef()
	same := isRef == wasRef && a == b && (isRef || now.isNull() && was.isNull() || bytes.Equal(now.raw, was.raw))
	if !same && !(was.isNull() && sec.off > newer) || d.xref.rewritten {
		return malformed(sec.off, "the encryption changes between revisions")
	}
	return nil
}

// section is one cross-reference section.
type section struct {
	kind    xrefKind
	off     int64 // absolute, where "xref" or the stream object begins
	trailer value
}

// prevOffset returns the absolute offset of the next older section, -1 if none.
func (d *Document) prevOffset(sec section) (int64, error) {
	return d.offsetKey(sec.trailer, "Prev")
}

// offsetKey reads a trailer key that holds a file offset; -1 if absent or zero.
func (d *Document) offsetKey(trailer value, key string) (int64, error) {
	v, err := trailer.get(key)
	if err != nil {
		return 0, err
	}
	if v.isNull() {
		return -1, nil
	}
	n, ok := v.asInt()
	if !ok {
		return 0, damaged(v.off, "/%s is no offset", key)
	}
	if n == 0 {
		return -1, nil
	}
	if n < 0 || n >= d.size-d.base {
		return 0, damaged(v.off, "/%s outside the file", key)
	}
	return d.base + n, nil
}

// readSection reads the section at off, table or stream, into d.xref.
func (d *Document) readSection(off int64) (section, error) {
	b, err := d.view(64, off)
	if err != nil {
		return section{}, err
	}
	for len(b) > 0 && isSpace(b[0]) {
		b, off = b[1:], off+1
	}
	if bytes.HasPrefix(b, []byte("xref")) && (len(b) == 4 || !isRegular(b[4])) {
		return d.readTableSection(off)
	}
	if len(b) == 0 || !isDigit(b[0]) {
		return section{}, damaged(off, "no cross-reference section")
	}
	sec, err := d.readStreamSection(off)
	if err != nil && !errors.Is(err, errDamaged) && errors.Is(err, ErrMalformed) {
		err = damaged(off, "%v", err)
	}
	return sec, err
}

// readTableSection reads a table, its trailer and, in a hybrid file, the stream
// of hidden objects. The order within a section is: objects in use, hidden
// objects, free entries, because a hidden object is listed as free in the table
// (ISO 32000-1, 7.5.8.4).
func (d *Document) readTableSection(off int64) (section, error) {
	sec := section{kind: xrefTableKind, off: off}
	hasFree := false
	after, err := d.eachTableEntry(off, func(num int, e entry) error {
		if e.kind == entryFree {
			hasFree = hasFree || num > 0
			return nil
		}
		return d.xref.setNew(num, e, d.lim)
	})
	if err != nil {
		return sec, err
	}
	if sec.trailer, err = d.readTrailer(after); err != nil {
		return sec, err
	}
	hidden, err := d.offsetKey(sec.trailer, "XRefStm")
	if err != nil {
		return sec, err
	}
	if hidden >= 0 {
		d.hybrid = true
		if _, err := d.readStreamSection(hidden); err != nil {
			return sec, err
		}
	}
	if !hasFree {
		return sec, nil
	}
	_, err = d.eachTableEntry(off, func(num int, e entry) error {
		if e.kind != entryFree {
			return nil
		}
		return d.xref.setNew(num, e, d.lim)
	})
	return sec, err
}

// readTrailer reads the dictionary behind the keyword trailer.
func (d *Document) readTrailer(off int64) (value, error) {
	var v value
	err := d.parseAt(off, func(l lexer) error {
		start, end, err := l.value()
		if err == nil {
			v = value{raw: l.b[start:end], off: off + int64(start)}
		}
		return err
	})
	switch {
	case errors.Is(err, ErrMalformed) || err == nil && !v.isDict():
		return v, damaged(off, "no trailer dictionary")
	case err != nil:
		return v, err
	}
	v.raw = bytes.Clone(v.raw)
	return v, nil
}
