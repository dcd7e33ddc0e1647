package cms_test

import (
	"bytes"
	"crypto"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/cms"
)

// D22, D24: every algorithm of the closed set, RSASSA-PSS included, is accepted
// by OpenSSL with its ESS check, and by our own reader.
func TestEveryAlgorithmIsAcceptedByOpenSSL(t *testing.T) {
	content := []byte("the bytes of the ByteRange")
	for _, a := range algo.All() {
		t.Run(a.String(), func(t *testing.T) {
			der := assemble(t, input(t, a, content))
			leaf, err := verify(der, content, cms.VerifyOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if want := pki().chain(keyFor(a))[0]; !bytes.Equal(leaf.Raw, want) {
				t.Errorf("verified with %s", leaf.Subject)
			}
			if out, err := opensslVerify(t, der, content); err != nil {
				t.Errorf("openssl refuses: %v\n%s", err, out)
			}
			if out, err := opensslVerify(t, der, []byte("other bytes")); err == nil {
				t.Errorf("openssl accepts other content\n%s", out)
			}
			sd, err := cms.Parse(der)
			if err != nil {
				t.Fatal(err)
			}
			if si := sd.Signers[0]; si.Algorithm != a || si.Digest != a.Hash() || si.Version != 1 || sd.Version != 1 {
				t.Errorf("read back %s, digest %v, versions %d/%d", si.Algorithm, si.Digest, sd.Version, si.Version)
			}
		})
	}
}

// D22: the message says RSASSA-PSS with all parameters, not rsaEncryption.
func TestD22PSSParametersAreExplicit(t *testing.T) {
	out, err := openssl(t, map[string][]byte{"m.der": assemble(t, input(t, algo.PS384, []byte("x")))},
		"asn1parse", "-inform", "DER", "-in", "m.der")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, params, ok := strings.Cut(out, ":rsassaPss")
	if !ok {
		t.Fatalf("no rsassaPss in\n%s", out)
	}
	for _, want := range []string{":sha384", "NULL", ":mgf1", ":sha384", "NULL", "INTEGER           :30"} { // 0x30 = 48
		if _, params, ok = strings.Cut(params, want); !ok {
			t.Fatalf("no %q in its place in\n%s", want, out)
		}
	}
}

// D24: the digest follows the key, by default and in the message.
func TestD24DigestFitsTheKey(t *testing.T) {
	for kt, want := range map[algo.KeyType]crypto.Hash{algo.P256: crypto.SHA256, algo.P384: crypto.SHA384, algo.P521: crypto.SHA512, algo.RSA2048: crypto.SHA256} {
		a := kt.Default()
		sd, err := cms.Parse(assemble(t, input(t, a, []byte("x"))))
		if err != nil {
			t.Fatal(err)
		}
		if sd.Signers[0].Digest != want {
			t.Errorf("%s: digest %v, want %v", kt, sd.Signers[0].Digest, want)
		}
	}
	in := input(t, algo.ES384, []byte("x"))
	in.Alg = algo.ES256
	if _, err := cms.Assemble(in); !errors.Is(err, cms.ErrAlgorithm) {
		t.Errorf("P-384 with SHA-256: %v", err)
	}
}

// D13: exactly the three attributes of a PAdES baseline signature, and none of
// signing-time, revocation information or anything else.
func TestD13ExactAttributeList(t *testing.T) {
	der := assemble(t, input(t, algo.ES256, []byte("x")))
	sd, err := cms.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range sd.Signers[0].SignedAttrs {
		got = append(got, a.Type.String())
	}
	want := "1.2.840.113549.1.9.3 1.2.840.113549.1.9.4 1.2.840.113549.1.9.16.2.47"
	if strings.Join(got, " ") != want {
		t.Errorf("signed attributes %v, want %s", got, want)
	}
	if len(sd.Signers[0].UnsignedAttrs) != 0 {
		t.Error("unsigned attributes from nowhere")
	}
	if out := dump(t, der); strings.Contains(out, "signingTime") || strings.Contains(out, "1.2.840.113583.1.1.8") {
		t.Errorf("signing-time or revocation information in\n%s", out)
	}
}

// D21: signing-time can be left out, and can be had where a profile wants it.
func TestD21SigningTimeIsAChoice(t *testing.T) {
	content, chain := []byte("x"), pki().chain(algo.P256)
	set := append(attrs(chain[0], crypto.SHA256, content), cms.SigningTimeAttr(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)))
	in := signed(t, algo.ES256, cms.Input{Alg: algo.ES256, Chain: chain, SignedAttrs: cms.SortedSet(set)})
	der := assemble(t, in)
	if out := dump(t, der); !strings.Contains(out, "Nov 21 12:00:00 2026 GMT") {
		t.Errorf("no signing-time in\n%s", out)
	}
	if out, err := opensslVerify(t, der, content); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out := dump(t, assemble(t, input(t, algo.ES256, content))); strings.Contains(out, "signingTime") {
		t.Error("signing-time without being asked")
	}
}

// The hashed attribute bytes are the assembled ones (design: two phases).
func TestSignedAttributesAreAssembledUnchanged(t *testing.T) {
	in := input(t, algo.RS256, []byte("x"))
	sd, err := cms.Parse(assemble(t, in))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(sd.Signers[0].RawSignedAttrs(), in.SignedAttrs) {
		t.Error("RawSignedAttrs differ from the input")
	}
}

// SHA-384 and SHA-512 in ESS name their hash; SHA-256 is the omitted default.
func TestESSHashIsExplicitOnlyWhenNotDefault(t *testing.T) {
	leaf := pki().chain(algo.P256)[0]
	sha384 := []byte{0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02}
	sha256 := []byte{0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01}
	if !bytes.Contains(cms.SigningCertificateV2Attr(leaf, crypto.SHA384), sha384) {
		t.Error("SHA-384 not named")
	}
	if bytes.Contains(cms.SigningCertificateV2Attr(leaf, crypto.SHA256), sha256) {
		t.Error("the default hash is encoded: not DER")
	}
	if cms.SigningCertificateV2Attr(leaf, crypto.SHA1) != nil {
		t.Error("SHA-1 accepted")
	}
}

// The bound holds and is close: the room in a PDF is chosen from it.
func TestMaxSizeBoundsTheMessage(t *testing.T) {
	for _, a := range algo.All() {
		in := input(t, a, []byte("x"))
		limit, err := cms.MaxSize(in, 0)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			der := assemble(t, signed(t, a, in))
			if len(der) > limit || limit-len(der) > 16 {
				t.Fatalf("%s: size %d, bound %d", a, len(der), limit)
			}
		}
		token := cms.Attribute(cms.OIDTimeStampToken, append([]byte{0x04, 0x82, 0x20, 0x00}, make([]byte, 0x2000)...))
		if limit, err = cms.MaxSize(in, len(token)); err != nil {
			t.Fatal(err)
		}
		der, err := cms.AddUnsigned(assemble(t, in), token)
		if err != nil {
			t.Fatal(err)
		}
		if len(der) > limit {
			t.Errorf("%s: with a token %d, bound %d", a, len(der), limit)
		}
	}
}

func dump(t *testing.T, der []byte) string {
	t.Helper()
	out, err := openssl(t, map[string][]byte{"m.der": der}, "cms", "-cmsout", "-print", "-inform", "DER", "-in", "m.der", "-noout")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out
}
