package longterm

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/pkix"
)

// Bounds of what is asked for one signature or file.
const (
	maxFetched = 16 // certificates whose issuers are asked for
	maxWait    = time.Minute
)

// Candidates fetches certificates of authorities for which neither the given certificates, nor the pool, nor the anchors have
// one of the name and key, from where the certificates say that they are (RFC 5280, 4.2.2.1), up to the anchors. Nothing
// is verified. Without Config.Issuers there are none. The error says what could not be had; what was is given
// beside it.
func (c *Collector) Candidates(ctx context.Context, of ...*x509.Certificate) ([]*x509.Certificate, error) {
	if c.issuers == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	var open []*pkix.Certificate
	for _, cert := range of {
		if p, err := pkix.Parse(cert.Raw); err == nil {
			open = append(open, p)
		}
	}
	known := slices.Concat(open, c.pool, c.anchors)
	var out []*x509.Certificate
	var failed []error
	for asked := 0; len(open) > 0 && asked < maxFetched; open = open[1:] {
		if slices.ContainsFunc(known, func(k *pkix.Certificate) bool { return mayIssue(k, open[0]) }) {
			continue
		}
		asked++
		found, err := c.issuers.Of(ctx, open[0])
		if err != nil {
			failed = append(failed, err)
		}
		for _, f := range found {
			if cert, err := x509.ParseCertificate(f.Raw); err == nil {
				known, open, out = append(known, f), append(open, f), append(out, cert)
			}
		}
	}
	return out, errors.Join(failed...)
}

// mayIssue tells whether an authority by its name, and by the identifier of its key where both say one, can have issued a
// certificate: an authority that has taken a new key keeps its name (RFC 5280, 4.2.1.1).
func mayIssue(k, c *pkix.Certificate) bool {
	return k.Subject.Equal(c.Issuer) && (len(k.SubjectKeyID) == 0 || len(c.AuthorityKeyID) == 0 || bytes.Equal(k.SubjectKeyID, c.AuthorityKeyID))
}

// among gives the issuers for certificates, of a pool and the collector's own.
func (c *Collector) among(pool []*x509.Certificate) func(...*x509.Certificate) []*x509.Certificate {
	return func(known ...*x509.Certificate) []*x509.Certificate {
		return certs.Issuers(known, slices.Concat(pool, c.between))
	}
}
