package ceremony_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/ceremony"
)

func key(t testing.TB) (*ecdsa.PrivateKey, string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h, err := ceremony.KeyHash(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return k, h
}

func sample(t testing.TB) (*ceremony.Document, map[string]crypto.Signer) {
	t.Helper()
	ca, caHash := key(t)
	signers := map[string]crypto.Signer{ceremony.Authority: ca}
	d := &ceremony.Document{Type: ceremony.Type, Cluster: "main", Created: 1, CA: caHash}
	for name, role := range map[string]string{"o1": "officer", "o2": "officer", "a1": "auditor", "s1": "sspu"} {
		k, h := key(t)
		signers[name] = k
		d.Identities = append(d.Identities, ceremony.Identity{Name: name, Person: "p-" + name, Role: role, Key: h})
	}
	return d, signers
}

// ROL-06: a document holds as it was signed, and with any other byte it does not.
func TestROL06DocumentHoldsAsSigned(t *testing.T) {
	d, signers := sample(t)
	signed, err := ceremony.Sign(d, signers)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ceremony.Open(signed)
	if err != nil || len(got.Identities) != 4 || got.Cluster != "main" {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range signed {
		bad := append([]byte{}, signed...)
		bad[i] ^= 1
		if _, err := ceremony.Open(bad); !errors.Is(err, ceremony.ErrDocument) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	for n := range 40 {
		if _, err := ceremony.Open(signed[:len(signed)-1-n]); !errors.Is(err, ceremony.ErrDocument) {
			t.Fatalf("cut by %d: %v", n+1, err)
		}
	}
}

// ROL-06, ROL-04: who must be there, and who must have signed.
func TestROL06WhoMustBeThere(t *testing.T) {
	for name, change := range map[string]func(*ceremony.Document, map[string]crypto.Signer){
		"one officer twice": func(d *ceremony.Document, _ map[string]crypto.Signer) {
			for i := range d.Identities {
				if d.Identities[i].Role == "officer" {
					d.Identities[i].Person = "same"
				}
			}
		},
		"no auditor": func(d *ceremony.Document, _ map[string]crypto.Signer) {
			for i := range d.Identities {
				d.Identities[i].Role = strings.ReplaceAll(d.Identities[i].Role, "auditor", "operator")
			}
		},
		"officer did not sign":  func(_ *ceremony.Document, s map[string]crypto.Signer) { delete(s, "o2") },
		"CA did not sign":       func(_ *ceremony.Document, s map[string]crypto.Signer) { delete(s, ceremony.Authority) },
		"another key of a CA":   func(_ *ceremony.Document, s map[string]crypto.Signer) { s[ceremony.Authority], _ = key(t) },
		"officer's foreign key": func(_ *ceremony.Document, s map[string]crypto.Signer) { s["o1"], _ = key(t) },
		"identity twice": func(d *ceremony.Document, _ map[string]crypto.Signer) {
			d.Identities = append(d.Identities, d.Identities[0])
		},
		"no key":     func(d *ceremony.Document, _ map[string]crypto.Signer) { d.Identities[3].Key = "" },
		"no person":  func(d *ceremony.Document, _ map[string]crypto.Signer) { d.Identities[0].Person = "" },
		"other type": func(d *ceremony.Document, _ map[string]crypto.Signer) { d.Type = "assent/ceremony/2" },
	} {
		d, signers := sample(t)
		change(d, signers)
		if _, err := ceremony.Sign(d, signers); !errors.Is(err, ceremony.ErrDocument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	d, signers := sample(f)
	signed, err := ceremony.Sign(d, signers)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add([]byte(`{"document":"{}","signatures":[]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		d, err := ceremony.Open(in)
		if err == nil && len(d.Identities) < 3 {
			t.Errorf("%+v", d)
		}
	})
}
