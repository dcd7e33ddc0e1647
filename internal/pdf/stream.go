package pdf

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"slices"
)

// streamReader returns the decoded data of a stream, at most limit bytes of it;
// more is ErrLimit.
func (d *Document) streamReader(o object, limit int64) (io.Reader, error) {
	length, err := d.streamLength(o)
	if err != nil {
		return nil, err
	}
	if err := d.spend(length); err != nil {
		return nil, err
	}
	var r io.Reader = io.NewSectionReader(d.r, o.stream, length)
	filter, parms, err := d.filtersOf(o)
	if err != nil {
		return nil, err
	}
	if r, filter, parms, err = d.openData(o, r, filter, parms); err != nil {
		return nil, err
	}
	if filter, parms, err = d.singleFilter(filter, parms); err != nil {
		return nil, err
	}
	switch {
	case filter.isNull():
	case filter.nameIs("FlateDecode"), filter.nameIs("Fl"):
		if r, err = d.flateReader(r, parms); err != nil {
			return nil, err
		}
	default:
		return nil, located(ErrUnsupported, o.val.off, "filter %s of a structural stream", brief(filter.raw))
	}
	return &cappedReader{d: d, r: r, left: limit}, nil
}

// singleFilter reduces a filter array of at most one element to the element.
func (d *Document) singleFilter(filter, parms value) (value, value, error) {
	if !filter.isArray() {
		return filter, parms, nil
	}
	first := func(v value) (value, int, error) {
		if !v.isArray() {
			return v, 1, nil
		}
		out, n := nullValue(), 0
		err := v.eachElem(func(e value) bool {
			if n == 0 {
				out = e
			}
			n++
			return true
		})
		if err != nil {
			return out, n, err
		}
		out, err = d.resolve(out)
		return out, n, err
	}
	f, n, err := first(filter)
	if err != nil {
		return f, parms, err
	}
	if n > 1 {
		return f, parms, located(ErrUnsupported, filter.off, "several filters on a structural stream")
	}
	p, _, err := first(parms)
	return f, p, err
}

// streamLength returns the length of the raw data: /Length if endstream follows
// there, else the distance to the next endstream.
func (d *Document) streamLength(o object) (int64, error) {
	if d.loading++; d.loading > maxLoading {
		d.loading--
		return 0, malformed(o.val.off, "stream length depends on itself")
	}
	n, err := d.keyInt(o.val, "Length", -1)
	d.loading--
	if err != nil && !errors.Is(err, ErrMalformed) {
		return 0, err
	}
	if err == nil && n >= 0 && n <= d.size-o.stream {
		b, err := d.view(16, o.stream+n)
		if err != nil {
			return 0, err
		}
		if bytes.HasPrefix(bytes.TrimLeft(b, "\x00\t\n\f\r "), []byte("endstream")) {
			return n, nil
		}
	}
	return d.findEndstream(o.stream)
}

// findEndstream returns the number of bytes before the next endstream. It
// remembers from where on there is none, so that many streams without end are not
// each searched to the end of the file.
func (d *Document) findEndstream(from int64) (int64, error) {
	if d.noEndstream > 0 && from >= d.noEndstream {
		return 0, malformed(from, "stream without endstream")
	}
	r := d.newReader(from)
	found, err := r.search("endstream")
	if err == nil && found < 0 {
		d.noEndstream = from
		err = malformed(from, "stream without endstream")
	}
	return r.off - from, err
}

// cappedReader charges what it delivers and fails beyond its cap, so that a flate
// bomb costs no more than the cap.
type cappedReader struct {
	d    *Document
	r    io.Reader
	left int64
}

func (c *cappedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, overLimit("inflated stream too large")
	}
	if serr := c.d.spend(int64(n)); serr != nil {
		return 0, serr
	}
	return n, err
}

// flateReader inflates and undoes the predictor. The zlib checksum is not looked
// at: writers get it wrong, no reader minds, and it protects nothing here.
func (d *Document) flateReader(r io.Reader, parms value) (io.Reader, error) {
	var hdr [2]byte
	if _, err := io.ReadFull(r, hdr[:]); err != nil {
		return nil, malformed(-1, "empty flate stream")
	}
	if hdr[0]&0x0f != 8 || (int(hdr[0])<<8|int(hdr[1]))%31 != 0 || hdr[1]&0x20 != 0 {
		return nil, malformed(-1, "no zlib header in a flate stream")
	}
	var out io.Reader = flateErrors{flate.NewReader(r)}
	if parms.isNull() {
		return out, nil
	}
	if !parms.isDict() {
		return nil, ambiguous(parms, "the parameters %s of a filter", brief(parms.raw))
	}
	pred, err := d.parameter(parms, "Predictor", 1)
	if err != nil || pred == 1 {
		return out, err
	}
	columns, err := d.parameter(parms, "Columns", 1)
	if err != nil {
		return nil, err
	}
	colors, err := d.parameter(parms, "Colors", 1)
	if err != nil {
		return nil, err
	}
	bits, err := d.parameter(parms, "BitsPerComponent", 8)
	if err != nil {
		return nil, err
	}
	if pred < 10 || pred > 15 || colors != 1 || bits != 8 || columns < 1 || columns > 4096 {
		return nil, located(ErrUnsupported, parms.off, "predictor %d of a structural stream", pred)
	}
	return &pngReader{r: out, cur: make([]byte, columns+1), prev: make([]byte, columns+1)}, nil
}

// flateErrors turns the inflater's complaints into ErrMalformed.
type flateErrors struct{ r io.Reader }

func (f flateErrors) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	var corrupt flate.CorruptInputError
	if errors.As(err, &corrupt) {
		err = fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return n, err
}

// pngReader undoes the PNG predictors for one byte per pixel (RFC 2083, 6).
type pngReader struct {
	r         io.Reader
	cur, prev []byte // filter type and row
	rest      []byte // decoded, not yet delivered
}

func (p *pngReader) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		p.cur, p.prev = p.prev, p.cur
		if _, err := io.ReadFull(p.r, p.cur); err != nil {
			return 0, err
		}
		if err := unfilter(p.cur[0], p.cur[1:], p.prev[1:]); err != nil {
			return 0, err
		}
		p.rest = p.cur[1:]
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func unfilter(kind byte, row, up []byte) error {
	var left, upLeft byte
	for i, x := range row {
		switch kind {
		case 0:
		case 1:
			x += left
		case 2:
			x += up[i]
		case 3:
			x += byte((int(left) + int(up[i])) / 2)
		case 4:
			x += paeth(left, up[i], upLeft)
		default:
			return malformed(-1, "predictor row of type %d", kind)
		}
		row[i] = x
		left, upLeft = x, up[i]
	}
	return nil
}

func paeth(a, b, c byte) byte {
	p := int(a) + int(b) - int(c)
	pa, pb, pc := abs(p-int(a)), abs(p-int(b)), abs(p-int(c))
	if pa <= pb && pa <= pc {
		return a
	}
	if pb <= pc {
		return b
	}
	return c
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// objectStream is an inflated object stream: object i is numbered nums[i] and
// begins at data[offs[i]].
type objectStream struct {
	data []byte
	nums []int32
	offs []int32
}

// loadFromStream returns an object kept in an object stream.
func (d *Document) loadFromStream(id ref, container, index int) (object, error) {
	missing := object{id: id, val: nullValue(), stream: -1, end: -1}
	s, err := d.objectStream(container)
	if err != nil {
		return missing, err
	}
	switch {
	case index < len(s.nums) && s.nums[index] == int32(id.num):
	case slices.Contains(s.nums, int32(id.num)), index < len(s.nums):
		return missing, ambiguous(missing.val, "object %d, which is not at place %d of object stream %d", id.num, index, container)
	default:
		return missing, malformed(-1, "object %d is not in object stream %d", id.num, container)
	}
	v, err := s.object(container, index, d.lim.MaxDepth)
	if err != nil {
		return missing, err
	}
	if err := d.spend(int64(len(v.raw))); err != nil {
		return missing, err
	}
	missing.val = v
	if d.plain {
		missing.val, err = d.inPlain(id.num, missing.val, true)
	}
	return missing, err
}

// objectStream inflates a container, or finds it among those kept.
func (d *Document) objectStream(num int) (*objectStream, error) {
	if s := d.streams[num]; s != nil {
		return s, nil
	}
	e := d.xref.get(num)
	if e.kind != entryOffset {
		return nil, malformed(-1, "object stream %d is not an object of its own", num)
	}
	if d.loading++; d.loading > maxLoading {
		d.loading--
		return nil, malformed(e.off, "object streams depend on each other")
	}
	defer func() { d.loading-- }()
	o, err := d.objectAt(e.off)
	if err != nil {
		return nil, err
	}
	if o.id.num != num {
		return nil, damaged(e.off, "object stream %d expected, found object %d", num, o.id.num)
	}
	s, err := d.inflateObjects(o)
	if err != nil {
		return nil, err
	}
	cost := int64(len(s.data) + 8*len(s.nums))
	if d.streamMem+cost > d.lim.MaxInflate || d.streams == nil {
		d.streams, d.streamMem = map[int]*objectStream{}, 0
	}
	d.streams[num] = s
	d.streamMem += cost
	return s, nil
}

// inflateObjects decodes an object stream and its index.
func (d *Document) inflateObjects(o object) (*objectStream, error) {
	typ, err := o.val.getDict("Type")
	if err != nil {
		return nil, err
	}
	if o.stream < 0 || !typ.nameIs("ObjStm") {
		return nil, malformed(o.val.off, "object %d is no object stream", o.id.num)
	}
	n, err := d.keyInt(o.val, "N", -1)
	if err != nil {
		return nil, err
	}
	first, err := d.keyInt(o.val, "First", -1)
	if err != nil {
		return nil, err
	}
	r, err := d.streamReader(o, d.lim.MaxInflate)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = malformed(o.stream, "object stream %d ends early", o.id.num)
		}
		return nil, err
	}
	if n < 0 || first < 0 || first > int64(len(data)) || n > first {
		return nil, malformed(o.val.off, "object stream %d with a bad /N or /First", o.id.num)
	}
	s := &objectStream{data: data, nums: make([]int32, 0, n), offs: make([]int32, 0, n)}
	l := lexer{b: data[:first], eof: true}
	for range n {
		var pair [2]int64
		for i := range pair {
			t, err := l.next()
			if err != nil {
				return nil, malformed(o.val.off, "index of object stream %d: %v", o.id.num, err)
			}
			var ok bool
			if pair[i], ok = parseInt(data[t.start:t.end]); !ok || pair[i] < 0 || pair[i] > maxObjectNumber*4 {
				return nil, malformed(o.val.off, "index of object stream %d: %s", o.id.num, brief(data[t.start:t.end]))
			}
		}
		s.nums = append(s.nums, int32(pair[0]))
		s.offs = append(s.offs, int32(min(first+pair[1], int64(len(data)))))
	}
	return s, s.check(o, l.pos, int(first))
}
