package pdf

import (
	"bytes"
	"errors"
	"slices"
)

// The form of cross-reference streams, of how sections follow each other, and of what object streams hold, in what
// an update adds (see census.go). What is refused here made Ghostscript, PDFium, PDFBox, pypdf, iText, pdf.js,
// Poppler or MuPDF search the file, or begin somewhere else, where we do not.

// place is where an object stands.
type place struct {
	num int
	off int64
}

// packed is an object in an object stream.
type packed struct{ container, num int }

// foreignKeys make something else of a cross-reference stream.
var foreignKeys = []string{"XRefStm", "N", "First", "Extends", "Linearized"}

func kindOf(b []byte) xrefKind {
	if bytes.HasPrefix(b, []byte("xref")) {
		return xrefTableKind
	}
	return xrefStreamKind
}

// link is a section, and where the next older one is said to be.
type link struct {
	at, prev int64
	kind     xrefKind
}

// mixed notes a section of another kind than the newer one in front of it: some readers go on in the kind that they
// began with, and search the file if they find none.
func (c *census) mixed(kind xrefKind) error {
	was := c.kind
	if c.kind = kind; was != 0 && was != kind {
		return c.odd(c.section, oddForm, "a cross-reference of one kind follows one of the other")
	}
	return nil
}

// joins makes sure that what was added behind an offset is based on the newest section of the revision before it, which all
// readers have read, and is of its kind; an author may have left other sections there that lead some readers elsewhere.
func (c *census) joins(from int64) ([]oddity, error) {
	i := len(c.chain) - 1
	for ; i >= 0 && c.chain[i].at < from; i-- {
	}
	if from == 0 || i < 0 {
		return nil, nil
	}
	no := func(text string) []oddity { return []oddity{{c.chain[i].at, oddForm, text}} }
	old := *c.d
	old.block, old.size = new(block), from
	newest, err := old.startXref()
	if errors.Is(err, ErrMalformed) {
		return no("the revision before an update has no end"), nil
	}
	prev, err1 := c.d.behindSpace(c.chain[i].prev)
	newest, err2 := c.d.behindSpace(newest)
	b, err3 := c.d.readAt(make([]byte, 4), newest)
	switch err := firstError(err, err1, err2, err3); {
	case err != nil:
		return nil, err
	case prev != newest:
		return no("an update is not based on the revision before it"), nil
	case c.chain[i].kind != kindOf(b):
		return no("a cross-reference of one kind follows one of the other"), nil
	}
	return nil, nil
}

// behindSpace is the place behind the white space at off: readers forgive some in front of a cross-reference.
func (d *Document) behindSpace(off int64) (int64, error) {
	r := d.newReader(off)
	_, err := r.word()
	return r.off, err
}

// plainStream notes a cross-reference stream that is not of the one form that all readers know.
func (c *census) plainStream(off int64) error {
	o, err := c.d.objectAt(off)
	if err != nil {
		return err
	}
	plain, err := c.d.plainStream(off, o)
	if err == nil && !plain {
		err = c.odd(off, oddForm, "a cross-reference stream of an unusual form")
	}
	return err
}

func (d *Document) plainStream(off int64, o object) (bool, error) {
	head, err := d.readAt(make([]byte, 32), off)
	if err != nil || !plainHeader(head) || o.stream < 0 {
		return false, err
	}
	foreign := false
	err = o.val.eachSpan(func(k []byte, _, _ int) bool {
		foreign = foreign || slices.Contains(foreignKeys, string(k))
		return !foreign
	})
	if err != nil || foreign {
		return false, err
	}
	for _, fn := range []func(object) (bool, error){d.plainData, plainRows, plainFilter} {
		if ok, err := fn(o); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// plainHeader tells "N G obj" with a blank each between them.
func plainHeader(b []byte) bool {
	num, rest, ok1 := bytes.Cut(b, []byte(" "))
	gen, rest, ok2 := bytes.Cut(rest, []byte(" "))
	return ok1 && ok2 && allDigits(num) && allDigits(gen) && bytes.HasPrefix(rest, []byte("obj"))
}

// plainData: the data begins behind the keyword and the end of its line, and is as long as it says.
func (d *Document) plainData(o object) (bool, error) {
	b, err := d.readAt(make([]byte, o.stream-o.end), o.end)
	if err != nil {
		return false, err
	}
	word := string(bytes.TrimLeftFunc(b, pdfSpace))
	v, err := o.val.get("Length")
	if err != nil || word != "stream\n" && word != "stream\r\n" || !allDigits(v.raw) {
		return false, err
	}
	n, ok := v.asInt()
	if !ok || n > d.size-o.stream {
		return false, nil
	}
	b, err = d.readAt(make([]byte, 16), o.stream+n)
	return bytes.HasPrefix(bytes.TrimLeftFunc(b, pdfSpace), []byte("endstream")), err
}

// plainRows: Ghostscript knows types of one byte only, and some readers take the fields of /W that are too many for
// part of a row.
func plainRows(o object) (bool, error) {
	w, ok, err := wholeNumbers(o.val, "W")
	if err != nil || !ok || len(w) != 3 || w[0] > 1 {
		return false, err
	}
	index, ok, err := wholeNumbers(o.val, "Index")
	if err != nil || !ok || len(index)%2 != 0 {
		return false, err
	}
	for i := 1; i < len(index); i += 2 {
		if index[i] == 0 {
			return false, nil
		}
	}
	return true, nil
}

// wholeNumbers reads an array of unsigned integers; an absent one is empty.
func wholeNumbers(dict value, key string) (out []int64, ok bool, err error) {
	at, _, err := dict.find(key)
	if err != nil || at == 0 {
		return nil, err == nil, err
	}
	v, err := dict.get(key)
	if ok = v.isArray(); err != nil || !ok {
		return nil, false, err
	}
	err = v.eachElem(func(e value) bool {
		n, isInt := e.asInt()
		ok = isInt && allDigits(e.raw)
		out = append(out, n)
		return ok
	})
	return out, ok, err
}

// plainFilter: a key that is there has a value; some readers fail at null.
func plainFilter(o object) (bool, error) {
	for key, form := range map[string]func(value) bool{
		"Filter":      func(v value) bool { return v.nameIs("FlateDecode") },
		"DecodeParms": value.isDict,
	} {
		at, _, err := o.val.find(key)
		if err != nil {
			return false, err
		}
		v, err := o.val.get(key)
		if err != nil {
			return false, err
		}
		n, ok := 1, at == 0 || form(v)
		if v.isArray() {
			n, ok = 0, true
			err = v.eachElem(func(e value) bool {
				n++
				ok = ok && form(e)
				return ok
			})
		}
		if err != nil || !ok || n != 1 {
			return false, err
		}
	}
	return true, nil
}

// A header of the usual length ends linearizedAt, where PDFium begins to read, whatever stands in front.
const linearizedAt = 9

// linearized: where the first object says that it begins a linearized file of just this length, pdf.js, Poppler and PDFium begin with
// the cross-reference behind it, and all others with the one that startxref names. An author can choose the length
// that the file has when it is signed, or when somebody adds to it (ISO 32000-2, annex F.3.3; ADE-04).
func (c *census) linearized(newest int64) error {
	for _, off := range []int64{0, linearizedAt} {
		dict, whole, err := c.d.linearization(c.d.base + off)
		if errors.Is(err, ErrMalformed) && dict.isDict() {
			return c.odd(c.d.size, oddForm, "a linearized file does not say how long it is")
		} else if err != nil || !whole {
			if err != nil {
				return err
			}
			continue
		}
		first, err := c.d.firstSection(c.d.base + off)
		if err != nil {
			return err
		}
		if newest, err = c.d.behindSpace(newest); err == nil && first != newest {
			err = c.odd(c.d.size, oddForm, "a linearized file begins with another cross-reference than it ends with")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// linearization reads the dictionary at the beginning of a linearized file. whole tells that the file is as long as it
// says, without which it is an ordinary file. ErrMalformed: it does not say its length in a plain way.
func (d *Document) linearization(off int64) (dict value, whole bool, err error) {
	o, err := d.objectAt(off)
	if errors.Is(err, ErrMalformed) || errors.Is(err, ErrLimit) || err == nil && !o.val.isDict() {
		return dict, false, nil // a file that is not linearized may begin with anything
	}
	if err != nil {
		return dict, false, err
	}
	at, _, err := o.val.find("Linearized")
	if err == nil && at == 0 {
		return dict, false, nil
	}
	length, err2 := o.val.get("L")
	n, ok := length.asInt()
	if firstError(err, err2) != nil || !ok || !allDigits(length.raw) {
		return o.val, false, malformed(o.val.off, "a linearized file does not say how long it is")
	}
	return o.val, n == d.size || n == d.size-d.base, nil
}

// firstSection is where the cross-reference of a linearized file begins, behind the first "endobj".
func (d *Document) firstSection(off int64) (int64, error) {
	r := d.newReader(off)
	if which, err := r.search("endobj"); err != nil || which < 0 {
		return -1, err
	}
	return d.behindSpace(r.off + int64(len("endobj")))
}

// packs looks into the object streams of an update: who searches the file finds what they hold, also what no
// cross-reference lists. whole is the file as it is read.
func (c *census) packs(whole *Document) error {
	for _, p := range c.objects {
		o, err := whole.objectAt(p.off)
		if errors.Is(err, ErrMalformed) {
			continue // nobody can read it
		}
		if err != nil {
			return err
		}
		if o.stream < 0 {
			continue
		}
		if err := c.pack(whole, p, o); err != nil {
			return err
		}
	}
	return nil
}

func (c *census) pack(whole *Document, p place, o object) error {
	isPack, err := whole.maybePack(o)
	if err != nil || !isPack {
		return err
	}
	s, err := whole.inflateObjects(o)
	if errors.Is(err, ErrMalformed) || errors.Is(err, ErrUnsupported) {
		return c.odd(p.off, oddObject, "object stream %d cannot be read", p.num)
	}
	if err != nil {
		return err
	}
	if early, err := whole.endsEarly(o); err != nil {
		return err
	} else if early {
		return c.odd(p.off, oddObject, "object stream %d ends earlier for readers that search for its end", p.num)
	}
	for i, n := range s.nums {
		e := c.place(int(n))
		if e.kind == entryInStream && e.off == int64(p.num) && e.aux == uint32(i) || c.older[packed{p.num, int(n)}] {
			continue
		}
		return c.odd(p.off, oddObject, "object stream %d holds object %d, which no cross-reference lists there", p.num, n)
	}
	return nil
}

// endsEarly tells whether "endstream" stands in the data of a stream.
func (d *Document) endsEarly(o object) (bool, error) {
	length, err := d.streamLength(o)
	if err != nil {
		return false, err
	}
	next, err := d.findEndstream(o.stream)
	return next < length, err
}

// maybePack tells whether a reader could take a stream for an object stream.
func (d *Document) maybePack(o object) (bool, error) {
	typ, err := d.key(o.val, "Type")
	if err != nil || typ.nameIs("ObjStm") {
		return err == nil, ignoreMalformed(err)
	}
	n, _, err1 := o.val.find("N")
	first, _, err2 := o.val.find("First")
	if err := firstError(err1, err2); err != nil {
		return true, ignoreMalformed(err)
	}
	return n > 0 && first > 0, nil
}

func ignoreMalformed(err error) error {
	if errors.Is(err, ErrMalformed) {
		return nil
	}
	return err
}
