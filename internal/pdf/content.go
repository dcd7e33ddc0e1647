package pdf

import (
	"bytes"
	"slices"
)

// What is drawn is written in content streams (ISO 32000-2, 7.8.2). Readers agree about those that keep to the letter. About others
// each has its own way on: pdf.js takes a word that is no operator apart, PDFium leaves it out, Poppler gives up; one ends an inline
// image where its size says, another where it finds "EI". So one content shows this to the signer and that to others (ADE-04).

// operators are those of ISO 32000-2, table A.1, with the number of their operands; anyNumber for colours.
var operators = map[string]int{
	"b": 0, "B": 0, "b*": 0, "B*": 0, "BDC": 2, "BMC": 1, "BT": 0, "BX": 0, "c": 6, "cm": 6, "CS": 1, "cs": 1, "d": 2, "d0": 2, "d1": 6,
	"Do": 1, "DP": 2, "EMC": 0, "ET": 0, "EX": 0, "f": 0, "F": 0, "f*": 0, "G": 1, "g": 1, "gs": 1, "h": 0, "i": 1, "j": 1, "J": 1,
	"K": 4, "k": 4, "l": 2, "m": 2, "M": 1, "MP": 1, "n": 0, "q": 0, "Q": 0, "re": 4, "RG": 3, "rg": 3, "ri": 1, "s": 0, "S": 0,
	"SC": anyNumber, "sc": anyNumber, "SCN": anyNumber, "scn": anyNumber, "sh": 1, "T*": 0, "Tc": 1, "Td": 2, "TD": 2, "Tf": 2, "Tj": 1, "TJ": 1,
	"TL": 1, "Tm": 6, "Tr": 1, "Ts": 1, "Tw": 1, "Tz": 1, "v": 4, "w": 1, "W": 0, "W*": 0, "y": 4, "'": 1, "\"": 3,
}

const (
	anyNumber   = -1
	mostColours = 33 // components of a colour, with the name of a pattern
	// contentDepth bounds arrays and dictionaries in a content; those of marked content have some levels.
	contentDepth = 32
)

// contentWalk goes over a content once. joints are the places of the line ends that were put between its streams.
type contentWalk struct {
	lexer
	joints []int
	open   []tokenKind // arrays and dictionaries that are not closed yet
	args   int         // operands in front of the present token
	saved  int         // q without Q
}

// oddDrawn says why readers draw a content in different ways, "" if nothing was found (ADE-04).
func oddDrawn(content []byte, joints []int) string {
	w := contentWalk{lexer: lexer{b: content, eof: true}, joints: joints}
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
	return ""
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
	word := w.b[t.start:t.end]
	switch t.kind {
	case tokArrayOpen, tokDictOpen:
		if len(w.open) >= contentDepth {
			return "arrays that are too deep"
		}
		w.open = append(w.open, t.kind)
		return ""
	case tokArrayClose, tokDictClose:
		if len(w.open) == 0 || w.open[len(w.open)-1] != t.kind-1 {
			return "a bracket that nothing opens"
		}
		w.open = w.open[:len(w.open)-1]
	case tokNumber:
		if !plainNumber(word) || wideNumber(word) {
			return "a number that is none"
		}
	case tokHex:
		if bytes.ContainsFunc(word[1:len(word)-1], notHexadecimal) {
			return "a text of other than hexadecimal digits"
		}
	case tokWord:
		if len(w.open) == 0 {
			return w.operator(string(word))
		}
		if !constant(string(word)) {
			return "an operator within an array"
		}
	}
	if len(w.open) == 0 {
		w.args++
	}
	return ""
}

func (w *contentWalk) operator(op string) string {
	args := w.args
	w.args = 0
	if op == "BI" {
		if args > 0 {
			return "too many operands of BI"
		}
		return w.image()
	}
	n, known := operators[op]
	switch {
	case !known:
		return "a word that is no operator"
	case args < n, n == anyNumber && args == 0:
		return "fewer operands than an operator has"
	}
	switch op {
	case "q":
		w.saved++
	case "Q":
		if w.saved--; w.saved < 0 {
			return "Q without q"
		}
	}
	return ""
}

// wideNumber tells whether a number has more digits in front of its point than all readers take: of an integer above 32 bits PDFium
// takes 0, and pdf.js what it says, which is off the page.
func wideNumber(word []byte) bool {
	whole, _, _ := bytes.Cut(word, []byte("."))
	return len(bytes.TrimLeft(whole, "+-")) > 9
}
