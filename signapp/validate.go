package signapp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
)

// maxBeside bounds the files that are given with a detached signature; each is open while it is judged.
const maxBeside = sap.MaxObjects

// maxParts bounds the identifiers of a request, maxPart the bytes of one.
const (
	maxParts = 50
	maxPart  = 256
)

// Beside is an upload that a detached signature is over.
type Beside struct {
	Document string // the upload
	Name     string // as the signature names it; empty for the name of the upload
}

// Validate has a worker judge an upload of a client and returns its report in JSON. It
// takes none of the places of documents in work: judging many large files must not hold
// up signing. parts are the identifiers of elements of XML that the client goes by. As many are judged at one time, of one client half as many; the others wait.
//
// Errors: ErrNotFound for a document that is not the client's, ErrExpired, ErrInput for a
// worker that does not validate or a file that it does not know, those of the context, which are
// also the worker's when the time that it takes for one file is over.
func (s *Service) Validate(ctx context.Context, c Client, document, worker string, parts []string, beside ...Beside) ([]byte, error) {
	e, err := s.cfg.Workers.Get(worker)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	if e.Validator == nil {
		return nil, fmt.Errorf("%w: worker %q does not validate", ErrInput, worker)
	}
	if len(beside) > maxBeside {
		return nil, fmt.Errorf("%w: %d files beside a signature; %d are possible", ErrInput, len(beside), maxBeside)
	}
	if len(parts) > maxParts || slices.ContainsFunc(parts, func(id string) bool { return id == "" || len(id) > maxPart }) {
		return nil, fmt.Errorf("%w: %d identifiers of parts; %d are possible, each of 1 to %d bytes", ErrInput, len(parts), maxParts, maxPart)
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
	files, end, err := s.beside(ctx, c, beside)
	if err != nil {
		return nil, err
	}
	defer end()
	report, err := e.Validator.Validate(ctx, row.Name, f, row.Size, parts, files...)
	switch {
	case errors.Is(err, workers.ErrInput):
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	case err != nil: // not of the file: the worker's time was over, or the client's
		return nil, err
	}
	return report, nil
}

// beside opens the uploads that go with a signature, each of the same client.
func (s *Service) beside(ctx context.Context, c Client, list []Beside) (files []workers.Beside, end func(), err error) {
	var open []*os.File
	end = func() {
		for _, f := range open {
			_ = f.Close()
		}
	}
	for _, b := range list {
		row, f, err := s.document(ctx, c, b.Document)
		if err != nil {
			end()
			return nil, nil, err
		}
		open = append(open, f)
		name := b.Name
		if name == "" {
			name = row.Name
		}
		files = append(files, workers.Beside{Name: name, ReaderAt: f, Size: row.Size})
	}
	return files, end, nil
}
