package crash

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// SAP-03, T23, F24: 1,000 approvals (10,000 in the soak) x 64 parallel redemptions,
// byte-identical ones and ones with fresh assertions over the same approval. The
// token is called exactly once for each approval, and porcupine finds an order of
// the calls that explains every answer: at most one request wins, always with the
// same octets.
func TestSAP03ParallelReplays(t *testing.T) {
	const replays, variants, side = 64, 3, 4
	sads := 1000
	switch {
	case soak():
		sads = 10000
	case testenv.Slowdown > 1: // the race detector looks at every access
		sads = 100
	}
	w := samtest.New(t, func(c *sam.Config) { c.OpenSessions = side * 2 })
	s := w.NewSigner("alice", algo.P256)
	uses := w.Token.Uses()
	start := time.Now()
	var ops []porcupine.Operation
	for done := 0; done < sads; done += side {
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range side {
			sad, proof := w.Approve(s, 1)
			proofs := [][]byte{proof}
			full, err := sap.DecodeSAD(sad)
			must(t, err)
			for range variants - 1 {
				_, p, err := s.Device.Sign(full)
				must(t, err)
				proofs = append(proofs, p)
			}
			for i := range replays {
				p := proofs[i%variants]
				wg.Go(func() {
					call := time.Since(start).Nanoseconds()
					answer, err := w.Redeem(sad, p)
					out := told{"answer", string(answer)}
					if errors.Is(err, sap.ReasonConsumed) {
						out = told{what: "refused"}
					} else if err != nil {
						t.Errorf("redeem: %v", err)
					}
					op := porcupine.Operation{Input: asked{string(sad), string(p)}, Output: out, Call: call, Return: time.Since(start).Nanoseconds()}
					mu.Lock()
					defer mu.Unlock()
					ops = append(ops, op)
				})
			}
		}
		wg.Wait()
	}
	if n := w.Token.Uses() - uses; n != int64(sads) {
		t.Errorf("%d approvals, %d token calls", sads, n)
	}
	if len(ops) != sads*replays {
		t.Errorf("%d calls, want %d", len(ops), sads*replays)
	}
	linearizable(t, false, ops)
	w.Check()
	t.Logf("%d approvals x %d redemptions in %s: %d token calls", sads, replays, time.Since(start).Round(time.Millisecond), w.Token.Uses()-uses)
}
