package pdf

import (
	"bytes"
	"errors"
	"strings"
)

// pages compares the two page trees leaf by leaf. Pages whose object did not
// change are still followed, because their content streams may have.
func (c *comparison) pages() error {
	var old []page
	err := c.old.eachPage(func(p page) (bool, error) {
		old = append(old, page{index: p.index, id: p.id}) // the value is loaded again when needed
		return true, nil
	})
	if err != nil {
		return err
	}
	n := 0
	err = c.cur.eachPage(func(p page) (bool, error) {
		n++
		if p.index >= len(old) {
			return true, nil
		}
		return true, c.page(old[p.index], p)
	})
	if err != nil {
		return err
	}
	if n != len(old) {
		return c.add(ChangePageTree, 0, 0, "the document had %d pages when signed and has %d now", len(old), n)
	}
	return nil
}

// page compares what a page shows with the page at the same place when signed.
func (c *comparison) page(was, p page) error {
	n := p.index + 1
	var keys []string
	if was.id != p.id {
		keys = append(keys, "the page object itself")
	}
	if p.id.num != 0 && c.changed.has(p.id.num) {
		c.claimed.add(p.id.num)
		before, err := c.old.load(was.id)
		if err != nil {
			return err
		}
		diff, err := diffKeys(before.val, p.val, "Annots")
		if err != nil {
			return err
		}
		if diff, err = c.withoutCopied(before.val, p.val, diff); err != nil {
			return err
		}
		keys = append(keys, diff...)
	}
	touched, err := c.pageContent(p.val)
	switch {
	case err != nil:
		return err
	case len(keys) > 0:
		return c.add(ChangePageContent, n, p.id.num, "page %d replaced: %s", n, strings.Join(keys, " "))
	case touched:
		return c.add(ChangePageContent, n, p.id.num, "page %d shows other content: objects it is drawn from changed", n)
	}
	return nil
}

// pageContent follows what a page is drawn from, inherited resources included.
func (c *comparison) pageContent(v value) (bool, error) {
	touched, err := c.reachDrawn(v, "Parent", "Annots", "B", "StructParents")
	if err != nil {
		return false, err
	}
	for depth := 0; depth < c.cur.lim.MaxDepth; depth++ {
		parent, err := v.getDict("Parent")
		if err != nil {
			return false, err
		}
		id, ok := parent.asRef()
		if !ok || c.seen[id.num] {
			return touched, nil
		}
		c.seen[id.num] = true
		o, err := c.cur.load(id)
		if err != nil {
			return false, err
		}
		if c.changed.has(id.num) {
			c.claimed.add(id.num)
			before, err := c.old.load(id)
			if err != nil {
				return false, err
			}
			keys, err := diffKeys(before.val, o.val)
			if err != nil {
				return false, err
			}
			if len(keys) > 0 {
				err := c.add(ChangePageTree, 0, id.num, "page tree changed: %s", strings.Join(keys, " "))
				if err != nil {
					return false, err
				}
			}
		}
		inherited, err := c.reachDrawn(o.val, "Parent", "Kids")
		if err != nil {
			return false, err
		}
		touched = touched || inherited
		v = o.val
	}
	return touched, nil
}

// annotations compares the annotations of all pages.
func (c *comparison) annotations() error {
	return c.cur.eachPage(func(p page) (bool, error) {
		return true, c.pageAnnotations(p)
	})
}

// pageAnnotations compares /Annots of a page with that of the same object when
// signed. A widget of a signature field is expected there; everything else that is
// new, gone or changed is not.
func (c *comparison) pageAnnotations(p page) error {
	n := p.index + 1
	before, err := c.old.load(p.id)
	if err != nil {
		return err
	}
	var was []value
	if _, err := c.eachAnnot(c.old, before.val, func(e value) { was = append(was, e) }); err != nil {
		return err
	}
	var cur []value
	holder, err := c.eachAnnot(c.cur, p.val, func(e value) { cur = append(cur, e) })
	if err != nil {
		return err
	}
	c.claimed.add(holder)
	for _, e := range cur {
		id, isRef := e.asRef()
		expected := isRef && c.widgets.has(id.num)
		if len(was) > 0 && bytes.Equal(was[0].raw, e.raw) {
			was = was[1:]
		} else if !expected {
			return c.add(ChangeAnnotation, n, id.num, "annotations of page %d added, removed or reordered", n)
		}
		if err := c.annotation(n, id, e); err != nil {
			return err
		}
	}
	if len(was) > 0 {
		return c.add(ChangeAnnotation, n, 0, "annotations of page %d removed", n)
	}
	return nil
}

// annotation reports an annotation that changed, unless it did as a form field.
func (c *comparison) annotation(n int, id ref, e value) error {
	touched := c.changed.has(id.num) && !c.claimed.has(id.num)
	c.claimed.add(id.num)
	v, err := c.cur.resolve(e)
	if err != nil {
		return err
	}
	drawn, err1 := c.reachLook(v)
	above, err2 := c.inheritsChanged(id, v)
	if err := firstError(err1, err2); err != nil {
		return err
	}
	t, err := c.reach(v, "P", "Parent", "Kids", "V")
	if err != nil || !touched && !t && !drawn && !above {
		return err
	}
	return c.add(ChangeAnnotation, n, id.num, "an annotation of page %d changed", n)
}

// eachAnnot calls fn for the elements of /Annots and returns the number of the
// object that holds the array, 0 if it is none of its own.
func (c *comparison) eachAnnot(d *Document, pg value, fn func(e value)) (holder int, err error) {
	v, err := pg.getDict("Annots")
	if err != nil {
		return 0, err
	}
	if id, ok := v.asRef(); ok {
		holder = id.num
	}
	arr, err := d.resolve(v)
	if err != nil || !arr.isArray() {
		return holder, err
	}
	return holder, arr.eachElem(func(e value) bool {
		fn(e)
		return true
	})
}

// rest names changed objects that nothing above accounts for. Cross-reference and
// object streams are the file's own plumbing.
func (c *comparison) rest() error {
	var used numSet
	walked := false
	var unused, unknown []int
	err := c.changed.each(func(num int) error {
		if c.claimed.has(num) {
			return nil
		}
		plumbing, err := c.cur.isPlumbing(num)
		if plumbing || err != nil {
			return err
		}
		if !walked {
			if used, err = c.inUse(); err != nil {
				return err
			}
			walked = true
		}
		if c.old.xref.get(num).kind <= entryFree && !used.has(num) {
			unused = append(unused, num)
		} else {
			unknown = append(unknown, num)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(unused) > 0 {
		err = c.add(ChangeUnused, 0, unused[0], "%d objects added that nothing refers to, the first is object %d", len(unused), unused[0])
	}
	if err == nil && len(unknown) > 0 {
		err = c.add(ChangeUnknown, 0, unknown[0], "%d objects added, changed or removed whose use is unknown, the first is object %d",
			len(unknown), unknown[0])
	}
	return err
}

// inUse returns every object that the trailer leads to.
func (c *comparison) inUse() (numSet, error) {
	all := &comparison{old: c.old, cur: c.cur}
	_, err := all.reach(c.cur.trailer)
	return all.visited, err
}

// isPlumbing reports whether an object is a cross-reference or object stream.
func (d *Document) isPlumbing(num int) (bool, error) {
	e := d.xref.get(num)
	if e.kind != entryOffset {
		return false, nil
	}
	o, err := d.objectAt(e.off)
	if errors.Is(err, ErrMalformed) || err == nil && o.stream < 0 {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	typ, err := o.val.getDict("Type")
	return err == nil && (typ.nameIs("XRef") || typ.nameIs("ObjStm")), nil
}
