package signapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/assent-sign/assent/workers"
)

// Sign signs a client's document with a worker whose token signs at once (a
// seal) and stores the result as a new document of the client. ErrInput for a
// worker that needs a signer's approval: there is no way around the person.
func (s *Service) Sign(ctx context.Context, c Client, worker, document string, params map[string]string) (*Document, *workers.Result, error) {
	e, err := s.cfg.Workers.Get(worker)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	row, in, err := s.document(ctx, c, document)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = in.Close() }()
	if !s.slot(ctx) {
		return nil, nil, ctx.Err()
	}
	defer func() { <-s.slots }()
	h := s.hold(c)
	defer h.end()
	if err := h.add(ctx, row.Size+blockSize); err != nil {
		return nil, nil, err
	}
	out, err := s.files.partial()
	if err != nil {
		return nil, nil, err
	}
	res, err := workers.SignNow(ctx, e, workers.Input{Document: in, Size: row.Size, Name: row.Name, Time: s.now(), Params: params}, out)
	if err != nil {
		discard(out)
		if errors.Is(err, workers.ErrTimeStamp) || errors.Is(err, workers.ErrValidation) {
			return nil, nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return nil, nil, workerError(err)
	}
	if err := h.grown(ctx, out, row.Size); err != nil {
		return nil, nil, err
	}
	d, err := s.adopt(ctx, c, row.Name, out)
	return d, res, err
}

// adopt makes a document of a file that this process wrote.
func (s *Service) adopt(ctx context.Context, c Client, name string, file *os.File) (*Document, error) {
	size, sum, err := receive(ctx, io.Discard, io.NewSectionReader(file, 0, 1<<62), 1<<61)
	if err != nil {
		discard(file)
		return nil, err
	}
	return s.keep(ctx, c, name, size, sum, file)
}

// OpenDocument opens a document of the client.
func (s *Service) OpenDocument(ctx context.Context, c Client, id string) (io.ReadSeekCloser, *Document, error) {
	row, f, err := s.document(ctx, c, id)
	if err != nil {
		return nil, nil, err
	}
	return f, &Document{ID: row.ID, Name: row.Name, Size: row.Size, SHA256: row.SHA256, Created: fromMillis(row.Created), Expires: fromMillis(row.Expires)}, nil
}
