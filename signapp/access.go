package signapp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/assent-sign/assent/sap"
)

// find loads an operation in a scope, expired if its time is over.
func (s *Service) find(ctx context.Context, sc Scope, id string) (*record, error) {
	var r *record
	err := s.store.View(ctx, func(tx Tx) (err error) {
		r, err = getRecord(tx, sc, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.fresh(ctx, r)
}

// Get returns an operation of the client. ErrNotFound.
func (s *Service) Get(ctx context.Context, c Client, id string) (*Operation, error) {
	r, err := s.find(ctx, OfClient(c.ID), id)
	if err != nil {
		return nil, err
	}
	return r.operation(), nil
}

// Wait returns the operation when it has ended, or as it stands when ctx ends.
func (s *Service) Wait(ctx context.Context, c Client, id string) (*Operation, error) {
	read := context.WithoutCancel(ctx)
	for {
		changed, done := s.changes.subscribe(id)
		op, err := s.Get(read, c, id)
		if err != nil || op.State.Terminal() {
			done()
			return op, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-s.ctx.Done():
		}
		done()
		if ctx.Err() != nil || s.ctx.Err() != nil {
			return s.Get(read, c, id)
		}
	}
}

// Cancel withdraws an operation that the signer has not decided. Repeating it
// is no error. ErrState.
func (s *Service) Cancel(ctx context.Context, c Client, id string) (*Operation, error) {
	if _, err := s.find(ctx, OfClient(c.ID), id); err != nil {
		return nil, err
	}
	return s.close(ctx, OfClient(c.ID), id, StateCancelled, "")
}

// Decline records that the signer says no. why is the signer's own words, ""
// for none. ErrState, ErrInput.
func (s *Service) Decline(ctx context.Context, g Grant, why string) (*View, error) {
	r, err := s.granted(ctx, g)
	if err != nil {
		return nil, err
	}
	if !sap.Displayable(why) || !utf8.ValidString(why) {
		return nil, fmt.Errorf("%w: the reason has more than %d characters or some that cannot be shown", ErrInput, sap.MaxText)
	}
	reason := ReasonDeclined
	if why != "" {
		reason += ": " + why
	}
	if _, err := s.close(ctx, OfSigner(r.signer), r.id, StateDeclined, reason); err != nil {
		return nil, err
	}
	return s.View(ctx, g)
}

// stopCodes are what the signer's app may find wrong with what it is offered: it
// checks everything itself and shows or approves nothing then.
var stopCodes = []string{"request", "binding", "certificate", "view", "kind", "document", "too_large", "hole", "gap", "tail", "attributes", "digest", "receipt"}

// Stopped records that the signer's device refused to go on and why: one of the
// codes of docs/integrators.md. The operation goes on waiting, since another
// device may be of another opinion; client and operator learn of it. ErrInput.
func (s *Service) Stopped(ctx context.Context, g Grant, code string) error {
	r, err := s.granted(ctx, g)
	if err != nil {
		return err
	}
	if !slices.Contains(stopCodes, code) {
		return fmt.Errorf("%w: the device's reason is none of %v", ErrInput, stopCodes)
	}
	first := false
	r, err = s.change(ctx, OfSigner(r.signer), r.id, func(_ Tx, r *record) error {
		if first = r.progress.Stopped != code && r.progress.Stops < len(stopCodes); !first {
			return errUnchanged
		}
		r.progress.Stopped, r.progress.Stops = code, r.progress.Stops+1
		return nil
	})
	if err == nil && first {
		s.log.Warn("the signer's device refused what it was offered", "operation", r.id, "client", r.client.ID, "reason", code)
	}
	return err
}

func (s *Service) close(ctx context.Context, sc Scope, id string, to State, reason string) (*Operation, error) {
	r, err := s.change(ctx, sc, id, func(_ Tx, r *record) error {
		if r.state == to {
			return errUnchanged
		}
		if !r.waiting() {
			return fmt.Errorf("%w: the operation is %s", ErrState, r.state)
		}
		s.end(r, to, reason)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r.operation(), s.cleanUp(ctx, r)
}

// Result opens a signed document for the client. ErrNotFound, ErrState,
// ErrExpired (deleted).
func (s *Service) Result(ctx context.Context, c Client, id string, item int) (io.ReadSeekCloser, *Item, error) {
	r, err := s.find(ctx, OfClient(c.ID), id)
	if err != nil {
		return nil, nil, err
	}
	if r.progress.Withdrawn {
		return nil, nil, fmt.Errorf("%w: the client had the signed documents deleted", ErrExpired)
	}
	return s.result(r, item)
}

// Receipt returns the module's receipt as JSON (sap.SignedReceipt).
func (s *Service) Receipt(ctx context.Context, c Client, id string) ([]byte, error) {
	r, err := s.find(ctx, OfClient(c.ID), id)
	if err != nil {
		return nil, err
	}
	return r.receipt()
}

func (r *record) receipt() ([]byte, error) {
	if r.progress.Receipt == nil {
		return nil, fmt.Errorf("%w: nothing was signed, the operation is %s", ErrState, r.state)
	}
	return json.Marshal(r.progress.Receipt)
}

// SignerOperations lists what a signer was asked for, newest first.
func (s *Service) SignerOperations(ctx context.Context, signer string, limit int) ([]*Operation, error) {
	return s.list(ctx, OfSigner(signer), limit)
}

// AllOperations lists operations of all clients for the operator, newest first.
func (s *Service) AllOperations(ctx context.Context, limit int) ([]*Operation, error) {
	return s.list(ctx, Everything(), limit)
}

func (s *Service) list(ctx context.Context, sc Scope, limit int) ([]*Operation, error) {
	var out []*Operation
	now := s.now()
	err := s.store.View(ctx, func(tx Tx) error {
		rows, err := tx.Operations().List(sc, Query{Limit: limit})
		if err != nil {
			return err
		}
		out = make([]*Operation, 0, len(rows))
		for i := range rows {
			r, err := fromRow(&rows[i])
			if err != nil {
				return err
			}
			if r.waiting() && !now.Before(r.expires) {
				r.state = StateExpired // stored by the next Step
			}
			out = append(out, r.operation())
		}
		return nil
	})
	return out, err
}

// SignerOperation returns one operation addressed to the signer.
func (s *Service) SignerOperation(ctx context.Context, signer, id string) (*Operation, error) {
	r, err := s.find(ctx, OfSigner(signer), id)
	if err != nil {
		return nil, err
	}
	return r.operation(), nil
}

// SignerResult opens a signed document for the signer who signed it.
func (s *Service) SignerResult(ctx context.Context, signer, id string, item int) (io.ReadSeekCloser, *Item, error) {
	r, err := s.find(ctx, OfSigner(signer), id)
	if err != nil {
		return nil, nil, err
	}
	return s.result(r, item)
}

// SignerReceipt returns the receipt for the signer who approved.
func (s *Service) SignerReceipt(ctx context.Context, signer, id string) ([]byte, error) {
	r, err := s.find(ctx, OfSigner(signer), id)
	if err != nil {
		return nil, err
	}
	return r.receipt()
}
