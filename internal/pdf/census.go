package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
)

// A reader that finds something wrong with the cross-reference of a file leaves it
// aside, searches all bytes for objects, and takes the last one of each number. So an
// update that to us adds nothing but validation data shows another page elsewhere, if
// it has a page that it does not list and something that others do not forgive: a
// line of the table of another length, an offset outside of the file, blanks behind the
// end. What is added behind a signature is therefore held to the letter of ISO 32000-1,
// 7.5.4 to 7.5.8: it holds the objects that it lists, where it lists them, and no more
// (D16, ADE-04).

// oddity is a place in which readers may see something else than we do.
type oddity struct {
	at   int64
	kind oddKind
	text string
}

type oddKind uint8

const (
	oddForm   oddKind = iota // others may not forgive it, and search the file
	oddObject                // what they would find then
	oddEnd                   // the file does not end as it should, which an update mends
	oddHybrid                // readers of before PDF 1.5 see less
)

// maxOddities bounds what is kept of them; one is enough to doubt a file.
const maxOddities = 16

// mostObjects is the largest /Size that all readers take: from some number between three and four million on Ghostscript has no object.
const mostObjects = 1 << 21

// lookBack is how far in front of a word that begins an object its numbers are looked for,
// lastWords how far from its end a file must say where its cross-reference is: some
// readers look at the last 1,024 bytes only.
const (
	lookBack  = 256
	lastWords = 1000
)

// otherDocument is the key of a trailer, of any revision, by which LibreOffice finds a document that it opens instead of the pages:
// the source that it put into a "hybrid PDF".
const otherDocument = "AdditionalStreams"

// census is an account of the bytes from an offset to the end of the file.
type census struct {
	d        *Document           // reads into a cross-reference of its own
	place    func(num int) entry // where the whole file has an object
	from     int64
	keywords map[int64]bool  // where "obj" stands of what is listed, and "xref" and "trailer" of sections
	numbers  numSet          // listed by the section being read
	highest  int             // of these
	section  int64           // where it begins
	all      int             // the highest number in use in the file
	begun    bool            // the newest section is read
	kind     xrefKind        // of the section read last
	chain    []link          // sections, the newest first
	objects  []place         // those that stand behind from
	older    map[packed]bool // what object streams hold that newer sections have elsewhere
	ends     []int64         // where "endstream" stands
	other    bool            // a trailer has otherDocument
	out      []oddity
	broken   bool // there may be more
}

// oddities lists what is odd from an offset to the end (ADE-04). An account that came to the end
// of the file serves all signatures, of which the first one asks first; one that was broken off
// is taken again for each, at their expense.
func (d *Document) oddities(from int64) ([]oddity, error) {
	if a := d.account; a == nil || from < a.from || from > a.from && a.broken {
		if a != nil {
			if err := d.spend(d.size - from); err != nil {
				return nil, err
			}
		}
		c := &census{from: from, keywords: map[int64]bool{}, older: map[packed]bool{}}
		err := c.take(d)
		if c.broken = errors.Is(err, errEnough); err != nil && !c.broken {
			return nil, err
		}
		d.account = c
	}
	var out []oddity
	for _, o := range d.account.out {
		if o.at >= from {
			out = append(out, o)
		}
	}
	join, err := d.account.joins(from)
	return append(out, join...), err
}

// odd notes an oddity; errEnough ends the account.
func (c *census) odd(at int64, kind oddKind, format string, args ...any) error {
	c.out = append(c.out, oddity{at, kind, fmt.Sprintf(format, args...)})
	if len(c.out) >= maxOddities {
		return errEnough
	}
	return nil
}

func (c *census) take(d *Document) error {
	scratch := *d
	scratch.block = new(block) // it reads elsewhere
	scratch.xref, scratch.sections, scratch.listed = xrefTable{}, nil, c.streamEntry
	c.d, c.place = &scratch, d.xref.get
	if d.repaired {
		return c.odd(d.size, oddForm, "the cross-reference cannot be used")
	}
	if err := c.ending(); err != nil {
		return err
	}
	off, err := c.d.startXref()
	if err == nil {
		err = c.linearized(off)
	}
	if err == nil {
		err = d.xref.each(func(num int, e entry) error {
			if e.kind > entryFree {
				c.all = num
			}
			return nil
		})
	}
	for err == nil && off >= c.from {
		l := link{at: off}
		if off, err = c.read(off); err == nil {
			l.kind, l.prev = c.kind, off
			c.chain = append(c.chain, l)
		}
	}
	if err == nil {
		err = c.packs(d)
	}
	if err != nil {
		return err
	}
	return c.d.eachWord(c.from, c.word)
}

// ending makes sure that all readers find where the newest section is.
func (c *census) ending() error {
	from := max(0, c.d.size-lastWords)
	b, err := c.d.readAt(make([]byte, c.d.size-from), from)
	if err != nil {
		return err
	}
	at := bytes.LastIndex(b, []byte("startxref"))
	if at < 0 {
		return c.odd(c.d.size, oddEnd, "the last %d bytes do not say where the cross-reference is", lastWords)
	}
	l := lexer{b: b, pos: at + len("startxref"), eof: true}
	t, err := l.next()
	if err != nil || !allDigits(b[t.start:t.end]) || string(bytes.TrimFunc(b[t.end:], pdfSpace)) != "%%EOF" {
		return c.odd(c.d.size, oddEnd, "the file does not end with %%%%EOF behind startxref")
	}
	return nil
}

func pdfSpace(r rune) bool { return r < 0x80 && isSpace(byte(r)) }

// read accounts for one section and returns where the next older one is.
func (c *census) read(off int64) (int64, error) {
	b, err := c.d.readAt(make([]byte, 4), off)
	if err != nil {
		return 0, err
	}
	var sec section
	if err := c.mixed(kindOf(b)); err != nil {
		return 0, err
	}
	c.section, c.numbers, c.highest = off, numSet{}, 0
	if string(b) == "xref" {
		sec.trailer, err = c.table(off)
	} else if id, bad := c.header(off); bad != nil || id.num == 0 {
		err = firstError(bad, c.odd(off, oddForm, "no cross-reference where one is said to be"), errEnough)
	} else {
		if err = c.plainStream(off); err == nil {
			sec, err = c.d.readStreamSection(off)
		}
	}
	if err == nil && !plainTokens(sec.trailer) {
		err = c.odd(off, oddForm, "a trailer with an unusual value")
	}
	if err != nil {
		return 0, err
	}
	if other, _, err := sec.trailer.find(otherDocument); err == nil && other > 0 {
		c.other = true
	}
	if !c.begun {
		c.begun = true // its /Size is that of the file: objects behind it are none to some readers, or have them search
		c.highest = max(c.highest, c.all)
	}
	size, err := c.d.keyInt(sec.trailer, "Size", -1)
	if err == nil && size < 0 {
		err = c.odd(off, oddForm, "/Size does not say how many objects there are")
	}
	if err != nil {
		return 0, err
	}
	if off, bad := c.d.prevOffset(sec); bad == nil && off < 0 && c.from == 0 {
		size = max(size, int64(c.highest)+1) // some writers count too few (pdfunite), and of the first section readers go by its entries
	}
	if err == nil && size <= int64(c.highest) {
		err = c.odd(off, oddForm, "object %d is listed, and /Size says that there is none", c.highest)
	} else if err == nil && size > mostObjects {
		err = c.odd(off, oddForm, "/Size says that there are more objects than a file can have")
	}
	if err != nil {
		return 0, err
	}
	if err := firstError(c.clear(sec.trailer), c.hidden(sec.trailer)); err != nil {
		return 0, err
	}
	return c.d.prevOffset(sec)
}

// clear notes an encryption that is none: to some readers the file is encrypted.
func (c *census) clear(trailer value) error {
	at, _, err := trailer.find("Encrypt")
	if err != nil || at == 0 || c.d.crypt != nil {
		return err
	}
	return c.odd(c.section, oddForm, "/Encrypt in a file that is not encrypted")
}

// hidden reads the part of a hybrid section that is for newer readers.
func (c *census) hidden(trailer value) error {
	off, err := c.d.offsetKey(trailer, "XRefStm")
	if err != nil {
		return err
	}
	if off < 0 {
		if at, _, err := trailer.find("XRefStm"); err != nil || at == 0 {
			return err
		}
		return c.odd(c.section, oddForm, "/XRefStm that leads nowhere") // some readers follow it all the same
	}
	c.numbers = numSet{} // they are listed as free, too
	if err := c.odd(c.section, oddHybrid, "some objects are listed for newer readers only"); err != nil {
		return err
	}
	id, err := c.header(off)
	if err == nil && id.num == 0 {
		return firstError(c.odd(off, oddForm, "no cross-reference where one is said to be"), errEnough)
	}
	if err = firstError(err, c.plainStream(off)); err == nil {
		_, err = c.d.readStreamSection(off)
	}
	return err
}

// maxDigits is what no number of a trailer needs more of; some readers fail at more, and search the file.
const maxDigits = 10

// plainTokens tells whether a trailer is made of what every reader knows; others take it for broken.
func plainTokens(v value) bool {
	l := v.sub(0)
	var before [2][]byte // two tokens
	for {
		l.skipSpace()
		if l.pos >= len(v.raw) {
			return true
		}
		t, err := l.next()
		if err != nil {
			return false
		}
		word := string(v.raw[t.start:t.end])
		switch t.kind {
		case tokWord:
			if word == "R" && !nameable(before) {
				return false
			}
			if word != "R" && word != "true" && word != "false" && word != "null" {
				return false
			}
		case tokNumber:
			whole, part, _ := strings.Cut(strings.TrimLeft(word, "-"), ".")
			if strings.Count(word, "-") > 1 || !allDigits([]byte(whole+part)) || len(whole) > maxDigits {
				return false
			}
		case tokHex:
			if strings.ContainsFunc(word[1:len(word)-1], notHexadecimal) {
				return false
			}
		}
		before[0], before[1] = before[1], v.raw[t.start:t.end]
	}
}

// nameable tells whether the two tokens in front of R can name an object.
func nameable(n [2][]byte) bool {
	num, ok1 := parseInt(n[0])
	gen, ok2 := parseInt(n[1])
	return ok1 && ok2 && num > 0 && num <= maxObjectNumber && gen >= 0 && gen <= 65535
}

// table reads a section in the one form that all readers read alike, and its trailer.
func (c *census) table(off int64) (value, error) {
	r := c.d.newReader(off)
	for first := true; ; first = false {
		if !first {
			at := r.off
			if w, err := r.word(); err != nil {
				return value{}, err
			} else if bytes.HasPrefix(w, []byte("trailer")) { // some writers leave a line free in front of it
				c.keywords[r.off] = true
				return c.trailer(r.off + int64(len("trailer")))
			} else if r.off != at {
				break
			}
		}
		line, err := r.line()
		if err != nil {
			return value{}, err
		}
		line = bytes.TrimRight(line, " ")
		if first {
			if string(line) != "xref" {
				break
			}
			continue
		}
		start, count, ok := twoNumbers(line)
		if !ok || start+count > maxObjectNumber+1 {
			break
		}
		if ok, err = c.lines(r, int(start), int(count)); err != nil {
			return value{}, err
		} else if !ok {
			break
		}
	}
	if err := c.odd(off, oddForm, "a cross-reference table of an unusual form"); err != nil {
		return value{}, err
	}
	return value{}, errEnough
}

// trailer reads the one of a table. Readers take it for a stream, or for broken, if other words stand behind it; comments they
// skip, and iText writes its name there.
func (c *census) trailer(off int64) (value, error) {
	v, err := c.d.readTrailer(off)
	if err != nil {
		return v, err
	}
	b, err := c.d.readAt(make([]byte, lookBack), v.off+int64(len(v.raw)))
	if err == nil && !bytes.HasPrefix(afterComments(b), []byte("startxref")) {
		err = c.odd(off, oddForm, "something stands between a trailer and startxref")
	}
	return v, err
}

// afterComments is what stands behind white space and comments.
func afterComments(b []byte) []byte {
	for {
		b = bytes.TrimLeftFunc(b, pdfSpace)
		end := bytes.IndexAny(b, "\r\n")
		if len(b) == 0 || b[0] != '%' || end < 0 {
			return b
		}
		b = b[end:]
	}
}

// twoNumbers reads the head of a part of a table.
func twoNumbers(line []byte) (a, b int64, ok bool) {
	x, y, found := bytes.Cut(line, []byte(" "))
	if !found || !allDigits(x) || !allDigits(y) || len(x) > 8 || len(y) > 8 {
		return 0, 0, false
	}
	a, _ = parseInt(x)
	b, _ = parseInt(y)
	return a, b, true
}

// lines reads count lines of twenty bytes; false if one is none.
func (c *census) lines(r *reader, start, count int) (bool, error) {
	for num := start; num < start+count; num++ {
		if err := r.fill(20); err != nil {
			return false, err
		}
		b := r.b
		if len(b) < 20 || !allDigits(b[:10]) || b[10] != ' ' || !allDigits(b[11:16]) || b[16] != ' ' || !lineEnd(b[18:20]) {
			return false, nil
		}
		off, _ := parseInt(b[:10])
		gen, _ := parseInt(b[11:16])
		kind := b[17]
		r.skip(20)
		if kind == 'f' && num == 1 && num == start && gen == 65535 {
			return false, nil // some readers take it for object 0, and count on from there
		}
		if kind != 'f' && (kind != 'n' || num == 0) {
			return false, nil
		}
		if err := c.entry(num, kind == 'n', off, gen); err != nil {
			return false, err
		}
	}
	return true, nil
}

func lineEnd(b []byte) bool {
	switch string(b) {
	case " \n", " \r", "\r\n":
		return true
	}
	return false
}

// line consumes a line of at most 64 bytes with its end, and returns it without.
func (r *reader) line() ([]byte, error) {
	if err := r.fill(64); err != nil {
		return nil, err
	}
	b := r.b[:min(len(r.b), 64)]
	n := bytes.IndexAny(b, "\r\n")
	if n < 0 {
		return b, nil // not consumed: it is no line of a table
	}
	line := bytes.Clone(b[:n])
	if bytes.HasPrefix(b[n:], []byte("\r\n")) {
		n++
	}
	r.skip(n + 1)
	return line, nil
}

// streamEntry is an entry of a cross-reference stream as the file has it.
func (c *census) streamEntry(num int, typ, f2, f3 uint64) error {
	switch {
	case typ > 2, f2 > math.MaxInt64, f3 > math.MaxInt32, num == 0 && typ != 0:
		return c.odd(c.section, oddForm, "the cross-reference lists object %d in an unusual way", num)
	case typ == 2:
		if f2 > maxObjectNumber || c.place(int(f2)).kind != entryOffset {
			return c.odd(c.section, oddForm, "object %d is in an object stream that is not there", num)
		}
		if now := c.place(num); now.kind != entryInStream || now.off != int64(f2) || now.aux != uint32(f3) {
			c.older[packed{int(f2), num}] = true
		}
		return c.entry(num, false, 0, 0)
	}
	return c.entry(num, typ == 1, int64(f2), int64(f3))
}

// entry accounts for one entry: an object in use stands where it says.
func (c *census) entry(num int, inUse bool, off, gen int64) error {
	c.highest = max(c.highest, num)
	if c.numbers.has(num) {
		return c.odd(c.section, oddForm, "object %d is listed twice", num)
	}
	c.numbers.add(num)
	if !inUse {
		return nil
	}
	if off > 0 && off < c.d.size-c.d.base {
		id, err := c.header(c.d.base + off)
		if err != nil {
			return err
		}
		if now := c.place(num); now.kind == entryOffset && now.off < c.d.base+off {
			return c.odd(c.d.base+off, oddObject, "object %d stands again behind its place", num)
		}
		if id == (ref{num, int(gen)}) {
			if at := c.d.base + off; at >= c.from {
				c.objects = append(c.objects, place{num, at})
			}
			return nil
		}
	}
	return c.odd(c.section, oddForm, "object %d is not where the cross-reference says", num)
}

// header reads "N G obj" at an offset and accounts for the keyword.
func (c *census) header(off int64) (ref, error) {
	b, err := c.d.readAt(make([]byte, 48), off-1)
	if err != nil || len(b) < 8 {
		return ref{}, err
	}
	at := 1
	var n [2]int64
	for i := range n {
		from := at
		for at < len(b) && isDigit(b[at]) {
			at++
		}
		if n[i], _ = parseInt(b[from:at]); from == at || at-from > 10 {
			return ref{}, nil
		}
		for at < len(b) && isSpace(b[at]) {
			at++
		}
	}
	if isRegular(b[0]) || at+3 >= len(b) || string(b[at:at+3]) != "obj" || isRegular(b[at+3]) || n[0] > maxObjectNumber || n[1] > 65535 {
		return ref{}, nil
	}
	if at := off - 1 + int64(at); at >= c.from {
		c.keywords[at] = true
	}
	if len(c.keywords) > c.d.lim.MaxObjects {
		return ref{}, overLimit("more than %d objects", c.d.lim.MaxObjects)
	}
	return ref{int(n[0]), int(n[1])}, nil
}

// word judges one of the words that a search for objects goes by.
func (c *census) word(word string, at int64, before, behind []byte) error {
	switch {
	case word == "endstream":
		if c.ends = append(c.ends, at); len(c.ends) > c.d.lim.MaxObjects {
			return overLimit("more than %d streams", c.d.lim.MaxObjects)
		}
		return nil
	case c.keywords[at], len(behind) > 0 && isRegular(behind[0]):
		return nil
	case word == "trailer":
		return c.odd(at, oddObject, "a trailer of no cross-reference at byte %d", at)
	case bytes.HasSuffix(before, []byte("end")), !mayBeginObject(before):
		return nil
	}
	return c.odd(at, oddObject, "an object that no cross-reference lists at byte %d", at)
}

// mayBeginObject tells whether readers can find the two numbers of an object in front of
// its keyword, over comments in the lines before if need be.
func mayBeginObject(before []byte) bool {
	for i := range maxComments {
		end := len(before)
		for end > 0 && isSpace(before[end-1]) {
			end--
		}
		if end == 0 || isDigit(before[end-1]) {
			return end > 0
		}
		if i == 0 && !bytes.ContainsAny(before[end:], "\r\n") {
			return false
		}
		line := before[bytes.LastIndexAny(before[:end], "\r\n")+1 : end]
		comment := bytes.IndexByte(line, '%')
		if comment < 0 {
			return false
		}
		before = before[:end-len(line)+comment]
	}
	return true
}

// maxComments bounds those between the numbers of an object and its keyword.
const maxComments = 8

// eachWord calls fn for the words that begin objects and trailers, and end streams, from an offset to the
// end, with what stands around each.
func (d *Document) eachWord(from int64, fn func(word string, at int64, before, behind []byte) error) error {
	const piece = 64 << 10
	buf := make([]byte, 0, lookBack+piece)
	for off := from; off < d.size; {
		n := min(piece, d.size-off)
		buf = buf[:len(buf)+int(n)]
		if m, err := d.r.ReadAt(buf[len(buf)-int(n):], off); int64(m) < n {
			return fmt.Errorf("pdf: read at offset %d: %w", off, errors.Join(err, errShort))
		}
		off += n
		begin := off - int64(len(buf)) // of buf
		ahead := 16
		if off == d.size {
			ahead = 0
		}
		if err := wordsIn(buf, len(buf)-ahead, begin, max(from, off-n-16), fn); err != nil {
			return err
		}
		kept := min(len(buf), lookBack)
		buf = append(buf[:0], buf[len(buf)-kept:]...)
	}
	return nil
}

// wordsIn finds words that begin in front of end in a piece of the file, and not before the offset from.
func wordsIn(b []byte, end int, begin, from int64, fn func(word string, at int64, before, behind []byte) error) error {
	for _, word := range []string{"obj", "trailer", "endstream"} {
		for i := int(from - begin); i < end; i++ {
			j := bytes.Index(b[i:], []byte(word))
			if i += j; j < 0 || i >= end {
				break
			}
			if err := fn(word, begin+int64(i), b[max(0, i-lookBack):i], b[i+len(word):]); err != nil {
				return err
			}
		}
	}
	return nil
}
