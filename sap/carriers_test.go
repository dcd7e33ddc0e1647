package sap

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"strconv"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/jcs"
)

// deviceJWS signs any header and payload as a device would.
func deviceJWS(t testing.TB, key detKey, header string, payload []byte) string {
	t.Helper()
	input := B64([]byte(header)) + "." + B64(payload)
	sum := sha256.Sum256([]byte(input))
	return input + "." + B64(must[[]byte](t)(rawECDSA(must[[]byte](t)(key.Sign(nil, sum[:], crypto.SHA256)))))
}

// SAP-02, SAP-07: each part of the device-key carrier, and the reason if it is wrong.
func TestSAP02DeviceKeyCarrier(t *testing.T) {
	device := fixedKey(t, "device")
	const kid = "ZGV2aWNl"
	const head = `{"alg":"ES256","kid":"` + kid + `","typ":"sad+jws"}`
	sad := must[[]byte](t)(testSAD(t, fixedCert(t, fixedKey(t, "signer")), "a.pdf").Encode())
	good := deviceJWS(t, device, head, sad)
	check := func(jws string) error {
		return VerifyDeviceJWS(mustJCS(t, DeviceJWS{CarrierJWS, jws}), sad, kid, &device.PublicKey)
	}
	if err := check(good); err != nil {
		t.Fatalf("the genuine one: %v", err)
	}
	signature := good[strings.LastIndexByte(good, '.'):]
	other := deviceJWS(t, fixedKey(t, "evil"), head, sad)
	for _, c := range []struct {
		what, jws string
		want      Reason
		words     string
	}{
		{"signed by another key", other, ReasonSignature, ""},
		{"no dot", "x", ReasonEncoding, "no signature"},
		{"nothing", "", ReasonEncoding, "no signature"},
		{"only a signature", signature, ReasonEncoding, "no payload"},
		{"no payload", B64([]byte(head)) + signature, ReasonEncoding, "no payload"},
		{"another payload under the genuine signature", B64([]byte(head)) + "." + B64([]byte("{}")) + signature, ReasonChallenge, "payload"},
		{"another payload", deviceJWS(t, device, head, []byte("{}")), ReasonChallenge, "payload"},
		{"another kid", deviceJWS(t, device, strings.Replace(head, kid, "other", 1), sad), ReasonAuthenticator, "header"},
		{"another algorithm", deviceJWS(t, device, strings.Replace(head, "ES256", "HS256", 1), sad), ReasonAlgorithm, "header"},
		{"header is no base64url", "!!." + B64(sad) + signature, ReasonAlgorithm, "header"},
		{"signature is no base64url", good[:len(good)-1] + "!", ReasonEncoding, "jws signature"},
		{"signature longer", good + "AAAA", ReasonEncoding, "jws signature"},
	} {
		refused(t, c.what, check(c.jws), c.want, c.words)
	}
	wrong := mustJCS(t, DeviceJWS{CarrierWebAuthn, good})
	refused(t, "carrier", VerifyDeviceJWS(wrong, sad, kid, &device.PublicKey), ReasonCarrier, "webauthn")
	refused(t, "no proof", VerifyDeviceJWS([]byte("{}"), sad, kid, &device.PublicKey), ReasonEncoding, "proof")
	refused(t, "large", VerifyDeviceJWS(make([]byte, 2*jcs.MaxSize), sad, kid, &device.PublicKey), ReasonEncoding, "proof")
	refused(t, "too large", VerifyDeviceJWS(make([]byte, 2*jcs.MaxSize+1), sad, kid, &device.PublicKey), ReasonTooLarge, "proof of 2097153 octets")
	p384 := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	genuine := mustJCS(t, DeviceJWS{CarrierJWS, good})
	refused(t, "key of another curve", VerifyDeviceJWS(genuine, sad, kid, &p384.PublicKey), ReasonAlgorithm, "curve")
	refused(t, "kid that is no text", VerifyDeviceJWS(genuine, sad, "\xff", &device.PublicKey), ReasonEncoding, "")
	if _, err := EncodeDeviceJWSInput("\xff", sad); err == nil {
		t.Error("a kid that is no text is encoded")
	}
}

// SAP-07, I9: the proof of the WebAuthn carrier at its bounds.
func TestSAP07AssertionBounds(t *testing.T) {
	a := goodAssertion(t).make(t, make([]byte, 32))
	a.ClientDataJSON = strings.Repeat("A", MaxProofSize)
	a.ClientDataJSON = a.ClientDataJSON[:2*MaxProofSize-len(mustJCS(t, a))]
	fits := mustJCS(t, a)
	if _, err := DecodeAssertion(fits); err != nil || len(fits) != MaxProofSize {
		t.Errorf("%d octets: %v", len(fits), err)
	}
	a.ClientDataJSON += "A"
	_, err := DecodeAssertion(mustJCS(t, a))
	refused(t, "one more", err, ReasonTooLarge, "proof of 16385 octets")
	a.Carrier, a.ClientDataJSON = CarrierJWS, ""
	_, err = DecodeAssertion(mustJCS(t, a))
	refused(t, "another carrier", err, ReasonCarrier, "jws")
}

// SAP-02: a part of an assertion that is no base64url is named, and refused even if
// nothing else is asked for (no counter so far).
func TestSAP02AssertionPartsInTheirForm(t *testing.T) {
	ch := bytes.Repeat([]byte{9}, 32)
	auth := testAuthenticator(t)
	auth.SignCount = 0
	for _, c := range []struct {
		words string
		edit  func(*Assertion)
	}{
		{"credential", func(a *Assertion) { a.Credential = "!!" }},
		{"clientDataJSON", func(a *Assertion) { a.ClientDataJSON += "!" }},
		{"authenticatorData", func(a *Assertion) { a.AuthenticatorData += "!" }},
		{"signature", func(a *Assertion) { a.Signature += "!" }},
	} {
		a := goodAssertion(t).make(t, ch)
		c.edit(a)
		v := JudgeAssertion(a, ch, auth, AssertionPolicy{testOrigin, testRPID})
		refused(t, c.words, v.Err, ReasonEncoding, c.words)
		if v.Proven || v.Count != 0 {
			t.Errorf("%s: %+v", c.words, v)
		}
	}
	for _, n := range []int{0, 32, 33, authDataLen - 1, authDataLen + 1} {
		a := goodAssertion(t).make(t, ch)
		a.AuthenticatorData = B64(make([]byte, n))
		v := JudgeAssertion(a, ch, auth, AssertionPolicy{testOrigin, testRPID})
		refused(t, "authenticator data of another length", v.Err, ReasonAuthData, "octets")
		if v.Count != 0 {
			t.Errorf("%d octets move the counter to %d", n, v.Count)
		}
	}
	// The counter of a signature that is not the key's is nobody's word.
	a := goodAssertion(t)
	a.key = fixedKey(t, "evil")
	if v := JudgeAssertion(a.make(t, ch), ch, auth, AssertionPolicy{testOrigin, testRPID}); v.Count != 0 {
		t.Errorf("a forged signature moves the counter to %d", v.Count)
	}
}

// AFL-03: a failure counts against a signer only if the enrolled key signed exactly
// this challenge: whoever lacks it cannot lock its owner out, and whoever has it
// cannot try without being counted.
func TestAFL03WhatProvesTheKey(t *testing.T) {
	ch := bytes.Repeat([]byte{9}, 32)
	for _, c := range []struct {
		what   string
		make   func(assertionFor) *Assertion
		proven bool
		want   Reason
	}{
		{"genuine", func(a assertionFor) *Assertion { return a.make(t, ch) }, true, ""},
		{"at another origin", func(a assertionFor) *Assertion { a.origin = "http://evil.example"; return a.make(t, ch) }, true, ReasonOrigin},
		{"without the user verified", func(a assertionFor) *Assertion { a.flags = flagUP; return a.make(t, ch) }, true, ReasonUserVerified},
		{"with the counter of before", func(a assertionFor) *Assertion { a.count = 6; return a.make(t, ch) }, true, ReasonCounter},
		{"by another key", func(a assertionFor) *Assertion { a.key = fixedKey(t, "evil"); return a.make(t, ch) }, false, ReasonSignature},
		{"over another challenge", func(a assertionFor) *Assertion { return a.make(t, make([]byte, 32)) }, false, ReasonChallenge},
		{"over a challenge that is no base64url", func(a assertionFor) *Assertion {
			a.extraClient = `,"x":""`
			a.typ = `webauthn.get","challenge":"!!","y":"` // the genuine one comes second
			return a.make(t, ch)
		}, false, ReasonEncoding},
		{"over what is no client data", func(a assertionFor) *Assertion { a.suffix = "{}"; return a.make(t, ch) }, false, ReasonEncoding},
		{"under another credential", func(a assertionFor) *Assertion { b := a.make(t, ch); b.Credential = B64([]byte("x")); return b }, false, ReasonAuthenticator},
		{"under no credential", func(a assertionFor) *Assertion { b := a.make(t, ch); b.Credential = "!!"; return b }, false, ReasonEncoding},
	} {
		v := JudgeAssertion(c.make(goodAssertion(t)), ch, testAuthenticator(t), AssertionPolicy{testOrigin, testRPID})
		if v.Proven != c.proven {
			t.Errorf("%s: proven %v (%v)", c.what, v.Proven, v.Err)
		}
		if c.want != "" {
			refused(t, c.what, v.Err, c.want, "")
		} else if v.Err != nil || v.Count != 7 {
			t.Errorf("%s: %+v", c.what, v)
		}
	}
}

// SAP-02: authenticators have keys on P-256 or P-384, and no others.
func TestSAP02AuthenticatorKeys(t *testing.T) {
	ch := bytes.Repeat([]byte{9}, 32)
	a := goodAssertion(t).make(t, ch)
	cd, ad := must[[]byte](t)(UnB64(a.ClientDataJSON)), must[[]byte](t)(UnB64(a.AuthenticatorData))
	hash := sha256.Sum256(cd)
	sum := sha512.Sum384(append(bytes.Clone(ad), hash[:]...))
	p384 := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	a.Signature = B64(must[[]byte](t)(p384.Sign(rand.Reader, sum[:], crypto.SHA384)))
	auth := testAuthenticator(t)
	auth.Public = &p384.PublicKey
	if _, err := VerifyAssertion(a, ch, auth, AssertionPolicy{testOrigin, testRPID}); err != nil {
		t.Errorf("P-384: %v", err)
	}
	p521 := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	rsaKey := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))
	for what, key := range map[string]crypto.PublicKey{"authenticator curve": &p521.PublicKey, "*rsa.PublicKey": &rsaKey.PublicKey, "<nil>": nil} {
		auth.Public = key
		_, err := VerifyAssertion(a, ch, auth, AssertionPolicy{testOrigin, testRPID})
		refused(t, what, err, ReasonAlgorithm, what)
	}
}

// T4: collected client data of a browser, member by member. Unknown members are
// allowed, to a bound; what is not what it should be is refused, whatever it says.
func TestClientDataForms(t *testing.T) {
	const start = `{"type":"webauthn.get","challenge":"AA","origin":"http://localhost:8441"`
	members := func(n int) string {
		var b strings.Builder
		b.WriteString(start)
		for i := 3; i < n; i++ {
			b.WriteString(`,"m` + strconv.Itoa(i) + `":[1,{"x":null}]`)
		}
		return b.String() + "}"
	}
	fill := func(n int) string { return start + `,"x":"` + strings.Repeat("x", n-len(start)-8) + `"}` }
	for _, good := range []string{start + "}", start + `,"crossOrigin":true}`, members(33), fill(4096)} {
		if cd, err := parseClientData([]byte(good)); err != nil || cd.typ != "webauthn.get" || cd.challenge != "AA" || cd.origin != testOrigin {
			t.Errorf("%.80s: %+v, %v", good, cd, err)
		}
	}
	for text, words := range map[string]string{
		fill(4097):                  "too large",
		start + ",\"x\":\"\xff\"}":  "UTF-8",
		members(34):                 "member names",
		start + `,"type":"x"}`:      "member names",
		start:                       "no end",
		start + "}{}":               "trailing",
		start + "}]":                "trailing",
		"":                          "no object",
		`["type","webauthn.get"]`:   "no object",
		`"type"`:                    "no object",
		`{"type":1}`:                "type",
		`{"challenge":1}`:           "challenge",
		`{"origin":["x"]}`:          "origin",
		`{"crossOrigin":"false"}`:   "crossOrigin",
		`{"topOrigin":tru}`:         "topOrigin",
		`{"x":tru}`:                 ": x",
		`{"x":1,"x":2}`:             "member names",
		`{"x"`:                      ": x",
		start + `,"challenge":null`: "member names",
	} {
		cd, err := parseClientData([]byte(text))
		refused(t, text[:min(len(text), 60)], err, ReasonEncoding, words)
		if cd != (clientData{}) {
			t.Errorf("%.60s: %+v came out", text, cd)
		}
	}
	ch := bytes.Repeat([]byte{5}, 32)
	create := `{"type":"webauthn.create","challenge":"` + B64(ch) + `","origin":"` + testOrigin + `"}`
	if err := CheckRegistrationClientData([]byte(create), ch, testOrigin); err != nil {
		t.Errorf("a registration: %v", err)
	}
	refused(t, "an assertion", CheckRegistrationClientData([]byte(strings.Replace(create, "create", "get", 1)), ch, testOrigin), ReasonCeremony, "webauthn.get")
	refused(t, "another page", CheckRegistrationClientData([]byte(create), ch, "http://evil.example"), ReasonOrigin, testOrigin)
	refused(t, "another challenge", CheckRegistrationClientData([]byte(create), make([]byte, 32), testOrigin), ReasonChallenge, "")
	refused(t, "no challenge", CheckRegistrationClientData([]byte(strings.Replace(create, B64(ch), "!!", 1)), ch, testOrigin), ReasonChallenge, "")
	refused(t, "nothing", CheckRegistrationClientData(nil, ch, testOrigin), ReasonEncoding, "no object")
	long := strings.Repeat("y", 101)
	if clip(long) != long[:100] || clip(long[:100]) != long[:100] {
		t.Errorf("clipped to %d and %d", len(clip(long)), len(clip(long[:100])))
	}
}
