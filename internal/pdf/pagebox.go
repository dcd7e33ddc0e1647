package pdf

import "strconv"

// pageBox is a rectangle of a page: left, bottom, right, top.
type pageBox [4]float64

// inherited is what a page has, or inherits.
type inherited struct {
	media, crop *pageBox
	resources   value
}

// sound tells whether something of the page is seen: some readers leave out a box beside the page, and others show what is in it.
func (b inherited) sound() bool {
	if b.media == nil {
		return false // each reader has its own size then
	}
	m, c := b.media, b.crop
	return c == nil || min(m[2], c[2]) > max(m[0], c[0]) && min(m[3], c[3]) > max(m[1], c[1])
}

// oddInherited tells whether readers differ about what a node of the page tree hands down: a value that is none counts as there to
// some, and others inherit another one. from becomes that of the node.
func (d *Document) oddInherited(node value, from *inherited) (bool, error) {
	for key, box := range map[string]**pageBox{"MediaBox": &from.media, "CropBox": &from.crop} {
		at, _, err := node.find(key)
		if err != nil {
			return true, err
		}
		if at == 0 {
			continue
		}
		if *box, err = d.box(node, key); err != nil || *box == nil {
			return true, err
		}
	}
	for key, form := range map[string]func(value) bool{"Resources": value.isDict, "Rotate": upright} {
		at, _, err := node.find(key)
		if err != nil {
			return true, err
		}
		if at == 0 {
			continue
		}
		v, err := d.key(node, key)
		if err != nil || !form(v) {
			return true, err
		}
		if key == "Resources" {
			from.resources = v
		}
	}
	return false, nil
}

func upright(v value) bool {
	n, ok := v.asInt()
	return ok && n%90 == 0
}

// box reads a rectangle, nil if it is none or empty.
func (d *Document) box(node value, key string) (*pageBox, error) {
	v, err := d.key(node, key)
	if err != nil || !v.isArray() {
		return nil, err
	}
	sides, err := d.elements(v)
	if err != nil || len(sides) != 4 {
		return nil, err
	}
	var n [4]float64
	for i, s := range sides {
		if !plainNumber(s.raw) {
			return nil, nil
		}
		n[i], _ = strconv.ParseFloat(string(s.raw), 64) // one that is too large is infinite
	}
	b := &pageBox{min(n[0], n[2]), min(n[1], n[3]), max(n[0], n[2]), max(n[1], n[3])}
	if b[0] == b[2] || b[1] == b[3] {
		return nil, nil
	}
	return b, nil
}
