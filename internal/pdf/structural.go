package pdf

import (
	"errors"
	"slices"
)

// Streams that say where and what the objects of a file are. Two readers that decode
// one of them in two ways see two documents, of which one was signed: what they are
// known to read in different ways is refused there, and not read in the likeliest way
// (D16). All such refusals are ErrUnsupported: nothing repairs them.

// otherNames are names under which some readers look for the filters and their
// parameters, where they should not: the abbreviations of inline images (ISO 32000-2,
// table 91), which win over the full names in some, and the keys of a stream whose data
// is another file.
var otherNames = []string{"F", "DP", "FFilter", "FDecodeParms"}

// otherName returns a key of a stream by which some readers decode it and others do
// not, "" if there is none. A key whose value is null counts: to some it is there.
func otherName(dict value) (string, error) {
	found := ""
	err := dict.eachSpan(func(k []byte, _, _ int) bool {
		if slices.Contains(otherNames, string(k)) {
			found = string(k)
		}
		return found == ""
	})
	return found, err
}

func ambiguous(v value, format string, args ...any) error {
	return located(ErrUnsupported, v.off, "readers differ about "+format, args...)
}

// filtersOf returns the filters of a stream whose data we read, and their parameters,
// unless readers differ about them (ADE-04).
func (d *Document) filtersOf(o object) (filter, parms value, err error) {
	odd, err := otherName(o.val)
	if err != nil {
		return filter, parms, err
	}
	if odd != "" {
		return filter, parms, ambiguous(o.val, "the key /%s of a stream", odd)
	}
	typ, err := o.val.getDict("Type")
	if err != nil {
		return filter, parms, err
	}
	if typ.nameIs("XRef") {
		if err := allDirect(o.val); err != nil {
			return filter, parms, err
		}
	}
	filter, err1 := d.key(o.val, "Filter")
	parms, err2 := d.key(o.val, "DecodeParms")
	if err := firstError(err1, err2); err != nil {
		return filter, parms, err
	}
	if err := sameShape(filter, parms); err != nil {
		return filter, parms, err
	}
	if !typ.nameIs("XRef") && !typ.nameIs("ObjStm") {
		return filter, parms, nil
	}
	if first, _, err := d.firstOf(filter); err != nil || first.nameIs("Crypt") {
		return filter, parms, firstError(err, ambiguous(filter, "a crypt filter on a structural stream"))
	}
	return filter, parms, nil
}

// allDirect refuses references in what a cross-reference stream is read by (ISO
// 32000-2, 7.5.8.2): what they lead to hangs on how much of the cross-reference a
// reader knows by then.
func allDirect(dict value) error {
	for _, key := range []string{"Filter", "DecodeParms", "Length"} {
		v, err := dict.get(key)
		if err != nil {
			return err
		}
		refs := 0
		if err := eachRef(v, nil, func(ref) { refs++ }); err != nil {
			return err
		}
		if refs > 0 {
			return ambiguous(v, "a reference in /%s of a cross-reference stream", key)
		}
	}
	return nil
}

// sameShape demands that parameters stand beside their filter as they should: one
// dictionary beside a name, a list beside a list. Of other parameters some readers make
// use, and others none.
func sameShape(filter, parms value) error {
	if parms.isNull() {
		return nil
	}
	if filter.isArray() != parms.isArray() || !parms.isArray() && !parms.isDict() {
		return ambiguous(parms, "the parameters %s of the filter %s", brief(parms.raw), brief(filter.raw))
	}
	return nil
}

// parameter returns a number among the parameters of a filter.
func (d *Document) parameter(parms value, name string, def int64) (int64, error) {
	v, err := d.key(parms, name)
	if err != nil || v.isNull() {
		return def, err
	}
	n, ok := v.asInt()
	if !ok {
		return 0, ambiguous(v, "the parameter /%s %s of a filter", name, brief(v.raw))
	}
	return n, nil
}

// check refuses an index that is read in more than one way: readers find an object by
// its number, by its place in the index, or by the distance to the next one. end is
// where the index ended, first where the objects begin.
func (s *objectStream) check(o object, end, first int) error {
	if end == first && first < len(s.data) && end > 0 && isRegular(s.data[first-1]) && isRegular(s.data[first]) {
		return ambiguous(o.val, "where the index of object stream %d ends", o.id.num)
	}
	for i := 1; i < len(s.offs); i++ {
		if s.offs[i] <= s.offs[i-1] && int(s.offs[i-1]) < len(s.data) {
			return ambiguous(o.val, "the order of objects in object stream %d", o.id.num)
		}
	}
	nums := slices.Clone(s.nums)
	slices.Sort(nums)
	for i := 1; i < len(nums); i++ {
		if nums[i] == nums[i-1] {
			return ambiguous(o.val, "object %d, which is in object stream %d several times", nums[i], o.id.num)
		}
	}
	return nil
}

// object returns the value at a place in the index. It must end before the next one
// begins, and be no stream: some readers look for its data within an object stream.
func (s *objectStream) object(container, index, maxDepth int) (value, error) {
	l := lexer{b: s.data, pos: int(s.offs[index]), eof: true, maxDepth: maxDepth}
	start, end, err := l.value()
	if err != nil {
		if errors.Is(err, ErrLimit) {
			return nullValue(), err
		}
		return nullValue(), malformed(-1, "object %d in object stream %d: %v", s.nums[index], container, err)
	}
	v := value{raw: s.data[start:end:end], off: -1}
	if index+1 < len(s.offs) && end > int(s.offs[index+1]) {
		return nullValue(), ambiguous(v, "object %d of object stream %d, which reaches into the next one", s.nums[index], container)
	}
	if t, err := l.next(); err == nil && t.kind == tokWord && string(s.data[t.start:t.end]) == "stream" {
		return nullValue(), ambiguous(v, "a stream in object stream %d", container)
	}
	return v, nil
}
