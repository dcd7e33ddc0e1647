package revocation

import (
	"bytes"
	"context"
	"crypto/sha1"
	"fmt"
	"slices"

	"github.com/assent-sign/assent/internal/pkix"
)

// byResponses looks for what OCSP responses say about a certificate. A finding or
// an error decides; nil and nil does not.
func (k *Checker) byResponses(ctx context.Context, q *question, responses []*Response, source string) (*Finding, error) {
	var good *Finding
	for _, r := range responses {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUndetermined, err)
		}
		x := r.about(q)
		if x == nil {
			if source != "" { // a response at hand may well be about another certificate
				q.no(fmt.Errorf("%w: OCSP response from %s", ErrScope, source))
			}
			continue
		}
		evidence, err := k.verifyResponse(ctx, q, r, x)
		if err != nil {
			q.no(err)
			continue
		}
		evidence[0].Source = source
		if x.status == statusRevoked {
			return k.verdict(q, &RevokedError{Certificate: q.cert(), At: x.revokedAt, Reason: x.reason}, evidence)
		}
		if err := k.good(q, x); err != nil {
			q.unknown = q.unknown || x.status == statusUnknown
			q.no(err)
			continue
		}
		if good == nil {
			good = &Finding{Certificate: q.cert(), Evidence: evidence}
		}
	}
	return good, nil
}

// about returns what a response says about a certificate, nil if nothing. Of several
// the worst counts: a response that contradicts itself must not be good.
func (r *Response) about(q *question) *single {
	var out *single
	for i := range r.singles {
		x := &r.singles[i]
		if !x.id.names(q.cert(), q.issuer()) {
			continue
		}
		if out == nil || x.status == statusRevoked || (out.status == statusGood && x.status == statusUnknown) {
			out = x
		}
	}
	return out
}

// good tells whether a verified response that does not say revoked says good, and
// of the time that matters.
func (k *Checker) good(q *question, x *single) error {
	if x.status != statusGood {
		return fmt.Errorf("%w: status unknown", ErrNotGood)
	}
	expiry := q.cert().NotAfter
	if x.thisUpdate.After(expiry) && (x.keepsExpired.IsZero() || x.keepsExpired.After(expiry)) {
		return fmt.Errorf("%w: OCSP response", ErrExpired)
	}
	return k.after(q, x.thisUpdate)
}

// verifyResponse checks time, signer and signature (RFC 6960 section 3.2).
func (k *Checker) verifyResponse(ctx context.Context, q *question, r *Response, x *single) ([]Evidence, error) {
	if len(r.unknown) > 0 {
		return nil, fmt.Errorf("%w: %s in an OCSP response", ErrCritical, r.unknown[0])
	}
	if x.unknown != "" {
		return nil, fmt.Errorf("%w: %s in an OCSP response", ErrCritical, x.unknown)
	}
	if err := k.current(x.thisUpdate, x.nextUpdate); err != nil {
		return nil, fmt.Errorf("OCSP response: %w", err)
	}
	if r.ProducedAt.After(k.cfg.At.Add(k.cfg.Skew)) || x.thisUpdate.After(r.ProducedAt.Add(k.cfg.Skew)) {
		return nil, fmt.Errorf("%w: OCSP response with thisUpdate %s, producedAt %s", ErrFuture, x.thisUpdate, r.ProducedAt)
	}
	err := fmt.Errorf("%w: no certificate of the responder", ErrUnauthorized)
	for i, cand := range k.responders(q, r) {
		if !r.isBy(cand) {
			continue
		}
		if err = k.verify(cand, r.algorithm, r.tbs, r.signature); err != nil {
			continue
		}
		if i == 0 { // the issuer itself
			if r.ProducedAt.After(cand.NotAfter) {
				err = fmt.Errorf("%w: the response is younger than the validity of %s", ErrUnauthorized, cand)
				continue
			}
			return []Evidence{{Response: r, Signer: q.chain[1:]}}, nil
		}
		var s *signerResult
		if s = k.delegate(ctx, q, cand); s.err == nil {
			return append([]Evidence{{Response: r, Signer: s.chain}}, s.evidence...), nil
		}
		err = s.err
	}
	return nil, err
}

// responders are who may have signed: the issuer first, then those that came along.
func (k *Checker) responders(q *question, r *Response) []*pkix.Certificate {
	return slices.Concat([]*pkix.Certificate{q.issuer()}, r.certs, k.cfg.Pool)
}

// isBy compares the ResponderID: a name, or the SHA-1 of the key's bits.
func (r *Response) isBy(c *pkix.Certificate) bool {
	if r.byName != nil {
		return r.byName.Equal(c.Subject)
	}
	sum := sha1.Sum(c.KeyBits)
	return bytes.Equal(r.byKey, sum[:])
}

// delegate checks an authorised responder (section 4.2.2.2): issued by the very
// issuer of the certificate in question (its name and its key), for OCSP signing by
// name, valid, and not revoked, unless the issuer wants no check. A responder cannot
// speak for itself.
func (k *Checker) delegate(ctx context.Context, q *question, cand *pkix.Certificate) *signerResult {
	refuse := func(err error) *signerResult {
		// As text: that a responder was revoked must not read as if the certificate were.
		return &signerResult{err: fmt.Errorf("%w: %s: %v", ErrUnauthorized, cand, err)} //nolint:errorlint // see above
	}
	if !slices.Contains(cand.Purposes, pkix.PurposeOCSPSigning) {
		return refuse(pkix.ErrExtKeyUsage)
	}
	if err := k.cfg.Memory.Issued(cand, q.issuer()); err != nil {
		return refuse(err)
	}
	if q.depth >= maxDepth {
		return refuse(fmt.Errorf("%w: responders about responders", ErrLimit))
	}
	var evidence []Evidence
	p, err := pkix.Build(ctx, cand, pkix.Config{
		Anchors: []*pkix.Certificate{q.anchor()}, Pool: q.chain[1:], At: k.cfg.At, Usage: pkix.DigitalSignature | pkix.ContentCommitment,
		Issued: k.cfg.Memory.Issued,
		Check: func(ctx context.Context, p *pkix.Path) error {
			if cand.OCSPNoCheck { // those above it are those above the certificate in question
				return nil
			}
			f, err := k.one(ctx, p.Chain, q.depth+1, false)
			if err == nil && f == nil {
				return fmt.Errorf("%w: the responder speaks for itself", ErrUndetermined)
			}
			if err == nil {
				evidence = f.Evidence
			}
			return err
		},
	})
	if err != nil {
		return refuse(err)
	}
	return &signerResult{chain: p.Chain, evidence: evidence}
}
