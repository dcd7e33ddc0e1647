package c14n

import (
	"fmt"
	"io"
)

// SignatureNamespace is that of XML Signature.
const SignatureNamespace = "http://www.w3.org/2000/09/xmldsig#"

// ExclusiveNamespace is that of InclusiveNamespaces, which has the PrefixList of
// exclusive canonicalization.
const ExclusiveNamespace = "http://www.w3.org/2001/10/xml-exc-c14n#"

// Element is where an element stands, in bytes from the document's beginning.
type Element struct {
	Start   int64 // of its start tag
	Content int64 // after its start tag
	Tail    int64 // of its end tag
	End     int64 // after it
	Depth   int   // 1 for the root
	Empty   bool  // written as one tag: Content, Tail and End are the same
}

// Contains says whether another element is inside of this one.
func (e Element) Contains(o Element) bool { return e.Content <= o.Start && o.End <= e.Tail }

// Index is what Scan found in a document.
type Index struct {
	Size       int64
	Root       Element
	RootName   string    // as it is written
	Signatures []Element // the Signature elements of XML Signature, by their start

	ids      idTable // into elements
	elements elementTable
}

// Scan reads a whole document and notes where its elements with identifiers
// are, in one of attrs or of DefaultIDs if none are given, and its signatures.
// It refuses what is not well-formed, and identifiers that two elements have
// (ErrDuplicateID): which one a reference means would be the reader's choice.
func Scan(r io.Reader, lim Limits, attrs ...IDAttr) (*Index, error) {
	return ScanEach(r, lim, func(*Event) error { return nil }, attrs...)
}

// ScanEach is Scan for a caller who looks at every event too: a large document is
// read once for both. An error of each ends it.
func ScanEach(r io.Reader, lim Limits, each func(*Event) error, attrs ...IDAttr) (*Index, error) {
	p := &Pass{s: NewScanner(r, lim)}
	return p.run(each, attrs)
}

// ByID gives the element with an identifier.
func (x *Index) ByID(id string) (Element, error) {
	key := keyOf(id)
	i, _, ok := x.ids.find(&key)
	if !ok {
		return Element{}, fmt.Errorf("%w: identifier %s", ErrNoElement, shown([]byte(id)))
	}
	return x.elements.at(i).element(), nil
}

// indexer makes an Index.
type indexer struct {
	s     *Scanner
	attrs []IDAttr
	x     *Index
	open  []noted // elements that are kept and whose end is to come
}

// noted is where an element is kept: in Signatures, in elements, or both; -1 if not.
type noted struct{ depth, signature, element int }

func (b *indexer) start(ev *Event) error {
	e := Element{Start: ev.From, Content: ev.To, Depth: ev.Depth, Empty: ev.Empty}
	n := noted{ev.Depth, -1, -1}
	if ev.Depth == 1 {
		b.x.Root, b.x.RootName = e, string(ev.Name.Full)
	}
	for i := range ev.Attrs {
		id, ok := idOf(&ev.Attrs[i], b.attrs)
		if !ok {
			continue
		}
		key := keyOf(id)
		if k, _, known := b.x.ids.find(&key); known {
			if k != n.element {
				return b.s.refused(ev, ErrDuplicateID, "identifier "+shown(id))
			}
			continue
		}
		if n.element < 0 {
			n.element = b.x.elements.add(e)
		}
		b.x.ids.put(&key, n.element)
	}
	if ev.Name.Is(SignatureNamespace, "Signature") {
		n.signature = len(b.x.Signatures)
		b.x.Signatures = append(b.x.Signatures, e)
	}
	if b.x.ids.n+len(b.x.Signatures) > b.s.lim.IDs {
		return b.s.refused(ev, ErrIDs, fmt.Sprintf("the bound of identifiers and signatures is %d", b.s.lim.IDs))
	}
	if n.element >= 0 || n.signature >= 0 || n.depth == 1 {
		b.open = append(b.open, n)
	}
	return nil
}

func (b *indexer) end(ev *Event) {
	if len(b.open) == 0 || b.open[len(b.open)-1].depth != ev.Depth {
		return
	}
	n := b.open[len(b.open)-1]
	b.open = b.open[:len(b.open)-1]
	if n.depth == 1 {
		b.x.Root.Tail, b.x.Root.End = ev.From, ev.To
	}
	if n.element >= 0 {
		b.x.elements.at(n.element).close(ev.From, ev.To)
	}
	if n.signature >= 0 {
		b.x.Signatures[n.signature].Tail, b.x.Signatures[n.signature].End = ev.From, ev.To
	}
}

// Insertion is how an element is put into a document as the last child of its
// root: all bytes of the document stay, but for the "/>" of a root that is one
// empty tag.
type Insertion struct {
	Offset        int64  // in the document
	Drop          int    // bytes of the document that are left out there
	Before, After string // what is written around the element
}

// Enveloped says where an enveloped signature goes: before the root's end tag.
func (x *Index) Enveloped() Insertion {
	if x.Root.Empty {
		return Insertion{x.Root.End - 2, 2, ">", "</" + x.RootName + ">"}
	}
	return Insertion{Offset: x.Root.Tail}
}

// At is the offset of the element in the new document.
func (i Insertion) At() int64 { return i.Offset + int64(len(i.Before)) }

// Copy writes the document that r reads with the element inserted.
func (i Insertion) Copy(w io.Writer, r io.Reader, element []byte) error {
	if _, err := io.CopyN(w, r, i.Offset); err != nil {
		return fmt.Errorf("c14n: copying the document up to byte %d: %w", i.Offset, err)
	}
	for _, piece := range []string{i.Before, string(element), i.After} {
		if _, err := io.WriteString(w, piece); err != nil {
			return fmt.Errorf("c14n: writing the inserted element: %w", err)
		}
	}
	if _, err := io.CopyN(io.Discard, r, int64(i.Drop)); err != nil {
		return fmt.Errorf("c14n: copying the document: %w", err)
	}
	if _, err := io.Copy(w, r); err != nil {
		return fmt.Errorf("c14n: copying the document: %w", err)
	}
	return nil
}
