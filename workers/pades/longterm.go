package pades

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/assent-sign/assent/internal/longterm"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/workers"
)

// material is what the security store will hold: all of it, and what belongs to
// the signature (ADE-03).
func (w *worker) material(ctx context.Context, chain [][]byte, token, sig []byte, at time.Time) (*longterm.Material, error) {
	m, err := w.keep.Signer(ctx, chain, at)
	if err != nil {
		return nil, err
	}
	authority, err := w.keep.Authority(ctx, token, crypto.SHA256, sum(crypto.SHA256, sig))
	if err != nil {
		return nil, err
	}
	m.Add(authority)
	return m, nil
}

func data(m *longterm.Material) pdf.ValidationData {
	return pdf.ValidationData{Certs: m.Certs, OCSPs: m.OCSPs, CRLs: m.CRLs}
}

// store plans the update with the security store for a signature that is about to
// be embedded.
func store(doc io.ReaderAt, pp *pdf.Prepared, der []byte, m *longterm.Material) ([]byte, error) {
	d, err := pdf.Open(doc, pp.Size, pdf.Limits{})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrState, err)
	}
	contents := append(slices.Clone(der), make([]byte, pp.Reserve-len(der))...)
	tail, err := d.PlanDSS(data(m), pdf.SignatureData{Contents: contents, ValidationData: data(m)})
	if err != nil {
		return nil, fmt.Errorf("%w: security store: %w", workers.ErrState, err)
	}
	return tail, nil
}

// rehearseUpdates plans what will follow the signature, before anybody is asked: a
// document whose security store cannot be extended must not cost an approval.
func rehearseUpdates(doc io.ReaderAt, size int64, level string) error {
	if level != LevelLT && level != LevelLTA {
		return nil
	}
	d, err := pdf.Open(doc, size, pdf.Limits{})
	if err != nil {
		return refuse(err)
	}
	item := pdf.ValidationData{Certs: [][]byte{{0}}, OCSPs: [][]byte{{0}}, CRLs: [][]byte{{0}}}
	if _, err := d.PlanDSS(item, pdf.SignatureData{Contents: []byte{0}, ValidationData: item}); err != nil {
		return refuse(err)
	}
	if level == LevelLTA {
		_, _, err = d.PlanSignature(pdf.SignOptions{SubFilter: pdf.SubFilterRFC3161, Hash: crypto.SHA256, Reserve: tokenRoom, Time: time.Unix(0, 0)})
	}
	if err != nil {
		return refuse(err)
	}
	return nil
}

// seal adds a document time-stamp over the whole file (EN 319 142-1, 5.4.3) and,
// if another authority made it than those that the store knows, its data.
func (w *worker) seal(ctx context.Context, doc workers.Output, size int64, m *longterm.Material) (int64, error) {
	d, err := pdf.Open(doc, size, pdf.Limits{})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", workers.ErrState, err)
	}
	tail, pp, err := d.PlanSignature(pdf.SignOptions{SubFilter: pdf.SubFilterRFC3161, Hash: crypto.SHA256, Reserve: tokenRoom, Time: w.now()})
	if err != nil {
		return 0, fmt.Errorf("%w: document time-stamp: %w", workers.ErrState, err)
	}
	if _, err := doc.WriteAt(tail, size); err != nil {
		return 0, err
	}
	digest, err := pdf.HashRange(ctx, doc, pp.ByteRange, crypto.SHA256)
	if err != nil {
		return 0, err
	}
	token, _, err := w.stamper.Stamp(ctx, crypto.SHA256, digest)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", workers.ErrTimeStamp, err)
	}
	if err := pdf.Embed(doc, pp, token); err != nil {
		return 0, fmt.Errorf("%w: %w", workers.ErrTimeStamp, err)
	}
	more, err := w.keep.Further(ctx, m, token, crypto.SHA256, digest)
	if err != nil || more == nil {
		return pp.Size, err
	}
	return w.append(doc, pp.Size, more)
}

func (w *worker) append(doc workers.Output, size int64, m *longterm.Material) (int64, error) {
	d, err := pdf.Open(doc, size, pdf.Limits{})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", workers.ErrState, err)
	}
	tail, err := d.PlanDSS(data(m))
	if err != nil {
		return 0, fmt.Errorf("%w: security store: %w", workers.ErrValidation, err)
	}
	_, err = doc.WriteAt(tail, size)
	return size + int64(len(tail)), err
}

// cut ends the file where its last update ends: an attempt that a crash ended may
// have left a longer one.
func cut(doc workers.Output, size int64) error {
	f, ok := doc.(interface{ Truncate(size int64) error })
	if !ok {
		return fmt.Errorf("%w: a file is needed that can be cut", workers.ErrState)
	}
	return f.Truncate(size)
}
