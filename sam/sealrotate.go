package sam

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/sap"
)

// The change of the sealing key (KPR-06). Two officers order the next epoch: it is made
// in the token, and one transaction, beside which no other runs, makes it the one under
// which everything new is sealed. Until all records are sealed anew (reseal.go) the old
// epoch counts too; afterwards it is accepted nowhere in the module. It stays in the
// token: a backup from before the change is read with it, and what it holds is taken by
// the decision restore, as every older database, and sealed anew on arrival. While records
// are sealed anew no backup is made: it would be of both epochs. When there is one from
// after that, two officers end the old epoch (seal_destroy), and nothing that was sealed
// under it is ever read again.
//
// A kill before the transaction leaves a mark in the token that nothing names; the next
// rotation makes its own, of a later number.

// Decisions about the sealing key (ROL-04).
const (
	DecideSeal    = "seal_rotate"
	DecideSealEnd = "seal_destroy"
)

// RotateSeal is the argument of the decision seal_rotate.
type RotateSeal struct {
	From int64  `json:"from"` // the current epoch, as the officers see it
	Why  string `json:"why"`
}

// DestroySeal is the argument of the decision seal_destroy: this epoch and all before it.
// Without a backup of a later epoch it is refused, unless both officers say that they
// know: afterwards there is none.
type DestroySeal struct {
	Epoch         int64  `json:"epoch"`
	Why           string `json:"why"`
	WithoutBackup bool   `json:"without_backup,omitempty"`
}

// Events of the sealing key.
const (
	EventSealKey          = "seal_key_made"
	EventSealKeyDestroyed = "seal_key_destroyed"
)

// maxSealEpochs bounds how often the sealing key is changed.
const maxSealEpochs = 1000

func checkSeal(w *work, args []byte) error {
	in, err := decodeArgs[RotateSeal](args)
	if err != nil {
		return err
	}
	if err := reasonGiven(in.Why); err != nil {
		return err
	}
	if _, err := w.m.named(); err != nil {
		return err
	}
	return w.m.maySeal(in.From)
}

// maySeal refuses a change that was proposed for another epoch, or before the last one
// is at its end: more than two epochs would count at a time.
func (m *Module) maySeal(from int64) error {
	w := m.seal.now.Load()
	switch {
	case from != w.records.epoch:
		return fmt.Errorf("%w: the sealing key is of epoch %d, the proposal says %d", sap.ReasonInvalid, w.records.epoch, from)
	case w.low != w.records.epoch:
		return fmt.Errorf("%w: records are still being sealed anew under epoch %d, which ends by itself", sap.ReasonState, w.records.epoch)
	case w.high != w.records.epoch:
		return fmt.Errorf("%w: it is not known yet whether the last change was written", sap.ReasonState)
	case from >= maxSealEpochs:
		return fmt.Errorf("%w: the sealing key was changed %d times, which is the most", sap.ReasonTooMany, from-1)
	}
	return nil
}

func applySeal(w *work, _ [2]Caller, args []byte) (audit.Data, error) {
	return audit.Data{}, checkSeal(w, args)
}

// rotateSeal makes the next epoch and takes it into use (ROL-04, KPR-06).
func rotateSeal(ctx context.Context, m *Module, p *Proposal) error {
	m.rotateMu.Lock()
	defer m.rotateMu.Unlock()
	in, err := decodeArgs[RotateSeal](p.Args)
	if err != nil {
		return err
	}
	if err := m.maySeal(in.From); err != nil { // somebody else's change came in between
		return err
	}
	failpoint.Before("samd/seal-made")
	next, err := m.makeSeal(ctx, in.From)
	if err != nil {
		return fmt.Errorf("%w: %w", sap.ReasonToken, err)
	}
	failpoint.After("samd/seal-made")
	if err := m.changeSeal(ctx, p, in, next); err != nil {
		return err
	}
	m.beginResealLocked()
	m.anchorNow(ctx) // an older database would come back with the old epoch
	return nil
}

// changeSeal is the change itself: no transaction of another call runs beside it.
func (m *Module) changeSeal(ctx context.Context, p *Proposal, in RotateSeal, next *epochSeal) error {
	m.keyMu.Lock()
	defer m.keyMu.Unlock()
	m.seal.admit(next)
	failpoint.Before("samd/seal-changed")
	err := m.commit(ctx, self(), func(w *work) error {
		meta, err := w.Meta.Get()
		if err != nil {
			return err
		}
		if err := m.verified(w.Tx, meta, false); err != nil {
			return err
		}
		seq, err := w.log(EventSealKey, audit.OK, "", audit.Data{
			"obj": meta.object(), "seal_epoch": next.epoch, "before": in.From, "first": p.By, "second": p.Second, "proposal": p.ID, "why": in.Why,
		})
		if err != nil {
			return err
		}
		meta.SealEpoch, meta.SealLow = next.epoch, in.From
		w.stampUnder(next, meta, seq)
		return w.Meta.Update(meta)
	})
	failpoint.After("samd/seal-changed")
	if err == nil {
		m.seal.use(next.epoch)
		return nil
	}
	return errors.Join(err, m.learnSeal(context.WithoutCancel(ctx), next))
}

// learnSeal asks the database which epoch is in use, when a commit failed and may have
// been written all the same. The caller holds keyMu.
func (m *Module) learnSeal(ctx context.Context, next *epochSeal) error {
	var meta *Meta
	err := m.view(ctx, func(tx *Tx) error {
		var err error
		if meta, err = tx.Meta.Get(); err != nil {
			return err
		}
		return m.seal.check(meta)
	})
	switch {
	case err != nil: // both count, and what is sealed meanwhile is under the old one; Reseal asks again
		m.stopUse("it is not known whether the sealing key was changed: " + err.Error())
	case meta.SealEpoch == next.epoch:
		m.seal.use(next.epoch)
		m.beginResealLocked()
		m.dirty.Store(true)
	default:
		m.seal.withdraw()
	}
	return err
}

func checkSealEnd(w *work, args []byte) error {
	in, err := decodeArgs[DestroySeal](args)
	if err != nil {
		return err
	}
	if err := reasonGiven(in.Why); err != nil {
		return err
	}
	if _, err := w.m.named(); err != nil {
		return err
	}
	if err := w.m.mayEndSeal(in.Epoch); err != nil || in.WithoutBackup {
		return err
	}
	return w.backedUpSince(in.Epoch)
}

func (m *Module) mayEndSeal(epoch int64) error {
	w := m.seal.now.Load()
	switch {
	case epoch < 1 || epoch > w.records.epoch:
		return fmt.Errorf("%w: there is no epoch %d of the sealing key", sap.ReasonInvalid, epoch)
	case epoch >= w.low:
		return fmt.Errorf("%w: epoch %d of the sealing key is in use, or records are still being sealed anew", sap.ReasonState, epoch)
	}
	return nil
}

func applySealEnd(w *work, _ [2]Caller, args []byte) (audit.Data, error) {
	return audit.Data{}, checkSealEnd(w, args)
}

// destroySeal ends an old epoch and all before it, the oldest first: an epoch that is
// there stands for all that came after it. The anchor is of the present one first, or
// nothing could read it again.
func destroySeal(ctx context.Context, m *Module, p *Proposal) error {
	m.rotateMu.Lock()
	defer m.rotateMu.Unlock()
	in, err := decodeArgs[DestroySeal](p.Args)
	if err != nil {
		return err
	}
	if err := m.mayEndSeal(in.Epoch); err != nil {
		return err
	}
	if err := m.writeAnchor(ctx); err != nil {
		return fmt.Errorf("%w: anchor: %w", sap.ReasonStore, err)
	}
	ended := []string{}
	failpoint.Before("samd/seal-destroyed")
	for epoch := int64(1); epoch <= in.Epoch; epoch++ {
		now, err := m.endSeal(ctx, epoch)
		if err != nil {
			return fmt.Errorf("%w: %w", sap.ReasonToken, err)
		}
		if now {
			ended = append(ended, strconv.FormatInt(epoch, 10))
		}
	}
	failpoint.After("samd/seal-destroyed")
	// Recorded also when none was left: an order that was killed here ended them, and its
	// repetition is the only one that can say so.
	err = m.update(ctx, self(), func(w *work) error {
		_, err := w.log(EventSealKeyDestroyed, audit.OK, "", audit.Data{
			"epochs": ended, "through": in.Epoch, "first": p.By, "second": p.Second, "proposal": p.ID, "without_backup": in.WithoutBackup,
		})
		return err
	})
	if err == nil && len(ended) == 0 {
		return fmt.Errorf("%w: epoch %d of the sealing key was destroyed before", sap.ReasonState, in.Epoch)
	}
	return err
}
