package cryptotoken_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
)

// ErrNotStarted is added to an error without hiding what it is.
func TestNotStarted(t *testing.T) {
	if cryptotoken.NotStarted(nil) != nil {
		t.Error("no error became one")
	}
	err := cryptotoken.NotStarted(cryptotoken.NotStarted(cryptotoken.ErrBadBlob))
	if !errors.Is(err, cryptotoken.ErrNotStarted) || !errors.Is(err, cryptotoken.ErrBadBlob) || errors.Is(err, cryptotoken.ErrTimeout) {
		t.Errorf("%v matches the wrong errors", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	if err := cryptotoken.Cancelled(ctx); err != nil {
		t.Error(err)
	}
	cause := errors.New("the caller left")
	cancel(cause)
	if err := cryptotoken.Cancelled(ctx); !errors.Is(err, cause) || !errors.Is(err, cryptotoken.ErrNotStarted) {
		t.Errorf("%v, want the cause and ErrNotStarted", err)
	}
}

// Every algorithm survives the way through crypto.SignerOpts; nothing outside
// the closed set does.
func TestAlgorithmOf(t *testing.T) {
	for _, kt := range []algo.KeyType{algo.P256, algo.P384, algo.P521, algo.RSA2048, algo.RSA3072, algo.RSA4096} {
		for _, a := range algo.All() {
			got, err := cryptotoken.AlgorithmOf(kt, a.SignerOpts())
			if kt.Fits(a) && (err != nil || got != a) {
				t.Errorf("%s %s became %s, %v", kt, a, got, err)
			}
			// The options of ES256 and RS256 are the same; the key decides.
			if err == nil && (!kt.Fits(got) || got.Hash() != a.Hash() || got.IsPSS() != a.IsPSS()) {
				t.Errorf("%s with the options of %s became %s", kt, a, got)
			}
			if err != nil && !errors.Is(err, cryptotoken.ErrInvalidInput) {
				t.Errorf("%s %s: %v, want ErrInvalidInput", kt, a, err)
			}
		}
	}
	for _, opts := range []crypto.SignerOpts{
		nil, crypto.Hash(0), crypto.SHA1, crypto.MD5SHA1, crypto.SHA3_256,
		&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto, Hash: crypto.SHA256},
		&rsa.PSSOptions{SaltLength: 20, Hash: crypto.SHA256},
	} {
		if a, err := cryptotoken.AlgorithmOf(algo.RSA2048, opts); !errors.Is(err, cryptotoken.ErrInvalidInput) {
			t.Errorf("%v became %s, %v", opts, a, err)
		}
	}
	exact := &rsa.PSSOptions{SaltLength: 48, Hash: crypto.SHA384}
	if a, err := cryptotoken.AlgorithmOf(algo.RSA2048, exact); err != nil || a != algo.PS384 {
		t.Errorf("salt given as number: %s, %v", a, err)
	}
}

// liar signs something else than it is asked to.
type liar struct {
	*ecdsa.PrivateKey
	spoil func([]byte) []byte
}

func (liar) KeyType() algo.KeyType { return algo.P256 }
func (l liar) Sign(r io.Reader, d []byte, o crypto.SignerOpts) ([]byte, error) {
	return l.PrivateKey.Sign(r, l.spoil(d), o)
}

// F16: a key that the token uses wrongly is found when it is loaded.
func TestProve(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := cryptotoken.Prove(liar{key, func(d []byte) []byte { return d }}); err != nil {
		t.Errorf("an honest key: %v", err)
	}
	if err := cryptotoken.Prove(liar{key, func([]byte) []byte { return make([]byte, 32) }}); !errors.Is(err, cryptotoken.ErrSelfTest) {
		t.Errorf("a lying key: %v, want ErrSelfTest", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	a, d1 := cryptotoken.GenerationTest(algo.P256, spki)
	_, d2 := cryptotoken.GenerationTest(algo.P256, append(spki, 0))
	if a != algo.ES256 || len(d1) != 32 || string(d1) == string(d2) {
		t.Errorf("generation test: %s %x %x", a, d1, d2)
	}
	if a, d := cryptotoken.GenerationTest("P-257", spki); a != 0 || d != nil {
		t.Errorf("generation test of an unknown type: %v %x", a, d)
	}
}

func TestReadPINFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pin")
	for content, want := range map[string]string{
		"1234": "1234", "1234\n": "1234", "1234\r\n": "1234", " 12 34 ": " 12 34 ",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := cryptotoken.ReadPINFile(path); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v", content, got, err)
		}
	}
	if _, err := cryptotoken.ReadPINFile(filepath.Dir(path)); !errors.Is(err, cryptotoken.ErrLocked) {
		t.Errorf("a directory: %v, want ErrLocked", err)
	}
	if _, err := cryptotoken.ReadPINFile(path + "x"); !errors.Is(err, cryptotoken.ErrLocked) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v, want ErrLocked and ErrNotExist", err)
	}
}

// FuzzCheckWrappedForm: no blob from a database makes the checks panic, and
// what passes is a key of the type that it claims.
func FuzzCheckWrappedForm(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("P-256", spki, []byte{1})
	f.Add("P-384", spki, []byte{1})
	f.Add("", []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, kt string, public, blob []byte) {
		pub, err := cryptotoken.CheckWrappedForm(cryptotoken.Wrapped{KeyType: algo.KeyType(kt), Public: public, Blob: blob})
		if err != nil {
			if !errors.Is(err, cryptotoken.ErrNotStarted) {
				t.Errorf("%v is not ErrNotStarted", err)
			}
			return
		}
		if got, err := algo.KeyTypeOf(pub); err != nil || string(got) != kt {
			t.Errorf("%s passed as %s (%v)", got, kt, err)
		}
	})
}
