package sap

import (
	"crypto/sha256"
	"encoding/base64"
)

// Every hash and every signature of the protocol begins with one of these
// labels and a zero byte, so that no value of one purpose can serve another.
const (
	LabelActivationRequest = "assent/activation-request/v1" // SAM signature
	LabelBinding           = "assent/binding/v1"            // hash the SAM keeps
	LabelChallenge         = "assent/sad-challenge/v1"      // WebAuthn challenge
	LabelRegistration      = "assent/registration-request/v1"
	LabelRegChallenge      = "assent/registration-challenge/v1"
	LabelEnrolCode         = "assent/enrolment-code/v1"
	LabelEnrolProof        = "assent/enrolment-proof/v1"
	LabelReceiptLeaf       = "assent/receipt-leaf/v1"
	LabelReceiptNode       = "assent/receipt-node/v1"
	LabelReceiptRoot       = "assent/receipt-root/v1"     // SAM signature
	LabelCheckpoint        = "assent/audit-checkpoint/v1" // SAM signature over the audit chain
	LabelRedemption        = "assent/redemption/v1"       // identity of a retry

	LabelOneTime          = "assent/one-time-request/v1" // SAM signature
	LabelOneTimeBinding   = "assent/one-time-binding/v1" // hash the SAM keeps
	LabelOneTimeChallenge = "assent/one-time-challenge/v1"

	LabelChange          = "assent/change-request/v1"     // SAM signature
	LabelAuthenticators  = "assent/authenticator-list/v1" // SAM signature
	LabelAddChallenge    = "assent/addition-challenge/v1" // registration of an added authenticator
	LabelChangeChallenge = "assent/change-challenge/v1"   // approval of a change of authenticators

	LabelSuccession      = "assent/key-succession/v1"       // signature of the old statement key
	LabelSuccessionProof = "assent/key-succession-proof/v1" // signature of the new one
)

// labelled returns SHA-256(label || 0x00 || parts...). Callers pass parts of
// fixed length only, or one part: the concatenation is then unambiguous.
func labelled(label string, parts ...[]byte) []byte {
	h := sha256.New()
	h.Write([]byte(label))
	h.Write([]byte{0})
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// message returns label || 0x00 || body, the octets that a SAM key signs.
func message(label string, body []byte) []byte {
	out := make([]byte, 0, len(label)+1+len(body))
	out = append(out, label...)
	out = append(out, 0)
	return append(out, body...)
}

// B64 is the only binary-to-text form of the protocol: base64url without
// padding, and no other spelling of the same octets is accepted.
func B64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// UnB64 is the inverse of B64. It refuses padding, line ends and non-zero
// trailing bits.
func UnB64(s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || B64(b) != s {
		return nil, ReasonEncoding
	}
	return b, nil
}

func unB64Len(s string, n int) ([]byte, error) {
	b, err := UnB64(s)
	if err != nil {
		return nil, err
	}
	if len(b) != n {
		return nil, ReasonEncoding
	}
	return b, nil
}
