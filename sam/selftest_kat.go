package sam

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
)

// A known-answer test computes and compares. Everything that it computes goes
// through spoil first, which is the identity except in tests: so each can be made
// to fail as it would on a machine that computes wrongly (FPT-01).
type knownAnswer func(spoil func([]byte) []byte) error

var errKnownAnswer = errors.New("the computed value is not the known answer")

func same(what string, got []byte, wantHex string) error {
	if hex.EncodeToString(got) != wantHex {
		return fmt.Errorf("%s: %w", what, errKnownAnswer)
	}
	return nil
}

// katDigests: FIPS 180-4, "abc".
func katDigests(spoil func([]byte) []byte) error {
	var errs []error
	for h, want := range map[crypto.Hash]string{
		crypto.SHA256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		crypto.SHA384: "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
		crypto.SHA512: "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
	} {
		errs = append(errs, same(h.String(), spoil(hashOf(h, "abc")), want))
	}
	return errors.Join(errs...)
}

func hashOf(h crypto.Hash, text string) []byte {
	d := h.New()
	d.Write([]byte(text))
	return d.Sum(nil)
}

// katHMAC: RFC 4231, test case 2.
func katHMAC(spoil func([]byte) []byte) error {
	h := hmac.New(sha256.New, []byte("Jefe"))
	h.Write([]byte("what do ya want for nothing?"))
	return same("HMAC-SHA-256", spoil(h.Sum(nil)), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
}

// katGCM: test case 16 of the GCM specification; a changed tag must not open.
func katGCM(spoil func([]byte) []byte) error {
	raw := func(s string) []byte { b, _ := hex.DecodeString(s); return b }
	block, err := aes.NewCipher(raw("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"))
	if err != nil {
		return err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	nonce, aad := raw("cafebabefacedbaddecaf888"), raw("feedfacedeadbeeffeedfacedeadbeefabaddad2")
	plain := raw("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39")
	sealed := spoil(gcm.Seal(nil, nonce, plain, aad))
	err = same("AES-256-GCM", sealed, "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"+
		"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"+"76fc6ece0f4e1768cddf8853bb2d551b")
	if err != nil {
		return err
	}
	if got, err := gcm.Open(nil, nonce, sealed, aad); err != nil || !bytes.Equal(got, plain) {
		return fmt.Errorf("AES-256-GCM: open: %w", errKnownAnswer)
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := gcm.Open(nil, nonce, sealed, aad); err == nil {
		return errors.New("AES-256-GCM: a changed tag was accepted")
	}
	return nil
}

// katVerify: for every algorithm of the closed set one genuine signature must
// verify, and must not verify over another digest.
func katVerify(spoil func([]byte) []byte) error {
	for _, k := range katSignatures() {
		pub, err := katKey(k.key)
		if err != nil {
			return err
		}
		sig, err := base64.StdEncoding.DecodeString(k.sig)
		if err != nil {
			return err
		}
		if err := algo.Verify(pub, k.alg, spoil(hashOf(k.alg.Hash(), katMessage)), sig); err != nil {
			return fmt.Errorf("%s: a genuine signature: %w", k.alg, err)
		}
		if algo.Verify(pub, k.alg, hashOf(k.alg.Hash(), katMessage+"!"), sig) == nil {
			return fmt.Errorf("%s: a wrong signature was accepted", k.alg)
		}
	}
	return nil
}

func katKey(text string) (crypto.PublicKey, error) {
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return x509.ParsePKIXPublicKey(der)
}

// katSign: ECDSA signatures with the nonces of RFC 6979 have one right value (CRY-05).
func katSign(spoil func([]byte) []byte) error {
	curves := map[algo.Algorithm]elliptic.Curve{algo.ES256: elliptic.P256(), algo.ES384: elliptic.P384(), algo.ES512: elliptic.P521()}
	for _, k := range katECDSA() {
		d, err := hex.DecodeString(k.d)
		if err != nil {
			return err
		}
		key, err := ecdsa.ParseRawPrivateKey(curves[k.alg], d)
		if err != nil {
			return fmt.Errorf("%s: %w", k.alg, err)
		}
		der, err := key.Sign(nil, hashOf(k.alg.Hash(), "sample"), k.alg.Hash())
		if err != nil {
			return fmt.Errorf("%s: %w", k.alg, err)
		}
		var v struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(der, &v); err != nil {
			return fmt.Errorf("%s: %w", k.alg, err)
		}
		size := len(k.r) / 2
		got := append(v.R.FillBytes(make([]byte, size)), v.S.FillBytes(make([]byte, size))...)
		if err := same("ECDSA "+k.alg.String(), spoil(got), k.r+k.s); err != nil {
			return err
		}
	}
	return nil
}

// katJSON: one canonical form, and no other spelling is read.
func katJSON(spoil func([]byte) []byte) error {
	out, err := jcs.Transform([]byte(`{"b":1,"a":[true,false,"x"],"":{"z":-1,"é":"\u20ac\u000a\""}}`))
	if err != nil {
		return err
	}
	if string(spoil(out)) != `{"":{"z":-1,"é":"€\n\""},"a":[true,false,"x"],"b":1}` {
		return fmt.Errorf("canonical JSON: %w", errKnownAnswer)
	}
	var v struct {
		A int `json:"a"`
	}
	if jcs.Unmarshal([]byte(`{"a": 1}`), &v) == nil || jcs.Unmarshal([]byte(`{"a":1,"a":1}`), &v) == nil {
		return errors.New("canonical JSON: another spelling was accepted")
	}
	return nil
}

// katWebAuthn: a genuine assertion is accepted, and refused for another challenge,
// origin and without user verification.
func katWebAuthn(spoil func([]byte) []byte) error {
	pub, err := katKey(katP256)
	if err != nil {
		return err
	}
	a := sap.Assertion{
		Carrier: sap.CarrierWebAuthn, Credential: sap.B64([]byte{1}), AuthenticatorData: katAuthData,
		ClientDataJSON: katClientData, Signature: katAssertion,
	}
	auth := sap.Authenticator{CredentialID: []byte{1}, Public: pub, SignCount: 6}
	pol := sap.AssertionPolicy{Origin: "https://sign.example", RPID: "sign.example"}
	challenge := spoil(hashOf(crypto.SHA256, "assent self-test challenge"))
	if n, err := sap.VerifyAssertion(&a, challenge, auth, pol); err != nil || n != 7 {
		return fmt.Errorf("WebAuthn: a genuine assertion gives %d, %w", n, errors.Join(err, errKnownAnswer))
	}
	other, noUV := pol, a
	other.Origin = "https://other.example"
	data, err := sap.UnB64(a.AuthenticatorData)
	if err != nil {
		return err
	}
	data[32] &^= 4
	noUV.AuthenticatorData = sap.B64(data)
	for _, try := range []func() (uint32, error){
		func() (uint32, error) { return sap.VerifyAssertion(&a, hashOf(crypto.SHA256, "x"), auth, pol) },
		func() (uint32, error) { return sap.VerifyAssertion(&a, challenge, auth, other) },
		func() (uint32, error) { return sap.VerifyAssertion(&noUV, challenge, auth, pol) },
	} {
		if _, err := try(); err == nil {
			return errors.New("WebAuthn: a wrong assertion was accepted")
		}
	}
	return nil
}

// katReceipts: the tree under which receipts are signed.
func katReceipts(spoil func([]byte) []byte) error {
	root := sap.NewReceiptTree([][]byte{[]byte("a"), []byte("b"), []byte("c")}).Root()
	return same("receipt tree", spoil(root), katReceiptRoot)
}
