package sam

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

// NewSigner is a signer after identity proofing.
type NewSigner struct {
	ID    string // chosen by the operator
	Name  string // as proofed
	Proof string // reference of the proofing record
}

// SignerView is a signer as callers may see it.
type SignerView struct {
	ID, Name, State string
	Authenticators  []AuthenticatorView
}

// AuthenticatorView is an authenticator as callers may see it.
type AuthenticatorView struct {
	Credential     string // base64url
	AAGUID         string // hex
	BackupEligible bool
	Attestation    string
	Tier           Tier // what it showed of itself
	Via            string
	Locked         bool
	Alarm          string // AlarmCopy, or ""
	Failures       int64  // in a row
	UsableFrom     int64  // end of its cooling time; 0: none
	Created        int64
}

// CreateSigner records a signer (registration authority). No key and no authenticator can exist
// without one, and it needs a proofing reference (ENR-01).
func (m *Module) CreateSigner(ctx context.Context, c Caller, in NewSigner) (*SignerView, error) {
	if err := m.admit(ctx, c, OpSignerNew); err != nil {
		return nil, err
	}
	s := &Signer{ID: in.ID, Name: in.Name, Proof: in.Proof, State: SignerCreated}
	err := checkNewSigner(in)
	if err == nil {
		err = m.update(ctx, c, func(w *work) error { return w.createSigner(s) })
	}
	if err != nil {
		return nil, m.refuse(ctx, c, string(OpSignerNew), err, audit.Data{"signer": clip(in.ID, sap.MaxIDLen)})
	}
	return &SignerView{ID: s.ID, Name: s.Name, State: s.State}, nil
}

func checkNewSigner(in NewSigner) error {
	switch {
	case !sap.ValidID(in.ID):
		return fmt.Errorf("%w: signer id", sap.ReasonInvalid)
	case in.Name == "" || !sap.Displayable(in.Name):
		return fmt.Errorf("%w: name", sap.ReasonText)
	case in.Proof == "" || !sap.Displayable(in.Proof):
		return fmt.Errorf("%w: no reference of the identity proofing", sap.ReasonInvalid)
	}
	return nil
}

func (w *work) createSigner(s *Signer) error {
	if _, err := w.Signers.Get(s.ID); !isNotFound(err) {
		if err == nil {
			err = sap.ReasonExists
		}
		return err
	}
	if err := w.noRole(s.ID); err != nil {
		return err
	}
	s.Created = w.now.Unix()
	seq, err := w.log(EventSigner, audit.OK, "", audit.Data{"obj": s.object(), "signer": s.ID, "proof": s.Proof})
	if err != nil {
		return err
	}
	w.stamp(s, seq)
	return w.Signers.Insert(s)
}

// Signer returns a signer (officer, sspu).
func (m *Module) Signer(ctx context.Context, c Caller, id string) (*SignerView, error) {
	if err := m.admit(ctx, c, OpSigner); err != nil {
		return nil, err
	}
	var out *SignerView
	err := m.view(ctx, func(tx *Tx) error {
		s, err := m.signerRecord(tx, id, true)
		if err != nil {
			return err
		}
		list, err := m.authenticators(tx, id, true)
		if err != nil {
			return err
		}
		out = &SignerView{ID: s.ID, Name: s.Name, State: s.State}
		for _, a := range list {
			g, err := m.guard(tx, a, true)
			if err != nil {
				return err
			}
			out.Authenticators = append(out.Authenticators, AuthenticatorView{
				Credential: b64(a.Credential), AAGUID: hex.EncodeToString(a.AAGUID), BackupEligible: a.BackupEligible,
				Attestation: a.Attestation, Tier: a.tier(), Via: a.Via, Locked: g.locked(m.clock.Now().Unix()), Alarm: g.Alarm,
				Failures: g.Failures, UsableFrom: a.UsableFrom, Created: a.Created,
			})
		}
		return nil
	})
	if err != nil {
		return nil, m.refuse(ctx, c, string(OpSigner), err, audit.Data{"signer": clip(id, sap.MaxIDLen)})
	}
	return out, nil
}
