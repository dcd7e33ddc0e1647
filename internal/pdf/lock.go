package pdf

import (
	"fmt"
	"strings"
)

// lock is what an earlier signature forbids (ISO 32000-1, 12.8.2.2 and 12.8.2.4).
type lock struct {
	by     string // field name of the signature
	noMore bool   // DocMDP 1: no change at all
	action string // FieldMDP: All, Include, Exclude; empty if none
	fields []string
	// permission is /P of a field lock (ISO 32000-2, table 236), 0 if it has none.
	permission int
}

// allows reports ErrForbidden if signing the field would break the lock. A field
// lock of kind All covers fields added later too: we refuse in doubt.
func (l lock) allows(field string) error {
	if l.noMore {
		return fmt.Errorf("%w: the certification in %q permits no change (DocMDP 1)", ErrForbidden, l.by)
	}
	if l.locks(field) {
		return fmt.Errorf("%w: the signature in %q locks field %q (FieldMDP %s)", ErrForbidden, l.by, field, l.action)
	}
	return nil
}

// locksOf returns the locks that a signature field imposes; none, not even an
// empty one, while it is unsigned.
func (d *Document) locksOf(f field) ([]lock, error) {
	sig, err := d.resolve(f.v)
	if err != nil || !sig.isDict() {
		return nil, err
	}
	locks := []lock{{by: f.name}}
	refs, err := d.key(sig, "Reference")
	if err != nil {
		return nil, err
	}
	if refs.isArray() {
		var inner error
		err := refs.eachElem(func(e value) bool {
			var l lock
			if l, inner = d.referenceLock(e); inner == nil {
				l.by = f.name
				locks = append(locks, l)
			}
			return inner == nil && len(locks) < d.lim.MaxDepth
		})
		if inner != nil || err != nil {
			return nil, firstError(inner, err)
		}
	}
	own, err := d.key(f.val, "Lock")
	if err != nil || !own.isDict() {
		return locks, err
	}
	l, err := d.lockDict(own)
	l.by = f.name
	return append(locks, l), err
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// referenceLock reads a signature reference dictionary.
func (d *Document) referenceLock(v value) (lock, error) {
	r, err := d.resolve(v)
	if err != nil || !r.isDict() {
		return lock{}, err
	}
	method, err := d.key(r, "TransformMethod")
	if err != nil {
		return lock{}, err
	}
	parms, err := d.key(r, "TransformParams")
	if err != nil || !parms.isDict() {
		return lock{}, err
	}
	switch method.name() {
	case "DocMDP":
		p, err := d.keyInt(parms, "P", 2)
		return lock{noMore: p == 1}, err
	case "FieldMDP":
		return d.lockDict(parms)
	}
	return lock{}, nil
}

// lockDict reads /Action, /Fields and /P of FieldMDP parameters or a field lock.
func (d *Document) lockDict(v value) (lock, error) {
	var l lock
	action, err := d.key(v, "Action")
	if err != nil {
		return l, err
	}
	l.action = action.name()
	p, err := d.keyInt(v, "P", 0)
	if err != nil {
		return l, err
	}
	l.noMore, l.permission = p == 1, int(max(0, min(p, 3)))
	fields, err := d.key(v, "Fields")
	if err != nil || !fields.isArray() {
		return l, err
	}
	var inner error
	err = fields.eachElem(func(e value) bool {
		var s value
		if s, inner = d.resolve(e); inner != nil {
			return false
		}
		var name string
		name, inner = d.text(s)
		l.fields = append(l.fields, strings.Clone(name[:min(len(name), maxFieldName)]))
		return inner == nil && len(l.fields) < d.lim.MaxFields
	})
	return l, firstError(inner, err)
}

// wantedLock reads what a signature in an empty field shall lock (ISO 32000-1,
// table 233).
func (d *Document) wantedLock(f field) (lock, error) {
	v, err := d.key(f.val, "Lock")
	if err != nil || v.isNull() {
		return lock{}, err
	}
	if !v.isDict() {
		return lock{}, malformed(f.val.off, "/Lock of field %q is no dictionary", f.name)
	}
	p, err := v.get("P")
	if err != nil {
		return lock{}, err
	}
	if !p.isNull() {
		return lock{}, located(ErrUnsupported, f.val.off, "signature field %q whose /Lock sets permissions for the document (/P)", f.name)
	}
	l, err := d.lockDict(v)
	if err != nil {
		return lock{}, err
	}
	if l.action != "All" && (l.action != "Include" && l.action != "Exclude" || len(l.fields) == 0) {
		return lock{}, malformed(f.val.off, "/Lock of field %q has action %q and %d fields", f.name, l.action, len(l.fields))
	}
	return l, nil
}

// references writes the elements of /Reference: what the signature permits of
// later changes and which fields it locks (ISO 32000-1, 12.8.2).
func (u *update) references(sig ref, opt SignOptions, t target) ([]byte, error) {
	var b []byte
	if opt.Certify > 0 {
		b = fmt.Appendf(b, "<< /Type /SigRef /TransformMethod /DocMDP /TransformParams << /Type /TransformParams /P %d /V /1.2 >> >>", opt.Certify)
	}
	if t.lock.action == "" {
		return b, nil
	}
	cat, err := u.d.catalog()
	if err != nil {
		return nil, err
	}
	b = fmt.Appendf(b, "<< /Type /SigRef /TransformMethod /FieldMDP /Data %s /TransformParams << /Type /TransformParams /V /1.2 /Action /%s", cat.id.raw(), t.lock.action)
	if t.lock.action != "All" {
		b = append(b, " /Fields ["...)
		for i, name := range t.lock.fields {
			if i > 0 {
				b = append(b, ' ')
			}
			b = append(b, u.text(sig, name)...)
		}
		b = append(b, ']')
	}
	return append(b, " >> >>"...), nil
}
