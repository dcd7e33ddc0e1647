package verify_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/assent-sign/assent/cmd/assent/internal/sample"
	"github.com/assent-sign/assent/cmd/assent/internal/verify"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/sap"
)

// kit signs PDFs with keys of a demo CA, without any of the services.
type kit struct {
	ca    *certs.DemoCA
	key   crypto.Signer
	chain [][]byte
	stamp tsp.Stamper
}

func newKit(t testing.TB) *kit {
	t.Helper()
	ca, err := certs.NewDemoCA(certs.DemoConfig{})
	must(t, err)
	k := &kit{ca: ca, key: newKey(t)}
	k.chain, err = ca.IssueKey(k.key, certs.DemoRequest{Profile: certs.SignerProfile, CommonName: "Anna Demo"})
	must(t, err)
	tsaKey := newKey(t)
	tsaChain, err := ca.IssueKey(tsaKey, certs.DemoRequest{Profile: certs.TSAProfile, CommonName: "TSA"})
	must(t, err)
	r := &tsp.Responder{Signer: tsaKey, Alg: algo.ES256, Chain: tsaChain, Policy: []int{1, 3, 6, 1, 4, 1, 99999, 1}}
	must(t, r.Check())
	k.stamp = &tsp.InProcess{Authority: r, Anchors: k.anchors()}
	return k
}

func (k *kit) anchors() []*x509.Certificate { return []*x509.Certificate{k.ca.Root} }

// sign appends one signature; stamped makes it B-T.
func (k *kit) sign(t testing.TB, in []byte, stamped bool) []byte {
	t.Helper()
	var out bytes.Buffer
	p, err := pdf.Prepare(context.Background(), bytes.NewReader(in), int64(len(in)), &out, pdf.SignOptions{
		Time: time.Now(), Hash: crypto.SHA256, Reserve: 16 << 10, Reason: "test"})
	must(t, err)
	attrs, err := sap.PAdESSignedAttributes(p.Digest, k.chain[0])
	must(t, err)
	h := crypto.SHA256.New()
	h.Write(attrs)
	sig, err := k.key.Sign(rand.Reader, h.Sum(nil), crypto.SHA256)
	must(t, err)
	msg, err := cms.Assemble(cms.Input{SignedAttrs: attrs, Alg: algo.ES256, Signature: sig, Chain: k.chain})
	must(t, err)
	if stamped {
		msg, _, err = tsp.StampSignature(context.Background(), k.stamp, msg, crypto.SHA256)
		must(t, err)
	}
	f := fileOf(out.Bytes())
	must(t, pdf.Embed(f, p, msg))
	return *f
}

// fileOf is a file in memory that Embed can patch.
type memFile []byte

func fileOf(b []byte) *memFile { m := memFile(bytes.Clone(b)); return &m }

func (m *memFile) WriteAt(p []byte, off int64) (int, error) { return copy((*m)[off:], p), nil }

func (k *kit) look(t testing.TB, b []byte, opt verify.Options) *verify.Report {
	t.Helper()
	rep, err := verify.File(context.Background(), "test.pdf", bytes.NewReader(b), int64(len(b)), opt)
	must(t, err)
	return rep
}

func (k *kit) trust() verify.Options { return verify.Options{Anchors: k.anchors()} }

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return k
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, b, 0o600))
	return path
}

func contract() []byte { return sample.Contract() }
