package tsp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/testenv"
)

var testPolicy = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}

// pair is a key and the chain over it.
type pair struct {
	key   crypto.Signer
	chain [][]byte
}

func (p pair) leaf() *x509.Certificate {
	c, err := x509.ParseCertificate(p.chain[0])
	if err != nil {
		panic(err)
	}
	return c
}

// testCA is shared: tests only issue from it.
var testCA = sync.OnceValue(func() *certs.DemoCA {
	ca, err := certs.NewDemoCA(certs.DemoConfig{})
	if err != nil {
		panic(err)
	}
	return ca
})

var testRSA = sync.OnceValue(func() crypto.Signer {
	k, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		panic(err)
	}
	return k
})

func newKey(t testing.TB, a algo.Algorithm) crypto.Signer {
	t.Helper()
	curve := map[algo.Algorithm]elliptic.Curve{algo.ES256: elliptic.P256(), algo.ES384: elliptic.P384(), algo.ES512: elliptic.P521()}[a]
	if curve == nil {
		return testRSA()
	}
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newPair(t testing.TB, ca *certs.DemoCA, a algo.Algorithm, req certs.DemoRequest) pair {
	t.Helper()
	if req.CommonName == "" {
		req.CommonName = "TSA"
	}
	key := newKey(t, a)
	chain, err := ca.IssueKey(key, req)
	if err != nil {
		t.Fatal(err)
	}
	return pair{key, chain}
}

func newTSA(t testing.TB, a algo.Algorithm) *Responder {
	t.Helper()
	p := newPair(t, testCA(), a, certs.DemoRequest{Profile: certs.TSAProfile})
	r := &Responder{Signer: p.key, Alg: a, Chain: p.chain, Policy: testPolicy, Accuracy: 1500 * 1000 * 1000}
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	return r
}

func anchors() []*x509.Certificate { return []*x509.Certificate{testCA().Root} }

func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func sum(data string) []byte {
	d := sha256.Sum256([]byte(data))
	return d[:]
}

// openssl runs the judge in dir.
func openssl(t testing.TB, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(testenv.Need(t, "openssl"), args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func put(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
