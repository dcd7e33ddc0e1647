package xmlsig

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/assent-sign/assent/internal/c14n"
)

// ErrWork means that a signature was not looked at, or not to its end: judging all signatures of the document would take too
// long. It says nothing about the signature.
var ErrWork = errors.New("xmlsig: the signatures of the document take more reading than is done for one file")

// Bounds of what is read for all signatures and time-stamps of a document, however little each of them is over: so many
// bytes, or so many times the largest file, whichever is more.
const (
	maxRead      = 1 << 30
	maxReadTimes = maxTimes
)

// spend takes one reading of a file of a size out of what is left for the document (I9): a time-stamp of some bytes costs a
// pass over all of the document, so that a small one with thousands of them kept a verifier busy for minutes.
func (d *Document) spend(size int64) error {
	d.largest = max(d.largest, d.Index.Size, size)
	if most := max(maxRead, maxReadTimes*d.largest); size > most-d.read {
		return fmt.Errorf("%w: %d bytes were read", ErrWork, d.read)
	}
	d.read += size
	return nil
}

// Bounds of what Check keeps for the time-stamps over a value: so many forms of it, of so many bytes together. Others cost a
// pass each.
const (
	maxForms  = 4
	valueRoom = 64 << 10
)

// written is a canonical form of a signature's SignatureValue.
type written struct {
	at   int64
	form string
}

func writtenAs(s *Signature, form c14n.Job) written {
	return written{s.valAt, howOf(form)}
}

// values prepares the forms of the value that the signature's time-stamps are over, to be made in the pass of Check; keep
// must be called when it was.
func (d *Document) values(s *Signature) (jobs []c14n.Job, keep func()) {
	if s.Properties == nil {
		return nil, func() {}
	}
	var kinds []written
	var spools []*spool
	room := valueRoom
	for _, st := range s.Properties.Stamps {
		k := writtenAs(s, st.Form)
		if _, known := d.forms[k]; known || st.Err != nil || len(kinds) == maxForms || slices.Contains(kinds, k) {
			continue
		}
		sp := &spool{room: &room}
		kinds, spools = append(kinds, k), append(spools, sp)
		job := st.Form
		job.W, job.Target = sp, c14n.ElementAt(s.valAt)
		jobs = append(jobs, job)
	}
	return jobs, func() {
		if d.forms == nil {
			d.forms = map[written][]byte{}
		}
		for i, k := range kinds {
			if !spools[i].over {
				d.forms[k] = bytes.Clone(spools[i].buf.Bytes())
			}
		}
	}
}

// Imprint is the digest that a time-stamp of a signature is over: of the canonical
// SignatureValue element (EN 319 132-1, clause 5.3). It needs no reading after Check of the signature.
func (d *Document) Imprint(doc io.ReaderAt, s *Signature, st Stamp, h crypto.Hash, lim c14n.Limits) ([]byte, error) {
	if st.Err != nil {
		return nil, st.Err
	}
	if kept, ok := d.forms[writtenAs(s, st.Form)]; ok {
		return sum(h, kept), nil
	}
	w := h.New()
	job := st.Form
	job.W, job.Target = w, c14n.ElementAt(s.valAt)
	if err := d.pass(doc, lim, nil, job); err != nil {
		return nil, err
	}
	return w.Sum(nil), nil
}
