package pdf

import "errors"

// otherAnnotation is the kind of an annotation that is no widget, "" of a widget or of what is none. Many kinds are
// drawn wherever they say, whatever their /Rect is (D16): a highlight over a whole page, ink, a line.
func otherAnnotation(v value) (string, error) {
	kind, err := v.getDict("Subtype")
	if err != nil || kind.isNull() || kind.nameIs("Widget") {
		return "", err
	}
	return brief(kind.raw), nil
}

// pictureRect returns the corners of a widget that can be seen, nil of any other
// value. Numbers are kept as they are written. One that is not for the screen is printed, and
// can be switched on; a number of flags that no reader writes is read in many ways.
func (d *Document) pictureRect(widget value) ([]string, error) {
	if !widget.isDict() {
		return nil, nil
	}
	flags, err := d.keyInt(widget, "F", 0)
	if err != nil && !errors.Is(err, ErrMalformed) {
		return nil, err
	}
	const highest = 1<<10 - 1 // ISO 32000-1, table 165
	rect, err := d.key(widget, "Rect")
	if err != nil || flags >= 0 && flags <= highest && flags&annotHidden != 0 || !rect.isArray() {
		return nil, err
	}
	var out []string
	var inner error
	err = rect.eachElem(func(e value) bool {
		var v value
		if v, inner = d.resolve(e); inner != nil {
			return false
		}
		out = append(out, string(v.raw[:min(len(v.raw), 24)]))
		return len(out) < 4
	})
	if err = firstError(inner, err); err != nil || len(out) < 4 {
		return nil, err
	}
	if out[0] == out[2] || out[1] == out[3] {
		if look, err := d.hasLook(widget); err != nil || !look {
			return nil, err // no area
		}
	}
	return out, nil
}

// hasLook tells whether a widget has a picture with an area: Ghostscript draws it in its own size
// where the widget has none.
func (d *Document) hasLook(widget value) (bool, error) {
	ap, err := d.key(widget, "AP")
	if err != nil || !ap.isDict() {
		return false, err
	}
	normal, err := ap.get("N")
	if err != nil || normal.isNull() {
		return false, err
	}
	id, ok := normal.asRef()
	if !ok {
		return true, nil // looks of several states
	}
	o, err := d.load(id)
	if err != nil || !o.val.isDict() {
		return false, err
	}
	if o.stream < 0 {
		return true, nil
	}
	box, err := d.key(o.val, "BBox")
	if err != nil || !box.isArray() {
		return false, err
	}
	var corners []string
	err = box.eachElem(func(e value) bool {
		corners = append(corners, string(e.raw[:min(len(e.raw), 24)]))
		return len(corners) < 4
	})
	n, err2 := d.streamLength(o)
	return n > 0 && (len(corners) < 4 || corners[0] != corners[2] && corners[1] != corners[3]), firstError(err, err2)
}
