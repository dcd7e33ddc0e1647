package sap

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
)

// answeringKey is a token that answers with any octets.
type answeringKey struct {
	detKey
	answer []byte
	err    error
}

func (k answeringKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return k.answer, k.err
}

// T15: a token that fails, or answers with what is no signature of its curve, makes
// no statement: neither a panic nor 64 octets of something else.
func TestStatementKeyThatLies(t *testing.T) {
	der := func(r, s *big.Int) []byte {
		return must[[]byte](t)(asn1.Marshal(struct{ R, S *big.Int }{r, s}))
	}
	one, zero, below := big.NewInt(1), big.NewInt(0), big.NewInt(-1)
	bits256, bits257 := new(big.Int).Lsh(one, 255), new(big.Int).Lsh(one, 256)
	for what, answer := range map[string][]byte{
		"nothing": nil, "no DER": []byte("x"), "more than a signature": append(der(one, one), 0),
		"r is zero": der(zero, one), "s is zero": der(one, zero), "r is negative": der(below, one), "s is negative": der(one, below),
		"r too long": der(bits257, one), "s too long": der(one, bits257),
	} {
		sig, err := Sign(answeringKey{answer: answer}, LabelActivationRequest, []byte("x"))
		refused(t, what, err, ReasonSAMSignature, "no P-256 signature")
		if sig != nil {
			t.Errorf("%s: %x came out", what, sig)
		}
	}
	for _, good := range []*big.Int{one, bits256} {
		sig, err := Sign(answeringKey{answer: der(good, good)}, LabelActivationRequest, []byte("x"))
		if half := good.FillBytes(make([]byte, 32)); err != nil || !bytes.Equal(sig, append(half, half...)) {
			t.Errorf("%x: %x, %v", good, sig, err)
		}
	}
	gone := errors.New("token is gone")
	if _, err := Sign(answeringKey{answer: der(one, one), err: gone}, LabelActivationRequest, nil); !errors.Is(err, gone) {
		t.Errorf("a token that fails: %v", err)
	}
	s, err := SignStatement(answeringKey{err: gone}, "id", LabelActivationRequest, Context{})
	if !errors.Is(err, gone) || s != (Signed{}) {
		t.Errorf("a statement of a token that fails: %+v, %v", s, err)
	}
	s, err = SignStatement(fixedKey(t, "sam"), "id", LabelActivationRequest, Context{Asker: "\xff"})
	refused(t, "a statement without a canonical form", err, ReasonEncoding, "")
	if s != (Signed{}) {
		t.Errorf("%+v came out", s)
	}
	id, err := KeyID("no key")
	refused(t, "name of no key", err, ReasonEncoding, "public key")
	if id != "" {
		t.Errorf("it is %q", id)
	}
}

// SAP-07: a statement is read only if its key signed it under its label, in the one
// spelling that there is; a request also has to be in its form.
func TestSAP07StatementsThatAreRefused(t *testing.T) {
	sam := fixedKey(t, "sam")
	cert := fixedCert(t, fixedKey(t, "signer"))
	request := testRequest(t, cert, 1)
	good := must[Signed](t)(SignStatement(sam, "id", LabelActivationRequest, request))
	if r, err := OpenActivationRequest(&sam.PublicKey, good); err != nil || r.Bind != request.Bind {
		t.Fatalf("the genuine one: %v", err)
	}
	raw := func(text string) Signed {
		return Signed{Statement: B64([]byte(text)), Signature: B64(must[[]byte](t)(Sign(sam, LabelActivationRequest, []byte(text)))), Key: "id"}
	}
	typed, bound := request, request
	typed.Type, bound.Bind.N = TypeSAD, 0
	text := string(mustJCS(t, request))
	edited := good
	edited.Statement = B64([]byte(strings.Replace(text, `"n":1`, `"n":2`, 1)))
	for _, c := range []struct {
		what  string
		s     Signed
		key   *ecdsa.PublicKey
		want  Reason
		words string
	}{
		{"of another key", good, &fixedKey(t, "evil").PublicKey, ReasonSAMSignature, ""},
		{"edited", edited, &sam.PublicKey, ReasonSAMSignature, ""},
		{"under another label", must[Signed](t)(SignStatement(sam, "id", LabelRegistration, request)), &sam.PublicKey, ReasonSAMSignature, ""},
		{"statement is no base64url", Signed{"!!", good.Signature, "id"}, &sam.PublicKey, ReasonEncoding, "statement"},
		{"signature is no base64url", Signed{good.Statement, "!!", "id"}, &sam.PublicKey, ReasonEncoding, "signature"},
		{"no signature", Signed{good.Statement, "", "id"}, &sam.PublicKey, ReasonSAMSignature, "0 octets"},
		{"signature longer", Signed{good.Statement, good.Signature + "AAAA", "id"}, &sam.PublicKey, ReasonSAMSignature, "octets"},
		{"another spelling", raw(" " + text), &sam.PublicKey, ReasonEncoding, ""},
		{"of another type", must[Signed](t)(SignStatement(sam, "id", LabelActivationRequest, typed)), &sam.PublicKey, ReasonType, TypeSAD},
		{"form of the binding", must[Signed](t)(SignStatement(sam, "id", LabelActivationRequest, bound)), &sam.PublicKey, ReasonCount, "n=0"},
	} {
		r, err := OpenActivationRequest(c.key, c.s)
		refused(t, c.what, err, c.want, c.words)
		if r != nil {
			t.Errorf("%s: it came out", c.what)
		}
	}
	var other ActivationRequest
	refused(t, "without its decoder's check", OpenStatement(&fixedKey(t, "evil").PublicKey, LabelActivationRequest, good, &other), ReasonSAMSignature, "")
	refused(t, "another spelling, without it", OpenStatement(&sam.PublicKey, LabelActivationRequest, raw(text+" "), &other), ReasonEncoding, "")
	for _, n := range []int{0, NonceLen - 1, NonceLen + 1} {
		_, err := Challenge(make([]byte, n), []byte("sad"))
		refused(t, "nonce of another length", err, ReasonEncoding, "nonce of")
		_, err = OneTimeChallenge(make([]byte, n), []byte("statement"))
		refused(t, "nonce of another length", err, ReasonEncoding, "nonce")
	}
	s := testSAD(t, cert, "a.pdf")
	s.Bind.Nonce = "!!"
	_, err := s.Challenge([]byte("sad"))
	refused(t, "nonce is no base64url", err, ReasonEncoding, "")
}

func testOneTime() OneTimeRequest {
	return OneTimeRequest{
		Type: TypeOneTime, Audience: "demo#1", Key: "once-1", Nonce: B64(make([]byte, NonceLen)), Signer: "anna", Display: "Anna Example", Proofing: "proof 17",
		KeyType: "P-256", Subject: "MAA", CA: "ca-1", Policy: "once", Caller: "ssad-1", Carrier: CarrierWebAuthn, Credentials: []string{"AA"},
		Origin: testOrigin, RPID: testRPID, Assurance: AssuranceDevelopment, Life: 600, IssuedAt: 1_800_000_000, Expires: 1_800_000_300,
	}
}

// SAP-06, SAP-14: each field of a request for a one-time key in its form and at its
// bounds; its life is at most 30 minutes, and it names the identity proofing.
func TestSAP06OneTimeRequestForms(t *testing.T) {
	long := func(n int) func(*OneTimeRequest) {
		return func(r *OneTimeRequest) {
			r.Origin = ""
			r.Origin = strings.Repeat("x", n-len(mustJCS(t, r)))
		}
	}
	for _, c := range []struct {
		what  string
		edit  func(*OneTimeRequest)
		want  Reason
		words string
	}{
		{"genuine", func(*OneTimeRequest) {}, "", ""},
		{"thirty minutes", func(r *OneTimeRequest) { r.Life = 30 * 60 }, "", ""},
		{"longer", func(r *OneTimeRequest) { r.Life = 30*60 + 1 }, ReasonEncoding, "life"},
		{"a second", func(r *OneTimeRequest) { r.Life = 1 }, "", ""},
		{"no life", func(r *OneTimeRequest) { r.Life = 0 }, ReasonEncoding, "life"},
		{"the first second", func(r *OneTimeRequest) { r.IssuedAt, r.Expires = 1, 2 }, "", ""},
		{"issued at no time", func(r *OneTimeRequest) { r.IssuedAt = 0 }, ReasonEncoding, "iat"},
		{"over at once", func(r *OneTimeRequest) { r.Expires = r.IssuedAt }, ReasonEncoding, "exp"},
		{"largest", long(MaxProofSize), "", ""},
		{"too large", long(MaxProofSize + 1), ReasonTooLarge, "16385 octets"},
		{"type", func(r *OneTimeRequest) { r.Type = TypeSAD }, ReasonType, TypeSAD},
		{"nonce shorter", func(r *OneTimeRequest) { r.Nonce = B64(make([]byte, 31)) }, ReasonEncoding, "nonce"},
		{"nonce is no base64url", func(r *OneTimeRequest) { r.Nonce = "!!" }, ReasonEncoding, "nonce"},
		{"audience", func(r *OneTimeRequest) { r.Audience = "" }, ReasonEncoding, "identifier"},
		{"key", func(r *OneTimeRequest) { r.Key = "" }, ReasonEncoding, "identifier"},
		{"signer", func(r *OneTimeRequest) { r.Signer = "" }, ReasonEncoding, "identifier"},
		{"caller", func(r *OneTimeRequest) { r.Caller = "" }, ReasonEncoding, "identifier"},
		{"policy", func(r *OneTimeRequest) { r.Policy = "" }, ReasonEncoding, "identifier"},
		{"connector", func(r *OneTimeRequest) { r.CA = "" }, ReasonEncoding, "identifier"},
		{"no proofing", func(r *OneTimeRequest) { r.Proofing = "" }, ReasonText, "proof"},
		{"proofing that cannot be shown", func(r *OneTimeRequest) { r.Proofing = "a\u202eb" }, ReasonText, "proof"},
		{"key type", func(r *OneTimeRequest) { r.KeyType = "P-224" }, ReasonAlgorithm, "key type"},
	} {
		r := testOneTime()
		c.edit(&r)
		text := mustJCS(t, r)
		back, err := DecodeOneTime(text)
		if c.want != "" {
			refused(t, c.what, err, c.want, c.words)
			if back != nil {
				t.Errorf("%s: it came out", c.what)
			}
		} else if err != nil || !bytes.Equal(mustJCS(t, back), text) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	_, err := DecodeOneTime(append(mustJCS(t, testOneTime()), ' '))
	refused(t, "another spelling", err, ReasonEncoding, "")
	r := testOneTime()
	r.Life = 1 << 60
	h, err := r.Hash()
	refused(t, "a number that JSON does not carry", err, ReasonEncoding, "")
	if h != nil {
		t.Errorf("it has the hash %x", h)
	}
}

// SAP-06: what is approved for a one-time key is no approval of a signature, and
// each request has a hash and a challenge of its own.
func TestSAP06OneTimeLabels(t *testing.T) {
	r := testOneTime()
	text := mustJCS(t, r)
	hash := must[[]byte](t)(r.Hash())
	if want := labelled(LabelOneTimeBinding, text); !bytes.Equal(hash, want) {
		t.Errorf("hash %x, want %x", hash, want)
	}
	r.Key = "once-2"
	if bytes.Equal(hash, must[[]byte](t)(r.Hash())) {
		t.Error("two requests have one hash")
	}
	nonce := bytes.Repeat([]byte{1}, NonceLen)
	once := must[[]byte](t)(OneTimeChallenge(nonce, text))
	for what, other := range map[string][]byte{
		"a SAD":           must[[]byte](t)(Challenge(nonce, text)),
		"a registration":  must[[]byte](t)(RegistrationChallenge(nonce, text)),
		"another nonce":   must[[]byte](t)(OneTimeChallenge(make([]byte, NonceLen), text)),
		"another request": must[[]byte](t)(OneTimeChallenge(nonce, mustJCS(t, r))),
	} {
		if bytes.Equal(once, other) {
			t.Errorf("the challenge is that of %s", what)
		}
	}
}
