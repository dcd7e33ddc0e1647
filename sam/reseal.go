package sam

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/sap"
)

// Re-sealing (KPR-06). From a rotation on everything new is sealed under the new epoch.
// What is there is sealed anew in batches, one transaction each, beside the calls: a
// record is verified as for its use, under its old seal and against the audit chain,
// and gets a new seal over the same columns, number and version, so that nothing that
// is under way notices. One that does not verify stays as it is and is recorded: it is
// refused today, and tomorrow for its epoch too; so is a row that cannot be read. When
// all kinds have been walked, no record of before is left but such ones and what
// somebody put back; the files beside the anchor are written anew, and then one
// transaction ends the older epochs.
//
// How far it came is remembered by nobody: after a kill the walk begins again and
// passes over what is done.

// EventResealed is the end of a re-sealing: older epochs do not count any more.
// EventNotResealed is a record that did not verify under its old seal.
const (
	EventResealed    = "records_resealed"
	EventNotResealed = "record_not_resealed"
)

const (
	resealBatch = 100  // records of one transaction
	maxRefused  = 1000 // records of EventNotResealed in one walk
)

// sealedKinds are the kinds of all sealed records.
func sealedKinds() []string {
	return []string{
		"identity", "proposal", "condition", "configuration", "succession", "tombstone", "signer", "authenticator", "guard",
		"credential", "onetime", "enrolment", "notice", "activation", "meta",
	}
}

// progress is how far the walk came.
type progress struct {
	kind    int // of sealedKinds
	last    any // key of this kind; nil: none yet
	renewed int64
	refused int64
}

// SealOf tells a record's kind and its seal.
func SealOf(r Record) (kind string, s Stamp) { return r.kind(), *r.stamp() }

// beginReseal starts the walk from its beginning.
func (m *Module) beginReseal() {
	m.rotateMu.Lock()
	defer m.rotateMu.Unlock()
	m.beginResealLocked()
}

func (m *Module) beginResealLocked() {
	m.resealed = progress{}
	select {
	case m.unsealed <- struct{}{}:
	default:
	}
}

// resealing seals anew what is left, a batch at a time.
func (m *Module) resealing() {
	if m.cfg.ResealEvery < 0 {
		return
	}
	for {
		more, err := m.Reseal(context.Background())
		if err != nil {
			m.logger.Error("samd: records could not be sealed anew yet", "err", err)
		}
		pause := m.cfg.ResealEvery
		if err != nil || !more { // closed, or nothing to do
			pause = max(pause, time.Minute)
		}
		again := time.NewTimer(pause)
		select {
		case <-m.stop:
		case <-m.unsealed:
		case <-again.C:
		}
		again.Stop()
		select {
		case <-m.stop:
			return
		default:
		}
	}
}

// Reseal seals the next records anew, at most a batch of them, or ends the re-sealing
// when there are none; more tells whether to call it again. The module does so by
// itself (Config.ResealEvery). A closed module is left as it is.
func (m *Module) Reseal(ctx context.Context) (more bool, err error) {
	m.rotateMu.Lock()
	defer m.rotateMu.Unlock()
	w := m.seal.now.Load()
	switch {
	case m.closedWhy() != "":
		return false, nil
	case w.high > w.records.epoch: // a change whose commit was not acknowledged
		m.keyMu.Lock()
		defer m.keyMu.Unlock()
		return true, m.learnSeal(ctx, w.all[w.high])
	case w.low == w.records.epoch:
		return false, nil
	case m.resealed.kind < len(sealedKinds()):
		return true, m.resealNext(ctx)
	}
	return false, m.endReseal(ctx)
}

func (m *Module) resealNext(ctx context.Context) error {
	var next progress
	failpoint.Before("samd/records-resealed")
	err := m.update(ctx, self(), func(w *work) error {
		next = m.resealed
		kind := sealedKinds()[next.kind]
		list, err := w.Seals.After(kind, next.last, resealBatch)
		if err != nil {
			return err
		}
		for _, row := range list {
			if row.Err != nil {
				err = w.notResealed(kind, rowName(kind, row.Key), &next, row.Err)
			} else {
				err = w.reseal(row.Record, &next)
			}
			if err != nil {
				return err
			}
			next.last = row.Key
		}
		if len(list) < resealBatch {
			next.kind, next.last = next.kind+1, nil
		}
		return nil
	})
	if err != nil {
		return err
	}
	failpoint.After("samd/records-resealed")
	m.resealed = next
	return nil
}

// reseal seals one record anew that verifies under its old seal (KPR-06).
func (w *work) reseal(r record, p *progress) error {
	now, was := w.m.seal.now.Load().records, r.stamp().MAC
	e, hides := r.(*Enrolment)
	if epochOf(was) == now.epoch && !hides {
		return nil
	}
	changed, err := epochOf(was) != now.epoch, w.resealable(r)
	if err == nil && hides {
		var hidden bool
		hidden, err = w.hideAnew(e)
		changed = changed || hidden
	}
	if errors.Is(err, sap.ReasonSeal) {
		return w.notResealed(r.kind(), recordName(r), p, err)
	}
	if err != nil || !changed {
		return err
	}
	r.stamp().MAC = now.mac(r)
	p.renewed++
	return w.Seals.Reseal(r, was)
}

// resealable verifies a record as for its use: its seal and its history, and of one
// without a history of its own what else is known of it.
func (w *work) resealable(r record) error {
	if err := w.m.verified(w.Tx, r, false); err != nil {
		return err
	}
	a, ok := r.(*Authenticator)
	if !ok {
		return nil
	}
	if w.m.ledger.gone(a.Credential) {
		return fmt.Errorf("%w: authenticator %s was removed", sap.ReasonSeal, b64(a.Credential))
	}
	_, err := w.m.guard(w.Tx, a, false)
	return err
}

// hideAnew hides the secrets of an enrolment under the present epoch.
func (w *work) hideAnew(e *Enrolment) (changed bool, err error) {
	for _, x := range []struct {
		hidden *[]byte
		name   string
	}{{&e.Code, e.object()}, {&e.Halves, e.halvesName()}} {
		if len(*x.hidden) == 0 {
			continue
		}
		plain, epoch, err := w.m.seal.revealed(*x.hidden, x.name)
		if err != nil {
			return false, err
		}
		if epoch != w.m.seal.now.Load().records.epoch {
			changed = true
			*x.hidden, err = w.m.seal.hide(w.m.draw, plain, x.name)
		}
		clear(plain)
		if err != nil {
			return false, err
		}
	}
	return changed, nil
}

// notResealed leaves a record as it is. Its name may be what somebody wrote there.
func (w *work) notResealed(kind, name string, p *progress, cause error) error {
	if p.refused++; p.refused > maxRefused {
		return nil
	}
	_, err := w.log(EventNotResealed, audit.Error, sap.ReasonSeal, audit.Data{"kind": kind, "record": printable(name), "detail": detail(cause)})
	return err
}

// rowName is what a row is called that cannot be read.
func rowName(kind string, key any) string {
	if b, ok := key.([]byte); ok {
		key = b64(b)
	}
	return fmt.Sprintf("%s:%v", kind, key)
}

// recordName is what a record is called in the audit record of its refusal; not "obj",
// which would make that one a change of it.
func recordName(r record) string {
	if a, ok := r.(*Authenticator); ok {
		return "authenticator:" + b64(a.Credential)
	}
	if name := r.object(); name != "" {
		return name
	}
	return fmt.Sprintf("%s:%d", r.kind(), r.stamp().Seq)
}

// endReseal writes the files and the anchor anew and ends the older epochs, in this
// order: after a kill in between the database still says that they count. An anchor of
// an ended epoch is one that no start believes: the module would not open again.
func (m *Module) endReseal(ctx context.Context) error {
	failpoint.Before("samd/files-resealed")
	if err := m.resealFiles(); err != nil {
		return err
	}
	failpoint.After("samd/files-resealed")
	if err := m.writeAnchor(ctx); err != nil {
		return fmt.Errorf("%w: anchor: %w", sap.ReasonStore, err)
	}
	seals, p := m.seal.now.Load(), m.resealed
	failpoint.Before("samd/reseal-ended")
	err := m.update(ctx, self(), func(w *work) error {
		meta, err := w.Meta.Get()
		if err != nil {
			return err
		}
		if err := m.verified(w.Tx, meta, false); err != nil {
			return err
		}
		if meta.SealLow == seals.records.epoch {
			return nil // an earlier commit was written and not acknowledged
		}
		seq, err := w.log(EventResealed, audit.OK, "", audit.Data{
			"obj": meta.object(), "seal_epoch": meta.SealEpoch, "from": meta.SealLow, "records": p.renewed, "refused": p.refused,
		})
		if err != nil {
			return err
		}
		meta.SealLow = seals.records.epoch
		w.stamp(meta, seq)
		return w.Meta.Update(meta)
	})
	if err != nil {
		return err
	}
	failpoint.After("samd/reseal-ended")
	m.seal.end()
	m.resealed = progress{}
	m.logger.Info("samd: all records are sealed anew", "epoch", seals.records.epoch, "records", p.renewed, "refused", p.refused)
	m.anchorNow(ctx)
	return nil
}

// resealFiles writes what is beside the anchor anew. A file that somebody changed is
// not sealed anew: the next start would not have believed it.
func (m *Module) resealFiles() error {
	m.anchorMu.Lock()
	defer m.anchorMu.Unlock()
	if err := m.graves.reseal(); err != nil {
		return fmt.Errorf("%w: tombstones: %w", sap.ReasonStore, err)
	}
	if err := m.ledger.reseal(); err != nil {
		if errors.Is(err, errLine) {
			m.stopUse(m.ledger.path + " was changed from outside")
		}
		return fmt.Errorf("%w: list of failures: %w", sap.ReasonStore, err)
	}
	m.condMu.Lock()
	defer m.condMu.Unlock()
	return m.mark.write(m.failedWhy())
}
