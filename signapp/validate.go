package signapp

import (
	"context"
	"errors"
	"fmt"

	"github.com/assent-sign/assent/workers"
)

// Validate has a worker judge an upload of a client and returns its report in JSON. It
// takes none of the places of documents in work: judging many large files must not hold
// up signing. As many are judged at one time, of one client half as many; the others wait.
//
// Errors: ErrNotFound for a document that is not the client's, ErrExpired, ErrInput for a
// worker that does not validate or a file that it does not know, those of the context, which are
// also the worker's when the time that it takes for one file is over.
func (s *Service) Validate(ctx context.Context, c Client, document, worker string) ([]byte, error) {
	e, err := s.cfg.Workers.Get(worker)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	if e.Validator == nil {
		return nil, fmt.Errorf("%w: worker %q does not validate", ErrInput, worker)
	}
	// Those that wait have no file open.
	done, err := s.judging.take(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	defer done()
	row, f, err := s.document(ctx, c, document)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	report, err := e.Validator.Validate(ctx, row.Name, f, row.Size)
	switch {
	case errors.Is(err, workers.ErrInput):
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	case err != nil: // not of the file: the worker's time was over, or the client's
		return nil, err
	}
	return report, nil
}
