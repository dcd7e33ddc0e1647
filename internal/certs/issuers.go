package certs

import (
	"crypto/x509"
	"slices"
)

// maxIssuers bounds what Issuers gives; a store of validation data can hold thousands.
const maxIssuers = 50

// Issuers are certificates of a pool that by their names can have issued one of those given, or one another. Nothing is
// verified: they are candidates for a path.
func Issuers(of, pool []*x509.Certificate) []*x509.Certificate {
	return Above(of, pool, Fields[*x509.Certificate]{
		Subject: func(c *x509.Certificate) string { return string(c.RawSubject) },
		Issuer:  func(c *x509.Certificate) string { return string(c.RawIssuer) },
		Raw:     func(c *x509.Certificate) []byte { return c.Raw },
	})
}

// Fields are what a search for issuers goes by, of certificates as some package reads them.
type Fields[C any] struct {
	Subject, Issuer func(C) string // equal for equal names
	Raw             func(C) []byte
}

// Above is Issuers for certificates as some package reads them. Each name and certificate is looked at once: files can bring
// thousands, all of one name.
func Above[C any](of, pool []C, f Fields[C]) []C {
	named := map[string][]C{}
	for _, c := range pool {
		name := f.Subject(c)
		named[name] = append(named[name], c)
	}
	taken := map[string]bool{}
	for _, c := range of {
		taken[string(f.Raw(c))] = true
	}
	var out []C
	open := slices.Clone(of)
	for ; len(open) > 0 && len(out) < maxIssuers; open = open[1:] {
		name := f.Issuer(open[0])
		for _, c := range named[name] {
			if raw := string(f.Raw(c)); len(out) < maxIssuers && !taken[raw] {
				taken[raw], open, out = true, append(open, c), append(out, c)
			}
		}
		delete(named, name)
	}
	return out
}
