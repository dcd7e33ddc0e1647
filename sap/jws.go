package sap

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"fmt"
	"math/big"
	"strings"

	"github.com/assent-sign/assent/internal/jcs"
)

// DeviceJWS is the device-key carrier: a JWS compact serialisation of one fixed
// form over the canonical SAD.
type DeviceJWS struct {
	Carrier string `json:"carrier"` // "jws"
	JWS     string `json:"jws"`
}

type jwsHeader struct {
	Alg string `json:"alg"`
	Kid string `json:"kid"`
	Typ string `json:"typ"`
}

const jwsType = "sad+jws"

// EncodeDeviceJWSInput returns the JWS signing input of a SAD for a device key
// id (base64url). The signature over its SHA-256 is r || s.
func EncodeDeviceJWSInput(kid string, sad []byte) (string, error) {
	head, err := jcs.Marshal(jwsHeader{Alg: "ES256", Kid: kid, Typ: jwsType})
	if err != nil {
		return "", fmt.Errorf("%w: %w", ReasonEncoding, err)
	}
	return B64(head) + "." + B64(sad), nil
}

// VerifyDeviceJWS checks the device-key carrier for one SAD: the header is
// exactly {"alg":"ES256","kid":…,"typ":"sad+jws"}, the payload is exactly sad,
// the key is the enrolled one. There is no algorithm to negotiate, no crit, no
// key in the message. Freshness comes from the nonce inside the SAD.
func VerifyDeviceJWS(proof, sad []byte, kid string, pub *ecdsa.PublicKey) error {
	if len(proof) > 2*jcs.MaxSize {
		return fmt.Errorf("%w: proof of %d octets", ReasonTooLarge, len(proof))
	}
	var p DeviceJWS
	if err := jcs.Unmarshal(proof, &p); err != nil {
		return fmt.Errorf("%w: proof: %w", ReasonEncoding, err)
	}
	if p.Carrier != CarrierJWS {
		return fmt.Errorf("%w: %q", ReasonCarrier, p.Carrier)
	}
	want, err := EncodeDeviceJWSInput(kid, sad)
	if err != nil {
		return err
	}
	i := strings.LastIndexByte(p.JWS, '.')
	if i < 0 {
		return fmt.Errorf("%w: jws has no signature", ReasonEncoding)
	}
	if p.JWS[:i] != want {
		return jwsMismatch(p.JWS[:i], want)
	}
	sig, err := unB64Len(p.JWS[i+1:], 64)
	if err != nil {
		return fmt.Errorf("%w: jws signature", err)
	}
	if pub.Curve.Params().BitSize != 256 {
		return fmt.Errorf("%w: device key curve", ReasonAlgorithm)
	}
	sum := sha256.Sum256([]byte(want))
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	if !ecdsa.Verify(pub, sum[:], r, s) {
		return ReasonSignature
	}
	return nil
}

// jwsMismatch says which part differs, for the audit record.
func jwsMismatch(got, want string) error {
	gh, _, ok := strings.Cut(got, ".")
	wh, _, _ := strings.Cut(want, ".")
	switch {
	case !ok:
		return fmt.Errorf("%w: jws has no payload", ReasonEncoding)
	case gh == wh:
		return fmt.Errorf("%w: jws payload is not the SAD", ReasonChallenge)
	}
	if raw, err := UnB64(gh); err == nil && bytes.Contains(raw, []byte(`"alg":"ES256"`)) {
		return fmt.Errorf("%w: jws header", ReasonAuthenticator)
	}
	return fmt.Errorf("%w: jws header", ReasonAlgorithm)
}
