// Package pkixtest makes small hierarchies for the tests of what validates paths
// and revocation. Keys are P-256.
package pkixtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	xpkix "crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/pkix"
)

// Now is when everything is judged unless a test says otherwise.
var Now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Entity is a certificate with its key.
type Entity struct {
	*pkix.Certificate
	X509 *x509.Certificate
	Key  crypto.Signer
}

// Make issues a certificate under an issuer, nil for a self-signed one; edit
// changes the template before.
func Make(t testing.TB, name string, issuer *Entity, edit func(*x509.Certificate)) *Entity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return MakeKey(t, name, issuer, key, edit)
}

// MakeKey is Make for a key at hand.
func MakeKey(t testing.TB, name string, issuer *Entity, key crypto.Signer, edit func(*x509.Certificate)) *Entity {
	t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: xpkix.Name{Organization: []string{"Test"}, CommonName: name},
		NotBefore: Now.AddDate(-1, 0, 0), NotAfter: Now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if edit != nil {
		edit(template)
	}
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.X509, issuer.Key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	c, err := pkix.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &Entity{c, parsed, key}
}

// CA makes a template one of an authority that signs certificates and CRLs.
func CA(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid = true, true
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
}

// Pool lists certificates.
func Pool(in ...*Entity) []*pkix.Certificate {
	var out []*pkix.Certificate
	for _, e := range in {
		out = append(out, e.Certificate)
	}
	return out
}
