package pkix

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/assent-sign/assent/internal/der"
)

// state is what RFC 5280 section 6.1.2 initialises and each certificate changes.
type state struct {
	cfg        *Config
	n          int // certificates, without the anchor
	names      constraintState
	policies   *policyGraph
	explicit   int
	inhibitAny int
	mapping    int
	pathLength int
}

// Judge holds a path that x509 has built, the end certificate first and the anchor last, against all of RFC 5280, section 6.1, but the
// signatures, which x509 has verified. x509 passes over limits of names that it does not know, such as those of directory names,
// unless the certificate says that they are critical, and reads some others more widely. A certificate that is itself the
// anchor has no path to be judged.
func Judge(path []*x509.Certificate, at time.Time) error {
	if len(path) < 2 {
		return nil
	}
	var chain []*Certificate
	for _, c := range path {
		p, err := Parse(c.Raw)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Subject, err)
		}
		chain = append(chain, p)
	}
	_, err := validate(chain, &Config{At: at})
	return err
}

// validate judges a chain (end certificate first, anchor last) whose signatures
// and issuer names have been checked: section 6.1 from there on.
func validate(chain []*Certificate, cfg *Config) (*Path, error) {
	n := len(chain) - 1
	anchor := chain[n]
	s := &state{cfg: cfg, n: n, policies: newPolicyGraph(), pathLength: n}
	s.explicit, s.inhibitAny, s.mapping = n+1, n+1, n+1
	if cfg.RequireExplicitPolicy {
		s.explicit = 0
	}
	if cfg.InhibitAnyPolicy {
		s.inhibitAny = 0
	}
	if cfg.InhibitPolicyMapping {
		s.mapping = 0
	}
	if err := checkTime(anchor, cfg.At); err != nil {
		return nil, err
	}
	if err := s.mayIssue(anchor); err != nil {
		return nil, err
	}
	if anchor.PathLength >= 0 {
		s.pathLength = min(s.pathLength, anchor.PathLength)
	}
	s.names.add(anchor.Constraints)
	for i := 1; i <= n; i++ {
		c := chain[n-i]
		if err := s.basic(c, i == n); err != nil {
			return nil, err
		}
		if i == n {
			break
		}
		if err := s.prepare(c); err != nil {
			return nil, err
		}
	}
	return s.wrapUp(chain)
}

func checkTime(c *Certificate, at time.Time) error {
	if at.Before(c.NotBefore) {
		return fmt.Errorf("%w: %s from %s, not at %s", ErrNotYetValid, c, c.NotBefore.Format(time.RFC3339), at.UTC().Format(time.RFC3339))
	}
	if at.After(c.NotAfter) {
		return fmt.Errorf("%w: %s until %s, not at %s", ErrExpired, c, c.NotAfter.Format(time.RFC3339), at.UTC().Format(time.RFC3339))
	}
	return nil
}

// basic is section 6.1.3, without the signature.
func (s *state) basic(c *Certificate, last bool) error {
	if err := checkTime(c, s.cfg.At); err != nil {
		return err
	}
	if !c.SelfIssued() || last {
		if err := s.names.check(c); err != nil {
			return err
		}
	}
	if err := s.policies.descend(c, s.inhibitAny > 0 || (!last && c.SelfIssued())); err != nil {
		return err
	}
	if s.explicit <= 0 && s.policies.null() {
		return fmt.Errorf("%w: at %s", ErrPolicy, c)
	}
	if err := noRevAvail(c); err != nil {
		return err
	}
	return criticals(c)
}

// noRevAvail is RFC 9608 section 4: an authority, or a certificate that says where to ask, has no such
// extension.
func noRevAvail(c *Certificate) error {
	asks := slices.ContainsFunc(c.Access, func(a Access) bool { return a.Method == AccessOCSP })
	if c.NoRevAvail && (c.IsCA || len(c.CRLPoints) > 0 || len(c.FreshestCRL) > 0 || asks) {
		return fmt.Errorf("%w: %s", ErrNoRevAvail, c)
	}
	return nil
}

func criticals(c *Certificate) error {
	if len(c.Critical) > 0 {
		return fmt.Errorf("%w: %s in %s", ErrCritical, c.Critical[0], c)
	}
	return nil
}

// prepare is section 6.1.4: what an issuing certificate must have, and what it
// asks of those below it.
func (s *state) prepare(c *Certificate) error {
	if err := s.policies.mapPolicies(c, s.mapping > 0); err != nil {
		return err
	}
	s.names.add(c.Constraints)
	if !c.SelfIssued() {
		s.explicit, s.mapping, s.inhibitAny = max(s.explicit-1, 0), max(s.mapping-1, 0), max(s.inhibitAny-1, 0)
	}
	lower(&s.explicit, c.RequireExplicit)
	lower(&s.mapping, c.InhibitMapping)
	lower(&s.inhibitAny, c.InhibitAny)
	if c.Version != 3 {
		return fmt.Errorf("%w: %s", ErrNotCA, c)
	}
	if s.cfg.Persons && forMachinesOnly(c) {
		return fmt.Errorf("%w: %s may not issue for persons", ErrExtKeyUsage, c)
	}
	if !c.SelfIssued() {
		if s.pathLength <= 0 {
			return fmt.Errorf("%w: at %s", ErrPathLength, c)
		}
		s.pathLength--
	}
	lower(&s.pathLength, c.PathLength)
	return s.mayIssue(c)
}

// mayIssue is section 6.1.4 (k) and (n), and what is demanded of purposes. The standard demands nothing of an anchor, but lists of trusted
// certificates have those of services too, that issue none; a certificate of version 1 cannot say what it is.
func (s *state) mayIssue(c *Certificate) error {
	if c.Version == 3 && (!c.HasBasicConstraints || !c.IsCA) {
		return fmt.Errorf("%w: %s", ErrNotCA, c)
	}
	if c.HasKeyUsage && c.KeyUsage&KeyCertSign == 0 {
		return fmt.Errorf("%w: %s may not sign certificates", ErrKeyUsage, c)
	}
	if s.cfg.Purpose != "" && c.Purposes != nil && !allows(c.Purposes, s.cfg.Purpose) {
		return fmt.Errorf("%w: %s may not issue for %s", ErrExtKeyUsage, c, s.cfg.Purpose)
	}
	return nil
}

func lower(n *int, to int) {
	if to >= 0 && to < *n {
		*n = to
	}
}

// allows tells whether a list of purposes has the one or the one that stands for all.
func allows(purposes []der.OID, want der.OID) bool {
	return slices.Contains(purposes, want) || slices.Contains(purposes, AnyPurpose)
}

// wrapUp is section 6.1.5, and what the caller demands of the end certificate.
func (s *state) wrapUp(chain []*Certificate) (*Path, error) {
	end := chain[0]
	s.explicit = max(s.explicit-1, 0)
	if end.RequireExplicit == 0 {
		s.explicit = 0
	}
	p := &Path{Chain: chain}
	p.Policies, p.AnyPolicy = s.policies.constrained(s.cfg.Policies)
	if s.explicit <= 0 && !p.AnyPolicy && len(p.Policies) == 0 {
		return nil, fmt.Errorf("%w: at %s", ErrPolicy, end)
	}
	if u := s.cfg.Usage; u != 0 && end.HasKeyUsage && end.KeyUsage&u == 0 {
		return nil, fmt.Errorf("%w: %s", ErrKeyUsage, end)
	}
	if s.cfg.Persons && forMachinesOnly(end) {
		return nil, fmt.Errorf("%w: %s is not for persons", ErrExtKeyUsage, end)
	}
	if want := s.cfg.Purpose; want != "" && !serves(end, want, s.cfg.Strict) {
		return nil, fmt.Errorf("%w: %s is not for %s", ErrExtKeyUsage, end, want)
	}
	return p, nil
}

// forMachinesOnly tells whether every purpose that a certificate is limited to is one of servers, callers, code, time-stamps or revocation
// answers, as in package certs: who runs an authority of such below an anchor may be anybody.
func forMachinesOnly(c *Certificate) bool {
	machines := []der.OID{purposeServer, purposeClient, purposeCode, PurposeTimeStamping, PurposeOCSPSigning}
	return len(c.Purposes) > 0 && !slices.ContainsFunc(c.Purposes, func(p der.OID) bool { return !slices.Contains(machines, p) })
}

// serves tells whether an end certificate is for a purpose: by name, or, unless
// strict, because it names no purpose or the one that stands for all.
func serves(end *Certificate, want der.OID, strict bool) bool {
	if strict {
		return slices.Contains(end.Purposes, want)
	}
	return end.Purposes == nil || allows(end.Purposes, want)
}
