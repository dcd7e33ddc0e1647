package sap

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/assent-sign/assent/internal/algo"
)

// BLK-02: generated lists against a model written the other way round: a SAD
// encodes when its n is the number of its items and within the cap, the indexes
// count from 0, and no digest occurs twice. Every other list has its reason.
func TestBLK02ListsAgainstAModel(t *testing.T) {
	cert := fixedCert(t, fixedKey(t, "signer"))
	rapid.Check(t, func(r *rapid.T) {
		size := rapid.IntRange(0, 12).Draw(r, "items")
		s := testSAD(t, cert, make([]string, max(size, 1))...)
		s.Items = s.Items[:size]
		seen, indexed, twice := map[string]bool{}, true, false
		for i := range s.Items {
			d := rapid.IntRange(0, 20).Draw(r, "document")
			doc := digest(algo.ES256.Hash(), []byte{byte(d)})
			at := i
			if rapid.IntRange(0, 9).Draw(r, "misplaced") == 0 {
				at = rapid.IntRange(-1, 12).Draw(r, "at")
			}
			s.Items[i] = Item{I: at, Kind: KindPAdES, Name: "a.pdf", Hash: "sha256", Doc: B64(doc), DTBSR: B64(digest(algo.ES256.Hash(), doc))}
			indexed = indexed && at == i
			twice = twice || seen[s.Items[i].DTBSR]
			seen[s.Items[i].DTBSR] = true
		}
		s.Bind.N = size
		if rapid.IntRange(0, 4).Draw(r, "miscounted") == 0 {
			s.Bind.N = rapid.IntRange(-1, MaxItems+2).Draw(r, "n")
		}
		good := size > 0 && s.Bind.N == size && indexed && !twice
		_, err := s.Encode()
		if good != (err == nil) {
			r.Fatalf("n=%d, %d items, indexed %v, twice %v: %v", s.Bind.N, size, indexed, twice, err)
		}
		if err != nil && !errors.Is(err, ReasonCount) && !errors.Is(err, ReasonDuplicateItem) {
			r.Fatalf("refused for another reason: %v", err)
		}
		if errors.Is(err, ReasonDuplicateItem) && !twice {
			r.Fatal("no digest occurs twice")
		}
	})
}
