package c14n

import "bytes"

// Kind says what an Event is.
type Kind uint8

// The kinds of events.
const (
	// StartElement is a start tag, or an empty-element tag (Empty), which an
	// EndElement of no bytes follows.
	StartElement Kind = iota + 1
	// EndElement is an end tag.
	EndElement
	// Text is a piece of character data inside the root element, references
	// replaced and line ends normalised. One text node may come in any number of
	// pieces; those of a CDATA section are no different.
	Text
	// Comment is a comment; Text holds its content.
	Comment
	// ProcInst is a processing instruction: Name its target, Text its data.
	ProcInst
)

// Event is one piece of a document. Its byte slices are valid until the next
// call of Next.
type Event struct {
	Kind Kind
	// From and To are the bytes of the document that the event stands for. Those
	// of one pass follow each other without overlap; between them is only what
	// has no event: the byte order mark, the XML declaration, white space outside
	// the root, and the frame of CDATA sections.
	From, To int64
	// Depth is the number of open elements, this one included: 1 for the root.
	Depth int
	// Empty: the element is written as one tag, <a/>.
	Empty bool
	// Name of an element, or target of a processing instruction.
	Name Name
	// Attrs are an element's attributes without namespace declarations, in the
	// order of Canonical XML: by namespace name, then by local name.
	Attrs []Attr
	// Text of a Text, Comment or ProcInst.
	Text []byte

	special bool // Text has characters that canonical text replaces
	ns      *scope
}

// Namespace gives the name that a prefix is bound to where the event stands, of a tag within its element: an expression in
// the element's text is read with these. Empty, if it is bound to none.
func (ev *Event) Namespace(prefix string) string {
	uri, _ := ev.ns.lookup([]byte(prefix))
	return string(uri)
}

// Name is a qualified name and what it means.
type Name struct {
	// Full is the name as it is written: prefix, colon, local name.
	Full []byte
	// Space is the namespace name, empty for none.
	Space []byte

	local int32 // where the local name begins
}

// Prefix is the part before the colon, or empty.
func (n *Name) Prefix() []byte {
	if n.local == 0 {
		return nil
	}
	return n.Full[:n.local-1]
}

// Local is the part after the colon.
func (n *Name) Local() []byte { return n.Full[n.local:] }

// Is compares what the name means.
func (n *Name) Is(space, local string) bool {
	return string(n.Local()) == local && string(n.Space) == space
}

// Attr is an attribute.
type Attr struct {
	Name
	// Value is normalised as that of type CDATA (XML 1.0, section 3.3.3).
	Value []byte

	special bool  // Value has characters that a canonical value replaces
	at      int32 // where it is in the tag, for messages
}

// order compares as Canonical XML sorts (section 2.2): by namespace name, none
// first, then by local name.
func (a *Attr) order(b *Attr) int {
	if len(a.Space) != len(b.Space) || len(a.Space) != 0 && &a.Space[0] != &b.Space[0] {
		if c := bytes.Compare(a.Space, b.Space); c != 0 {
			return c
		}
	}
	return bytes.Compare(a.Local(), b.Local())
}

// declaration is a namespace declaration of a tag.
type declaration struct {
	prefix, uri []byte
	at          int
}
