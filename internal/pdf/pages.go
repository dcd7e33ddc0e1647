package pdf

// page is a leaf of the page tree.
type page struct {
	index int
	id    ref // zero if the page is a direct object of its parent
	val   value
}

// pageWalk visits the page tree in order. Recursion is bounded by MaxDepth;
// every inner node is visited once, so neither a cycle (D12) nor a node listed
// many times can multiply the work.
type pageWalk struct {
	d     *Document
	seen  map[int]bool
	pages int
	stop  bool
	fn    func(page) (bool, error)
	above func(ref) // called for every inner node, if set
}

// eachPage calls fn for every page until it returns false.
func (d *Document) eachPage(fn func(page) (bool, error)) error {
	cat, err := d.catalog()
	if err != nil {
		return err
	}
	root, err := cat.val.get("Pages")
	if err != nil {
		return err
	}
	w := &pageWalk{d: d, seen: map[int]bool{}, fn: fn}
	return w.node(root, 0)
}

// node visits one node. A leaf is a dictionary without /Kids, whatever its /Type
// says: writers forget it and readers do not care (D18).
func (w *pageWalk) node(v value, depth int) error {
	if depth > w.d.lim.MaxDepth {
		return overLimit("page tree deeper than %d", w.d.lim.MaxDepth)
	}
	id, indirect := v.asRef()
	if indirect {
		o, err := w.d.load(id)
		if err != nil {
			return err
		}
		v = o.val
	}
	if !v.isDict() {
		return nil // a missing page
	}
	kids, err := w.d.key(v, "Kids")
	if err != nil {
		return err
	}
	if kids.isArray() {
		return w.inner(id, indirect, kids, depth)
	}
	if w.pages++; w.pages > w.d.lim.MaxPages {
		return overLimit("more than %d pages", w.d.lim.MaxPages)
	}
	more, err := w.fn(page{index: w.pages - 1, id: id, val: v})
	w.stop = !more
	return err
}

func (w *pageWalk) inner(id ref, indirect bool, kids value, depth int) error {
	if indirect {
		if w.seen[id.num] {
			return malformed(kids.off, "page tree node %d is reached twice", id.num)
		}
		w.seen[id.num] = true
		if w.above != nil {
			w.above(id)
		}
	}
	var inner error
	err := kids.eachElem(func(e value) bool {
		inner = w.node(e, depth+1)
		return inner == nil && !w.stop
	})
	if inner != nil {
		return inner
	}
	return err
}

// firstPage returns the first page that is an object of its own, so that it can
// be updated without touching its parent.
func (d *Document) firstPage() (page, error) {
	var found *page
	err := d.eachPage(func(p page) (bool, error) {
		if p.id.num != 0 {
			found = &p
		}
		return found == nil, nil
	})
	if err != nil {
		return page{}, err
	}
	if found == nil {
		return page{}, malformed(-1, "no page")
	}
	return *found, nil
}

// eachPageNode calls fn for every inner node of the page tree that is an object of
// its own.
func (d *Document) eachPageNode(fn func(ref)) error {
	cat, err := d.catalog()
	if err != nil {
		return err
	}
	root, err := cat.val.get("Pages")
	if err != nil {
		return err
	}
	w := &pageWalk{d: d, seen: map[int]bool{}, fn: func(page) (bool, error) { return true, nil }, above: fn}
	return w.node(root, 0)
}
