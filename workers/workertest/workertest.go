// Package workertest gives tests of workers a public key infrastructure, files
// as outputs and a token, so that each kind is tested as it is configured.
package workertest

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/cryptotoken/softtoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/workers"
)

// PKI is a demo CA with a token whose keys have certificates.
type PKI struct {
	CA    *certs.DemoCA
	Token cryptotoken.Token
	Root  string // PEM file of the root
	dir   string
}

// NewPKI makes a CA and an empty software token.
func NewPKI(t testing.TB) *PKI {
	t.Helper()
	dir := t.TempDir()
	ca, err := certs.NewDemoCA(certs.DemoConfig{})
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "root.pem")
	if err := os.WriteFile(root, certs.EncodePEM(ca.Root.Raw), 0o644); err != nil {
		t.Fatal(err)
	}
	tok, err := softtoken.Open(softtoken.Config{Dir: filepath.Join(dir, "token"), PIN: []byte("123456"), Profile: "development", Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tok.Close() })
	return &PKI{ca, tok, root, dir}
}

// Key makes a named key with a certificate and returns its chain's file.
func (p *PKI) Key(t testing.TB, label string, kt algo.KeyType, profile certs.Profile) (cryptotoken.Signer, [][]byte, string) {
	t.Helper()
	s, err := p.Token.(cryptotoken.Named).CreateKey(context.Background(), cryptotoken.KeyRef{Label: label}, kt)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := p.CA.IssueKey(s, certs.DemoRequest{Profile: profile, CommonName: label})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(p.dir, label+".pem")
	if err := os.WriteFile(file, certs.EncodePEM(chain...), 0o644); err != nil {
		t.Fatal(err)
	}
	return s, chain, file
}

// throwAways are for the rehearsals of all sets of a test's process.
var throwAways = workers.NewThrowAways(rand.Reader)

// Options are the options of a set over this PKI's token, named "local".
func (p *PKI) Options(kinds map[string]workers.Kind, more map[string]cryptotoken.Token) workers.Options {
	tokens := map[string]cryptotoken.Token{"local": p.Token}
	for k, v := range more {
		tokens[k] = v
	}
	return workers.Options{
		Kinds: kinds, Tokens: tokens, Now: time.Now, Random: rand.Reader, ThrowAways: throwAways,
		LoadChain: func(path string) ([][]byte, error) {
			list, err := certs.LoadPEM(path)
			if err != nil {
				return nil, err
			}
			var out [][]byte
			for _, c := range list {
				out = append(out, c.Raw)
			}
			return out, nil
		},
	}
}

// Approved prepares a document for the worker's own key, and signs what its owner would
// have approved.
func Approved(t testing.TB, e *workers.Entry, in workers.Input, out workers.Output) (*workers.Prepared, []byte) {
	t.Helper()
	p, err := e.Worker.Prepare(context.Background(), in, out)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := e.Signer.Sign(nil, p.DTBSR, in.Alg.SignerOpts())
	if err != nil {
		t.Fatal(err)
	}
	return p, sig
}

// File opens a fresh output file.
func File(t testing.TB, name string) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(t.TempDir(), name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}
