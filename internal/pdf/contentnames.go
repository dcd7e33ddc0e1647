package pdf

import (
	"fmt"
	"strings"
)

// Names that the resources do not have (ISO 32000-2, 7.8.3): of a font Poppler draws nothing then, others draw one of their own; pdf.js
// and Poppler go on to the resources of what is around, and others do not (ADE-04).

// nameCheck holds contents against one dictionary of resources.
type nameCheck struct {
	d         *Document
	resources value
	parts     map[string]map[string]value // of the resources
	forms     map[int]bool                // without resources of their own, that were looked at
}

// oddNames says what of that which a content uses the resources do not have, or what readers draw in different ways of it
// (ADE-04).
func (d *Document) oddNames(u *contentUses, resources value) (string, error) {
	c := nameCheck{d: d, resources: resources, parts: map[string]map[string]value{}, forms: map[int]bool{}}
	return c.check(u, 0)
}

// nameCost is what looking for a name is charged, in bytes.
const nameCost = 64

func (c *nameCheck) check(u *contentUses, depth int) (string, error) {
	if err := c.d.spend(int64(nameCost * len(u.names))); err != nil {
		return "", err
	}
	for _, use := range u.order {
		part, err := c.part(use.part)
		if err != nil {
			return "", err
		}
		v, there := part[use.name]
		if !there {
			return fmt.Sprintf("a name that the resources do not have (%s /%s)", use.part, printable(use.name)), nil
		}
		if why, err := c.one(use, v, u, depth); err != nil || why != "" {
			return why, err
		}
	}
	return "", nil
}

// part is one dictionary of the resources by its names.
func (c *nameCheck) part(name string) (map[string]value, error) {
	if known, ok := c.parts[name]; ok {
		return known, nil
	}
	dict, err := c.d.key(c.resources, name)
	if err != nil {
		return nil, err
	}
	out := map[string]value{}
	if dict.isDict() {
		if err := c.d.spend(int64(len(dict.raw))); err != nil {
			return nil, err
		}
		if err := dict.eachPair(func(key []byte, v value) bool { out[string(key)] = v; return true }); err != nil {
			return nil, err
		}
	}
	c.parts[name] = out
	return out, nil
}

// one judges what a name stands for.
func (c *nameCheck) one(use resourceName, named value, u *contentUses, depth int) (string, error) {
	o, err := c.d.objectOf(named)
	if err != nil {
		return "", err
	}
	sound := o.val.isDict()
	switch use.part {
	case "Font":
		if sound {
			return c.d.oddFont(o, u.codes[use.name])
		}
	case "XObject":
		return c.drawn(o, depth)
	case "ExtGState":
		if sound {
			return c.state(o.val, depth)
		}
	case "ColorSpace":
		sound = o.val.isName() || o.val.isArray()
	}
	if !sound {
		return "a name of a resource that is none (" + use.part + " /" + printable(use.name) + ")", nil
	}
	return "", nil
}

// state judges what a state brings: a font, and a mask that is drawn as a form.
func (c *nameCheck) state(dict value, depth int) (string, error) {
	if why, err := c.d.oddStateFont(dict); err != nil || why != "" {
		return why, err
	}
	mask, err := c.d.key(dict, "SMask")
	if err != nil || !mask.isDict() {
		return "", err
	}
	group, err := mask.get("G")
	if err != nil {
		return "", err
	}
	o, err := c.d.objectOf(group)
	if err != nil {
		return "", err
	}
	return c.drawn(o, depth)
}

// drawn judges what Do draws. A form without resources takes those of what draws it.
func (c *nameCheck) drawn(o object, depth int) (string, error) {
	if o.stream < 0 {
		return "something to draw that is no stream", nil
	}
	v, err := o.val.values("Subtype", "Resources")
	if err != nil {
		return "", err
	}
	switch kind := v[0].name(); {
	case kind == "Image":
		return "", nil
	case kind != "Form":
		return "something to draw of no kind", nil
	}
	own, err := c.d.resolve(v[1])
	if err != nil || own.isDict() || c.forms[o.id.num] {
		return "", err
	}
	if c.forms[o.id.num] = true; depth > maxLoading {
		return "forms that are too deep", nil
	}
	u, odd, err := c.d.drawnStream(o)
	if err != nil || odd {
		return "", err // said of the form
	}
	return c.check(u, depth+1)
}

// oddOwn judges a content that is drawn by itself against its own resources. Without any, what it uses is judged where a form is
// drawn; a pattern, a glyph and a look have nothing to take it from.
func (d *Document) oddOwn(dict value, u *contentUses, needed bool) (string, error) {
	resources, err := d.key(dict, "Resources")
	if err != nil {
		return "", err
	}
	if resources.isDict() {
		return d.oddNames(u, resources)
	}
	if needed && len(u.names) > 0 || !resources.isNull() {
		return "something drawn without resources", nil
	}
	return "", nil
}

// oddStateFont judges the font that a state chooses, which any text may be in.
func (d *Document) oddStateFont(state value) (string, error) {
	pair, err := d.key(state, "Font")
	if err != nil || pair.isNull() {
		return "", err
	}
	if !pair.isArray() {
		return "a font of a state that is none", nil
	}
	var font value
	if err := pair.eachElem(func(e value) bool { font = e; return false }); err != nil {
		return "", err
	}
	o, err := d.objectOf(font)
	if err != nil {
		return "", err
	}
	if !o.val.isDict() {
		return "a font of a state that is none", nil
	}
	return d.oddFont(o, &codeSet{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)})
}

// objectOf is the object that a value is, or leads to.
func (d *Document) objectOf(v value) (object, error) {
	o := object{val: v, stream: -1, end: -1}
	for range maxLoading {
		id, ok := o.val.asRef()
		if !ok {
			return o, nil
		}
		var err error
		if o, err = d.load(id); err != nil {
			return o, err
		}
	}
	return o, malformed(v.off, "chain of references")
}

// printable is a name as it can be shown.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '?'
		}
		return r
	}, name[:min(len(name), 40)])
}
