package cms_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/testenv"
)

// pki is the demo CA and one key and chain for each key type, each made when
// first asked for: RSA keys are slow to make, under fuzzing very slow.
var pki = sync.OnceValue(func() *testPKI {
	ca, err := certs.NewDemoCA(certs.DemoConfig{})
	if err != nil {
		panic(err)
	}
	return &testPKI{ca: ca, pairs: map[algo.KeyType]*testPair{}}
})

type testPKI struct {
	ca    *certs.DemoCA
	mu    sync.Mutex
	pairs map[algo.KeyType]*testPair
}

type testPair struct {
	key   crypto.Signer
	chain [][]byte
}

func (p *testPKI) chain(kt algo.KeyType) [][]byte    { return p.pair(kt).chain }
func (p *testPKI) key(kt algo.KeyType) crypto.Signer { return p.pair(kt).key }

func (p *testPKI) pair(kt algo.KeyType) *testPair {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pairs[kt] == nil {
		key, err := generate(kt)
		if err != nil {
			panic(err)
		}
		chain, err := p.ca.IssueKey(key, certs.DemoRequest{Profile: certs.SignerProfile, CommonName: string(kt)})
		if err != nil {
			panic(err)
		}
		p.pairs[kt] = &testPair{key, chain}
	}
	return p.pairs[kt]
}

func generate(kt algo.KeyType) (crypto.Signer, error) {
	switch kt {
	case algo.P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case algo.P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case algo.P521:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case algo.RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return rsa.GenerateKey(rand.Reader, 3072)
}

// keyFor returns the key type that the algorithm is tested with.
func keyFor(a algo.Algorithm) algo.KeyType {
	switch {
	case a == algo.ES256:
		return algo.P256
	case a == algo.ES384:
		return algo.P384
	case a == algo.ES512:
		return algo.P521
	case a.IsPSS():
		return algo.RSA3072
	}
	return algo.RSA2048
}

func digest(h crypto.Hash, data []byte) []byte {
	d := h.New()
	d.Write(data)
	return d.Sum(nil)
}

// attrs returns the attributes of a PAdES baseline signature.
func attrs(leaf []byte, h crypto.Hash, content []byte) [][]byte {
	return [][]byte{
		cms.ContentTypeAttr(cms.OIDData),
		cms.MessageDigestAttr(digest(h, content)),
		cms.SigningCertificateV2Attr(leaf, h),
	}
}

// input returns a complete, correctly signed Input for content.
func input(t testing.TB, a algo.Algorithm, content []byte) cms.Input {
	t.Helper()
	chain := pki().chain(keyFor(a))
	return signed(t, a, cms.Input{Alg: a, Chain: chain, SignedAttrs: cms.SortedSet(attrs(chain[0], a.Hash(), content))})
}

// signed fills in.Signature.
func signed(t testing.TB, a algo.Algorithm, in cms.Input) cms.Input {
	t.Helper()
	sig, err := pki().key(keyFor(a)).Sign(rand.Reader, digest(a.Hash(), in.SignedAttrs), a.SignerOpts())
	if err != nil {
		t.Fatal(err)
	}
	in.Signature = sig
	return in
}

func assemble(t testing.TB, in cms.Input) []byte {
	t.Helper()
	der, err := cms.Assemble(in)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// verify parses and verifies a detached message as a strict reader.
func verify(der, content []byte, opts cms.VerifyOptions) (*x509.Certificate, error) {
	sd, err := cms.Parse(der)
	if err != nil {
		return nil, err
	}
	si, err := sd.Signer()
	if err != nil {
		return nil, err
	}
	if si.Digest == 0 {
		return sd.Verify(si, nil, opts)
	}
	return sd.Verify(si, digest(si.Digest, content), opts)
}

// openssl runs the judge in a folder that holds the given files.
func openssl(t testing.TB, files map[string][]byte, args ...string) (string, error) {
	t.Helper()
	bin := testenv.Need(t, "openssl")
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(bin, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func opensslVerify(t testing.TB, der, content []byte) (string, error) {
	t.Helper()
	return openssl(t, map[string][]byte{"m.der": der, "c.bin": content, "root.pem": certs.EncodePEM(pki().ca.Root.Raw)},
		"cms", "-verify", "-cades", "-inform", "DER", "-in", "m.der", "-content", "c.bin", "-binary",
		"-CAfile", "root.pem", "-purpose", "any", "-out", "/dev/null")
}

// keyPEM is the key of a type as PKCS#8 for OpenSSL.
func keyPEM(t testing.TB, kt algo.KeyType) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(pki().key(kt))
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
