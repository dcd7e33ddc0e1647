package certs_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/certs"
)

// longKey makes an RSA key of so many primes of 512 bits: two of half its length would take a minute to find.
func longKey(t *testing.T, count int) *rsa.PrivateKey {
	t.Helper()
	n, phi, one := big.NewInt(1), big.NewInt(1), big.NewInt(1)
	var primes []*big.Int
	for range count {
		p, err := rand.Prime(rand.Reader, 512)
		if err != nil {
			t.Fatal(err)
		}
		primes = append(primes, p)
		n.Mul(n, p)
		phi.Mul(phi, new(big.Int).Sub(p, one))
	}
	return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: 65537}, D: new(big.Int).ModInverse(big.NewInt(65537), phi), Primes: primes}
}

// I9: who makes a file chooses the keys of the authorities in it. x509 takes half a minute to verify one signature with a key of half a
// million bits, a hundred of them for a path, and no context interrupts it. Such keys are not tried.
func TestI9KeysThatAreTooLongAreNotTried(t *testing.T) {
	for primes, want := range map[int]error{15: nil, 17: certs.ErrUnknownIssuer} {
		key, long, now := newKey(t), longKey(t, primes), time.Now()
		make := func(cn string, ca bool, parent *x509.Certificate, pub crypto.PublicKey, by crypto.Signer) *x509.Certificate {
			c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: cn}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IsCA: ca, BasicConstraintsValid: true}
			if parent == nil {
				parent = c
			}
			der, err := x509.CreateCertificate(rand.Reader, c, parent, pub, by)
			if err != nil {
				t.Fatal(err)
			}
			out, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		root := make("Root", true, nil, key.Public(), key)
		between := make("Long", true, root, &long.PublicKey, key)
		leaf := make("Alice", false, between, newKey(t).Public(), long)
		if _, err := certs.Verify(leaf, []*x509.Certificate{between}, []*x509.Certificate{root}, now, certs.Document); !errors.Is(err, want) {
			t.Errorf("%d bits: %v", long.N.BitLen(), err)
		}
	}
}
