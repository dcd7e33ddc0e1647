// Package callerca is the small internal CA of one service: it issues samd's TLS
// certificate and those of samd's callers, whose certificates carry identity
// (CN) and role (OU). It vouches for processes and operators inside one
// installation and for nobody's documents.
package callerca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// ErrRole means that samd knows no such role.
var ErrRole = errors.New("callerca: role must be sspu, officer, administrator, operator, auditor or ra")

// Lifetimes. The CA lives long because replacing it replaces everything.
const (
	caLife   = 10 * 365 * 24 * time.Hour
	leafLife = 2 * 365 * 24 * time.Hour
	early    = time.Hour // clocks differ
)

// Names of the CA's files in its folder.
const (
	CertFile = "ca.pem"
	KeyFile  = "ca.key.pem"
)

// CA issues certificates. Its key is a P-256 key in a file.
type CA struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	now  func() time.Time
}

// Create makes a CA in a new folder.
func Create(dir, name string, now func() time.Time) (*CA, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t, err := template(pkix.Name{CommonName: name + " caller CA"}, now(), caLife)
	if err != nil {
		return nil, err
	}
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	ca := &CA{dir: dir, key: key, now: now}
	if ca.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return ca, errors.Join(writeKey(filepath.Join(dir, KeyFile), key), writeCert(filepath.Join(dir, CertFile), der))
}

// Path of the CA's certificate, which both ends trust.
func (ca *CA) Path() string { return filepath.Join(ca.dir, CertFile) }

// Open opens the CA in a folder that Create made.
func Open(dir string, now func() time.Time) (*CA, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, CertFile), filepath.Join(dir, KeyFile))
	if err != nil {
		return nil, fmt.Errorf("callerca: %w", err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("callerca: %s holds no CA", dir)
	}
	return &CA{dir: dir, cert: pair.Leaf, key: key, now: now}, nil
}

// Key signs for the CA; the ceremony's document is its only other use.
func (ca *CA) Key() crypto.Signer { return ca.key }

// Caller issues a client certificate into folder dir: NAME.pem and NAME.key.pem.
func (ca *CA) Caller(dir, name, role string) (certFile, keyFile string, err error) {
	return ca.CallerFile(dir, name, name, role)
}

// CallerFile is Caller with another name for the files.
func (ca *CA) CallerFile(dir, file, name, role string) (certFile, keyFile string, err error) {
	switch role {
	case "sspu", "officer", "administrator", "operator", "auditor", "ra":
	default:
		return "", "", fmt.Errorf("%w: %q", ErrRole, role)
	}
	t, err := template(pkix.Name{CommonName: name, OrganizationalUnit: []string{role}}, ca.now(), leafLife)
	if err != nil {
		return "", "", err
	}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return ca.issue(dir, file, t)
}

// Server issues a server certificate for names and addresses.
func (ca *CA) Server(dir, name string, dns []string, ips []net.IP) (certFile, keyFile string, err error) {
	t, err := template(pkix.Name{CommonName: name}, ca.now(), leafLife)
	if err != nil {
		return "", "", err
	}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	t.DNSNames, t.IPAddresses = dns, ips
	return ca.issue(dir, name, t)
}

func (ca *CA) issue(dir, name string, t *x509.Certificate) (certFile, keyFile string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, t, ca.cert, key.Public(), ca.key)
	if err != nil {
		return "", "", err
	}
	certFile, keyFile = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key.pem")
	return certFile, keyFile, errors.Join(writeKey(keyFile, key), writeCert(certFile, der))
}

func template(subject pkix.Name, now time.Time, life time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{SerialNumber: serial, Subject: subject, NotBefore: now.Add(-early), NotAfter: now.Add(life)}, nil
}

// writeKey never overwrites: a key that is there may be in use.
func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writeNew(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

func writeCert(path string, der []byte) error {
	return writeNew(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

func writeNew(path string, b []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}
