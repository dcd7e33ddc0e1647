package validate

import (
	"io"
	"slices"

	"github.com/assent-sign/assent/internal/pdf"
)

// older is what signatures of the file are over of the validation data of earlier revisions, and what the newest revision has no more; nil
// if it has all of it, as it should. An update can put anything in the place of a security store: that would take away what tells
// that a certificate was revoked, though somebody signed over it. It is asked for bad news only.
func (j *judge) older(rep *Report, open *material) *material {
	out := &material{at: j.opt.Now, pool: slices.Clone(open.pool)}
	seen, stored := []int64{j.size}, j.stored
	defer func() { j.stored = stored }() // what time-stamps are over has a bound of its own
	for i := range rep.Signatures {
		s := &rep.Signatures[i]
		if s.Kind != kindSignature || s.Verdict == NotValid || s.Whole || slices.Contains(seen, s.Covers) || j.ctx.Err() != nil {
			continue
		}
		if j.stored-stored > maxSealed {
			j.unread = true
			break
		}
		seen = append(seen, s.Covers)
		old, err := pdf.OpenWith(io.NewSectionReader(j.r, 0, s.Covers), s.Covers, j.opt.Limits, j.opt.Password)
		if err != nil {
			continue
		}
		m := j.read(old, j.opt.Now, "", rep)
		out.pool, out.crls, out.responses = missing(out.pool, m.pool, nil), missing(out.crls, m.crls, open.crls), missing(out.responses, m.responses, open.responses)
	}
	if len(out.crls)+len(out.responses) == 0 {
		return nil
	}
	return out
}

// missing adds to a list what neither it nor another one has.
func missing[T comparable](to, from, other []T) []T {
	for _, x := range from {
		if !slices.Contains(to, x) && !slices.Contains(other, x) {
			to = append(to, x)
		}
	}
	return to
}

// told is everything that can bring bad news.
func (j *judge) told(sealed []*material, open *material) []*material {
	if j.inside != nil {
		open = j.inside // and more
	}
	all := append(slices.Clone(sealed), open)
	if j.past != nil {
		all = append(all, j.past)
	}
	return all
}
