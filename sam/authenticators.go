package sam

import (
	"context"
	"errors"
	"fmt"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// owned reads a signer and his authenticators for a change of them. It verifies
// more than a use needs: every guard, which also shows a removed authenticator
// that was put back, and that every live key is bound to exactly these. Without
// that, a change would bind the keys to whatever the database says (ENR-04, T33).
func (w *work) owned(signer string) (*Signer, []*Authenticator, error) {
	s, err := w.m.signerRecord(w.Tx, signer, false)
	if err != nil {
		return nil, nil, err
	}
	list, err := w.m.authenticators(w.Tx, signer, false)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range list {
		if _, err := w.m.guard(w.Tx, a, false); err != nil {
			return nil, nil, err
		}
	}
	keys, err := w.Credentials.BySigner(signer)
	if err != nil {
		return nil, nil, err
	}
	hash := string(authenticatorHash(list))
	for _, k := range keys {
		if err := w.m.verified(w.Tx, k, false); err != nil {
			return nil, nil, err
		}
		if k.State != KeyDestroyed && string(k.AuthHash) != hash {
			return nil, nil, fmt.Errorf("%w: the signer's authenticators are not those that %s is bound to", sap.ReasonSeal, k.Key)
		}
	}
	return s, list, nil
}

// unknown refuses a credential id that anybody has enrolled.
func (w *work) unknown(credential []byte) error {
	if _, err := w.Authenticators.Get(credential); !isNotFound(err) {
		if err == nil {
			err = fmt.Errorf("%w: credential id is enrolled already", sap.ReasonExists)
		}
		return err
	}
	return nil
}

// insertAuthenticator writes authenticator, guard and signer under one record,
// whose number it returns.
func (w *work) insertAuthenticator(event string, a *Authenticator, data audit.Data) (int64, error) {
	g := &Guard{Credential: a.Credential, Signer: a.Signer}
	s, err := w.Signers.Get(a.Signer)
	if err != nil {
		return 0, err
	}
	for k, v := range map[string]any{
		"guard": g.object(), "obj": s.object(), "signer": a.Signer, "credential": b64(a.Credential), "aaguid": b64(a.AAGUID),
		"attestation": a.Attestation, "backup_eligible": a.BackupEligible, "carrier": a.Carrier, "record": b64(authenticatorHash([]*Authenticator{a})),
	} {
		data[k] = v
	}
	if a.Via != ViaCode {
		data["via"], data["usable_from"] = a.Via, a.UsableFrom
	}
	seq, err := w.log(event, audit.OK, "", data)
	if err != nil {
		return 0, err
	}
	w.m.ledger.back(w, a)
	s.State = SignerEnrolled
	w.stamp(a, seq)
	w.stamp(g, seq)
	w.stamp(s, seq)
	return seq, errors.Join(w.Authenticators.Insert(a), w.Guards.Insert(g), w.Signers.Update(s))
}

// dropAuthenticator removes an authenticator with its guard, ends what was offered
// to its signer, and binds the keys to what remains.
func (w *work) dropAuthenticator(a *Authenticator, event, notice string, data audit.Data) error {
	s, err := w.Signers.Get(a.Signer)
	if err != nil {
		return err
	}
	if err := w.note(note{Kind: noteGone, ID: b64(a.Credential), Signer: a.Signer, Off: true}); err != nil {
		return err
	}
	object := guardObject(a.Credential)
	data["obj"], data["guard"], data["signer"], data["credential"] = s.object(), object, a.Signer, b64(a.Credential)
	seq, err := w.log(event, audit.OK, "", data)
	if err != nil {
		return err
	}
	// What is remembered of the guard is old from here on.
	w.changed = append(w.changed, change{object, seq})
	w.stamp(s, seq)
	n := &Notice{Signer: a.Signer, Kind: notice, Credential: a.Credential, Created: w.now.Unix()}
	w.stamp(n, seq)
	err = errors.Join(w.Guards.Delete(a.Credential), w.Authenticators.Delete(a.Credential), w.Signers.Update(s), w.Notices.Insert(n))
	return errors.Join(err, w.rebind(a.Signer), w.voidSessions(a.Signer))
}

// rebind binds all keys of a signer to the authenticators as they are now, in the
// transaction of the change, which began with owned. One-time keys end.
func (w *work) rebind(signer string) error {
	list, err := w.m.authenticators(w.Tx, signer, false)
	if err != nil {
		return err
	}
	keys, err := w.Credentials.BySigner(signer)
	if err != nil {
		return err
	}
	hash := authenticatorHash(list)
	for _, k := range keys {
		if k.State == KeyDestroyed {
			continue
		}
		if err := w.m.verified(w.Tx, k, false); err != nil {
			return err
		}
		k.AuthHash = hash
		seq, err := w.log(EventRebound, audit.OK, "", audit.Data{"obj": k.object(), "key": k.Key, "signer": signer, "authenticators": b64(hash)})
		if err != nil {
			return err
		}
		w.stamp(k, seq)
		if err := w.Credentials.Update(k); err != nil {
			return err
		}
	}
	return w.endOncesOf(signer, causeRebound)
}

// RevokeAuthenticator removes an authenticator at once (officer): a lost or copied
// one, or one that should never have been added. It only takes power away: with the
// last one gone, the signer's keys cannot be used, and only recovery brings him
// back (ENR-06). why is shown text and goes into the audit record.
func (m *Module) RevokeAuthenticator(ctx context.Context, c Caller, signer, credential, why string) error {
	if err := m.admit(ctx, c, OpAuthRevoke); err != nil {
		return err
	}
	err := func() error {
		id, err := sap.UnB64(credential)
		if err != nil || !sap.ValidID(signer) || why == "" || !sap.Displayable(why) {
			return fmt.Errorf("%w: signer, credential and reason are needed", sap.ReasonInvalid)
		}
		return m.update(ctx, c, func(w *work) error {
			_, list, err := w.owned(signer)
			if err != nil {
				return err
			}
			a, err := (&holding{auths: list}).authenticator(id)
			if err != nil {
				return err
			}
			return w.dropAuthenticator(a, EventAuthRevoked, NoticeLost, audit.Data{"why": why})
		})
	}()
	if err != nil {
		return m.refuse(ctx, c, string(OpAuthRevoke), err, audit.Data{"signer": clip(signer, sap.MaxIDLen)})
	}
	return nil
}
