package validate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/assent-sign/assent/internal/pdf"
)

// maxFaced bounds for how many revisions is asked whether they have two faces; each costs a look at all of its objects.
const maxFaced = 4

// faces warns of signatures over a file that could be read in two ways already when it was signed (ADE-04): then
// nobody can tell from the signature which document its signer saw. It changes no verdict: the octets are those that were signed, which is
// what EN 319 102-1 asks, nobody altered anything, and who relies on them has to decide. What was added afterwards is judged
// by itself and can make a signature not valid (D16).
func (j *judge) faces(doc *pdf.Document, rep *Report) error {
	var ends []int64
	for _, s := range rep.Signatures {
		if s.Kind == kindSignature && s.Covers > 0 && s.Covers <= rep.Size && !slices.Contains(ends, s.Covers) {
			ends = append(ends, s.Covers)
		}
	}
	slices.Sort(ends)
	for n, end := range ends {
		if err := j.ctx.Err(); err != nil {
			return err
		}
		warning := "whether the signed file can be read in two ways was not found out: there are too many signatures, or too much to read"
		if n < maxFaced {
			why, err := doc.Faces(end)
			if err == nil && len(why) == 0 {
				continue
			}
			if err != nil && !errors.Is(err, pdf.ErrLimit) {
				return err
			}
			if err == nil {
				warning = fmt.Sprintf("this file can be read in two ways, and could be already when it was signed (its first %d bytes): %s. Programs "+
					"may show different documents; which one the signer saw cannot be told from the signature", end, strings.Join(why, "; "))
			}
		}
		for i := range rep.Signatures {
			if s := &rep.Signatures[i]; s.Kind == kindSignature && s.Covers == end {
				s.Warnings = append(s.Warnings, warning)
			}
		}
	}
	return nil
}
