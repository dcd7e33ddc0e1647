package certs

import (
	"bytes"
	"crypto/x509"
	"slices"
)

// maxIssuers bounds what Issuers gives; a store of validation data can hold thousands.
const maxIssuers = 50

// Issuers are certificates of a pool that by their names can have issued one of those given, or one another. Nothing is
// verified: they are candidates for a path.
func Issuers(of, pool []*x509.Certificate) []*x509.Certificate {
	var out []*x509.Certificate
	open := slices.Clone(of)
	taken := slices.Clone(of)
	for len(open) > 0 && len(out) < maxIssuers {
		name := open[0].RawIssuer
		open = open[1:]
		for _, c := range pool {
			if len(out) < maxIssuers && bytes.Equal(c.RawSubject, name) && !slices.ContainsFunc(taken, c.Equal) {
				taken, open, out = append(taken, c), append(open, c), append(out, c)
			}
		}
	}
	return out
}
