package sam_test

import (
	"bytes"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam/samtest"
)

// SAP-01, SGN-03, AUD-11: the whole way, for every kind of key; the receipt
// verifies off line; a byte-identical retry gets the same bytes and no key use.
func TestActivationEndToEnd(t *testing.T) {
	for _, kt := range []algo.KeyType{algo.P256, algo.P384, algo.RSA3072} {
		t.Run(string(kt), func(t *testing.T) {
			w := samtest.New(t)
			s := w.NewSigner("alice", kt)
			before := w.Token.Uses()
			sad, proof := w.Approve(s, 3)
			answer, err := w.Redeem(sad, proof)
			if err != nil {
				t.Fatal(err)
			}
			a, r := w.Decode(answer)
			if len(a.Signatures) != 3 || len(r.Items) != 3 {
				t.Fatalf("%d signatures, %d receipt items", len(a.Signatures), len(r.Items))
			}
			again, err := w.Redeem(sad, proof)
			if err != nil || !bytes.Equal(again, answer) {
				t.Fatalf("retry: %v, same bytes: %v", err, bytes.Equal(again, answer))
			}
			if n := w.Token.Uses() - before; n != 1 {
				t.Errorf("%d key uses, want 1", n)
			}
			w.Check()
		})
	}
}
