package sap

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/assent-sign/assent/internal/jcs"
)

// Signed is a statement of the SAM: canonical bytes and an ES256 signature
// (r || s, 64 octets) over label || 0x00 || bytes. The label comes from the
// context in which it is read and is never taken from the message.
type Signed struct {
	Statement string `json:"statement"` // base64url of the canonical bytes
	Signature string `json:"signature"` // base64url r || s
	Key       string `json:"key"`       // KeyID of the SAM's statement key
}

// KeyID names a public key: base64url SHA-256 of its SubjectPublicKeyInfo.
func KeyID(pub crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return "", fmt.Errorf("%w: public key: %w", ReasonEncoding, err)
	}
	sum := sha256.Sum256(der)
	return B64(sum[:]), nil
}

// Sign makes a SAM signature over label || 0x00 || body with a P-256 key.
func Sign(key crypto.Signer, label string, body []byte) ([]byte, error) {
	sum := sha256.Sum256(message(label, body))
	der, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return rawECDSA(der)
}

// Verify checks a signature made by Sign.
func Verify(pub *ecdsa.PublicKey, label string, body, sig []byte) error {
	if len(sig) != 64 {
		return fmt.Errorf("%w: %d octets", ReasonSAMSignature, len(sig))
	}
	sum := sha256.Sum256(message(label, body))
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	if !ecdsa.Verify(pub, sum[:], r, s) {
		return ReasonSAMSignature
	}
	return nil
}

// rawECDSA turns a DER signature of a P-256 key into r || s.
func rawECDSA(der []byte) ([]byte, error) {
	var v struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &v); err != nil || len(rest) != 0 || v.R.Sign() <= 0 || v.S.Sign() <= 0 || v.R.BitLen() > 256 || v.S.BitLen() > 256 {
		return nil, fmt.Errorf("%w: token returned no P-256 signature", ReasonSAMSignature)
	}
	out := make([]byte, 64)
	v.R.FillBytes(out[:32])
	v.S.FillBytes(out[32:])
	return out, nil
}

// SignStatement encodes v canonically and signs it.
func SignStatement(key crypto.Signer, keyID, label string, v any) (Signed, error) {
	text, err := jcs.Marshal(v)
	if err != nil {
		return Signed{}, fmt.Errorf("%w: %w", ReasonEncoding, err)
	}
	sig, err := Sign(key, label, text)
	if err != nil {
		return Signed{}, err
	}
	return Signed{Statement: B64(text), Signature: B64(sig), Key: keyID}, nil
}

// OpenStatement verifies s and decodes its canonical bytes into v.
func OpenStatement(pub *ecdsa.PublicKey, label string, s Signed, v any) error {
	text, err := UnB64(s.Statement)
	if err != nil {
		return fmt.Errorf("%w: statement", err)
	}
	sig, err := UnB64(s.Signature)
	if err != nil {
		return fmt.Errorf("%w: signature", err)
	}
	if err := Verify(pub, label, text, sig); err != nil {
		return err
	}
	if err := jcs.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%w: %w", ReasonEncoding, err)
	}
	return nil
}

// OpenActivationRequest verifies and decodes an activation request.
func OpenActivationRequest(pub *ecdsa.PublicKey, s Signed) (*ActivationRequest, error) {
	var r ActivationRequest
	if err := OpenStatement(pub, LabelActivationRequest, s, &r); err != nil {
		return nil, err
	}
	if r.Type != TypeActivationRequest {
		return nil, fmt.Errorf("%w: %q", ReasonType, r.Type)
	}
	if err := r.Bind.Check(); err != nil {
		return nil, err
	}
	return &r, nil
}

// Challenge is what the device's authenticator signs: a labelled hash over the
// SAM's nonce and the canonical SAD. 32 octets.
func Challenge(nonce, sad []byte) ([]byte, error) {
	if len(nonce) != NonceLen {
		return nil, fmt.Errorf("%w: nonce of %d octets", ReasonEncoding, len(nonce))
	}
	sum := sha256.Sum256(sad)
	return labelled(LabelChallenge, nonce, sum[:]), nil
}

// Challenge returns the challenge for a SAD in canonical form.
func (s *SAD) Challenge(canonical []byte) ([]byte, error) {
	nonce, err := unB64Len(s.Bind.Nonce, NonceLen)
	if err != nil {
		return nil, err
	}
	return Challenge(nonce, canonical)
}

// RedemptionID names one exact redemption: the same SAD, proof and evidence by
// the same caller. A byte-identical repetition gets the stored answer.
func RedemptionID(caller string, sad, proof, evidence []byte) []byte {
	a, b, c, d := sha256.Sum256([]byte(caller)), sha256.Sum256(sad), sha256.Sum256(proof), sha256.Sum256(evidence)
	return labelled(LabelRedemption, a[:], b[:], c[:], d[:])
}
