package signapp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
)

// How far drive goes.
type step int

const (
	stepRedeem step = iota // until the signatures are stored
	stepFinish             // until the documents are finished
)

// drive takes an operation onwards from wherever it stands: the one piece of
// code for the first try, for a retry and for the time after a crash. One
// operation is driven by one goroutine at a time.
func (s *Service) drive(ctx context.Context, id string, upTo step) (*record, error) {
	defer s.locks.lock(id)()
	for {
		r, err := s.load(ctx, id)
		if err != nil {
			return nil, err
		}
		before := r.state
		switch {
		case r.state == StateApproved:
			r, err = s.redeemStep(ctx, r)
		case r.state == StateSigned && upTo == stepFinish:
			r, err = s.finishStep(ctx, r)
		default:
			return r, nil
		}
		if err != nil || r.state == before {
			return r, err
		}
	}
}

func (s *Service) load(ctx context.Context, id string) (r *record, err error) {
	err = s.store.View(ctx, func(tx Tx) (err error) {
		r, err = getRecord(tx, Everything(), id)
		return err
	})
	return r, err
}

// finishStep completes every document in place. It may have been broken off
// anywhere before: Finish is repeatable, and the state moves only when all
// documents are on disk.
func (s *Service) finishStep(ctx context.Context, r *record) (*record, error) {
	results := make([]*workers.Result, len(r.fixed.Items))
	fctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err := s.parallel(fctx, cancel, len(r.fixed.Items), func(i int) (err error) {
		if r.fixed.Items[i].hasFile() {
			results[i], err = s.finishItem(fctx, r, i)
		}
		return err
	})
	if err != nil {
		return s.finishFailed(ctx, r, err)
	}
	failpoint.Before("ssad/17-result-row-committed")
	defer failpoint.After("ssad/17-result-row-committed")
	if err := s.removeSources(r); err != nil {
		s.log.Warn("the sources of an operation could not be removed", "operation", r.id, "error", err)
	}
	size := s.finishedSize(r)
	return s.change(ctx, Everything(), r.id, func(_ Tx, r *record) error {
		if r.state != StateSigned {
			return errUnchanged
		}
		r.progress.Results, r.progress.Bytes = results, size
		s.end(r, StateFinished, "")
		return nil
	})
}

func (s *Service) finishItem(ctx context.Context, r *record, i int) (*workers.Result, error) {
	e, err := s.cfg.Workers.Get(r.fixed.Items[i].Worker)
	if err != nil {
		return nil, err
	}
	if e.Worker == nil {
		return nil, fmt.Errorf("%w: %q takes no documents any more", workers.ErrNotFound, r.fixed.Items[i].Worker)
	}
	f, err := s.files.openWrite(dirPrepared, preparedName(r.id, i))
	if err != nil {
		return nil, err
	}
	res, err := e.Worker.Finish(ctx, r.fixed.Items[i].Prepared, r.progress.Signatures[i], f)
	if err == nil {
		err = storageError(f.Sync())
	}
	if cerr := f.Close(); err == nil {
		err = storageError(cerr)
	}
	if err != nil {
		return nil, fmt.Errorf("item %d: %w", i, err)
	}
	return res, nil
}

// finishFailed tells apart what time may mend (a time-stamp authority, a full
// disk, a worker missing from the configuration) and what it cannot. The level
// is never lowered: without its time-stamp the operation waits and then fails.
func (s *Service) finishFailed(ctx context.Context, r *record, cause error) (*record, error) {
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	reason := ReasonFinish
	if errors.Is(cause, workers.ErrTimeStamp) {
		reason = ReasonTimeStamp
	}
	if errors.Is(cause, workers.ErrValidation) {
		reason = ReasonValidation
	}
	hopeless := errors.Is(cause, workers.ErrRevoked)
	for _, e := range []error{workers.ErrSignature, workers.ErrState, workers.ErrInput, workers.ErrParams} {
		hopeless = hopeless || (errors.Is(cause, e) && reason == ReasonFinish)
	}
	s.log.Warn("documents could not be finished", "operation", r.id, "attempt", r.progress.Attempts+1, "final", hopeless, "error", cause)
	if hopeless || !s.now().Before(r.finishBy(s.cfg.Retention.Finish)) {
		return s.fail(ctx, r, reason, cause.Error())
	}
	return s.later(ctx, r)
}

// finishBy is the operation's deadline for its documents: its own end, but not
// sooner than some time after the approval, which may come at the last moment.
func (r *record) finishBy(grace time.Duration) time.Time {
	approved := r.created
	if d, err := sap.DecodeSAD(r.progress.SAD); err == nil {
		approved = time.Unix(d.Bind.Expires, 0)
	}
	if by := approved.Add(grace); by.After(r.expires) {
		return by
	}
	return r.expires
}

// later plans the next try, with growing distance.
func (s *Service) later(ctx context.Context, r *record) (*record, error) {
	state := r.state
	return s.change(ctx, Everything(), r.id, func(_ Tx, r *record) error {
		if r.state != state {
			return errUnchanged
		}
		wait := maxRetry
		if r.progress.Attempts < 9 {
			wait = min(firstRetry<<r.progress.Attempts, maxRetry)
		}
		r.progress.Attempts++
		r.due = s.now().Add(wait)
		return nil
	})
}

// fail ends an operation that was approved. Nothing of it is delivered; the
// receipt, if there is one, stays.
func (s *Service) fail(ctx context.Context, r *record, reason, detail string) (*record, error) {
	state := r.state
	r, err := s.change(ctx, Everything(), r.id, func(_ Tx, r *record) error {
		if r.state != state {
			return errUnchanged
		}
		r.progress.Detail = detail
		s.end(r, StateFailed, reason)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.log.Info("operation failed", "operation", r.id, "reason", r.progress.Reason)
	return r, s.cleanUp(ctx, r)
}

// end puts an operation into a terminal state.
func (s *Service) end(r *record, state State, reason string) {
	now := s.now()
	r.state, r.progress.Reason, r.progress.Ended = state, reason, millis(now)
	r.due = now.Add(s.cfg.Retention.Operations)
	if state == StateFinished && s.cfg.Retention.Results < s.cfg.Retention.Operations {
		r.due = now.Add(s.cfg.Retention.Results)
	}
}

// cleanUp has the one-time key destroyed and removes the files of an operation that
// ended without a result. If it does not get that far, the key ends with its life and
// the next start removes the files.
func (s *Service) cleanUp(ctx context.Context, r *record) error {
	if r.keepsFiles() {
		return nil
	}
	if key := s.unusedKey(r); key != "" {
		_ = s.endKey(ctx, r.id, key)
	}
	return s.removePrepared(r)
}

// behind drives an operation to its end in the background.
func (s *Service) behind(id string) {
	if s.ctx.Err() != nil {
		return // closing; the next start takes it up
	}
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		if _, err := s.drive(s.ctx, id, stepFinish); err != nil && s.ctx.Err() == nil {
			s.log.Error("operation cannot go on now", "operation", id, "error", err)
		}
	}()
}
