package validate_test

import (
	"bytes"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/internal/validate"
)

// ADE-04: of PDFs by others, broken and hostile ones among them, none passes where nobody
// is trusted; and where all that a signature brings is trusted, none whose coverage is
// wrong or that was changed on the sly. Each within 10 s and 512 MiB.
func TestADE04CorpusPassesOnlyWhereItIsRight(t *testing.T) {
	root := testenv.Corpora(t, "pdf/pyhanko")
	k := newKit(t)
	files, signed, passed := 0, 0, 0
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".pdf") {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		must(t, err)
		name := strings.TrimPrefix(path, root)
		for _, opt := range []validate.Options{{}, k.trust()} {
			if rep := bounded(t, name, b, opt); rep != nil && (rep.Verdict == validate.Valid || rep.Indication == validate.TotalPassed) {
				t.Errorf("%s passes and nobody is trusted", name)
			}
		}
		anchors, at := brought(b)
		if len(anchors) == 0 {
			return nil
		}
		signed++
		rep := bounded(t, name, b, validate.Options{Anchors: anchors, Now: at})
		ok := rep != nil && rep.Verdict == validate.Valid
		if ok {
			passed++
		}
		// The sneaky files that override nothing change only what belongs to the new signature.
		if ok && (strings.Contains(name, "form-update-override") || strings.Contains(name, "coverage-anomalies") || strings.Contains(name, "disallowed")) {
			t.Errorf("%s passes", name)
		}
		return nil
	})
	must(t, err)
	t.Logf("%d files, %d signed, %d pass if all their certificates are trusted", files, signed, passed)
	if files < 100 || signed < 25 || passed < 6 {
		t.Errorf("%d files, %d signed, %d pass: what was tried?", files, signed, passed)
	}
}

// brought are the certificates in the signatures of a file, and a time at which the last of
// them had begun.
func brought(b []byte) (out []*x509.Certificate, at time.Time) {
	d, err := pdf.Open(bytes.NewReader(b), int64(len(b)), pdf.Limits{})
	if err != nil {
		return nil, at
	}
	sigs, err := d.Signatures()
	if err != nil {
		return nil, at
	}
	for i := range sigs {
		sd, _, err := cms.ParsePadded(sigs[i].Contents)
		if err != nil {
			continue
		}
		out = append(out, sd.Certificates()...)
	}
	for _, c := range out {
		if c.NotBefore.Add(time.Hour).After(at) {
			at = c.NotBefore.Add(time.Hour)
		}
	}
	return out, at
}
