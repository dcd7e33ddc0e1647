package certs_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/testenv"
)

func newCA(t testing.TB, cfg certs.DemoConfig) *certs.DemoCA {
	t.Helper()
	ca, err := certs.NewDemoCA(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func issue(t testing.TB, ca *certs.DemoCA, req certs.DemoRequest) []*x509.Certificate {
	t.Helper()
	if req.CommonName == "" {
		req.CommonName = "alice"
	}
	ders, err := ca.IssueKey(newKey(t), req)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := certs.ParseChain(ders)
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

// Each refusal has its own sentinel, so that a validation report can say why.
func TestVerifyNamesTheCause(t *testing.T) {
	ca, other := newCA(t, certs.DemoConfig{}), newCA(t, certs.DemoConfig{})
	now := time.Now()
	signer := issue(t, ca, certs.DemoRequest{Profile: certs.SignerProfile})
	tsa := issue(t, ca, certs.DemoRequest{Profile: certs.TSAProfile})
	client := issue(t, ca, certs.DemoRequest{Profile: certs.TLSClientProfile})
	anchors := []*x509.Certificate{ca.Root}
	for _, c := range []struct {
		name    string
		leaf    *x509.Certificate
		mid     []*x509.Certificate
		anchors []*x509.Certificate
		at      time.Time
		usage   certs.Usage
		want    error
	}{
		{"good document", signer[0], signer[1:], anchors, now, certs.Document, nil},
		{"good time-stamp", tsa[0], tsa[1:], anchors, now, certs.TimeStamp, nil},
		{"good client", client[0], client[1:], anchors, now, certs.TLSClient, nil},
		{"issuing CA as anchor", signer[0], nil, []*x509.Certificate{ca.Issuing}, now, certs.Document, nil},
		{"expired", signer[0], signer[1:], anchors, now.AddDate(2, 0, 0), certs.Document, certs.ErrExpired},
		{"issuer expired", signer[0], signer[1:], anchors, now.AddDate(20, 0, 0), certs.Document, certs.ErrExpired},
		{"not yet valid", signer[0], signer[1:], anchors, now.AddDate(0, 0, -2), certs.Document, certs.ErrNotYetValid},
		{"foreign anchor", signer[0], signer[1:], []*x509.Certificate{other.Root}, now, certs.Document, certs.ErrUnknownIssuer},
		{"missing intermediate", signer[0], nil, anchors, now, certs.Document, certs.ErrUnknownIssuer},
		{"no anchors", signer[0], signer[1:], nil, now, certs.Document, certs.ErrNoAnchors},
		{"signer as TSA", signer[0], signer[1:], anchors, now, certs.TimeStamp, certs.ErrExtKeyUsage},
		{"signer as TLS server", signer[0], signer[1:], anchors, now, certs.TLSServer, certs.ErrExtKeyUsage},
		{"CA as signer", ca.Issuing, nil, anchors, now, certs.Document, certs.ErrKeyUsage},
		{"too many intermediates", signer[0], make([]*x509.Certificate, 101), anchors, now, certs.Document, certs.ErrLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			chain, err := certs.Verify(c.leaf, c.mid, c.anchors, c.at, c.usage)
			if !errors.Is(err, c.want) || (c.want == nil && err != nil) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if (err == nil) != (len(chain) >= 2) {
				t.Errorf("chain of %d with error %v", len(chain), err)
			}
		})
	}
}

// RFC 3161 section 2.3: the purpose must be critical and alone.
func TestTimeStampingMustBeCriticalAndAlone(t *testing.T) {
	key := newKey(t)
	make := func(usages []x509.ExtKeyUsage) *x509.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "DEMO"},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: usages},
			&x509.Certificate{Subject: pkix.Name{CommonName: "DEMO"}}, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for name, usages := range map[string][]x509.ExtKeyUsage{
		"none":         nil,
		"not critical": {x509.ExtKeyUsageTimeStamping},
		"two":          {x509.ExtKeyUsageTimeStamping, x509.ExtKeyUsageCodeSigning},
		"any":          {x509.ExtKeyUsageAny},
	} {
		if err := certs.CheckUsage(make(usages), certs.TimeStamp); !errors.Is(err, certs.ErrExtKeyUsage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Proof of possession: a request whose signature does not fit its key, or whose
// key is outside the closed set, gets no certificate.
func TestDemoCARefusesRequestsWithoutProof(t *testing.T) {
	ca := newCA(t, certs.DemoConfig{})
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "mallory"}}, newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ca.IssueSigner(csr, ""); err != nil {
		t.Fatal(err)
	}
	broken := append([]byte(nil), csr...)
	broken[len(broken)-1] ^= 1
	weak, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weakCSR, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "weak"}}, weak)
	if err != nil {
		t.Fatal(err)
	}
	noName, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, der := range map[string][]byte{"bad signature": broken, "garbage": []byte("x"), "empty": nil,
		"too big": make([]byte, 1<<20), "weak key": weakCSR, "no name": noName} {
		if chain, err := ca.IssueSigner(der, ""); !errors.Is(err, certs.ErrCSR) || chain != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ca.Issue(certs.DemoRequest{CSR: csr}); !errors.Is(err, certs.ErrProfile) {
		t.Errorf("no profile: %v", err)
	}
}

// Nobody can take a demo certificate for a real one; serial numbers are
// positive, of 128 bits and all different; signers may commit to content.
func TestDemoCertificatesSayDemo(t *testing.T) {
	ca := newCA(t, certs.DemoConfig{})
	seen := map[string]bool{}
	all := []*x509.Certificate{ca.Root, ca.Issuing}
	for _, p := range []certs.Profile{certs.SignerProfile, certs.TSAProfile, certs.TLSServerProfile, certs.TLSClientProfile} {
		all = append(all, issue(t, ca, certs.DemoRequest{Profile: p, DNSNames: []string{"localhost"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})[0])
	}
	for _, c := range all {
		if !strings.Contains(c.Subject.CommonName, certs.DemoMark) {
			t.Errorf("subject %s", c.Subject)
		}
		if c.SerialNumber.Sign() != 1 || c.SerialNumber.BitLen() != 128 || seen[c.SerialNumber.String()] {
			t.Errorf("serial number %x", c.SerialNumber)
		}
		seen[c.SerialNumber.String()] = true
	}
	if ku := all[2].KeyUsage; ku != x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment {
		t.Errorf("signer's key usage %v", ku)
	}
	if err := all[4].VerifyHostname("127.0.0.1"); err != nil {
		t.Error(err)
	}
	if err := all[2].VerifyHostname("localhost"); err == nil {
		t.Error("a signer's certificate has a host name")
	}
}

// OpenSSL builds the same paths, and finds the TSA certificate fit for its use.
func TestOpenSSLAcceptsDemoChains(t *testing.T) {
	bin := testenv.Need(t, "openssl")
	for _, kt := range []algo.KeyType{algo.P256, algo.RSA3072} {
		ca := newCA(t, certs.DemoConfig{KeyType: kt})
		dir := t.TempDir()
		write(t, dir, "root.pem", certs.EncodePEM(ca.Root.Raw))
		write(t, dir, "mid.pem", certs.EncodePEM(ca.Issuing.Raw))
		for purpose, p := range map[string]certs.Profile{"any": certs.SignerProfile, "timestampsign": certs.TSAProfile, "sslserver": certs.TLSServerProfile, "sslclient": certs.TLSClientProfile} {
			write(t, dir, "leaf.pem", certs.EncodePEM(issue(t, ca, certs.DemoRequest{Profile: p})[0].Raw))
			cmd := exec.Command(bin, "verify", "-x509_strict", "-purpose", purpose, "-CAfile", "root.pem", "-untrusted", "mid.pem", "leaf.pem")
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s %s: %v\n%s", kt, purpose, err, out)
			}
		}
	}
}

// A saved CA goes on issuing; a folder with a foreign key is refused; keys are
// for the owner only.
func TestDemoCASurvivesARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	ca := newCA(t, certs.DemoConfig{})
	if err := ca.Save(dir); err != nil {
		t.Fatal(err)
	}
	again, err := certs.LoadDemoCA(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	chain := issue(t, again, certs.DemoRequest{Profile: certs.SignerProfile})
	if _, err := certs.Verify(chain[0], chain[1:], []*x509.Certificate{ca.Root}, time.Now(), certs.Document); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"root.key.pem", "issuing.key.pem"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "root.key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "issuing.key.pem", text)
	if _, err := certs.LoadDemoCA(dir, nil); !errors.Is(err, certs.ErrMalformed) {
		t.Errorf("swapped key: %v", err)
	}
}

// PEM files are read whole or not at all, and within limits.
func TestPEMIsStrictAndBounded(t *testing.T) {
	ca := newCA(t, certs.DemoConfig{})
	two, err := certs.ParsePEM(certs.EncodePEM(ca.Root.Raw, ca.Issuing.Raw))
	if err != nil || len(two) != 2 || !two[0].Equal(ca.Root) {
		t.Fatalf("%d certificates, %v", len(two), err)
	}
	key := "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
	for name, c := range map[string]struct {
		text []byte
		want error
	}{
		"empty": {nil, certs.ErrMalformed}, "text": {[]byte("hello"), certs.ErrMalformed},
		"key": {append(certs.EncodePEM(ca.Root.Raw), key...), certs.ErrMalformed},
		"bad": {certs.EncodePEM([]byte("x")), certs.ErrMalformed},
		"big": {make([]byte, 2<<20), certs.ErrLimit},
	} {
		if _, err := certs.ParsePEM(c.text); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	path := filepath.Join(t.TempDir(), "big.pem")
	if err := os.WriteFile(path, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := certs.LoadPEM(path); !errors.Is(err, certs.ErrLimit) {
		t.Errorf("big file: %v", err)
	}
}

func FuzzParsePEM(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := certs.ParsePEM(text)
		if (err == nil) != (len(list) > 0) {
			t.Errorf("%d certificates with error %v", len(list), err)
		}
	})
}

func write(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}
