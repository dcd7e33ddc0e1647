package pades_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/workertest"
)

// What is signed at once is the file that two steps make, to the octet (RSASSA-PKCS1-v1_5 makes one value only), and nothing
// is written into it before the whole message was verified: a value of another key, a chain of another signer, a digest that
// is not the document's, are found without a rehearsal.
func TestSignedAtOnceIsWhatTwoStepsMake(t *testing.T) {
	pki := workertest.NewPKI(t)
	_, _, chain := pki.Key(t, "anna", algo.RSA2048, certs.SignerProfile)
	other, others, _ := pki.Key(t, "other", algo.RSA2048, certs.SignerProfile)
	e, err := newSet(t, pki, workers.Config{Name: "pdf", Kind: "pades", Token: "local", Key: "anna", Chain: chain}).Get("pdf")
	if err != nil {
		t.Fatal(err)
	}
	doc := minimalPDF()
	prepare := func(atOnce bool) (*workers.Prepared, []byte, *os.File) {
		out := workertest.File(t, "out.pdf")
		in := workers.Input{Document: bytes.NewReader(doc), Size: int64(len(doc)), Name: "a", Chain: e.Chain, Alg: algo.RS256, Time: time.Unix(1e9, 0), AtOnce: atOnce}
		p, err := e.Worker.Prepare(context.Background(), in, out)
		if err != nil {
			t.Fatal(err)
		}
		if (p.State == nil) != atOnce || (p.Live != nil) != atOnce {
			t.Fatalf("at once %t: state %q, live %v", atOnce, p.State, p.Live)
		}
		sig, err := e.Signer.Sign(rand.Reader, p.DTBSR, algo.RS256.SignerOpts())
		if err != nil {
			t.Fatal(err)
		}
		return p, sig, out
	}
	var files [2][]byte
	for i, atOnce := range []bool{false, true} {
		p, sig, out := prepare(atOnce)
		before := read(t, out)
		wrong, err := other.Sign(rand.Reader, p.DTBSR, algo.RS256.SignerOpts())
		if err != nil {
			t.Fatal(err)
		}
		bad, digest := *p, *p
		bad.Chain, digest.DocDigest = others, bytes.Repeat([]byte{1}, 32)
		for name, c := range map[string]struct {
			p    *workers.Prepared
			sig  []byte
			want error
		}{"value": {p, wrong, workers.ErrSignature}, "chain": {&bad, sig, workers.ErrSignature}, "digest": {&digest, sig, workers.ErrState}} {
			if _, err := e.Worker.Finish(context.Background(), c.p, c.sig, out); !errors.Is(err, c.want) {
				t.Errorf("another %s: %v", name, err)
			}
		}
		if !bytes.Equal(read(t, out), before) {
			t.Error("something was written for a wrong value")
		}
		if _, err := e.Worker.Finish(context.Background(), p, sig, out); err != nil {
			t.Fatal(err)
		}
		files[i] = read(t, out)
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("another file")
	}
}

func read(t *testing.T, f *os.File) []byte {
	t.Helper()
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return b
}
