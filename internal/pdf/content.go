package pdf

import (
	"bytes"
	"slices"
	"strings"
)

// What is drawn is written in content streams (ISO 32000-2, 7.8.2). Readers agree about those that keep to the letter. About others
// each has its own way on: pdf.js takes a word that is no operator apart, PDFium leaves it out, Poppler gives up; one ends an inline
// image where its size says, another where it finds "EI". So one content shows this to the signer and that to others (ADE-04).

// operators are those of ISO 32000-2, table A.1, with the number of their operands; anyNumber for colours.
var operators = func() map[string]int {
	out := map[string]int{}
	for kinds, words := range operands {
		for _, w := range strings.Fields(words) {
			out[w] = len(kinds)
		}
	}
	for _, w := range []string{"SC", "sc", "SCN", "scn"} {
		out[w] = anyNumber
	}
	return out
}()

const (
	anyNumber   = -1
	mostColours = 33 // components of a colour, with the name of a pattern; of more operands pdf.js draws nothing any more
	// mostSaved bounds q without Q: at some depth pdf.js does not come to an end, and Ghostscript ends.
	mostSaved = 1000
	// contentDepth bounds arrays and dictionaries in a content; those of marked content have some levels.
	contentDepth = 32
)

// contentWalk goes over a content once. joints are the places of the line ends that were put between its streams.
type contentWalk struct {
	lexer
	joints []int
	open   []container
	args   []byte // the operands in front of the present token
	drawn  drawnState
}

// oddDrawn says why readers draw a content in different ways, "" if nothing was found (ADE-04).
func oddDrawn(content []byte, joints []int) string {
	_, why := walkContent(content, joints)
	return why
}

// walkContent is oddDrawn, and gives what the content makes use of.
func walkContent(content []byte, joints []int) (*contentUses, string) {
	w := contentWalk{lexer: lexer{b: content, eof: true}, joints: joints}
	why := w.walk()
	return &w.drawn.uses, why
}

func (w *contentWalk) walk() string {
	for {
		if w.blank() {
			return "a comment goes on in the next stream"
		}
		if w.pos >= len(w.b) {
			break
		}
		t, err := w.next()
		if err != nil {
			return "a text that does not end, or a bracket that nothing opens"
		}
		if w.cut(t) {
			return "a word is cut between two streams"
		}
		if why := w.token(t); why != "" {
			return why
		}
	}
	if len(w.open) > 0 {
		return "an array or a dictionary does not end"
	}
	return w.drawn.end()
}

// blank moves over white space and comments, and tells whether a comment goes on over a joint: some end it there.
func (w *contentWalk) blank() bool {
	for w.pos < len(w.b) && (isSpace(w.b[w.pos]) || w.b[w.pos] == '%') {
		if w.b[w.pos] != '%' {
			w.pos++
			continue
		}
		n := bytes.IndexAny(w.b[w.pos:], "\r\n")
		if n < 0 {
			w.pos = len(w.b)
			return false
		}
		w.pos += n
		if _, at := slices.BinarySearch(w.joints, w.pos); at {
			return true
		}
	}
	return false
}

// cut tells whether a joint is within a token, or behind a number or a name that could go on in the next stream.
func (w *contentWalk) cut(t token) bool {
	i, at := slices.BinarySearch(w.joints, t.start)
	if at || i == len(w.joints) || w.joints[i] > t.end {
		return false
	}
	if w.joints[i] < t.end {
		return true
	}
	return (t.kind == tokNumber || t.kind == tokName) && t.end+1 < len(w.b) && isRegular(w.b[t.end+1])
}

// token says what is odd about a token.
func (w *contentWalk) token(t token) string {
	word, kind := w.b[t.start:t.end], byte('s')
	switch t.kind {
	case tokArrayOpen, tokDictOpen:
		if len(w.open) >= contentDepth {
			return "arrays that are too deep"
		}
		w.open = append(w.open, container{kind: t.kind})
		return ""
	case tokArrayClose, tokDictClose:
		n := len(w.open) - 1
		if n < 0 || w.open[n].kind != t.kind-1 {
			return "a bracket that nothing opens"
		}
		if kind = w.open[n].close(); kind == 0 {
			return "a key without a value"
		}
		w.open = w.open[:n]
	case tokNumber:
		if kind = 'n'; !plainNumber(word) || wideNumber(word) {
			return "a number that is none"
		}
	case tokHex:
		if bytes.ContainsFunc(word[1:len(word)-1], notHexadecimal) {
			return "a text of other than hexadecimal digits"
		}
	case tokName:
		kind = 'N'
	case tokWord:
		if len(w.open) == 0 {
			return w.operator(string(word))
		}
		if kind = 'x'; !constant(string(word)) {
			return "an operator within an array"
		}
	}
	w.drawn.operand(word, t.kind, len(w.open) == 0)
	if n := len(w.open); n > 0 {
		if !w.open[n-1].take(kind) {
			return "a key that is no name"
		}
	} else if w.args = append(w.args, kind); len(w.args) > mostColours {
		return "too many operands"
	}
	return ""
}

func (w *contentWalk) operator(op string) string {
	args := w.args
	w.args = w.args[:0]
	if op == "BI" {
		if len(args) > 0 {
			return "too many operands of BI"
		}
		return w.image()
	}
	defer w.drawn.forget()
	n, known := operators[op]
	switch {
	case !known:
		return "a word that is no operator"
	case len(args) < n, n == anyNumber && len(args) == 0:
		return "fewer operands than an operator has"
	case !fits(op, args):
		return "an operand of another kind"
	}
	return w.drawn.operator(op, args)
}

// wideNumber tells whether a number has more digits than all readers take: of an integer above 32 bits PDFium takes 0, and pdf.js what
// it says, which is off the page; a fraction of some hundred digits is none to pdf.js.
func wideNumber(word []byte) bool {
	whole, part, _ := bytes.Cut(word, []byte("."))
	return len(bytes.TrimLeft(whole, "+-")) > 9 || len(part) > 64
}
