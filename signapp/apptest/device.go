package apptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"testing"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/signapp"
)

// Device is a signer's WebAuthn authenticator together with the signer's app.
type Device struct {
	ID   []byte
	key  *ecdsa.PrivateKey
	spki []byte
}

// NewDevice makes a device with a fresh key.
func NewDevice(t testing.TB) *Device {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 16)
	rand.Read(id)
	return &Device{ID: id, key: key, spki: spki}
}

// Complete composes the SAD for an operation as the application shows it. It
// trusts the view's digests; that the real app does not is tested there.
func (d *Device) Complete(t testing.TB, v *signapp.View, req sap.Signed) *sap.SAD {
	t.Helper()
	text, err := sap.UnB64(req.Statement)
	if err != nil {
		t.Fatal(err)
	}
	var ar sap.ActivationRequest
	if err := jcs.Unmarshal(text, &ar); err != nil {
		t.Fatal(err)
	}
	s := &sap.SAD{Type: sap.TypeSAD, Bind: ar.Bind, Auth: sap.Auth{Method: sap.CarrierWebAuthn, Cred: sap.B64(d.ID)},
		Ctx: sap.Context{Operation: v.ID, Asker: v.Asker, Purpose: v.Purpose, Level: v.Level}, Items: []sap.Item{}}
	for _, it := range v.Items {
		item := sap.Item{I: it.I, Kind: it.Kind, Name: it.Name, Hash: it.Hash, DTBSR: it.DTBSR}
		if it.Kind == sap.KindPAdES {
			item.Doc = docDigest(t, it.SignedAttributes)
		}
		s.Items = append(s.Items, item)
	}
	return s
}

// Approve is Complete and Sign.
func (d *Device) Approve(t testing.TB, v *signapp.View, req sap.Signed) (sad, proof []byte) {
	t.Helper()
	return d.Sign(t, d.Complete(t, v, req))
}

// Sign encodes a SAD and signs it.
func (d *Device) Sign(t testing.TB, s *sap.SAD) (sad, proof []byte) {
	t.Helper()
	sad, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	challenge, err := s.Challenge(sad)
	if err != nil {
		t.Fatal(err)
	}
	return sad, d.assert(t, challenge)
}

// ApproveOnce answers the offer of a one-time key.
func (d *Device) ApproveOnce(t testing.TB, signed sap.Signed) (statement, proof []byte) {
	t.Helper()
	statement, err := sap.UnB64(signed.Statement)
	if err != nil {
		t.Fatal(err)
	}
	offer, err := sap.DecodeOneTime(statement)
	if err != nil {
		t.Fatal(err)
	}
	nonce, err := sap.UnB64(offer.Nonce)
	if err != nil {
		t.Fatal(err)
	}
	challenge, err := sap.OneTimeChallenge(nonce, statement)
	if err != nil {
		t.Fatal(err)
	}
	return statement, d.assert(t, challenge)
}

func (d *Device) assert(t testing.TB, challenge []byte) []byte {
	t.Helper()
	client := fmt.Appendf(nil, `{"type":"webauthn.get","challenge":%q,"origin":%q,"crossOrigin":false}`, sap.B64(challenge), SigningOrigin)
	rp := sha256.Sum256([]byte(RPID))
	auth := append(append([]byte(nil), rp[:]...), 0x05, 0, 0, 0, 0)
	sum := sha256.Sum256(client)
	h := sha256.Sum256(append(append([]byte(nil), auth...), sum[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, d.key, h[:])
	if err != nil {
		t.Fatal(err)
	}
	proof, err := jcs.Marshal(sap.Assertion{Carrier: sap.CarrierWebAuthn, Credential: sap.B64(d.ID),
		AuthenticatorData: sap.B64(auth), ClientDataJSON: sap.B64(client), Signature: sap.B64(sig)})
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

func (d *Device) verify(s *sap.SAD, sad, proof []byte) error {
	challenge, err := s.Challenge(sad)
	if err != nil {
		return err
	}
	return d.verifyChallenge(challenge, proof)
}

func (d *Device) verifyChallenge(challenge, proof []byte) error {
	a, err := sap.DecodeAssertion(proof)
	if err != nil {
		return err
	}
	_, err = sap.VerifyAssertion(a, challenge, sap.Authenticator{CredentialID: d.ID, Public: &d.key.PublicKey},
		sap.AssertionPolicy{Origin: SigningOrigin, RPID: RPID})
	return err
}

// docDigest finds the message digest in signed attributes: the octets after
// the attribute's OID 1.2.840.113549.1.9.4.
func docDigest(t testing.TB, attrs string) string {
	t.Helper()
	der, err := sap.UnB64(attrs)
	if err != nil {
		t.Fatal(err)
	}
	oid := []byte{6, 9, 42, 134, 72, 134, 247, 13, 1, 9, 4, 0x31, 34, 4, 32}
	for i := 0; i+len(oid)+32 <= len(der); i++ {
		if string(der[i:i+len(oid)]) == string(oid) {
			return sap.B64(der[i+len(oid) : i+len(oid)+32])
		}
	}
	t.Fatal("apptest: signed attributes without message-digest")
	return ""
}
