package signapp

import (
	"context"
	"fmt"
	"time"
)

// DeleteDocument deletes an upload of the client before its time. Operations that were prepared from it
// have what they need, and go on. ErrNotFound.
func (s *Service) DeleteDocument(ctx context.Context, c Client, id string) error {
	err := s.store.Update(ctx, func(tx Tx) error {
		if _, err := tx.Documents().Get(OfClient(c.ID), id); err != nil {
			return err
		}
		return tx.Documents().Delete(id)
	})
	if err != nil {
		return err
	}
	// A crash here leaves a file without a row; the next start removes it.
	return s.files.remove(dirDocuments, id)
}

// DeleteResult deletes the signed documents of an operation of the client before their time, for its signer
// too. What is known of the operation, and its receipt, stay as long as they would. ErrNotFound; ErrState while
// it goes on: then Cancel.
func (s *Service) DeleteResult(ctx context.Context, c Client, id string) error {
	r, err := s.change(ctx, OfClient(c.ID), id, func(_ Tx, r *record) error {
		switch {
		case !r.state.Terminal():
			return fmt.Errorf("%w: the operation is %s; cancel it", ErrState, r.state)
		case r.progress.FilesGone:
			return errUnchanged
		}
		r.progress.FilesGone, r.due = true, s.forgotten(r)
		return nil
	})
	if err != nil {
		return err
	}
	// A crash here leaves files that no row promises; the next start removes them.
	return s.removePrepared(r)
}

// forgotten is when nothing more is known of an operation that ended.
func (s *Service) forgotten(r *record) time.Time {
	return fromMillis(r.progress.Ended).Add(s.cfg.Retention.Operations)
}
