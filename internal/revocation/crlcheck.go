package revocation

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/assent-sign/assent/internal/pkix"
)

// byCRLs is RFC 5280 section 6.3.3 over a set of lists. A finding or an error
// decides; nil and nil does not. sources tells where lists were fetched.
func (k *Checker) byCRLs(ctx context.Context, q *question, crls []*CRL, sources map[*CRL]string) (*Finding, error) {
	// The latest first: a list that is replaced must not hide what its successor says.
	crls = slices.Clone(crls)
	slices.SortStableFunc(crls, func(a, b *CRL) int { return b.ThisUpdate.Compare(a.ThisUpdate) })
	var mask pkix.Reasons
	var evidence []Evidence
	tried := map[*CRL]error{}
	points := append(slices.Clone(q.cert().CRLPoints), impliedPoint(q.cert()))
	for i := range points {
		for _, c := range crls {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrUndetermined, err)
			}
			interim := inScope(q.cert(), &points[i], c)
			if c.Base != "" || interim&^mask == 0 {
				continue
			}
			if err, known := tried[c]; known && err != nil {
				continue
			}
			revoked, used, err := k.ask(ctx, q, c, crls)
			if tried[c] = err; err != nil {
				q.no(err)
				continue
			}
			for j := range used {
				if used[j].CRL != nil && used[j].Source == "" {
					used[j].Source = sources[used[j].CRL]
				}
			}
			evidence = appendNew(evidence, used)
			if revoked != nil {
				return k.verdict(q, revoked, evidence)
			}
			if mask |= interim; mask == pkix.AllReasons {
				if q.unknown {
					return nil, nil
				}
				return k.verdict(q, nil, evidence)
			}
		}
	}
	if mask != 0 {
		q.no(fmt.Errorf("%w: %09b of %09b", ErrReasons, mask, pkix.AllReasons))
	}
	return nil, nil
}

func appendNew(list, more []Evidence) []Evidence {
	for _, e := range more {
		if !slices.ContainsFunc(list, func(o Evidence) bool { return o.CRL == e.CRL && o.Response == e.Response }) {
			list = append(list, e)
		}
	}
	return list
}

// impliedPoint is where a list is looked for that no point of the certificate
// names: at its issuer (end of section 6.3.3).
func impliedPoint(c *pkix.Certificate) pkix.DistributionPoint {
	return pkix.DistributionPoint{Name: pkix.PointName{Full: []pkix.GeneralName{{Kind: pkix.DirectoryName, Name: c.Issuer}}}}
}

// inScope is steps (b) and (d): the reasons for which a list speaks about a
// certificate by way of a distribution point; 0 for none.
func inScope(cert *pkix.Certificate, dp *pkix.DistributionPoint, c *CRL) pkix.Reasons {
	if len(dp.CRLIssuer) > 0 {
		if !hasName(dp.CRLIssuer, c.Issuer) || c.Point == nil || !c.Point.Indirect {
			return 0
		}
	} else if !c.Issuer.Equal(cert.Issuer) {
		return 0
	}
	reasons := pkix.AllReasons
	if dp.Reasons != 0 {
		reasons = dp.Reasons
	}
	if c.Point == nil {
		return reasons
	}
	isCA := cert.HasBasicConstraints && cert.IsCA
	if c.Point.OnlyAttrCert || (c.Point.OnlyUsers && isCA) || (c.Point.OnlyCAs && !isCA) || !samePlace(cert, dp, c) {
		return 0
	}
	if c.Point.Reasons != 0 {
		reasons &= c.Point.Reasons
	}
	return reasons
}

func hasName(list []pkix.GeneralName, n pkix.Name) bool {
	return slices.ContainsFunc(list, func(g pkix.GeneralName) bool { return g.Kind == pkix.DirectoryName && g.Name.Equal(n) })
}

// samePlace is step (b)(2)(i): a list for a place is for certificates that name it.
func samePlace(cert *pkix.Certificate, dp *pkix.DistributionPoint, c *CRL) bool {
	if c.Point.Name.IsZero() {
		return true
	}
	there, err := c.Point.Name.Names(c.Issuer)
	if err != nil {
		return false
	}
	here := dp.CRLIssuer
	if !dp.Name.IsZero() {
		// A relative name is relative to the CRL's issuer, or to the certificate's
		// where the point names none (section 4.2.1.13).
		base := cert.Issuer
		if len(dp.CRLIssuer) > 0 {
			base = c.Issuer
		}
		if here, err = dp.Name.Names(base); err != nil {
			return false
		}
	}
	return slices.ContainsFunc(here, func(a pkix.GeneralName) bool {
		return slices.ContainsFunc(there, func(b pkix.GeneralName) bool { return sameName(a, b) })
	})
}

func sameName(a, b pkix.GeneralName) bool {
	if a.Kind != b.Kind {
		return false
	}
	if a.Kind == pkix.DirectoryName {
		return a.Name.Equal(b.Name)
	}
	return a.Text != "" && a.Text == b.Text
}

// ask verifies a list and looks the certificate up in it and in its delta: steps
// (a), (c) and (f) to (k).
func (k *Checker) ask(ctx context.Context, q *question, c *CRL, all []*CRL) (*RevokedError, []Evidence, error) {
	if err := k.usable(c); err != nil {
		return nil, nil, err
	}
	s := k.signer(ctx, q, c, false)
	strange := s.err
	if strange != nil {
		if c.Issuer.Equal(q.cert().Issuer) {
			return nil, nil, strange
		}
		if s = k.signer(ctx, q, c, true); s.err != nil {
			return nil, nil, strange
		}
	}
	evidence := append([]Evidence{{CRL: c, Signer: s.chain}}, s.evidence...)
	latest := c
	var found *entry
	var err error
	if d := k.delta(c, all, s.chain[0]); d != nil {
		evidence = append(evidence, Evidence{CRL: d, Signer: s.chain})
		latest = d
		if found, err = k.cfg.Memory.find(d, q.cert()); err != nil {
			return nil, nil, err
		}
	}
	removed := found != nil && found.reason == removeFromCRL
	if found == nil {
		if found, err = k.cfg.Memory.find(c, q.cert()); err != nil {
			return nil, nil, err
		}
	}
	if strange != nil && (found == nil || removed || !k.news && !k.cfg.Existed.IsZero() && found.date.After(k.cfg.Existed)) {
		return nil, nil, strange // bad news only
	}
	if found != nil && !removed {
		return &RevokedError{Certificate: q.cert(), At: found.date, Reason: found.reason}, evidence, nil
	}
	if !c.expiredKept(q.cert()) {
		return nil, nil, fmt.Errorf("%w: CRL of %s", ErrExpired, c.Issuer)
	}
	if err := k.after(q, latest.ThisUpdate); err != nil {
		return nil, nil, err
	}
	return nil, evidence, nil
}

func (k *Checker) usable(c *CRL) error {
	if len(c.unknown) > 0 {
		return fmt.Errorf("%w: %s in the CRL of %s", ErrCritical, c.unknown[0], c.Issuer)
	}
	return k.current(c.ThisUpdate, c.NextUpdate)
}

// delta finds the latest delta that continues a complete list: steps (c) and (h).
// One that does not fit is as if it were not there.
func (k *Checker) delta(c *CRL, all []*CRL, signer *pkix.Certificate) *CRL {
	if c.Number == "" {
		return nil
	}
	for _, d := range all { // the latest first
		if d.Base == "" || !d.Issuer.Equal(c.Issuer) || !bytes.Equal(d.point, c.point) || !bytes.Equal(d.AuthorityKeyID, c.AuthorityKeyID) {
			continue
		}
		if d.Number == "" || newer(d.Base, c.Number) || !newer(d.Number, c.Number) || k.usable(d) != nil {
			continue
		}
		if k.verify(signer, d.algorithm, d.tbs, d.signature) == nil {
			return d
		}
	}
	return nil
}

// signer finds whose key signed a list, and a path from there to the anchor of the
// path in question: steps (f) and (g).
func (k *Checker) signer(ctx context.Context, q *question, c *CRL, wide bool) *signerResult {
	key := signerKey{c, q.issuer(), q.anchor(), wide}
	if s := k.signers[key]; s != nil {
		return s
	}
	leaned := k.leaned
	s := k.findSigner(ctx, q, c, wide)
	if leaned == k.leaned {
		k.signers[key] = s
	}
	return s
}

func (k *Checker) findSigner(ctx context.Context, q *question, c *CRL, wide bool) *signerResult {
	out := &signerResult{err: fmt.Errorf("%w: no certificate of the issuer of the CRL, %s", ErrUnauthorized, c.Issuer)}
	note := func(err error) {
		if out.chain == nil {
			out.err = err
		}
	}
	for i, cand := range append(slices.Clone(q.chain[1:]), k.cfg.Pool...) {
		if !cand.Subject.Equal(c.Issuer) {
			continue
		}
		if err := k.verify(cand, c.algorithm, c.tbs, c.signature); err != nil {
			note(err)
			continue
		}
		if err := maySignCRL(cand, c); err != nil {
			note(err)
			continue
		}
		if i < len(q.chain)-1 { // on the path: its own path and status are decided
			return &signerResult{chain: q.chain[1+i:]}
		}
		s := k.signerPath(ctx, q, cand, k.above(q, c, wide), q.depth+1)
		if s.err == nil {
			return s
		}
		note(s.err)
	}
	return out
}

func maySignCRL(signer *pkix.Certificate, c *CRL) error {
	if signer.HasKeyUsage && signer.KeyUsage&pkix.CRLSign == 0 {
		return fmt.Errorf("%w: %s has no key usage cRLSign", ErrUnauthorized, signer)
	}
	if c.ThisUpdate.After(signer.NotAfter) {
		return fmt.Errorf("%w: the CRL is younger than the validity of %s", ErrUnauthorized, signer)
	}
	return nil
}

// above are the certificates that can be part of the path of a list's signer: those by the names of authorities on the certificate's path.
// Another authority under the same anchor could certify a key by the issuer's name, or by that of a list's issuer whom the certificate names (section
// 6.3.3 (b)(1) and (f)), and its list would hide what was revoked. That a certificate was revoked counts from anybody under the anchor by the name
// that the certificate names: wide.
func (k *Checker) above(q *question, c *CRL, wide bool) []*pkix.Certificate {
	path := q.chain[1:]
	if wide && !c.Issuer.Equal(q.cert().Issuer) {
		return slices.Concat(path, k.cfg.Pool)
	}
	out := slices.Clone(path)
	for _, p := range k.cfg.Pool {
		if slices.ContainsFunc(path, func(a *pkix.Certificate) bool { return a.Subject.Equal(p.Subject) }) {
			out = append(out, p)
		}
	}
	return out
}

// signerPath validates the path of a statement's signer to the same anchor, and
// that nothing on it was revoked.
func (k *Checker) signerPath(ctx context.Context, q *question, signer *pkix.Certificate, pool []*pkix.Certificate, depth int) *signerResult {
	s := &signerResult{}
	p, err := pkix.Build(ctx, signer, pkix.Config{
		Anchors: []*pkix.Certificate{q.anchor()},
		Pool:    pool,
		At:      k.cfg.At,
		Issued:  k.cfg.Memory.Issued,
		Check: func(ctx context.Context, p *pkix.Path) error {
			findings, err := k.path(ctx, p.Chain, depth)
			s.evidence = nil
			for _, f := range findings {
				s.evidence = appendNew(s.evidence, f.Evidence)
			}
			return err
		},
	})
	if err != nil {
		// As text: that a signer was revoked must not read as if the certificate were.
		return &signerResult{err: fmt.Errorf("%w: %s: %v", ErrUnauthorized, signer, err)} //nolint:errorlint // see above
	}
	s.chain = p.Chain
	return s
}
