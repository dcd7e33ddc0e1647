package paths_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/paths"
)

var at = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func issue(t *testing.T, c, issuer *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(time.Now().UnixNano()), at.Add(-time.Hour), at.Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// RFC 5280, 6.1.4 (k) and (n), of the anchor too: lists of trusted certificates also have those of services that issue none, and whoever
// has the key of one is no authority. Neither builder takes what it signs, whatever made the first one give up.
func TestAnchorsThatMayNotIssue(t *testing.T) {
	const signs = x509.KeyUsageDigitalSignature
	stamping, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		t.Fatal(err)
	}
	server := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for name, c := range map[string]struct {
		anchor x509.Certificate
		usage  certs.Usage
		spelt  string // the issuer's name in the certificate
		valid  bool
	}{
		"an authority":                        {x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, certs.Document, "Anchor", true},
		"an authority, spelt otherwise":       {x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, certs.Document, "ANCHOR", true},
		"of stamps, spelt otherwise":          {x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, certs.TimeStamp, "ANCHOR", true},
		"no authority":                        {x509.Certificate{BasicConstraintsValid: true, KeyUsage: signs}, certs.Document, "Anchor", false},
		"no authority, spelt otherwise":       {x509.Certificate{BasicConstraintsValid: true, KeyUsage: signs}, certs.Document, "ANCHOR", false},
		"nothing said":                        {x509.Certificate{}, certs.Document, "Anchor", false},
		"may not sign certificates":           {x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: signs}, certs.Document, "Anchor", false},
		"no authority, stamps":                {x509.Certificate{BasicConstraintsValid: true, KeyUsage: signs}, certs.TimeStamp, "Anchor", false},
		"of servers, stamps":                  {x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, ExtKeyUsage: server}, certs.TimeStamp, "Anchor", false},
		"of servers, stamps, spelt otherwise": {x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, ExtKeyUsage: server}, certs.TimeStamp, "ANCHOR", false},
	} {
		var keys [2]*ecdsa.PrivateKey
		for i := range keys {
			if keys[i], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
				t.Fatal(err)
			}
		}
		c.anchor.Subject = pkix.Name{CommonName: "Anchor"}
		anchor := issue(t, &c.anchor, &c.anchor, keys[0], keys[0])
		leaf := &x509.Certificate{Subject: pkix.Name{CommonName: "Mallory"}, KeyUsage: signs}
		if c.usage == certs.TimeStamp {
			leaf.ExtraExtensions = []pkix.Extension{{Id: []int{2, 5, 29, 37}, Critical: true, Value: stamping}}
		}
		end := issue(t, leaf, &x509.Certificate{Subject: pkix.Name{CommonName: c.spelt}}, keys[1], keys[0])
		if path, err := paths.Verify(t.Context(), end, nil, []*x509.Certificate{anchor}, at, c.usage); (err == nil) != c.valid {
			t.Errorf("%s: %v %v", name, path, err)
		}
	}
}
