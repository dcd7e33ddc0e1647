package sam

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"github.com/assent-sign/assent/sap"
)

const maxCredentialID = 1023 // WebAuthn level 3, section 4

// checkRegistration verifies a registration ceremony (WebAuthn level 3, section
// 7.1), stricter than the standard where it leaves a choice: our one origin, UV
// always, ES256 or ES384 only, attestation none or packed only, no extension
// data (ENR-03).
func (m *Module) checkRegistration(req *sap.RegistrationRequest, statement, object, clientData []byte) (*Authenticator, error) {
	nonce, err := sap.UnB64(req.Nonce)
	if err != nil {
		return nil, fmt.Errorf("%w: nonce", err)
	}
	challenge, err := sap.RegistrationChallenge(nonce, statement)
	if err != nil {
		return nil, err
	}
	if err := sap.CheckRegistrationClientData(clientData, challenge, m.cfg.Origin); err != nil {
		return nil, err
	}
	att, err := parseAttestation(object)
	if err != nil {
		return nil, err
	}
	if err := m.checkRegistrationFlags(att); err != nil {
		return nil, err
	}
	pub, err := registeredKey(att.AuthData.AttData.CredentialPublicKey)
	if err != nil {
		return nil, err
	}
	if att.Format != "none" && att.Format != "packed" {
		return nil, fmt.Errorf("%w: format %q", sap.ReasonAttestation, clip(att.Format, 32))
	}
	sum := sha256.Sum256(clientData)
	if err := att.VerifyAttestation(sum[:], nil, protocol.AttestationPolicy{}, protocol.SignaturePolicy{}); err != nil {
		return nil, fmt.Errorf("%w: %w", sap.ReasonAttestation, err)
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sap.ReasonAttestation, err)
	}
	return &Authenticator{
		Credential: bytes.Clone(att.AuthData.AttData.CredentialID), Public: spki, AAGUID: bytes.Clone(att.AuthData.AttData.AAGUID),
		BackupEligible: att.AuthData.Flags.HasBackupEligible(), Attestation: att.Format, Carrier: sap.CarrierWebAuthn,
	}, nil
}

// parseAttestation decodes the CBOR object and the authenticator data in it.
// The decoder is canonical-CTAP2 strict and bounded; trailing bytes are refused
// (ENR-03).
func parseAttestation(object []byte) (att *protocol.AttestationObject, err error) {
	att = &protocol.AttestationObject{}
	if err := webauthncbor.Unmarshal(object, att); err != nil {
		return nil, fmt.Errorf("%w: attestation object: %w", sap.ReasonAttestation, err)
	}
	if err := att.AuthData.Unmarshal(att.RawAuthData); err != nil {
		return nil, fmt.Errorf("%w: authenticator data: %w", sap.ReasonAttestation, err)
	}
	if !att.AuthData.Flags.HasAttestedCredentialData() || att.AuthData.Flags.HasExtensions() {
		return nil, fmt.Errorf("%w: no attested credential, or extension data", sap.ReasonAuthData)
	}
	if n := len(att.AuthData.AttData.CredentialID); n < 16 || n > maxCredentialID {
		return nil, fmt.Errorf("%w: credential id of %d octets", sap.ReasonAuthData, n)
	}
	return att, nil
}

func (m *Module) checkRegistrationFlags(att *protocol.AttestationObject) error {
	want := sha256.Sum256([]byte(m.cfg.RPID))
	flags := att.AuthData.Flags
	switch {
	case !bytes.Equal(att.AuthData.RPIDHash, want[:]):
		return sap.ReasonRPID
	case !flags.HasUserPresent():
		return sap.ReasonUserPresence
	case !flags.HasUserVerified():
		return sap.ReasonUserVerified
	case flags.HasBackupState() && !flags.HasBackupEligible():
		return fmt.Errorf("%w: BS without BE", sap.ReasonBackup)
	case m.cfg.DeviceBound && flags.HasBackupEligible():
		return fmt.Errorf("%w: the key can be backed up, policy wants it bound to the device", sap.ReasonBackup)
	}
	return nil
}

// registeredKey reads the COSE key: ES256 on P-256 or ES384 on P-384.
func registeredKey(cose []byte) (*ecdsa.PublicKey, error) {
	parsed, err := webauthncose.ParsePublicKey(cose)
	if err != nil {
		return nil, fmt.Errorf("%w: authenticator key: %w", sap.ReasonAttestation, err)
	}
	key, ok := parsed.(webauthncose.EC2PublicKeyData)
	if !ok {
		return nil, fmt.Errorf("%w: authenticator key is not EC2", sap.ReasonAlgorithm)
	}
	pub, err := key.ToECDSA()
	if err != nil {
		return nil, fmt.Errorf("%w: authenticator key: %w", sap.ReasonAttestation, err)
	}
	switch webauthncose.COSEAlgorithmIdentifier(key.Algorithm) {
	case webauthncose.AlgES256:
		ok = pub.Curve == elliptic.P256()
	case webauthncose.AlgES384:
		ok = pub.Curve == elliptic.P384()
	default:
		ok = false
	}
	if !ok {
		return nil, fmt.Errorf("%w: COSE algorithm %d", sap.ReasonAlgorithm, key.Algorithm)
	}
	if _, err := pub.ECDH(); err != nil { // also checks that the point is on the curve
		return nil, fmt.Errorf("%w: authenticator key: %w", sap.ReasonAttestation, err)
	}
	return pub, nil
}
