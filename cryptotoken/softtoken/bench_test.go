package softtoken

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
)

func BenchmarkSoftSignWrapped(b *testing.B) {
	for _, kt := range []algo.KeyType{algo.P256, algo.RSA2048, algo.RSA3072} {
		b.Run(string(kt), func(b *testing.B) {
			tok := mustOpen(b, config(b, b.TempDir()))
			w, err := tok.GenerateWrapped(b.Context(), kt)
			if err != nil {
				b.Fatal(err)
			}
			digests := [][]byte{make([]byte, 32)}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tok.SignWrapped(b.Context(), w, kt.Default(), digests); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFloor is the least that a per-operation key can cost with the
// standard library: open, parse, sign. ParseRawPrivateKey computes the public
// point again, which SignWrapped does not need.
func BenchmarkFloor(b *testing.B) {
	aead, err := newAEAD(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	digest := make([]byte, 32)
	b.Run("P-256", func(b *testing.B) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		raw, err := key.Bytes()
		if err != nil {
			b.Fatal(err)
		}
		sealed := seal(aead, raw, nil)
		for b.Loop() {
			plain, err := openSealed(aead, sealed, nil)
			if err != nil {
				b.Fatal(err)
			}
			k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), plain)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := ecdsa.SignASN1(rand.Reader, k, digest); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, bits := range map[string]int{"RSA-2048": 2048, "RSA-3072": 3072} {
		b.Run(name, func(b *testing.B) {
			key, err := rsa.GenerateKey(rand.Reader, bits)
			if err != nil {
				b.Fatal(err)
			}
			der, err := x509.MarshalPKCS8PrivateKey(key)
			if err != nil {
				b.Fatal(err)
			}
			sealed := seal(aead, der, nil)
			for b.Loop() {
				plain, err := openSealed(aead, sealed, nil)
				if err != nil {
					b.Fatal(err)
				}
				k, err := x509.ParsePKCS8PrivateKey(plain)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := k.(*rsa.PrivateKey).Sign(rand.Reader, digest, algo.RS256.SignerOpts()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
