package sam

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// checkpointEvery: each audit record whose number is a multiple of it is a
// checkpoint under the module's signature (AUD-05). It is a constant, so that
// nothing has to be remembered to keep it, and a missing one shows.
const checkpointEvery = 1000

// due adds the checkpoint whose number has come.
func (w *work) due() error {
	head, err := w.Audit.Last()
	if err != nil || head.Seq < 0 || (head.Seq+1)%checkpointEvery != 0 {
		return err
	}
	return w.checkpoint(head)
}

// checkpoint signs the chain up to head and appends the record of it (AUD-05).
func (w *work) checkpoint(head audit.Head) error {
	m, key := w.m, w.m.key()
	s := audit.Signed{
		Checkpoint: audit.Checkpoint{Chain: m.instance, Seq: head.Seq, Hash: head.Hash}, Every: checkpointEvery, Key: key.id,
	}
	var err error
	if s.Sig, err = sap.Sign(key, sap.LabelCheckpoint, s.Body()); err != nil {
		return fmt.Errorf("%w: statement key: %w", sap.ReasonToken, err)
	}
	_, err = audit.AppendSigned(w.Audit, w.now, self().actor(), s)
	w.newest = &s
	return err
}

// next is the number of the record that is logged next.
func (w *work) next() (int64, error) {
	if err := w.due(); err != nil {
		return 0, err
	}
	head, err := w.Audit.Last()
	return head.Seq + 1, err
}

// confirm signs what was recorded since the last checkpoint, if anything was, and
// hands the newest checkpoint to the witness.
func (m *Module) confirm(ctx context.Context) error {
	nothing := false
	err := m.view(ctx, func(tx *Tx) error {
		head, err := tx.Audit.Last()
		if err != nil {
			return err
		}
		last, err := tx.Audit.Page(head.Seq, 1)
		nothing = len(last) == 1 && last[0].Type == audit.TypeCheckpoint
		return err
	})
	if err == nil && !nothing {
		err = m.update(ctx, self(), func(w *work) error {
			head, err := w.Audit.Last()
			if err != nil {
				return err
			}
			return w.checkpoint(head)
		})
	}
	return errors.Join(err, m.witness())
}

// witness appends the newest checkpoint to the file that Config.Witness names,
// once: on another medium, or one that only appends, it shows later truncation.
func (m *Module) witness() error {
	s := m.newest.Load()
	if m.cfg.Witness == "" || s == nil {
		return nil
	}
	m.witnessMu.Lock()
	defer m.witnessMu.Unlock()
	if s = m.newest.Load(); s.Seq <= m.witnessed {
		return nil
	}
	f, err := os.OpenFile(filepath.Clean(m.cfg.Witness), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("sam: witness: %w", err)
	}
	_, err = f.WriteString(s.String() + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sam: witness: %w", err)
	}
	m.witnessed = s.Seq
	return nil
}
