package sap

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/assent-sign/assent/internal/jcs"
)

// Assertion is the WebAuthn carrier: what navigator.credentials.get returned.
// Its canonical JSON form is the "proof" of a redemption. It holds no secret of the
// device, so that a relay may see it (SAP-09).
type Assertion struct {
	Carrier           string `json:"carrier"` // "webauthn"
	Credential        string `json:"credential"`
	AuthenticatorData string `json:"authenticatorData"`
	ClientDataJSON    string `json:"clientDataJSON"`
	Signature         string `json:"signature"`
}

// DecodeAssertion reads the canonical proof of the WebAuthn carrier.
func DecodeAssertion(proof []byte) (*Assertion, error) {
	if len(proof) > MaxProofSize {
		return nil, fmt.Errorf("%w: proof of %d octets", ReasonTooLarge, len(proof))
	}
	var a Assertion
	if err := jcs.Unmarshal(proof, &a); err != nil {
		return nil, fmt.Errorf("%w: proof: %w", ReasonEncoding, err)
	}
	if a.Carrier != CarrierWebAuthn {
		return nil, fmt.Errorf("%w: %q", ReasonCarrier, a.Carrier)
	}
	return &a, nil
}

// Authenticator is what the SAM knows of an enrolled authenticator.
type Authenticator struct {
	CredentialID   []byte
	Public         crypto.PublicKey // *ecdsa.PublicKey on P-256 (ES256) or P-384 (ES384)
	BackupEligible bool             // BE flag at enrolment
	SignCount      uint32
}

// AssertionPolicy is what the SAM demands of an assertion. It is fixed by
// configuration; nothing in it comes from a message.
type AssertionPolicy struct {
	Origin string // the one exact origin
	RPID   string
}

// Flags of the authenticator data (WebAuthn level 3, section 6.1).
const (
	flagUP = 0x01
	flagUV = 0x04
	flagBE = 0x08
	flagBS = 0x10
)

const authDataLen = 37 // rpIdHash, flags, signCount: no attested data, no extensions

// VerifyAssertion checks an assertion over challenge (WebAuthn level 3, section
// 7.2, made stricter: UV always, one origin, no frame, no extension data, one
// form of each field; SAP-02, SAP-07, ENR-07). It returns the new signature counter. A
// counter of zero on both sides is legal; one that does not grow is
// ReasonCounter.
func VerifyAssertion(a *Assertion, challenge []byte, auth Authenticator, pol AssertionPolicy) (uint32, error) {
	v := JudgeAssertion(a, challenge, auth, pol)
	return v.Count, v.Err
}

// Verdict is what an assertion is worth.
type Verdict struct {
	Count uint32 // signature counter; 0 unless Err is nil or ReasonCounter
	Err   error  // why it is refused; nil: it is good
	// Proven tells that the enrolled key did sign exactly this challenge. A refusal
	// with Proven is a failed authentication by whoever holds the authenticator;
	// one without says nothing about its holder: anybody can send octets.
	Proven bool
}

// JudgeAssertion is VerifyAssertion that also tells whether the enrolled key
// spoke at all. It verifies the signature once, whatever else is wrong, so that
// time does not tell which check failed (AFL-03, CRY-05).
func JudgeAssertion(a *Assertion, challenge []byte, auth Authenticator, pol AssertionPolicy) Verdict {
	clientData, errClient := UnB64(a.ClientDataJSON)
	authData, errAuth := UnB64(a.AuthenticatorData)
	sig, errSig := UnB64(a.Signature)
	cd, errParse := parseClientData(clientData)
	signature := verifyAssertionSignature(auth.Public, authData, clientData, sig)
	id, err := UnB64(a.Credential)
	// The credential id is not signed: who relays it could spoil it.
	proven := signature == nil && errParse == nil && cd.checkChallenge(challenge) == nil && err == nil && bytes.Equal(id, auth.CredentialID)
	count := uint32(0)
	switch {
	case err != nil:
		err = fmt.Errorf("%w: credential", err)
	case !bytes.Equal(id, auth.CredentialID):
		err = ReasonAuthenticator
	case errClient != nil:
		err = fmt.Errorf("%w: clientDataJSON", errClient)
	case errParse != nil:
		err = errParse
	case errAuth != nil:
		err = fmt.Errorf("%w: authenticatorData", errAuth)
	case errSig != nil:
		err = fmt.Errorf("%w: signature", errSig)
	default:
		if err = cd.check("webauthn.get", challenge, pol.Origin); err == nil {
			count, err = checkAuthData(authData, auth, pol.RPID)
		}
		if err == nil && signature != nil {
			count, err = 0, signature // whoever has no key says nothing about the counter
		}
	}
	// The counter is judged last: only the genuine key can make it matter.
	if err == nil && (count != 0 || auth.SignCount != 0) && count <= auth.SignCount {
		err = fmt.Errorf("%w: %d after %d", ReasonCounter, count, auth.SignCount)
	}
	return Verdict{Count: count, Err: err, Proven: proven}
}

func checkAuthData(d []byte, auth Authenticator, rpID string) (uint32, error) {
	if len(d) != authDataLen {
		return 0, fmt.Errorf("%w: %d octets", ReasonAuthData, len(d))
	}
	want := sha256.Sum256([]byte(rpID))
	if subtle.ConstantTimeCompare(d[:32], want[:]) != 1 {
		return 0, ReasonRPID
	}
	flags := d[32]
	if flags&^(flagUP|flagUV|flagBE|flagBS) != 0 {
		return 0, fmt.Errorf("%w: flags %#x", ReasonAuthData, flags)
	}
	if flags&flagUP == 0 {
		return 0, ReasonUserPresence
	}
	if flags&flagUV == 0 {
		return 0, ReasonUserVerified
	}
	be, bs := flags&flagBE != 0, flags&flagBS != 0
	if be != auth.BackupEligible || (bs && !be) {
		return 0, fmt.Errorf("%w: BE=%v BS=%v, enrolled with BE=%v", ReasonBackup, be, bs, auth.BackupEligible)
	}
	return binary.BigEndian.Uint32(d[33:]), nil
}

func verifyAssertionSignature(pub crypto.PublicKey, authData, clientData, sig []byte) error {
	k, ok := pub.(*ecdsa.PublicKey)
	if !ok {
		return fmt.Errorf("%w: authenticator key %T", ReasonAlgorithm, pub)
	}
	sum := sha256.Sum256(clientData)
	signed := append(append(make([]byte, 0, len(authData)+len(sum)), authData...), sum[:]...)
	var d []byte
	switch k.Curve.Params().BitSize {
	case 256:
		s := sha256.Sum256(signed)
		d = s[:]
	case 384:
		s := sha512.Sum384(signed)
		d = s[:]
	default:
		return fmt.Errorf("%w: authenticator curve", ReasonAlgorithm)
	}
	if !ecdsa.VerifyASN1(k, d, sig) {
		return ReasonSignature
	}
	return nil
}

// CheckRegistrationClientData checks the collected client data of a
// registration ceremony (WebAuthn level 3, section 7.1 steps 7 to 12).
func CheckRegistrationClientData(clientData, challenge []byte, origin string) error {
	return checkClientData(clientData, "webauthn.create", challenge, origin)
}

func checkClientData(text []byte, ceremony string, challenge []byte, origin string) error {
	cd, err := parseClientData(text)
	if err != nil {
		return err
	}
	return cd.check(ceremony, challenge, origin)
}

func (cd *clientData) check(ceremony string, challenge []byte, origin string) error {
	if cd.typ != ceremony {
		return fmt.Errorf("%w: %q", ReasonCeremony, clip(cd.typ))
	}
	if err := cd.checkChallenge(challenge); err != nil {
		return err
	}
	if cd.origin != origin {
		return fmt.Errorf("%w: %q", ReasonOrigin, clip(cd.origin))
	}
	if cd.crossOrigin || cd.topOrigin {
		return ReasonCrossOrigin
	}
	return nil
}

func (cd *clientData) checkChallenge(challenge []byte) error {
	got, err := UnB64(cd.challenge)
	if err != nil {
		return fmt.Errorf("%w: challenge", ReasonChallenge)
	}
	if subtle.ConstantTimeCompare(got, challenge) != 1 {
		return ReasonChallenge
	}
	return nil
}

type clientData struct {
	typ, challenge, origin string
	crossOrigin, topOrigin bool
}

// parseClientData reads the members that matter. Browsers add others, so
// unknown members are allowed; a member twice, a wrong type and trailing bytes
// are not.
func parseClientData(text []byte) (clientData, error) {
	var cd clientData
	bad := func(what string) (clientData, error) {
		return clientData{}, fmt.Errorf("%w: clientDataJSON: %s", ReasonEncoding, what)
	}
	if len(text) > 4096 || !utf8.Valid(text) {
		return bad("too large or not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return bad("no object")
	}
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok || seen[name] || len(seen) > 32 {
			return bad("member names")
		}
		seen[name] = true
		if err := cd.member(dec, name); err != nil {
			return bad(name)
		}
	}
	if _, err := dec.Token(); err != nil {
		return bad("no end")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return bad("trailing bytes")
	}
	return cd, nil
}

func (cd *clientData) member(dec *json.Decoder, name string) error {
	switch name {
	case "type":
		return dec.Decode(&cd.typ)
	case "challenge":
		return dec.Decode(&cd.challenge)
	case "origin":
		return dec.Decode(&cd.origin)
	case "crossOrigin":
		return dec.Decode(&cd.crossOrigin)
	case "topOrigin":
		cd.topOrigin = true
	}
	var other json.RawMessage
	return dec.Decode(&other)
}

func clip(s string) string {
	if len(s) > 100 {
		return s[:100]
	}
	return s
}
