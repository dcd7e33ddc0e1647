package sap

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"fmt"

	"github.com/assent-sign/assent/internal/jcs"
)

// Actions of a ChangeRequest.
const (
	ActionAdd    = "add"    // a further authenticator
	ActionRemove = "remove" // one that is there; while it is cooling this is the veto of its addition
)

// ChangeRequest is the SAM's offer to change a signer's authenticators (ENR-04).
// It says what will happen when one of Credentials approves it.
type ChangeRequest struct {
	Type        string   `json:"typ"`
	Audience    string   `json:"aud"`
	ID          string   `json:"rid"`   // base64url, 16 octets: the open change
	Nonce       string   `json:"nonce"` // base64url, 32 octets
	Signer      string   `json:"sub"`
	Display     string   `json:"name"` // the signer's name, as proofed
	Action      string   `json:"act"`
	Target      string   `json:"target"`  // base64url credential id that is removed; "" for add
	Credentials []string `json:"creds"`   // that may approve now
	Enrolled    []string `json:"have"`    // all that are enrolled: an addition must be another one
	Cooling     int64    `json:"cooling"` // seconds before an added one can approve anything
	Origin      string   `json:"origin"`
	RPID        string   `json:"rpId"`
	IssuedAt    int64    `json:"iat"`
	Expires     int64    `json:"exp"`
}

// Change is the device's answer: for an addition the registration of the new
// authenticator, and always the assertion of an old one over ChangeChallenge. A
// relay sees no secret in it and can put nothing else in its place (ENR-04, SAP-09).
type Change struct {
	AttestationObject string    `json:"attestationObject"` // "" for a removal
	ClientDataJSON    string    `json:"clientDataJSON"`    // "" for a removal
	Proof             Assertion `json:"proof"`
}

// maxChange bounds a Change, in octets.
const maxChange = 96 << 10

// DecodeChange reads the canonical form.
func DecodeChange(text []byte) (*Change, error) {
	var c Change
	if len(text) > maxChange {
		return nil, fmt.Errorf("%w: change of %d octets", ReasonTooLarge, len(text))
	}
	if err := jcs.Unmarshal(text, &c); err != nil {
		return nil, fmt.Errorf("%w: change: %w", ReasonEncoding, err)
	}
	if c.Proof.Carrier != CarrierWebAuthn {
		return nil, fmt.Errorf("%w: %q", ReasonCarrier, c.Proof.Carrier)
	}
	return &c, nil
}

// AdditionChallenge is the WebAuthn challenge with which the new authenticator of
// a change registers. Its label differs from that of an enrolment: the
// registration of one is worth nothing in the other.
func AdditionChallenge(nonce, statement []byte) ([]byte, error) {
	if len(nonce) != NonceLen {
		return nil, fmt.Errorf("%w: nonce", ReasonEncoding)
	}
	sum := sha256.Sum256(statement)
	return labelled(LabelAddChallenge, nonce, sum[:]), nil
}

// ChangeChallenge is the WebAuthn challenge of the old authenticator's approval:
// SHA-256(label || 0 || nonce || SHA-256(statement) || SHA-256(attestationObject) ||
// SHA-256(clientDataJSON)), the last two of the new authenticator's registration,
// empty for a removal. Its label is of this purpose alone: an assertion for a
// signature, a one-time key or a login is not an approval of a change, nor is
// this one of theirs (ENR-04, SAP-02).
func ChangeChallenge(nonce, statement, attestationObject, clientDataJSON []byte) ([]byte, error) {
	if len(nonce) != NonceLen {
		return nil, fmt.Errorf("%w: nonce", ReasonEncoding)
	}
	a, b, c := sha256.Sum256(statement), sha256.Sum256(attestationObject), sha256.Sum256(clientDataJSON)
	return labelled(LabelChangeChallenge, nonce, a[:], b[:], c[:]), nil
}

// AuthenticatorList is what the SAM says of a signer's authenticators and of all
// that was done to them, signed: a relay can keep it back, and cannot leave a
// notice out of it (ENR-04). Nonce is the asker's: an older list shows.
type AuthenticatorList struct {
	Type           string               `json:"typ"`
	Audience       string               `json:"aud"`
	Nonce          string               `json:"nonce"` // base64url, 32 octets of the asker's random numbers
	Signer         string               `json:"sub"`
	Display        string               `json:"name"`
	Authenticators []AuthenticatorEntry `json:"auths"`
	After          int64                `json:"after"`   // notices begin behind this number
	Notices        []NoticeEntry        `json:"notices"` // in order; at most MaxNotices
	More           bool                 `json:"more"`    // there are further ones behind the last
	IssuedAt       int64                `json:"iat"`
}

// MaxNotices is how many notices one list has.
const MaxNotices = 50

// AuthenticatorEntry is one authenticator of a list. Times are Unix seconds.
type AuthenticatorEntry struct {
	Credential string `json:"cred"` // base64url
	AAGUID     string `json:"aaguid"`
	Tier       string `json:"tier"`
	Via        string `json:"via"` // code, assertion, proofing
	Created    int64  `json:"created"`
	UsableFrom int64  `json:"usableFrom"` // 0: at once
	Usable     bool   `json:"usable"`     // can approve now
}

// NoticeEntry tells of one change.
type NoticeEntry struct {
	Seq        int64  `json:"seq"` // audit record of the SAM
	Kind       string `json:"kind"`
	Credential string `json:"cred"`
	Until      int64  `json:"until"` // end of a cooling time; 0: none
	Created    int64  `json:"created"`
}

// OpenChangeRequest verifies and decodes a change request.
func OpenChangeRequest(pub *ecdsa.PublicKey, s Signed) (*ChangeRequest, error) {
	var r ChangeRequest
	if err := OpenStatement(pub, LabelChange, s, &r); err != nil {
		return nil, err
	}
	if r.Type != TypeChange || (r.Action != ActionAdd && r.Action != ActionRemove) || (r.Target == "") != (r.Action == ActionAdd) {
		return nil, fmt.Errorf("%w: %q %q", ReasonType, clip(r.Type), clip(r.Action))
	}
	return &r, nil
}

// OpenAuthenticatorList verifies and decodes a list that was asked for with nonce.
func OpenAuthenticatorList(pub *ecdsa.PublicKey, s Signed, nonce string) (*AuthenticatorList, error) {
	var l AuthenticatorList
	if err := OpenStatement(pub, LabelAuthenticators, s, &l); err != nil {
		return nil, err
	}
	if l.Type != TypeAuthenticators || l.Nonce != nonce {
		return nil, fmt.Errorf("%w: list of another type, or for another asker", ReasonBinding)
	}
	return &l, nil
}
