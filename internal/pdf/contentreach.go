package pdf

import (
	"errors"
	"strconv"
	"strings"
)

// oddContents tells whether readers draw the contents of a page in different ways: all its streams are one content.
func (d *Document) oddContents(list []value, resources value) (bool, error) {
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
	if err := d.spend(int64(8 * len(list))); err != nil {
		return true, err
	}
	uses := d.looked[key.String()]
	if uses == nil {
		all, joints, err := d.joined(ids)
		if err != nil {
			return d.undecoded(err)
		}
		var odd bool
		if uses, odd = d.oddLook(key.String(), all, joints); odd {
			return true, nil
		}
	}
	why, err := d.oddNames(uses, resources)
	return d.because(why), err
}

// joined are the contents of a page as one, and where the line ends between them stand.
// Errors: errUndecoded; those of content.
func (d *Document) joined(ids []ref) (all []byte, joints []int, err error) {
	for i, id := range ids {
		o, err := d.load(id)
		if err != nil {
			return nil, nil, err
		}
		b, err := d.content(o)
		if err != nil || len(ids) == 1 {
			return b, nil, err
		}
		if i > 0 {
			joints = append(joints, len(all))
			all = append(all, '\n')
		}
		all = append(all, b...)
	}
	return all, joints, nil
}

// because notes why readers take something for different things, and tells whether there is a reason.
func (d *Document) because(why string) bool {
	if d.reason == "" {
		d.reason = why
	}
	return why != ""
}

// oddLook judges a content once, and gives what it uses.
func (d *Document) oddLook(key string, content []byte, joints []int) (*contentUses, bool) {
	uses, why := walkContent(content, joints)
	if d.named += len(uses.names); d.named > allNames {
		why = "too many names of resources"
	}
	if d.because(why) {
		return nil, true
	}
	if d.looked == nil {
		d.looked = map[string]*contentUses{}
	}
	d.looked[key] = uses
	return uses, false
}

// undecoded tells what a content that was not decoded means.
func (d *Document) undecoded(err error) (bool, error) {
	if errors.Is(err, errUndecoded) {
		return true, nil
	}
	return true, ignoreOdd(err)
}

// drawnStream is oddContents for a stream that is drawn by itself: a form, which what an annotation looks like is, too, a pattern, or
// a glyph. It gives what that uses.
func (d *Document) drawnStream(o object) (*contentUses, bool, error) {
	key := strconv.Itoa(o.id.num) + " "
	if uses := d.looked[key]; uses != nil {
		return uses, false, nil
	}
	b, err := d.content(o)
	if err != nil {
		odd, err := d.undecoded(err)
		return nil, odd, err
	}
	uses, odd := d.oddLook(key, b, nil)
	return uses, odd, nil
}

// oddDrawnStream judges what is drawn by itself, with its resources.
func (d *Document) oddDrawnStream(o object) (bool, error) {
	uses, odd, err := d.drawnStream(o)
	if err != nil || odd {
		return odd, err
	}
	pattern, err := o.val.get("PatternType")
	if err != nil {
		return true, ignoreOdd(err)
	}
	why, err := d.oddOwn(o.val, uses, !pattern.isNull())
	return d.because(why), err
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
			odd, inner = d.oddGlyph(font, o)
		}
		return !odd && inner == nil
	})
	return odd, ignoreOdd(firstError(inner, err))
}

// oddGlyph judges a glyph, which is drawn with the resources of its font.
func (d *Document) oddGlyph(font value, o object) (bool, error) {
	uses, odd, err := d.drawnStream(o)
	if err != nil || odd || len(uses.names) == 0 {
		return odd, err
	}
	why, err := d.oddOwn(font, uses, true)
	return d.because(why), err
}
