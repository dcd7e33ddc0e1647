package xmlsig

import "slices"

// uncovered adds the Objects that are not signed to what has no place at all: no reference names one, nor all that is in it. Of those
// of which the contents alone are signed it adds what their start tags say.
func (s *Signature) uncovered(covers []Coverage) []string {
	out := slices.Clone(s.stray)
	for _, o := range s.objects {
		switch {
		case signed(covers, o.at, false):
		case signed(covers, o.at, true), o.signedWithin(covers):
			out = append(out, o.unsigned(s.Properties)...)
		default:
			out = append(out, "an Object that no reference names")
		}
	}
	return out
}

// signed tells whether a reference is over the element that begins at a place: over all of it, or over its text.
func signed(covers []Coverage, at int64, text bool) bool {
	return slices.ContainsFunc(covers, func(c Coverage) bool {
		return !c.Document && c.File == "" && c.Less == "" && c.Element.Start == at && c.Content == text
	})
}

// signedWithin tells whether each element in an Object is signed by itself, or, of SignatureProperties, each of these.
func (n *node) signedWithin(covers []Coverage) bool {
	whole := func(at int64) bool { return signed(covers, at, false) }
	for _, k := range n.kids {
		inner := k.is(dsSpace, "SignatureProperties") && !k.bespoke() && k.signedWithin(covers)
		if !whole(k.at) && !inner {
			return false
		}
	}
	for _, at := range n.data {
		if !whole(at) {
			return false
		}
	}
	return len(n.kids)+len(n.data) > 0 && !n.crowded && text(n) == ""
}

// bespoke tells whether an element has other attributes than an identifier.
func (n *node) bespoke() bool {
	return slices.ContainsFunc(n.attrs, func(a attr) bool { return a.space != "" || a.local != "Id" })
}
