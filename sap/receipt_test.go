package sap

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
)

// signedReceipt signs a text that stands at a place of a group.
func signedReceipt(t testing.TB, sam detKey, text string, i, n int, path ...[]byte) SignedReceipt {
	t.Helper()
	s := SignedReceipt{Receipt: B64([]byte(text)), Index: i, Size: n, Path: []string{}}
	for _, p := range path {
		s.Path = append(s.Path, B64(p))
	}
	root, _ := rootFrom(labelled(LabelReceiptLeaf, []byte(text)), i, n, path)
	s.Signature = B64(must[[]byte](t)(Sign(sam, LabelReceiptRoot, root)))
	return s
}

// AUD-11: there is one place for a receipt in its group, within bounds; whatever
// leads to the same signed root from another place is refused.
func TestAUD11PlacesOfReceipts(t *testing.T) {
	sam := fixedKey(t, "sam")
	good := testReceipt(t, fixedKey(t, "signer"), fixedKey(t, "authenticator"), fixedCert(t, fixedKey(t, "signer")), 0)
	text := string(mustJCS(t, good))
	hashes := func(n int) (all [][]byte) {
		for i := range n {
			all = append(all, bytes.Repeat([]byte{byte(i + 1)}, sha256.Size))
		}
		return all
	}
	for what, s := range map[string]SignedReceipt{
		"alone":                signedReceipt(t, sam, text, 0, 1),
		"first of two":         signedReceipt(t, sam, text, 0, 2, hashes(1)...),
		"last of two":          signedReceipt(t, sam, text, 1, 2, hashes(1)...),
		"in the largest group": signedReceipt(t, sam, text, maxReceiptGroup-1, maxReceiptGroup, hashes(20)...),
	} {
		r, err := OpenReceipt(&sam.PublicKey, s)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		} else if _, err := r.VerifyEvidence(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	place := func(i, n int) SignedReceipt {
		s := signedReceipt(t, sam, text, 0, 2, hashes(1)...)
		s.Index, s.Size = i, n
		return s
	}
	edit := func(f func(*SignedReceipt)) SignedReceipt {
		s := signedReceipt(t, sam, text, 0, 2, hashes(1)...)
		f(&s)
		return s
	}
	for _, c := range []struct {
		what  string
		s     SignedReceipt
		want  Reason
		words string
	}{
		{"before the first", place(-1, 2), ReasonEncoding, "position -1 of 2"},
		{"after the last", signedReceipt(t, sam, text, 2, 2, hashes(1)...), ReasonEncoding, "position 2 of 2"},
		{"of none", place(0, 0), ReasonEncoding, "position 0 of 0"},
		{"of fewer than none", place(0, -2), ReasonEncoding, "position"},
		{"in a larger group", signedReceipt(t, sam, text, maxReceiptGroup, maxReceiptGroup+1, hashes(1)...), ReasonEncoding, "position 1048576"},
		{"with a longer path", signedReceipt(t, sam, text, 0, 2, hashes(21)...), ReasonEncoding, "position 0 of 2"},
		{"with no path", edit(func(s *SignedReceipt) { s.Path = nil }), ReasonEncoding, "path length"},
		{"with a path too many", edit(func(s *SignedReceipt) { s.Path = append(s.Path, s.Path[0]) }), ReasonEncoding, "path length"},
		{"with half a hash", edit(func(s *SignedReceipt) { s.Path[0] = B64(make([]byte, 16)) }), ReasonEncoding, "receipt path"},
		{"receipt is no base64url", edit(func(s *SignedReceipt) { s.Receipt = "!!" }), ReasonEncoding, "receipt"},
		{"signature is no base64url", edit(func(s *SignedReceipt) { s.Signature = "!!" }), ReasonEncoding, "receipt signature"},
		{"of another key", signedReceipt(t, fixedKey(t, "evil"), text, 0, 1), ReasonSAMSignature, ""},
		{"another spelling", signedReceipt(t, sam, " "+text, 0, 1), ReasonEncoding, "receipt"},
		{"of another type", signedReceipt(t, sam, strings.Replace(text, TypeReceipt, TypeSAD, 1), 0, 1), ReasonType, TypeSAD},
	} {
		r, err := OpenReceipt(&sam.PublicKey, c.s)
		refused(t, c.what, err, c.want, c.words)
		if r != nil {
			t.Errorf("%s: it came out", c.what)
		}
	}
	empty := NewReceiptTree(nil)
	if empty.Root() != nil || empty.Path(0) != nil {
		t.Error("a group of none has a root or a path")
	}
	two := NewReceiptTree([][]byte{{1}, {2}})
	if two.Path(-1) != nil || two.Path(2) != nil {
		t.Error("there is a path of no receipt")
	}
}

// AUD-11: every part of a receipt is checked off line, also if it has no form at all;
// a receipt of the SAM over a wrong part convinces nobody.
func TestAUD11PartsOfReceipts(t *testing.T) {
	signer, authn := fixedKey(t, "signer"), fixedKey(t, "authenticator")
	cert := fixedCert(t, signer)
	rsaKey := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))
	// approved is a receipt over any SAD, approved by the genuine authenticator.
	approved := func(r *Receipt, s *SAD) {
		text := must[[]byte](t)(s.Encode())
		r.SAD, r.Proof = B64(text), B64(mustJCS(t, goodAssertion(t).make(t, must[[]byte](t)(s.Challenge(text)))))
	}
	for _, c := range []struct {
		what  string
		edit  func(*Receipt)
		want  Reason
		words string
	}{
		{"SAD is no base64url", func(r *Receipt) { r.SAD = "!!" }, ReasonEncoding, "sad"},
		{"SAD is none", func(r *Receipt) { r.SAD = B64([]byte("{}")) }, ReasonEncoding, ""},
		{"proof is no base64url", func(r *Receipt) { r.Proof = "!!" }, ReasonEncoding, "proof"},
		{"proof is none", func(r *Receipt) { r.Proof = B64([]byte("{}")) }, ReasonEncoding, "proof"},
		{"authenticator is no base64url", func(r *Receipt) { r.Authenticator = "!!" }, ReasonEncoding, "authenticator"},
		{"authenticator is no key", func(r *Receipt) { r.Authenticator = B64([]byte("x")) }, ReasonEncoding, "authenticator key"},
		{"authenticator is another kind of key", func(r *Receipt) { r.Authenticator = B64(spki(t, &rsaKey.PublicKey)) }, ReasonAlgorithm, "*rsa.PublicKey"},
		{"certificate is no base64url", func(r *Receipt) { r.Certificate = "!!" }, ReasonEncoding, "certificate"},
		{"certificate is none", func(r *Receipt) {
			r.Certificate = B64([]byte("x"))
			approved(r, testSAD(t, []byte("x"), "contract.pdf"))
		}, ReasonCertificate, ""},
		{"kind without evidence", func(r *Receipt) {
			s := testSAD(t, cert, "contract.pdf")
			s.Items[0].Kind = KindCAdES
			approved(r, s)
		}, ReasonItemKind, "cades"},
		{"signature is no base64url", func(r *Receipt) { r.Items[0].Signature = "!!" }, ReasonEncoding, "signature 0"},
		{"index", func(r *Receipt) { r.Items[0].I = 1 }, ReasonBinding, "receipt item 0"},
	} {
		r := testReceipt(t, signer, authn, cert, 0)
		c.edit(&r)
		_, err := r.VerifyEvidence()
		refused(t, c.what, err, c.want, c.words)
	}
}

// AUD-11: receipts of approvals by a device key, by a synchronised passkey, and of
// content that was not shown verify too; and their forgeries do not.
func TestAUD11ReceiptsOfOtherCarriers(t *testing.T) {
	signer, device := fixedKey(t, "signer"), fixedKey(t, "device")
	cert := fixedCert(t, signer)
	s := testSAD(t, cert, "contract.pdf")
	s.Auth = Auth{CarrierJWS, "ZGV2aWNl"}
	text := must[[]byte](t)(s.Encode())
	r := testReceipt(t, signer, device, cert, 0)
	byKey := func(k detKey) string {
		return B64(mustJCS(t, DeviceJWS{CarrierJWS, deviceJWS(t, k, `{"alg":"ES256","kid":"ZGV2aWNl","typ":"sad+jws"}`, text)}))
	}
	r.SAD, r.Proof = B64(text), byKey(device)
	if _, err := r.VerifyEvidence(); err != nil {
		t.Errorf("device key: %v", err)
	}
	r.Proof = byKey(fixedKey(t, "evil"))
	_, err := r.VerifyEvidence()
	refused(t, "by another device key", err, ReasonSignature, "")

	s = testSAD(t, cert, "contract.pdf")
	text = must[[]byte](t)(s.Encode())
	passkey := goodAssertion(t)
	passkey.flags |= flagBE | flagBS
	r = testReceipt(t, signer, fixedKey(t, "authenticator"), cert, 0)
	r.Proof = B64(mustJCS(t, passkey.make(t, must[[]byte](t)(s.Challenge(text)))))
	if _, err := r.VerifyEvidence(); err != nil {
		t.Errorf("synchronised passkey: %v", err)
	}
	a := passkey.make(t, must[[]byte](t)(s.Challenge(text)))
	for _, n := range []int{0, 31, 32, 33} {
		a.AuthenticatorData = B64(make([]byte, n))
		r.Proof = B64(mustJCS(t, a))
		_, err = r.VerifyEvidence()
		refused(t, "authenticator data cut off", err, ReasonAuthData, "octets")
	}
	a.AuthenticatorData = "!!"
	r.Proof = B64(mustJCS(t, a))
	_, err = r.VerifyEvidence()
	refused(t, "authenticator data is no base64url", err, ReasonEncoding, "authenticatorData")

	sum := sha256.Sum256([]byte("unseen"))
	s = testSAD(t, cert, "contract.pdf")
	s.Items[0] = NewRawItem(0, "unseen", algo.ES256, sum[:])
	text = must[[]byte](t)(s.Encode())
	r = testReceipt(t, signer, fixedKey(t, "authenticator"), cert, 0)
	r.SAD, r.Proof = B64(text), B64(mustJCS(t, goodAssertion(t).make(t, must[[]byte](t)(s.Challenge(text)))))
	r.Items = []ReceiptItem{{0, B64(sum[:]), B64(must[[]byte](t)(signer.Sign(nil, sum[:], crypto.SHA256))), false}}
	if _, err := r.VerifyEvidence(); err != nil {
		t.Errorf("content not shown: %v", err)
	}
	r.Items[0].Shown = true
	_, err = r.VerifyEvidence()
	refused(t, "content said to be shown", err, ReasonBinding, "receipt item 0")
}

// AUD-11: whatever can be approved has a receipt that is read: of an approval of the largest size, and of as many items as there can be with
// the longest signatures. What is longer is no receipt.
func TestAUD11LargestReceiptIsRead(t *testing.T) {
	sam, long := fixedKey(t, "sam"), strings.Repeat("A", base64.RawURLEncoding.EncodedLen(512))
	r := testReceipt(t, fixedKey(t, "signer"), fixedKey(t, "authenticator"), fixedCert(t, fixedKey(t, "signer")), 0)
	r.SAD = B64(bytes.Repeat([]byte("x"), jcs.MaxSize))
	r.Proof = B64(make([]byte, MaxProofSize))
	r.Items = nil
	for i := range MaxItems {
		r.Items = append(r.Items, ReceiptItem{I: i, DTBSR: B64(make([]byte, sha512.Size)), Signature: long, Shown: true})
	}
	text := string(mustJCS(t, r))
	if got, err := OpenReceipt(&sam.PublicKey, signedReceipt(t, sam, text, 0, 1)); err != nil || len(got.Items) != MaxItems || got.SAD != r.SAD {
		t.Errorf("a receipt of %d octets: %v", len(text), err)
	}
	r.SAD = B64(bytes.Repeat([]byte("x"), MaxReceipt))
	_, err := OpenReceipt(&sam.PublicKey, signedReceipt(t, sam, string(mustJCS(t, r)), 0, 1))
	refused(t, "too long", err, ReasonTooLarge, "receipt of")
}
