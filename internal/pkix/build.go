package pkix

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/assent-sign/assent/internal/der"
)

// Bounds of Build, far above what real paths need.
const (
	MaxPool       = 2000 // certificates in pool and anchors, each
	MaxChain      = 12   // certificates in a path, the anchor included
	MaxSignatures = 200  // signatures checked
	MaxPaths      = 64   // complete paths judged
	maxSteps      = 5000 // certificates looked at as issuers
)

// Config says what path is wanted.
type Config struct {
	// Anchors are trusted with their names and keys. Their validity period, path length, name constraints and what
	// they may be used for count; their signatures and policies do not.
	Anchors []*Certificate
	// Pool are certificates that may be part of the path, in any order, trusted for
	// nothing.
	Pool []*Certificate
	// At is the time at which the path must be valid.
	At time.Time
	// Usage is a set of bits of which a key usage extension of the end certificate
	// must have one; 0 demands nothing.
	Usage KeyUsage
	// Purpose must not be excluded by an extended key usage of the end certificate or
	// of one above it; empty demands nothing.
	Purpose der.OID
	// Strict wants Purpose by its name in the end certificate.
	Strict bool
	// Persons wants a path for a person's signature: neither the end certificate nor an authority below the anchor is
	// limited to purposes of machines.
	Persons bool
	// Policies is user-initial-policy-set; empty stands for any policy.
	Policies []der.OID
	// The initial indicators of section 6.1.1.
	RequireExplicitPolicy, InhibitPolicyMapping, InhibitAnyPolicy bool
	// Check, if set, is asked about each path that is otherwise good; after an error
	// another path is looked for. It is where revocation is decided.
	Check func(ctx context.Context, p *Path) error
	// Issued verifies that the second certificate issued the first; nil stands for CheckIssuedBy.
	Issued func(c, issuer *Certificate) error
}

// Path is a valid path.
type Path struct {
	// Chain is the end certificate, its issuer, and so on; the trust anchor is last.
	Chain []*Certificate
	// Policies are the policies of the path that the user accepts, in the terms of
	// the anchor's domain; AnyPolicy tells that it is good for every policy.
	Policies  []der.OID
	AnyPolicy bool
}

// Anchor is the trust anchor of the path.
func (p *Path) Anchor() *Certificate { return p.Chain[len(p.Chain)-1] }

// Build finds a valid path from a certificate to an anchor (RFC 5280 section 6).
// The error tells about the most promising path that was judged, or why there is
// none. A certificate that is itself an anchor has no path: trust in it as an
// authority is no trust in what it signs otherwise.
func Build(ctx context.Context, end *Certificate, cfg Config) (*Path, error) {
	switch {
	case len(cfg.Anchors) == 0:
		return nil, ErrNoAnchors
	case len(cfg.Pool) > MaxPool || len(cfg.Anchors) > MaxPool:
		return nil, fmt.Errorf("%w: more than %d certificates", ErrBounds, MaxPool)
	}
	b := &builder{cfg: &cfg, anchors: bySubject(cfg.Anchors), pool: bySubject(cfg.Pool), signed: map[[2]*Certificate]error{}}
	p, err := b.extend(ctx, []*Certificate{end})
	switch {
	case err != nil:
		return nil, err
	case p != nil:
		return p, nil
	case b.judged != nil:
		return nil, b.judged
	case b.unsigned != nil:
		return nil, b.unsigned
	}
	return nil, fmt.Errorf("%w: from %s", ErrUnknownIssuer, end)
}

type builder struct {
	cfg           *Config
	anchors, pool map[string][]*Certificate
	signed        map[[2]*Certificate]error // subject and issuer -> whether the signature verifies
	steps, paths  int
	judged        error // about the first complete path
	unsigned      error // about the first signature that did not verify
}

func bySubject(in []*Certificate) map[string][]*Certificate {
	out := map[string][]*Certificate{}
	for _, c := range in {
		out[c.Subject.Key()] = append(out[c.Subject.Key()], c)
	}
	return out
}

// extend looks for issuers of the last certificate of a chain. It returns nil
// without an error when no path goes on from here, and an error when the search
// must end.
func (b *builder) extend(ctx context.Context, chain []*Certificate) (*Path, error) {
	last := chain[len(chain)-1]
	for _, a := range b.sorted(b.anchors[last.Issuer.Key()], last) {
		if ok, err := b.issued(ctx, last, a); err != nil || !ok {
			if err != nil {
				return nil, err
			}
			continue
		}
		if p, err := b.judge(ctx, append(slices.Clone(chain), a)); p != nil || err != nil {
			return p, err
		}
	}
	if len(chain)+1 >= MaxChain { // no room for another and the anchor
		return nil, nil
	}
	for _, c := range b.sorted(b.pool[last.Issuer.Key()], last) {
		if slices.ContainsFunc(chain, func(o *Certificate) bool { return sameHolder(c, o) }) {
			continue
		}
		if ok, err := b.issued(ctx, last, c); err != nil || !ok {
			if err != nil {
				return nil, err
			}
			continue
		}
		if p, err := b.extend(ctx, append(slices.Clone(chain), c)); p != nil || err != nil {
			return p, err
		}
	}
	return nil, nil
}

// sameHolder: a path that visits the same name and key twice proves nothing more.
func sameHolder(a, b *Certificate) bool {
	return a.Subject.Equal(b.Subject) && bytes.Equal(a.SPKI, b.SPKI)
}

// issued verifies a signature once. The error is one that ends the search.
func (b *builder) issued(ctx context.Context, c, issuer *Certificate) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("%w: %w", ErrBounds, err)
	}
	if b.steps++; b.steps > maxSteps {
		return false, fmt.Errorf("%w: more than %d steps", ErrBounds, maxSteps)
	}
	pair := [2]*Certificate{c, issuer}
	err, known := b.signed[pair]
	if !known {
		if len(b.signed) >= MaxSignatures {
			return false, fmt.Errorf("%w: more than %d signatures", ErrBounds, MaxSignatures)
		}
		issued := (*Certificate).CheckIssuedBy
		if b.cfg.Issued != nil {
			issued = b.cfg.Issued
		}
		err = issued(c, issuer)
		b.signed[pair] = err
	}
	if err != nil && b.unsigned == nil {
		b.unsigned = err
	}
	return err == nil, nil
}

func (b *builder) judge(ctx context.Context, chain []*Certificate) (*Path, error) {
	if b.paths++; b.paths > MaxPaths {
		return nil, fmt.Errorf("%w: more than %d paths: %w", ErrBounds, MaxPaths, b.judged)
	}
	p, err := validate(chain, b.cfg)
	if err == nil && b.cfg.Check != nil {
		err = b.cfg.Check(ctx, p)
	}
	if err == nil {
		return p, nil
	}
	if ctx.Err() != nil {
		return nil, errors.Join(ErrBounds, err)
	}
	if b.judged == nil {
		b.judged = err
	}
	return nil, nil
}

// sorted puts first who most likely issued the certificate: the named key, then
// validity at the time in question, then youth.
func (b *builder) sorted(in []*Certificate, of *Certificate) []*Certificate {
	if len(in) < 2 {
		return in
	}
	rank := func(c *Certificate) int {
		r := 0
		switch {
		case of.AuthorityKeyID == nil || c.SubjectKeyID == nil:
			r = 2
		case !bytes.Equal(of.AuthorityKeyID, c.SubjectKeyID):
			r = 4
		}
		if checkTime(c, b.cfg.At) != nil {
			r++
		}
		return r
	}
	out := slices.Clone(in)
	slices.SortStableFunc(out, func(x, y *Certificate) int {
		if d := rank(x) - rank(y); d != 0 {
			return d
		}
		return y.NotBefore.Compare(x.NotBefore)
	})
	return out
}
