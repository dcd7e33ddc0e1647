package sam

import (
	"context"
	"errors"
	"fmt"
	"slices"

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

// Statuses of a certificate that an officer can set (SGN-02).
const (
	StatusGood    = "good"    // lifts a hold
	StatusOnHold  = "on_hold" // the key cannot be used until the hold is lifted
	StatusRevoked = "revoked" // the key cannot be used any more, for ever
)

// SetCertificateStatus tells the module what the CA says of a key's certificate
// (officer): it holds before the next use of the key (SGN-02). A hold and a
// revocation stop the key and void what its signer was asked. They are one
// officer's, because an emergency does not wait for a second: what stops a key can
// do no worse than stop it. A hold can be lifted; a revocation has no way back, nor
// has it in an older database that is restored. The key's octets end later, by the
// decision key_destroy or with the certificate's time: to destroy takes two (ROL-04,
// KPR-07). why is shown text and goes into the audit record.
func (m *Module) SetCertificateStatus(ctx context.Context, c Caller, key, status, why string) (*CredentialView, error) {
	if err := m.admit(ctx, c, OpKeyStatus); err != nil {
		return nil, err
	}
	var cred *Credential
	err := reasonGiven(why)
	if err == nil {
		err = m.update(ctx, c, func(w *work) error {
			var err error
			if cred, err = w.credential(key); err != nil {
				return err
			}
			return w.setStatus(cred, status, why)
		})
	}
	if err != nil {
		return nil, m.refuse(ctx, c, string(OpKeyStatus), err, audit.Data{"key": clip(key, sap.MaxIDLen)})
	}
	if status == StatusRevoked { // for ever: the list beside the anchor must not be cut before it
		m.anchorNow(ctx)
	}
	return m.credentialView(cred, m.clock.Now())
}

// credential reads and verifies the record of a key.
func (w *work) credential(key string) (*Credential, error) {
	cred, err := w.Credentials.Get(key)
	if err != nil {
		return nil, notFound(err, sap.ReasonKey)
	}
	return cred, w.m.verified(w.Tx, cred, false)
}

func (w *work) setStatus(cred *Credential, status, why string) error {
	switch status {
	case StatusRevoked:
		if len(cred.Chain) == 0 {
			return fmt.Errorf("%w: the key has no certificate that could be revoked", sap.ReasonState)
		}
		data := audit.Data{"cause": CauseRevoked, "state": KeyRevoked, "why": why}
		return w.stop(cred, KeyRevoked, EventRetired, data, note{Kind: noteRevoked, ID: cred.Key, Off: true})
	case StatusOnHold:
		return w.stop(cred, KeySuspended, EventSuspended, audit.Data{"why": why}, note{Kind: noteKey, ID: cred.Key, Off: true})
	case StatusGood:
		if cred.State != KeySuspended {
			return fmt.Errorf("%w: the key is %s, not on hold", sap.ReasonState, cred.State)
		}
		w.noteLater(note{Kind: noteKey, ID: cred.Key})
		return w.changeState(cred, KeyActive, EventResumed, audit.Data{"why": why})
	}
	return fmt.Errorf("%w: status %q", sap.ReasonInvalid, clip(status, 16))
}

// stop takes a key out of use, outside the database too, and voids what its signer
// was asked.
func (w *work) stop(cred *Credential, to, event string, data audit.Data, n note) error {
	if err := w.changeState(cred, to, event, data); err != nil {
		return err
	}
	if err := w.note(n); err != nil {
		return err
	}
	return w.voidSessions(cred.Signer)
}

// liveKeys are a signer's keys that are not destroyed.
func (w *work) liveKeys(signer string) ([]*Credential, error) {
	if _, err := w.m.signerRecord(w.Tx, signer, false); err != nil {
		return nil, err
	}
	list, err := w.Credentials.BySigner(signer)
	if err != nil {
		return nil, err
	}
	for _, cred := range list {
		if err := w.m.verified(w.Tx, cred, false); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(list, func(c *Credential) bool { return c.State == KeyDestroyed }), nil
}

// endKeys destroys all keys of a signer, in the caller's transaction, and says how
// many.
func (w *work) endKeys(signer, cause, why string) (int, error) {
	list, err := w.liveKeys(signer)
	if err != nil {
		return 0, err
	}
	for _, cred := range list {
		if err := w.retire(cred, cause, why); err != nil {
			return 0, err
		}
	}
	if err := w.endOncesOf(signer, cause); err != nil {
		return 0, err
	}
	return len(list), w.voidSessions(signer)
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

// retire destroys a key in the caller's transaction (KPR-08): its blob gone, with a
// tombstone, and with every open session of its signer void.
func (w *work) retire(cred *Credential, cause, why string) error {
	data := audit.Data{"cause": cause}
	if why != "" {
		data["why"] = why
	}
	// A revoked key stays one until it is destroyed; its certificate may expire before.
	if cause == CauseExpired && cred.State != KeyRevoked {
		if err := w.changeState(cred, KeyExpired, EventRetired, audit.Data{"cause": cause, "state": KeyExpired}); err != nil {
			return err
		}
	}
	// Nothing of the key is kept, for no archive (KPR-09).
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
// it is bound to is kept), so those of the signer's other keys go too. There may be
// more than today's bound, of before it was lowered.
func (w *work) voidSessions(signer string) error {
	for {
		open, err := w.Sessions.OpenOf(signer, w.now.Unix(), w.m.cfg.OpenSessions)
		if err != nil || len(open) == 0 {
			return err
		}
		for _, s := range open {
			if err := w.voidSession(s); err != nil {
				return err
			}
		}
	}
}

func (w *work) voidSession(s *Activation) error {
	if err := w.m.verified(w.Tx, s, false); err != nil {
		return err
	}
	s.State, s.Updated = ActVoid, w.now.Unix()
	seq, err := w.log(EventVoided, audit.OK, "", audit.Data{"obj": s.object(), "signer": s.Signer})
	if err != nil {
		return err
	}
	w.stamp(s, seq)
	return w.Activations.Update(s)
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
