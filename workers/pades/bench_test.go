package pades_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/pades"
	"github.com/assent-sign/assent/workers/workertest"
)

// BenchmarkSign is the whole of a B-B signature, at once and in two steps with the state stored in between, but for what the
// disk costs if the temporary folder has none; the comparison with a floor and with peers is `make bench`.
func BenchmarkSign(b *testing.B) {
	pki := workertest.NewPKI(b)
	_, _, chain := pki.Key(b, "anna", algo.P256, certs.SignerProfile)
	set, err := workers.NewSet(context.Background(), []workers.Config{{Name: "pdf", Kind: "pades", Token: "local", Key: "anna", Chain: chain}},
		pki.Options(map[string]workers.Kind{"pades": pades.Kind()}, nil))
	if err != nil {
		b.Fatal(err)
	}
	e, err := set.Get("pdf")
	if err != nil {
		b.Fatal(err)
	}
	for _, doc := range []struct {
		name string
		file []byte
	}{{"minimal", minimalPDF()}, {"50KiB", streamPDF(50 << 10)}, {"1MiB", streamPDF(1 << 20)}} {
		in := filepath.Join(b.TempDir(), "in.pdf")
		if err := os.WriteFile(in, doc.file, 0o600); err != nil {
			b.Fatal(err)
		}
		b.Run(doc.name+"/at once", func(b *testing.B) { benchSign(b, in, e, signNow) })
		b.Run(doc.name+"/two steps", func(b *testing.B) { benchSign(b, in, e, signInTwoSteps) })
	}
}

func benchSign(b *testing.B, in string, e *workers.Entry, sign func(*workers.Entry, workers.Input, workers.Output) error) {
	b.Helper()
	f, err := os.Open(in)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	out := filepath.Join(b.TempDir(), "o.pdf")
	b.ReportAllocs()
	for b.Loop() {
		o, err := os.Create(out)
		if err != nil {
			b.Fatal(err)
		}
		if err := sign(e, workers.Input{Document: f, Size: st.Size(), Name: "a", Chain: e.Chain, Time: time.Now(), Alg: algo.ES256}, o); err != nil {
			b.Fatal(err)
		}
		_ = o.Close()
	}
}

func signNow(e *workers.Entry, in workers.Input, out workers.Output) error {
	_, err := workers.SignNow(context.Background(), e, in, out)
	return err
}

func signInTwoSteps(e *workers.Entry, in workers.Input, out workers.Output) error {
	p, err := e.Worker.Prepare(context.Background(), in, out)
	if err != nil {
		return err
	}
	state, err := json.Marshal(p)
	if err != nil {
		return err
	}
	sig, err := e.Signer.Sign(rand.Reader, p.DTBSR, in.Alg.SignerOpts())
	if err != nil {
		return err
	}
	var later workers.Prepared
	if err := json.Unmarshal(state, &later); err != nil {
		return err
	}
	_, err = e.Worker.Finish(context.Background(), &later, sig, out)
	return err
}

// streamPDF is a one-page document with a stream of n bytes that no page shows.
func streamPDF(n int) []byte {
	var out bytes.Buffer
	var off [4]int
	out.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	for i, s := range []string{"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] >>"} {
		off[i] = out.Len()
		fmt.Fprintf(&out, "%d 0 obj\n%s\nendobj\n", i+1, s)
	}
	off[3] = out.Len()
	fmt.Fprintf(&out, "4 0 obj\n<< /Length %d >>\nstream\n", n)
	body := make([]byte, n)
	_, _ = mathrand.NewChaCha8([32]byte{1}).Read(body) // never fails
	out.Write(body)
	out.WriteString("\nendstream\nendobj\n")
	xref := out.Len()
	out.WriteString("xref\n0 5\n0000000000 65535 f \n")
	for _, o := range off {
		fmt.Fprintf(&out, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&out, "trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", xref)
	return out.Bytes()
}
