package sam

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/assent-sign/assent/internal/attestation"
	"github.com/assent-sign/assent/sap"
)

// checkRegistration verifies a registration ceremony (WebAuthn level 3, section
// 7.1), stricter than the standard where it leaves a choice: our one origin, UV
// always, ES256 or ES384 only, the configured formats, no extension data
// (ENR-03).
func (m *Module) checkRegistration(challenge, object, clientData []byte) (*Authenticator, error) {
	if err := sap.CheckRegistrationClientData(clientData, challenge, m.cfg.Origin); err != nil {
		return nil, err
	}
	att, err := attestation.Parse(object)
	if err != nil {
		return nil, attestReason(err)
	}
	if err := m.checkRegistrationFlags(&att.AuthData); err != nil {
		return nil, err
	}
	spki, err := registeredKey(&att.AuthData)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(m.models.Formats, att.Format) {
		return nil, fmt.Errorf("%w: format %q", sap.ReasonAttestation, clip(att.Format, 32))
	}
	sum := sha256.Sum256(clientData)
	proven, err := att.Verify(sum[:])
	if err != nil {
		return nil, attestReason(err)
	}
	tier, err := m.models.judge(att, proven, m.clock.Now())
	if err != nil {
		return nil, err
	}
	a := &Authenticator{
		Credential: bytes.Clone(att.AuthData.CredentialID), Public: spki, AAGUID: bytes.Clone(att.AuthData.AAGUID[:]),
		BackupEligible: att.AuthData.Flags&attestation.FlagBE != 0, Attestation: att.Format, Carrier: sap.CarrierWebAuthn,
		Tier: tier,
	}
	if tier == TierAttested {
		a.Metadata = m.models.Metadata.No
	}
	return a, nil
}

// attestReason gives an error of package attestation its reason.
func attestReason(err error) error {
	switch {
	case errors.Is(err, attestation.ErrAuthData):
		return fmt.Errorf("%w: %w", sap.ReasonAuthData, err)
	case errors.Is(err, attestation.ErrAlgorithm):
		return fmt.Errorf("%w: %w", sap.ReasonAlgorithm, err)
	}
	return fmt.Errorf("%w: %w", sap.ReasonAttestation, err)
}

func (m *Module) checkRegistrationFlags(d *attestation.AuthData) error {
	want := sha256.Sum256([]byte(m.cfg.RPID))
	has := func(flag byte) bool { return d.Flags&flag != 0 }
	switch {
	case !bytes.Equal(d.RPIDHash, want[:]):
		return sap.ReasonRPID
	case !has(attestation.FlagUP):
		return sap.ReasonUserPresence
	case !has(attestation.FlagUV):
		return sap.ReasonUserVerified
	case has(attestation.FlagBS) && !has(attestation.FlagBE):
		return fmt.Errorf("%w: BS without BE", sap.ReasonBackup)
	}
	return nil
}

// registeredKey is the SubjectPublicKeyInfo of the one kind of key that a signer
// may have: ES256 on P-256 or ES384 on P-384. Parse has checked that the point
// is on the curve.
func registeredKey(d *attestation.AuthData) ([]byte, error) {
	pub, ok := d.Public.(*ecdsa.PublicKey)
	if !ok || (pub.Curve != elliptic.P256() && pub.Curve != elliptic.P384()) {
		return nil, fmt.Errorf("%w: COSE algorithm %d", sap.ReasonAlgorithm, d.Algorithm)
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("%w: authenticator key: %w", sap.ReasonAttestation, err)
	}
	return spki, nil
}
