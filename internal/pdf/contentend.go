package pdf

import "bytes"

// Of pdf.js (findDefaultInlineStreamEnd): it takes the first "EI" for the end of an image behind which so many octets are of a text,
// and in so many stands an operator with its operands. Everything here is as it does it, since where it ends an image earlier or
// later than others, the signer sees another content (ADE-04).
const (
	eiText  = 15
	eiLexed = 75
)

// belief is what pdf.js makes of what stands behind an EI.
type belief uint8

const (
	itGoesOn  belief = iota // and looks for another
	itEnds                  // the image
	itGivesUp               // and draws nothing behind it
)

// searchedEI is where pdf.js finds the end of an image, -1 if nowhere (ADE-04). Of "EEI" and "EIEI" it sees none.
func searchedEI(b []byte, from int) int {
	last, state := -1, 0
	for i := from; i < len(b); i++ {
		switch c := b[i]; {
		case state == 0 && c == 'E', state == 1 && c == 'I':
			state++
			continue
		case state == 2 && (c == ' ' || c == '\n' || c == '\r'):
			last = i - len("EI")
			switch believed(b[i+1:]) {
			case itEnds:
				return last
			case itGivesUp:
				return -1
			}
		}
		state = 0
	}
	switch {
	case state != 2:
		return last
	case last >= 0:
		return -1 // the one or the other, by what stands behind the stream
	}
	return len(b) - len("EI")
}

func believed(b []byte) belief {
	if len(b) == 0 {
		return itEnds
	}
	text := b[:min(len(b), eiText)]
	for i, c := range text {
		if c == 0 && (i+1 == len(text) || text[i+1] != 0) {
			continue
		}
		if c != '\n' && c != '\r' && (c < ' ' || c > 0x7f) {
			return itGoesOn
		}
	}
	l := lexer{b: b[:min(len(b), eiLexed)], eof: true}
	for args := 0; ; args++ {
		if l.skipSpace(); l.pos >= len(l.b) {
			return itGoesOn
		}
		if l.b[l.pos] == ')' {
			return itGivesUp
		}
		t, err := l.next()
		if err != nil {
			return itGoesOn
		}
		switch t.kind {
		case tokString, tokHex, tokName:
			continue
		case tokNumber:
			word := l.b[t.start:t.end]
			if t.end == len(l.b) && len(bytes.Trim(word, "+-.")) == 0 {
				return itGoesOn // only the sign of it is there
			}
			if !plainNumber(word) {
				return itGivesUp // or takes a number and a word: nobody writes that
			}
			continue
		case tokWord:
		default:
			return itGoesOn // brackets are commands to it, and none that it knows
		}
		word := cutWord(l.b[t.start:t.end])
		l.pos = t.start + len(word)
		if constant(word) {
			continue
		}
		n, known := commands(word)
		switch {
		case !known:
			return itGoesOn
		case args == n, n < 0 && args <= mostOf(word):
			return itEnds
		}
		args = -1
	}
}

// commands is how many operands pdf.js wants of a word: those of inline images are operators, too.
func commands(word string) (int, bool) {
	switch word {
	case "BI", "ID":
		return 0, true
	case "EI":
		return 1, true
	}
	n, known := operators[word]
	return n, known
}

func mostOf(colour string) int {
	if colour == "SC" || colour == "sc" {
		return 4
	}
	return mostColours
}

// begun are words by which pdf.js comes to an operator or a constant, letter by letter.
var begun = map[string]bool{"BM": true, "BD": true, "true": true, "fa": true, "fal": true, "fals": true, "false": true, "nu": true, "nul": true, "null": true}

// cutWord is the first of the words that pdf.js makes of one: it ends an operator in front of a letter that would make it none.
func cutWord(word []byte) string {
	known := func(n int) bool {
		_, is := commands(string(word[:n]))
		return is || begun[string(word[:n])]
	}
	n := 1
	for n < len(word) && (!known(n) || known(n+1)) {
		n++
	}
	return string(word[:n])
}
