package pdf

import (
	"bytes"
	"errors"
	"slices"
	"sort"
)

// Objects that readers take for different ones, wherever they stand (ADE-04). The pages of a file are drawn from what
// they refer to: one form, font or length that is read in two ways is a page of two faces.

// scanForm looks at an object's tokens and at its form (ADE-04).
func (d *Document) scanForm(s *Summary, o object) error {
	odd, err := d.twofacedObject(o)
	if err := ignoreOdd(err); err != nil {
		return err
	}
	s.Twofaced = s.Twofaced || odd || err != nil
	return d.scanTokens(s, o.val)
}

// twofacedObject tells whether readers differ about an object, beyond its tokens (see tokenWalk).
func (d *Document) twofacedObject(o object) (bool, error) {
	if _, ok := o.val.asRef(); ok {
		return true, nil // Poppler and pypdf do not follow a reference to a reference
	}
	if o.stream >= 0 {
		return d.oddStream(o)
	}
	if odd, err := d.oddMark(o.val); err != nil || odd {
		return odd, err
	}
	return d.oddGlyphs(o.val)
}

// oddMark tells whether a dictionary is an annotation that readers draw in different ways.
func (d *Document) oddMark(dict value) (bool, error) {
	if odd, err := d.withoutLook(dict); err != nil || odd {
		return odd, err
	}
	why, err := d.oddAnnotation(dict)
	return d.because(why), ignoreOdd(err)
}

// oddStream tells whether readers differ about where the data of a stream begins and ends, or about how it is decoded.
func (d *Document) oddStream(o object) (bool, error) {
	whole, err := d.wholeData(o)
	if err != nil || !whole {
		return !whole, err
	}
	if odd, err := d.oddDrawing(o.val); err != nil || odd {
		return true, err
	}
	if odd, err := d.oddFilters(o); err != nil || odd {
		return odd, err
	}
	v, err := o.val.values("Subtype", "BBox")
	if err != nil || v[1].isNull() || v[0].nameIs("Image") {
		return err != nil, ignoreOdd(err)
	}
	return d.oddDrawnStream(o) // a form, a pattern, or what an annotation looks like
}

// oddDrawing tells whether a stream is something that is drawn to some readers only: Ghostscript draws an /XObject of no kind, Poppler
// no form without a box, and pdf.js alone one whose box or matrix is not of numbers; MuPDF takes one with a second kind for PostScript.
func (d *Document) oddDrawing(dict value) (bool, error) {
	v, err := dict.values("Type", "Subtype", "BBox", "Matrix", "Subtype2", "Group")
	if err != nil {
		return true, ignoreOdd(err)
	}
	if v[1].nameIs("Image") {
		return false, nil
	}
	form := v[1].nameIs("Form")
	if v[0].nameIs("XObject") && !form || form && !v[4].isNull() {
		return true, nil
	}
	box, err := d.resolve(v[2])
	if err != nil || form && box.isNull() {
		return true, ignoreOdd(err)
	}
	if odd, err := d.oddGroup(v[5]); err != nil || odd {
		return true, ignoreOdd(err)
	}
	four, err1 := d.numbers(box, 4)
	six, err2 := d.numbers(v[3], 6)
	return !four || !six, ignoreOdd(firstError(err1, err2))
}

// maxNumbers bounds how a box or a matrix is written, in bytes: many streams can name one array.
const maxNumbers = 1000

// numbers tells whether a value is an array of so many numbers, if it is there.
func (d *Document) numbers(v value, n int) (bool, error) {
	v, err := d.resolve(v)
	if err != nil || v.isNull() {
		return err == nil, err
	}
	if !v.isArray() || len(v.raw) > maxNumbers {
		return false, nil
	}
	list, err := d.elements(v)
	return err == nil && len(list) == n && !slices.ContainsFunc(list, func(e value) bool { return !plainNumber(e.raw) || wideNumber(e.raw) }), err
}

// wholeData tells whether the data of a stream is as long as it says. Behind a wrong length PDFium, PDFBox, iText and
// Ghostscript look for "endobj", too, and the others for "endstream" only.
func (d *Document) wholeData(o object) (bool, error) {
	head, err := d.view(int(o.stream-o.end), o.end)
	if err != nil {
		return false, err
	}
	switch string(bytes.TrimLeftFunc(head, pdfSpace)) { // no comment
	case "stream\n", "stream\r\n", "stream\r":
	default:
		return false, nil
	}
	n, err := d.keyInt(o.val, "Length", -1)
	if err != nil || n < 0 || n > d.size-o.stream {
		return false, ignoreMalformed(err)
	}
	b, err := d.view(16, o.stream+n)
	if err != nil || !bytes.HasPrefix(bytes.TrimLeftFunc(b, pdfSpace), []byte("endstream")) {
		return false, err
	}
	if d.account == nil || d.account.broken {
		return true, nil // the file is damaged, or was not looked through
	}
	ends := d.account.ends
	i := sort.Search(len(ends), func(i int) bool { return ends[i] >= o.stream })
	return i < len(ends) && ends[i] >= o.stream+n, nil
}

// Filters that all readers know under these names (ISO 32000-1, table 6): of what is drawn as it is, and of pictures. pypdf knows
// no abbreviations there.
var (
	drawable = []string{"FlateDecode", "LZWDecode", "ASCIIHexDecode", "ASCII85Decode", "RunLengthDecode"}
	pictured = []string{"DCTDecode", "CCITTFaxDecode", "JBIG2Decode", "JPXDecode"}
)

// oddFilters tells whether readers differ about the filters of a stream or their parameters.
func (d *Document) oddFilters(o object) (bool, error) {
	filter, parms, err := d.filtersOf(o)
	if err != nil {
		return true, ignoreOdd(err)
	}
	filters, err1 := d.elements(filter)
	params, err2 := d.elements(parms)
	if err := firstError(err1, err2); err != nil || parms.isArray() && len(params) != len(filters) {
		return true, ignoreOdd(err)
	}
	form, err := o.val.get("Subtype")
	if err != nil {
		return true, ignoreOdd(err)
	}
	for i, f := range filters {
		known := slices.Contains(drawable, f.name()) || f.nameIs("Crypt") && d.crypt != nil
		if !known && (form.nameIs("Form") || !slices.Contains(pictured, f.name())) {
			return true, nil
		}
		if i < len(params) {
			if odd, err := d.oddParameters(f.name(), params[i]); err != nil || odd {
				return odd, err
			}
		}
	}
	return false, nil
}

// elements returns the elements of an array, resolved, or the one value that is none.
func (d *Document) elements(v value) ([]value, error) {
	if v.isNull() {
		return nil, nil
	}
	if !v.isArray() {
		return []value{v}, nil
	}
	var out []value
	var inner error
	err := v.eachElem(func(e value) bool {
		e, inner = d.resolve(e)
		out = append(out, e)
		return inner == nil
	})
	return out, firstError(inner, err)
}

// oddParameters tells whether a predictor is not one of those that all readers know, or not said in integers.
func (d *Document) oddParameters(filter string, parms value) (bool, error) {
	if parms.isNull() {
		return false, nil
	}
	if !parms.isDict() {
		return true, nil
	}
	if filter != "FlateDecode" && filter != "LZWDecode" {
		return false, nil
	}
	for _, p := range []struct {
		name string
		def  int64
		ok   func(int64) bool
	}{
		{"Predictor", 1, func(n int64) bool { return n == 1 || n == 2 || n >= 10 && n <= 15 }},
		{"Colors", 1, func(n int64) bool { return n >= 1 && n <= 32 }},
		{"BitsPerComponent", 8, func(n int64) bool { return n >= 1 && n <= 16 && n&(n-1) == 0 }},
		{"Columns", 1, func(n int64) bool { return n >= 1 && n <= 1<<24 }},
		{"EarlyChange", 1, func(n int64) bool { return n == 0 || n == 1 }},
	} {
		n, err := d.parameter(parms, p.name, p.def)
		if err != nil || !p.ok(n) {
			return true, ignoreOdd(err)
		}
	}
	return false, nil
}

// ignoreOdd keeps errors that are not about what the file says.
func ignoreOdd(err error) error {
	if errors.Is(err, ErrUnsupported) {
		return nil
	}
	return ignoreMalformed(err)
}

// marks are annotations that Poppler, MuPDF or Ghostscript draw out of their own heads where they have no look, and others do not.
var marks = []string{"FreeText", "Line", "Square", "Circle", "Polygon", "PolyLine", "Highlight", "Underline", "Squiggly", "StrikeOut", "Stamp", "Caret", "Ink"}

// withoutLook tells whether a dictionary is an annotation that each reader draws in its own way (ISO 32000-1, 12.5.5).
func (d *Document) withoutLook(dict value) (bool, error) {
	if !dict.isDict() {
		return false, nil
	}
	v, err := dict.values("Subtype", "Rect", "AP")
	if err != nil {
		return true, ignoreOdd(err)
	}
	if v[1].isNull() || !slices.Contains(marks, v[0].name()) {
		return false, nil
	}
	look, err := d.resolve(v[2])
	if err != nil || !look.isDict() {
		return true, ignoreOdd(err)
	}
	normal, err := d.key(look, "N")
	return err != nil || !normal.isDict(), ignoreOdd(err)
}
