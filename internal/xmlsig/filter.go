package xmlsig

import (
	"slices"
	"strings"

	"github.com/assent-sign/assent/internal/c14n"
)

// Transforms that take nodes away by an XPath expression: XPath Filtering, and XML-Signature XPath Filter 2.0.
const (
	xpathTransform   = "http://www.w3.org/TR/1999/REC-xpath-19991116"
	filter2Transform = "http://www.w3.org/2002/06/xmldsig-filter2"
)

// filter says which Signature elements a transform leaves out.
type filter uint8

const (
	filterUnknown filter = iota // an expression that is not known here
	filterAll                   // all of the document, with what they contain
	filterTop                   // those that are children of the root
)

// filters are the expressions that are known, less the name of Signature between: there is no engine for others. Each is
// known by how other programs write it.
var filters = []struct {
	space, before, after string
	means                filter
}{
	{dsSpace, "not(ancestor-or-self::", ")", filterAll},
	{filter2Transform, "/descendant::", "", filterAll},
	{filter2Transform, "//", "", filterAll},
	{filter2Transform, "/*/", "", filterTop},
}

// expression reads an XPath element at its end. A prefix means what it is bound to there.
func (n *node) expression(namespace func(prefix string) string) filter {
	if len(n.kids) > 0 {
		return filterUnknown
	}
	if how, _ := n.attr("Filter"); n.space == filter2Transform && how != "subtract" {
		return filterUnknown
	}
	for _, f := range filters {
		rest, begins := strings.CutPrefix(text(n), f.before)
		rest, ends := strings.CutSuffix(rest, ":Signature"+f.after)
		// Without prefix it would be a Signature of no namespace.
		if n.space == f.space && begins && ends && rest != "" && namespace(rest) == dsSpace {
			return f.means
		}
	}
	return filterUnknown
}

// filtered is what a Transform element leaves out: it has one expression and nothing besides.
func filtered(t *node, algorithm string) filter {
	space := algorithm
	if algorithm == xpathTransform {
		space = dsSpace
	}
	if len(t.kids) == 1 && t.kids[0].is(space, "XPath") {
		return t.kids[0].leaves
	}
	return filterUnknown
}

// onlyTop tells whether every Signature of the document is a child of the root or within one: then a filter of those leaves
// out all.
func (d *Document) onlyTop() bool {
	end := int64(0)
	for _, e := range d.Index.Signatures {
		switch {
		case e.Depth == 2:
			end = e.End
		case e.Start >= end:
			return false
		}
	}
	return true
}

// within tells whether an element is a Signature, or in one.
func (d *Document) within(e c14n.Element) bool {
	return slices.ContainsFunc(d.Index.Signatures, func(s c14n.Element) bool { return s.Start <= e.Start && e.End <= s.End })
}

// leftOut tells whether a reference leaves out the place of the document where a Signature, or something in one, is put in.
func (d *Document) leftOut(r Reference, at int64) bool {
	for _, t := range r.Transforms {
		if t.leaves == filterAll || t.leaves == filterTop && d.inTop(at) {
			return true
		}
	}
	return false
}

// inTop tells whether a place is in a Signature that is a child of the root, or where a further child of it is put.
func (d *Document) inTop(at int64) bool {
	for _, e := range d.Index.Signatures {
		if e.Depth == 2 && e.Content <= at && at <= e.Tail {
			return true
		}
	}
	return at == d.Index.Enveloped().Offset
}

// LeftOut are the signatures that a signature which holds is not over: those in itself, and those that a filter of its
// references takes away.
func (d *Document) LeftOut(s *Signature, covers []Coverage) []*Signature {
	var out []*Signature
	for i := range d.Signatures {
		o := &d.Signatures[i]
		left := s.Element.Contains(o.Element)
		for _, c := range covers {
			left = left || c.Less == "signatures" && (c.Document || c.Element.Contains(o.Element))
		}
		if left && o.Element != s.Element {
			out = append(out, o)
		}
	}
	return out
}
