package revocation_test

import (
	"context"
	"errors"
	"testing"

	"github.com/assent-sign/assent/internal/pkix"
	"github.com/assent-sign/assent/internal/pkix/pkitstest"
	"github.com/assent-sign/assent/internal/revocation"
)

// RFC 5280 section 6.1 and 6.3 together, as PKITS tests them: the whole suite with
// its CRLs. Each case is judged with what belongs to it, and again with every
// certificate of the suite as pool; revoked and undetermined are told apart.
func TestPKITSWithRevocation(t *testing.T) {
	s := pkitstest.Load(t)
	skipped := pkitstest.NotApplicable(t)
	lists := map[string]*revocation.CRL{}
	for name, raw := range s.CRLs {
		c, err := revocation.ParseCRL(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		lists[name] = c
	}
	all := s.All()
	ran := map[string]bool{}
	for _, c := range s.Cases {
		if skipped[c.Number] != "" {
			continue
		}
		ran[c.Number] = true
		t.Run(c.Number+"/"+c.Name, func(t *testing.T) {
			crls := []*revocation.CRL{lists["TrustAnchorRootCRL.crl"]}
			for _, n := range c.CRLs {
				crls = append(crls, lists[n])
			}
			for pool, certs := range map[string][]*pkix.Certificate{"own": s.Pick(c.Others), "all": all} {
				judge(t, s, c, pool, certs, crls)
			}
		})
	}
	if n := len(ran) + len(skipped); n != 224 {
		t.Errorf("%d tests ran and %d are listed as not applicable, of 224", len(ran), len(skipped))
	}
	t.Logf("PKITS with CRLs: %d tests ran, %d not applicable", len(ran), len(skipped))
}

func judge(t *testing.T, s *pkitstest.Suite, c pkitstest.Case, pool string, certs []*pkix.Certificate, crls []*revocation.CRL) {
	t.Helper()
	k, err := revocation.New(revocation.Config{At: pkitstest.At, Pool: certs, CRLs: crls})
	if err != nil {
		t.Fatal(err)
	}
	cfg := c.Config
	cfg.At, cfg.Anchors, cfg.Pool = pkitstest.At, []*pkix.Certificate{s.Anchor}, certs
	cfg.Check = func(ctx context.Context, p *pkix.Path) error {
		_, err := k.Check(ctx, p)
		return err
	}
	_, err = pkix.Build(t.Context(), s.Certs[c.Cert], cfg)
	switch c.Class {
	case "":
		if err != nil {
			t.Errorf("pool %s: %v", pool, err)
		}
	case "PathValidationError":
		if err == nil || errors.Is(err, revocation.ErrUndetermined) || errors.Is(err, revocation.ErrRevoked) {
			t.Errorf("pool %s: %v", pool, err)
		}
	case "RevokedError":
		if !errors.Is(err, revocation.ErrRevoked) {
			t.Errorf("pool %s: %v", pool, err)
		}
	default: // InsufficientRevinfoError, StaleRevinfoError
		if !errors.Is(err, revocation.ErrUndetermined) {
			t.Errorf("pool %s: %v", pool, err)
		}
	}
}

// A certificate is good only if a statement says so: without the lists every valid
// case of the suite is undetermined.
func TestPKITSNothingIsGoodWithoutLists(t *testing.T) {
	s := pkitstest.Load(t)
	skipped := pkitstest.NotApplicable(t)
	for _, c := range s.Cases {
		if skipped[c.Number] != "" || !c.Valid {
			continue
		}
		c.Class = "InsufficientRevinfoError"
		judge(t, s, c, "own", s.Pick(c.Others), nil)
	}
}
