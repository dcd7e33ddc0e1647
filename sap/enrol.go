package sap

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"

	"github.com/assent-sign/assent/internal/jcs"
)

// RegistrationRequest is the SAM's offer to enrol an authenticator.
type RegistrationRequest struct {
	Type     string `json:"typ"`
	Audience string `json:"aud"`
	ID       string `json:"rid"`   // base64url, 16 octets: the open enrolment
	Nonce    string `json:"nonce"` // base64url, 32 octets
	Signer   string `json:"sub"`
	Display  string `json:"name"` // the signer's name, as proofed
	Origin   string `json:"origin"`
	RPID     string `json:"rpId"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

// Registration is the device's answer. CodeProof shows knowledge of the
// officer's one-time code for exactly this authenticator; the code itself never
// passes the SSA, so an SSA cannot enrol an authenticator of its own (ENR-04,
// T21).
type Registration struct {
	AttestationObject string `json:"attestationObject"`
	ClientDataJSON    string `json:"clientDataJSON"`
	CodeProof         string `json:"codeProof"`
}

// DecodeRegistration reads the canonical form.
func DecodeRegistration(text []byte) (*Registration, error) {
	var r Registration
	if len(text) > 64<<10 {
		return nil, fmt.Errorf("%w: registration", ReasonTooLarge)
	}
	if err := jcs.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%w: registration: %w", ReasonEncoding, err)
	}
	return &r, nil
}

// RegistrationChallenge is the WebAuthn challenge for a registration request
// (its canonical bytes).
func RegistrationChallenge(nonce, statement []byte) ([]byte, error) {
	if len(nonce) != NonceLen {
		return nil, fmt.Errorf("%w: nonce", ReasonEncoding)
	}
	sum := sha256.Sum256(statement)
	return labelled(LabelRegChallenge, nonce, sum[:]), nil
}

// CodeKey turns a one-time enrolment code (16 octets or more of random
// numbers, in B64 form) into the key of its proof. Short codes would be open
// to off-line guessing by whoever relays the proof.
func CodeKey(code string) ([]byte, error) {
	raw, err := UnB64(code)
	if err != nil {
		return nil, fmt.Errorf("%w: code", err)
	}
	if len(raw) < 16 || len(raw) > 64 {
		return nil, fmt.Errorf("%w: code of %d octets", ReasonEncoding, len(raw))
	}
	return labelled(LabelEnrolCode, raw), nil
}

// CodeProof is HMAC-SHA-256(codeKey, label || 0 || SHA-256(statement) ||
// SHA-256(attestationObject) || SHA-256(clientDataJSON)): who lacks the officer's
// code cannot put an authenticator in place of the signer's (ENR-04). The relay
// sees the proof and learns nothing of the code (SAP-09).
func CodeProof(codeKey, statement, attestationObject, clientDataJSON []byte) []byte {
	mac := hmac.New(sha256.New, codeKey)
	mac.Write([]byte(LabelEnrolProof))
	mac.Write([]byte{0})
	for _, p := range [][]byte{statement, attestationObject, clientDataJSON} {
		sum := sha256.Sum256(p)
		mac.Write(sum[:])
	}
	return mac.Sum(nil)
}
