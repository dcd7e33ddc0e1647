package sam

import (
	"context"
	"errors"
	"fmt"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// Causes of a key's end, in the audit record of its destruction (KPR-07).
const (
	CauseOfficer       = "officer"
	CauseRevoked       = "certificate_revoked"
	CauseExpired       = "certificate_expired"
	CauseSigner        = "signer_request"
	CauseAuthenticator = "last_authenticator_lost"
)

// viaState is the state that a key passes on its way out.
var viaState = map[string]string{CauseRevoked: KeyRevoked, CauseExpired: KeyExpired}

// Statuses of a certificate that an officer can set (SGN-02).
const (
	StatusGood    = "good"    // lifts a hold
	StatusOnHold  = "on_hold" // the key cannot be used until the hold is lifted
	StatusRevoked = "revoked" // the key is destroyed at once
)

// SetCertificateStatus tells the module what the CA says of a key's certificate
// (officer): it holds before the next use of the key (SGN-02). A hold stops the
// key and voids what its signer was asked; a revocation also destroys the key
// (KPR-07). why is shown text and goes into the audit record.
func (m *Module) SetCertificateStatus(ctx context.Context, c Caller, key, status, why string) (*CredentialView, error) {
	if err := m.admit(ctx, c, OpKeyStatus); err != nil {
		return nil, err
	}
	if why == "" || !sap.Displayable(why) {
		return nil, m.refuse(ctx, c, string(OpKeyStatus), fmt.Errorf("%w: a reason is needed", sap.ReasonInvalid), audit.Data{"key": clip(key, sap.MaxIDLen)})
	}
	return m.endKey(ctx, c, OpKeyStatus, key, func(w *work, cred *Credential) error {
		switch status {
		case StatusRevoked:
			return w.retire(cred, CauseRevoked, why)
		case StatusOnHold:
			if err := w.changeState(cred, KeySuspended, EventSuspended, audit.Data{"why": why}); err != nil {
				return err
			}
			if err := w.note(note{Kind: noteKey, ID: cred.Key, Off: true}); err != nil {
				return err
			}
			return w.voidSessions(cred.Signer)
		case StatusGood:
			if cred.State != KeySuspended {
				return fmt.Errorf("%w: the key is %s, not on hold", sap.ReasonState, cred.State)
			}
			w.noteLater(note{Kind: noteKey, ID: cred.Key})
			return w.changeState(cred, KeyActive, EventResumed, audit.Data{"why": why})
		}
		return fmt.Errorf("%w: status %q", sap.ReasonInvalid, clip(status, 16))
	})
}

// Destroy destroys a key for ever (officer): the wrapped key is overwritten and
// a tombstone stays, so that a restored backup cannot bring it back unnoticed
// (KPR-07, KPR-08).
func (m *Module) Destroy(ctx context.Context, c Caller, key string) (*CredentialView, error) {
	if err := m.admit(ctx, c, OpDestroy); err != nil {
		return nil, err
	}
	return m.endKey(ctx, c, OpDestroy, key, func(w *work, cred *Credential) error {
		return w.retire(cred, CauseOfficer, "")
	})
}

// EndSigner destroys all keys of a signer (officer): because the signer asks for
// it, or because the last authenticator is lost, so that nobody can approve with
// them any more (KPR-07). It returns how many were destroyed.
func (m *Module) EndSigner(ctx context.Context, c Caller, signer, cause, why string) (int, error) {
	if err := m.admit(ctx, c, OpSignerEnd); err != nil {
		return 0, err
	}
	n := 0
	err := fmt.Errorf("%w: cause is %s or %s, with a reason", sap.ReasonInvalid, CauseSigner, CauseAuthenticator)
	if (cause == CauseSigner || cause == CauseAuthenticator) && why != "" && sap.Displayable(why) {
		err = m.update(ctx, c, func(w *work) error {
			var err error
			n, err = w.endKeys(signer, cause, why)
			return err
		})
	}
	if err != nil {
		return 0, m.refuse(ctx, c, string(OpSignerEnd), err, audit.Data{"signer": clip(signer, sap.MaxIDLen)})
	}
	m.anchorNow(ctx)
	return n, nil
}

// endKeys destroys all keys of a signer, in the caller's transaction.
func (w *work) endKeys(signer, cause, why string) (int, error) {
	if _, err := w.m.signerRecord(w.Tx, signer, false); err != nil {
		return 0, err
	}
	list, err := w.Credentials.BySigner(signer)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, cred := range list {
		if err := w.m.verified(w.Tx, cred, false); err != nil {
			return 0, err
		}
		if cred.State == KeyDestroyed {
			continue
		}
		if err := w.retire(cred, cause, why); err != nil {
			return 0, err
		}
		n++
	}
	if err := w.endOncesOf(signer, cause); err != nil {
		return 0, err
	}
	return n, w.voidSessions(signer)
}

// endKey is the frame of what takes a key out of use.
func (m *Module) endKey(ctx context.Context, c Caller, op Op, key string, change func(*work, *Credential) error) (*CredentialView, error) {
	var cred *Credential
	err := m.update(ctx, c, func(w *work) error {
		var err error
		if cred, err = w.Credentials.Get(key); err != nil {
			return notFound(err, sap.ReasonKey)
		}
		if err := m.verified(w.Tx, cred, false); err != nil {
			return err
		}
		return change(w, cred)
	})
	if err != nil {
		return nil, m.refuse(ctx, c, string(op), err, audit.Data{"key": clip(key, sap.MaxIDLen)})
	}
	if cred.State == KeyDestroyed {
		m.anchorNow(ctx)
	}
	return m.credentialView(cred, m.clock.Now())
}

// anchorNow tells what is outside the database at once that a key was destroyed.
// A failure is repaired by the next write of the anchor.
func (m *Module) anchorNow(ctx context.Context) {
	if err := m.writeAnchor(context.WithoutCancel(ctx)); err != nil {
		m.dirty.Store(true)
		m.logger.Error("samd: anchor could not be written", "err", err)
	}
}

// changeState moves a key and records it.
func (w *work) changeState(cred *Credential, to, event string, data audit.Data) error {
	if err := move(keyMoves, &cred.State, to); err != nil {
		return err
	}
	data["obj"], data["key"], data["signer"] = cred.object(), cred.Key, cred.Signer
	seq, err := w.log(event, audit.OK, "", data)
	if err != nil {
		return err
	}
	w.stamp(cred, seq)
	return w.Credentials.Update(cred)
}

// retire destroys a key in the caller's transaction: through the state that its
// cause names, its blob gone, with a tombstone, and with every open session of
// its signer void.
func (w *work) retire(cred *Credential, cause, why string) error {
	data := audit.Data{"cause": cause}
	if why != "" {
		data["why"] = why
	}
	if via := viaState[cause]; via != "" {
		if err := w.changeState(cred, via, EventRetired, audit.Data{"cause": cause, "state": via}); err != nil {
			return err
		}
	}
	cred.Blob, cred.Raw = nil, false
	if err := w.changeState(cred, KeyDestroyed, EventDestroyed, data); err != nil {
		return err
	}
	t := &Tombstone{Key: cred.Key, Destroyed: w.now.Unix()}
	w.stamp(t, cred.Seq)
	if err := w.Tombstones.Insert(t); err != nil {
		return err
	}
	if err := w.Expiries.Drop(cred.Key); err != nil {
		return err
	}
	return w.voidSessions(cred.Signer)
}

// voidSessions ends every open session of a signer: its nonce is worth nothing
// from here on (KPR-07). The session does not know its key (only a hash of what
// it is bound to is kept), so those of the signer's other keys go too.
func (w *work) voidSessions(signer string) error {
	open, err := w.Sessions.OpenOf(signer, w.now.Unix(), w.m.cfg.OpenSessions)
	if err != nil {
		return err
	}
	for _, s := range open {
		if err := w.m.verified(w.Tx, s, false); err != nil {
			return err
		}
		s.State, s.Updated = ActVoid, w.now.Unix()
		seq, err := w.log(EventVoided, audit.OK, "", audit.Data{"obj": s.object(), "signer": signer})
		if err != nil {
			return err
		}
		w.stamp(s, seq)
		if err := w.Activations.Update(s); err != nil {
			return err
		}
	}
	return nil
}

// ExpireKeys destroys the keys whose certificates have expired (KPR-07). It runs
// every minute; an expired certificate stops its key at the second, before and
// without this (SGN-02).
func (m *Module) ExpireKeys(ctx context.Context) error {
	var due []string
	err := m.view(ctx, func(tx *Tx) error {
		var err error
		due, err = tx.Expiries.Due(m.clock.Now().Unix(), 500)
		return err
	})
	if err != nil || len(due) == 0 {
		return err
	}
	var failed []error
	for _, key := range due {
		if err := m.expireKey(ctx, key); err != nil {
			failed = append(failed, err)
		}
	}
	m.anchorNow(ctx)
	return errors.Join(failed...)
}

// expireKey looks again: the list of due keys is not sealed, only the certificate
// is.
func (m *Module) expireKey(ctx context.Context, key string) error {
	return m.update(ctx, self(), func(w *work) error {
		cred, err := w.Credentials.Get(key)
		if isNotFound(err) {
			return w.Expiries.Drop(key)
		}
		if err != nil {
			return err
		}
		if err := m.verified(w.Tx, cred, false); err != nil {
			return err
		}
		p, err := m.parse(cred)
		if err != nil {
			return err
		}
		switch {
		case cred.State == KeyDestroyed || p.cert == nil:
			return w.Expiries.Drop(key)
		case !w.now.After(p.cert.NotAfter):
			return w.Expiries.Put(key, p.cert.NotAfter.Unix()+1)
		}
		return w.retire(cred, CauseExpired, "")
	})
}
