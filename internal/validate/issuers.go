package validate

import (
	"crypto/x509"
	"slices"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/pkix"
)

// issuers are certificates of the file's validation data that can have issued one of those given, or
// one another: many files carry the chain of a signature, or of a time-stamp, there only.
func (j *judge) issuers(of ...*x509.Certificate) []*x509.Certificate {
	var out []*x509.Certificate
	for _, c := range certs.Above(j.parsed(of), j.pool, certs.Fields[*pkix.Certificate]{
		Subject: func(c *pkix.Certificate) string { return c.Subject.Key() },
		Issuer:  func(c *pkix.Certificate) string { return c.Issuer.Key() },
		Raw:     func(c *pkix.Certificate) []byte { return c.Raw },
	}) {
		if cert, err := x509.ParseCertificate(c.Raw); err == nil {
			out = append(out, cert)
		}
	}
	return out
}

// stampers are certificates of the signature and of the file's validation data that can be that of a time-stamp
// authority: for a token that carries none.
func (j *judge) stampers(s *Signature) []*x509.Certificate {
	out := slices.Clone(s.others)
	for _, c := range j.pool {
		if !slices.Contains(c.Purposes, pkix.PurposeTimeStamping) {
			continue
		}
		if cert, err := x509.ParseCertificate(c.Raw); err == nil {
			out = append(out, cert)
		}
	}
	return out
}
