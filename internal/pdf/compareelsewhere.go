package pdf

// elsewhere names the changed objects that only a walk met whose finding leaves the verdict (metadata, defaults of fields,
// validation data, what a new signature brings), though the signed revision leads to them from another place too, be it that
// they were not there yet: what is shown there is not what was signed. The walks over pages, fields and comments do not go
// everywhere (not to what stands above, nor into values), so an attacker could name such an object in /Info before the
// signature and replace it behind a time-stamp.
func (c *comparison) elsewhere() error {
	if c.quiet.empty() {
		return nil
	}
	used, err := c.usedWhenSigned()
	if err != nil {
		return err
	}
	return c.quiet.each(func(num int) error {
		if !used.has(num) {
			return nil
		}
		return c.add(ChangeUnknown, 0, num, "object %d changed, which was in use when the document was signed not only for what may change", num)
	})
}

// loadNumber reads an object for a walk.
func (c *comparison) loadNumber(num int) (object, error) {
	if c.former.has(num) {
		return c.old.loadNumber(num)
	}
	return c.cur.loadNumber(num)
}

// usedWhenSigned are the objects to which the signed revision leads, other than through what may change.
func (c *comparison) usedWhenSigned() (numSet, error) {
	then := &comparison{old: c.old, cur: c.cur, former: c.changed} // what did not change has been read
	cat, err := c.old.catalog()
	if err != nil {
		return then.visited, err
	}
	form, err := c.old.form()
	if err != nil {
		return then.visited, err
	}
	holder, err := cat.val.getDict("AcroForm")
	if err != nil {
		return then.visited, err
	}
	then.visited.add(cat.id.num) // and not through what refers back to it
	if id, ok := holder.asRef(); ok {
		then.visited.add(id.num)
	}
	for _, from := range []struct {
		v      value
		except []string
	}{
		{cat.val, []string{"AcroForm", "DSS", "Metadata", "Extensions"}},
		{form, []string{"DA", "DR"}},
	} {
		if _, err := then.reach(from.v, from.except...); err != nil {
			return then.visited, err
		}
	}
	return then.visited, c.fromTrailer(&then.visited)
}

// trailer names what the trailer leads to now besides catalog and /Info, if it changed or was not there: LibreOffice shows the document
// of /AdditionalStreams in place of the pages. It comes before validation data is walked over, which could have it, too.
func (c *comparison) trailer() error {
	touched, err := c.reach(c.cur.trailer, "Info", "Root")
	if err != nil || !touched {
		return err
	}
	return c.add(ChangeUnknown, 0, 0, "the trailer leads to objects that changed")
}

// fromTrailer adds what the signed revision's trailer leads to besides. A reference to what was not there is no use of it: some programs
// write the number of their next object into /AdditionalStreams (PDFBox, which copies it from LibreOffice's). What the newest
// trailer leads to is looked at by itself, see trailer.
func (c *comparison) fromTrailer(to *numSet) error {
	then := &comparison{old: c.old, cur: c.cur, former: c.changed}
	if _, err := then.reach(c.old.trailer, "Info", "Root"); err != nil {
		return err
	}
	return then.visited.each(func(num int) error {
		if c.old.xref.get(num).kind > entryFree {
			to.add(num)
		}
		return nil
	})
}

// reachDrawn is reach over what is shown. An attacker can make what a page or a picture is drawn with a part of a signature's
// field too: then it is there that it counts.
func (c *comparison) reachDrawn(v value, except ...string) (bool, error) {
	c.drawn = true
	defer func() { c.drawn = false }()
	return c.reach(v, except...)
}

// reachLook walks over the pictures of an annotation.
func (c *comparison) reachLook(annot value) (bool, error) {
	touched := false
	for _, key := range []string{"AP", "MK"} {
		look, err := annot.getDict(key)
		if err != nil {
			return false, err
		}
		t, err := c.reachDrawn(look)
		if touched = touched || t; err != nil {
			return false, err
		}
	}
	return touched, nil
}

// inheritsChanged tells whether an annotation that is no part of a signature's field has one above it that changed: readers take
// from there what the annotation does not say, a value or the text of a comment.
func (c *comparison) inheritsChanged(id ref, annot value) (bool, error) {
	if c.widgets.empty() || c.widgets.has(id.num) {
		return false, nil
	}
	for range c.cur.lim.MaxDepth {
		parent, err := annot.getDict("Parent")
		above, ok := parent.asRef()
		if err != nil || !ok {
			return false, err
		}
		if c.widgets.has(above.num) && c.changed.has(above.num) {
			return true, nil
		}
		if annot, err = c.cur.resolve(parent); err != nil {
			return false, err
		}
	}
	return true, nil // too high to be looked through
}
