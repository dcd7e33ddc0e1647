package pdf

import (
	"bytes"
	"errors"
	"fmt"
)

// repair rebuilds the cross-reference by a scan, after cause made the file's own
// unusable. The last object of a number counts, as in other readers. An update
// appended to such a file lists every object anew and has no /Prev, so that all
// readers then agree on what the file says.
//
// Files whose objects live in object streams are refused: other readers do not
// recover them, so there would be no common view to sign. So are encrypted ones:
// which of several /Encrypt counts is what an attacker would like to choose.
func (d *Document) repair(cause error) error {
	d.xref, d.streams, d.streamMem = xrefTable{}, nil, 0
	d.kind, d.repaired, d.trailer = xrefTableKind, true, value{}
	d.crypt = nil
	err := d.scan()
	if err == nil && d.scannedEncrypt {
		err = malformed(-1, "the file is encrypted")
	}
	if err == nil && !d.trailer.isDict() {
		err = malformed(-1, "no trailer to recover the file from")
	}
	if err == nil {
		err = d.checkCatalog()
	}
	if err != nil {
		err = fmt.Errorf("%w; no repair: %w", cause, err)
	}
	return err
}

// scan walks over the file from object to object. Stream data is skipped, so that
// text which looks like an object within it is not taken for one.
func (d *Document) scan() error {
	r := d.newReader(d.base)
	for trailers := 0; trailers <= d.lim.MaxXrefSections; {
		from := r.off
		which, err := r.search("obj", "trailer")
		if err != nil || which < 0 {
			return err
		}
		next := r.off + int64(len("trailer"))
		if which == 1 {
			d.scanTrailer(next)
			trailers++
		} else if next, err = d.scanObject(r.off, from); err != nil {
			return err
		}
		r.seek(next)
	}
	return overLimit("more than %d trailers", d.lim.MaxXrefSections)
}

// scanTrailer keeps the last trailer that names a root.
func (d *Document) scanTrailer(off int64) {
	t, err := d.readTrailer(off)
	if err != nil {
		return // not a trailer after all
	}
	d.noteEncrypt(t)
	if root, err := t.get("Root"); err == nil && !root.isNull() {
		d.trailer = t
	}
}

func (d *Document) noteEncrypt(trailer value) {
	v, err := trailer.get("Encrypt")
	d.scannedEncrypt = d.scannedEncrypt || err != nil || !v.isNull()
}

// scanObject records the object whose keyword is at `at`, if it is one, and
// returns where to go on. Its header may not begin before from.
func (d *Document) scanObject(at, from int64) (int64, error) {
	next := at + int64(len("obj"))
	start, ok, err := d.headerBefore(at, from)
	if err != nil || !ok {
		return next, err
	}
	o, err := d.objectAt(start)
	if err != nil {
		if errors.Is(err, ErrMalformed) {
			return next, nil
		}
		return 0, err
	}
	if typ, err := o.val.getDict("Type"); err == nil && o.stream >= 0 && typ.nameIs("ObjStm") {
		return 0, malformed(start, "damaged cross-reference in a file with object streams")
	} else if err == nil && o.stream >= 0 && typ.nameIs("XRef") {
		d.noteEncrypt(o.val)
	}
	e := entry{kind: entryOffset, off: start, aux: uint32(o.id.gen)}
	if err := d.xref.store(o.id.num, e, d.lim, true); err != nil {
		return 0, err
	}
	next = max(next, o.end)
	if o.stream >= 0 {
		n, err := d.rawLength(o)
		if err != nil {
			return next, nil //nolint:nilerr // a stream without a usable length ends where its object seems to end
		}
		next = o.stream + n
	}
	return next, nil
}

// rawLength is the length of stream data while the cross-reference is unknown: a
// direct /Length that leads to endstream, else the next endstream.
func (d *Document) rawLength(o object) (int64, error) {
	v, err := o.val.get("Length")
	if err == nil {
		if n, ok := v.asInt(); ok && n >= 0 && n <= d.size-o.stream {
			b, err := d.readAt(make([]byte, 16), o.stream+n)
			if err != nil {
				return 0, err
			}
			if bytes.HasPrefix(bytes.TrimLeft(b, "\x00\t\n\f\r "), []byte("endstream")) {
				return n, nil
			}
		}
	}
	return d.findEndstream(o.stream)
}

// headerBefore finds the start of "N G " before the keyword obj.
func (d *Document) headerBefore(at, from int64) (int64, bool, error) {
	lo := max(from, at-32)
	b, err := d.readAt(make([]byte, at-lo), lo)
	if err != nil {
		return 0, false, err
	}
	i := len(b)
	for range 2 {
		j := i
		for i > 0 && isSpace(b[i-1]) {
			i--
		}
		if i == j && i < len(b) {
			return 0, false, nil
		}
		j = i
		for i > 0 && isDigit(b[i-1]) {
			i--
		}
		if i == j {
			return 0, false, nil
		}
	}
	return lo + int64(i), true, nil
}
