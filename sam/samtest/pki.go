package samtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/mtls"
)

// PKI is the caller CA of a module, as files.
type PKI struct {
	t    testing.TB
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	CA   string // file
	n    int64
}

// NewPKI makes a CA in dir.
func NewPKI(t testing.TB, dir string) *PKI {
	t.Helper()
	ca := NewCA(t)
	p := &PKI{t: t, dir: dir, key: ca.Key, cert: ca.Cert, CA: filepath.Join(dir, "ca.crt")}
	writePEM(t, p.CA, "CERTIFICATE", ca.Cert.Raw, 0o644)
	return p
}

// Issue makes a certificate with a name and a role (none when "") and a key on
// the curve, and returns the files of that end.
func (p *PKI) Issue(name, role string, curve elliptic.Curve) mtls.Files {
	p.t.Helper()
	return p.IssueFor(name, role, curve, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
}

// IssueFor is Issue with a validity.
func (p *PKI) IssueFor(name, role string, curve elliptic.Curve, from, to time.Time) mtls.Files {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	p.n++
	subject := pkix.Name{CommonName: name}
	if role != "" {
		subject.OrganizationalUnit = []string{role}
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1000 + p.n), Subject: subject, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, p.cert, key.Public(), p.key)
	if err != nil {
		p.t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		p.t.Fatal(err)
	}
	base := filepath.Join(p.dir, name+"-"+role)
	f := mtls.Files{Cert: base + ".crt", Key: base + ".key", CA: p.CA}
	writePEM(p.t, f.Cert, "CERTIFICATE", der, 0o644)
	writePEM(p.t, f.Key, "PRIVATE KEY", pkcs8, 0o600)
	return f
}

func writePEM(t testing.TB, path, kind string, der []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		t.Fatal(err)
	}
}
