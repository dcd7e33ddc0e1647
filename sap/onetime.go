package sap

import (
	"crypto/sha256"
	"fmt"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
)

// OneTimeRequest is the SAM's offer to make a one-time key: the signer's assertion
// over it comes before the key, its certification request and its certificate
// exist (TS 119 431-1 GEN-6.2.1-09). It permits no signature: what the key signs
// is approved by a SAD of its own, when there is a certificate to rebuild the
// DTBS/R with. The key's id is the session's unique id, and the signer's approval
// names the identity proofing; one SAD belongs to the session (SAP-14, TS 119 431-1
// SIG-6.3.1-11 to -13).
type OneTimeRequest struct {
	Type        string   `json:"typ"`
	Audience    string   `json:"aud"`
	Key         string   `json:"kid"`   // of the key to be made; also names the session
	Nonce       string   `json:"nonce"` // base64url, 32 octets
	Signer      string   `json:"sub"`
	Display     string   `json:"name"`    // the signer's name, as proofed
	Proofing    string   `json:"proof"`   // reference of the identity proofing (SAP-14)
	KeyType     string   `json:"keyType"` // such as "P-256"
	Subject     string   `json:"subject"` // base64url DER of the name to be certified
	CA          string   `json:"ca"`      // the configured connector
	Policy      string   `json:"policy"`  // the activation policy of the SAD that follows
	Caller      string   `json:"caller"`
	Carrier     string   `json:"carrier"`
	Credentials []string `json:"creds"`
	Origin      string   `json:"origin"`
	RPID        string   `json:"rpId"`
	Assurance   string   `json:"assurance"` // the best that the key can have
	Life        int64    `json:"life"`      // seconds that the key lives after the approval, at most 1800
	IssuedAt    int64    `json:"iat"`
	Expires     int64    `json:"exp"` // of this request
}

// MaxOneTimeLife bounds the life of a one-time key after the approval, in
// seconds: 30 minutes (SAP-06, TS 119 431-1 SIG-A.5-09).
const MaxOneTimeLife = 30 * 60

// Hash is what the SAM keeps of a request: a labelled hash of its canonical bytes.
func (r *OneTimeRequest) Hash() ([]byte, error) {
	text, err := jcs.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ReasonEncoding, err)
	}
	return labelled(LabelOneTimeBinding, text), nil
}

// DecodeOneTime reads the canonical bytes of a request and looks at its form; it
// knows no state. Every other spelling is refused.
func DecodeOneTime(text []byte) (*OneTimeRequest, error) {
	var r OneTimeRequest
	if len(text) > MaxProofSize {
		return nil, fmt.Errorf("%w: one-time request of %d octets", ReasonTooLarge, len(text))
	}
	if err := jcs.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%w: %w", ReasonEncoding, err)
	}
	if r.Type != TypeOneTime {
		return nil, fmt.Errorf("%w: %q", ReasonType, r.Type)
	}
	if _, err := unB64Len(r.Nonce, NonceLen); err != nil {
		return nil, fmt.Errorf("%w: nonce", err)
	}
	for _, id := range []string{r.Audience, r.Key, r.Signer, r.Caller, r.Policy, r.CA} {
		if !ValidID(id) {
			return nil, fmt.Errorf("%w: identifier", ReasonEncoding)
		}
	}
	if r.Proofing == "" || !Displayable(r.Proofing) {
		return nil, fmt.Errorf("%w: proof", ReasonText)
	}
	if !algo.KeyType(r.KeyType).Valid() {
		return nil, fmt.Errorf("%w: key type", ReasonAlgorithm)
	}
	if r.IssuedAt <= 0 || r.Expires <= r.IssuedAt || r.Life < 1 || r.Life > MaxOneTimeLife {
		return nil, fmt.Errorf("%w: iat, exp, life", ReasonEncoding)
	}
	return &r, nil
}

// OneTimeChallenge is the WebAuthn challenge of the approval of a one-time key.
// Its label differs from that of a SAD, so that neither serves as the other.
func OneTimeChallenge(nonce, statement []byte) ([]byte, error) {
	if len(nonce) != NonceLen {
		return nil, fmt.Errorf("%w: nonce", ReasonEncoding)
	}
	sum := sha256.Sum256(statement)
	return labelled(LabelOneTimeChallenge, nonce, sum[:]), nil
}
