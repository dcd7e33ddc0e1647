package pdf

import (
	"bytes"
	"errors"
	"math"
)

// object is an indirect object: its identity, its value and, for a stream, the
// offset of its data.
type object struct {
	id     ref
	val    value
	stream int64 // offset of the stream data, -1 if none
	end    int64 // file offset behind the value; -1 in an object stream
}

// maxLoading bounds loads within loads, such as a /Length kept in another
// object stream.
const maxLoading = 8

// load returns an object. A missing object is null (ISO 32000-1, 7.3.10).
func (d *Document) load(id ref) (object, error) {
	missing := object{id: id, val: nullValue(), stream: -1, end: -1}
	e := d.xref.get(id.num)
	switch e.kind {
	case entryOffset:
		if int(e.aux) != id.gen {
			return missing, nil
		}
		o, err := d.objectAt(e.off)
		if err != nil {
			return object{}, err
		}
		if o.id != id {
			return object{}, damaged(e.off, "object %d %d expected, found %d %d", id.num, id.gen, o.id.num, o.id.gen)
		}
		return o, nil
	case entryInStream:
		if id.gen != 0 {
			return missing, nil
		}
		return d.loadFromStream(id, int(e.off), int(e.aux))
	}
	return missing, nil
}

// loadNumber loads the object of a number, whatever its generation.
func (d *Document) loadNumber(num int) (object, error) {
	id := ref{num: num}
	if e := d.xref.get(num); e.kind == entryOffset {
		id.gen = int(e.aux)
	}
	return d.load(id)
}

// objectAt reads "N G obj value" at an absolute offset.
func (d *Document) objectAt(off int64) (object, error) {
	if o, known := d.parsed.get(off); known {
		return o, nil
	}
	var o object
	err := d.parseAt(off, func(l lexer) (err error) {
		o, err = parseObject(l, off)
		return err
	})
	if err == nil {
		if d.mem == nil {
			o.val.raw = bytes.Clone(o.val.raw) // out of the shared window
		}
		if d.plain {
			o.val, err = d.inPlain(o.id.num, o.val, false)
		}
	}
	if err == nil {
		d.parsed.put(off, o)
	}
	return o, err
}

// parsed keeps what was read of the objects at offsets, for as long as nobody writes to the file: each of many signatures
// is compared with the same newer objects, of which one for each of them is a signature of many kilobytes (I9).
type parsed struct {
	at    map[int64]object
	bytes int
}

// Bounds of what is kept, in objects and in bytes of their values. When they are reached it is begun anew.
const (
	maxParsed  = 10_000
	parsedRoom = 8 << 20
)

func (p *parsed) get(off int64) (object, bool) {
	if p == nil {
		return object{}, false
	}
	o, known := p.at[off]
	return o, known
}

func (p *parsed) put(off int64, o object) {
	if p == nil || len(o.val.raw) > parsedRoom {
		return
	}
	if p.bytes += len(o.val.raw); p.at == nil || p.bytes > parsedRoom || len(p.at) >= maxParsed {
		p.at, p.bytes = map[int64]object{}, len(o.val.raw)
	}
	p.at[off] = o
}

// parseAt calls parse with a window at an offset, which grows until parse is
// content. The window is shared: parse must not read elsewhere in the document,
// and what it keeps must be copied.
func (d *Document) parseAt(off int64, parse func(lexer) error) error {
	for n := int64(256); ; n *= 4 {
		n = min(n, d.lim.MaxObjectBytes)
		b, err := d.viewWindow(n, off)
		if err != nil {
			return err
		}
		eof := off+int64(len(b)) >= d.size
		err = parse(lexer{b: b, eof: eof, maxDepth: d.lim.MaxDepth})
		if errors.Is(err, errShort) && n < d.lim.MaxObjectBytes {
			continue
		}
		if n > maxWindow {
			d.window = nil
		}
		if errors.Is(err, errShort) {
			err = located(ErrLimit, off, "object larger than %d bytes", n)
		}
		return err
	}
}

// viewWindow is view for at most n bytes, in the shared window.
func (d *Document) viewWindow(n, off int64) ([]byte, error) {
	if d.mem != nil {
		return d.view(int(n), off)
	}
	if int64(len(d.window)) < n {
		d.window = make([]byte, n)
	}
	return d.readAt(d.window[:n], off)
}

// maxWindow is the largest window that is kept for the next object.
const maxWindow = 1 << 20

// parseObject reads one indirect object from l.b, which begins at offset off.
func parseObject(l lexer, off int64) (object, error) {
	o := object{stream: -1}
	var n [2]int64
	for i := range n {
		t, err := l.next()
		if errors.Is(err, errShort) {
			return o, err
		}
		var ok bool
		if err == nil {
			n[i], ok = parseInt(l.b[t.start:t.end])
		}
		if !ok || n[i] < 0 || n[i] > math.MaxInt32 {
			return o, damaged(off, "no object header")
		}
	}
	o.id = ref{num: int(n[0]), gen: int(n[1])}
	// "1 0 obj<<" and "1 0 obj123" both occur; the keyword ends after its three letters.
	l.skipSpace()
	if len(l.b)-l.pos < 3 && !l.eof {
		return o, errShort
	}
	if !bytes.HasPrefix(l.b[l.pos:], []byte("obj")) {
		return o, damaged(off, "no object header")
	}
	l.pos += 3
	return o, o.parseBody(&l, off)
}

// parseBody reads the value and finds the stream data behind it.
func (o *object) parseBody(l *lexer, off int64) error {
	save := l.pos
	t, err := l.next()
	if err == nil && t.kind == tokWord && string(l.b[t.start:t.end]) == "endobj" {
		o.val, o.end = nullValue(), off+int64(t.start)
		return nil
	}
	l.pos = save
	start, end, err := l.value()
	if err != nil {
		if errors.Is(err, errShort) || errors.Is(err, ErrLimit) {
			return err
		}
		return malformed(off, "object %d: %v", o.id.num, err)
	}
	o.val = value{raw: l.b[start:end:end], off: off + int64(start)}
	o.end = off + int64(end)
	if !o.val.isDict() {
		return nil
	}
	l.skipSpace()
	rest := l.b[l.pos:]
	if len(rest) < len("stream")+2 && !l.eof {
		return errShort
	}
	if bytes.HasPrefix(rest, []byte("stream")) {
		skip := len("stream")
		if bytes.HasPrefix(rest[skip:], []byte("\r\n")) {
			skip += 2
		} else if skip < len(rest) && (rest[skip] == '\n' || rest[skip] == '\r') {
			skip++
		}
		o.stream = off + int64(l.pos+skip)
	}
	return nil
}

// resolve follows a reference to its value; other values come back unchanged.
func (d *Document) resolve(v value) (value, error) {
	for range maxLoading {
		id, ok := v.asRef()
		if !ok {
			return v, nil
		}
		o, err := d.load(id)
		if err != nil {
			return value{}, err
		}
		v = o.val
	}
	return value{}, malformed(v.off, "chain of references")
}

// key returns the resolved value of a dictionary key. The search is charged,
// because a large dictionary may be reached in many ways.
func (d *Document) key(dict value, name string) (value, error) {
	if err := d.spend(int64(len(dict.raw))); err != nil {
		return value{}, err
	}
	v, err := dict.get(name)
	if err != nil {
		return value{}, err
	}
	return d.resolve(v)
}

// keyInt returns an integer key, or def if it is absent or no integer.
func (d *Document) keyInt(dict value, name string, def int64) (int64, error) {
	v, err := d.key(dict, name)
	if err != nil {
		return 0, err
	}
	if n, ok := v.asInt(); ok {
		return n, nil
	}
	return def, nil
}
