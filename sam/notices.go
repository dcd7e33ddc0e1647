package sam

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// AskList is what an asker wants to know of a signer's authenticators.
type AskList struct {
	Signer string
	Nonce  string // base64url, 32 octets: comes back, so that the asker knows the list is of now
	After  int64  // notices behind this number; 0: from the first
}

// Authenticators tells, signed, which authenticators a signer has and what was done
// to them (sspu, officer). The signing application relays the list to the signer
// and can leave nothing out of it; no operation deletes a notice (ENR-04).
func (m *Module) Authenticators(ctx context.Context, c Caller, in AskList) (sap.Signed, error) {
	if err := m.admit(ctx, c, OpAuthList); err != nil {
		return sap.Signed{}, err
	}
	var signed sap.Signed
	nonce, err := sap.UnB64(in.Nonce)
	if err != nil || len(nonce) != sap.NonceLen || in.After < 0 {
		err = fmt.Errorf("%w: nonce, after", sap.ReasonInvalid)
	} else {
		var list *sap.AuthenticatorList
		err = m.view(ctx, func(tx *Tx) error {
			var err error
			list, err = m.authenticatorList(tx, in)
			return err
		})
		if err == nil {
			signed, err = m.say(sap.LabelAuthenticators, list)
		}
	}
	if err != nil {
		return sap.Signed{}, m.refuse(ctx, c, string(OpAuthList), err, audit.Data{"signer": clip(in.Signer, sap.MaxIDLen)})
	}
	return signed, nil
}

func (m *Module) authenticatorList(tx *Tx, in AskList) (*sap.AuthenticatorList, error) {
	s, err := m.signerRecord(tx, in.Signer, true)
	if err != nil {
		return nil, err
	}
	now := m.clock.Now()
	out := &sap.AuthenticatorList{
		Type: sap.TypeAuthenticators, Audience: m.audience, Nonce: in.Nonce, Signer: s.ID, Display: s.Name, After: in.After,
		Authenticators: []sap.AuthenticatorEntry{}, Notices: []sap.NoticeEntry{}, IssuedAt: now.Unix(),
	}
	list, err := m.authenticators(tx, s.ID, true)
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		g, err := m.guard(tx, a, true)
		if err != nil {
			return nil, err
		}
		via := a.Via
		if via == "" {
			via = ViaCode
		}
		out.Authenticators = append(out.Authenticators, sap.AuthenticatorEntry{
			Credential: b64(a.Credential), AAGUID: hex.EncodeToString(a.AAGUID), Tier: string(a.tier()), Via: via, Created: a.Created,
			UsableFrom: a.UsableFrom, Usable: !g.locked(now.Unix()) && m.mayApprove(a, now) == nil,
		})
	}
	notices, err := tx.Notices.After(s.ID, in.After, sap.MaxNotices+1)
	if err != nil {
		return nil, err
	}
	out.More = len(notices) > sap.MaxNotices
	for _, n := range notices[:min(len(notices), sap.MaxNotices)] {
		if err := m.verified(tx, n, true); err != nil {
			return nil, err
		}
		out.Notices = append(out.Notices, sap.NoticeEntry{Seq: n.Seq, Kind: n.Kind, Credential: b64(n.Credential), Until: n.Until, Created: n.Created})
	}
	return out, nil
}
