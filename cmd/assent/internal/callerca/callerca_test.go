package callerca_test

import (
	"crypto/tls"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/assent-sign/assent/cmd/assent/internal/callerca"
	"github.com/assent-sign/assent/internal/mtls"
)

// IAM-01, CHN-02: what the CA issues is what internal/mtls accepts on both ends,
// and the server reads identity and role from it.
func TestCertificatesWorkOverMTLS(t *testing.T) {
	dir := t.TempDir()
	ca := newCA(t, filepath.Join(dir, "ca"))
	serverCert, serverKey, err := ca.Server(filepath.Join(dir, "samd"), "samd", []string{"samd.internal"}, []net.IP{net.IPv4(127, 0, 0, 1)})
	must(t, err)
	cert, key, err := ca.Caller(filepath.Join(dir, "ssad"), "ssad-1", "sspu")
	must(t, err)
	got, err := handshake(t, mtls.Files{Cert: serverCert, Key: serverKey, CA: ca.Path()}, mtls.Files{Cert: cert, Key: key, CA: ca.Path()})
	must(t, err)
	if got.Name != "ssad-1" || got.Role != "sspu" {
		t.Errorf("%+v", got)
	}
	other := newCA(t, filepath.Join(dir, "other"))
	cert, key, err = other.Caller(filepath.Join(dir, "evil"), "ssad-1", "officer")
	must(t, err)
	if _, err := handshake(t, mtls.Files{Cert: serverCert, Key: serverKey, CA: ca.Path()}, mtls.Files{Cert: cert, Key: key, CA: ca.Path()}); err == nil {
		t.Error("a certificate of another CA was accepted")
	}
}

// IAM-04: there is no certificate for a role that samd does not know, and no key
// is ever overwritten.
func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	ca := newCA(t, filepath.Join(dir, "ca"))
	if _, _, err := ca.Caller(dir, "x", "root"); !errors.Is(err, callerca.ErrRole) {
		t.Errorf("%v", err)
	}
	_, _, err := ca.Caller(dir, "x", "officer")
	must(t, err)
	if _, _, err := ca.Caller(dir, "x", "officer"); err == nil {
		t.Error("an existing key was overwritten")
	}
}

func handshake(t *testing.T, server, client mtls.Files) (mtls.Identity, error) {
	t.Helper()
	sc, err := mtls.Server(server)
	must(t, err)
	cc, err := mtls.Client(client, "samd.internal")
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	b, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	a, err := l.Accept()
	must(t, err)
	defer func() { _, _ = a.Close(), b.Close() }()
	s, c := tls.Server(a, sc), tls.Client(b, cc)
	result := make(chan error, 1)
	go func() { result <- c.Handshake() }()
	_ = a.SetDeadline(time.Now().Add(10 * time.Second))
	_ = b.SetDeadline(time.Now().Add(10 * time.Second))
	if err := s.Handshake(); err != nil {
		_ = a.Close()
		return mtls.Identity{}, errors.Join(err, <-result)
	}
	if err := <-result; err != nil {
		return mtls.Identity{}, err
	}
	cs := s.ConnectionState()
	return mtls.Peer(&cs)
}

func newCA(t *testing.T, dir string) *callerca.CA {
	t.Helper()
	ca, err := callerca.Create(dir, "test", time.Now)
	must(t, err)
	return ca
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
