package pdf

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
)

// wasField is what a comparison keeps of a field of the signed revision.
type wasField struct {
	id ref
	v  value
}

// nameKey stands for a field's name: names may be long and many.
func nameKey(name string) [32]byte { return sha256.Sum256([]byte(name)) }

// compact is a copy of a value, or of its hash if it is large: good enough to
// follow a reference and to compare.
func compact(v value) value {
	if len(v.raw) > 256 {
		sum := sha256.Sum256(v.raw)
		return value{raw: sum[:], off: -1}
	}
	return value{raw: bytes.Clone(v.raw), off: -1}
}

// survey walks over pages and fields of both readings once and notes their
// objects: walks through other parts of the document must stop there, or a
// changed page could pass as part of, say, a form field that links to it.
func (c *comparison) survey() error {
	err := c.cur.eachPage(func(p page) (bool, error) {
		c.barrier.add(p.id.num)
		_, err := c.eachAnnot(c.cur, p.val, func(e value) {
			if id, ok := e.asRef(); ok {
				c.barrier.add(id.num)
			}
		})
		return true, err
	})
	if err != nil {
		return err
	}
	// The catalog is compared on its own; a page that refers to it is not drawn from it.
	cat, err := c.cur.catalog()
	if err != nil {
		return err
	}
	c.barrier.add(cat.id.num)
	// What a page inherits from stands above it.
	if err := c.cur.eachPageNode(func(id ref) { c.barrier.add(id.num) }); err != nil {
		return err
	}
	form, err := c.cur.form()
	if err != nil {
		return err
	}
	_, err = c.cur.eachField(form, func(f field) error {
		return c.eachPart(f, func(id ref, _ value) error {
			c.barrier.add(id.num)
			if f.ft == "Sig" {
				c.widgets.add(id.num)
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	if form, err = c.old.form(); err != nil {
		return err
	}
	c.was = map[[32]byte]wasField{}
	_, err = c.old.eachField(form, func(f field) error {
		c.was[nameKey(f.name)] = wasField{id: f.id, v: compact(f.v)}
		return c.old.spend(int64(len(f.v.raw)))
	})
	return err
}

// eachPart calls fn for a terminal field, for the widgets below it and for the
// object that lists them, if it is one of its own.
func (c *comparison) eachPart(f field, fn func(id ref, val value) error) error {
	if err := fn(f.id, f.val); err != nil {
		return err
	}
	list, err := f.val.get("Kids")
	if err != nil {
		return err
	}
	kids, err := c.cur.resolve(list)
	if err != nil || !kids.isArray() {
		return err
	}
	if id, ok := list.asRef(); ok {
		if err := fn(id, nullValue()); err != nil {
			return err
		}
	}
	var inner error
	err = kids.eachElem(func(e value) bool {
		id, _ := e.asRef()
		var kid value
		if kid, inner = c.cur.resolve(e); inner == nil && kid.isDict() {
			inner = fn(id, kid)
		}
		return inner == nil
	})
	return firstError(inner, err)
}

// fields compares the form fields: new signatures, filled and changed fields.
func (c *comparison) fields() error {
	form, err := c.cur.form()
	if err != nil {
		return err
	}
	_, err = c.cur.eachField(form, func(f field) error {
		key := nameKey(f.name)
		was, existed := c.was[key]
		delete(c.was, key)
		return c.field(was, existed, f)
	})
	if err != nil || len(c.was) == 0 {
		return err
	}
	return c.add(ChangeForm, 0, 0, "%d form fields removed", len(c.was))
}

// untouched tells that a field's value is the object that it was, and that this is as it was: then no signature came with it, and none of
// the many kilobytes of one is read.
func (c *comparison) untouched(was wasField, existed bool, f field) bool {
	then, ok1 := was.v.asRef()
	now, ok2 := f.v.asRef()
	return existed && ok1 && ok2 && then == now && !c.changed.has(now.num)
}

// field compares one field. was is meaningful if existed.
func (c *comparison) field(was wasField, existed bool, f field) error {
	signed := false
	if f.ft == "Sig" && !c.untouched(was, existed, f) {
		sig, err := c.cur.resolve(f.v)
		if err != nil {
			return err
		}
		before := nullValue()
		if existed {
			if before, err = c.old.resolve(was.v); err != nil {
				return err
			}
		}
		if signed = sig.isDict() && before.isNull(); signed {
			if err := firstError(c.newSignature(f, sig), c.newPictures(f)); err != nil {
				return err
			}
		}
	}
	if err := c.cur.spend(int64(len(f.v.raw))); err != nil {
		return err
	}
	touched := existed && !bytes.Equal(was.v.raw, compact(f.v).raw)
	if id, ok := f.v.asRef(); ok && c.changed.has(id.num) {
		c.claimed.add(id.num)
		touched = true
		if signed {
			c.quiet.add(id.num)
		}
	}
	c.taken, c.quietly = false, signed
	err := c.eachPart(f, func(id ref, val value) error {
		if c.changed.has(id.num) {
			c.claimed.add(id.num)
			touched = true
			c.taken = c.taken || signed && c.notOf(id, f.id)
		}
		drawn, err1 := c.reachLook(val)
		t, err2 := c.reach(val, "Parent", "P", "Kids", "V")
		touched = touched || t || drawn
		return firstError(err1, err2)
	})
	c.quietly = false
	// A new signature brings its own objects. One that takes over what was there (the
	// look of another field, somebody's comment) hides a change behind itself.
	if err == nil && signed && c.taken {
		err = c.add(ChangeAnnotation, 0, f.id.num, "with the signature in field %q came a change of objects that were there and were not the field's", f.name)
	}
	switch {
	case err != nil || signed:
		return err
	case !existed:
		return c.addField(ChangeForm, f, "form field %q added", f.name)
	case touched && f.ft == "Sig":
		return c.addField(ChangeForm, f, "signature field %q changed", f.name)
	case touched:
		return c.addField(ChangeFormFill, f, "form field %q filled in or changed", f.name)
	}
	return nil
}

// notOf tells whether an object was there when the document was signed and was
// neither the field nor a widget below it.
func (c *comparison) notOf(id, of ref) bool {
	if id == of || c.old.xref.get(id.num).kind <= entryFree {
		return false
	}
	o, err := c.old.loadNumber(id.num)
	if err != nil {
		return true
	}
	parent, err := o.val.get("Parent")
	up, ok := parent.asRef()
	return err != nil || !ok || up != of
}

// newSignature names a signature that was not there.
func (c *comparison) newSignature(f field, sig value) error {
	s, err := c.cur.readSignature(sig)
	if err != nil {
		return err
	}
	if len(c.newSigs) < maxSignatures {
		c.newSigs = append(c.newSigs, sig)
	}
	if s.Type == "DocTimeStamp" {
		return c.addField(ChangeTimestamp, f, "document time-stamp added in field %q", f.name)
	}
	return c.addField(ChangeSignature, f, "signature added in field %q", f.name)
}

// newPictures names the pictures that a new signature puts over pages at places
// where there was no field when the document was signed. They can cover anything
// with anything; only their place tells a picture in the box that the first
// signer saw from a forged page.
func (c *comparison) newPictures(f field) error {
	return c.eachPart(f, func(id ref, val value) error {
		if other, err := otherAnnotation(val); err != nil || other != "" {
			return firstError(err, c.add(ChangeAnnotation, 0, id.num, "the later signature in field %q brings an annotation over a page (/%s)", f.name, other))
		}
		rect, err := c.cur.pictureRect(val)
		if err != nil || rect == nil {
			return err
		}
		before := nullValue()
		if id.num != 0 && c.old.xref.get(id.num).kind > entryFree {
			o, err := c.old.loadNumber(id.num)
			if err != nil && !errors.Is(err, ErrMalformed) {
				return err
			}
			if err == nil {
				before = o.val
			}
		}
		was, err := c.old.pictureRect(before)
		if err != nil || slices.Equal(was, rect) {
			return err
		}
		return c.add(ChangeAnnotation, 0, id.num, "the later signature in field %q lays a picture over a page, at [%s]", f.name, strings.Join(rect, " "))
	})
}

// reach marks everything that v leads to as accounted for and reports whether any
// of it changed; what an earlier walk passed does not count again. Keys named in
// except are not followed. Pages, fields and annotations are never entered.
func (c *comparison) reach(v value, except ...string) (bool, error) {
	touched := false
	var todo []int
	push := func(v value) error {
		return eachRef(v, except, func(id ref) {
			touched = touched || c.drawn && c.widgets.has(id.num) && c.changed.has(id.num)
			if !c.visited.has(id.num) && !c.barrier.has(id.num) {
				c.visited.add(id.num)
				todo = append(todo, id.num)
			}
		})
	}
	if err := push(v); err != nil {
		return false, err
	}
	for len(todo) > 0 {
		num := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if c.changed.has(num) {
			touched = true
			c.taken = c.taken || c.old.xref.get(num).kind > entryFree
			c.claimed.add(num)
			if c.quietly {
				c.quiet.add(num)
			}
		}
		o, err := c.loadNumber(num)
		if errors.Is(err, ErrMalformed) {
			continue // unreadable now; it counts if it changed
		}
		if err != nil {
			return false, err
		}
		if err := push(o.val); err != nil {
			return false, err
		}
	}
	return touched, nil
}

// catalog compares the document catalog and what hangs from it, pages and form
// fields aside.
func (c *comparison) catalog() error {
	old, err := c.old.catalog()
	if err != nil {
		return err
	}
	cur, err := c.cur.catalog()
	if err != nil {
		return err
	}
	c.claimed.add(cur.id.num)
	// Another /Pages is a change even where the pages below are the same: they inherit
	// from it.
	own := []string{"Pages", "AcroForm", "DSS", "Metadata", "Extensions", "Version"}
	keys, err := diffKeys(old.val, cur.val, own[1:]...)
	if err != nil {
		return err
	}
	// The structure of the document leads to its fields; nothing else of the catalog is drawn from them.
	touched, err := c.reachDrawn(cur.val, append(own, "StructTreeRoot")...)
	if err != nil {
		return err
	}
	structure, err := c.reach(cur.val, own...)
	if err != nil {
		return err
	}
	touched = touched || structure
	if touched && len(keys) == 0 {
		keys = []string{"objects that the catalog leads to"}
	}
	if len(keys) > 0 {
		err = c.add(ChangeCatalog, 0, cur.id.num, "document settings changed: %s", strings.Join(keys, " "))
		if err != nil {
			return err
		}
	}
	return c.formSettings()
}

// additions names validation data and metadata. It comes last, when all that a
// viewer shows has been compared: what is left below a new signature or below
// /Extensions is theirs.
func (c *comparison) additions() error {
	c.quietly = true
	defer func() { c.quietly = false }()
	old, err := c.old.catalog()
	if err != nil {
		return err
	}
	cur, err := c.cur.catalog()
	if err != nil {
		return err
	}
	for _, part := range []struct {
		old, cur value
		key      string
		kind     ChangeKind
		text     string
	}{
		{old.val, cur.val, "Metadata", ChangeMetadata, "document metadata changed"},
		{c.old.trailer, c.cur.trailer, "Info", ChangeMetadata, "document information (/Info) changed"},
		{old.val, cur.val, "DSS", ChangeDSS, "validation data added"},
	} {
		touched, err := c.underKey(part.old, part.cur, part.key)
		if err != nil {
			return err
		}
		if touched {
			if err := c.add(part.kind, 0, 0, "%s", part.text); err != nil {
				return err
			}
		}
	}
	extensions, err := cur.val.get("Extensions")
	if err != nil {
		return err
	}
	for _, v := range append(c.newSigs, extensions) {
		if _, err := c.reach(v, "Data", "Parent", "P"); err != nil {
			return err
		}
	}
	return nil
}

// underKey reports whether a key, or anything it leads to, changed.
func (c *comparison) underKey(old, cur value, key string) (bool, error) {
	a, err1 := old.get(key)
	b, err2 := cur.get(key)
	if err := firstError(err1, err2); err != nil {
		return false, err
	}
	touched, err := c.reach(b)
	return touched || !bytes.Equal(a.raw, b.raw), err
}

func (c *comparison) formSettings() error {
	old, err := c.old.form()
	if err != nil {
		return err
	}
	cur, err := c.cur.form()
	if err != nil {
		return err
	}
	keys, err := diffKeys(old, cur, "Fields", "SigFlags")
	if err != nil {
		return err
	}
	cat, err := c.cur.catalog()
	if err != nil {
		return err
	}
	for _, holder := range []struct {
		dict value
		key  string
	}{{cat.val, "AcroForm"}, {cur, "Fields"}} {
		v, err := holder.dict.getDict(holder.key)
		if err != nil {
			return err
		}
		if id, ok := v.asRef(); ok {
			c.claimed.add(id.num)
		}
	}
	others, defaults := false, false // what the defaults lead to, and what else does; a walk counts each object once
	if cur.isDict() {
		if others, err = c.reachDrawn(cur, "Fields", "DA", "DR"); err != nil {
			return err
		}
		c.quietly = true
		defaults, err = c.reachDrawn(cur, "Fields")
		if c.quietly = false; err != nil {
			return err
		}
	}
	if len(keys) == 0 && !others && !defaults {
		return nil
	}
	unused, err := c.formDefaults(old, keys)
	if err != nil {
		return err
	}
	if unused && !others {
		return c.add(ChangeFormDefaults, 0, 0, "defaults of form fields, with which nothing is drawn")
	}
	c.quiet = numSet{}
	if len(keys) == 0 {
		keys = []string{"objects that they lead to"}
	}
	return c.add(ChangeForm, 0, 0, "form settings changed: %s", strings.Join(keys, " "))
}
