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

// signersTime is how long after the end the signed documents stay for whoever signed them when the client wants
// them deleted: a receipt proves nothing to a signer who never got the document.
const signersTime = 24 * time.Hour

// DeleteResult takes the signed documents of an operation of the client away from it before their time, and deletes
// them when the signer has had a day to fetch them. What is known of the operation, and its receipt, stay as long
// as they would. ErrNotFound; ErrState while it goes on: then Cancel.
func (s *Service) DeleteResult(ctx context.Context, c Client, id string) error {
	r, err := s.change(ctx, OfClient(c.ID), id, func(_ Tx, r *record) error {
		switch {
		case !r.state.Terminal():
			return fmt.Errorf("%w: the operation is %s; cancel it", ErrState, r.state)
		case r.progress.FilesGone:
			return errUnchanged
		}
		r.progress.Withdrawn = true
		until := fromMillis(r.progress.Ended).Add(signersTime)
		if r.state == StateFinished && s.now().Before(until) {
			if until.Before(r.due) {
				r.due = until
			}
			return nil
		}
		r.progress.FilesGone, r.due = true, s.forgotten(r)
		return nil
	})
	if err != nil || !r.progress.FilesGone {
		return err
	}
	// A crash here leaves files that no row promises; the next start removes them.
	return s.removePrepared(r)
}

// forgotten is when nothing more is known of an operation that ended.
func (s *Service) forgotten(r *record) time.Time {
	return fromMillis(r.progress.Ended).Add(s.cfg.Retention.Operations)
}
