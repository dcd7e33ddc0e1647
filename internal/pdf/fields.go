package pdf

// field is a terminal form field with its inherited attributes.
type field struct {
	name string // fully qualified
	id   ref    // zero if the field is a direct object
	val  value
	ft   string // inherited /FT
	v    value  // inherited /V, unresolved
}

// maxFieldName bounds names in bytes; longer ones are cut.
const maxFieldName = 1024

// fieldWalk visits the field tree (ISO 32000-1, 12.7.3), every object once.
type fieldWalk struct {
	d     *Document
	seen  map[int]bool
	count int
	names map[string]bool // partial names of root fields
	fn    func(field) error
}

// eachField calls fn for every terminal field and returns the partial names of
// the fields at the root.
func (d *Document) eachField(form value, fn func(field) error) (map[string]bool, error) {
	w := &fieldWalk{d: d, seen: map[int]bool{}, names: map[string]bool{}, fn: fn}
	if !form.isDict() {
		return w.names, nil
	}
	fields, err := d.key(form, "Fields")
	if err != nil {
		return nil, err
	}
	if !fields.isArray() {
		return w.names, nil
	}
	return w.names, w.each(fields, field{}, 0)
}

func (w *fieldWalk) each(arr value, parent field, depth int) error {
	var inner error
	err := arr.eachElem(func(e value) bool {
		inner = w.node(e, parent, depth)
		return inner == nil
	})
	if inner != nil {
		return inner
	}
	return err
}

func (w *fieldWalk) node(v value, parent field, depth int) error {
	if depth > w.d.lim.MaxDepth {
		return overLimit("field tree deeper than %d", w.d.lim.MaxDepth)
	}
	if w.count++; w.count > w.d.lim.MaxFields {
		return overLimit("more than %d form fields", w.d.lim.MaxFields)
	}
	f := field{val: v}
	if id, ok := v.asRef(); ok {
		if w.seen[id.num] {
			return nil // a cycle, or listed twice
		}
		w.seen[id.num] = true
		o, err := w.d.load(id)
		if err != nil {
			return err
		}
		f.id, f.val = id, o.val
	}
	if !f.val.isDict() {
		return nil
	}
	if err := w.inherit(&f, parent, depth); err != nil {
		return err
	}
	kids, err := w.d.key(f.val, "Kids")
	if err != nil {
		return err
	}
	if kids.isArray() {
		inner, err := w.hasNamedKid(kids)
		if err != nil {
			return err
		}
		if inner {
			return w.each(kids, f, depth+1)
		}
	}
	return w.fn(f)
}

// inherit completes name, /FT and /V from the parent.
func (w *fieldWalk) inherit(f *field, parent field, depth int) error {
	t, err := w.d.key(f.val, "T")
	if err != nil {
		return err
	}
	part, err := w.d.text(t)
	if err != nil {
		return err
	}
	part = part[:min(len(part), maxFieldName)]
	if depth == 0 {
		w.names[part] = true
	}
	f.name = part
	if parent.name != "" {
		f.name = parent.name + "." + part
		f.name = f.name[:min(len(f.name), maxFieldName)]
	}
	ft, err := w.d.key(f.val, "FT")
	if err != nil {
		return err
	}
	if f.ft = ft.name(); f.ft == "" {
		f.ft = parent.ft
	}
	if f.v, err = f.val.get("V"); err != nil {
		return err
	}
	if f.v.isNull() {
		f.v = parent.v
	}
	return nil
}

// hasNamedKid tells child fields, which have a name, from a field's widgets.
func (w *fieldWalk) hasNamedKid(kids value) (bool, error) {
	found := false
	var inner error
	err := kids.eachElem(func(e value) bool {
		kid, err := w.d.resolve(e)
		if err == nil {
			var t value
			t, err = kid.getDict("T")
			found = found || !t.isNull()
		}
		inner = err
		return err == nil && !found
	})
	if inner != nil {
		return false, inner
	}
	return found, err
}

// form returns the AcroForm dictionary, null if there is none.
func (d *Document) form() (value, error) {
	cat, err := d.catalog()
	if err != nil {
		return value{}, err
	}
	form, err := d.key(cat.val, "AcroForm")
	if err != nil {
		return value{}, err
	}
	if !form.isDict() {
		return nullValue(), nil
	}
	return form, nil
}
