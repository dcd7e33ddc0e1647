package apptest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
)

// Hole is the size of the place for the signature at the end of a file.
const Hole = 128

// Worker is a worker of kind pades whose container is the document and a hole
// behind it. It streams, keeps to the contract of workers.Worker, and can be
// told to fail.
type Worker struct {
	mu       sync.Mutex
	finishes int
	before   func(call int) error
	middle   func(call int) error
	prepare  error
}

// FailFinish lets Finish fail: before it begins, or when the signature is
// written but nothing is reported. nil: never.
func (w *Worker) FailFinish(before, middle func(call int) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before, w.middle = before, middle
}

// FailPrepare lets Prepare fail after it has written; nil: never.
func (w *Worker) FailPrepare(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.prepare = err
}

// Finishes counts calls of Finish.
func (w *Worker) Finishes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.finishes
}

type paperState struct {
	Size int64 `json:"size"`
}

// Prepare implements workers.Worker.
func (w *Worker) Prepare(_ context.Context, in workers.Input, out workers.Output) (*workers.Prepared, error) {
	h := sha256.New()
	src := struct{ io.Reader }{io.NewSectionReader(in.Document, 0, in.Size)}
	if _, err := io.CopyBuffer(io.MultiWriter(out, h), src, make([]byte, 64<<10)); err != nil {
		return nil, err
	}
	if _, err := out.Write(make([]byte, Hole)); err != nil {
		return nil, err
	}
	w.mu.Lock()
	err := w.prepare
	w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	head := make([]byte, 4)
	if n, _ := in.Document.ReadAt(head, 0); n == 4 && bytes.Equal(head, []byte("BAD!")) {
		return nil, fmt.Errorf("%w: it begins with the word BAD", workers.ErrInput)
	}
	sum := h.Sum(nil)
	attrs, err := sap.PAdESSignedAttributes(sum, in.Chain[0])
	if err != nil {
		return nil, err
	}
	d := sha256.Sum256(attrs)
	state, err := json.Marshal(paperState{in.Size})
	level := in.Level
	if level == "" {
		level = "B-B"
	}
	return &workers.Prepared{Worker: "paper", Kind: sap.KindPAdES, Name: in.Name, Level: level, Alg: in.Alg,
		HashName: algo.HashName(in.Alg.Hash()), DocDigest: sum, DTBSR: d[:], Chain: in.Chain, State: state}, err
}

// Finish implements workers.Worker.
func (w *Worker) Finish(_ context.Context, p *workers.Prepared, sig []byte, doc workers.Output) (*workers.Result, error) {
	w.mu.Lock()
	w.finishes++
	call, before, middle := w.finishes, w.before, w.middle
	w.mu.Unlock()
	if before != nil {
		if err := before(call); err != nil {
			return nil, err
		}
	}
	if err := workers.CheckSignature(p, sig); err != nil {
		return nil, err
	}
	var st paperState
	if err := json.Unmarshal(p.State, &st); err != nil {
		return nil, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(doc, 0, st.Size)); err != nil {
		return nil, err
	}
	if !bytes.Equal(h.Sum(nil), p.DocDigest) {
		return nil, workers.ErrState
	}
	if _, err := doc.WriteAt(sig, st.Size); err != nil {
		return nil, err
	}
	if middle != nil {
		if err := middle(call); err != nil {
			return nil, err
		}
	}
	return &workers.Result{Level: p.Level, Size: st.Size + Hole, MIME: "application/pdf"}, doc.Sync()
}

// Workers is a set with the one activation worker "paper".
type Workers struct {
	Paper *Worker
	More  map[string]*workers.Entry
}

// Get implements signapp.Workers.
func (w Workers) Get(name string) (*workers.Entry, error) {
	if e, ok := w.More[name]; ok {
		return e, nil
	}
	if name != "paper" || w.Paper == nil {
		return nil, fmt.Errorf("%w: %q", workers.ErrNotFound, name)
	}
	return &workers.Entry{Info: w.List()[0], Worker: w.Paper}, nil
}

// List implements signapp.Workers.
func (w Workers) List() []workers.Info {
	return []workers.Info{{Name: "paper", Kind: "pades", Token: "signers", Activation: true}}
}
