package cms_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
)

// What OpenSSL signs with P-384 and SHA-256, as many do, is accepted where it is allowed, and only there; a
// changed content is not.
func TestForeignPairsOfKeyAndDigest(t *testing.T) {
	content := []byte("any bytes")
	out, err := openssl(t, map[string][]byte{"c.bin": content, "k.pem": keyPEM(t, algo.P384), "c.pem": certs.EncodePEM(pki().chain(algo.P384)[0])},
		"cms", "-sign", "-cades", "-binary", "-md", "sha256", "-in", "c.bin", "-signer", "c.pem", "-inkey", "k.pem", "-outform", "PEM")
	block, _ := pem.Decode([]byte(out))
	if err != nil || block == nil {
		t.Fatal(err, out)
	}
	check := func(content []byte, allow bool) (*x509.Certificate, error) {
		return verify(block.Bytes, content, cms.VerifyOptions{AllowUnsorted: true, AllowAnyKey: allow})
	}
	if _, err := check(content, true); err != nil {
		t.Error(err)
	}
	if _, err := check(content, false); !errors.Is(err, cms.ErrAlgorithm) {
		t.Errorf("where it is not allowed: %v", err)
	}
	if _, err := check([]byte("other"), true); !errors.Is(err, cms.ErrMessageDigest) {
		t.Errorf("other content: %v", err)
	}
}
