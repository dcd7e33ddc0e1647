package xmlsig

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/assent-sign/assent/internal/c14n"
)

// Bounds of what is kept of all signatures of a document.
const (
	maxNodes = 1 << 16
	maxText  = 16 << 20
)

// Names of XML Signature and XAdES.
const (
	dsSpace    = c14n.SignatureNamespace
	xadesSpace = "http://uri.etsi.org/01903/v1.3.2#"

	dsig11Space = "http://www.w3.org/2009/xmldsig11#"
)

// node is an element of a signature.
type node struct {
	space, local string
	prefix       string
	at           int64 // of its start tag
	content      int64 // after it
	tail, end    int64 // of its end tag, and after it
	empty        bool  // written as one tag
	attrs        []attr
	text         strings.Builder // its own, without that of its children
	kids         []*node
	more         bool    // it has elements that are not kept
	data         []int64 // where these begin, of an Object or a SignatureProperty; so many as maxData
	crowded      bool    // there are more
	leaves       filter
}

type attr struct{ space, local, value string }

func (n *node) is(space, local string) bool { return n != nil && n.space == space && n.local == local }

// attr gives an attribute without namespace; an element that is not there has none.
func (n *node) attr(local string) (string, bool) {
	if n == nil {
		return "", false
	}
	for _, a := range n.attrs {
		if a.space == "" && a.local == local {
			return a.value, true
		}
	}
	return "", false
}

// all are the children of a name.
func (n *node) all(space, local string) []*node {
	if n == nil {
		return nil
	}
	var out []*node
	for _, k := range n.kids {
		if k.is(space, local) {
			out = append(out, k)
		}
	}
	return out
}

// one follows a path of children, each of which must be the only one of its name.
func (n *node) one(space string, path ...string) *node {
	for _, local := range path {
		list := n.all(space, local)
		if len(list) != 1 {
			return nil
		}
		n = list[0]
	}
	return n
}

// builder keeps the Signature elements of a document, those inside of others too, while it is read. Of
// an Object only what belongs to the signature is kept.
type builder struct {
	found []*node
	open  []*node // within the outermost signature; nil for what is not kept
	nodes int
	bytes int
	depth int
	// instructed: a processing instruction was seen beside the root.
	instructed bool
}

func (b *builder) event(ev *c14n.Event) error {
	switch ev.Kind {
	case c14n.StartElement:
		b.depth++
		return b.start(ev)
	case c14n.ProcInst:
		b.instructed = b.instructed || b.depth == 0
	case c14n.EndElement:
		b.depth--
		if n := b.top(); n != nil {
			n.tail, n.end = ev.From, ev.To
			if n.local == "XPath" {
				n.leaves = n.expression(ev.Namespace)
			}
		}
		if len(b.open) > 0 {
			b.open = b.open[:len(b.open)-1]
		}
	case c14n.Text:
		return b.say(ev.Text)
	}
	return nil
}

// say keeps an element's text. Of that of an Object, which can be a large file in base64, it keeps that there is some.
func (b *builder) say(text []byte) error {
	n := b.top()
	if n == nil {
		return nil
	}
	if n.is(dsSpace, "Object") {
		if text = bytes.TrimSpace(text); len(text) > 0 {
			text = text[:1]
		}
		if n.text.Len() > 0 {
			return nil
		}
	}
	n.text.Write(text)
	return b.kept(0, len(text))
}

func (b *builder) top() *node {
	if len(b.open) == 0 {
		return nil
	}
	return b.open[len(b.open)-1]
}

func (b *builder) kept(nodes, bytes int) error {
	b.nodes, b.bytes = b.nodes+nodes, b.bytes+bytes
	if b.nodes > maxNodes || b.bytes > maxText {
		return fmt.Errorf("%w: signatures of more than %d elements or %d bytes", ErrTooLarge, maxNodes, maxText)
	}
	return nil
}

func (b *builder) start(ev *c14n.Event) error {
	parent, signature := b.top(), ev.Name.Is(dsSpace, "Signature")
	if !signature && (parent == nil || foreign(parent, ev)) {
		parent.holds(ev.From)
		if len(b.open) > 0 {
			b.open = append(b.open, nil)
		}
		return nil
	}
	n := &node{space: string(ev.Name.Space), local: string(ev.Name.Local()), prefix: string(ev.Name.Prefix()), at: ev.From, content: ev.To, empty: ev.Empty}
	size := len(n.space) + len(n.local)
	for i := range ev.Attrs {
		a := &ev.Attrs[i]
		n.attrs = append(n.attrs, attr{string(a.Space), string(a.Local()), string(a.Value)})
		size += len(a.Space) + len(a.Local()) + len(a.Value)
	}
	if parent != nil {
		parent.kids = append(parent.kids, n)
	}
	if signature {
		b.found = append(b.found, n)
	}
	b.open = append(b.open, n)
	return b.kept(1+len(n.attrs), size)
}

// foreign tells whether an element is data inside of an Object or a SignatureProperty.
func foreign(parent *node, ev *c14n.Event) bool {
	if parent.is(dsSpace, "SignatureProperty") {
		return true
	}
	return parent.is(dsSpace, "Object") && !ev.Name.Is(xadesSpace, "QualifyingProperties") && !ev.Name.Is(dsSpace, "Manifest") && !ev.Name.Is(dsSpace, "SignatureProperties")
}

// maxData bounds the elements of an Object that are looked for among the references.
const maxData = 64

// holds notes an element that is not kept.
func (n *node) holds(at int64) {
	if n == nil {
		return
	}
	if n.more = true; len(n.data) == maxData {
		n.crowded = true
		return
	}
	n.data = append(n.data, at)
}
