package pdf

import (
	"bytes"
	"testing"
)

// ADE-04: a dictionary in an object stream that has /Contents in hexadecimal and a key /ByteRange: when it leaves the object
// stream, its /Contents must be encrypted unless it is that of a signature.
func TestADE04StringsLeaveTheObjectStream(t *testing.T) {
	spec := docSpec{kind: "stream", packed: true, pages: 2, form: "direct", annots: "direct", sigField: true, lock: &lockSpec{},
		catalog: "/PieceInfo << /ByteRange [1 2] /Contents <48656C6C6F> /X (clear) >>"}
	in := spec.build()
	out := sign(t, in, testOptions())
	for _, w := range []string{"48656C6C6F", "(clear)", "/Helv 0 Tf"} {
		if bytes.Contains(out[len(in):], []byte(w)) {
			t.Errorf("%s in clear in the update", w)
		}
	}
}
