package validate

import (
	"crypto/x509"
	"slices"
)

// maxIssuers bounds the certificates that a path may lead over besides those of the signature itself; a
// store of validation data can hold thousands.
const maxIssuers = 50

// issuers are certificates of the file's validation data that can have issued one of those given, or
// one another: many files carry the chain of a signature, or of a time-stamp, there only.
func (j *judge) issuers(of ...*x509.Certificate) []*x509.Certificate {
	var out []*x509.Certificate
	open := j.parsed(of)
	taken := slices.Clone(open)
	for len(open) > 0 && len(out) < maxIssuers {
		name := open[0].Issuer
		open = open[1:]
		for _, c := range j.pool {
			if !c.Subject.Equal(name) || slices.ContainsFunc(taken, c.Equal) {
				continue
			}
			cert, err := x509.ParseCertificate(c.Raw)
			if err != nil || len(out) >= maxIssuers {
				continue
			}
			taken, open, out = append(taken, c), append(open, c), append(out, cert)
		}
	}
	return out
}
