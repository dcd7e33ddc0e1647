package pdf

import "bytes"

// reader is a forward byte reader over the document. Its window starts small and
// doubles, so that a short read stays cheap.
type reader struct {
	d    *Document
	buf  []byte
	b    []byte // unread part of the window
	off  int64  // offset of b[0]
	step int    // size of the next read
}

const (
	firstStep = 1 << 10
	lastStep  = 32 << 10
)

func (d *Document) newReader(off int64) *reader {
	return &reader{d: d, off: off, step: firstStep}
}

// more appends the next piece of the file to the window; false at its end.
func (r *reader) more() (bool, error) {
	if r.off+int64(len(r.b)) >= r.d.size {
		return false, nil
	}
	if r.d.mem != nil {
		if err := r.d.spend(int64(r.d.there(r.step, r.off+int64(len(r.b))))); err != nil {
			return false, err
		}
		r.b = r.d.mem[r.off:min(r.off+int64(len(r.b)+r.step), r.d.size)]
		r.step = min(2*r.step, lastStep)
		return true, nil
	}
	if need := len(r.b) + r.step; need > len(r.buf) {
		r.buf = make([]byte, max(need, 2*r.step))
	}
	kept := copy(r.buf, r.b)
	got, err := r.d.readAt(r.buf[kept:kept+r.step], r.off+int64(kept))
	if err != nil {
		return false, err
	}
	r.b = r.buf[:kept+len(got)]
	r.step = min(2*r.step, lastStep)
	return len(got) > 0, nil
}

// fill makes at least n bytes available unless the file ends before.
func (r *reader) fill(n int) error {
	for len(r.b) < n {
		if ok, err := r.more(); err != nil || !ok {
			return err
		}
	}
	return nil
}

func (r *reader) skip(n int) {
	r.b = r.b[n:]
	r.off += int64(n)
}

// seek moves to an offset, keeping the window if it contains it.
func (r *reader) seek(off int64) {
	if off >= r.off && off <= r.off+int64(len(r.b)) {
		r.skip(int(off - r.off))
		return
	}
	r.b, r.off, r.step = nil, off, firstStep
}

// search moves to the next occurrence of a word and returns which; -1 if there
// is none up to the end of the file.
func (r *reader) search(words ...string) (int, error) {
	longest := 0
	for _, w := range words {
		longest = max(longest, len(w))
	}
	for {
		at, which := len(r.b), -1
		for i, w := range words {
			if j := bytes.Index(r.b[:min(len(r.b), at+len(w))], []byte(w)); j >= 0 && j < at {
				at, which = j, i
			}
		}
		if which >= 0 {
			r.skip(at)
			return which, nil
		}
		r.skip(max(0, len(r.b)-longest+1))
		if ok, err := r.more(); err != nil || !ok {
			return -1, err
		}
	}
}

// word returns the next run of regular characters (at most 32) without consuming
// more than the white space before it; empty at the end of the file.
func (r *reader) word() ([]byte, error) {
	for {
		if err := r.fill(64); err != nil {
			return nil, err
		}
		n := 0
		for n < len(r.b) && isSpace(r.b[n]) {
			n++
		}
		r.skip(n)
		if n == 0 || len(r.b) >= 33 {
			break
		}
	}
	n := 0
	for n < len(r.b) && n < 32 && isRegular(r.b[n]) {
		n++
	}
	return r.b[:n], nil
}

// integer consumes a word that is an unsigned integer; ok is false, and nothing
// but white space consumed, if it is none.
func (r *reader) integer() (n int64, ok bool, err error) {
	w, err := r.word()
	if err != nil {
		return 0, false, err
	}
	n, ok = parseInt(w)
	if !ok || n < 0 {
		return 0, false, nil
	}
	r.skip(len(w))
	return n, true, nil
}

// eachTableEntry reads the subsections of a table at off and returns the offset
// behind the keyword trailer. It accepts entries of odd length, as all readers do.
func (d *Document) eachTableEntry(off int64, fn func(num int, e entry) error) (int64, error) {
	r := d.newReader(off + int64(len("xref")))
	for {
		start, ok, err := r.integer()
		if err != nil {
			return 0, err
		}
		if !ok {
			break
		}
		count, ok, err := r.integer()
		if err != nil {
			return 0, err
		}
		if !ok {
			return 0, damaged(r.off, "cross-reference subsection without count")
		}
		if start+count > maxObjectNumber+1 || start > maxObjectNumber {
			return 0, overLimit("cross-reference subsection %d+%d", start, count)
		}
		for num := start; num < start+count; num++ {
			e, err := r.tableEntry()
			if err != nil {
				return 0, err
			}
			if err := fn(int(num), e); err != nil {
				return 0, err
			}
		}
	}
	w, err := r.word()
	if err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(w, []byte("trailer")) {
		return 0, damaged(r.off, "trailer expected, found %s", brief(w))
	}
	return r.off + int64(len("trailer")), nil
}

// tableEntry reads "nnnnnnnnnn ggggg n", at once if it is exactly that.
func (r *reader) tableEntry() (entry, error) {
	if err := r.fill(64); err != nil {
		return entry{}, err
	}
	for len(r.b) > 0 && isSpace(r.b[0]) {
		r.skip(1)
	}
	if b := r.b; len(b) > 18 && b[10] == ' ' && b[16] == ' ' && isSpace(b[18]) && allDigits(b[:10]) && allDigits(b[11:16]) {
		off, _ := parseInt(b[:10])
		gen, _ := parseInt(b[11:16])
		r.skip(18)
		return r.newEntry(off, gen, b[17])
	}
	return r.looseEntry()
}

// looseEntry reads an entry of odd widths.
func (r *reader) looseEntry() (entry, error) {
	off, ok1, err := r.integer()
	if err != nil {
		return entry{}, err
	}
	gen, ok2, err := r.integer()
	if err != nil {
		return entry{}, err
	}
	w, err := r.word()
	if err != nil {
		return entry{}, err
	}
	if !ok1 || !ok2 || len(w) != 1 || gen > 0xffffffff {
		return entry{}, damaged(r.off, "bad cross-reference entry")
	}
	kind := w[0]
	r.skip(1)
	return r.newEntry(off, gen, kind)
}

func (r *reader) newEntry(off, gen int64, kind byte) (entry, error) {
	switch {
	case kind == 'f', kind == 'n' && off == 0:
		return entry{kind: entryFree, aux: uint32(gen)}, nil
	case kind == 'n':
		return entry{kind: entryOffset, off: r.d.base + off, aux: uint32(gen)}, nil
	}
	return entry{}, damaged(r.off, "bad cross-reference entry")
}
