package c14n

import "math"

// Limits bounds what one pass over a document may cost. A zero field takes the
// default, and none is above 2^31-1 but Size. Memory never depends on the size of a document: it is at most a few
// times Token plus Context, plus the identifiers that Scan keeps.
type Limits struct {
	// Depth bounds nested elements (ErrDepth).
	Depth int
	// Attributes bounds the attributes and namespace declarations of one element
	// (ErrAttributes).
	Attributes int
	// Name bounds a qualified name and a namespace name, in bytes (ErrName).
	Name int
	// Value bounds an attribute's value as it is written, in bytes (ErrValue).
	Value int
	// Namespaces bounds the namespace declarations in scope, hidden ones
	// included (ErrNamespaces).
	Namespaces int
	// Token bounds a tag, a comment or a processing instruction, in bytes, since
	// each is held whole (ErrToken). Text has no bound but Size.
	Token int
	// Context bounds what is kept for all open elements: names, namespaces and
	// xml: attributes, in bytes (ErrContext).
	Context int
	// IDs bounds the identifiers that Scan keeps (ErrIDs).
	IDs int
	// Size bounds the document, in bytes (ErrSize).
	Size int64
}

// DefaultLimits are far above what documents need that people sign.
func DefaultLimits() Limits {
	return Limits{
		Depth:      1024,
		Attributes: 256,
		Name:       1024,
		Value:      1 << 20,
		Namespaces: 256,
		Token:      4 << 20,
		Context:    2 << 20,
		IDs:        1 << 16,
		Size:       4 << 30,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct {
		p   *int
		def int
	}{
		{&l.Depth, d.Depth}, {&l.Attributes, d.Attributes}, {&l.Name, d.Name}, {&l.Value, d.Value},
		{&l.Namespaces, d.Namespaces}, {&l.Token, d.Token}, {&l.Context, d.Context}, {&l.IDs, d.IDs},
	} {
		if *f.p <= 0 {
			*f.p = f.def
		}
		*f.p = min(*f.p, math.MaxInt32) // the tables of an Index have 32 bits for each
	}
	if l.Size <= 0 {
		l.Size = d.Size
	}
	return l
}
