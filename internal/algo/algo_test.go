package algo_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/testenv"
)

// vectors is the part of a Wycheproof file that is read here.
type vectors struct {
	TestGroups []struct {
		Sha, MgfSha  string
		SLen         int
		PublicKeyDer string
		PublicKeyAsn string
		Tests        []struct {
			TcID             int
			Comment          string
			Flags            []string
			Msg, Sig, Result string
		}
	}
}

func load(t *testing.T, name string) vectors {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testenv.Corpora(t, "wycheproof"), name))
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func hashed(a algo.Algorithm, msg []byte) []byte {
	h := a.Hash().New()
	h.Write(msg)
	return h.Sum(nil)
}

// SAP-07: every verdict of Wycheproof is ours too. The one "acceptable" case, a PKCS #1
// v1.5 DigestInfo without the NULL parameters, is refused: RFC 8017 appendix
// A.2.4 writes them, and a second encoding would make signatures malleable.
func TestVerifyAgreesWithWycheproof(t *testing.T) {
	for name, a := range map[string]algo.Algorithm{
		"ecdsa_secp256r1_sha256_test.json":      algo.ES256,
		"ecdsa_secp384r1_sha384_test.json":      algo.ES384,
		"rsa_signature_2048_sha256_test.json":   algo.RS256,
		"rsa_signature_3072_sha256_test.json":   algo.RS256,
		"rsa_pss_2048_sha256_mgf1_32_test.json": algo.PS256,
		"rsa_pss_3072_sha256_mgf1_32_test.json": algo.PS256,
	} {
		t.Run(name, func(t *testing.T) {
			ran := map[string]int{}
			for _, g := range load(t, name).TestGroups {
				pub, err := x509.ParsePKIXPublicKey(unhex(t, g.PublicKeyDer))
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range g.Tests {
					ran[c.Result]++
					err := algo.Verify(pub, a, hashed(a, unhex(t, c.Msg)), unhex(t, c.Sig))
					if (err == nil) != (c.Result == "valid") {
						t.Errorf("%d (%s, %v): %s, we say %v", c.TcID, c.Comment, c.Flags, c.Result, err)
					}
					if err != nil && !errors.Is(err, algo.ErrBadSignature) {
						t.Errorf("%d: not a bad signature: %v", c.TcID, err)
					}
				}
			}
			if ran["valid"] == 0 || ran["invalid"] == 0 {
				t.Errorf("ran %v", ran)
			}
		})
	}
}

// RSASSA-PSS has one parameter set for each digest: the same digest in MGF1 and
// a salt of its length. Signatures that are valid under other parameters are
// refused.
func TestOnlyOnePSSParameterSetForEachDigest(t *testing.T) {
	algs := map[string]algo.Algorithm{"SHA-256": algo.PS256, "SHA-384": algo.PS384, "SHA-512": algo.PS512}
	accepted, refused := 0, 0
	for _, g := range load(t, "rsa_pss_misc_params_test.json").TestGroups {
		a, ok := algs[g.Sha]
		if !ok {
			continue // a digest outside the closed set cannot even be asked for
		}
		pub, err := x509.ParsePKCS1PublicKey(unhex(t, g.PublicKeyAsn))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range g.Tests {
			err := algo.Verify(pub, a, hashed(a, unhex(t, c.Msg)), unhex(t, c.Sig))
			if ours := g.MgfSha == g.Sha && g.SLen == a.Hash().Size(); (err == nil) != ours {
				t.Errorf("%s, MGF1 with %s, salt %d: %v", g.Sha, g.MgfSha, g.SLen, err)
			}
			if err == nil {
				accepted++
			} else {
				refused++
			}
		}
	}
	if accepted != 3 || refused == 0 {
		t.Errorf("accepted %d, refused %d", accepted, refused)
	}
}

// ECDSA signatures are DER only: the raw form r||s of JOSE and PKCS #11 is
// refused, so that no place can forget to convert.
func TestRawECDSAFormIsRefused(t *testing.T) {
	n := 0
	for _, g := range load(t, "ecdsa_secp256r1_sha256_p1363_test.json").TestGroups {
		pub, err := x509.ParsePKIXPublicKey(unhex(t, g.PublicKeyDer))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range g.Tests {
			if c.Result != "valid" {
				continue
			}
			n++
			if err := algo.Verify(pub, algo.ES256, hashed(algo.ES256, unhex(t, c.Msg)), unhex(t, c.Sig)); !errors.Is(err, algo.ErrBadSignature) {
				t.Errorf("%d: %v", c.TcID, err)
			}
		}
	}
	if n == 0 {
		t.Error("no vector ran")
	}
}

// Every algorithm signs and verifies with a fitting key; every other pair of
// key and algorithm, and every other digest length, is a key mismatch.
func TestAlgorithmsFitTheirKeys(t *testing.T) {
	keys := map[algo.KeyType]crypto.Signer{}
	for kt, curve := range map[algo.KeyType]elliptic.Curve{algo.P256: elliptic.P256(), algo.P384: elliptic.P384(), algo.P521: elliptic.P521()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[kt] = k
	}
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	keys[algo.RSA2048] = k
	fits := 0
	for kt, key := range keys {
		if got, err := algo.KeyTypeOf(key.Public()); err != nil || got != kt {
			t.Errorf("%s read as %s, %v", kt, got, err)
		}
		if !kt.Fits(kt.Default()) {
			t.Errorf("%s does not fit its default", kt)
		}
		for _, a := range algo.All() {
			digest := hashed(a, []byte("x"))
			if !kt.Fits(a) {
				if err := algo.Verify(key.Public(), a, digest, []byte("sig")); !errors.Is(err, algo.ErrKeyMismatch) {
					t.Errorf("%s with %s: %v", kt, a, err)
				}
				continue
			}
			fits++
			sig, err := key.Sign(rand.Reader, digest, a.SignerOpts())
			if err != nil {
				t.Fatal(err)
			}
			if err := algo.Verify(key.Public(), a, digest, sig); err != nil {
				t.Errorf("%s with %s: %v", kt, a, err)
			}
			digest[0] ^= 1
			if err := algo.Verify(key.Public(), a, digest, sig); !errors.Is(err, algo.ErrBadSignature) {
				t.Errorf("%s with %s, other digest: %v", kt, a, err)
			}
			if err := algo.Verify(key.Public(), a, digest[1:], sig); !errors.Is(err, algo.ErrKeyMismatch) {
				t.Errorf("%s with %s, short digest: %v", kt, a, err)
			}
		}
	}
	if fits != 3+6 {
		t.Errorf("%d pairs fit", fits)
	}
}

// CRY-02, CRY-04: the set is closed: other keys and names are unknown, names are exact, the zero
// value is invalid.
func TestTheSetIsClosed(t *testing.T) {
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, pub := range []crypto.PublicKey{ed, p224.Public(), nil, "key"} {
		if kt, err := algo.KeyTypeOf(pub); !errors.Is(err, algo.ErrUnknown) {
			t.Errorf("%T is %s, %v", pub, kt, err)
		}
	}
	for _, name := range []string{"", "es256", "ES256 ", "EdDSA", "none", "HS256", "invalid"} {
		if a, err := algo.Parse(name); !errors.Is(err, algo.ErrUnknown) {
			t.Errorf("%q is %s, %v", name, a, err)
		}
	}
	for _, a := range algo.All() {
		text, err := a.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back algo.Algorithm
		if err := back.UnmarshalText(text); err != nil || back != a {
			t.Errorf("%s read back as %s, %v", a, back, err)
		}
	}
	if _, err := algo.Algorithm(0).MarshalText(); !errors.Is(err, algo.ErrUnknown) {
		t.Error("the zero value has a name")
	}
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		if back, err := algo.ParseHash(algo.HashName(h)); err != nil || back != h {
			t.Errorf("%v read back as %v, %v", h, back, err)
		}
	}
	if _, err := algo.ParseHash("sha1"); !errors.Is(err, algo.ErrUnknown) {
		t.Error("sha1 is known")
	}
}

// Every key type makes keys that are read as of that type; no other type does.
func TestNewKeyMakesItsType(t *testing.T) {
	for _, kt := range []algo.KeyType{algo.P256, algo.P384, algo.P521, algo.RSA2048} {
		k, err := algo.NewKey(rand.Reader, kt)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := algo.KeyTypeOf(k.Public()); err != nil || got != kt {
			t.Errorf("%s read as %s, %v", kt, got, err)
		}
	}
	for _, kt := range []algo.KeyType{"", "P-224", "RSA-1024"} {
		if k, err := algo.NewKey(rand.Reader, kt); !errors.Is(err, algo.ErrUnknown) || k != nil {
			t.Errorf("%q: %v", kt, err)
		}
	}
}
