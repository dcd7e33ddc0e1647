package pdf

import "slices"

// Pages that readers take for different ones (ADE-04): they inherit along /Kids or along /Parent, count pages or walk
// over them, go by /Type or by /Kids, and take the first or the last of two values of a key.

// twofacedPage tells whether readers differ about a node of the page tree. above is the node that lists it.
func (d *Document) twofacedPage(v value, above ref, kids bool) (bool, error) {
	twice, err := repeats(v)
	if err != nil || twice {
		return true, ignoreMalformed(err)
	}
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
	return above.num != 0 && (!ok || up != above), nil
}

// repeats tells whether a dictionary, or one within a value, has a key twice.
func repeats(v value) (bool, error) {
	type frame struct {
		dict, val bool // val: the value of a key is expected
		keys      map[string]bool
	}
	var stack []frame
	l := v.sub(0)
	for {
		l.skipSpace()
		if l.pos >= len(v.raw) {
			return false, nil
		}
		t, err := l.next()
		if err != nil {
			return false, err
		}
		switch t.kind {
		case tokDictOpen, tokArrayOpen:
			stack = append(stack, frame{dict: t.kind == tokDictOpen})
			continue
		case tokDictClose, tokArrayClose:
			stack = stack[:max(0, len(stack)-1)]
		}
		if len(stack) == 0 {
			continue
		}
		f := &stack[len(stack)-1]
		if !f.dict || t.kind != tokName || f.val {
			f.val = false
			continue
		}
		key := string(decodeName(v.raw[t.start:t.end]))
		if f.keys[key] {
			return true, nil
		}
		if f.keys == nil {
			f.keys = map[string]bool{}
		}
		f.keys[key], f.val = true, true
	}
}

// scanPages looks at every node of the page tree and at what pages are drawn from (ADE-04).
func (d *Document) scanPages(s *Summary) error {
	cat, err := d.catalog()
	if err != nil {
		return err
	}
	if twice, err := repeats(cat.val); err != nil || twice {
		s.Twofaced = true
		return err
	}
	root, err := cat.val.get("Pages")
	if err != nil {
		return err
	}
	_, odd, err := d.scanNode(root, ref{}, 0, map[int]bool{})
	s.Twofaced = odd || err != nil
	return err
}

// scanNode returns how many pages are below a node, and whether readers differ about any.
func (d *Document) scanNode(v value, above ref, depth int, seen map[int]bool) (pages int64, odd bool, err error) {
	id, ok := v.asRef()
	if !ok || seen[id.num] || depth > d.lim.MaxDepth {
		return 0, true, nil
	}
	seen[id.num] = true
	o, err := d.load(id)
	if err != nil || !o.val.isDict() {
		return 0, true, ignoreMalformed(err)
	}
	at, _, err := o.val.find("Kids")
	if err != nil {
		return 0, true, ignoreMalformed(err)
	}
	if odd, err = d.twofacedPage(o.val, above, at > 0); err != nil || odd {
		return 0, odd, ignoreMalformed(err)
	}
	if at == 0 {
		odd, err := d.scanContents(o.val)
		return 1, odd, err
	}
	kids, err := d.key(o.val, "Kids")
	if err != nil || !kids.isArray() {
		return 0, true, err
	}
	var inner error
	err = kids.eachElem(func(e value) bool {
		var n int64
		n, odd, inner = d.scanNode(e, id, depth+1, seen)
		pages += n
		return inner == nil && !odd
	})
	if err = firstError(inner, err); err != nil || odd {
		return pages, odd, err
	}
	count, err := d.keyInt(o.val, "Count", -1)
	return pages, count != pages, err
}

// drawable are the filters that readers know (ISO 32000-1, table 6); DCT and the like are for pictures.
var drawable = []string{"FlateDecode", "LZWDecode", "ASCIIHexDecode", "ASCII85Decode", "RunLengthDecode", "Crypt", "Fl", "LZW", "AHx", "A85", "RL"}

// scanContents tells whether readers differ about the content streams of a page.
func (d *Document) scanContents(page value) (bool, error) {
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
	return false, nil
}

func (d *Document) oddContent(v value) (bool, error) {
	id, ok := v.asRef()
	if !ok {
		return true, nil
	}
	o, err := d.load(id)
	if err != nil || o.stream < 0 {
		return true, ignoreMalformed(err)
	}
	if twice, err := repeats(o.val); err != nil || twice {
		return twice, err
	}
	if n, err := d.keyInt(o.val, "Length", -1); err != nil || n < 0 {
		return true, ignoreMalformed(err)
	}
	filter, err := d.key(o.val, "Filter")
	if err != nil || filter.isNull() {
		return false, err
	}
	names := []value{filter}
	if filter.isArray() {
		names = nil
		if err := filter.eachElem(func(e value) bool { names = append(names, e); return true }); err != nil {
			return false, err
		}
	}
	for _, n := range names {
		n, err := d.resolve(n)
		if err != nil || !slices.Contains(drawable, n.name()) {
			return err == nil, err
		}
	}
	return false, nil
}
