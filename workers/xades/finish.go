package xades

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/internal/xmlsig"
	"github.com/assent-sign/assent/sap"
	composed "github.com/assent-sign/assent/sap/xades"
	"github.com/assent-sign/assent/workers"
)

// Finish implements workers.Worker. What can fail comes first, then the one write, from
// the place of the signature to the end, then fsync. A repetition after a crash
// writes it all again: what stands before the place is never touched, and what stood
// behind it is in the state.
func (w *worker) Finish(ctx context.Context, p *workers.Prepared, sig []byte, doc workers.Output) (*workers.Result, error) {
	st, err := readState(p)
	if err != nil {
		return nil, err
	}
	element, err := st.element(p, sig)
	if err != nil {
		return nil, err
	}
	failpoint.Before("ssad/12-post-verify-done")
	// Before a time-stamp is asked for: a wrong value must not be stamped.
	if err := workers.CheckSignature(p, sig); err != nil {
		return nil, err
	}
	lim := w.room(st, element)
	switch err := verify(ctx, p, st, doc, element, lim); {
	case err == nil:
	case staged(p):
		return w.takeUp(ctx, p, doc, st, element, err)
	case !replaced(ctx, p, st, doc, err):
		return nil, fmt.Errorf("%w: %w", workers.ErrState, err)
	}
	failpoint.After("ssad/12-post-verify-done")
	res := &workers.Result{Level: p.Level, MIME: "application/xml"}
	if p.Level != LevelB {
		if element, err = w.raise(ctx, p, st, doc, element, res); err != nil {
			return nil, err
		}
	}
	failpoint.Before("ssad/11-signature-embedded")
	into := put
	if staged(p) {
		into = putStaged
	}
	if res.Size, err = into(doc, st, element); err != nil {
		return nil, fmt.Errorf("put the signature in: %w", err)
	}
	failpoint.After("ssad/11-signature-embedded")
	return res, doc.Sync()
}

// element composes the Signature element from what was approved. Of an enveloping signature it is what stands behind the
// data; what stands before it is kept in the state.
func (st *state) element(p *workers.Prepared, sig []byte) ([]byte, error) {
	if len(p.Chain) == 0 {
		return nil, fmt.Errorf("%w: no certificate", workers.ErrState)
	}
	it := p.Item(0)
	if _, err := sap.Rebuild(it, p.Chain[0], p.Alg, nil); err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrState, err)
	}
	par, err := sap.XAdESParameters(it, p.Chain[0], p.Alg)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrState, err)
	}
	before, after, err := composed.Around(par, sig, p.Chain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrSignature, err)
	}
	if !around(p.XAdES.Form) {
		return append(before, after...), nil
	}
	if st.Head != int64(len(before)) && st.Head != 0 {
		return nil, fmt.Errorf("%w: %d bytes stand before the data, %d were prepared", workers.ErrState, len(before), st.Head)
	}
	st.head = before
	return after, nil
}

// spliced is the signed document without anything being written: what stands before the
// signature in a file, then octets in memory; and before that, of an enveloping one, its beginning.
type spliced struct {
	begin []byte
	file  io.ReaderAt
	at    int64
	rest  []byte
}

func splice(st *state, doc io.ReaderAt, element []byte) *spliced {
	return &spliced{st.head, doc, st.Offset, bytes.Join([][]byte{[]byte(st.Before), element, st.Tail}, nil)}
}

func (s *spliced) size() int64 { return s.at + int64(len(s.rest)) }

// ReadAt implements io.ReaderAt.
func (s *spliced) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	for n < len(b) {
		var m int
		switch begun := int64(len(s.begin)); {
		case off < begun:
			m = copy(b[n:], s.begin[off:])
		case off < s.at:
			part := b[n:min(int64(len(b)), int64(n)+s.at-off)]
			var err error
			if m, err = s.file.ReadAt(part, off); m < len(part) {
				if err == nil {
					err = io.ErrUnexpectedEOF
				}
				return n + m, err
			}
		case off < s.size():
			m = copy(b[n:], s.rest[off-s.at:])
		default:
			return n, io.EOF
		}
		n, off = n+m, off+int64(m)
	}
	return n, nil
}

// verify reads the signed document back with our own strict reader: the signature is where it
// was put, holds by a verifier's rules, is by the signer's certificate, and is over
// the digest that was approved and over nothing else.
func verify(ctx context.Context, p *workers.Prepared, st *state, doc io.ReaderAt, element []byte, lim c14n.Limits) error {
	s := splice(st, &patient{ctx, doc}, element)
	d, sig, err := find(p, st, s, lim)
	if err != nil {
		return err
	}
	c, err := d.Check(s, sig, lim)
	if err != nil {
		return err
	}
	if !bytes.Equal(c.Certificate.Raw, p.Chain[0]) {
		return errors.New("a reader finds another certificate")
	}
	return covers(p, sig, c.Info, c.Covers, c.Digests)
}

// replaced tells whether a file that no longer has the approved digest can be passed over: an attempt that was
// cut has begun to write the detached signature in its place. That is composed from the approval alone, and its value
// was verified, so that it is right for the approved file and for no other.
func replaced(ctx context.Context, p *workers.Prepared, st *state, doc io.ReaderAt, err error) bool {
	if !st.Detached || ctx.Err() != nil || !(errors.Is(err, xmlsig.ErrDigest) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return false
	}
	head := make([]byte, 1)
	_, err = doc.ReadAt(head, 0)
	return err == nil && head[0] == '<' // as the signature begins
}

// find gives the signature that was put in.
func find(p *workers.Prepared, st *state, s *spliced, lim c14n.Limits) (*xmlsig.Document, *xmlsig.Signature, error) {
	at := st.Offset + int64(len(st.Before))
	if len(st.head) > 0 {
		at = 0
	}
	d, err := readBack(p, s, at, lim)
	if err != nil {
		return nil, nil, err
	}
	d.Detached = beside(p, st, s.file)
	for i := range d.Signatures {
		sig := &d.Signatures[i]
		if sig.Element.Start == at && sig.ID == p.XAdES.ID {
			return d, sig, nil
		}
	}
	return nil, nil, errors.New("the signature is not where it was put")
}

// readBack reads the signed document, for the signature at an offset to be checked: where that is over the whole
// document, in one pass with what it is a digest of.
func readBack(p *workers.Prepared, s *spliced, at int64, lim c14n.Limits) (*xmlsig.Document, error) {
	if !whole(p.XAdES.Form) {
		return xmlsig.Read(s, s.size(), lim)
	}
	return xmlsig.ReadAhead(s, s.size(), lim, xmlsig.Ahead{At: at, Hash: p.Alg.Hash(), Unsigned: p.XAdES.Form == sap.XAdESParallel})
}

// covers compares what a reader found with what was approved.
func covers(p *workers.Prepared, sig *xmlsig.Signature, info []byte, cover []xmlsig.Coverage, digests [][]byte) error {
	h := p.Alg.Hash()
	switch {
	case sig.Algorithm() != p.Alg:
		return fmt.Errorf("a reader finds the algorithm %v", sig.Algorithm())
	case len(cover) != 2+len(p.XAdES.Further()) || !cover[len(cover)-1].Properties:
		return errors.New("a reader finds other references than those that were approved")
	case !bytes.Equal(digests[0], p.DocDigest):
		return errors.New("a reader computes another digest of the document")
	case !bytes.Equal(sum(h, info), p.DTBSR):
		return errors.New("a reader verifies another digest than the key signs")
	}
	for i, c := range cover[:len(cover)-1] {
		if !approved(p, sig, i, c) {
			return fmt.Errorf("a reader finds %s, and not what was approved", c.Words())
		}
		if i > 0 && sap.B64(digests[i]) != p.XAdES.Objects.More[i-1].Doc {
			return fmt.Errorf("a reader computes another digest of %s", c.Words())
		}
	}
	return nil
}

// approved tells whether a reference is to what a form is over, as its data object i.
func approved(p *workers.Prepared, sig *xmlsig.Signature, i int, c xmlsig.Coverage) bool {
	inside := !c.Document && c.File == "" && c.Less == "" && c.ID == p.XAdES.ID+"-object" && sig.Element.Contains(c.Element)
	switch p.XAdES.Form {
	case sap.XAdESDetached:
		return !c.Document && c.Content && c.File == sap.FileURI(fileName(p, i))
	case sap.XAdESBeside:
		return !c.Document && c.File == "" && c.Less == "" && !c.Content && c.ID == parts(p.XAdES)[i] && !c.Element.Contains(sig.Element) && !sig.Element.Contains(c.Element)
	case sap.XAdESEnveloping:
		return inside && !c.Content
	case sap.XAdESContained:
		return inside && c.Content
	case sap.XAdESParallel:
		return c.Document && !c.Content && c.Less == "signatures"
	}
	return c.Document && !c.Content && c.Less == "itself"
}

// put writes the signature and what follows it. The file grows; if it is longer than
// the new document, which only a repetition with a shorter time-stamp can find, it is cut.
func put(doc workers.Output, st *state, element []byte) (int64, error) {
	s := splice(st, doc, element)
	if _, err := doc.WriteAt(s.rest, s.at); err != nil {
		return 0, err
	}
	if _, err := doc.WriteAt(s.begin, 0); err != nil {
		return 0, err
	}
	if n, err := doc.ReadAt(make([]byte, 1), s.size()); n == 0 && errors.Is(err, io.EOF) {
		return s.size(), nil
	}
	f, ok := doc.(interface{ Truncate(size int64) error })
	if !ok {
		return 0, fmt.Errorf("%w: bytes follow the signed document", workers.ErrState)
	}
	return s.size(), f.Truncate(s.size())
}

// rehearsal proves that the container will validate before anybody is asked: with a
// throw-away key once for each kind of key and algorithm, and, each time, on the
// document that will be delivered but for the signature's value.
func (w *worker) rehearsal(ctx context.Context, p *workers.Prepared, certs []*x509.Certificate, doc io.ReaderAt) error {
	err := w.rehearse.Once(certs[0], p.Alg, func(key crypto.Signer, cert []byte) error { return rehearseSignature(ctx, key, cert, p.Alg) })
	if err != nil {
		return err
	}
	if err := w.rehearseDocument(ctx, p, certs, doc); err != nil {
		return fmt.Errorf("%w: %w", workers.ErrRehearsal, err)
	}
	return nil
}

// rehearseSignature signs a small document of its own with the throw-away key, and reads it back.
func rehearseSignature(ctx context.Context, key crypto.Signer, cert []byte, alg algo.Algorithm) error {
	const text = "<rehearsal/>"
	x := sap.XAdES{ID: "rehearsal", Form: sap.XAdESEnveloped, Time: 1, MIME: "text/xml", Commitments: []string{}, Roles: []string{}}
	it, err := sap.NewXAdESItem(0, "rehearsal", alg, sum(alg.Hash(), []byte("<rehearsal></rehearsal>")), cert, x)
	if err != nil {
		return err
	}
	dtbsr, err := sap.UnB64(it.DTBSR)
	if err != nil {
		return err
	}
	p := &workers.Prepared{Kind: sap.KindXAdES, Alg: alg, HashName: it.Hash, DTBSR: dtbsr, Chain: [][]byte{cert}, XAdES: &x, DocDigest: sum(alg.Hash(), []byte("<rehearsal></rehearsal>"))}
	sig, err := key.Sign(rand.Reader, dtbsr, alg.SignerOpts())
	if err != nil {
		return err
	}
	st := &state{Size: int64(len(text)), Offset: int64(len(text)) - 2, Before: ">", Tail: []byte("</rehearsal>")}
	element, err := st.element(p, sig)
	if err != nil {
		return err
	}
	return verify(ctx, p, st, strings.NewReader(text), element, c14n.Limits{})
}

// rehearseDocument puts a signature with a value of the right form into the document,
// reads it back, and makes every check of a verifier but that of the value.
func (w *worker) rehearseDocument(ctx context.Context, p *workers.Prepared, certs []*x509.Certificate, doc io.ReaderAt) error {
	st, err := readState(p)
	if err != nil {
		return err
	}
	element, err := st.element(p, noValue(p, certs))
	if err != nil {
		return err
	}
	lim := w.room(st, element)
	s := splice(st, &patient{ctx, doc}, element)
	d, sig, err := find(p, st, s, lim)
	if err != nil {
		return err
	}
	c, err := d.Check(s, sig, lim)
	if !errors.Is(err, xmlsig.ErrSignature) {
		return fmt.Errorf("a value of no key: %w", errors.Join(err, errors.New("a reader does not come to the value, or accepts it")))
	}
	return covers(p, sig, c.Info, c.Covers, c.Digests)
}

// noValue is a value of the right form that no key has made.
func noValue(p *workers.Prepared, certs []*x509.Certificate) []byte {
	if p.Alg.IsECDSA() {
		return []byte{0x30, 6, 2, 1, 1, 2, 1, 1} // r = s = 1
	}
	return bytes.Repeat([]byte{1}, cms.MaxSignature(certs[0].PublicKey))
}

func sum(h crypto.Hash, b []byte) []byte {
	w := h.New()
	w.Write(b)
	return w.Sum(nil)
}
