package xmlsig

import (
	"bytes"
	"crypto"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/assent-sign/assent/internal/c14n"
)

// Bounds of computing what an archive time-stamp is over: parts are collected in one pass
// while they are small; each large one costs a pass of its own.
const (
	spoolRoom = 8 << 20
	maxPasses = 16
)

// ArchiveImprint is the digest that an ArchiveTimeStamp is over (EN 319 132-1, clause
// 5.5.2.2, the case that is not distributed). It is of these octets, one after the other: what each reference
// is a digest of; and, canonical by the time-stamp's method, SignedInfo,
// SignatureValue, KeyInfo, the unsigned properties before it, and every Object but
// that of the QualifyingProperties.
func (d *Document) ArchiveImprint(doc io.ReaderAt, s *Signature, st Stamp, h crypto.Hash, lim c14n.Limits) ([]byte, error) {
	if st.Err != nil {
		return nil, st.Err
	}
	parts, err := d.archived(s, st)
	if err != nil {
		return nil, err
	}
	w := h.New()
	if err := d.concatenate(doc, parts, w, spoolRoom, lim); err != nil {
		return nil, err
	}
	return w.Sum(nil), nil
}

// ArchiveImprintBehind is ArchiveImprint of a signature whose first references, so many as files, are to the octets of files that are not
// at hand any more: w has taken these, in this order. Detached must know the files' names; they are not read.
func (d *Document) ArchiveImprintBehind(doc io.ReaderAt, s *Signature, st Stamp, files int, w hash.Hash, lim c14n.Limits) ([]byte, error) {
	if st.Err != nil {
		return nil, st.Err
	}
	parts, err := d.archived(s, st)
	if err != nil {
		return nil, err
	}
	if files < 1 || files > len(s.References) || slices.ContainsFunc(parts[:files], func(p plan) bool { return p.cover.File == "" || !p.cover.Content }) {
		return nil, fmt.Errorf("%w: the first %d references are not to the octets of files", ErrStructure, files)
	}
	if err := d.concatenate(doc, parts[files:], w, spoolRoom, lim); err != nil {
		return nil, err
	}
	return w.Sum(nil), nil
}

// archived lists the parts.
func (d *Document) archived(s *Signature, st Stamp) ([]plan, error) {
	if s.infoAt == 0 || s.Properties == nil || st.Before > len(s.Properties.Unsigned) || len(s.References) > maxReferences {
		return nil, fmt.Errorf("%w: an archive time-stamp of a signature that cannot be read", ErrStructure)
	}
	var parts []plan
	for i := range s.References {
		p, err := d.plan(s, i)
		if err != nil {
			return nil, fmt.Errorf("reference %d: %w", i+1, err)
		}
		if !p.canonical {
			p.job.Method, p.job.Prefixes = st.Form.Method, st.Form.Prefixes
			to := s.References[i].target()
			p.job.Comments = st.Form.Comments && to.comments
		}
		parts = append(parts, p)
	}
	starts := []int64{s.infoAt, s.valAt}
	if s.keyAt != 0 {
		starts = append(starts, s.keyAt)
	}
	for _, u := range s.Properties.Unsigned[:st.Before] {
		starts = append(starts, u.at)
	}
	for _, o := range s.objects {
		starts = append(starts, o.at)
	}
	for _, a := range starts {
		parts = append(parts, at(st.Form, a))
	}
	return parts, nil
}

// NodeSets tells whether a reference of a signature gives nodes and does not say how they become octets. Its digest is of their
// inclusive canonical form then; an archive time-stamp is over that of its own method, and verifiers differ in whether
// they apply both, one after the other. With the inclusive method that makes no difference.
func (d *Document) NodeSets(s *Signature) bool {
	for i := range s.References {
		if p, err := d.plan(s, i); err == nil && !p.canonical {
			return true
		}
	}
	return false
}

// concatenate writes what is planned one after the other, collecting up to room bytes in one pass.
func (d *Document) concatenate(doc io.ReaderAt, parts []plan, w io.Writer, room int, lim c14n.Limits) error {
	spools := make([]spool, len(parts))
	var jobs []c14n.Job
	var dones []func() error
	for i := range parts {
		spools[i].room = &room
		if parts[i].cover.File == "" && d.all.octets(&parts[i]) == nil {
			dones = append(dones, parts[i].sink(&spools[i]))
			jobs = append(jobs, parts[i].job)
		}
	}
	if err := d.pass(doc, lim, dones, jobs...); err != nil {
		return err
	}
	passes := 0
	for i := range parts {
		p := &parts[i]
		switch {
		case d.all.octets(p) != nil:
			if _, err := w.Write(d.all.octets(p)); err != nil {
				return err
			}
			continue
		case p.cover.File == "" && !spools[i].over:
			if _, err := w.Write(spools[i].buf.Bytes()); err != nil {
				return err
			}
			continue
		case passes >= maxPasses:
			return fmt.Errorf("%w: an archive time-stamp over more than %d large parts", ErrTooLarge, maxPasses)
		}
		passes++
		var err error
		if p.cover.File != "" {
			err = d.outside(p, w, lim)
		} else {
			done := p.sink(w)
			err = d.pass(doc, lim, []func() error{done}, p.job)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pass reads the document once.
func (d *Document) pass(doc io.ReaderAt, lim c14n.Limits, dones []func() error, jobs ...c14n.Job) error {
	if len(jobs) == 0 {
		return nil // all is known
	}
	if err := d.spend(d.Index.Size); err != nil {
		return err
	}
	if err := c14n.Canonicalize(io.NewSectionReader(doc, 0, d.Index.Size), lim, jobs...); err != nil {
		return err
	}
	for _, done := range dones {
		if err := done(); err != nil {
			return err
		}
	}
	return nil
}

// spool keeps what is written to it as long as there is room for all of it.
type spool struct {
	buf  bytes.Buffer
	room *int // shared
	over bool
}

// Write implements io.Writer.
func (s *spool) Write(b []byte) (int, error) {
	switch {
	case s.over:
	case len(b) > *s.room:
		*s.room += s.buf.Len()
		s.buf, s.over = bytes.Buffer{}, true
	default:
		*s.room -= len(b)
		s.buf.Write(b)
	}
	return len(b), nil
}
