package c14n

import "bytes"

// loose tells Job.Unbound of the prefixes in values and text whose meaning the canonical form does not have.
type loose struct {
	text []byte // of the innermost element, as far as it can be a qualified name
	long bool   // it cannot
}

// maxWords bounds how many names one value or text is looked through for, and maxLoose how long it may be, in bytes.
const (
	maxWords = 16
	maxLoose = 512
)

// tag begins or ends an element.
func (l *loose) tag() { l.text, l.long = l.text[:0], false }

// said adds a piece of text; one text can come in many.
func (c *canonizer) said(text []byte) {
	l := &c.loose
	if l.long = l.long || len(l.text)+len(text) > maxLoose; l.long {
		return
	}
	if l.text = append(l.text, text...); bytes.IndexByte(l.text, ':') > 0 {
		c.names(l.text)
	}
}

// names looks for qualified names that are all of a value or text, one or several.
func (c *canonizer) names(value []byte) {
	if len(value) > maxLoose || bytes.IndexByte(value, ':') <= 0 {
		return
	}
	words := bytes.Fields(value)
	if len(words) > maxWords {
		return
	}
	for _, w := range words {
		end, colon, err := name(append(bytes.Clone(w), ' '), 0, maxLoose)
		if err != nil || colon <= 0 || end != len(w) {
			continue
		}
		prefix := w[:colon]
		actual, bound := c.s.ns.lookup(prefix)
		if written, _ := c.rendered.lookup(prefix); bound && !bytes.Equal(actual, written) {
			c.Unbound(string(prefix))
		}
	}
}
