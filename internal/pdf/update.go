package pdf

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
)

// update is an incremental update under construction: the changed and new
// objects. The signature dictionary always comes first (see ReadPrepared).
type update struct {
	d    *Document
	objs []changedObject
	next int // next free object number

	firstNew int // lowest number that this update may add
}

// changedObject is an object of the update, body without "N G obj".
type changedObject struct {
	id   ref
	body []byte
}

// newUpdate begins an update. New numbers start above both the highest listed
// number and /Size, so that no forgotten object comes back to life.
func (d *Document) newUpdate() (*update, error) {
	size, err := d.keyInt(d.trailer, "Size", 0)
	if err != nil {
		return nil, err
	}
	next := d.xref.highest + 1
	if size > int64(next) && size <= int64(d.lim.MaxObjects) {
		next = int(size)
	}
	return &update{d: d, next: next, firstNew: next}, nil
}

// alloc reserves a new object number.
func (u *update) alloc() ref {
	u.next++
	return ref{num: u.next - 1}
}

// put sets the body of an object.
func (u *update) put(id ref, body []byte) {
	for i := range u.objs {
		if u.objs[i].id == id {
			u.objs[i].body = body
			return
		}
	}
	u.objs = append(u.objs, changedObject{id: id, body: body})
}

// current returns an object as this update leaves it. All that an update puts into an
// object comes from here or is new: in an encrypted file its strings are encrypted.
func (u *update) current(id ref) (value, error) {
	for _, o := range u.objs {
		if o.id == id {
			return value{raw: o.body, off: -1}, nil
		}
	}
	o, err := u.d.load(id)
	if err != nil {
		return value{}, err
	}
	if o.stream >= 0 {
		return value{}, malformed(o.val.off, "object %d is a stream", id.num)
	}
	if o.end < 0 { // out of an object stream, where strings are in clear
		return u.sealStrings(id, o.val)
	}
	return o.val, nil
}

// catalog is the document catalog, of which parts may be copied into the update.
func (u *update) catalog() (object, error) {
	cat, err := u.d.catalog()
	if err == nil && u.d.crypt != nil {
		cat.val, err = u.current(cat.id)
	}
	return cat, err
}

// setKey changes one key of an indirect dictionary.
func (u *update) setKey(id ref, key string, val []byte) error {
	dict, err := u.current(id)
	if err != nil {
		return err
	}
	body, err := setKey(dict, key, val)
	if err != nil {
		return err
	}
	u.put(id, body)
	return nil
}

// appendTo appends elem to the array under key of the dictionary id, wherever
// that array lives: in the dictionary, in an object of its own, or nowhere yet.
func (u *update) appendTo(id ref, key string, elem []byte) error {
	dict, err := u.current(id)
	if err != nil {
		return err
	}
	arr, err := dict.get(key)
	if err != nil {
		return err
	}
	if arrID, ok := arr.asRef(); ok {
		inner, err := u.current(arrID)
		if err != nil {
			return err
		}
		if inner.isArray() {
			u.put(arrID, appendElem(inner, elem))
			return nil
		}
		arr = inner
	}
	switch {
	case arr.isArray():
		return u.setKey(id, key, appendElem(arr, elem))
	case arr.isNull():
		return u.setKey(id, key, slices.Concat([]byte("["), elem, []byte("]")))
	}
	return malformed(dict.off, "/%s is no array", key)
}

// placed is an object's place in the output, relative to the header.
type placed struct {
	id  ref
	off int64
}

// maxTableOffset is what ten digits can hold (ISO 32000-1, 7.5.4; D19).
const maxTableOffset = 9_999_999_999

// bytes renders the update as it will follow the input. at is the offset of its
// first byte in the output.
func (u *update) bytes(at int64) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 0, u.room()))
	if last, err := u.d.view(1, u.d.size-1); err != nil {
		return nil, err
	} else if last[0] != '\n' && last[0] != '\r' {
		b.WriteByte('\n')
	}
	places := make([]placed, 0, len(u.objs)+1)
	for _, o := range u.objs {
		places = append(places, placed{o.id, at + int64(b.Len()) - u.d.base})
		b.WriteString(o.id.objHeader())
		b.Write(o.body)
		b.WriteString("\nendobj\n")
	}
	off := at + int64(b.Len()) - u.d.base
	var err error
	if u.d.kind == xrefStreamKind {
		err = u.writeXrefStream(b, places, off)
	} else {
		err = u.writeXrefTable(b, places, off)
	}
	if err != nil {
		return nil, err
	}
	writeInt(b, "startxref\n", off)
	b.WriteString("\n%%EOF\n")
	return b.Bytes(), nil
}

// room is about how many bytes the update has.
func (u *update) room() int {
	const object, section = 32, 512
	n := section + len(u.d.trailer.raw)
	for _, o := range u.objs {
		n += object + len(o.body)
	}
	return n
}

// sections returns the places to list: those of the update and, where the file's
// own cross-reference was unusable, all others too.
func (u *update) sections(places []placed) ([]placed, error) {
	out := slices.Clone(places)
	if u.d.repaired {
		changed := map[int]bool{}
		for _, p := range places {
			changed[p.id.num] = true
		}
		err := u.d.xref.each(func(num int, e entry) error {
			if e.kind == entryOffset && !changed[num] {
				out = append(out, placed{ref{num, int(e.aux)}, e.off - u.d.base})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b placed) int { return a.id.num - b.id.num })
	return out, nil
}

// runs calls fn for every run of consecutive numbers.
func runs(places []placed, fn func(run []placed)) {
	for len(places) > 0 {
		n := 1
		for n < len(places) && places[n].id.num == places[0].id.num+n {
			n++
		}
		fn(places[:n])
		places = places[n:]
	}
}

func (u *update) writeXrefTable(b *bytes.Buffer, places []placed, off int64) error {
	if off > maxTableOffset {
		return overLimit("a cross-reference table cannot address offset %d", off)
	}
	list, err := u.sections(places)
	if err != nil {
		return err
	}
	b.WriteString("xref\n")
	if u.d.repaired {
		b.WriteString("0 1\n0000000000 65535 f \n")
	}
	runs(list, func(run []placed) {
		writeInt(b, "", int64(run[0].id.num))
		writeInt(b, " ", int64(len(run)))
		b.WriteByte('\n')
		for _, p := range run {
			writePadded(b, p.off, 10)
			b.WriteByte(' ')
			writePadded(b, int64(p.id.gen), 5)
			b.WriteString(" n \n")
		}
	})
	b.WriteString("trailer\n<<")
	if err := u.copyTrailer(b, "Size", "Prev", "XRefStm"); err != nil {
		return err
	}
	writeInt(b, "\n/Size ", int64(u.size()))
	u.writePrev(b)
	b.WriteString("\n>>\n")
	return nil
}

func (u *update) size() int { return max(u.next, u.d.xref.highest+1) }

func (u *update) writePrev(b *bytes.Buffer) {
	if !u.d.repaired {
		writeInt(b, "\n/Prev ", u.d.newest-u.d.base)
	}
}

// writeInt writes a number behind what stands before it.
func writeInt(b *bytes.Buffer, before string, n int64) {
	b.WriteString(before)
	b.Write(strconv.AppendInt(b.AvailableBuffer(), n, 10))
}

// writePadded writes a number of at least so many digits.
func writePadded(b *bytes.Buffer, n int64, digits int) {
	for limit := int64(10); digits > 1; digits, limit = digits-1, limit*10 {
		if n < limit {
			b.WriteString("0000000000"[:digits-1])
			break
		}
	}
	b.Write(strconv.AppendInt(b.AvailableBuffer(), n, 10))
}

// writeXrefStream writes the section as an uncompressed stream: a few dozen
// bytes gain nothing from a compressor.
func (u *update) writeXrefStream(b *bytes.Buffer, places []placed, off int64) error {
	id := u.alloc()
	list, err := u.sections(append(slices.Clone(places), placed{id, off}))
	if err != nil {
		return err
	}
	width := 1
	for width < 8 && off>>(8*width) > 0 {
		width++
	}
	var index, data []byte
	runs(list, func(run []placed) {
		index = strconv.AppendInt(append(index, ' '), int64(run[0].id.num), 10)
		index = strconv.AppendInt(append(index, ' '), int64(len(run)), 10)
		for _, p := range run {
			data = append(data, 1)
			for shift := 8 * (width - 1); shift >= 0; shift -= 8 {
				data = append(data, byte(p.off>>shift))
			}
			data = append(data, byte(p.id.gen>>8), byte(p.id.gen))
		}
	})
	fmt.Fprintf(b, "%d 0 obj\n<<", id.num)
	err = u.copyTrailer(b, "Type", "Size", "Prev", "XRefStm", "W", "Index",
		"Length", "Filter", "DecodeParms", "F", "FFilter", "FDecodeParms", "DL")
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "\n/Type /XRef\n/Size %d\n/W [1 %d 2]\n/Index [%s]\n/Length %d",
		u.size(), width, index[1:], len(data))
	u.writePrev(b)
	b.WriteString("\n>>\nstream\n")
	b.Write(data)
	b.WriteString("\nendstream\nendobj\n")
	return nil
}

// copyTrailer writes every key of the newest trailer but the named ones, byte for
// byte: /Root, /Info, /ID and what we have never heard of (D5, D7).
func (u *update) copyTrailer(b *bytes.Buffer, except ...string) error {
	t := u.d.trailer
	keyStart := 2
	return t.eachSpan(func(key []byte, start, end int) bool {
		if !slices.Contains(except, string(key)) {
			b.WriteByte('\n')
			b.Write(bytes.TrimLeft(t.raw[keyStart:end], "\x00\t\n\f\r "))
		}
		keyStart = end
		return true
	})
}
