package pdf

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// maxSame bounds how many values are compared one by one for one key. What is larger is the same if its bytes are.
const maxSame = 10_000

// sameWriting tells whether two values differ at most in white space, comments and the order of keys: programs write a whole
// dictionary anew to change one entry. Numbers, names, strings and references must have the same bytes.
func sameWriting(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	left := maxSame
	return same(value{raw: a, off: -1}, value{raw: b, off: -1}, &left)
}

func same(a, b value, left *int) bool {
	if *left--; *left < 0 {
		return false
	}
	switch {
	case a.isDict() && b.isDict():
		return sameDict(a, b, left)
	case a.isArray() && b.isArray():
		return sameArray(a, b, left)
	}
	idA, refA := a.asRef()
	idB, refB := b.asRef()
	if refA || refB {
		return refA && refB && idA == idB
	}
	return bytes.Equal(a.raw, b.raw)
}

func sameArray(a, b value, left *int) bool {
	var was []value
	take := func(v value) bool {
		*left--
		was = append(was, v)
		return *left >= 0
	}
	if a.eachElem(take) != nil || *left < 0 {
		return false
	}
	i, equal := 0, true
	err := b.eachElem(func(v value) bool {
		equal = i < len(was) && same(was[i], v, left)
		i++
		return equal
	})
	return err == nil && equal && i == len(was)
}

// sameDict takes a dictionary that has a key twice for another, since readers differ about what it says.
func sameDict(a, b value, left *int) bool {
	was, n := map[string]value{}, 0
	err := a.eachPair(func(key []byte, v value) bool {
		*left--
		n++
		was[string(key)] = v
		return *left >= 0
	})
	if err != nil || *left < 0 || n != len(was) {
		return false
	}
	equal := true
	err = b.eachPair(func(key []byte, v value) bool {
		before, there := was[string(key)]
		delete(was, string(key))
		equal = there && same(before, v, left)
		return equal
	})
	return err == nil && equal && len(was) == 0
}

// boxes are the keys whose values are rectangles (ISO 32000-1, 7.9.5): of their numbers every reader takes fractions.
var boxes = map[string]bool{"MediaBox": true, "CropBox": true, "BleedBox": true, "TrimBox": true, "ArtBox": true, "Rect": true}

// plain is a number as every reader reads it.
var plain = regexp.MustCompile(`^-?(?:0|[1-9][0-9]{0,6})(?:\.[0-9]{1,6})?$`)

// decimal is a number without a fraction's last zeros.
func decimal(text string) (string, bool) {
	if strings.Contains(text, ".") && plain.MatchString(text) {
		return strings.TrimSuffix(strings.TrimRight(text, "0"), "."), true
	}
	return text, plain.MatchString(text)
}

// sameBox tells whether two rectangles are the same four numbers.
func sameBox(a, b []byte) bool {
	was, okA := boxOf(a)
	now, okB := boxOf(b)
	return okA && okB && was == now
}

func boxOf(raw []byte) (out [4]string, ok bool) {
	v, n := value{raw: raw, off: -1}, 0
	if !v.isArray() {
		return out, false
	}
	err := v.eachElem(func(e value) bool {
		if n < len(out) {
			out[n], ok = decimal(string(e.raw))
		}
		n++
		return ok && n <= len(out)
	})
	return out, err == nil && ok && n == len(out)
}

// withoutCopied leaves out of the keys of a page that changed /Resources, if it is a new object that says what the former
// said: some programs write it anew with every signature. What it leads to is compared as before.
func (c *comparison) withoutCopied(before, cur value, keys []string) ([]string, error) {
	i := slices.Index(keys, "/Resources")
	if i < 0 {
		return keys, nil
	}
	now, err := cur.get("Resources")
	if err != nil {
		return nil, err
	}
	id, isRef := now.asRef()
	if !isRef || c.old.xref.get(id.num).kind > entryFree || c.visited.has(id.num) {
		return keys, nil
	}
	was, err := c.old.key(before, "Resources")
	if err != nil {
		return nil, err
	}
	o, err := c.cur.load(id)
	if err != nil || o.stream >= 0 || !o.val.isDict() || !sameWriting(was.raw, o.val.raw) {
		return keys, err
	}
	c.visited.add(id.num)
	c.claimed.add(id.num)
	touched, err := c.reachDrawn(o.val)
	if err != nil || touched {
		return keys, err
	}
	return slices.Delete(slices.Clone(keys), i, i+1), nil
}
