package sam_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
)

// SAP-01, SAP-07, SGN-01: no single-byte mutation of a valid (SAD, proof) is
// accepted: every position of both, with a changed, removed or doubled byte.
func TestNoMutationIsAccepted(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.LockoutLimit = 1 << 30 })
	s := w.NewSigner("alice", algo.P256)
	sad, proof := w.Approve(s, 1)
	uses := w.Token.Uses()
	try := func(sad, proof []byte, what string, i int) {
		if answer, err := w.Redeem(sad, proof); err == nil || answer != nil {
			t.Errorf("%s, position %d: accepted", what, i)
		}
	}
	mutations := func(b []byte, i int, rnd *rand.Rand) [][]byte {
		changed := bytes.Clone(b)
		changed[i] ^= byte(1 + rnd.IntN(255))
		bit := bytes.Clone(b)
		bit[i] ^= 1
		removed := append(bytes.Clone(b[:i]), b[i+1:]...)
		doubled := append(append(bytes.Clone(b[:i]), b[i]), b[i:]...)
		return [][]byte{changed, bit, removed, doubled}
	}
	var wg sync.WaitGroup
	for part := range 8 { // shares commits
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(part)))
			for i := part; i < len(sad); i += 8 {
				for _, m := range mutations(sad, i, rnd) {
					try(m, proof, "SAD", i)
				}
			}
			for i := part; i < len(proof); i += 8 {
				for _, m := range mutations(proof, i, rnd) {
					try(sad, m, "proof", i)
				}
			}
		})
	}
	wg.Wait()
	if n := w.Token.Uses() - uses; n != 0 {
		t.Errorf("%d key uses", n)
	}
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Errorf("the genuine one: %v", err)
	}
	w.Check()
}

// FuzzRedeem, SAP-07: whatever arrives, the module neither signs nor breaks.
func FuzzRedeem(f *testing.F) {
	w := samtest.New(f, func(c *sam.Config) { c.LockoutLimit = 1 << 30 })
	s := w.NewSigner("alice", algo.P256)
	sad, proof := w.Approve(s, 2)
	f.Add(sad, proof[:len(proof)-1], []byte("[]"))
	f.Add(sad[:len(sad)-1], proof, []byte("[]"))
	f.Add([]byte("{}"), []byte("{}"), []byte("[]"))
	f.Add([]byte(nil), []byte(nil), []byte(nil))
	uses := w.Token.Uses()
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		if bytes.Equal(a, sad) && bytes.Equal(b, proof) && string(c) == "[]" {
			return
		}
		if _, err := w.M.Redeem(context.Background(), samtest.SSPU, a, b, c); err == nil {
			t.Error("accepted")
		}
		if w.Token.Uses() != uses {
			t.Error("a key was used")
		}
	})
}

// FuzzRegistration: whatever the SSA hands over, nothing is enrolled.
func FuzzRegistration(f *testing.F) {
	w := samtest.New(f, func(c *sam.Config) { c.WrongCodes = 1 << 30 })
	ctx := context.Background()
	if _, err := w.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "carol", Name: "Carol", Proof: "p"}); err != nil {
		f.Fatal(err)
	}
	code, err := w.M.OpenEnrolment(ctx, samtest.Officer, "carol")
	if err != nil {
		f.Fatal(err)
	}
	req, err := w.M.BeginEnrolment(ctx, samtest.SSPU, code.ID)
	if err != nil {
		f.Fatal(err)
	}
	reg, err := samtest.NewDevice(samtest.Origin, samtest.RPID).Register(w.StatementKey(), req, code.Code)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(reg[:len(reg)-1])
	f.Add(bytes.Replace(reg, []byte("codeProof"), []byte("codeproof"), 1))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.Equal(text, reg) {
			return
		}
		if _, err := w.M.FinishEnrolment(ctx, samtest.SSPU, code.ID, text); err == nil {
			t.Error("enrolled")
		}
	})
}
