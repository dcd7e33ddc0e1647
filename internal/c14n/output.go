package c14n

import "io"

// output gathers octets for a writer and keeps its first error.
type output struct {
	w   io.Writer
	buf []byte
	err error
}

const outputSize = 32 << 10

func (o *output) init(w io.Writer, buf []byte) { o.w, o.buf = w, buf }

func (o *output) flush() {
	if o.err == nil && len(o.buf) > 0 {
		_, o.err = o.w.Write(o.buf)
	}
	o.buf = o.buf[:0]
}

func (o *output) string(s string) {
	if len(o.buf)+len(s) > cap(o.buf) {
		o.flush()
	}
	o.buf = append(o.buf, s...) // what is written so is short
}

func (o *output) bytes(b []byte) {
	if len(o.buf)+len(b) <= cap(o.buf) {
		o.buf = append(o.buf, b...)
		return
	}
	o.flush()
	if len(b) < cap(o.buf)/2 {
		o.buf = append(o.buf, b...)
	} else if o.err == nil {
		_, o.err = o.w.Write(b)
	}
}

func (o *output) text(b []byte, special bool) {
	if special {
		o.escape(b, textEscapes)
		return
	}
	o.bytes(b)
}

func (o *output) attribute(full, value []byte, special bool) {
	o.string(" ")
	o.bytes(full)
	o.string(`="`)
	if special {
		o.escape(value, valueEscapes)
	} else {
		o.bytes(value)
	}
	o.string(`"`)
}

// escapes says what takes the place of a byte, if anything.
type escapes [256]string

// What Canonical XML 1.0 (section 2.3) replaces in text nodes and in values.
// Constants in all but name; nothing writes to them.
var (
	textEscapes  = &escapes{'&': "&amp;", '<': "&lt;", '>': "&gt;", '\r': "&#xD;"}
	valueEscapes = &escapes{'&': "&amp;", '<': "&lt;", '"': "&quot;", '\t': "&#x9;", '\n': "&#xA;", '\r': "&#xD;"}
)

func (o *output) escape(b []byte, with *escapes) {
	from := 0
	for i, c := range b {
		if r := with[c]; r != "" {
			o.bytes(b[from:i])
			o.string(r)
			from = i + 1
		}
	}
	o.bytes(b[from:])
}
