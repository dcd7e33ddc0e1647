package sam

import (
	"encoding/hex"
	"fmt"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// recheck verifies the audit chain again when somebody else has written to the
// database since it was last verified, before anything is written behind it
// (T33, BKP-03). The history of a record is taken from the chain (verified), so
// whoever edits it in a running module could put an older sealed row back; and a
// database that was put back would only show with the next anchor. The last
// record that the module knows must be there, and every hash up to it must be
// right: an edit shows, with its hashes recomputed or not. The module then closes.
func (m *Module) recheck(tx *Tx) error {
	now := m.store.Foreign()
	if now == m.checked.Load() || m.failedWhy() != "" && m.waiting.Load() == nil {
		return nil // a closed module writes refusals and diagnosis only, and tests the chain before it opens
	}
	m.tipMu.Lock()
	tip := m.tip
	m.tipMu.Unlock()
	if err := recheckChain(tx, m.instance, tip); err != nil {
		m.stopUse("the audit chain was changed from outside: " + detail(err))
		return fmt.Errorf("%w: %w", sap.ReasonSeal, err)
	}
	m.checked.Store(now)
	return nil
}

func recheckChain(tx *Tx, chain string, tip audit.Head) error {
	if tip.Hash == nil {
		return nil // verified at this start, and nothing written since
	}
	head, err := tx.Audit.Last()
	if err != nil {
		return err
	}
	if err := follows(tx, anchor{Seq: tip.Seq, Head: hex.EncodeToString(tip.Hash)}, head); err != nil {
		return err
	}
	return verifyTail(tx, chain, head.Seq-tail, head)
}

// seen remembers the end of the chain as committed. Numbers only grow.
func (m *Module) seen(h audit.Head) {
	m.tipMu.Lock()
	defer m.tipMu.Unlock()
	if m.tip.Hash == nil || h.Seq > m.tip.Seq {
		m.tip = h
	}
}
