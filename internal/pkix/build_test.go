package pkix_test

import (
	"context"
	"crypto/x509"
	xpkix "crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"testing"

	"github.com/assent-sign/assent/internal/pkix"
	. "github.com/assent-sign/assent/internal/pkix/pkixtest"
)

func both(fs ...func(*x509.Certificate)) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		for _, f := range fs {
			f(c)
		}
	}
}

// Each rule of section 6.1 refuses by its own name.
func TestWhyAPathIsRefused(t *testing.T) {
	root := Make(t, "root", nil, CA)
	stamping := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping} }
	for name, c := range map[string]struct {
		ca, end func(*x509.Certificate)
		cfg     pkix.Config
		want    error
	}{
		"good":                         {CA, nil, pkix.Config{}, nil},
		"end expired":                  {CA, func(c *x509.Certificate) { c.NotAfter = Now.AddDate(0, 0, -1) }, pkix.Config{}, pkix.ErrExpired},
		"issuer not yet valid":         {both(CA, func(c *x509.Certificate) { c.NotBefore = Now.AddDate(0, 0, 1) }), nil, pkix.Config{}, pkix.ErrNotYetValid},
		"issuer is no CA":              {nil, nil, pkix.Config{}, pkix.ErrNotCA},
		"issuer may not sign":          {both(CA, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), nil, pkix.Config{}, pkix.ErrKeyUsage},
		"unknown critical extension":   {CA, critical, pkix.Config{}, pkix.ErrCritical},
		"unknown critical in the path": {both(CA, critical), nil, pkix.Config{}, pkix.ErrCritical},
		"end lacks the key usage":      {CA, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }, pkix.Config{Usage: pkix.DigitalSignature | pkix.ContentCommitment}, pkix.ErrKeyUsage},
		"end lacks the purpose":        {CA, stamping, pkix.Config{Purpose: pkix.PurposeOCSPSigning}, pkix.ErrExtKeyUsage},
		"end has the purpose":          {CA, stamping, pkix.Config{Purpose: pkix.PurposeTimeStamping, Strict: true}, nil},
		"end has no purpose":           {CA, nil, pkix.Config{Purpose: pkix.PurposeTimeStamping}, nil},
		"end has no purpose, strictly": {CA, nil, pkix.Config{Purpose: pkix.PurposeTimeStamping, Strict: true}, pkix.ErrExtKeyUsage},
		"issuer is for something else": {both(CA, stamping), func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} }, pkix.Config{Purpose: pkix.PurposeOCSPSigning}, pkix.ErrExtKeyUsage},
		"no policy where one is asked": {CA, nil, pkix.Config{RequireExplicitPolicy: true}, pkix.ErrPolicy},
	} {
		ca := Make(t, "issuing", root, c.ca)
		end := Make(t, "end", ca, c.end)
		cfg := c.cfg
		cfg.At, cfg.Anchors, cfg.Pool = Now, Pool(root), Pool(ca)
		if _, err := pkix.Build(t.Context(), end.Certificate, cfg); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func critical(c *x509.Certificate) {
	c.ExtraExtensions = []xpkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
}

// A path is judged at the time that is given, however long ago.
func TestAPathIsValidAtItsTimeAndNotAtAnother(t *testing.T) {
	old := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = Now.AddDate(-20, 0, 0), Now.AddDate(-15, 0, 0)
	}
	root := Make(t, "root", nil, both(CA, old))
	end := Make(t, "end", root, old)
	cfg := pkix.Config{Anchors: Pool(root), At: Now.AddDate(-16, 0, 0)}
	if _, err := pkix.Build(t.Context(), end.Certificate, cfg); err != nil {
		t.Errorf("16 years ago: %v", err)
	}
	for years, want := range map[int]error{0: pkix.ErrExpired, -21: pkix.ErrNotYetValid} {
		cfg.At = Now.AddDate(years, 0, 0)
		if _, err := pkix.Build(t.Context(), end.Certificate, cfg); !errors.Is(err, want) {
			t.Errorf("%d years: %v", years, err)
		}
	}
}

// What the anchor's certificate restricts counts, as does its period.
func TestTheAnchorsOwnLimitsCount(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*x509.Certificate)
		want error
	}{
		"path length": {func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true }, pkix.ErrPathLength},
		"names":       {func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.org"} }, pkix.ErrConstraint},
		"expired":     {func(c *x509.Certificate) { c.NotAfter = Now.AddDate(0, 0, -1) }, pkix.ErrExpired},
	} {
		root := Make(t, "root", nil, both(CA, c.edit))
		ca := Make(t, "issuing", root, CA)
		end := Make(t, "end", ca, func(c *x509.Certificate) { c.DNSNames = []string{"host.example.com"} })
		cfg := pkix.Config{At: Now, Anchors: Pool(root), Pool: Pool(ca)}
		if _, err := pkix.Build(t.Context(), end.Certificate, cfg); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A forged certificate of an issuer's name does not hide the true one, in any
// order of the pool, and is no issuer by itself.
func TestAForgedIssuerNeitherPassesNorHides(t *testing.T) {
	root := Make(t, "root", nil, CA)
	ca := Make(t, "issuing", root, CA)
	forged := Make(t, "issuing", Make(t, "root", nil, CA), func(c *x509.Certificate) {
		CA(c)
		c.SubjectKeyId = ca.SubjectKeyID
	})
	end := Make(t, "end", ca, nil)
	for i, pool := range [][]*pkix.Certificate{Pool(forged, ca), Pool(ca, forged)} {
		p, err := pkix.Build(t.Context(), end.Certificate, pkix.Config{At: Now, Anchors: Pool(root), Pool: pool})
		if err != nil || !p.Chain[1].Equal(ca.Certificate) {
			t.Errorf("order %d: %v", i, err)
		}
	}
	for name, e := range map[string]*Entity{"end": end, "below the forged": Make(t, "end", forged, nil)} {
		_, err := pkix.Build(t.Context(), e.Certificate, pkix.Config{At: Now, Anchors: Pool(root), Pool: Pool(forged)})
		if !errors.Is(err, pkix.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Another path is looked for when the first is refused, by a rule or by the
// caller's check, and the error of the first is told when there is none.
func TestASecondPathIsFound(t *testing.T) {
	oldRoot, newRoot := Make(t, "old root", nil, CA), Make(t, "new root", nil, CA)
	ca := Make(t, "issuing", newRoot, CA)
	cross := MakeKey(t, "issuing", oldRoot, ca.Key, CA)
	end := Make(t, "end", ca, nil)
	revoked := errors.New("revoked")
	avoid := func(root *Entity) func(context.Context, *pkix.Path) error {
		return func(_ context.Context, p *pkix.Path) error {
			if p.Anchor().Equal(root.Certificate) {
				return revoked
			}
			return nil
		}
	}
	for _, root := range []*Entity{oldRoot, newRoot} {
		cfg := pkix.Config{At: Now, Anchors: Pool(oldRoot, newRoot), Pool: Pool(ca, cross), Check: avoid(root)}
		if p, err := pkix.Build(t.Context(), end.Certificate, cfg); err != nil || p.Anchor().Equal(root.Certificate) {
			t.Errorf("%v", err)
		}
		cfg.Anchors = Pool(root)
		if _, err := pkix.Build(t.Context(), end.Certificate, cfg); !errors.Is(err, revoked) {
			t.Errorf("one anchor: %v", err)
		}
	}
}

// I9: authorities that all certify each other offer more paths than anyone can
// try. The search ends at its bounds and says so.
func TestAWebOfAuthoritiesEndsAtTheBounds(t *testing.T) {
	const count = 12
	var roots []*Entity
	for i := range count {
		roots = append(roots, Make(t, fmt.Sprintf("authority %d", i), nil, CA))
	}
	var web []*Entity
	for _, issuer := range roots {
		for i, subject := range roots {
			if subject != issuer {
				web = append(web, MakeKey(t, fmt.Sprintf("authority %d", i), issuer, subject.Key, CA))
			}
		}
	}
	end := Make(t, "end", roots[0], nil)
	stranger := Make(t, "stranger", nil, CA)
	_, err := pkix.Build(t.Context(), end.Certificate, pkix.Config{At: Now, Anchors: Pool(stranger), Pool: Pool(web...)})
	if !errors.Is(err, pkix.ErrBounds) {
		t.Errorf("steps: %v", err)
	}
	refuse := func(context.Context, *pkix.Path) error { return errors.New("no") }
	_, err = pkix.Build(t.Context(), end.Certificate, pkix.Config{At: Now, Anchors: Pool(roots...), Pool: Pool(web...), Check: refuse})
	if !errors.Is(err, pkix.ErrBounds) {
		t.Errorf("paths: %v", err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = pkix.Build(done, end.Certificate, pkix.Config{At: Now, Anchors: Pool(roots[0])}); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
	big := make([]*pkix.Certificate, pkix.MaxPool+1)
	if _, err = pkix.Build(t.Context(), end.Certificate, pkix.Config{At: Now, Anchors: Pool(roots[0]), Pool: big}); !errors.Is(err, pkix.ErrBounds) {
		t.Errorf("pool: %v", err)
	}
}

// I9: forged certificates of one name cost no more signatures than the bound.
func TestManyForgedIssuersEndAtTheBounds(t *testing.T) {
	root := Make(t, "root", nil, CA)
	end := Make(t, "end", root, nil)
	var pool []*pkix.Certificate
	other := Make(t, "root", nil, CA)
	for range pkix.MaxSignatures + 10 {
		pool = append(pool, MakeKey(t, "root", nil, other.Key, CA).Certificate)
	}
	_, err := pkix.Build(t.Context(), end.Certificate, pkix.Config{At: Now, Anchors: Pool(Make(t, "stranger", nil, CA)), Pool: pool})
	if !errors.Is(err, pkix.ErrBounds) {
		t.Error(err)
	}
}

// An anchor is no end certificate, and no anchors are no trust.
func TestTrustIsGivenAndNotFound(t *testing.T) {
	root := Make(t, "root", nil, CA)
	if _, err := pkix.Build(t.Context(), root.Certificate, pkix.Config{At: Now, Pool: Pool(root)}); !errors.Is(err, pkix.ErrNoAnchors) {
		t.Error(err)
	}
	self := Make(t, "self", nil, nil)
	if _, err := pkix.Build(t.Context(), self.Certificate, pkix.Config{At: Now, Anchors: Pool(root), Pool: Pool(self)}); !errors.Is(err, pkix.ErrUnknownIssuer) {
		t.Error(err)
	}
}
