package xmlsig

import (
	"bytes"
	"crypto"
	"hash"
	"io"

	"github.com/assent-sign/assent/internal/c14n"
)

// Ahead says which signature of a document will be checked, by somebody who has made it: then what Check is going to
// read again can be computed while the document is read, from the same octets. It is no more than a guess. What the
// signature says decides, and where that is something else, Check reads for itself.
type Ahead struct {
	At   int64       // where the Signature element begins; it is over the document
	Hash crypto.Hash // of its reference to the document
	// Unsigned: that reference leaves out all signatures; otherwise only this one.
	Unsigned bool
}

// ReadAhead is Read, and prepares Check of a signature. Canonical XML's own rules hold for all of the document.
func ReadAhead(doc io.ReaderAt, size int64, lim c14n.Limits, g Ahead) (*Document, error) {
	a := &ahead{Ahead: g, sum: g.Hash.New(), room: valueRoom, parts: map[int64]*spool{}}
	job := c14n.Job{W: a.sum, Method: c14n.Exclusive, Unsigned: g.Unsigned}
	if !g.Unsigned {
		job.Without = g.At
	}
	d, err := readPass(doc, size, lim, a.event, job)
	if err != nil {
		return nil, err
	}
	d.ahead = a
	return d, nil
}

// ReadPass is Read, and computes canonical forms in the same pass. If it fails, no output is to be used.
func ReadPass(doc io.ReaderAt, size int64, lim c14n.Limits, jobs ...c14n.Job) (*Document, error) {
	return readPass(doc, size, lim, func(*c14n.Pass, *builder, *c14n.Event) error { return nil }, jobs...)
}

func readPass(doc io.ReaderAt, size int64, lim c14n.Limits, before func(*c14n.Pass, *builder, *c14n.Event) error, jobs ...c14n.Job) (*Document, error) {
	var b builder
	x, err := c14n.ScanPass(io.NewSectionReader(doc, 0, size), lim, func(p *c14n.Pass, ev *c14n.Event) error {
		if err := before(p, &b, ev); err != nil {
			return err
		}
		return b.event(ev)
	}, jobs...)
	if err != nil {
		return nil, err
	}
	return b.document(x)
}

// ahead is what was computed: of the document, and of parts of the signature.
type ahead struct {
	Ahead
	sum   hash.Hash
	room  int
	parts map[int64]*spool // by where they begin
}

// maxParts: SignedInfo and SignedProperties.
const maxParts = 2

// event begins the canonical form of a part.
func (a *ahead) event(p *c14n.Pass, b *builder, ev *c14n.Event) error {
	if ev.Kind != c14n.StartElement || len(a.parts) == maxParts || len(b.open) == 0 || b.open[0].at != a.At {
		return nil
	}
	if !(ev.Name.Is(dsSpace, "SignedInfo") && len(b.open) == 1) && !ev.Name.Is(xadesSpace, "SignedProperties") {
		return nil
	}
	sp := &spool{room: &a.room}
	a.parts[ev.From] = sp
	return p.Add(c14n.Job{W: sp, Method: c14n.Exclusive, Target: c14n.ElementAt(ev.From)})
}

// plainly tells whether a form is of the kind that is computed ahead.
func plainly(job c14n.Job) bool {
	return job.Method == c14n.Exclusive && !job.Comments && len(job.Prefixes) == 0
}

// part is the form of the element at an offset, if it was computed.
func (a *ahead) part(job c14n.Job, at int64) ([]byte, bool) {
	if a == nil || !plainly(job) || job.Without != 0 || job.Unsigned {
		return nil, false
	}
	sp, ok := a.parts[at]
	if !ok || sp.over {
		return nil, false
	}
	return bytes.Clone(sp.buf.Bytes()), true
}

// digest is what a reference is over, if it was computed; else nil.
func (a *ahead) digest(p *plan, h crypto.Hash) hash.Hash {
	if a == nil || p.cover.Content || p.cover.File != "" {
		return nil
	}
	if !p.cover.Document {
		part, ok := a.part(p.job, p.cover.Element.Start)
		if !ok {
			return nil
		}
		w := h.New()
		w.Write(part)
		return w
	}
	without := a.At
	if a.Unsigned {
		without = 0
	}
	if !plainly(p.job) || p.job.Without != without || p.job.Unsigned != a.Unsigned || h != a.Hash {
		return nil
	}
	return a.sum
}
