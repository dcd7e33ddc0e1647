package sam

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
)

// The statement key has epochs (KPR-06). Two officers order the next one: it is made in
// the token, and one transaction makes it the module's key and keeps the statement by
// which the old key and the new one say so. No other transaction is under way then:
// what was committed before is signed by the old key, what comes after by the new one.
// Verifiers that pin an earlier key follow that statement (sap.Keyring).
//
// A kill before the transaction leaves a key in the token that nothing names; the next
// change destroys it and makes its own. The old key signs nothing more but stays in the
// token until a decision of its own destroys it: until there is a backup from after the
// change, the last backup names the old key, and without that key the module could not
// come back from it. A key that is believed stolen is replaced instead: it is not asked,
// it is destroyed at once, and nobody who pins it believes the new one.

// Decisions about the statement key (ROL-04).
const (
	DecideStatement    = "statement_rotate"
	DecideStatementEnd = "statement_destroy"
)

// RotateStatement is the argument of the decision statement_rotate.
type RotateStatement struct {
	From    string `json:"from"`    // key id of the current key, as the officers see it
	Replace bool   `json:"replace"` // the current key is believed weak or stolen: it does not vouch for the next one
	Why     string `json:"why"`
}

// DestroyStatement is the argument of the decision statement_destroy. Without a backup of
// after the change it is refused, unless both officers say that they know: a module that is
// restored from an older one has no key then. A key that was replaced is destroyed all the
// same, since that was decided with its replacement.
type DestroyStatement struct {
	Key           string `json:"key"` // key id of an earlier statement key
	Why           string `json:"why"`
	WithoutBackup bool   `json:"without_backup,omitempty"`
}

// Events of the statement key. The first carries the signed succession, so that an
// exported chain can be verified from its first key on (AUD-08).
const (
	EventStatementKey      = audit.TypeStatementKey
	EventStatementKeyEnded = "statement_key_destroyed"
)

func (m *Module) named() (cryptotoken.Named, error) {
	n, ok := m.token.(cryptotoken.Named)
	if !ok {
		return nil, fmt.Errorf("%w: this token cannot make and destroy keys", sap.ReasonState)
	}
	return n, nil
}

func checkStatement(w *work, args []byte) error {
	in, err := decodeArgs[RotateStatement](args)
	if err != nil {
		return err
	}
	if err := reasonGiven(in.Why); err != nil {
		return err
	}
	if _, err := w.m.named(); err != nil {
		return err
	}
	return w.m.mayFollow(in.From, w.m.key())
}

// mayFollow refuses a change that was proposed for another key, or that no verifier
// could follow.
func (m *Module) mayFollow(from string, now *statementKey) error {
	if from != now.id {
		return fmt.Errorf("%w: the statement key is %s, the proposal says %s", sap.ReasonInvalid, now.id, clip(from, 80))
	}
	if now.epoch > sap.MaxSuccessions {
		return fmt.Errorf("%w: the statement key was changed %d times, which is the most that verifiers follow", sap.ReasonTooMany, sap.MaxSuccessions)
	}
	return nil
}

func applyStatement(w *work, _ [2]Caller, args []byte) (audit.Data, error) {
	return audit.Data{}, checkStatement(w, args)
}

// rotateStatement makes the next statement key and takes it into use (ROL-04, KPR-06).
func rotateStatement(ctx context.Context, m *Module, p *Proposal) error {
	m.rotateMu.Lock()
	defer m.rotateMu.Unlock()
	in, err := decodeArgs[RotateStatement](p.Args)
	if err != nil {
		return err
	}
	old := m.key()
	if err := m.mayFollow(in.From, old); err != nil {
		return err
	}
	failpoint.Before("samd/statement-made")
	next, err := m.nextStatementKey(ctx, old.epoch+1)
	if err != nil {
		return fmt.Errorf("%w: %w", sap.ReasonToken, err)
	}
	failpoint.After("samd/statement-made")
	if err := m.succeed(ctx, p, in, old, next); err != nil {
		return err
	}
	if err := m.writeAnchor(ctx); err != nil { // an older database would come back with the old key
		m.logger.Error("samd: anchor could not be written", "err", err)
	}
	if !in.Replace {
		return nil
	}
	return m.endStatementKey(ctx, old.epoch, decidedBy(p))
}

// nextStatementKey makes the key of an epoch. One that is there already belongs to a
// change that was never committed, or that a restore undid: it is not trusted.
func (m *Module) nextStatementKey(ctx context.Context, epoch int64) (*statementKey, error) {
	named, err := m.named()
	if err != nil {
		return nil, err
	}
	ref := cryptotoken.KeyRef{Label: m.cfg.statementLabel(epoch)}
	if err := named.DestroyKey(ctx, ref); err != nil && !errors.Is(err, cryptotoken.ErrKeyNotFound) {
		return nil, err
	}
	if _, err := named.CreateKey(ctx, ref, algo.P256); err != nil {
		return nil, err
	}
	k, err := m.tokenKey(ctx, epoch)
	if err != nil {
		return nil, err
	}
	return k, cryptotoken.Prove(k)
}

// succeed is the change itself: no transaction of another call runs beside it.
func (m *Module) succeed(ctx context.Context, p *Proposal, in RotateStatement, old, next *statementKey) error {
	m.keyMu.Lock()
	defer m.keyMu.Unlock()
	failpoint.Before("samd/statement-changed")
	err := m.commit(ctx, self(), func(w *work) error {
		r, text, err := w.succession(in, old, next)
		if err != nil {
			return err
		}
		meta, err := w.Meta.Get()
		if err != nil {
			return err
		}
		if err := m.verified(w.Tx, meta, false); err != nil {
			return err
		}
		seq, err := w.log(EventStatementKey, audit.OK, "", audit.Data{
			"obj": meta.object(), "statement": r.Statement, "signature": r.Signature, "proof": r.Proof, "key": text.New, "before": text.Old,
			"key_epoch": text.Epoch, "mode": text.Mode, "first": p.By, "second": p.Second, "proposal": p.ID, "why": in.Why,
		})
		if err != nil {
			return err
		}
		meta.StatementKey = next.spki
		w.stamp(meta, seq)
		w.stamp(r, seq)
		next.first, next.chain = old.first, append(append([]sap.SignedSuccession(nil), old.chain...), r.signed())
		return errors.Join(w.Meta.Update(meta), w.Successions.Insert(r))
	})
	failpoint.After("samd/statement-changed")
	if err == nil {
		m.statement.Store(next)
		return nil
	}
	return errors.Join(err, m.learnStatementKey(context.WithoutCancel(ctx)))
}

// learnStatementKey asks the database which key is the module's, when a commit failed
// and may have been written all the same. As long as that is not known nothing may be
// signed. The caller holds keyMu.
func (m *Module) learnStatementKey(ctx context.Context) error {
	var meta *Meta
	err := m.view(ctx, func(tx *Tx) error {
		var err error
		if meta, err = tx.Meta.Get(); err != nil {
			return err
		}
		return m.seal.check(meta)
	})
	if err == nil {
		err = m.openStatementKey(ctx, meta)
	}
	if err != nil {
		m.stopUse("it is not known whether the statement key was changed: " + err.Error())
	}
	return err
}

// succession composes what both keys sign.
func (w *work) succession(in RotateStatement, old, next *statementKey) (*Succession, *sap.Succession, error) {
	s := &sap.Succession{
		Type: sap.TypeSuccession, Audience: w.m.info().Audience, Instance: w.m.instance, Epoch: next.epoch, Old: old.id, New: next.id,
		Public: sap.B64(next.spki), Time: w.now.UnixMilli(), Mode: sap.ModeSuccession,
	}
	if in.Replace {
		s.Mode = sap.ModeReplacement
	}
	text, err := jcs.Marshal(s)
	if err != nil {
		return nil, nil, err
	}
	r := &Succession{Epoch: next.epoch, Old: old.spki, New: next.spki, Statement: sap.B64(text)}
	proof, err := sap.Sign(next, sap.LabelSuccessionProof, text)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: statement key: %w", sap.ReasonToken, err)
	}
	r.Proof = sap.B64(proof)
	if !in.Replace {
		sig, err := sap.Sign(old, sap.LabelSuccession, text)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: statement key: %w", sap.ReasonToken, err)
		}
		r.Signature = sap.B64(sig)
	}
	if err := r.verify(); err != nil { // before anybody depends on it
		return nil, nil, fmt.Errorf("%w: %w", sap.ReasonToken, err)
	}
	if _, err := sap.NewKeyring(next.Public().(*ecdsa.PublicKey), append(append([]sap.SignedSuccession(nil), old.chain...), r.signed())); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", sap.ReasonToken, err)
	}
	return r, s, nil
}

func checkStatementEnd(w *work, args []byte) error {
	in, err := decodeArgs[DestroyStatement](args)
	if err != nil {
		return err
	}
	if err := reasonGiven(in.Why); err != nil {
		return err
	}
	if _, err := w.m.named(); err != nil {
		return err
	}
	by, err := w.m.successor(in.Key)
	if err != nil || in.WithoutBackup || by.Mode == sap.ModeReplacement {
		return err
	}
	return w.backedUpSince(w.m.seal.now.Load().low - 1)
}

// successor is the change that ended an earlier statement key.
func (m *Module) successor(id string) (*sap.Succession, error) {
	k := m.key()
	for _, s := range k.chain {
		if text, err := s.Open(); err == nil && text.Old == id {
			return text, nil
		}
	}
	if id == k.id {
		return nil, fmt.Errorf("%w: %s is the current statement key", sap.ReasonState, id)
	}
	return nil, fmt.Errorf("%w: no statement key %s", sap.ReasonInvalid, clip(id, 80))
}

func applyStatementEnd(w *work, _ [2]Caller, args []byte) (audit.Data, error) {
	return audit.Data{}, checkStatementEnd(w, args)
}

func destroyStatement(ctx context.Context, m *Module, p *Proposal) error {
	m.rotateMu.Lock()
	defer m.rotateMu.Unlock()
	in, err := decodeArgs[DestroyStatement](p.Args)
	if err != nil {
		return err
	}
	by, err := m.successor(in.Key)
	if err != nil {
		return err
	}
	data := decidedBy(p)
	data["without_backup"] = in.WithoutBackup
	return m.endStatementKey(ctx, by.Epoch-1, data)
}

func decidedBy(p *Proposal) audit.Data {
	return audit.Data{"first": p.By, "second": p.Second, "proposal": p.ID}
}

// endStatementKey destroys the key of an epoch that is over. data says who decided it; it
// is nil when a start finishes what a kill interrupted.
func (m *Module) endStatementKey(ctx context.Context, epoch int64, data audit.Data) error {
	named, err := m.named()
	if err != nil {
		return err
	}
	if epoch >= m.key().epoch {
		return fmt.Errorf("%w: epoch %d is not over", sap.ReasonState, epoch)
	}
	label := m.cfg.statementLabel(epoch)
	failpoint.Before("samd/statement-destroyed")
	err = named.DestroyKey(ctx, cryptotoken.KeyRef{Label: label})
	failpoint.After("samd/statement-destroyed")
	switch {
	case errors.Is(err, cryptotoken.ErrKeyNotFound) && data == nil:
		return nil
	case errors.Is(err, cryptotoken.ErrKeyNotFound):
		return fmt.Errorf("%w: statement key %q was destroyed before", sap.ReasonState, label)
	case err != nil:
		return fmt.Errorf("%w: %w", sap.ReasonToken, err)
	}
	if data == nil {
		data = audit.Data{}
	}
	data["label"], data["key_epoch"] = label, epoch
	return m.update(ctx, self(), func(w *work) error {
		_, err := w.log(EventStatementKeyEnded, audit.OK, "", data)
		return err
	})
}

// finishReplacement destroys a replaced key that a kill, or a failure, has left.
func (m *Module) finishReplacement(ctx context.Context) error {
	k := m.key()
	if len(k.chain) == 0 {
		return nil
	}
	last, err := k.chain[len(k.chain)-1].Open()
	if err != nil {
		return fmt.Errorf("%w: statement key: %w", ErrOpen, err)
	}
	if last.Mode != sap.ModeReplacement {
		return nil
	}
	m.rotateMu.Lock()
	defer m.rotateMu.Unlock()
	err = m.endStatementKey(ctx, last.Epoch-1, nil)
	if errors.Is(err, sap.ReasonToken) { // the new key works
		m.logger.Error("samd: a replaced statement key is left in the token; destroy it with the decision statement_destroy", "err", err)
		return nil
	}
	return err
}
