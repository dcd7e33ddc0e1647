package pkcs11

import (
	"fmt"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
)

func benchToken(b *testing.B, children int) (*Token, cryptotoken.Wrapped) {
	b.Helper()
	cfg := provision(b)
	cfg.Children = children
	tok := mustOpen(b, cfg)
	eventually(b, "all children", func() bool { return liveWorkers(tok) == children })
	w, err := tok.GenerateWrapped(b.Context(), algo.P256)
	if err != nil {
		b.Fatal(err)
	}
	return tok, w
}

// BenchmarkPKCS11SignWrapped is B9: unwrap, sign, destroy with 1 and 2 children
// and enough callers. One child is one module thread.
func BenchmarkPKCS11SignWrapped(b *testing.B) {
	for _, children := range []int{1, 2} {
		b.Run(fmt.Sprintf("children-%d", children), func(b *testing.B) {
			tok, w := benchToken(b, children)
			digests := [][]byte{make([]byte, 32)}
			b.SetParallelism(4)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := tok.SignWrapped(b.Context(), w, algo.ES256, digests); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
		})
	}
}

// BenchmarkOneCaller is what one caller waits, to compare with BenchmarkDirect.
func BenchmarkOneCaller(b *testing.B) {
	tok, w := benchToken(b, 1)
	digests := [][]byte{make([]byte, 32)}
	for b.Loop() {
		if _, err := tok.SignWrapped(b.Context(), w, algo.ES256, digests); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

// BenchmarkIPC is what the child process costs: a request that does nothing.
func BenchmarkIPC(b *testing.B) {
	tok, _ := benchToken(b, 1)
	for b.Loop() {
		if _, err := tok.do(b.Context(), call{req: message{kind: opPing}, repeat: true}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBatch: one unwrap for many digests.
func BenchmarkBatch(b *testing.B) {
	tok, w := benchToken(b, 1)
	digests := make([][]byte, 100)
	for i := range digests {
		digests[i] = make([]byte, 32)
	}
	for b.Loop() {
		if _, err := tok.SignWrapped(b.Context(), w, algo.ES256, digests); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "signatures/s")
}
