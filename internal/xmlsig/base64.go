package xmlsig

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
)

// decoder takes the canonical form of an element that holds nothing but base64 text, and
// writes what the text stands for (XML Signature, section 6.6.2). It keeps a few bytes.
type decoder struct {
	w     io.Writer
	state int    // 0 in the start tag, 1 in the text, 2 in the end tag
	quote bool   // within a value of the start tag, where > may stand
	held  []byte // characters that are no whole group yet
	end   bool   // padding was seen
	err   error
}

// Write implements io.Writer. What is wrong is told by done, when all of the document was read.
func (d *decoder) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 && d.err == nil {
		switch d.state {
		case 0:
			c := b[0]
			b = b[1:]
			if c == '"' {
				d.quote = !d.quote
			}
			if c == '>' && !d.quote {
				d.state = 1
			}
		case 1:
			i := bytes.IndexByte(b, '<')
			if i < 0 {
				i = len(b)
			} else {
				d.state = 2
			}
			d.text(b[:i])
			b = b[i:]
			if d.state == 2 {
				b = b[1:]
				if len(b) == 0 {
					continue
				}
			}
		default:
			// Of a child the start tag, or a second tag, follows here.
			if bytes.IndexByte(b, '<') >= 0 {
				d.err = fmt.Errorf("%w: elements where base64 is wanted", ErrStructure)
			}
			b = nil
		}
	}
	return n, nil
}

func (d *decoder) text(b []byte) {
	for _, c := range b {
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			continue
		}
		d.held = append(d.held, c)
	}
	whole := len(d.held) / 4 * 4
	if whole == 0 {
		return
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(whole))
	n, err := base64.StdEncoding.Strict().Decode(out, d.held[:whole])
	switch {
	case d.end || err != nil:
		d.err = fmt.Errorf("%w: base64", ErrStructure)
		return
	case n < len(out):
		d.end = true
	}
	d.held = append(d.held[:0], d.held[whole:]...)
	_, d.err = d.w.Write(out[:n])
}

func (d *decoder) done() error {
	if d.err == nil && (len(d.held) > 0 || d.state != 2) {
		return fmt.Errorf("%w: base64 that ends within a group", ErrStructure)
	}
	return d.err
}
