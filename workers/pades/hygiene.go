package pades

import (
	"fmt"
	"strings"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
)

// Values of the property hygiene.
const (
	hygieneQualified = "qualified"
	hygieneAlways    = "always"
	hygieneNever     = "never"
)

var hygienes = []string{hygieneQualified, hygieneAlways, hygieneNever}

// clean refuses a document that may show something else than the signer saw, or that
// does something by itself (ADE-04). The signer's app looks for itself and refuses too,
// because nothing here stands between it and a hostile service.
func (w *worker) clean(in workers.Input) error {
	if w.hygiene == hygieneNever || w.hygiene == hygieneQualified && in.Policy != sap.PolicyQualified {
		return nil
	}
	s, err := pdf.Inspect(in.Document, in.Size, pdf.Limits{})
	if err != nil {
		return refuse(err)
	}
	if found := s.Hazards(); len(found) > 0 {
		return fmt.Errorf("%w: %w: %s Print it to a new PDF, or have it without them",
			workers.ErrInput, workers.ErrHazard, strings.Join(found, " "))
	}
	return nil
}
