package validate

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// MaxSignatures bounds those judged of one file: each costs reading much of it again.
const MaxSignatures = 100

// ErrTooMany means a file of more signatures than are judged.
var ErrTooMany = errors.New("validate: the file has too many signatures")

func bounded(signatures int) error {
	if signatures > MaxSignatures {
		return fmt.Errorf("%w: %d; at most %d are judged", ErrTooMany, signatures, MaxSignatures)
	}
	return nil
}

// patient reads until its context ends, so that judging a file does not outlast it, however much
// the file makes its readers do.
type patient struct {
	ctx context.Context
	r   io.ReaderAt
}

// ReadAt implements io.ReaderAt.
func (p *patient) ReadAt(b []byte, off int64) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.r.ReadAt(b, off)
}

// patient has everything that is read end with the context.
func (o *Options) patient(ctx context.Context) {
	var out []Detached
	for _, d := range o.Detached {
		d.ReaderAt = &patient{ctx, d.ReaderAt}
		out = append(out, d)
	}
	o.Detached = out
}
