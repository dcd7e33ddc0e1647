package sam

import (
	"fmt"

	"github.com/assent-sign/assent/sap"
)

// verified is called for every record at every use: its seal must fit its
// columns (KEY-06), and the audit chain must know no later change of it than
// the record itself says, so that an older row, sealed in its time, cannot be
// put back (KPR-03, T33). committed tells that tx is a View.
func (m *Module) verified(tx *Tx, r record, committed bool) error {
	if err := m.seal.check(r); err != nil {
		return err
	}
	object := r.object()
	if object == "" {
		return nil
	}
	seq := r.stamp().Seq
	floor, known := m.floors.get(object)
	if known && floor == seq {
		return nil
	}
	last, err := tx.Audit.LastOf(object)
	if err != nil {
		return err
	}
	if last != seq {
		return fmt.Errorf("%w: %s is an older row (record %d, last change %d)", sap.ReasonSeal, object, seq, last)
	}
	if known && seq < floor {
		return errStale
	}
	if committed { // numbers of a transaction that may fail are not remembered
		m.floors.raise(object, seq)
	}
	return nil
}

// signerRecord reads a signer.
func (m *Module) signerRecord(tx *Tx, id string, committed bool) (*Signer, error) {
	s, err := tx.Signers.Get(id)
	if err != nil {
		return nil, notFound(err, sap.ReasonSignerUnknown)
	}
	return s, m.verified(tx, s, committed)
}

// authenticators reads and checks all authenticators of a signer.
func (m *Module) authenticators(tx *Tx, signer string, committed bool) ([]*Authenticator, error) {
	list, err := tx.Authenticators.BySigner(signer)
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		if err := m.verified(tx, a, committed); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (m *Module) guard(tx *Tx, a *Authenticator, committed bool) (*Guard, error) {
	g, err := tx.Guards.Get(a.Credential)
	if err != nil {
		// It is made together with the authenticator: its absence is tampering.
		return nil, notFound(err, sap.ReasonSeal)
	}
	if g.Signer != a.Signer {
		return nil, fmt.Errorf("%w: guard of another signer", sap.ReasonSeal)
	}
	if err := m.verified(tx, g, committed); err != nil {
		return nil, err
	}
	m.strictly(g)
	if committed {
		m.memory.guards.put(g.object(), g)
	}
	return g, nil
}

func notFound(err error, reason sap.Reason) error {
	if isNotFound(err) {
		return reason
	}
	return err
}
