package c14n

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Method is a canonicalization method.
type Method uint8

// The methods, each with or without comments (Job.Comments).
const (
	// Exclusive is Exclusive XML Canonicalization 1.0.
	Exclusive Method = iota + 1
	// Inclusive10 is Canonical XML 1.0.
	Inclusive10
	// Inclusive11 is Canonical XML 1.1.
	Inclusive11
)

// ByURI gives the method and comments of an algorithm identifier of XML Signature.
func ByURI(uri string) (Job, bool) {
	switch uri {
	case "http://www.w3.org/2001/10/xml-exc-c14n#":
		return Job{Method: Exclusive}, true
	case "http://www.w3.org/2001/10/xml-exc-c14n#WithComments":
		return Job{Method: Exclusive, Comments: true}, true
	case "http://www.w3.org/TR/2001/REC-xml-c14n-20010315":
		return Job{Method: Inclusive10}, true
	case "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments":
		return Job{Method: Inclusive10, Comments: true}, true
	case "http://www.w3.org/2006/12/xml-c14n11":
		return Job{Method: Inclusive11}, true
	case "http://www.w3.org/2006/12/xml-c14n11#WithComments":
		return Job{Method: Inclusive11, Comments: true}, true
	}
	return Job{}, false
}

// maxPrefixes bounds a PrefixList.
const maxPrefixes = 64

// Job is one canonical form to be computed.
type Job struct {
	// W receives the octets. Until Canonicalize has returned without an error they
	// are worth nothing.
	W io.Writer
	// Method says how, Comments whether comments are part of it. A reference "#id"
	// of XML Signature has none, whatever its method (XML Signature, section
	// 4.4.3.3).
	Method   Method
	Comments bool
	// Prefixes is the InclusiveNamespaces PrefixList, for Exclusive alone;
	// "#default" stands for the default namespace.
	Prefixes []string
	// Target is what is canonicalized; zero is the whole document.
	Target Target
	// Without, if not 0, is the byte offset of the start tag of an element inside
	// the target that is left out with all that it contains: the Signature of the
	// enveloped-signature transform. The root cannot be left out.
	Without int64
	// Unsigned leaves out every Signature element of XML Signature inside the target,
	// each with all that it contains: the XPath filter
	// not(ancestor-or-self::ds:Signature) of signatures that stand side by side. The
	// target itself cannot be one.
	Unsigned bool
	// Unbound, if not nil, is told, of Exclusive, of each prefix with which a value or a text of the output begins that may be a
	// qualified name, and of which the output does not say what it is bound to in the document: the form is the same whatever that is
	// (Exclusive XML Canonicalization, section 1.3). It can be told of one often.
	Unbound func(prefix string)
}

// Target names a document subset: the document, or an element with all that it
// contains. The zero value is the document.
type Target struct {
	id      string
	attrs   []IDAttr
	offset  int64
	element bool
}

// Document is the whole document, with processing instructions, and comments if
// wanted, outside of the root.
func Document() Target { return Target{} }

// ElementAt is the element whose start tag begins at a byte offset.
func ElementAt(offset int64) Target { return Target{offset: offset, element: true} }

// ElementByID is the one element with an identifier, in one of attrs, or of
// DefaultIDs if none are given. Two such elements are ErrDuplicateID.
func ElementByID(id string, attrs ...IDAttr) Target {
	return Target{id: id, attrs: attrs, element: true}
}

// Canonicalize reads a document once and computes canonical forms of it. It
// always reads to the end: an error means that no output is to be used, since the
// document is not well-formed, is outside of the limits, or does not have the
// element that a job names, exactly once.
//
// The document is held to Canonical XML's refusal of relative namespace names
// with every method.
func Canonicalize(r io.Reader, lim Limits, jobs ...Job) error {
	p := newPass(r, lim)
	if err := p.Add(jobs...); err != nil {
		return err
	}
	for {
		ev, err := p.s.Next()
		if errors.Is(err, io.EOF) {
			return p.finish()
		}
		if err == nil {
			err = p.write(ev)
		}
		if err != nil {
			return err
		}
	}
}

// canonizer writes one canonical form.
type canonizer struct {
	Job
	s   *Scanner
	out output
	ids []IDAttr

	prefixes [][]byte // the PrefixList, "" for the default namespace

	apex    int // depth of the apex element while within it
	skip    int // depth of the element that is left out while within it
	found   bool
	skipped bool

	rendered scope   // what the output's open elements declare
	marks    []int32 // how much of it, for each open element
	pending  []int32 // bindings of rendered that the current tag declares
	attrs    []Attr  // of an apex that inherits
	loose    loose
}

func newCanonizer(s *Scanner, j *Job) (*canonizer, error) {
	c := &canonizer{Job: *j, s: s, ids: j.Target.attrs}
	switch {
	case j.W == nil:
		return nil, fmt.Errorf("%w: no writer", ErrOptions)
	case j.Method < Exclusive || j.Method > Inclusive11:
		return nil, fmt.Errorf("%w: method %d", ErrOptions, j.Method)
	case len(j.Prefixes) > 0 && j.Method != Exclusive:
		return nil, fmt.Errorf("%w: a PrefixList belongs to exclusive canonicalization", ErrOptions)
	case len(j.Prefixes) > maxPrefixes:
		return nil, fmt.Errorf("%w: a PrefixList of %d; the bound is %d", ErrOptions, len(j.Prefixes), maxPrefixes)
	case j.Without < 0 || j.Target.offset < 0:
		return nil, fmt.Errorf("%w: a negative offset", ErrOptions)
	}
	if len(c.ids) == 0 {
		c.ids = DefaultIDs()
	}
	for _, p := range j.Prefixes {
		if p == "#default" {
			p = ""
		} else if end, colon, err := name([]byte(p+" "), 0, s.lim.Name); err != nil || colon >= 0 || end != len(p) {
			return nil, fmt.Errorf("%w: %q in a PrefixList is no prefix", ErrOptions, p)
		}
		c.prefixes = append(c.prefixes, []byte(p))
	}
	if c.rendered.init(); c.Method != Exclusive {
		c.Unbound = nil // it has all that is declared
	}
	return c, nil
}

// event writes what an event adds.
func (c *canonizer) event(ev *Event) error {
	switch ev.Kind {
	case StartElement:
		if err := c.start(ev); err != nil {
			return err
		}
	case EndElement:
		c.loose.tag()
		c.end(ev)
	case Text:
		if c.apex > 0 && c.skip == 0 {
			c.out.text(ev.Text, ev.special)
			if c.Unbound != nil {
				c.said(ev.Text)
			}
		}
	case Comment:
		if c.Comments {
			c.outside(ev, "<!--", "-->")
		}
	case ProcInst:
		c.outside(ev, "<?", "?>")
	}
	return c.out.err
}

// outside writes a comment or processing instruction, which may stand outside of
// the root: then a line feed is between them (Canonical XML 1.0, section 2.3).
func (c *canonizer) outside(ev *Event, before, after string) {
	if c.skip > 0 || c.apex == 0 && c.Target.element {
		return
	}
	if c.s.state == inEpilog {
		c.out.string("\n")
	}
	c.out.string(before)
	if ev.Kind == ProcInst {
		c.out.bytes(ev.Name.Full)
		if len(ev.Text) > 0 {
			c.out.string(" ")
		}
	}
	c.out.bytes(ev.Text)
	c.out.string(after)
	if c.s.state == inProlog {
		c.out.string("\n")
	}
}

// start writes a start tag, if the element is in the subset.
func (c *canonizer) start(ev *Event) error {
	hit, err := c.isTarget(ev)
	if err != nil || c.skip > 0 {
		return err
	}
	isApex := false
	if c.apex == 0 {
		if !hit {
			return nil
		}
		isApex, c.apex = true, ev.Depth
	}
	named := c.Without != 0 && ev.From == c.Without
	if named || c.Unsigned && ev.Name.Is(SignatureNamespace, "Signature") {
		if isApex {
			return c.s.refused(ev, ErrOptions, "the target itself cannot be left out")
		}
		c.skip, c.skipped = ev.Depth, c.skipped || named
		return nil
	}
	c.marks = append(c.marks, int32(len(c.rendered.bound)))
	c.pending = c.pending[:0]
	if c.Method == Exclusive {
		c.exclusive(ev, isApex)
	} else {
		c.inclusive(isApex)
	}
	attrs := ev.Attrs
	if isApex && c.Method != Exclusive {
		if attrs, err = c.inherit(ev); err != nil {
			return err
		}
	}
	c.out.string("<")
	c.out.bytes(ev.Name.Full)
	c.declarations()
	c.loose.tag()
	for i := range attrs {
		c.out.attribute(attrs[i].Full, attrs[i].Value, attrs[i].special)
		if c.Unbound != nil {
			c.names(attrs[i].Value)
		}
	}
	c.out.string(">")
	return nil
}

// isTarget says whether an element is the one that the job names.
func (c *canonizer) isTarget(ev *Event) (bool, error) {
	switch {
	case !c.Target.element:
		c.found = true
		return ev.Depth == 1, nil
	case c.Target.id == "":
		if ev.From != c.Target.offset {
			return false, nil
		}
	default:
		if !hasID(ev, c.ids, c.Target.id) {
			return false, nil
		}
		if c.found {
			return false, c.s.refused(ev, ErrDuplicateID, "identifier "+shown([]byte(c.Target.id)))
		}
	}
	c.found = true
	return true, nil
}

// end writes an end tag.
func (c *canonizer) end(ev *Event) {
	switch {
	case c.skip > 0:
		if ev.Depth == c.skip {
			c.skip = 0
		}
		return
	case c.apex == 0:
		return
	}
	c.out.string("</")
	c.out.bytes(ev.Name.Full)
	c.out.string(">")
	last := len(c.marks) - 1
	c.rendered.pop(int(c.marks[last]))
	c.marks = c.marks[:last]
	if ev.Depth == c.apex {
		c.apex = 0
	}
}

// finish checks that the job found what it names.
func (c *canonizer) finish() error {
	switch {
	case !c.found && c.Target.id != "":
		return fmt.Errorf("%w: identifier %s", ErrNoElement, shown([]byte(c.Target.id)))
	case !c.found:
		return fmt.Errorf("%w: at byte %d", ErrNoElement, c.Target.offset)
	case c.Without != 0 && !c.skipped:
		return fmt.Errorf("%w: to be left out, at byte %d within the target", ErrNoElement, c.Without)
	}
	c.out.flush()
	return c.out.err
}

// render has the current tag declare a prefix, unless the output's innermost
// declaration of it says the same. No declaration says the same as xmlns="".
func (c *canonizer) render(prefix, uri []byte) {
	if old, _ := c.rendered.lookup(prefix); bytes.Equal(old, uri) {
		return
	}
	c.pending = append(c.pending, int32(len(c.rendered.bound)))
	c.rendered.push(prefix, uri)
}

// inclusive chooses the declarations of Canonical XML (section 2.3, namespace
// axis): all in scope at the apex, then each that changes something.
func (c *canonizer) inclusive(isApex bool) {
	if !isApex {
		for i := range c.s.decls {
			if d := &c.s.decls[i]; string(d.prefix) != "xml" {
				c.render(d.prefix, d.uri)
			}
		}
		return
	}
	for i := range c.s.ns.bound {
		if prefix := c.s.ns.prefix(i); c.s.ns.find(prefix) == i && string(prefix) != "xml" {
			c.render(prefix, c.s.ns.uri(i))
		}
	}
}

// exclusive chooses the declarations of Exclusive XML Canonicalization (section
// 3): of the prefixes that the tag uses, and of the PrefixList as inclusive.
func (c *canonizer) exclusive(ev *Event, isApex bool) {
	if prefix := ev.Name.Prefix(); string(prefix) != "xml" {
		c.render(prefix, ev.Name.Space)
	}
	for i := range ev.Attrs {
		a := &ev.Attrs[i]
		if a.local == 0 || len(a.Space) == len(xmlName) && &a.Space[0] == &xmlName[0] {
			continue
		}
		c.render(a.Prefix(), a.Space)
	}
	if !isApex && len(c.s.decls) == 0 {
		return
	}
	for _, p := range c.prefixes {
		if uri, ok := c.s.ns.lookup(p); (ok || len(p) == 0) && string(p) != "xml" {
			c.render(p, uri)
		}
	}
}

// declarations writes the pending ones in order of their prefixes.
func (c *canonizer) declarations() {
	p := c.pending
	if len(p) > 1 {
		slices.SortFunc(p, func(a, b int32) int {
			return bytes.Compare(c.rendered.prefix(int(a)), c.rendered.prefix(int(b)))
		})
	}
	for _, i := range p {
		c.out.string(" xmlns")
		if prefix := c.rendered.prefix(int(i)); len(prefix) > 0 {
			c.out.string(":")
			c.out.bytes(prefix)
		}
		c.out.string(`="`)
		c.out.escape(c.rendered.uri(int(i)), valueEscapes)
		c.out.string(`"`)
	}
}
