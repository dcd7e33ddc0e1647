package revocation

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	stdpkix "crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/pkix"
)

// remembered is an authority with a list, and a certificate that is on it.
func remembered(t *testing.T, m *Memory) (*pkix.Path, *CRL, time.Time) {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	issue := func(n int64, ca bool, parent *x509.Certificate, pub, priv *ecdsa.PrivateKey) *x509.Certificate {
		c := &x509.Certificate{SerialNumber: big.NewInt(n), Subject: stdpkix.Name{CommonName: string(rune('a' + n))}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
			IsCA: ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
		if parent == nil {
			parent = c
		}
		raw, err := x509.CreateCertificate(rand.Reader, c, parent, pub.Public(), priv)
		if err != nil {
			t.Fatal(err)
		}
		out, err := x509.ParseCertificate(raw)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := issue(1, true, nil, key, key)
	leaf := issue(2, false, root, key, key)
	raw, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: leaf.SerialNumber, RevocationTime: now.Add(-time.Minute)}}}, root, key)
	if err != nil {
		t.Fatal(err)
	}
	var chain []*pkix.Certificate
	for _, c := range []*x509.Certificate{leaf, root} {
		p, err := m.ParseCertificate(c.Raw)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, p)
	}
	list, err := m.ParseCRL(raw)
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.ParseCRL(append([]byte(nil), raw...))
	if err != nil || again != list {
		t.Fatalf("the same list is another one: %v", err)
	}
	return &pkix.Path{Chain: chain}, list, now
}

// I9: what was verified and looked up once is not done again, by whatever Checker; and when the room is
// used up nothing more is done, which the caller is told.
func TestI9MemoryOfStatements(t *testing.T) {
	m := NewMemory()
	path, list, now := remembered(t, m)
	ask := func() error {
		k, err := New(Config{At: now, CRLs: []*CRL{list}, Memory: m})
		if err != nil {
			t.Fatal(err)
		}
		_, err = k.Check(t.Context(), path)
		return err
	}
	if err := ask(); !errors.Is(err, ErrRevoked) {
		t.Fatal(err)
	}
	room := m.Room
	if room >= DefaultRoom {
		t.Error("it cost nothing")
	}
	for range 5 {
		if err := ask(); !errors.Is(err, ErrRevoked) {
			t.Fatal(err)
		}
	}
	if m.Room != room || m.Exhausted() {
		t.Errorf("room %d, then %d", room, m.Room)
	}
	m = NewMemory()
	path, list, now = remembered(t, m)
	m.Room = 100
	if err := ask(); !errors.Is(err, ErrUndetermined) || errors.Is(err, ErrRevoked) || !m.Exhausted() {
		t.Errorf("without room: %v", err)
	}
	if err := m.Question(); !errors.Is(err, ErrLimit) {
		t.Errorf("a question without room: %v", err)
	}
}
