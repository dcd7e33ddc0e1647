// Package paths finds the path from a signer's or a time-stamp authority's certificate to a trusted one. Two builders look for it. That of
// crypto/x509 is the first, and what it finds is held against all of RFC 5280, section 6.1 (pkix.Judge). It passes over valid paths:
// it compares names octet by octet (section 7.1 does not), and refuses critical limits of directory names, which it does not know. Where it
// found none for such a reason, our own builder looks, which finds no path that section 6.1 refuses.
package paths

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/pkix"
)

// Verify is certs.Verify by both builders. The error is that of the first.
func Verify(ctx context.Context, leaf *x509.Certificate, between, anchors []*x509.Certificate, at time.Time, usage certs.Usage) ([]*x509.Certificate, error) {
	path, err := certs.Verify(leaf, between, anchors, at, usage, func(path []*x509.Certificate) error { return pkix.Judge(path, at) })
	if err == nil || !narrow(err) {
		return path, err
	}
	own, ownErr := build(ctx, leaf, between, anchors, at, usage)
	if ownErr != nil {
		return nil, err
	}
	return own, nil
}

// narrow tells whether the first builder may have refused what is valid.
func narrow(err error) bool {
	for _, e := range []error{certs.ErrConstraint, certs.ErrCritical, certs.ErrUnknownIssuer, certs.ErrChain} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func build(ctx context.Context, leaf *x509.Certificate, between, anchors []*x509.Certificate, at time.Time, usage certs.Usage) ([]*x509.Certificate, error) {
	end, err := pkix.Parse(leaf.Raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", leaf.Subject, err)
	}
	known := map[string]*x509.Certificate{string(leaf.Raw): leaf}
	cfg := pkix.Config{Anchors: parsed(anchors, known), Pool: parsed(between, known), At: at}
	if usage == certs.TimeStamp {
		cfg.Purpose, cfg.Strict = pkix.PurposeTimeStamping, true
	}
	var path []*x509.Certificate
	cfg.Check = func(_ context.Context, p *pkix.Path) error {
		path = nil
		for _, c := range p.Chain {
			path = append(path, known[string(c.Raw)])
		}
		return certs.CheckPath(path, usage)
	}
	_, err = pkix.Build(ctx, end, cfg)
	return path, err
}

// parsed reads certificates for the second builder; one that it cannot read is no part of a path.
func parsed(list []*x509.Certificate, known map[string]*x509.Certificate) (out []*pkix.Certificate) {
	for _, c := range list {
		if p, err := pkix.Parse(c.Raw); err == nil {
			known[string(p.Raw)] = c
			out = append(out, p)
		}
	}
	return out
}
