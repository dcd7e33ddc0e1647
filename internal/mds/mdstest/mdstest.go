// Package mdstest makes FIDO metadata BLOBs of its own service. For tests only.
package mdstest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"testing"
	"time"
)

// Name is the DNS name in the service's certificate.
const Name = "mds.test.example"

// Service signs BLOBs.
type Service struct {
	Root *x509.Certificate
	Leaf *x509.Certificate
	key  crypto.Signer
	t    testing.TB
}

// Entry is one model of a BLOB.
type Entry struct {
	AAGUID   string
	Statuses []string
	Anchors  []*x509.Certificate
}

// New makes a service with an ES256 or an RS256 key, valid from 2025 to 2045.
func New(t testing.TB, alg string) *Service {
	t.Helper()
	root, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{t: t}
	if s.key = root; alg == "RS256" {
		if s.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			t.Fatal(err)
		}
	} else if s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	from, to := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2045, 1, 1, 0, 0, 0, 0, time.UTC)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Metadata Root"}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	s.Root = issue(t, tmpl, tmpl, root.Public(), root)
	s.Leaf = issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: Name}, DNSNames: []string{Name}, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature,
	}, s.Root, s.key.Public(), root)
	return s
}

func issue(t testing.TB, tmpl, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Blob signs issue no with these entries.
func (s *Service) Blob(no int64, next string, entries ...Entry) []byte {
	s.t.Helper()
	list := []any{}
	for _, e := range entries {
		reports, roots := []any{}, [][]byte{}
		for _, st := range e.Statuses {
			reports = append(reports, map[string]any{"status": st, "effectiveDate": "2026-01-01"})
		}
		for _, c := range e.Anchors {
			roots = append(roots, c.Raw)
		}
		list = append(list, map[string]any{
			"aaguid": e.AAGUID, "timeOfLastStatusChange": "2026-01-01", "statusReports": reports,
			"metadataStatement": map[string]any{
				"aaguid": e.AAGUID, "description": "Test model", "attestationRootCertificates": roots, "protocolFamily": "fido2",
			},
		})
	}
	return s.Sign(map[string]any{"legalHeader": "test", "no": no, "nextUpdate": next, "entries": list}, nil)
}

// Sign makes a BLOB of any payload; header members may be set or, with nil,
// removed.
func (s *Service) Sign(payload any, header map[string]any) []byte {
	s.t.Helper()
	alg := "ES256"
	if _, ok := s.key.(*rsa.PrivateKey); ok {
		alg = "RS256"
	}
	h := map[string]any{"alg": alg, "typ": "JWT", "x5c": [][]byte{s.Leaf.Raw}}
	for k, v := range header {
		if h[k] = v; v == nil {
			delete(h, k)
		}
	}
	enc := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			s.t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := enc(h) + "." + enc(payload)
	return []byte(signed + "." + base64.RawURLEncoding.EncodeToString(s.sign([]byte(signed))))
}

func (s *Service) sign(message []byte) []byte {
	s.t.Helper()
	d := sha256.Sum256(message)
	if k, ok := s.key.(*ecdsa.PrivateKey); ok {
		r, v, err := ecdsa.Sign(rand.Reader, k, d[:])
		if err != nil {
			s.t.Fatal(err)
		}
		return append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...)
	}
	sig, err := s.key.Sign(rand.Reader, d[:], crypto.SHA256)
	if err != nil {
		s.t.Fatal(err)
	}
	return sig
}
