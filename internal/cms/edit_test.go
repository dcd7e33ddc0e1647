package cms_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"pgregory.net/rapid"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
)

// foreignAttr draws an attribute that this package knows nothing about.
func foreignAttr(t *rapid.T, label string) []byte {
	oid := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, rapid.IntRange(0, 1<<20).Draw(t, label+" arc")}
	n := rapid.IntRange(1, 3).Draw(t, label+" values")
	var values [][]byte
	for range n {
		values = append(values, octet(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, label+" value")))
	}
	return cms.Attribute(oid, values...)
}

// 2.1 "unsigned attributes are edited on the raw bytes": whatever attributes are
// there, all survive byte for byte and in order, the new one is there once, and
// the rest of the message is identical.
func TestAddUnsignedKeepsEverythingElse(t *testing.T) {
	base := input(t, algo.ES256, content)
	rapid.Check(t, func(rt *rapid.T) {
		in := base
		for range rapid.IntRange(0, 5).Draw(rt, "foreign") {
			in.Unsigned = append(in.Unsigned, foreignAttr(rt, "foreign"))
		}
		before, err := cms.Assemble(in)
		if err != nil {
			rt.Fatal(err)
		}
		attr := foreignAttr(rt, "new")
		after, err := cms.AddUnsigned(before, attr)
		if err != nil {
			rt.Fatal(err)
		}
		old, now := mustParse(rt, before), mustParse(rt, after)
		var kept [][]byte
		added := 0
		for _, a := range now.Signers[0].UnsignedAttrs {
			if added == 0 && bytes.Equal(a.Raw, attr) {
				added++
				continue
			}
			kept = append(kept, a.Raw)
		}
		var want [][]byte
		for _, a := range old.Signers[0].UnsignedAttrs {
			want = append(want, a.Raw)
		}
		if added != 1 || !slices.EqualFunc(kept, want, bytes.Equal) {
			rt.Fatalf("kept %d of %d, added %d", len(kept), len(want), added)
		}
		if !bytes.Equal(old.Signers[0].RawSignedAttrs(), now.Signers[0].RawSignedAttrs()) ||
			!bytes.Equal(old.Signers[0].Signature, now.Signers[0].Signature) ||
			!slices.EqualFunc(old.RawCertificates, now.RawCertificates, bytes.Equal) {
			rt.Fatal("something else changed")
		}
		direct := in
		direct.Unsigned = append(slices.Clone(in.Unsigned), attr)
		whole, err := cms.Assemble(direct)
		if err != nil {
			rt.Fatal(err)
		}
		if !bytes.Equal(whole, after) { // the same DER as if it had been there from the start
			rt.Fatal("the edited message is not the DER that Assemble writes")
		}
		if _, err := verify(after, content, cms.VerifyOptions{}); err != nil {
			rt.Fatal(err)
		}
	})
}

func mustParse(t interface{ Fatal(...any) }, der []byte) *cms.SignedData {
	sd, err := cms.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return sd
}

// Unsorted unsigned attributes of a foreign message keep their order; the new
// one goes last (archive time-stamps of CAdES depend on the order).
func TestAddUnsignedKeepsForeignOrder(t *testing.T) {
	a := cms.Attribute(asn1.ObjectIdentifier{1, 2, 3}, octet([]byte("a")))
	b := cms.Attribute(asn1.ObjectIdentifier{1, 2, 4}, octet([]byte("b")))
	in := input(t, algo.ES256, content)
	in.Unsigned = [][]byte{a, b}
	der := assemble(t, in)
	swapped := bytes.Replace(der, slices.Concat(a, b), slices.Concat(b, a), 1)
	if bytes.Equal(der, swapped) {
		t.Fatal("nothing swapped")
	}
	first := cms.Attribute(asn1.ObjectIdentifier{1, 2, 2}, octet([]byte("0")))
	after, err := cms.AddUnsigned(swapped, first)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(after, slices.Concat(b, a, first)) {
		t.Error("order changed")
	}
}

// What cannot be edited is refused and nothing is returned.
func TestAddUnsignedRefuses(t *testing.T) {
	der := assemble(t, input(t, algo.ES256, content))
	attr := cms.Attribute(asn1.ObjectIdentifier{1, 2, 3}, octet(nil))
	two := rawFor(t, sorted(attrs(pki().chain(algo.P256)[0], crypto.SHA256, content)...))
	two.signers = 2
	for name, c := range map[string]struct {
		der, attr []byte
		want      error
	}{
		"garbage":       {[]byte("x"), attr, cms.ErrMalformed},
		"trailing":      {append(bytes.Clone(der), 0), attr, cms.ErrTrailing},
		"two signers":   {two.der(t), attr, cms.ErrSignerCount},
		"no attribute":  {der, nil, cms.ErrInput},
		"no value":      {der, []byte{0x30, 6, 6, 2, 0x2a, 3, 0x31, 0}, cms.ErrInput},
		"two at once":   {der, slices.Concat(attr, attr), cms.ErrInput},
		"oversized":     {der, cms.Attribute(asn1.ObjectIdentifier{1, 2, 3}, octet(make([]byte, cms.MaxMessage))), cms.ErrLimit},
		"not an attrib": {der, octet([]byte("x")), cms.ErrInput},
	} {
		if out, err := cms.AddUnsigned(c.der, c.attr); !errors.Is(err, c.want) || out != nil {
			t.Errorf("%s: %d bytes, %v, want %v", name, len(out), err, c.want)
		}
	}
	full := der
	for range cms.MaxAttributes {
		var err error
		if full, err = cms.AddUnsigned(full, attr); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := cms.AddUnsigned(full, attr); !errors.Is(err, cms.ErrLimit) {
		t.Errorf("one attribute too many: %v", err)
	}
}

// Messages made by OpenSSL are read and verified: CAdES (ESS version 2), with a
// subject key identifier, with RSASSA-PSS, and plain PKCS#7 style without ESS.
func TestMessagesOfOpenSSL(t *testing.T) {
	for name, c := range map[string]struct {
		kt   algo.KeyType
		args []string
		opts cms.VerifyOptions
		want algo.Algorithm
	}{
		"cades P-256":  {algo.P256, []string{"-cades", "-md", "sha256"}, cms.VerifyOptions{}, algo.ES256},
		"cades P-384":  {algo.P384, []string{"-cades", "-md", "sha384"}, cms.VerifyOptions{}, algo.ES384},
		"cades P-521":  {algo.P521, []string{"-cades", "-md", "sha512"}, cms.VerifyOptions{}, algo.ES512},
		"cades RSA":    {algo.RSA2048, []string{"-cades", "-md", "sha512"}, cms.VerifyOptions{}, algo.RS512},
		"cades PSS":    {algo.RSA3072, []string{"-cades", "-md", "sha256", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:32"}, cms.VerifyOptions{}, algo.PS256},
		"plain":        {algo.P256, []string{"-md", "sha256"}, cms.VerifyOptions{AllowNoESS: true}, algo.ES256},
		"plain strict": {algo.P256, []string{"-md", "sha256"}, cms.VerifyOptions{}, 0},
		"no attrs":     {algo.P256, []string{"-md", "sha256", "-noattr"}, cms.VerifyOptions{AllowNoESS: true}, 0},
		"PSS salt 20":  {algo.RSA3072, []string{"-cades", "-md", "sha256", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:20"}, cms.VerifyOptions{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			der := opensslSign(t, c.kt, c.args...)
			_, err := verify(der, content, c.opts)
			if (err == nil) != (c.want != 0) {
				t.Fatalf("got %v", err)
			}
			if sd := mustParse(t, der); c.want != 0 && sd.Signers[0].Algorithm != c.want {
				t.Errorf("read as %s", sd.Signers[0].Algorithm)
			}
			if c.want == 0 {
				return
			}
			// Their message, our attribute, their verdict.
			more, err := cms.AddUnsigned(der, cms.Attribute(asn1.ObjectIdentifier{1, 2, 3}, octet([]byte("x"))))
			if err != nil {
				t.Fatal(err)
			}
			out, err := openssl(t, map[string][]byte{"m.der": more, "c.bin": content, "root.pem": certs.EncodePEM(pki().ca.Root.Raw)},
				"cms", "-verify", "-inform", "DER", "-in", "m.der", "-content", "c.bin", "-binary", "-CAfile", "root.pem", "-purpose", "any", "-out", "/dev/null")
			if err != nil {
				t.Errorf("openssl refuses after AddUnsigned: %v\n%s", err, out)
			}
		})
	}
}

// BER of OpenSSL (-stream makes indefinite lengths) is refused by name.
func TestIndefiniteLengthIsRefusedByName(t *testing.T) {
	der := opensslSign(t, algo.P256, "-md", "sha256", "-stream", "-nodetach")
	if _, err := cms.Parse(der); !errors.Is(err, cms.ErrBER) {
		t.Errorf("got %v", err)
	}
}

// ADE-03: of others it is read, as its DER, in segments or not, and verifies; what is changed in it does not.
func TestADE03IndefiniteLengthsOfOthersAreRead(t *testing.T) {
	for _, attached := range []bool{false, true} {
		args := []string{"-md", "sha256", "-stream"}
		if attached {
			args = append(args, "-nodetach")
		}
		message := opensslSign(t, algo.P256, args...)
		verify := func(message []byte) error {
			sd, err := cms.ParseBER(message)
			if err != nil {
				return err
			}
			si, err := sd.Signer()
			if err != nil {
				return err
			}
			h := sha256.Sum256(content)
			_, err = sd.Verify(si, h[:], cms.VerifyOptions{AllowNoESS: true})
			return err
		}
		if err := verify(message); err != nil {
			t.Errorf("attached %t: %v", attached, err)
		}
		if err := verify(append(bytes.Clone(message), 0)); !errors.Is(err, cms.ErrTrailing) {
			t.Errorf("a byte behind it: %v", err)
		}
		if err := verify(message[:len(message)-1]); !errors.Is(err, cms.ErrMalformed) {
			t.Errorf("without its end: %v", err)
		}
		held := 0
		for i := range message {
			other := bytes.Clone(message)
			other[i] ^= 1
			if verify(other) == nil {
				held++ // digestAlgorithms and certificates that nobody needs are not signed
			}
		}
		if held > len(message)/2 {
			t.Errorf("%d of %d changed messages verify", held, len(message))
		}
	}
}

func opensslSign(t testing.TB, kt algo.KeyType, args ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	files := map[string][]byte{
		"c.bin": content, "key.pem": keyPEM(t, kt), "leaf.pem": certs.EncodePEM(pki().chain(kt)[0]), "mid.pem": certs.EncodePEM(pki().chain(kt)[1]),
	}
	path := filepath.Join(dir, "out.der")
	all := append([]string{"cms", "-sign", "-binary", "-outform", "DER", "-in", "c.bin", "-signer", "leaf.pem", "-inkey", "key.pem", "-certfile", "mid.pem", "-out", path}, args...)
	if out, err := openssl(t, files, all...); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	der, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// The message prefix up to the attributes does not move when one is added: the
// bytes of the input come back in order.
func TestAddUnsignedOutputContainsTheInput(t *testing.T) {
	der := assemble(t, input(t, algo.ES256, content))
	attr := cms.Attribute(asn1.ObjectIdentifier{1, 2, 3}, octet([]byte("x")))
	after, err := cms.AddUnsigned(der, attr)
	if err != nil {
		t.Fatal(err)
	}
	sd := mustParse(t, der)
	tail := der[bytes.Index(der, sd.Signers[0].Signature):]
	s := cryptobyte.String(after)
	if !bytes.Contains(s, sd.Signers[0].Issuer) || !bytes.HasSuffix(after, attr) || !bytes.Contains(after, tail) {
		t.Error("the old bytes are not in the new message")
	}
}
