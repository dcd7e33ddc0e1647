// Package longterm collects what a signature needs to be verified long after it
// was made (ADE-03; EN 319 102-1, 5.5: the certificates of its paths and, for each, a
// statement that it was not revoked), for the levels B-LT and B-LTA. It verifies
// everything before it hands it out; what cannot be verified is an error and
// never less material.
package longterm

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pkix"
	"github.com/assent-sign/assent/internal/revocation"
	"github.com/assent-sign/assent/internal/tsp"
)

// Errors of a Collector; both wrap what was found.
var (
	// ErrPath means that no valid path leads from the certificate to a trust anchor.
	ErrPath = errors.New("longterm: no path to a trust anchor")
	// ErrStatus means that a certificate is revoked, or nothing usable says that it is not.
	ErrStatus = errors.New("longterm: revocation status")
)

// skew is how far the clocks of authorities may differ.
const skew = time.Minute

// Config is whom to trust and how to ask.
type Config struct {
	// Anchors are the trusted authorities, DER.
	Anchors [][]byte
	// Pool are further certificates that may be part of a path, DER.
	Pool [][]byte
	// Fetcher asks for the status of the certificates of authorities; it may have a
	// cache. Fresh asks for that of signers and has none.
	Fetcher, Fresh *revocation.Fetcher
	// Issuers fetches certificates of authorities that a path lacks; nil: none are.
	Issuers *revocation.Issuers
	// Now is the clock.
	Now func() time.Time
	// Past is for signatures that were made long ago: that a certificate was revoked after the time that is
	// proven is collected and no error. Of a time-stamp's authority it is one, unless the reason leaves
	// nobody else with the key: who has that can claim any time (RFC 3161, section 4).
	Past bool
}

// Collector collects for many signatures (ADE-03). It is safe for concurrent use.
type Collector struct {
	anchors, pool []*pkix.Certificate
	roots         []*x509.Certificate // the anchors, as tsp wants them
	between       []*x509.Certificate // the pool, likewise
	issuers       *revocation.Issuers
	fetcher       *revocation.Fetcher
	fresh         *revocation.Fetcher
	now           func() time.Time
	past          bool
}

// New reads the certificates.
func New(cfg Config) (*Collector, error) {
	anchors, err := pkix.ParseAll(cfg.Anchors...)
	if err != nil {
		return nil, fmt.Errorf("trust anchor: %w", err)
	}
	if len(anchors) == 0 {
		return nil, fmt.Errorf("%w: there are none", ErrPath)
	}
	pool, err := pkix.ParseAll(cfg.Pool...)
	if err != nil {
		return nil, fmt.Errorf("intermediate certificate: %w", err)
	}
	c := &Collector{anchors: anchors, pool: pool, fetcher: cfg.Fetcher, fresh: cfg.Fresh, now: cfg.Now, past: cfg.Past, issuers: cfg.Issuers}
	for _, raw := range cfg.Anchors {
		root, err := x509.ParseCertificate(raw)
		if err != nil {
			return nil, fmt.Errorf("trust anchor: %w", err)
		}
		c.roots = append(c.roots, root)
	}
	for _, raw := range cfg.Pool {
		if cert, err := x509.ParseCertificate(raw); err == nil { // what only pkix reads is no part of a time-stamp's path
			c.between = append(c.between, cert)
		}
	}
	return c, nil
}

// Material is what was collected, each item once, in DER.
type Material struct {
	Certs, OCSPs, CRLs [][]byte
}

// Add merges more material.
func (m *Material) Add(more *Material) {
	for dst, list := range map[*[][]byte][][]byte{&m.Certs: more.Certs, &m.OCSPs: more.OCSPs, &m.CRLs: more.CRLs} {
		for _, b := range list {
			add(dst, b)
		}
	}
}

func add(dst *[][]byte, b []byte) {
	if !slices.ContainsFunc(*dst, func(have []byte) bool { return bytes.Equal(have, b) }) {
		*dst = append(*dst, b)
	}
}

// Signer collects for a signer's chain (leaf first). at is when the signature is
// proven to exist; after, unless zero, is the time that the statement about the
// leaf must not be older than: one from before the signature does not say that the
// certificate was good when it was used. pool are further certificates that may be part of the path.
func (c *Collector) Signer(ctx context.Context, chain [][]byte, at, after time.Time, pool ...*x509.Certificate) (*Material, error) {
	return c.collect(ctx, chain, pool, at, after, pkix.Config{Usage: pkix.DigitalSignature | pkix.ContentCommitment})
}

// Time verifies a time-stamp token over an imprint, as it was at its own time, and gives that.
func (c *Collector) Time(token []byte, h crypto.Hash, imprint []byte) (time.Time, error) {
	info, err := tsp.VerifyTokenAmong(token, h, imprint, tsp.Beside{Issuers: c.among(nil)}, c.roots, time.Time{})
	return info.Time, err
}

// TimeStamp verifies a time-stamp token over an imprint and collects for its
// authority. pool are further certificates that may be part of its path.
func (c *Collector) TimeStamp(ctx context.Context, token []byte, h crypto.Hash, imprint []byte, pool ...*x509.Certificate) (*Material, error) {
	info, err := tsp.VerifyTokenAmong(token, h, imprint, c.beside(pool), c.roots, time.Time{})
	if errors.Is(err, tsp.ErrChain) {
		more, failed := c.Candidates(ctx, append(tokenCertificates(token), pool...)...)
		if len(more) == 0 {
			return nil, errors.Join(err, failed)
		}
		pool = append(slices.Clone(pool), more...)
		info, err = tsp.VerifyTokenAmong(token, h, imprint, c.beside(pool), c.roots, time.Time{})
	}
	if err != nil {
		return nil, err
	}
	var chain [][]byte
	for _, cert := range info.Chain {
		add(&chain, cert.Raw)
	}
	return c.collect(ctx, chain, pool, info.Time, time.Time{}, pkix.Config{Purpose: pkix.PurposeTimeStamping, Strict: true})
}

// beside is pool for what verifies a token.
func (c *Collector) beside(pool []*x509.Certificate) tsp.Beside {
	return tsp.Beside{Issuers: c.among(pool), Authorities: func() []*x509.Certificate { return pool }}
}

// tokenCertificates are those that a token has in it.
func tokenCertificates(token []byte) []*x509.Certificate {
	sd, err := cms.ParseBER(token)
	if err != nil {
		return nil
	}
	return sd.Certificates()
}

// path builds one from the first of a signature's certificates. What was fetched for it is part of it only if all
// of it is valid up to an anchor.
func (c *Collector) path(ctx context.Context, chain []*pkix.Certificate, pool []*x509.Certificate, want pkix.Config) (*pkix.Path, error) {
	var own []*x509.Certificate
	for _, p := range chain {
		if cert, err := x509.ParseCertificate(p.Raw); err == nil {
			own = append(own, cert)
		}
	}
	build := func(more []*x509.Certificate) (*pkix.Path, error) {
		want.Pool = append(slices.Clone(chain[1:]), c.pool...)
		for _, cert := range certs.Issuers(own, more) {
			if p, err := pkix.Parse(cert.Raw); err == nil {
				want.Pool = append(want.Pool, p)
			}
		}
		return pkix.Build(ctx, chain[0], want)
	}
	path, err := build(pool)
	if err == nil || c.issuers == nil {
		return path, err
	}
	more, failed := c.Candidates(ctx, append(own, certs.Issuers(own, pool)...)...)
	if len(more) == 0 {
		return nil, errors.Join(err, failed)
	}
	return build(append(slices.Clone(pool), more...))
}

func (c *Collector) collect(ctx context.Context, chain [][]byte, pool []*x509.Certificate, at, after time.Time, want pkix.Config) (*Material, error) {
	own, err := pkix.ParseAll(chain...)
	if err != nil || len(own) == 0 {
		return nil, fmt.Errorf("%w: %w", ErrPath, errors.Join(err, errors.New("certificates of the signature")))
	}
	want.Anchors, want.At = c.anchors, at
	path, err := c.path(ctx, own, pool, want)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPath, err)
	}
	m := &Material{}
	for _, cert := range path.Chain {
		add(&m.Certs, cert.Raw)
	}
	// The leaf apart from its authorities: only about the leaf must the statement be
	// fresh, since lists of authorities appear rarely.
	q := question{after: after, stamp: want.Purpose == pkix.PurposeTimeStamping}
	if c.past {
		q.existed = at
	}
	if err := c.check(ctx, m, &pkix.Path{Chain: path.Chain[:min(2, len(path.Chain))]}, c.fresh, q); err != nil {
		return nil, err
	}
	q.after = time.Time{}
	return m, c.check(ctx, m, &pkix.Path{Chain: path.Chain[1:]}, c.fetcher, q)
}

// question is what is asked about the certificates of a path.
type question struct {
	after   time.Time // the statement about the first must not be older; zero for any
	existed time.Time // revoked later is no error; zero if it is
	stamp   bool      // of a time-stamp's authority
}

func (c *Collector) check(ctx context.Context, m *Material, p *pkix.Path, fetcher *revocation.Fetcher, q question) error {
	if len(p.Chain) < 2 {
		return nil
	}
	// Statements tell their time in whole seconds.
	k, err := revocation.New(revocation.Config{At: c.now(), After: q.after.Truncate(time.Second), Existed: q.existed, Skew: skew, Pool: c.pool, Fetcher: fetcher})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStatus, err)
	}
	findings, err := k.Check(ctx, p)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStatus, err)
	}
	for _, f := range findings {
		if !f.RevokedAt.IsZero() && q.stamp && !keepsKey(f.Reason) {
			return fmt.Errorf("%w: %w", ErrStatus, &revocation.RevokedError{Certificate: f.Certificate, At: f.RevokedAt, Reason: f.Reason})
		}
		for _, e := range f.Evidence {
			if e.Response != nil {
				add(&m.OCSPs, e.Response.Raw)
			}
			if e.CRL != nil {
				add(&m.CRLs, e.CRL.Raw)
			}
			for _, s := range e.Signer {
				add(&m.Certs, s.Raw)
			}
		}
	}
	return nil
}

// keepsKey tells whether a reason of revocation leaves nobody else with the key.
func keepsKey(r revocation.Reason) bool {
	return r == revocation.AffiliationChanged || r == revocation.Superseded || r == revocation.CessationOfOperation
}
