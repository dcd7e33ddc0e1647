package validate

import (
	"fmt"

	"github.com/assent-sign/assent/internal/pdf"
)

// later names what was added behind each signature. What a signing process adds
// by itself (further signatures, time-stamps, validation data) leaves the
// verdict. Any other change means that the reader does not see what this signer
// signed: not valid when nobody signed the change or when pages changed, and
// not decidable by a program when a later intact signature covers it.
func (j *judge) later(doc *pdf.Document, found []pdf.Signature, sigs []Signature) {
	signed := int64(0)
	for i := range found {
		if sigs[i].Verdict != NotValid {
			signed = max(signed, found[i].CoveredEnd)
		}
	}
	for i := range sigs {
		s := &sigs[i]
		if s.Whole || s.Verdict == NotValid {
			continue
		}
		changes, err := doc.LaterChanges(found[i])
		if err != nil {
			s.fail(FormatFailure, "the file was changed after this signature and the change cannot be read: %v", err)
			continue
		}
		for _, c := range changes {
			s.Later = append(s.Later, changeWords(c))
			judgeChange(s, c, signed == j.size)
			judgePermission(s, c, found[i].Certification)
		}
	}
}

func judgeChange(s *Signature, c pdf.Change, covered bool) {
	switch {
	case c.Expected():
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

// judgePermission holds a change against what a certification permits (ISO 32000-1,
// table 254): nothing (1), forms and signatures (2), comments too (3). Time-stamps and
// validation data are always permitted.
func judgePermission(s *Signature, c pdf.Change, permission int) {
	switch c.Kind {
	case pdf.ChangeTimestamp, pdf.ChangeDSS, pdf.ChangeUnused:
		return
	}
	if permission == 1 || permission == 2 && c.Kind == pdf.ChangeAnnotation {
		s.fail(FormatFailure, "the signature certifies the document and does not permit this: %s", changeWords(c))
	}
}
