package xades

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/xmlsig"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
)

const (
	// maxTail bounds what stands from the place of the signature to the document's end:
	// it is kept in the state, so that Finish can be repeated.
	maxTail = 64 << 10
	// Canonical octets can be many more than those of the document, since exclusive
	// canonicalization repeats namespace declarations: at most this many times as many
	// and some more are shown to anybody.
	maxGrowth = 8
	growthMin = 1 << 20
)

// state is what Finish needs besides what is approved.
type state struct {
	Size   int64  `json:"size"`   // of the user's document
	Offset int64  `json:"offset"` // where the signature is put in
	Before string `json:"before"` // written in front of it
	Tail   []byte `json:"tail"`   // what follows it, to the end of the new document
	// Detached: the signature takes the place of the document, at 0.
	Detached bool `json:"detached,omitempty"`
	// Head: an enveloping signature begins with so many bytes; then comes its data, up to Offset.
	Head int64 `json:"head,omitempty"`
	// Under is, of a staged signature, the state of SHA-256 after the user's document: what the archive time-stamp is
	// over begins with that, and is checked by it when the document is gone.
	Under []byte `json:"under,omitempty"`

	head []byte // these bytes, with a signature's value
}

// Prepare implements workers.Worker. out becomes the user's document, byte for byte; or the enveloping
// signature around it, but for the value.
func (w *worker) Prepare(ctx context.Context, in workers.Input, out workers.Output) (*workers.Prepared, error) {
	level := in.Level
	if level == "" {
		level = w.level
	}
	if err := knownLevel(level); err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrLevel, err)
	}
	if err := w.reaches(level); err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrLevel, err)
	}
	doc, certs, err := w.data(ctx, in)
	if err != nil {
		return nil, err
	}
	x, err := w.described(in, doc)
	if err == nil {
		err = doc.typed(in.Policy, x)
	}
	if err != nil {
		return nil, err
	}
	seen := sinksOf(in.Alg.Hash(), doc.size, x)
	st, err := w.state(doc, x, seen)
	if err != nil {
		return nil, err
	}
	p, err := w.prepared(in, level, doc, x, seen)
	if err != nil {
		return nil, err
	}
	if err := w.write(p, st, certs, doc, doc.size, out); err != nil {
		return nil, err
	}
	if staged(p) {
		if st.Under, err = under(doc, doc.size); err != nil {
			return nil, err
		}
	}
	if p.State, err = json.Marshal(st); err != nil {
		return nil, err
	}
	if err := w.rehearsal(ctx, p, certs, out); err != nil {
		return nil, err
	}
	return p, out.Sync()
}

func (w *worker) checkInput(in workers.Input) ([]*x509.Certificate, error) {
	if len(in.Chain) == 0 {
		return nil, fmt.Errorf("%w: no certificate", workers.ErrInput)
	}
	certs, err := cms.ParseChain(in.Chain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrInput, err)
	}
	kt, err := algo.KeyTypeOf(certs[0].PublicKey)
	if err != nil || !kt.Fits(in.Alg) {
		return nil, fmt.Errorf("%w: algorithm %s does not fit the certificate's key", workers.ErrInput, in.Alg)
	}
	for k := range in.Params {
		if !slices.Contains(requestParams, k) {
			return nil, fmt.Errorf("%w: %q (allowed: %v)", workers.ErrParams, k, requestParams)
		}
	}
	return certs, nil
}

// patient reads until its context ends, so that a large document does not outlast its request.
type patient struct {
	ctx context.Context
	r   io.ReaderAt
}

func (p *patient) ReadAt(b []byte, off int64) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.r.ReadAt(b, off)
}

// place reads the document and says where the signature goes, which may be over elements with identifiers.
// What the signature is over, if that is all of the document, is written to seen in the same pass.
func (w *worker) place(doc io.ReaderAt, size int64, ids []string, seen *sinks) (c14n.Insertion, error) {
	var jobs []c14n.Job
	if whole(w.form) {
		jobs = append(jobs, w.job(seen.outs[0]))
	}
	d, err := xmlsig.ReadPass(doc, size, w.limits(), jobs...)
	if seen.written = err == nil && len(jobs) > 0; err != nil {
		return c14n.Insertion{}, refuse(err)
	}
	if err := apart(d, ids); err != nil {
		return c14n.Insertion{}, err
	}
	for _, s := range d.Signatures {
		if s.Element == d.Index.Root {
			return c14n.Insertion{}, fmt.Errorf("%w: the document is a signature itself", workers.ErrInput)
		}
	}
	at := d.Index.Enveloped()
	if r, breaks := d.Breaks(at.Offset); breaks {
		return c14n.Insertion{}, fmt.Errorf("%w: it has a signature that another one would break (its reference to %q covers the whole document); only signatures that leave others out, as the property parallel makes them, stand side by side",
			workers.ErrInput, r.URI)
	}
	return at, nil
}

// asked are the properties of the signature, but for digests.
func (w *worker) asked(in workers.Input, kind content) (*sap.XAdES, error) {
	when := in.Time
	if when.IsZero() {
		when = w.now()
	}
	id := make([]byte, 16)
	if _, err := io.ReadFull(w.random, id); err != nil {
		return nil, err
	}
	x, err := w.properties(in.Params, "xades-"+hex.EncodeToString(id), when, string(kind))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrParams, err)
	}
	return x, nil
}

// sinks take what the signer sees, each data object of its own.
type sinks struct {
	sums    []hash.Hash
	outs    []*counted
	written bool
}

// sinksOf are those for the data objects of a signature over so many bytes.
func sinksOf(hash crypto.Hash, size int64, x *sap.XAdES) *sinks {
	s := &sinks{}
	for range 1 + len(x.Further()) {
		h := hash.New()
		s.sums, s.outs = append(s.sums, h), append(s.outs, &counted{w: h, max: maxGrowth*size + growthMin})
	}
	return s
}

// whole tells whether a form is over all of the document.
func whole(form string) bool { return form == sap.XAdESEnveloped || form == sap.XAdESParallel }

// job is that of a signature over all of the document, which does not have it yet.
func (w *worker) job(out io.Writer) c14n.Job {
	return c14n.Job{W: out, Method: c14n.Exclusive, Unsigned: w.form == sap.XAdESParallel}
}

// prepared computes the digests of what the signer sees, and composes what is signed.
func (w *worker) prepared(in workers.Input, level string, doc *data, x *sap.XAdES, seen *sinks) (*workers.Prepared, error) {
	if !seen.written {
		if err := w.canonical(doc, x, seen.outs); err != nil {
			return nil, refuse(err)
		}
	}
	p := &workers.Prepared{Worker: w.name, Kind: sap.KindXAdES, Name: in.Name, Level: level, Alg: in.Alg, HashName: algo.HashName(in.Alg.Hash()), DocDigest: seen.sums[0].Sum(nil), Chain: in.Chain, XAdES: x}
	for i, out := range seen.outs {
		if p.ShownSize += out.n; len(seen.outs) > 1 {
			p.ShownSizes = append(p.ShownSizes, out.n)
		}
		if i > 0 {
			x.Objects.More[i-1].Doc = sap.B64(seen.sums[i].Sum(nil))
		}
	}
	it, err := sap.NewXAdESItem(0, in.Name, in.Alg, p.DocDigest, in.Chain[0], *x)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrParams, err)
	}
	if p.DTBSR, err = sap.UnB64(it.DTBSR); err != nil {
		return nil, err
	}
	return p, nil
}

// state says where the signature goes.
func (w *worker) state(doc *data, x *sap.XAdES, seen *sinks) (*state, error) {
	size := doc.size
	switch w.form {
	case sap.XAdESDetached:
		return &state{Size: size, Detached: true}, w.readable(doc)
	case sap.XAdESContained:
		return &state{}, nil
	case sap.XAdESEnveloping:
		return &state{}, unsigned(doc, size, w.limits())
	}
	place, err := w.place(doc, size, parts(x), seen)
	if err != nil {
		return nil, err
	}
	return keep(place, doc, size)
}

// readable refuses a file that the signer's app cannot show: it must be a PDF, or text in UTF-8, of which that is XML which begins as XML does.
func readable(doc io.ReaderAt, size int64, kind content, lim c14n.Limits) error {
	switch {
	case size < 1:
		return fmt.Errorf("%w: an empty file", workers.ErrInput)
	case kind == contentPDF: // has been read (accepts)
		return nil
	}
	r := bufio.NewReader(io.NewSectionReader(doc, 0, size))
	head, err := r.Peek(int(min(size, 64)))
	if err != nil {
		return fmt.Errorf("read the document: %w", err)
	}
	if bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\uFEFF")), " \t\r\n"), []byte("<")) {
		_, err := c14n.Scan(r, lim)
		return refuseIf(err)
	}
	if err := isText(r); err != nil {
		return fmt.Errorf("%w: %w; what cannot be shown is not signed detached", workers.ErrInput, err)
	}
	return nil
}

func refuseIf(err error) error {
	if err == nil {
		return nil
	}
	return refuse(err)
}

// canonical writes what a signature is over, of a document that does not have it yet: each data object into a writer of its own.
func (w *worker) canonical(doc *data, x *sap.XAdES, outs []*counted) error {
	size := doc.size
	job := w.job(outs[0])
	r := io.NewSectionReader(doc, 0, size)
	switch w.form {
	case sap.XAdESDetached, sap.XAdESContained:
		for i, f := range doc.files {
			if _, err := io.Copy(outs[i], io.NewSectionReader(f, 0, f.Size)); err != nil {
				return err
			}
		}
		return nil
	case sap.XAdESEnveloping:
		from, err := declared(doc)
		if err != nil {
			return err
		}
		return object(x.ID, io.NewSectionReader(doc, from, size-from), w.limits(), job)
	case sap.XAdESBeside:
		all := make([]io.Writer, len(outs))
		for i, out := range outs {
			all[i] = out
		}
		return elements(r, w.limits(), parts(x), all)
	}
	return c14n.Canonicalize(r, w.limits(), job)
}

// errGrown says that canonical octets are too many.
var errGrown = errors.New("the canonical form is too large")

// counted counts octets up to a bound.
type counted struct {
	w      io.Writer
	n, max int64
}

func (c *counted) Write(b []byte) (int, error) {
	if c.n += int64(len(b)); c.n > c.max {
		return 0, fmt.Errorf("%w: more than %d bytes", errGrown, c.max)
	}
	return c.w.Write(b)
}

// keep makes the state of an enveloped signature.
func keep(at c14n.Insertion, doc io.ReaderAt, size int64) (*state, error) {
	from := at.Offset + int64(at.Drop)
	if size-from > maxTail {
		return nil, fmt.Errorf("%w: %d bytes follow the root element's content; %d are possible", workers.ErrInput, size-from, maxTail)
	}
	rest := make([]byte, size-from)
	if _, err := io.ReadFull(io.NewSectionReader(doc, from, size-from), rest); err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	return &state{Size: size, Offset: at.Offset, Before: at.Before, Tail: append([]byte(at.After), rest...)}, nil
}

// Show implements workers.Shower.
func (w *worker) Show(ctx context.Context, p *workers.Prepared, doc io.ReaderAt, out io.Writer) error {
	st, err := readState(p)
	if err != nil {
		return err
	}
	c := &counted{w: out, max: p.ShownSize}
	if err := show(&patient{ctx, doc}, st, p.XAdES, c); err != nil {
		return refuse(err)
	}
	if c.n != p.ShownSize {
		return fmt.Errorf("%w: %d octets are shown, %d were prepared", workers.ErrState, c.n, p.ShownSize)
	}
	return nil
}

// show writes what a signature is over, of its prepared file.
func show(doc io.ReaderAt, st *state, x *sap.XAdES, out io.Writer) error {
	job := c14n.Job{W: out, Method: c14n.Exclusive, Unsigned: x.Form == sap.XAdESParallel}
	lim := c14n.Limits{Size: st.Size}
	inside := io.NewSectionReader(doc, st.Head, st.Offset-st.Head)
	switch x.Form {
	case sap.XAdESDetached:
		_, err := io.Copy(out, io.NewSectionReader(doc, 0, st.Size))
		return err
	case sap.XAdESContained:
		_, err := io.Copy(out, base64.NewDecoder(base64.StdEncoding.Strict(), inside))
		return err
	case sap.XAdESEnveloping:
		return object(x.ID, inside, lim, job)
	case sap.XAdESBeside:
		for _, id := range parts(x) {
			if err := elements(io.NewSectionReader(doc, 0, st.Size), lim, []string{id}, []io.Writer{out}); err != nil {
				return err
			}
		}
		return nil
	}
	return c14n.Canonicalize(io.NewSectionReader(doc, 0, st.Size), lim, job)
}

func readState(p *workers.Prepared) (*state, error) {
	var st state
	if p.Kind != sap.KindXAdES || p.XAdES == nil || json.Unmarshal(p.State, &st) != nil || st.Size < 1 || st.Offset > st.Size ||
		st.Detached != (p.XAdES.Form == sap.XAdESDetached) || st.Detached != (st.Offset < 1) ||
		st.Head < 0 || st.Head > st.Offset || around(p.XAdES.Form) != (st.Head > 0) || !st.fits(p) {
		return nil, fmt.Errorf("%w: not a state of this kind", workers.ErrState)
	}
	return &st, nil
}

// fits tells whether the sizes of several data objects are those of the files that are beside a signature.
func (st *state) fits(p *workers.Prepared) bool {
	n := 1 + len(p.XAdES.Further())
	if !st.Detached || n == 1 {
		return len(p.ShownSizes) == 0 || !st.Detached && len(p.ShownSizes) == n
	}
	rest := st.Size
	for _, size := range p.ShownSizes {
		if size < 1 || size > rest {
			return false
		}
		rest -= size
	}
	return len(p.ShownSizes) == n && rest == 0
}

// refuse turns a reader's refusal into a worker's, keeping both; that of a context is none.
func refuse(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w", workers.ErrInput, err)
}
