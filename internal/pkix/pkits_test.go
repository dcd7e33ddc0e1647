package pkix_test

import (
	"errors"
	"testing"

	"github.com/assent-sign/assent/internal/pkix"
	"github.com/assent-sign/assent/internal/pkix/pkitstest"
)

// RFC 5280 section 6.1 as PKITS tests it, all sections; what sections 4.4, 4.7,
// 4.14 and 4.15 say of revocation is for package revocation, whose test runs the
// whole suite again with CRLs. Each case is judged twice: with the certificates
// that belong to it, and with all of the suite, shuffled by name, as pool.
func TestPKITSPaths(t *testing.T) {
	s := pkitstest.Load(t)
	skipped := pkitstest.NotApplicable(t)
	all := s.All()
	ran := map[string]bool{}
	for _, c := range s.Cases {
		if skipped[c.Number] != "" {
			continue
		}
		ran[c.Number] = true
		t.Run(c.Number+"/"+c.Name, func(t *testing.T) {
			for pool, certs := range map[string][]*pkix.Certificate{"own": s.Pick(c.Others), "all": all} {
				cfg := c.Config
				cfg.At, cfg.Anchors, cfg.Pool = pkitstest.At, []*pkix.Certificate{s.Anchor}, certs
				p, err := pkix.Build(t.Context(), s.Certs[c.Cert], cfg)
				if good := c.Class != "PathValidationError"; good != (err == nil) {
					t.Errorf("pool %s: got %v, want valid %v", pool, err, good)
				}
				if err == nil && (p.Anchor() != s.Anchor || p.Chain[0] != s.Certs[c.Cert]) {
					t.Errorf("pool %s: path from %s to %s", pool, p.Chain[0], p.Anchor())
				}
			}
		})
	}
	if n := len(ran) + len(skipped); n != 224 {
		t.Errorf("%d tests ran and %d are listed as not applicable, of 224", len(ran), len(skipped))
	}
	t.Logf("PKITS: %d tests ran, %d not applicable", len(ran), len(skipped))
}

// The DSA cases are refused for their algorithm: the reason in the list is true.
func TestPKITSWhatIsNotApplicableIsRefused(t *testing.T) {
	s := pkitstest.Load(t)
	for _, c := range s.Cases {
		if pkitstest.NotApplicable(t)[c.Number] == "" {
			continue
		}
		cfg := pkix.Config{At: pkitstest.At, Anchors: []*pkix.Certificate{s.Anchor}, Pool: s.Pick(c.Others)}
		if _, err := pkix.Build(t.Context(), s.Certs[c.Cert], cfg); !errors.Is(err, pkix.ErrAlgorithm) {
			t.Errorf("%s: %v", c.Number, err)
		}
	}
}
