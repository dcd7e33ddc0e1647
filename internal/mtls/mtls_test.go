package mtls_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/mtls"
)

type ca struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newCA(t *testing.T) *ca {
	t.Helper()
	c := &ca{t: t, dir: t.TempDir()}
	var err error
	if c.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	c.cert = c.sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, Subject: pkix.Name{CommonName: "ca"}}, c.key)
	c.write("ca.crt", "CERTIFICATE", c.cert.Raw, 0o644)
	return c
}

func (c *ca) sign(tmpl *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	c.t.Helper()
	tmpl.SerialNumber = big.NewInt(time.Now().UnixNano())
	if tmpl.NotBefore.IsZero() {
		tmpl.NotBefore, tmpl.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent := c.cert
	if parent == nil {
		parent = tmpl
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), c.key)
	if err != nil {
		c.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		c.t.Fatal(err)
	}
	return cert
}

func (c *ca) write(name, kind string, der []byte, mode os.FileMode) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		c.t.Fatal(err)
	}
	return path
}

func (c *ca) end(name string, subject pkix.Name) mtls.Files {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	cert := c.sign(&x509.Certificate{
		Subject: subject, DNSNames: []string{"localhost"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		c.t.Fatal(err)
	}
	return mtls.Files{Cert: c.write(name+".crt", "CERTIFICATE", cert.Raw, 0o644), Key: c.write(name+".key", "PRIVATE KEY", der, 0o600), CA: filepath.Join(c.dir, "ca.crt")}
}

// connect makes one handshake and returns who the server saw.
func connect(t *testing.T, server, client *tls.Config) (mtls.Identity, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		raw, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return
		}
		c := tls.Client(raw, client)
		_ = c.Handshake()
		_, _ = c.Read(make([]byte, 1))
		_ = c.Close()
	}()
	raw, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := tls.Server(raw, server)
	defer func() { _ = c.Close() }()
	if err := c.Handshake(); err != nil {
		return mtls.Identity{}, err
	}
	cs := c.ConnectionState()
	if cs.Version != tls.VersionTLS13 {
		t.Errorf("version %x", cs.Version)
	}
	return mtls.Peer(&cs)
}

// spkiHash is the key's name, from the public key itself.
func spkiHash(t *testing.T, c tls.Certificate) string {
	t.Helper()
	key, ok := c.PrivateKey.(crypto.Signer)
	if !ok {
		t.Fatalf("%T", c.PrivateKey)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(spki)
	return hex.EncodeToString(sum[:])
}

// IAM-01: identity and role come from the certificate, each exactly once.
func TestPeer(t *testing.T) {
	c := newCA(t)
	server, err := mtls.Server(c.end("server", pkix.Name{CommonName: "samd"}))
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		subject pkix.Name
		want    mtls.Identity
	}{
		"good":      {pkix.Name{CommonName: "anna", OrganizationalUnit: []string{"officer"}}, mtls.Identity{Name: "anna", Role: "officer"}},
		"no role":   {pkix.Name{CommonName: "anna"}, mtls.Identity{}},
		"two roles": {pkix.Name{CommonName: "anna", OrganizationalUnit: []string{"officer", "sspu"}}, mtls.Identity{}},
		"no name":   {pkix.Name{OrganizationalUnit: []string{"officer"}}, mtls.Identity{}},
		"two names": {pkix.Name{CommonName: "anna", OrganizationalUnit: []string{"officer"}, ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: []int{2, 5, 4, 3}, Value: "bob"}, {Type: []int{2, 5, 4, 11}, Value: "officer"}, {Type: []int{2, 5, 4, 3}, Value: "anna"},
		}}, mtls.Identity{}},
	} {
		client, err := mtls.Client(c.end("client-"+name, x.subject), "localhost")
		if err != nil {
			t.Fatal(err)
		}
		if x.want != (mtls.Identity{}) {
			x.want.Key = spkiHash(t, client.Certificates[0])
		}
		got, err := connect(t, server, client)
		if got != x.want || (err != nil) != (x.want == mtls.Identity{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := mtls.Peer(nil); !errors.Is(err, mtls.ErrPeer) {
		t.Errorf("no TLS: %v", err)
	}
	if _, err := mtls.Peer(&tls.ConnectionState{}); !errors.Is(err, mtls.ErrPeer) {
		t.Errorf("no handshake: %v", err)
	}
}

// CHN-02: the other side must be of the one CA, for both ends, and named.
func TestForeignPeers(t *testing.T) {
	c, other := newCA(t), newCA(t)
	name := pkix.Name{CommonName: "anna", OrganizationalUnit: []string{"officer"}}
	server, err := mtls.Server(c.end("server", name))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := mtls.Client(other.end("client", name), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, server, foreign); err == nil {
		t.Error("a client that trusts another CA connected")
	}
	wrongName, err := mtls.Client(c.end("client", name), "samd.example")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, server, wrongName); err == nil {
		t.Error("the server's name was not checked")
	}
}

// CHN-02: certificates that do not count, whatever role they claim: self-signed,
// expired, not yet valid, for servers only, of an issuer that is no CA. Neither
// end has a switch to trust more: what the two constructors give is checked here.
func TestCHN02CertificatesThatDoNotCount(t *testing.T) {
	c := newCA(t)
	server, err := mtls.Server(c.end("server", pkix.Name{CommonName: "samd"}))
	if err != nil {
		t.Fatal(err)
	}
	good, err := mtls.Client(c.end("client", pkix.Name{CommonName: "anna", OrganizationalUnit: []string{"officer"}}), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, server, good); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	for name, conf := range map[string]*tls.Config{"server": server, "client": good} {
		if conf.InsecureSkipVerify || conf.MinVersion != tls.VersionTLS13 || conf.RootCAs == nil && conf.ClientCAs == nil {
			t.Errorf("%s: %+v", name, conf)
		}
	}
	if server.ClientAuth != tls.RequireAndVerifyClientCert {
		t.Errorf("client certificates: %v", server.ClientAuth)
	}
	leaf, err := x509.ParseCertificate(good.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for name, change := range map[string]func(*x509.Certificate){
		"self-signed":   nil,
		"expired":       func(x *x509.Certificate) { x.NotBefore, x.NotAfter = now.Add(-2*time.Hour), now.Add(-time.Minute) },
		"not yet valid": func(x *x509.Certificate) { x.NotBefore, x.NotAfter = now.Add(time.Hour), now.Add(2*time.Hour) },
		"servers only":  func(x *x509.Certificate) { x.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} },
	} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		issuer := c
		if change == nil {
			issuer = &ca{t: t, key: key}
		}
		tmpl := &x509.Certificate{Subject: leaf.Subject, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		if change != nil {
			change(tmpl)
		}
		bad := good.Clone()
		bad.Certificates = []tls.Certificate{{Certificate: [][]byte{issuer.sign(tmpl, key).Raw}, PrivateKey: key}}
		if id, err := connect(t, server, bad); err == nil {
			t.Errorf("%s: connected as %+v", name, id)
		}
	}
	// A certificate "issued" by a caller's own end certificate.
	key, ok := good.Certificates[0].PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		t.Fatal("key")
	}
	sub := (&ca{t: t, key: key, cert: leaf}).sign(&x509.Certificate{Subject: leaf.Subject, ExtKeyUsage: leaf.ExtKeyUsage}, key)
	bad := good.Clone()
	bad.Certificates = []tls.Certificate{{Certificate: [][]byte{sub.Raw, leaf.Raw}, PrivateKey: key}}
	if id, err := connect(t, server, bad); err == nil {
		t.Errorf("issued by an end certificate: connected as %+v", id)
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	c := newCA(t)
	good := c.end("x", pkix.Name{CommonName: "x"})
	other := c.end("y", pkix.Name{CommonName: "y"})
	open := good
	open.Key = filepath.Join(c.dir, "open.key")
	text, err := os.ReadFile(good.Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(open.Key, text, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]mtls.Files{
		"key of another": {Cert: good.Cert, Key: other.Key, CA: good.CA},
		"open key file":  open,
		"no CA":          {Cert: good.Cert, Key: good.Key, CA: good.Key},
		"missing":        {Cert: good.Cert, Key: good.Key, CA: filepath.Join(c.dir, "none")},
		"empty":          {},
	} {
		if _, err := mtls.Server(f); !errors.Is(err, mtls.ErrFiles) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := mtls.Client(good, ""); !errors.Is(err, mtls.ErrFiles) {
		t.Errorf("no server name: %v", err)
	}
}
