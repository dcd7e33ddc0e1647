package validate

import (
	"errors"
	"fmt"

	"github.com/assent-sign/assent/internal/pdf"
)

// workEach is how much more reading a file may cost for each of its signatures.
const workEach = 48 << 20

// later names what was added behind each signature. What a signing process adds
// by itself (further signatures, time-stamps, validation data) leaves the
// verdict, and so do title and dates of the file (/Info, XMP), which no page shows and which programs write anew with every
// time-stamp: they are named. Any other change means that the reader does not see what this signer
// signed: not valid when nobody signed the change or when pages changed, and
// not decidable by a program when a later intact signature covers it.
func (j *judge) later(doc *pdf.Document, found []pdf.Signature, sigs []Signature) {
	if len(found) > 8 && j.opt.Limits.MaxWork == 0 {
		// Each signature costs a look at all later ones.
		lim := j.opt.Limits
		lim.MaxWork = pdf.DefaultLimits().MaxWork + int64(len(found))*workEach
		if more, err := pdf.OpenWith(j.r, j.size, lim, j.opt.Password); err == nil {
			doc = more
		}
	}
	signed := int64(0)
	for i := range found {
		if sigs[i].Verdict != NotValid {
			signed = max(signed, found[i].CoveredEnd)
		}
	}
	for i := range sigs {
		s := &sigs[i]
		if j.ctx.Err() != nil {
			return // File reports it
		}
		if s.Whole || s.Verdict == NotValid {
			continue
		}
		changes, err := doc.LaterChanges(found[i])
		if errors.Is(err, pdf.ErrLimit) {
			s.doubt(SigConstraintsFailure, "the file was changed after this signature and the change is too much to be looked through: %v", err)
			continue
		}
		if err != nil {
			s.fail(FormatFailure, "the file was changed after this signature and the change cannot be read: %v", err)
			continue
		}
		rules, err := doc.Rules(found[i])
		if err != nil {
			s.fail(FormatFailure, "what the signature permits of later changes cannot be read: %v", err)
			continue
		}
		for _, c := range changes {
			s.Later = append(s.Later, changeWords(c))
			judgeChange(s, c, signed == j.size)
			if why := rules.Forbids(c); why != "" {
				s.fail(FormatFailure, "%s: %s", why, changeWords(c))
			}
		}
	}
}

func judgeChange(s *Signature, c pdf.Change, covered bool) {
	switch {
	case c.Expected(), c.Kind == pdf.ChangeMetadata:
	case !covered:
		s.fail(FormatFailure, "changed after this signature, and nobody signed the change: %s", changeWords(c))
	case c.Kind == pdf.ChangePageContent || c.Kind == pdf.ChangePageTree || c.Kind == pdf.ChangeUnknown:
		s.fail(FormatFailure, "changed after this signature: %s", changeWords(c))
	default:
		s.doubt(SigConstraintsFailure, "changed after this signature, before a later one: %s", changeWords(c))
	}
}

func changeWords(c pdf.Change) string {
	if c.Page > 0 {
		return fmt.Sprintf("page %d: %s", c.Page, c.Text)
	}
	return c.Text
}
