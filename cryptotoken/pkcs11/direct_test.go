//go:build cgo

package pkcs11

import (
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
)

// BenchmarkDirect is the floor of BenchmarkPKCS11SignWrapped: the same backend
// with the module in this process, as no service may have it.
func BenchmarkDirect(b *testing.B) {
	cfg := provision(b)
	name, value, _ := strings.Cut(cfg.Env[0], "=")
	b.Setenv(name, value)
	m := newBackend()
	defer m.close()
	do := func(req message) message {
		rep := m.handle(req)
		if rep.kind != statusOK {
			b.Fatal(replyError("direct", rep))
		}
		return rep
	}
	do(message{kind: opHello, fields: [][]byte{[]byte(cfg.Module), []byte(cfg.TokenLabel), nil, []byte(testPIN), []byte("assent-kek"), []byte("assent-seal")}})
	w := do(message{kind: opGenerate, fields: [][]byte{[]byte(algo.P256), []byte("assent-kek")}})
	req := message{kind: opSign, num: uint32(algo.ES256), fields: [][]byte{[]byte(algo.P256), []byte("assent-kek"), w.fields[1], make([]byte, 32)}}
	for b.Loop() {
		do(req)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}
