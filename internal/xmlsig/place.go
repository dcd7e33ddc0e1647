package xmlsig

import (
	"fmt"
	"slices"

	"github.com/assent-sign/assent/internal/c14n"
)

// place says where further unsigned properties of a signature go: behind those that it has, in the
// element for them; where that is missing, it is written around them, in the order of the schema.
// All bytes of the document stay but the "/>" of an empty element.
func place(q, outer, inner *node) c14n.Insertion {
	const open, shut = `<xades:UnsignedSignatureProperties xmlns:xades="` + xadesSpace + `">`, "</xades:UnsignedSignatureProperties>"
	const openAll, shutAll = `<xades:UnsignedProperties xmlns:xades="` + xadesSpace + `">`, "</xades:UnsignedProperties>"
	switch {
	case inner != nil && inner.empty:
		return c14n.Insertion{Offset: inner.end - 2, Drop: 2, Before: ">", After: inner.shut()}
	case inner != nil:
		return c14n.Insertion{Offset: inner.tail}
	case outer != nil && outer.empty:
		return c14n.Insertion{Offset: outer.end - 2, Drop: 2, Before: ">" + open, After: shut + outer.shut()}
	case outer != nil:
		return c14n.Insertion{Offset: outer.content, Before: open, After: shut} // before UnsignedDataObjectProperties
	}
	return c14n.Insertion{Offset: q.tail, Before: openAll + open, After: shut + shutAll}
}

// shut is the end tag of an element.
func (n *node) shut() string {
	if n.prefix == "" {
		return "</" + n.local + ">"
	}
	return "</" + n.prefix + ":" + n.local + ">"
}

// Place says where further unsigned properties of a signature are put in, behind all that it has. What is
// put in must declare its own namespaces. ErrStructure, if it has no properties.
func (s *Signature) Place() (c14n.Insertion, error) {
	if s.Properties == nil {
		return c14n.Insertion{}, fmt.Errorf("%w: a signature without QualifyingProperties", ErrStructure)
	}
	return s.Properties.place, nil
}

// Covering gives a signature that would no longer hold if bytes were put in at an offset: a reference of it covers
// that place, and leaves out neither all signatures nor, where the place is within its own, that one.
func (d *Document) Covering(at int64) (*Signature, Reference, bool) {
	for i := range d.refs {
		r := &d.refs[i]
		k := slices.IndexFunc(d.Signatures, func(o Signature) bool { return o.Element.Start == r.of })
		if k < 0 || !d.covers(r.ref, at) {
			continue
		}
		of := &d.Signatures[k]
		if of.Element.Content <= at && at <= of.Element.Tail && leavesItselfOut(r.ref) {
			continue
		}
		return of, r.ref, true
	}
	return nil, Reference{}, false
}

// covers tells whether a reference is over a place of the document, signatures that it leaves out aside. What
// it does not understand may be over everything.
func (d *Document) covers(r Reference, at int64) bool {
	e := d.Index.Root
	switch to := r.target(); {
	case to.unknown:
		return true
	case to.document:
	case to.file:
		return false // it is not in this document
	default:
		var err error
		if e, err = d.Index.ByID(to.id); err != nil {
			return true
		}
	}
	inside := e.Content <= at && at <= e.Tail || e.Empty && e.Start <= at && at < e.End
	return inside && !d.leftOut(r, at)
}

func leavesItselfOut(r Reference) bool {
	return slices.ContainsFunc(r.Transforms, func(t Transform) bool { return t.Algorithm == envelopedTransform })
}
