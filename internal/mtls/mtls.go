// Package mtls makes the TLS configurations between our processes: TLS 1.3 only,
// certificates on both sides, P-256 keys, and one file with the CA certificates
// that count. There is no switch to trust more (CHN-02). The certificate also
// carries who the caller is: common name = identity, organisational unit = role.
package mtls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/assent-sign/assent/internal/config"
)

// Errors of this package.
var (
	ErrFiles = errors.New("mtls: certificate, key or CA file cannot be used")
	ErrPeer  = errors.New("mtls: the peer's certificate is not acceptable")
)

// Files are the PEM files of one end.
type Files struct {
	Cert string `yaml:"cert"` // own certificate, then its intermediate CAs
	Key  string `yaml:"key"`  // its P-256 key, readable by the owner only
	CA   string `yaml:"ca"`   // the CA certificates whose peers are accepted, and no others
}

// Identity is what a peer's certificate says.
type Identity struct {
	Name string // subject CN
	Role string // subject OU; the caller decides which roles exist
	Key  string // SHA-256 of the SubjectPublicKeyInfo, hex
}

// Server returns the configuration of a listener. ErrFiles.
func Server(f Files) (*tls.Config, error) {
	cert, pool, err := load(f)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
		// A resumed session would keep a role that was taken away since.
		SessionTicketsDisabled: true,
		NextProtos:             []string{"http/1.1"},
		VerifyConnection:       verifyPeer,
		// Small first records are for pages in browsers: here an answer would go out
		// in seven writes instead of two.
		DynamicRecordSizingDisabled: true,
	}, nil
}

// Client returns the configuration of a caller; serverName must be in the
// server's certificate. ErrFiles.
func Client(f Files, serverName string) (*tls.Config, error) {
	if serverName == "" {
		return nil, fmt.Errorf("%w: no server name to check", ErrFiles)
	}
	cert, pool, err := load(f)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert},
		RootCAs: pool, ServerName: serverName,
		NextProtos:       []string{"http/1.1"},
		VerifyConnection: verifyPeer,

		DynamicRecordSizingDisabled: true,
	}, nil
}

func load(f Files) (tls.Certificate, *x509.CertPool, error) {
	fail := func(err error) (tls.Certificate, *x509.CertPool, error) {
		return tls.Certificate{}, nil, fmt.Errorf("%w: %w", ErrFiles, err)
	}
	certPEM, err := os.ReadFile(f.Cert)
	if err != nil {
		return fail(err)
	}
	keyPEM, err := config.ReadSecret(f.Key)
	if err != nil {
		return fail(err)
	}
	defer keyPEM.Wipe()
	cert, err := tls.X509KeyPair(certPEM, keyPEM.Reveal())
	if err != nil {
		return fail(fmt.Errorf("%s and %s: %w", f.Cert, f.Key, err))
	}
	if k, ok := cert.PrivateKey.(*ecdsa.PrivateKey); !ok || k.Curve != elliptic.P256() {
		return fail(fmt.Errorf("%s: the key must be on P-256", f.Key))
	}
	caPEM, err := os.ReadFile(f.CA)
	if err != nil {
		return fail(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(caPEM) {
		return fail(fmt.Errorf("%s holds no PEM certificate", f.CA))
	}
	return cert, pool, nil
}

func verifyPeer(cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return fmt.Errorf("%w: none shown", ErrPeer)
	}
	k, ok := cs.PeerCertificates[0].PublicKey.(*ecdsa.PublicKey)
	if !ok || k.Curve != elliptic.P256() {
		return fmt.Errorf("%w: its key must be on P-256", ErrPeer)
	}
	return nil
}

// Peer reads identity and role from the verified certificate of a connection.
// Both must be there exactly once (IAM-01). ErrPeer.
func Peer(cs *tls.ConnectionState) (Identity, error) {
	if cs == nil || !cs.HandshakeComplete || len(cs.VerifiedChains) == 0 || len(cs.PeerCertificates) == 0 {
		return Identity{}, fmt.Errorf("%w: no verified certificate", ErrPeer)
	}
	subject := cs.PeerCertificates[0].Subject
	if len(subject.OrganizationalUnit) != 1 {
		return Identity{}, fmt.Errorf("%w: it must name exactly one role (OU)", ErrPeer)
	}
	names := 0
	for _, a := range subject.Names {
		if a.Type.String() == "2.5.4.3" {
			names++
		}
	}
	if names != 1 || subject.CommonName == "" {
		return Identity{}, fmt.Errorf("%w: it must have exactly one common name", ErrPeer)
	}
	key := sha256.Sum256(cs.PeerCertificates[0].RawSubjectPublicKeyInfo)
	return Identity{Name: subject.CommonName, Role: subject.OrganizationalUnit[0], Key: hex.EncodeToString(key[:])}, nil
}
