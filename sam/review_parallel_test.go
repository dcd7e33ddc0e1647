package sam_test

import (
	"encoding/asn1"
	"errors"
	"math/big"
	"sync"
	"testing"

	"crypto/elliptic"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// otherSpelling gives a second valid signature of the same assertion: (r, n-s)
// verifies wherever (r, s) does, and it is a different redemption.
func otherSpelling(t *testing.T, proof []byte) []byte {
	t.Helper()
	a, err := sap.DecodeAssertion(proof)
	if err != nil {
		t.Fatal(err)
	}
	der, err := sap.UnB64(a.Signature)
	if err != nil {
		t.Fatal(err)
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		t.Fatal(err)
	}
	sig.S.Sub(elliptic.P256().Params().N, sig.S)
	if der, err = asn1.Marshal(sig); err != nil {
		t.Fatal(err)
	}
	a.Signature = sap.B64(der)
	out, err := jcs.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// I2, T08: one approval, redeemed at once many times in two spellings of its
// signature that both verify, and a second approval of the same request over
// another document: the key is used once, by one of them.
func TestReviewOneSessionManyRedemptions(t *testing.T) {
	for range 5 {
		w := samtest.New(t)
		alice := w.NewSigner("alice", algo.P256)
		req := w.Ask(alice, 1)
		approve := func(name string) ([]byte, []byte) {
			items := alice.Items(t, req, 2)
			it := items[len(name)%2]
			it.I, it.Name = 0, name
			full, err := alice.Device.SAD(req, []sap.Item{it})
			if err != nil {
				t.Fatal(err)
			}
			sad, proof, err := alice.Device.Sign(full)
			if err != nil {
				t.Fatal(err)
			}
			return sad, proof
		}
		sadA, proofA := approve("a.pdf")
		sadB, proofB := approve("other.pdf.pdf.")
		before := w.Token.Uses()
		var wg sync.WaitGroup
		var mu sync.Mutex
		answers := map[string]bool{}
		for i := range 30 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				sad, proof := sadA, proofA
				switch i % 3 {
				case 1:
					proof = otherSpelling(t, proofA)
				case 2:
					sad, proof = sadB, proofB
				}
				answer, err := w.Redeem(sad, proof)
				if err != nil {
					if !errors.Is(err, sap.ReasonConsumed) && !errors.Is(err, sap.ReasonCounter) {
						t.Errorf("refused with %v", err)
					}
					return
				}
				mu.Lock()
				answers[string(answer)] = true
				mu.Unlock()
			}()
		}
		wg.Wait()
		if n := w.Token.Uses() - before; n != 1 || len(answers) != 1 {
			t.Errorf("%d key uses, %d different answers", n, len(answers))
		}
		w.Check()
	}
}
