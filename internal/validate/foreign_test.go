package validate_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/validate"
)

// foreign signs an XML document as the software of others does, by a key with a digest that is not the one that we
// sign with by it.
func foreign(t *testing.T, tr *tree, method string, key crypto.Signer, sign func(digest []byte) []byte) []byte {
	t.Helper()
	own := newKey(t)
	k := &kit{key: own, chain: [][]byte{tr.issue(t, person("Stand-in"), tr.root, own.Public(), tr.key).Raw}}
	cert := tr.issue(t, person("Anna"), tr.root, key.Public(), tr.key).Raw
	b64, sum := base64.StdEncoding.EncodeToString, func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }
	info := ""
	file := string(k.edited(t, invoice, put(b64(sum(k.chain[0])), b64(sum(cert))), func(s string) string {
		info = strings.Replace(s, "xmldsig-more#ecdsa-sha256", "xmldsig-more#"+method, 1)
		return info
	}))
	file = strings.Replace(file, b64(k.chain[0]), b64(cert), 1)
	return []byte(regexp.MustCompile(`(<ds:SignatureValue[^>]*>)[^<]*`).ReplaceAllString(file, "${1}"+b64(sign(sum([]byte(info))))))
}

// ADE-05, EN 319 102-1, 5.2.7: keys that are strong enough are accepted with digests of others' choice, as identity cards
// and authorities have them; a short key is a matter of constraints, and a value that is wrong is wrong.
func TestADE05KeysOfOthers(t *testing.T) {
	tr := newTree(t)
	curve := func(c elliptic.Curve) (crypto.Signer, func([]byte) []byte) {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		must(t, err)
		return key, func(digest []byte) []byte {
			r, s, err := ecdsa.Sign(rand.Reader, key, digest)
			must(t, err)
			size := (c.Params().BitSize + 7) / 8
			return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
		}
	}
	long := func(bits int) (crypto.Signer, func([]byte) []byte) {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		must(t, err)
		return key, func(digest []byte) []byte {
			sig, err := key.Sign(rand.Reader, digest, crypto.SHA256)
			must(t, err)
			return sig
		}
	}
	check := func(name, method string, want validate.SubIndication, key crypto.Signer, sign func([]byte) []byte) {
		t.Helper()
		rep := look(t, foreign(t, tr, method, key, sign), tr.trust())
		if rep.SubIndication != want || (rep.Verdict == validate.Valid) != (want == "") {
			t.Errorf("%s: %s %q", name, rep.Words(), rep.Signatures[0].Why)
		}
		broken := look(t, foreign(t, tr, method, key, func(d []byte) []byte { d[0] ^= 1; return sign(d) }), tr.trust())
		if want == "" && broken.SubIndication != validate.SigCryptoFailure {
			t.Errorf("%s, broken: %s", name, broken.Words())
		}
	}
	key, sign := curve(elliptic.P384())
	check("P-384", "ecdsa-sha256", "", key, sign)
	check("P-384 said to be RSA", "rsa-sha256", validate.CryptoConstraintsFailure, key, sign)
	key, sign = curve(elliptic.P521())
	check("P-521", "ecdsa-sha256", "", key, sign)
	key, sign = curve(elliptic.P224())
	check("P-224", "ecdsa-sha256", validate.CryptoNoPOE, key, sign)
	key, sign = long(2304)
	check("RSA of 2304 bits", "rsa-sha256", "", key, sign)
	key, sign = long(1024)
	check("RSA of 1024 bits", "rsa-sha256", validate.CryptoNoPOE, key, sign)
}
