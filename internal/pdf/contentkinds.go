package pdf

import "strings"

// operands are the operators by the kinds of their operands: n a number, s a text, N a name, a an array of numbers, t one of texts
// and numbers, p a dictionary or a name. Where another kind stands, pdf.js draws at no place at all or no more, and others take it for
// a zero, so that the signer does not see what they show (ADE-04).
var operands = map[string]string{
	"":  "b B b* B* BT BX EMC ET EX f F f* h n q Q s S T* W W*",
	"n": "G g i j J M TL Tc Tr Ts Tw Tz w", "nn": "d0 l m Td TD", "nnn": "RG rg", "nnnn": "K k re v y", "nnnnnn": "c cm d1 Tm",
	"N": "BMC CS cs Do gs MP ri sh", "Nn": "Tf", "Np": "BDC DP", "an": "d", "s": "Tj '", "t": "TJ", "nns": "\"",
}

// kindsOf are the operands of an operator.
var kindsOf = func() map[string]string {
	out := map[string]string{}
	for kinds, words := range operands {
		for _, w := range strings.Fields(words) {
			out[w] = kinds
		}
	}
	return out
}()

// fits tells whether the last of some operands are of the kinds that an operator has.
func fits(op string, args []byte) bool {
	kinds, known := kindsOf[op]
	if !known { // of colours
		last := len(args) - 1
		pattern := strings.HasSuffix(strings.ToLower(op), "n") && args[last] == 'N'
		return strings.Trim(string(args[:last]), "n") == "" && (pattern || args[last] == 'n')
	}
	for i, got := range args[len(args)-len(kinds):] {
		switch want := kinds[i]; {
		case got == want, want == 't' && got == 'a', want == 'p' && (got == 'N' || got == 'd'):
		default:
			return false
		}
	}
	return true
}

// container is an array or a dictionary that is not closed yet.
type container struct {
	kind   tokenKind
	n      int  // what stands in it
	texts  bool // of an array
	others bool
}

// take enters a kind of value, and tells whether it may stand here.
func (c *container) take(kind byte) bool {
	c.n++
	c.texts = c.texts || kind == 's'
	c.others = c.others || kind != 's' && kind != 'n'
	return c.kind == tokArrayOpen || c.n%2 == 0 || kind == 'N'
}

// close gives the kind of what is closed, 0 for a dictionary with a key without a value.
func (c *container) close() byte {
	switch {
	case c.kind == tokDictOpen && c.n%2 != 0:
		return 0
	case c.kind == tokDictOpen:
		return 'd'
	case c.others:
		return 'x'
	case c.texts:
		return 't'
	}
	return 'a'
}
