package pdf

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/assent-sign/assent/internal/glyphs"
)

// FieldOptions describes a visible field that waits for a signature.
type FieldOptions struct {
	// Name is the field's name; empty: the next free "SignatureN".
	Name string
	// Page counts from 1, and from the last page with -1.
	Page int
	// Rect is left, bottom, right, top in points, in the page's own coordinates;
	// it must lie within the page.
	Rect [4]float64
	// Lines are shown as text, in an embedded font; too long ones are wrapped.
	Lines []string
	// Image is a PNG or JPEG file, shown left of the text, or alone.
	Image []byte
}

// Bounds on an appearance.
const (
	minSide      = 10.0 // points; smaller ones hide a signature that claims to be seen
	maxLines     = 40
	maxLineBytes = 1000
	maxFontSize  = 12.0
	minFontSize  = 4.0
	leading      = 1.25 // of the font size
	margin       = 2.0  // points
)

// PlanField returns the update that adds an empty signature field with an
// appearance, to be written behind the file's last byte, and the field's name.
// The signature comes as an update of its own, so the appearance is part of what
// the signer sees and signs.
//
// Errors: ErrOptions, ErrField, ErrForbidden, ErrPermission, ErrUnsupported (a page
// that is a direct object), those of Open.
func (d *Document) PlanField(opt FieldOptions) (tail []byte, name string, err error) {
	if err := opt.check(); err != nil {
		return nil, "", err
	}
	if d.repaired {
		return nil, "", malformed(-1, "damaged cross-reference; a visible field is added to sound files only")
	}
	form, err := d.form()
	if err != nil {
		return nil, "", err
	}
	t, err := d.findTarget(form, opt.Name, false)
	if err != nil {
		return nil, "", err
	}
	if t.id.num != 0 {
		return nil, "", fmt.Errorf("%w: %q exists already, with a place of its own", ErrField, t.name)
	}
	p, err := d.pageNumber(opt.Page)
	if err != nil {
		return nil, "", err
	}
	turn, err := d.placeOn(p, opt.Rect)
	if err != nil {
		return nil, "", err
	}
	u, err := d.newUpdate()
	if err != nil {
		return nil, "", err
	}
	look, err := u.addAppearance(opt, turn)
	if err != nil {
		return nil, "", err
	}
	id := u.alloc()
	u.put(id, slices.Concat([]byte("<< /Type /Annot /Subtype /Widget /FT /Sig /T "), u.text(id, t.name), []byte(" /P "), p.id.raw(),
		fmt.Appendf(nil, " /Rect [%s %s %s %s] /F 132 /AP << /N %s >> >>", num(opt.Rect[0]), num(opt.Rect[1]), num(opt.Rect[2]), num(opt.Rect[3]), look.raw())))
	if err := u.appendTo(p.id, "Annots", id.raw()); err != nil {
		return nil, "", err
	}
	if err := u.updateForm(id.raw()); err != nil {
		return nil, "", err
	}
	tail, err = u.bytes(d.size)
	return tail, t.name, err
}

func (o *FieldOptions) check() error {
	for _, v := range o.Rect {
		if math.IsNaN(v) || math.Abs(v) > 1e6 {
			return fmt.Errorf("%w: rectangle %v", ErrOptions, o.Rect)
		}
	}
	if o.Rect[2]-o.Rect[0] < minSide || o.Rect[3]-o.Rect[1] < minSide {
		return fmt.Errorf("%w: rectangle %v is not left, bottom, right, top of at least %v points each way", ErrOptions, o.Rect, minSide)
	}
	if len(o.Lines) == 0 && len(o.Image) == 0 {
		return fmt.Errorf("%w: a visible field without text and image", ErrOptions)
	}
	if len(o.Lines) > maxLines || slices.ContainsFunc(o.Lines, func(s string) bool { return len(s) > maxLineBytes }) {
		return fmt.Errorf("%w: more than %d lines or %d bytes in one", ErrOptions, maxLines, maxLineBytes)
	}
	return nil
}

// pageNumber finds a page that is an object of its own.
func (d *Document) pageNumber(n int) (page, error) {
	var found page
	total := 0
	err := d.eachPage(func(p page) (bool, error) {
		total++
		if n == -1 || total == n {
			found = p
		}
		return total != n, nil
	})
	switch {
	case err != nil:
		return page{}, err
	case found.val.isNull():
		return page{}, fmt.Errorf("%w: page %d of %d", ErrOptions, n, total)
	case found.id.num == 0:
		return page{}, located(ErrUnsupported, found.val.off, "page %d is a direct object", found.index+1)
	}
	return found, nil
}

// inherited looks a page attribute up, at the page or above it.
func (d *Document) inherited(p value, key string) (value, error) {
	for range d.lim.MaxDepth {
		v, err := d.key(p, key)
		if err != nil || !v.isNull() {
			return v, err
		}
		if p, err = d.key(p, "Parent"); err != nil || !p.isDict() {
			return nullValue(), err
		}
	}
	return nullValue(), overLimit("page tree deeper than %d", d.lim.MaxDepth)
}

// placeOn makes sure that the rectangle is on the visible part of the page, and
// returns by how many quarters the page is turned for its reader.
func (d *Document) placeOn(p page, rect [4]float64) (turn int, err error) {
	box, err := d.inherited(p.val, "CropBox")
	if err == nil && !box.isArray() {
		box, err = d.inherited(p.val, "MediaBox")
	}
	if err != nil {
		return 0, err
	}
	have, err := d.rectangle(box)
	if err != nil {
		return 0, err
	}
	if rect[0] < have[0] || rect[1] < have[1] || rect[2] > have[2] || rect[3] > have[3] {
		return 0, fmt.Errorf("%w: rectangle %v is not within page %d, %v", ErrOptions, rect, p.index+1, have)
	}
	rotate, err := d.inherited(p.val, "Rotate")
	if err != nil {
		return 0, err
	}
	degrees, _ := rotate.asInt()
	return int((degrees/90%4 + 4) % 4), nil
}

// rectangle reads [x y x y] with its corners in order.
func (d *Document) rectangle(v value) (out [4]float64, err error) {
	n := 0
	bad := malformed(v.off, "a page without a usable MediaBox: %s", brief(v.raw))
	if !v.isArray() {
		return out, bad
	}
	var inner error
	err = v.eachElem(func(e value) bool {
		if e, inner = d.resolve(e); inner == nil && n < 4 {
			out[n], inner = parseReal(e)
		}
		n++
		return inner == nil && n <= 4
	})
	if inner != nil || err != nil || n != 4 {
		return out, firstError(err, bad)
	}
	out[0], out[2] = min(out[0], out[2]), max(out[0], out[2])
	out[1], out[3] = min(out[1], out[3]), max(out[1], out[3])
	return out, nil
}

// num writes a number as PDF wants it: no exponent.
func num(v float64) string {
	s := strings.TrimRight(fmt.Sprintf("%.3f", v), "0")
	return strings.TrimSuffix(s, ".")
}

// Colours that mean the same on every device, so that a PDF/A file stays one even
// without an output intent (ISO 32000-1, 8.6.5; the white point is D65, calRGB is
// sRGB but for its exact curve).
const (
	calGray = "[/CalGray << /WhitePoint [0.9505 1 1.089] /Gamma 2.2 >>]"
	calRGB  = "[/CalRGB << /WhitePoint [0.9505 1 1.089] /Gamma [2.2 2.2 2.2] /Matrix [0.4124 0.2126 0.0193 0.3576 0.7152 0.1192 0.1805 0.0722 0.9505] >>]"
)

// turns are the matrices that set an appearance upright on a page that is shown
// turned clockwise by so many quarters.
var turns = [4]string{"[1 0 0 1 0 0]", "[0 1 -1 0 0 0]", "[-1 0 0 -1 0 0]", "[0 -1 1 0 0 0]"}

// addAppearance adds the form XObject and what it uses.
func (u *update) addAppearance(opt FieldOptions, turn int) (ref, error) {
	w, h := opt.Rect[2]-opt.Rect[0], opt.Rect[3]-opt.Rect[1]
	if turn%2 == 1 {
		w, h = h, w
	}
	var content bytes.Buffer
	var resources []byte
	left := margin
	if len(opt.Image) > 0 {
		img, err := readPicture(opt.Image)
		if err != nil {
			return ref{}, err
		}
		room := w - 2*margin
		if len(opt.Lines) > 0 {
			room = w / 3
		}
		scale := min(room/float64(img.width), (h-2*margin)/float64(img.height))
		iw, ih := scale*float64(img.width), scale*float64(img.height)
		x := margin
		if len(opt.Lines) == 0 {
			x = (w - iw) / 2
		}
		fmt.Fprintf(&content, "q %s 0 0 %s %s %s cm /Im Do Q\n", num(iw), num(ih), num(x), num((h-ih)/2))
		id, err := img.add(u)
		if err != nil {
			return ref{}, err
		}
		resources = slices.Concat(resources, []byte(" /XObject << /Im "), id.raw(), []byte(" >>"))
		left = x + iw + 2*margin
	}
	if len(opt.Lines) > 0 {
		lines, size, err := layOut(opt.Lines, w-left-margin, h-2*margin)
		if err != nil {
			return ref{}, err
		}
		font, err := u.addFont(lines)
		if err != nil {
			return ref{}, err
		}
		writeText(&content, lines, size, left, h)
		resources = slices.Concat(resources, []byte(" /Font << /F "), font.raw(), []byte(" >> /ColorSpace << /G "+calGray+" >>"))
	}
	head := fmt.Sprintf("/Type /XObject /Subtype /Form /BBox [0 0 %s %s] /Matrix %s /Resources <<%s >>", num(w), num(h), turns[turn], resources)
	return u.addStream(head, content.Bytes(), false)
}

// addStream adds a stream object with the given keys.
func (u *update) addStream(keys string, data []byte, compress bool) (ref, error) {
	if compress {
		var z bytes.Buffer
		w := zlib.NewWriter(&z)
		if _, err := w.Write(data); err != nil {
			return ref{}, err
		}
		if err := w.Close(); err != nil {
			return ref{}, err
		}
		keys, data = keys+" /Filter /FlateDecode", z.Bytes()
	}
	id := u.alloc()
	u.putStream(id, strings.TrimSpace(keys), data)
	return id, nil
}

// layOut breaks the lines so that they fit, in the largest size that does.
func layOut(texts []string, w, h float64) ([][]glyphs.Glyph, float64, error) {
	var shaped [][]glyphs.Glyph
	for _, s := range texts {
		line, err := glyphs.Shape(s)
		if err != nil {
			return nil, 0, fmt.Errorf("%w: %w", ErrOptions, err)
		}
		shaped = append(shaped, line)
	}
	for size := maxFontSize; size >= minFontSize; size -= 0.25 {
		var lines [][]glyphs.Glyph
		fits := true
		for _, line := range shaped {
			broken, ok := wrap(line, int(w/size*glyphs.UnitsPerEm))
			lines, fits = append(lines, broken...), fits && ok
		}
		if fits && float64(len(lines))*size*leading <= h {
			return lines, size, nil
		}
	}
	return nil, 0, fmt.Errorf("%w: the text does not fit into %.0f by %.0f points at a readable size", ErrOptions, w, h)
}

// wrap breaks a line at blanks; false if a word is too long.
func wrap(line []glyphs.Glyph, width int) (out [][]glyphs.Glyph, ok bool) {
	for glyphs.Width(line) > width {
		at, w := -1, 0
		for i, g := range line {
			if g.Rune == ' ' && w <= width {
				at = i
			}
			w += g.Advance
		}
		if at <= 0 {
			return nil, false
		}
		out, line = append(out, line[:at]), line[at+1:]
	}
	return append(out, line), true
}

func writeText(b *bytes.Buffer, lines [][]glyphs.Glyph, size, left, h float64) {
	step := size * leading
	top := (h+float64(len(lines))*step)/2 - size*glyphs.Ascent/glyphs.UnitsPerEm
	fmt.Fprintf(b, "q /G cs 0 sc BT /F %s Tf\n", num(size))
	for i, line := range lines {
		fmt.Fprintf(b, "1 0 0 1 %s %s Tm <", num(left), num(top-float64(i)*step))
		for _, g := range line {
			fmt.Fprintf(b, "%04X", g.ID)
		}
		b.WriteString("> Tj\n")
	}
	b.WriteString("ET Q\n")
}

// addFont embeds the glyphs of the lines as a composite font (ISO 32000-1, 9.7).
func (u *update) addFont(lines [][]glyphs.Glyph) (ref, error) {
	var all []glyphs.Glyph
	for _, l := range lines {
		all = append(all, l...)
	}
	slices.SortFunc(all, func(a, b glyphs.Glyph) int { return cmp.Compare(a.ID, b.ID) })
	all = slices.CompactFunc(all, func(a, b glyphs.Glyph) bool { return a.ID == b.ID })
	ids := make([]uint16, len(all))
	var widths, unicode bytes.Buffer
	for i, g := range all {
		ids[i] = g.ID
		fmt.Fprintf(&widths, " %d [%s]", g.ID, num(float64(g.Advance)*1000/glyphs.UnitsPerEm))
		fmt.Fprintf(&unicode, "1 beginbfchar\n<%04X> <%04X>\nendbfchar\n", g.ID, g.Rune)
	}
	file, err := glyphs.Subset(ids)
	if err != nil {
		return ref{}, err
	}
	sum := sha256.Sum256(file)
	tag := make([]byte, 6)
	for i := range tag {
		tag[i] = 'A' + sum[i]%26
	}
	name := string(tag) + "+" + glyphs.Name
	stream, err := u.addStream(fmt.Sprintf("/Length1 %d", len(file)), file, true)
	if err != nil {
		return ref{}, err
	}
	mil := func(v int) int { return v * 1000 / glyphs.UnitsPerEm }
	box := glyphs.Box()
	descriptor := u.alloc()
	u.put(descriptor, fmt.Appendf(nil, "<< /Type /FontDescriptor /FontName /%s /Flags 32 /FontBBox [%d %d %d %d] /ItalicAngle 0 /Ascent %d /Descent %d /CapHeight %d /StemV 90 /FontFile2 %s >>",
		name, mil(box[0]), mil(box[1]), mil(box[2]), mil(box[3]), mil(glyphs.Ascent), mil(glyphs.Descent), mil(glyphs.CapHeight), stream.raw()))
	cid := u.alloc()
	u.put(cid, fmt.Appendf(nil, "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /%s /CIDSystemInfo << /Registry %s /Ordering %s /Supplement 0 >> /FontDescriptor %s /CIDToGIDMap /Identity /W [%s ] >>",
		name, u.text(cid, "Adobe"), u.text(cid, "Identity"), descriptor.raw(), widths.Bytes()))
	cmap, err := u.addStream("", []byte("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"+
		"/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"+unicode.String()+
		"endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"), true)
	if err != nil {
		return ref{}, err
	}
	id := u.alloc()
	u.put(id, fmt.Appendf(nil, "<< /Type /Font /Subtype /Type0 /BaseFont /%s /Encoding /Identity-H /DescendantFonts [%s] /ToUnicode %s >>", name, cid.raw(), cmap.raw()))
	return id, nil
}

// parseReal reads a number, whole or with a point.
func parseReal(v value) (float64, error) {
	if n, ok := v.asInt(); ok {
		return float64(n), nil
	}
	f, err := strconv.ParseFloat(string(v.raw), 64)
	if err != nil || strings.ContainsAny(string(v.raw), "eExXnNiIpP_") {
		return 0, malformed(v.off, "%s is no number", brief(v.raw))
	}
	return f, nil
}
