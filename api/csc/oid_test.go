package csc_test

import (
	"crypto"
	"errors"
	"testing"

	"github.com/assent-sign/assent/api/csc"
	"github.com/assent-sign/assent/internal/algo"
)

// T14: every algorithm of the closed set has one way in, and nothing else has.
func TestSignAlgorithmsAreTheClosedSet(t *testing.T) {
	for _, a := range algo.All() {
		got, err := csc.ParseSign(csc.SignOID(a), a.Hash())
		if err != nil || got != a {
			t.Errorf("ParseSign(%s with hash) = %v, %v", a, got, err)
		}
		got, err = csc.ParseSign(csc.SignOID(a), 0)
		if a.IsPSS() != (err != nil) {
			t.Errorf("ParseSign(%s without hash) = %v, %v", a, got, err)
		}
		for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
			if h != a.Hash() && !a.IsPSS() {
				if got, err := csc.ParseSign(csc.SignOID(a), h); err == nil {
					t.Errorf("%s with contradicting %v accepted as %s", a, h, got)
				}
			}
		}
	}
	for _, bad := range []string{"", "1.2.840.113549.1.1.5", "1.2.840.10045.4.1", "1.2.840.113549.1.1.4", "1.2.840.113549.1.1", "ES256", "0.4.0.127.0.7.1.1.4.1.3"} {
		for _, h := range []crypto.Hash{0, crypto.SHA256} {
			if _, err := csc.ParseSign(bad, h); !errors.Is(err, csc.ErrAlgorithm) {
				t.Errorf("ParseSign(%q) = %v", bad, err)
			}
		}
	}
	if _, err := csc.ParseSign(csc.OIDRSA, 0); err == nil {
		t.Error("a bare RSA key identifier without a digest was accepted")
	}
	for _, bad := range []string{"1.3.14.3.2.26", "1.2.840.113549.2.5", "2.16.840.1.101.3.4.2.4", "sha256", ""} {
		if _, err := csc.ParseHash(bad); err == nil {
			t.Errorf("ParseHash(%q) accepted", bad)
		}
	}
}
