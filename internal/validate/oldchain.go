package validate

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/assent-sign/assent/internal/algo"
)

// leadsNowhere doubts a signature whose certificate leads to none that is trusted. Where one signed with an old algorithm is in the way, that is
// told: the path may be there, and nothing that such a signature says counts (EN 319 102-1, 5.2.8; TS 119 312).
func (j *judge) leadsNowhere(s *Signature, cert *x509.Certificate, between []*x509.Certificate, at time.Time) {
	old := spoiled(cert, slices.Concat(between, j.opt.Anchors), j.opt.Anchors)
	if old == nil {
		s.doubt(NoCertificateChainFound, "the certificate of %q does not lead to a trusted one", s.Signer)
		return
	}
	s.doubt(CryptoNoPOE, "the certificate of %q does not lead to a trusted one by signatures that count: %v", s.Signer, old)
	s.Present = s.Status
	s.ended(old)
	s.aged(at)
}

// spoiled looks for a way from a certificate to an anchor by names and the identifiers of keys only, and gives the error about the first old
// algorithm with which a certificate on it is signed. Nothing is verified: it says what a refusal is called. Nil if there is no such way. Each
// certificate is looked at once.
func spoiled(leaf *x509.Certificate, known, anchors []*x509.Certificate) error {
	type step struct {
		cert *x509.Certificate
		old  error
	}
	seen := map[string]bool{}
	for open := []step{{leaf, oldSignature(leaf)}}; len(open) > 0; open = open[1:] {
		at := open[0]
		for _, k := range known {
			if seen[string(k.Raw)] || !mayHaveIssued(k, at.cert) {
				continue
			}
			seen[string(k.Raw)] = true
			if slices.ContainsFunc(anchors, k.Equal) {
				if at.old != nil {
					return at.old
				}
				continue
			}
			next := step{k, at.old}
			if next.old == nil {
				next.old = oldSignature(k)
			}
			open = append(open, next)
		}
	}
	return nil
}

// mayHaveIssued goes by names, and by the identifiers of keys where both have one (RFC 5280, 4.2.1.1).
func mayHaveIssued(k, c *x509.Certificate) bool {
	return bytes.Equal(k.RawSubject, c.RawIssuer) && (len(k.SubjectKeyId) == 0 || len(c.AuthorityKeyId) == 0 || bytes.Equal(k.SubjectKeyId, c.AuthorityKeyId))
}

// oldSignature is the error about the algorithm by which a certificate is signed, if its time is over.
func oldSignature(c *x509.Certificate) error {
	digest := ""
	switch c.SignatureAlgorithm {
	case x509.MD5WithRSA:
		digest = "MD5"
	case x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		digest = "SHA-1"
	}
	if end := algo.EndedDigest(digest); end != nil {
		return fmt.Errorf("that of %q is signed with a digest of which the time is over: %w", Name(c), end)
	}
	return nil
}
