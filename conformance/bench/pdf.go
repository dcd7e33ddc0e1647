package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/digitorus/pdf"
	"github.com/digitorus/pdfsign/sign"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/cryptotoken/softtoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/pades"
	"github.com/assent-sign/assent/workers/xades"
)

// bigPDF writes a one-page document with a content-free stream of n bytes.
func bigPDF(path string, n int) error {
	var head bytes.Buffer
	off := make([]int, 5)
	head.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	for i, s := range []string{"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] >>"} {
		off[i+1] = head.Len()
		fmt.Fprintf(&head, "%d 0 obj\n%s\nendobj\n", i+1, s)
	}
	off[4] = head.Len()
	fmt.Fprintf(&head, "4 0 obj\n<< /Length %d >>\nstream\n", n)
	body := make([]byte, n)
	r := mathrand.NewChaCha8([32]byte{1})
	_, _ = r.Read(body) // never fails
	var tail bytes.Buffer
	tail.WriteString("\nendstream\nendobj\n")
	xref := head.Len() + n + tail.Len()
	tail.WriteString("xref\n0 5\n0000000000 65535 f \n")
	for _, o := range off[1:] {
		fmt.Fprintf(&tail, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&tail, "trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", xref)
	return os.WriteFile(path, slicesConcat(head.Bytes(), body, tail.Bytes()), 0o600)
}

func slicesConcat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// signer is a worker with a key at hand, as for a seal.
type signer struct {
	entry *workers.Entry // of PDF
	xml   *workers.Entry
	key   cryptotoken.Signer
	alg   algo.Algorithm
	cert  *x509.Certificate
}

func newSigner(ctx context.Context, dir string, kind algo.KeyType) (*signer, error) {
	tok, err := softtoken.Open(softtoken.Config{Dir: filepath.Join(dir, "token"), PIN: []byte("bench-pin"), Profile: "development", Create: true})
	if err != nil {
		return nil, err
	}
	key, err := tok.CreateKey(ctx, cryptotoken.KeyRef{Label: "k"}, kind)
	if err != nil {
		return nil, err
	}
	ca, err := certs.NewDemoCA(certs.DemoConfig{})
	if err != nil {
		return nil, err
	}
	chain, err := ca.IssueKey(key, certs.DemoRequest{Profile: certs.SignerProfile, CommonName: "bench"})
	if err != nil {
		return nil, err
	}
	set, err := workers.NewSet(ctx, []workers.Config{
		{Name: "pdf", Kind: "pades", Token: "t", Key: "k", Chain: "-"},
		{Name: "xml", Kind: "xades", Token: "t", Key: "k", Chain: "-", Properties: map[string]string{"max_size": strconv.Itoa(1 << 30)}},
	}, workers.Options{
		Kinds: map[string]workers.Kind{"pades": pades.Kind(), "xades": xades.Kind()}, Tokens: map[string]cryptotoken.Token{"t": tok}, Now: time.Now, Random: rand.Reader,
		LoadChain: func(string) ([][]byte, error) { return chain, nil },
	})
	if err != nil {
		return nil, err
	}
	e, err := set.Get("pdf")
	if err != nil {
		return nil, err
	}
	x, err := set.Get("xml")
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(chain[0])
	return &signer{e, x, key, kind.Default(), cert}, err
}

// open opens a contender's input and output.
func open(in, out string) (i, o *os.File, size int64, err error) {
	if i, err = os.Open(in); err != nil {
		return nil, nil, 0, err
	}
	st, err := i.Stat()
	if err == nil {
		o, err = os.Create(out)
	}
	if err != nil {
		return nil, nil, 0, errors.Join(err, i.Close())
	}
	return i, o, st.Size(), nil
}

// atOnce signs as for a seal.
func (s *signer) atOnce(ctx context.Context, in, out string) error {
	f, o, size, err := open(in, out)
	if err != nil {
		return err
	}
	defer closeBoth(f, o)
	_, err = workers.SignNow(ctx, s.entry, workers.Input{Document: f, Size: size, Name: "x.pdf"}, o)
	return err
}

// inTwoSteps signs as for a signer: the prepared file is synced and its state
// stored before anybody is asked, and taken up again when the signature is there.
func (s *signer) inTwoSteps(ctx context.Context, e *workers.Entry, in, out string) error {
	f, o, size, err := open(in, out)
	if err != nil {
		return err
	}
	defer closeBoth(f, o)
	p, err := e.Worker.Prepare(ctx, workers.Input{Document: f, Size: size, Name: "x", Chain: e.Chain, Time: time.Now(), Alg: s.alg}, o)
	if err != nil {
		return err
	}
	state, err := json.Marshal(p)
	if err != nil {
		return err
	}
	sig, err := s.key.Sign(rand.Reader, p.DTBSR, s.alg.SignerOpts())
	if err != nil {
		return err
	}
	var later workers.Prepared
	if err := json.Unmarshal(state, &later); err != nil {
		return err
	}
	_, err = e.Worker.Finish(ctx, &later, sig, o)
	return err
}

func closeBoth(f, o *os.File) { _, _ = f.Close(), o.Close() } // both were read or synced to the end

// bare is what no signer of PDFs can do without, and what it does besides.
type bare struct {
	// twoSteps: the file is synced before the key is asked, so that a signer's answer of tomorrow finds it, and once
	// more when the value is in it.
	twoSteps bool
	// verified: the value is, before it is delivered.
	verified bool
}

// floorBuffer is that of all floors of a process: none is made for a small file.
var floorBuffer = make([]byte, 64<<10)

// room is what a signature takes in a file.
const room = 8 << 10

// floor copies the file, hashes it, signs the hash, writes a signature's place and syncs.
func (s *signer) floor(b bare, in, out string) error {
	f, o, size, err := open(in, out)
	if err != nil {
		return err
	}
	defer closeBoth(f, o)
	h := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(o, h)}, struct{ io.Reader }{f}, floorBuffer); err != nil {
		return err
	}
	if b.twoSteps {
		if _, err := o.WriteAt(floorBuffer[:room], size); err != nil {
			return err
		}
		if err := o.Sync(); err != nil {
			return err
		}
	}
	sum := h.Sum(nil)
	value, err := s.key.Sign(rand.Reader, sum, s.alg.SignerOpts())
	if err != nil {
		return err
	}
	if b.verified {
		if err := algo.Verify(s.cert.PublicKey, s.alg, sum, value); err != nil {
			return err
		}
	}
	if _, err := o.WriteAt(floorBuffer[:room], size); err != nil {
		return err
	}
	return o.Sync()
}

// pdfsign is the Go library that others would take. It neither syncs nor looks at what it made.
func (s *signer) pdfsign(in, out string, synced bool) error {
	f, o, size, err := open(in, out)
	if err != nil {
		return err
	}
	defer closeBoth(f, o)
	rdr, err := pdf.NewReader(f, size)
	if err != nil {
		return err
	}
	err = sign.Sign(f, o, rdr, size, sign.SignData{
		Signature: sign.SignDataSignature{Info: sign.SignDataSignatureInfo{Date: time.Now()}, CertType: sign.ApprovalSignature},
		Signer:    s.key, DigestAlgorithm: crypto.SHA256, Certificate: s.cert,
	})
	if err == nil && synced {
		err = o.Sync()
	}
	return err
}

// The contenders of PDF in this program. Each of ours is beside a floor that syncs as often; both verify the value before
// it is delivered, which the floors do not: what that costs is the difference of "floor, verified". Keys are P-256, the
// dearest to verify beside what signing costs; most qualified certificates are for RSA, which is the other way round.
const (
	floorOnce     = "floor"
	floorVerified = "floor, verified"
	floorTwice    = "floor, two steps"
	oursOnce      = "assent, at once"
	oursTwice     = "assent, two steps"
	floorRSA      = "floor, RSA-3072"
	oursRSA       = "assent, at once, RSA-3072"
	pdfsign       = "digitorus/pdfsign"
	pdfsignSynced = "digitorus/pdfsign + sync"
)

var pdfContenders = []string{floorOnce, floorVerified, oursOnce, floorTwice, oursTwice, floorRSA, oursRSA, pdfsign, pdfsignSynced}

// besides are the contenders that are held against another floor than the first.
var besides = map[string]string{oursTwice: floorTwice, oursRSA: floorRSA}

func benchPDF(ctx context.Context, c config) error {
	heading("PAdES B-B: prepare, sign, verify, finish, sync (floor: copy + SHA-256 + sign + sync; pdfsign and peers do not sync unless it is said)")
	dir, err := os.MkdirTemp(c.dir, "assent-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	jobs, err := startAll(ctx, dir, pdfContenders, pdfPeers)
	if err != nil {
		return err
	}
	defer stopAll(jobs)
	sizes := []int{50 << 10, 100 << 10, 1 << 20, 10 << 20, 100 << 20}
	if c.short {
		sizes = sizes[:3]
	}
	in := filepath.Join(dir, "in.pdf")
	for _, n := range sizes {
		if err := bigPDF(in, n); err != nil {
			return err
		}
		var cs []contender
		for _, p := range jobs {
			c := p.contender(order{In: in, Out: filepath.Join(dir, "out.pdf"), Times: min(max(10<<20/n, 1), 50)})
			c.of = besides[c.name]
			cs = append(cs, c)
		}
		if err := compare(fmt.Sprintf("%d KiB", n>>10), "floor", c.rounds, cs); err != nil {
			return err
		}
	}
	return nil
}
