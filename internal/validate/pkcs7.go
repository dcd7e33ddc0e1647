package validate

import (
	"slices"

	"github.com/assent-sign/assent/internal/pdf"
)

// pkcs7 are the names of what signatures of the kind adbe.pkcs7.detached have, by what has been added to them. They are of
// no PAdES level: the certificate need not be signed in them (EN 319 142-1, 6.3). Time-stamps and validation data of
// a file speak for them as for others (ISO 32000-2, 12.8.4 and 12.8.5).
var pkcs7 = []string{"PKCS#7 (not PAdES)", "PKCS#7-T (not PAdES)", "PKCS#7-LT (not PAdES)", "PKCS#7-LTA (not PAdES)"}

// named gives a signature that is no PAdES the name of what it is.
func (s *Signature) named() {
	if i := slices.Index(levels, s.Level); i >= 0 && s.SubFilter == pdf.SubFilterPKCS7 {
		s.Level = pkcs7[i]
	}
}

// Reached is the baseline level whose additions a signature has: Level, or, of one that is of no level, what it has
// besides all the same. Empty if it has none.
func (s *Signature) Reached() string {
	if i := slices.Index(pkcs7, s.Level); i >= 0 {
		return levels[i]
	}
	return s.Level
}
