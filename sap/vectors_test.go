package sap

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math/big"
	"os"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

// detKey signs by RFC 6979, so that vectors can be made again byte for byte.
type detKey struct{ *ecdsa.PrivateKey }

func (k detKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.PrivateKey.Sign(nil, digest, opts)
}

func fixedKey(t testing.TB, name string) detKey {
	t.Helper()
	d := sha256.Sum256([]byte("assent test key " + name))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		t.Fatal(err)
	}
	return detKey{k}
}

func fixedCert(t testing.TB, key detKey) []byte {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(4711), Subject: pkix.Name{CommonName: "Anna Example", Country: []string{"EU"}},
		NotBefore: time.Unix(1_700_000_000, 0).UTC(), NotAfter: time.Unix(2_700_000_000, 0).UTC(),
		KeyUsage: x509.KeyUsageContentCommitment,
	}
	der, err := x509.CreateCertificate(nil, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func spki(t testing.TB, pub crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// vectors is the file shared with the TypeScript side. Binary values are
// base64url. "ok": false cases must be refused.
type vectors struct {
	Note       string            `json:"note"`
	Keys       map[string]string `json:"keys"` // SubjectPublicKeyInfo by name; samId is KeyID
	Cert       string            `json:"cert"` // the signer's certificate, DER
	JCS        []jcsVector       `json:"jcs"`
	B64        []b64Vector       `json:"b64"`
	Attributes []attrVector      `json:"signedAttributes"`
	XAdES      []xadesVector     `json:"xades"`
	Requests   []signedVector    `json:"activationRequests"` // label LabelActivationRequest
	SADs       []sadVector       `json:"sads"`
	JWS        []jwsVector       `json:"jws"`
	Enrolment  enrolVector       `json:"enrolment"`
	Receipts   []receiptVector   `json:"receipts"`
	Text       []textVector      `json:"displayable"`
	// Successions of statement keys, from the pinned one on; "keys" are the ids that count.
	Successions []successionVector `json:"successions"`
}

type jcsVector struct {
	In  string `json:"in"`  // JSON text
	Out string `json:"out"` // canonical text; "" means refused
}
type b64Vector struct {
	In string `json:"in"`
	OK bool   `json:"ok"`
}
type attrVector struct {
	Alg   string `json:"alg"`
	Doc   string `json:"doc"`
	DER   string `json:"der"`
	DTBSR string `json:"dtbsr"`
}
type signedVector struct {
	Name   string `json:"name"`
	Signed Signed `json:"signed"`
	OK     bool   `json:"ok"`
}
type sadVector struct {
	Name      string  `json:"name"`
	Request   string  `json:"request"` // statement of the activation request it answers
	Cred      string  `json:"cred"`
	Ctx       Context `json:"ctx"`
	Items     []Item  `json:"items"`
	SAD       string  `json:"sad"`
	Challenge string  `json:"challenge"`
	Proof     string  `json:"proof"` // canonical WebAuthn proof by key "authenticator"
}
type jwsVector struct {
	Kid   string `json:"kid"`
	SAD   string `json:"sad"`
	Input string `json:"input"`
	Proof string `json:"proof"`
	OK    bool   `json:"ok"`
}
type enrolVector struct {
	Request           Signed `json:"request"` // label LabelRegistration
	Challenge         string `json:"challenge"`
	Code              string `json:"code"`
	CodeKey           string `json:"codeKey"`
	AttestationObject string `json:"attestationObject"`
	ClientDataJSON    string `json:"clientDataJSON"`
	CodeProof         string `json:"codeProof"`
	Registration      string `json:"registration"` // canonical bytes
}
type receiptVector struct {
	Name    string        `json:"name"`
	Receipt SignedReceipt `json:"receipt"`
	OK      bool          `json:"ok"`
}
type textVector struct {
	In string `json:"in"`
	OK bool   `json:"ok"`
}

const (
	testOrigin = "http://localhost:8441"
	testRPID   = "localhost"
)

var testCred = []byte("credential-0001-of-anna")

func testBinding(t testing.TB, cert []byte, n int) Binding {
	t.Helper()
	sum := sha256.Sum256(cert)
	return Binding{
		Audience: "demo#1", Session: B64(bytes.Repeat([]byte{0x11}, SessionLen)), Nonce: B64(bytes.Repeat([]byte{0xa5}, NonceLen)),
		Signer: "anna", Key: "key-0001", Cert: B64(sum[:]), Alg: "ES256", Caller: "ssad-1", Policy: "standard",
		N: n, IssuedAt: 1_800_000_000, Expires: 1_800_000_300,
	}
}

func testRequest(t testing.TB, cert []byte, n int) ActivationRequest {
	return ActivationRequest{
		Type: TypeActivationRequest, Bind: testBinding(t, cert, n), Carrier: CarrierWebAuthn,
		Credentials: []string{B64(testCred)}, Origin: testOrigin, RPID: testRPID, Assurance: AssuranceDevelopment,
	}
}

func testSAD(t testing.TB, cert []byte, names ...string) *SAD {
	t.Helper()
	s := &SAD{
		Type: TypeSAD, Bind: testBinding(t, cert, len(names)), Auth: Auth{Method: CarrierWebAuthn, Cred: B64(testCred)},
		Ctx: Context{Operation: "op_01", Asker: "Example Ltd", Purpose: "Sign the lease — 2 years, 900 €", Level: "B-T"},
	}
	for i, n := range names {
		doc := sha256.Sum256([]byte("document " + n))
		it, err := NewPAdESItem(i, n, algo.ES256, doc[:], cert)
		if err != nil {
			t.Fatal(err)
		}
		s.Items = append(s.Items, it)
	}
	return s
}

// assertionFor plays an authenticator with full control over each field.
type assertionFor struct {
	key                 detKey
	typ, origin, rpID   string
	flags               byte
	count               uint32
	extraClient, suffix string
}

func goodAssertion(t testing.TB) assertionFor {
	return assertionFor{key: fixedKey(t, "authenticator"), typ: "webauthn.get", origin: testOrigin, rpID: testRPID, flags: flagUP | flagUV, count: 7}
}

func (a assertionFor) make(t testing.TB, challenge []byte) *Assertion {
	t.Helper()
	cd := `{"type":"` + a.typ + `","challenge":"` + B64(challenge) + `","origin":"` + a.origin + `"` + a.extraClient + `}` + a.suffix
	rp := sha256.Sum256([]byte(a.rpID))
	ad := append(rp[:], a.flags)
	ad = binary.BigEndian.AppendUint32(ad, a.count)
	cdh := sha256.Sum256([]byte(cd))
	sum := sha256.Sum256(append(bytes.Clone(ad), cdh[:]...))
	sig, err := a.key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return &Assertion{Carrier: CarrierWebAuthn, Credential: B64(testCred), AuthenticatorData: B64(ad), ClientDataJSON: B64([]byte(cd)), Signature: B64(sig)}
}

func mustJCS(t testing.TB, v any) []byte {
	t.Helper()
	b, err := jcs.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func buildVectors(t *testing.T) *vectors {
	sam, authn, device, signer := fixedKey(t, "sam"), fixedKey(t, "authenticator"), fixedKey(t, "device"), fixedKey(t, "signer")
	cert := fixedCert(t, signer)
	samID := must[string](t)(KeyID(sam.Public()))
	v := &vectors{
		Note: "Test vectors of the Signature Activation Protocol; see SAP.md. Made by `go test ./sap -run TestVectors -update`; all signatures are deterministic (RFC 6979).",
		Keys: map[string]string{"sam": B64(spki(t, sam.Public())), "samId": samID, "authenticator": B64(spki(t, authn.Public())), "device": B64(spki(t, device.Public()))},
		Cert: B64(cert),
	}
	vectorsForms(t, v, cert)
	vectorsXAdES(t, v, cert)
	vectorsRequests(t, v, sam, samID, cert)
	vectorsSADs(t, v, cert)
	vectorsJWS(t, v, device, cert)
	vectorsEnrolment(t, v, sam, samID)
	vectorsReceipts(t, v, sam, samID, signer, authn, cert)
	vectorsSuccessions(t, v)
	return v
}

func vectorsForms(t *testing.T, v *vectors, cert []byte) {
	for _, in := range []string{
		`{"b":1,"a":[true,false,"x"],"":{"z":-1,"é":0}}`, `{ "a" : 1 }`, `"\u20ac\u0041\u000a\u001f\"\\\/"`, `"😀€é"`,
		`{"😀":1,"é":2,"\ufb33":3}`, `9007199254740991`, `-0`, `9007199254740992`, `1.0`, `1e3`, `null`, `{"a":1,"a":2}`, `[1,]`, `{"a":1} x`, `"\ud800"`, ``,
	} {
		out, err := jcs.Transform([]byte(in))
		if err != nil {
			out = nil
		}
		v.JCS = append(v.JCS, jcsVector{in, string(out)})
	}
	for _, in := range []string{"", "AA", "AQ", "AB", "AAE", "AAF", "AA==", "AA\n", "A", "-_8", "+/8"} {
		_, err := UnB64(in)
		v.B64 = append(v.B64, b64Vector{in, err == nil})
	}
	for _, in := range []string{"contract.pdf", "Müller & Söhne — Vertrag №7.pdf", "Σύμβαση.pdf", "line\nbreak", "tab\t", "\u202egnp.exe", "zero\u200bwidth", "\u2028", "\ufeffbom", "a\u00a0b", "",
		"\u3164\u3164", "pay\u115f", "a\u034fb", "\u2800", "contract\ufe0f.pdf", "contract\U000e0101.pdf", "e\u0301"} {
		v.Text = append(v.Text, textVector{in, Displayable(in)})
	}
	for _, a := range []algo.Algorithm{algo.ES256, algo.ES384, algo.ES512, algo.RS256} {
		doc := digest(a.Hash(), []byte("a document"))
		der := must[[]byte](t)(PAdESSignedAttributes(doc, cert))
		v.Attributes = append(v.Attributes, attrVector{a.String(), B64(doc), B64(der), B64(digest(a.Hash(), der))})
	}
}

func vectorsRequests(t *testing.T, v *vectors, sam detKey, samID string, cert []byte) {
	good := must[Signed](t)(SignStatement(sam, samID, LabelActivationRequest, testRequest(t, cert, 1)))
	add := func(name string, s Signed, ok bool) {
		v.Requests = append(v.Requests, signedVector{name, s, ok})
	}
	add("good", good, true)
	add("good, two items", must[Signed](t)(SignStatement(sam, samID, LabelActivationRequest, testRequest(t, cert, 2))), true)
	add("signed for another purpose", must[Signed](t)(SignStatement(sam, samID, LabelRegistration, testRequest(t, cert, 1))), false)
	add("signed by another key", must[Signed](t)(SignStatement(fixedKey(t, "evil"), samID, LabelActivationRequest, testRequest(t, cert, 1))), false)
	wrong := testRequest(t, cert, 1)
	wrong.Type = TypeSAD
	add("another type", must[Signed](t)(SignStatement(sam, samID, LabelActivationRequest, wrong)), false)
	text := must[[]byte](t)(UnB64(good.Statement))
	loose := append([]byte(" "), text...)
	add("not canonical, though signed", Signed{B64(loose), B64(must[[]byte](t)(Sign(sam, LabelActivationRequest, loose))), samID}, false)
	flipped := bytes.Clone(text)
	flipped[len(flipped)/2] ^= 1
	add("one bit changed", Signed{B64(flipped), good.Signature, samID}, false)
	add("signature cut", Signed{good.Statement, good.Signature[:40], samID}, false)
}

func vectorsSADs(t *testing.T, v *vectors, cert []byte) {
	for _, names := range [][]string{{"contract.pdf"}, {"a.pdf", "Müller № 2.pdf"}} {
		s := testSAD(t, cert, names...)
		text := must[[]byte](t)(s.Encode())
		ch := must[[]byte](t)(s.Challenge(text))
		v.SADs = append(v.SADs, sadVector{
			Name: names[0], Request: B64(mustJCS(t, testRequest(t, cert, len(names)))), Cred: B64(testCred), Ctx: s.Ctx, Items: s.Items,
			SAD: B64(text), Challenge: B64(ch), Proof: B64(mustJCS(t, goodAssertion(t).make(t, ch))),
		})
	}
	s := xadesSAD(t, cert)
	text := must[[]byte](t)(s.Encode())
	ch := must[[]byte](t)(s.Challenge(text))
	v.SADs = append(v.SADs, sadVector{
		Name: "XAdES", Request: B64(mustJCS(t, testRequest(t, cert, 2))), Cred: B64(testCred), Ctx: s.Ctx, Items: s.Items,
		SAD: B64(text), Challenge: B64(ch), Proof: B64(mustJCS(t, goodAssertion(t).make(t, ch))),
	})
}

func vectorsJWS(t *testing.T, v *vectors, device detKey, cert []byte) {
	kid := B64([]byte("device-key-1"))
	sad := must[[]byte](t)(testSAD(t, cert, "contract.pdf").Encode())
	input := must[string](t)(EncodeDeviceJWSInput(kid, sad))
	sum := sha256.Sum256([]byte(input))
	raw := must[[]byte](t)(rawECDSA(must[[]byte](t)(device.Sign(nil, sum[:], crypto.SHA256))))
	add := func(jws string, ok bool) {
		v.JWS = append(v.JWS, jwsVector{kid, B64(sad), input, B64(mustJCS(t, DeviceJWS{CarrierJWS, jws})), ok})
	}
	add(input+"."+B64(raw), true)
	add(input+"."+B64(raw[:63]), false)
	add(input, false)
	for _, head := range []string{`{"alg":"none","kid":"` + kid + `","typ":"sad+jws"}`, `{"alg":"HS256","kid":"` + kid + `","typ":"sad+jws"}`,
		`{"alg":"ES256","crit":["x"],"kid":"` + kid + `","typ":"sad+jws"}`, `{"alg":"ES256","kid":"other","typ":"sad+jws"}`, `{"alg":"ES256","kid":"` + kid + `"}`} {
		in := B64([]byte(head)) + "." + B64(sad)
		s := sha256.Sum256([]byte(in))
		add(in+"."+B64(must[[]byte](t)(rawECDSA(must[[]byte](t)(device.Sign(nil, s[:], crypto.SHA256))))), false)
	}
}

func vectorsEnrolment(t *testing.T, v *vectors, sam detKey, samID string) {
	req := RegistrationRequest{Type: TypeRegistration, Audience: "demo#1", ID: B64(bytes.Repeat([]byte{2}, 16)), Nonce: B64(bytes.Repeat([]byte{3}, NonceLen)),
		Signer: "anna", Display: "Anna Example", Origin: testOrigin, RPID: testRPID, IssuedAt: 1_800_000_000, Expires: 1_800_000_600}
	signed := must[Signed](t)(SignStatement(sam, samID, LabelRegistration, req))
	st := must[[]byte](t)(UnB64(signed.Statement))
	ch := must[[]byte](t)(RegistrationChallenge(bytes.Repeat([]byte{3}, NonceLen), st))
	code := B64(bytes.Repeat([]byte{4}, 20))
	ck := must[[]byte](t)(CodeKey(code))
	att, cd := []byte("attestation object (opaque here)"), []byte(`{"type":"webauthn.create","challenge":"`+B64(ch)+`","origin":"`+testOrigin+`"}`)
	proof := CodeProof(ck, st, att, cd)
	reg := Registration{B64(att), B64(cd), B64(proof)}
	v.Enrolment = enrolVector{signed, B64(ch), code, B64(ck), reg.AttestationObject, reg.ClientDataJSON, reg.CodeProof, B64(mustJCS(t, reg))}
}

func vectorsReceipts(t *testing.T, v *vectors, sam detKey, samID string, signer, authn detKey, cert []byte) {
	var texts [][]byte
	for i := range 3 {
		texts = append(texts, mustJCS(t, testReceipt(t, signer, authn, cert, i)))
	}
	tree := NewReceiptTree(texts)
	sig := must[[]byte](t)(Sign(sam, LabelReceiptRoot, tree.Root()))
	var good []SignedReceipt
	for i, text := range texts {
		r := SignedReceipt{Receipt: B64(text), Index: i, Size: len(texts), Signature: B64(sig), Key: samID, Path: []string{}}
		for _, p := range tree.Path(i) {
			r.Path = append(r.Path, B64(p))
		}
		good = append(good, r)
		v.Receipts = append(v.Receipts, receiptVector{"good", r, true})
	}
	bad := good[0]
	bad.Index = 1
	v.Receipts = append(v.Receipts, receiptVector{"wrong index", bad, false})
	bad = good[0]
	bad.Receipt = good[1].Receipt
	v.Receipts = append(v.Receipts, receiptVector{"another receipt", bad, false})
	bad = good[2]
	bad.Path = append([]string{}, good[0].Path...)
	v.Receipts = append(v.Receipts, receiptVector{"path too long", bad, false})
}

func testReceipt(t testing.TB, signer, authn detKey, cert []byte, seq int) Receipt {
	t.Helper()
	s := testSAD(t, cert, "contract.pdf")
	text := must[[]byte](t)(s.Encode())
	ch := must[[]byte](t)(s.Challenge(text))
	d := must[[]byte](t)(UnB64(s.Items[0].DTBSR))
	sig := must[[]byte](t)(signer.Sign(nil, d, crypto.SHA256))
	return Receipt{
		Type: TypeReceipt, Audience: "demo#1", Instance: "chain-1", Time: 1_800_000_001_000, SAD: B64(text),
		Proof: B64(mustJCS(t, goodAssertion(t).make(t, ch))), Authenticator: B64(spki(t, authn.Public())), Certificate: B64(cert),
		Origin: testOrigin, RPID: testRPID, Items: []ReceiptItem{{0, s.Items[0].DTBSR, B64(sig), true}},
		Assurance: AssuranceDevelopment, AuditSeq: int64(seq + 10), AuditHash: B64(make([]byte, 32)),
	}
}

// SAP-07: the code against the committed vectors, both ways: the file is exactly
// what this code makes, and every case is judged as it says; among them carriers
// with another algorithm, an unknown crit, other spellings.
func TestVectors(t *testing.T) {
	v := buildVectors(t)
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	const file = "testdata/vectors.json"
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, text) {
		t.Fatalf("%s is not what the code makes: the protocol changed", file)
	}
	judgeVectors(t, v)
}

func judgeVectors(t *testing.T, v *vectors) {
	sam, device := fixedKey(t, "sam"), fixedKey(t, "device")
	for _, c := range v.Requests {
		if _, err := OpenActivationRequest(&sam.PublicKey, c.Signed); (err == nil) != c.OK {
			t.Errorf("request %q: ok=%v, got %v", c.Name, c.OK, err)
		}
	}
	for i, c := range v.JWS {
		proof, sad := must[[]byte](t)(UnB64(c.Proof)), must[[]byte](t)(UnB64(c.SAD))
		if err := VerifyDeviceJWS(proof, sad, c.Kid, &device.PublicKey); (err == nil) != c.OK {
			t.Errorf("jws %d: ok=%v, got %v", i, c.OK, err)
		}
	}
	for _, c := range v.Receipts {
		r, err := OpenReceipt(&sam.PublicKey, c.Receipt)
		if (err == nil) != c.OK {
			t.Errorf("receipt %q: ok=%v, got %v", c.Name, c.OK, err)
		}
		if err == nil {
			if _, err := r.VerifyEvidence(); err != nil {
				t.Errorf("receipt %q: evidence: %v", c.Name, err)
			}
		}
	}
	if good := v.Successions[0]; !good.OK || len(good.Keys) != 4 || !v.Successions[3].OK || len(v.Successions[3].Keys) != 2 {
		t.Errorf("successions: %+v", v.Successions[:4])
	}
	for i, c := range v.Successions {
		if c.OK != (i < 4) {
			t.Errorf("succession %q: ok=%v", c.Name, c.OK)
		}
	}
	for _, c := range v.SADs {
		text := must[[]byte](t)(UnB64(c.SAD))
		s := must[*SAD](t)(DecodeSAD(text))
		a := must[*Assertion](t)(DecodeAssertion(must[[]byte](t)(UnB64(c.Proof))))
		if _, err := VerifyAssertion(a, must[[]byte](t)(s.Challenge(text)), testAuthenticator(t), AssertionPolicy{testOrigin, testRPID}); err != nil {
			t.Errorf("sad %q: %v", c.Name, err)
		}
	}
}

func testAuthenticator(t testing.TB) Authenticator {
	return Authenticator{CredentialID: testCred, Public: &fixedKey(t, "authenticator").PublicKey, SignCount: 6}
}

func wantReason(t testing.TB, err error, want Reason) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want reason %s", err, want)
	}
}
