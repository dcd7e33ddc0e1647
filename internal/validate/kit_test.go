package validate_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/internal/validate"
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
	return k.stamper(t, 4, 0)
}

// longer is the kit with another time-stamp authority, whose certificate is for years.
func (k *kit) longer(t testing.TB, years int) *kit { return k.stamper(t, years, 0) }

// ahead is the kit with one whose clock is ahead.
func (k *kit) ahead(t testing.TB, by time.Duration) *kit { return k.stamper(t, 4, by) }

func (k *kit) stamper(t testing.TB, years int, ahead time.Duration) *kit {
	t.Helper()
	out := *k
	key := newKey(t)
	chain, err := k.ca.IssueKey(key, certs.DemoRequest{Profile: certs.TSAProfile, CommonName: "TSA",
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().AddDate(years, 0, 0)})
	must(t, err)
	r := &tsp.Responder{Signer: key, Alg: algo.ES256, Chain: chain, Policy: []int{1, 3, 6, 1, 4, 1, 99999, 1},
		Clock: func() time.Time { return time.Now().Add(ahead) }}
	must(t, r.Check())
	out.stamp = &tsp.InProcess{Authority: r, Anchors: k.anchors(), Clock: r.Clock}
	return &out
}

func (k *kit) anchors() []*x509.Certificate { return []*x509.Certificate{k.ca.Root} }

// sign appends one signature; stamped makes it B-T.
func (k *kit) sign(t testing.TB, in []byte, stamped bool) []byte {
	t.Helper()
	return k.close(t, in, stamped, pdf.SignOptions{Time: time.Now(), Hash: crypto.SHA256, Reserve: 16 << 10, Reason: "test"})
}

// finish signs as the options say, at B-B.
func (k *kit) finish(t testing.TB, in []byte, opt pdf.SignOptions) []byte {
	t.Helper()
	return k.close(t, in, false, opt)
}

func (k *kit) close(t testing.TB, in []byte, stamped bool, opt pdf.SignOptions) []byte {
	t.Helper()
	var out bytes.Buffer
	p, err := pdf.Prepare(context.Background(), bytes.NewReader(in), int64(len(in)), &out, opt)
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

func (k *kit) look(t testing.TB, b []byte, opt validate.Options) *validate.Report {
	t.Helper()
	rep, err := validate.File(context.Background(), "test.pdf", bytes.NewReader(b), int64(len(b)), opt)
	must(t, err)
	return rep
}

func (k *kit) trust() validate.Options { return validate.Options{Anchors: k.anchors()} }

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

// contract is two pages that name a sum.
func contract() []byte {
	w := &writer{}
	w.buf.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	w.obj(1, "<< /Type /Catalog /Pages 2 0 R /Lang (en) >>")
	w.obj(2, "<< /Type /Pages /Kids [3 0 R 5 0 R] /Count 2 >>")
	for i, text := range []string{"The rent is 240 euros a year.", "Both sides sign electronically."} {
		w.obj(3+2*i, fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R /Resources << /Font << /F1 7 0 R >> >> >>", 4+2*i))
		w.obj(4+2*i, stream("", "BT /F1 11 Tf 70 760 Td ("+text+") Tj ET"))
	}
	w.obj(7, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
	w.obj(8, "<< /Title (Lease) /CreationDate (D:20260101000000Z) >>")
	return w.finish(8, "/Info 8 0 R")
}
