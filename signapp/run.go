package signapp

import (
	"context"
	"sync"
	"time"
)

// tick is how often Run looks for what is due.
const tick = time.Second

// batch bounds what one look takes up.
const batch = 64

// Run does what falls due (retries, expiry, deletion) until ctx ends. Call
// Resume before it.
func (s *Service) Run(ctx context.Context) error {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			if err := s.Step(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("due work failed", "error", err)
			}
		}
	}
}

// Resume takes up every approved and signed operation at once, without waiting
// for the time of its next retry: the process may have been away for long.
func (s *Service) Resume(ctx context.Context) error {
	var rows []OperationRow
	err := s.store.View(ctx, func(tx Tx) (err error) {
		rows, err = tx.Operations().List(Everything(), Query{States: []State{StateApproved, StateSigned}, Limit: 100000})
		return err
	})
	if err != nil {
		return err
	}
	s.each(rows, func(row OperationRow) error {
		_, err := s.drive(ctx, row.ID, stepFinish)
		return err
	})
	return nil
}

// Step does what is due now: it retries, expires and deletes.
func (s *Service) Step(ctx context.Context) error {
	if err := s.dropDocuments(ctx); err != nil {
		return err
	}
	now := millis(s.now())
	if err := s.store.Update(ctx, func(tx Tx) error { return tx.Secrets().Drop(SecretMatch{ExpiredBy: now}) }); err != nil {
		return err
	}
	var rows []OperationRow
	err := s.store.View(ctx, func(tx Tx) (err error) {
		rows, err = tx.Operations().List(Everything(), Query{DueBy: now, Limit: batch})
		return err
	})
	if err != nil {
		return err
	}
	s.each(rows, func(row OperationRow) error { return s.due(ctx, row) })
	return nil
}

// each runs f for all rows, some at a time. An error concerns one row only and
// is logged.
func (s *Service) each(rows []OperationRow, f func(OperationRow) error) {
	var wg sync.WaitGroup
	room := make(chan struct{}, s.cfg.Limits.Parallel)
	for _, row := range rows {
		room <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-room }()
			if err := f(row); err != nil {
				s.log.Error("operation cannot go on now", "operation", row.ID, "state", row.State, "error", err)
			}
		}()
	}
	wg.Wait()
}

func (s *Service) due(ctx context.Context, row OperationRow) error {
	switch {
	case row.State == StateApproved || row.State == StateSigned:
		_, err := s.drive(ctx, row.ID, stepFinish)
		return err
	case row.State.Terminal():
		return s.retire(ctx, row.ID)
	}
	r, err := s.expire(ctx, row.ID)
	if err != nil || !r.waiting() {
		return err
	}
	return s.forsake(ctx, row.ID)
}

// expire ends an operation that nobody approved in time.
func (s *Service) expire(ctx context.Context, id string) (*record, error) {
	r, err := s.change(ctx, Everything(), id, func(tx Tx, r *record) error {
		if !r.waiting() || s.now().Before(r.expires) {
			return errUnchanged
		}
		s.end(r, StateExpired, "")
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r, s.cleanUp(ctx, r)
}

// retire deletes first the documents of an ended operation, later all that is
// known of it. The row goes first, or a crash in between would leave a row
// that promises a file; a file without a row is removed at the next start.
func (s *Service) retire(ctx context.Context, id string) error {
	var r *record
	err := s.store.Update(ctx, func(tx Tx) error {
		var err error
		if r, err = getRecord(tx, Everything(), id); err != nil {
			return err
		}
		gone := s.forgotten(r)
		if !s.now().Before(gone) {
			if err := tx.Secrets().Drop(SecretMatch{Operation: id}); err != nil {
				return err
			}
			return tx.Operations().Delete(id)
		}
		r.progress.FilesGone, r.due = true, gone
		return putRecord(tx, r)
	})
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.removePrepared(r)
}

// dropDocuments deletes uploads whose time is over.
func (s *Service) dropDocuments(ctx context.Context) error {
	now := millis(s.now())
	var rows []DocumentRow
	err := s.store.View(ctx, func(tx Tx) (err error) {
		rows, err = tx.Documents().List(now, batch)
		return err
	})
	if err != nil || len(rows) == 0 {
		return err
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		for _, r := range rows {
			if err := tx.Documents().Delete(r.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := s.files.remove(dirDocuments, r.ID); err != nil {
			return err
		}
	}
	return nil
}
