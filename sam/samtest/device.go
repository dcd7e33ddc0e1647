package samtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	_ "crypto/sha512" // registers SHA-384
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/assent-sign/assent/internal/attestation/attestationtest"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
)

// Flags of the authenticator data.
const (
	UP = 0x01
	UV = 0x04
	BE = 0x08
	BS = 0x10
	AT = 0x40
)

// Device is a software signing authenticator together with the honest signer's
// app; its fields let a test make it dishonest.
type Device struct {
	Key    *ecdsa.PrivateKey
	ID     []byte
	Origin string
	RPID   string
	Flags  byte   // of assertions; UP|UV
	Count  uint32 // signature counter of the next assertion
	Cross  bool   // crossOrigin in the client data
	Type   string // ceremony type; "webauthn.get" when ""
	Format string // attestation format; "none" when ""; "packed" without Maker is self attestation
	AAGUID [16]byte
	Maker  *attestationtest.Maker // certifies formats "packed" and "tpm"
}

// NewDevice makes an authenticator for an origin.
func NewDevice(origin, rpID string) *Device {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	return &Device{Key: key, ID: id, Origin: origin, RPID: rpID, Flags: UP | UV}
}

func (d *Device) clientData(typ string, challenge []byte) []byte {
	text, err := json.Marshal(map[string]any{
		"type": typ, "challenge": base64.RawURLEncoding.EncodeToString(challenge), "origin": d.Origin, "crossOrigin": d.Cross,
	})
	if err != nil {
		panic(err)
	}
	return text
}

func (d *Device) authData(flags byte) []byte {
	sum := sha256.Sum256([]byte(d.RPID))
	return binary.BigEndian.AppendUint32(append(sum[:], flags), d.Count)
}

// attested is the authenticator data of a registration.
func (d *Device) attested() ([]byte, error) {
	point, err := d.Key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	n := (len(point) - 1) / 2
	alg, crv := -7, 1
	if n == 48 {
		alg, crv = -35, 2
	}
	cose, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		return nil, err
	}
	key, err := cose.Marshal(map[int]any{1: 2, 3: alg, -1: crv, -2: point[1 : 1+n], -3: point[1+n:]})
	if err != nil {
		return nil, err
	}
	out := append(d.authData(d.Flags|AT), d.AAGUID[:]...)
	out = binary.BigEndian.AppendUint16(out, uint16(len(d.ID)))
	return append(append(out, d.ID...), key...), nil
}

// AttestationObject makes the CBOR object, with packed self attestation when
// Format is "packed".
func (d *Device) AttestationObject(clientData []byte) ([]byte, error) {
	auth, err := d.attested()
	if err != nil {
		return nil, err
	}
	format, stmt := "none", map[string]any{}
	if d.Format != "" {
		format = d.Format
	}
	sum := sha256.Sum256(clientData)
	switch {
	case d.Maker != nil && format == "packed":
		stmt = d.Maker.Packed(auth, sum[:], d.AAGUID)
	case d.Maker != nil && format == "tpm":
		stmt = d.Maker.TPMStatement(&d.Key.PublicKey, auth, sum[:])
	case format == "packed":
		digest := sha256.Sum256(append(append([]byte{}, auth...), sum[:]...))
		sig, err := ecdsa.SignASN1(rand.Reader, d.Key, digest[:])
		if err != nil {
			return nil, err
		}
		stmt = map[string]any{"alg": -7, "sig": sig}
	}
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		return nil, err
	}
	return mode.Marshal(map[string]any{"fmt": format, "attStmt": stmt, "authData": auth})
}

// Register answers a registration request with the officer's code.
func (d *Device) Register(pub *ecdsa.PublicKey, signed sap.Signed, code string) ([]byte, error) {
	var req sap.RegistrationRequest
	if err := sap.OpenStatement(pub, sap.LabelRegistration, signed, &req); err != nil {
		return nil, err
	}
	statement, err := sap.UnB64(signed.Statement)
	if err != nil {
		return nil, err
	}
	nonce, err := sap.UnB64(req.Nonce)
	if err != nil {
		return nil, err
	}
	challenge, err := sap.RegistrationChallenge(nonce, statement)
	if err != nil {
		return nil, err
	}
	typ := "webauthn.create"
	if d.Type != "" {
		typ = d.Type
	}
	clientData := d.clientData(typ, challenge)
	object, err := d.AttestationObject(clientData)
	if err != nil {
		return nil, err
	}
	key, err := sap.CodeKey(code)
	if err != nil {
		return nil, err
	}
	return jcs.Marshal(sap.Registration{
		AttestationObject: sap.B64(object), ClientDataJSON: sap.B64(clientData),
		CodeProof: sap.B64(sap.CodeProof(key, statement, object, clientData)),
	})
}

// ApproveOnce answers a one-time request: the assertion over exactly its bytes.
func (d *Device) ApproveOnce(pub *ecdsa.PublicKey, signed sap.Signed) (statement, proof []byte, err error) {
	var req sap.OneTimeRequest
	if err := sap.OpenStatement(pub, sap.LabelOneTime, signed, &req); err != nil {
		return nil, nil, err
	}
	if statement, err = sap.UnB64(signed.Statement); err != nil {
		return nil, nil, err
	}
	nonce, err := sap.UnB64(req.Nonce)
	if err != nil {
		return nil, nil, err
	}
	challenge, err := sap.OneTimeChallenge(nonce, statement)
	if err != nil {
		return nil, nil, err
	}
	proof, err = d.AssertChallenge(challenge)
	return statement, proof, err
}

// SAD completes an activation request with items.
func (d *Device) SAD(req *sap.ActivationRequest, items []sap.Item) (*sap.SAD, error) {
	if len(req.Credentials) == 0 {
		return nil, errors.New("samtest: request names no authenticator")
	}
	return &sap.SAD{
		Type: sap.TypeSAD, Bind: req.Bind, Auth: sap.Auth{Method: sap.CarrierWebAuthn, Cred: sap.B64(d.ID)},
		Ctx:   sap.Context{Operation: "op-1", Asker: "Example Ltd", Purpose: "test", Level: "B-B"},
		Items: items,
	}, nil
}

// Assert signs canonical SAD bytes.
func (d *Device) Assert(nonce, sad []byte) ([]byte, error) {
	challenge, err := sap.Challenge(nonce, sad)
	if err != nil {
		return nil, err
	}
	return d.AssertChallenge(challenge)
}

// AssertChallenge makes an assertion over any challenge.
func (d *Device) AssertChallenge(challenge []byte) ([]byte, error) {
	typ := d.Type
	if typ == "" {
		typ = "webauthn.get"
	}
	clientData, auth := d.clientData(typ, challenge), d.authData(d.Flags)
	sum := sha256.Sum256(clientData)
	h := crypto.SHA256
	if d.Key.Curve == elliptic.P384() {
		h = crypto.SHA384
	}
	digest := h.New()
	digest.Write(auth)
	digest.Write(sum[:])
	sig, err := ecdsa.SignASN1(rand.Reader, d.Key, digest.Sum(nil))
	if err != nil {
		return nil, fmt.Errorf("samtest: %w", err)
	}
	return jcs.Marshal(sap.Assertion{
		Carrier: sap.CarrierWebAuthn, Credential: sap.B64(d.ID), AuthenticatorData: sap.B64(auth),
		ClientDataJSON: sap.B64(clientData), Signature: sap.B64(sig),
	})
}

// Sign encodes a SAD and asserts it.
func (d *Device) Sign(s *sap.SAD) (sad, proof []byte, err error) {
	if sad, err = s.Encode(); err != nil {
		return nil, nil, err
	}
	nonce, err := sap.UnB64(s.Bind.Nonce)
	if err != nil {
		return nil, nil, err
	}
	proof, err = d.Assert(nonce, sad)
	return sad, proof, err
}
