// Package plain signs bytes as they are, like SignServer's PlainSigner: the
// result is the bare signature value over the digest of the document. With a
// signer's token it is an item of kind raw, which needs the credential's raw
// permission, because nobody can be shown what a digest means.
//
// It has no properties and no request parameters.
package plain

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
)

// Kind is this package's entry in the table of kinds.
func Kind() workers.Kind {
	return workers.Kind{New: func(_ context.Context, env workers.Env) (any, error) {
		return &worker{name: env.Config.Name}, nil
	}}
}

type worker struct{ name string }

type state struct {
	Size int64 `json:"size"` // of the document that was hashed
}

// Prepare implements workers.Worker. The document is hashed and not copied; out
// stays empty until Finish.
func (w *worker) Prepare(ctx context.Context, in workers.Input, _ workers.Output) (*workers.Prepared, error) {
	if err := in.Alone(); err != nil {
		return nil, err
	}
	if len(in.Params) != 0 || in.Level != "" {
		return nil, fmt.Errorf("%w: a bare signature has neither parameters nor a level", workers.ErrParams)
	}
	if !in.Alg.Valid() || len(in.Chain) == 0 {
		return nil, fmt.Errorf("%w: no algorithm or no certificate", workers.ErrInput)
	}
	h := in.Alg.Hash().New()
	n, err := io.Copy(h, &reader{ctx, io.NewSectionReader(in.Document, 0, in.Size)})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrInput, err)
	}
	if n != in.Size {
		return nil, fmt.Errorf("%w: %d bytes read of %d", workers.ErrInput, n, in.Size)
	}
	st, err := json.Marshal(state{n})
	if err != nil {
		return nil, err
	}
	return &workers.Prepared{
		Worker: w.name, Kind: sap.KindRaw, Name: in.Name, Alg: in.Alg, HashName: algo.HashName(in.Alg.Hash()),
		DTBSR: h.Sum(nil), Chain: in.Chain, State: st,
	}, nil
}

// Finish implements workers.Worker: the file is the signature value.
func (w *worker) Finish(_ context.Context, p *workers.Prepared, sig []byte, out workers.Output) (*workers.Result, error) {
	if p.Kind != sap.KindRaw {
		return nil, fmt.Errorf("%w: kind %q", workers.ErrState, p.Kind)
	}
	if err := workers.CheckSignature(p, sig); err != nil {
		return nil, err
	}
	if _, err := out.WriteAt(sig, 0); err != nil {
		return nil, err
	}
	return &workers.Result{Size: int64(len(sig)), MIME: "application/octet-stream"}, out.Sync()
}

// reader stops when its context ends.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
