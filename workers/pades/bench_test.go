package pades_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/pades"
	"github.com/assent-sign/assent/workers/workertest"
)

// BenchmarkSignSmall is the whole of a B-B signature over a tiny document; the
// comparison with a floor and with peers is `make bench`.
func BenchmarkSignSmall(b *testing.B) {
	pki := workertest.NewPKI(b)
	_, _, chain := pki.Key(b, "anna", algo.P256, certs.SignerProfile)
	set, err := workers.NewSet(context.Background(), []workers.Config{{Name: "pdf", Kind: "pades", Token: "local", Key: "anna", Chain: chain}},
		pki.Options(map[string]workers.Kind{"pades": pades.Kind()}, nil))
	if err != nil {
		b.Fatal(err)
	}
	e, _ := set.Get("pdf")
	doc := minimalPDF()
	path := filepath.Join(b.TempDir(), "o.pdf")
	for b.Loop() {
		f, err := os.Create(path)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := workers.SignNow(context.Background(), e, workers.Input{Document: bytes.NewReader(doc), Size: int64(len(doc)), Name: "a"}, f); err != nil {
			b.Fatal(err)
		}
		_ = f.Close()
	}
}
