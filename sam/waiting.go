package sam

import (
	"context"
	"fmt"
	"strings"

	"github.com/assent-sign/assent/sap"
)

// A start that finds another configuration than the accepted one, or a database
// that is older than its anchor, waits: the module is closed, and only diagnosis
// and the decisions of officers about just that work (PRV-03, BKP-02, ROL-04).
// Before, the flags -accept-config and -accept-restore were the word of whoever
// starts the process: an administrator of the host alone, who could lower the bar
// or take back consumed approvals and lockouts.
//
// Who counts as an officer is read from sealed records that this administrator
// cannot write: not from the configuration, whose ceremony and CAs are what is in
// doubt, and not from what an older database says of officers who were revoked
// since (ledger.go). Nothing of the waiting is stored: it is found again at the
// next start, until what is wrong is accepted or put right.

// Waiting is something that two officers must accept before the module opens.
type Waiting struct {
	Kind    string   // of the decision
	Why     string   // what was found
	Args    []byte   // arguments of the proposal, canonical JSON; Why in them is for the officer to fill in
	Changes []Change // of the configuration
}

// waits is what a start waits for; it is replaced, never changed.
type waits struct {
	list []Waiting
	why  string
}

// wait closes the module until w is accepted. It is called while the module is
// being opened (BKP-02).
func (m *Module) wait(w Waiting) error {
	if w.Args == nil {
		return fmt.Errorf("%w: %s", ErrOpen, w.Why)
	}
	var list []Waiting
	if now := m.waiting.Load(); now != nil {
		list = now.list
	}
	m.waiting.Store(newWaits(append(list[:len(list):len(list)], w)))
	m.logger.Error("samd: waits for two officers", "decision", w.Kind, "why", w.Why)
	for _, c := range w.Changes {
		m.logger.Warn("samd: not accepted yet", "change", c.String())
	}
	return nil
}

func newWaits(list []Waiting) *waits {
	if len(list) == 0 {
		return nil
	}
	why := make([]string, len(list))
	for i, w := range list {
		why[i] = w.Why
	}
	return &waits{list, "waits for two officers: " + strings.Join(why, "; ")}
}

// waitsFor returns what the module waits for of a kind, nil when it does not.
func (m *Module) waitsFor(kind string) *Waiting {
	if now := m.waiting.Load(); now != nil {
		for i := range now.list {
			if now.list[i].Kind == kind {
				return &now.list[i]
			}
		}
	}
	return nil
}

// whileWaiting are the operations that work while the module waits: to see what is
// wrong, and to decide about it.
func whileWaiting(op Op) bool {
	switch op {
	case OpInfo, OpHealth, OpStatus, OpExplain, OpAudit, OpPropose, OpApprove, OpWithdraw, OpProposals, OpRoles:
		return true
	}
	return false
}

// resume looks what was accepted and opens the module when nothing is left to wait
// for. It runs after every decision of these kinds, whether the commit was
// acknowledged or not: what the database says counts.
func resume(ctx context.Context, m *Module, _ []byte) error {
	m.waitMu.Lock()
	defer m.waitMu.Unlock()
	now := m.waiting.Load()
	if now == nil {
		return nil
	}
	meta, err := m.readAccepted(ctx)
	if err != nil {
		return err
	}
	restored := m.waitsFor(DecideRestore) != nil && meta.Epoch > m.epoch
	if restored {
		m.adopt(meta)
	}
	_, digest, err := m.document()
	if err != nil {
		return err
	}
	var left []Waiting
	for _, w := range now.list {
		switch {
		case w.Kind == DecideRestore && restored:
		case w.Kind == DecidePolicy && m.condition().Config == digest:
		default:
			left = append(left, w)
		}
	}
	if restored {
		if err := m.afterRestore(ctx); err != nil {
			m.shut(ctx, "after the restore: "+detail(err))
			m.waiting.Store(newWaits(left))
			return err
		}
	}
	m.waiting.Store(newWaits(left))
	if len(left) == 0 {
		m.logger.Warn("samd: accepted by two officers, open")
	}
	return nil
}

// readAccepted reads the module's own records anew.
func (m *Module) readAccepted(ctx context.Context) (*Meta, error) {
	m.condMu.Lock()
	defer m.condMu.Unlock()
	var meta *Meta
	var cond *Condition
	err := m.view(ctx, func(tx *Tx) error {
		var err error
		if meta, err = tx.Meta.Get(); err != nil {
			return err
		}
		if err := m.verified(tx, meta, true); err != nil {
			return err
		}
		if cond, err = tx.Condition.Get(); err != nil {
			return notFound(err, sap.ReasonSeal)
		}
		return m.verified(tx, cond, true)
	})
	if err != nil {
		return nil, err
	}
	m.cond.Store(cond)
	m.voidBefore.Store(cond.VoidBefore)
	m.strictBefore.Store(cond.StrictBefore)
	return meta, nil
}

// adopt takes the epoch over. Readers other than Info and Status come after the
// waiting has ended, which orders them behind this.
func (m *Module) adopt(meta *Meta) {
	m.anchorMu.Lock()
	defer m.anchorMu.Unlock()
	m.nameMu.Lock()
	defer m.nameMu.Unlock()
	m.seal.use(meta.SealEpoch)
	m.epoch = meta.Epoch
	m.audience = audience(meta)
}

func audience(meta *Meta) string { return fmt.Sprintf("%s#%d", meta.Cluster, meta.Epoch) }
