package pdf

import (
	"errors"
	"slices"
)

// Pages that readers take for different ones (ADE-04): they inherit along /Kids or along /Parent, count pages or walk
// over them, go by /Type or by /Kids, and begin with the page that a linearized file says.

// scanPages looks at every node of the page tree and at what pages are drawn from (ADE-04).
func (d *Document) scanPages(s *Summary) error {
	odd, err := d.oddPages()
	s.Twofaced = s.Twofaced || (odd || err != nil) && !errors.Is(err, ErrLimit)
	return err
}

func (d *Document) oddPages() (bool, error) {
	cat, err := d.catalog()
	if err != nil {
		return true, err
	}
	typ, err1 := d.key(cat.val, "Type")
	root, err2 := cat.val.get("Pages")
	if err := firstError(err1, err2); err != nil || !typ.isNull() && !typ.nameIs("Catalog") {
		return true, ignoreMalformed(err) // Ghostscript shows no page of another catalog
	}
	p := pageForms{d: d, seen: map[int]bool{}}
	if _, odd, err := p.node(root, ref{}, inherited{}, 0); err != nil || odd {
		return true, ignoreMalformed(err)
	}
	return d.begunElsewhere(p.pages)
}

// pageForms is a walk over the page tree.
type pageForms struct {
	d     *Document
	seen  map[int]bool
	pages []ref
}

// node returns how many pages are at or below a node, and whether readers differ about any. above is the node that lists it.
func (p *pageForms) node(v value, above ref, from inherited, depth int) (pages int64, odd bool, err error) {
	id, ok := v.asRef()
	if !ok || p.seen[id.num] || depth > p.d.lim.MaxDepth {
		return 0, true, nil
	}
	p.seen[id.num] = true
	o, err := p.d.load(id)
	if err != nil || !o.val.isDict() {
		return 0, true, ignoreMalformed(err)
	}
	at, _, err := o.val.find("Kids")
	if err != nil {
		return 0, true, ignoreMalformed(err)
	}
	if odd, err = p.d.twofacedPage(o.val, above, at > 0); err != nil || odd {
		return 0, true, ignoreMalformed(err)
	}
	if odd, err = p.d.oddInherited(o.val, &from); err != nil || odd {
		return 0, true, ignoreMalformed(err)
	}
	if at == 0 {
		p.pages = append(p.pages, id)
		if odd, err = p.d.scanContents(o.val, from.resources); err == nil && !odd {
			odd, err = p.d.oddAnnotations(o.val)
		}
		return 1, odd || !from.sound(), err
	}
	return p.kids(o.val, id, from, depth)
}

func (p *pageForms) kids(node value, id ref, from inherited, depth int) (pages int64, odd bool, err error) {
	kids, err := p.d.key(node, "Kids")
	if err != nil || !kids.isArray() {
		return 0, true, err
	}
	var inner error
	err = kids.eachElem(func(e value) bool {
		var n int64
		n, odd, inner = p.node(e, id, from, depth+1)
		pages += n
		return inner == nil && !odd
	})
	if err = firstError(inner, err); err != nil || odd {
		return pages, odd, err
	}
	count, err := p.d.keyInt(node, "Count", -1)
	return pages, count != pages, err
}

// twofacedPage tells whether readers differ about where a node of the page tree belongs, and about what it is.
func (d *Document) twofacedPage(v value, above ref, kids bool) (bool, error) {
	typ, err := d.key(v, "Type")
	if err != nil {
		return false, err
	}
	want := "Page"
	if kids {
		want = "Pages"
	}
	if !typ.nameIs(want) {
		return true, nil
	}
	parent, err := v.get("Parent")
	if err != nil {
		return false, err
	}
	up, ok := parent.asRef()
	if above.num == 0 {
		return !parent.isNull(), nil // pdf.js, MuPDF and PDFium inherit from there
	}
	return !ok || up != above, nil
}

// scanContents tells whether readers differ about the content streams of a page.
func (d *Document) scanContents(page, resources value) (bool, error) {
	contents, err := page.get("Contents")
	if err != nil || contents.isNull() {
		return false, err
	}
	list := []value{contents}
	if arr, err := d.resolve(contents); err != nil {
		return false, err
	} else if arr.isArray() {
		list = nil
		if err := arr.eachElem(func(e value) bool { list = append(list, e); return true }); err != nil {
			return false, err
		}
	}
	for _, v := range list {
		if odd, err := d.oddContent(v); err != nil || odd {
			return odd, err
		}
	}
	return d.oddContents(list, resources)
}

// oddAnnotations judges the annotations of a page that are no objects by themselves, which are not come upon otherwise.
func (d *Document) oddAnnotations(page value) (bool, error) {
	list, err := d.key(page, "Annots")
	if err != nil || !list.isArray() {
		return false, err
	}
	if err := d.spend(int64(len(list.raw))); err != nil {
		return false, err
	}
	odd := false
	var inner error
	err = list.eachElem(func(e value) bool {
		if e.isDict() {
			odd, inner = d.oddMark(e)
		}
		return !odd && inner == nil
	})
	return odd, firstError(inner, err)
}

// oddContent tells whether a content is not a stream that is drawn as it is; its form is judged by twofacedObject.
func (d *Document) oddContent(v value) (bool, error) {
	id, ok := v.asRef()
	if !ok {
		return true, nil
	}
	o, err := d.load(id)
	if err != nil || o.stream < 0 {
		return true, ignoreMalformed(err)
	}
	filter, err := d.key(o.val, "Filter")
	if err != nil {
		return true, ignoreMalformed(err)
	}
	names, err := d.elements(filter)
	if err != nil {
		return true, ignoreMalformed(err)
	}
	for _, n := range names {
		if slices.Contains(pictured, n.name()) {
			return true, nil
		}
	}
	return false, nil
}

// begunElsewhere tells whether the first object of a linearized file names another page than the tree has there, or another number of
// pages: pdf.js shows that page, and Poppler and pdf.js so many (ISO 32000-2, annex F.3.3).
func (d *Document) begunElsewhere(pages []ref) (bool, error) {
	for _, off := range []int64{0, linearizedAt} {
		dict, whole, err := d.linearization(d.base + off)
		if err != nil || !whole {
			if err != nil {
				return true, ignoreMalformed(err)
			}
			continue
		}
		count, err1 := d.keyInt(dict, "N", -1)
		object, err2 := d.keyInt(dict, "O", -1)
		first, err3 := d.keyInt(dict, "P", 0)
		if err := firstError(err1, err2, err3); err != nil {
			return true, ignoreMalformed(err)
		}
		if count != int64(len(pages)) || first < 0 || first >= count || int64(pages[first].num) != object {
			return true, nil
		}
	}
	return false, nil
}
