package pdf

import (
	"errors"
	"strconv"
	"strings"
)

// oddContents tells whether readers draw the contents of a page in different ways: all its streams are one content.
func (d *Document) oddContents(list []value) (bool, error) {
	var key strings.Builder
	var ids []ref
	for _, v := range list {
		id, ok := v.asRef()
		if !ok {
			return true, nil
		}
		ids = append(ids, id)
		key.WriteString(strconv.Itoa(id.num) + " ")
	}
	if err := d.spend(int64(8 * len(list))); err != nil || d.looked[key.String()] {
		return err != nil, err
	}
	var all []byte
	var joints []int
	for i, id := range ids {
		o, err := d.load(id)
		if err != nil {
			return true, ignoreOdd(err)
		}
		b, err := d.content(o)
		if err != nil {
			return d.undecoded(err)
		}
		if len(ids) == 1 {
			all = b
			break
		}
		if i > 0 {
			joints = append(joints, len(all))
			all = append(all, '\n')
		}
		all = append(all, b...)
	}
	return d.oddLook(key.String(), all, joints), nil
}

// oddLook judges a content once.
func (d *Document) oddLook(key string, content []byte, joints []int) bool {
	if oddDrawn(content, joints) != "" {
		return true
	}
	if d.looked == nil {
		d.looked = map[string]bool{}
	}
	d.looked[key] = true
	return false
}

// undecoded tells what a content that was not decoded means.
func (d *Document) undecoded(err error) (bool, error) {
	if errors.Is(err, errUndecoded) {
		return true, nil
	}
	return true, ignoreOdd(err)
}

// oddDrawnStream is oddContents for a stream that is drawn by itself: a form, which what an annotation looks like is, too, a pattern, or a glyph.
func (d *Document) oddDrawnStream(o object) (bool, error) {
	key := strconv.Itoa(o.id.num) + " "
	if d.looked[key] {
		return false, nil
	}
	b, err := d.content(o)
	if err != nil {
		return d.undecoded(err)
	}
	return d.oddLook(key, b, nil), nil
}

// oddGlyphs judges the glyphs of a Type 3 font.
func (d *Document) oddGlyphs(font value) (bool, error) {
	if !font.isDict() {
		return false, nil
	}
	procs, err := d.key(font, "CharProcs")
	if err != nil || !procs.isDict() {
		return false, ignoreOdd(err)
	}
	odd := false
	var inner error
	err = procs.eachPair(func(_ []byte, v value) bool {
		id, ok := v.asRef()
		if !ok {
			return true
		}
		var o object
		if o, inner = d.load(id); inner == nil && o.stream >= 0 {
			odd, inner = d.oddDrawnStream(o)
		}
		return !odd && inner == nil
	})
	return odd, ignoreOdd(firstError(inner, err))
}
