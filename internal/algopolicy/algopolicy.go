// Package algopolicy says which signature algorithms may be used with which key
// types, and until when. It is two dated tables and the questions that are asked
// of them: an algorithm whose end has come is refused by the clock alone, without
// a new build or a new configuration (CRY-06).
//
// Sources: ETSI TS 119 312 V1.5.1 as the machine-readable policy of the EU DSS
// project gives it, and the ECCG Agreed Cryptographic Mechanisms 2.0, of which
// only the recommended set is taken, as new deployments must (CRY-03). What no
// row allows is refused: SHA-1, RSA below 1900 bits, curves below 256 bits
// (CRY-02), EdDSA and post-quantum schemes, to which no AdES profile refers yet
// (CRY-04). Brainpool and FRP256v1 are allowed by both but not implemented here.
package algopolicy

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/assent-sign/assent/internal/algo"
)

// Names of the profiles.
const (
	ETSI = "etsi-119312-1.5.1" // ETSI TS 119 312 V1.5.1
	ECCG = "eccg-2.0"          // ECCG ACM 2.0, recommended mechanisms only
)

// horizon is how long before its end an algorithm is warned of (CRY-01).
const horizon = 12 // months

// Errors. ErrEnded also tells of one whose time has not begun.
var (
	ErrProfile    = errors.New("algopolicy: unknown profile")
	ErrNotAllowed = errors.New("algopolicy: not allowed by the profile")
	ErrEnded      = errors.New("algopolicy: allowed by the profile, but not at that time")
)

// Row allows algorithms with a key type from one moment (inclusive) until
// another (exclusive), both UTC. A zero time is no bound.
type Row struct {
	Key         algo.KeyType
	Algs        []algo.Algorithm
	From, Until time.Time
}

// Policy is a profile, possibly narrowed. It never changes.
type Policy struct {
	name string
	rows []Row
}

// Dates of the tables: publication of the two documents, and the one end so far.
var (
	etsiFrom = time.Date(2024, 8, 1, 0, 0, 0, 0, time.UTC)
	eccgFrom = time.Date(2025, 4, 1, 0, 0, 0, 0, time.UTC)
	// legacyEnd: RSA below 3000 bits and RSASSA-PKCS1-v1_5 until 31 December 2028.
	legacyEnd = time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC)
	open      time.Time
)

var (
	pkcs1 = []algo.Algorithm{algo.RS256, algo.RS384, algo.RS512}
	pss   = []algo.Algorithm{algo.PS256, algo.PS384, algo.PS512}
)

// tables are the profiles, row by row: the whole policy (CRY-01, CRY-03).
var tables = map[string][]Row{
	ETSI: {
		{algo.P256, []algo.Algorithm{algo.ES256}, etsiFrom, open},
		{algo.P384, []algo.Algorithm{algo.ES384}, etsiFrom, open},
		{algo.P521, []algo.Algorithm{algo.ES512}, etsiFrom, open},
		{algo.RSA2048, pkcs1, etsiFrom, legacyEnd},
		{algo.RSA2048, pss, etsiFrom, legacyEnd},
		{algo.RSA3072, pkcs1, etsiFrom, legacyEnd},
		{algo.RSA3072, pss, etsiFrom, open},
		{algo.RSA4096, pkcs1, etsiFrom, legacyEnd},
		{algo.RSA4096, pss, etsiFrom, open},
	},
	ECCG: {
		{algo.P256, []algo.Algorithm{algo.ES256}, eccgFrom, open},
		{algo.P384, []algo.Algorithm{algo.ES384}, eccgFrom, open},
		{algo.P521, []algo.Algorithm{algo.ES512}, eccgFrom, open},
		{algo.RSA3072, pss, eccgFrom, open},
		{algo.RSA4096, pss, eccgFrom, open},
	},
}

// Profile returns a profile by its name; "" is ETSI. ErrProfile.
func Profile(name string) (*Policy, error) {
	if name == "" {
		name = ETSI
	}
	rows, ok := tables[name]
	if !ok {
		return nil, fmt.Errorf("%w: %q is not %s or %s", ErrProfile, name, ETSI, ECCG)
	}
	return &Policy{name: name, rows: rows}, nil
}

// Name is the profile's name.
func (p *Policy) Name() string { return p.name }

// Narrow brings the end of an algorithm with a key type forward: what an operator
// does when one is broken before its time. It can only take away; an algorithm
// that the profile does not have gives ErrNotAllowed.
func (p *Policy) Narrow(kt algo.KeyType, a algo.Algorithm, until time.Time) (*Policy, error) {
	out := &Policy{name: p.name}
	found := false
	for _, r := range p.rows {
		var rest []algo.Algorithm
		for _, have := range r.Algs {
			if r.Key != kt || have != a {
				rest = append(rest, have)
				continue
			}
			found = true
			end := until.UTC()
			if !r.Until.IsZero() && r.Until.Before(end) {
				end = r.Until
			}
			out.rows = append(out.rows, Row{kt, []algo.Algorithm{a}, r.From, end})
		}
		if len(rest) > 0 {
			out.rows = append(out.rows, Row{r.Key, rest, r.From, r.Until})
		}
	}
	if !found {
		return nil, fmt.Errorf("%w: %s with %s is not in %s", ErrNotAllowed, a, kt, p.name)
	}
	return out, nil
}

// Check tells whether a key of type kt may sign with a at time t. ErrNotAllowed,
// ErrEnded.
func (p *Policy) Check(kt algo.KeyType, a algo.Algorithm, t time.Time) error {
	r := p.row(kt, a)
	switch {
	case r == nil || !kt.Fits(a):
		return fmt.Errorf("%w: %s with a key of type %.16q", ErrNotAllowed, a, string(kt))
	case t.Before(r.From):
		return fmt.Errorf("%w: %s with %s from %s on", ErrEnded, a, kt, r.From.Format(time.DateOnly))
	case !r.Until.IsZero() && !t.Before(r.Until):
		return fmt.Errorf("%w: %s with %s until %s", ErrEnded, a, kt, r.Until.Format(time.DateOnly))
	}
	return nil
}

func (p *Policy) row(kt algo.KeyType, a algo.Algorithm) *Row {
	for i, r := range p.rows {
		if r.Key != kt {
			continue
		}
		for _, have := range r.Algs {
			if have == a {
				return &p.rows[i]
			}
		}
	}
	return nil
}

// Algorithms lists what a key of type kt may sign with at time t: the key type's
// usual one first when it may, then PSS before PKCS#1.
func (p *Policy) Algorithms(kt algo.KeyType, t time.Time) []algo.Algorithm {
	var out []algo.Algorithm
	add := func(a algo.Algorithm) {
		for _, have := range out {
			if have == a {
				return
			}
		}
		if p.Check(kt, a, t) == nil {
			out = append(out, a)
		}
	}
	add(kt.Default())
	for _, a := range algo.All() {
		add(a)
	}
	return out
}

// Choose returns the algorithm of a JOSE name that a key of type kt may use at
// time t; "" is the first of Algorithms. ErrNotAllowed, ErrEnded.
func (p *Policy) Choose(name string, kt algo.KeyType, t time.Time) (algo.Algorithm, error) {
	if name == "" {
		if list := p.Algorithms(kt, t); len(list) > 0 {
			return list[0], nil
		}
		return 0, fmt.Errorf("%w: nothing with a key of type %.16q at %s", ErrNotAllowed, string(kt), t.UTC().Format(time.DateOnly))
	}
	a, err := algo.Parse(name)
	if err != nil {
		return 0, fmt.Errorf("%w: %.16q", ErrNotAllowed, name)
	}
	return a, p.Check(kt, a, t)
}

// Warning tells of an algorithm that ends within 12 months, or has ended.
type Warning struct {
	Key   algo.KeyType
	Alg   algo.Algorithm
	Until time.Time
	Ended bool
}

// Warnings lists, in the order of the table, what ends within 12 months of t or
// has ended (CRY-01).
func (p *Policy) Warnings(t time.Time) []Warning {
	var out []Warning
	for _, r := range p.rows {
		if r.Until.IsZero() || t.Before(r.Until.AddDate(0, -horizon, 0)) {
			continue
		}
		for _, a := range r.Algs {
			out = append(out, Warning{Key: r.Key, Alg: a, Until: r.Until, Ended: !t.Before(r.Until)})
		}
	}
	return out
}

// String is a line for operators.
func (w Warning) String() string {
	verb := "ends"
	if w.Ended {
		verb = "ended"
	}
	return fmt.Sprintf("%s with %s %s on %s", w.Alg, w.Key, verb, w.Until.Format(time.DateOnly))
}

// minRSA is what no date brings back: RSA below 1900 bits (CRY-02).
const minRSA = 1900

// certificateSignatures are the signature algorithms that a certificate may be
// signed with; all others, SHA-1 and EdDSA among them, are refused.
var certificateSignatures = map[x509.SignatureAlgorithm]bool{
	x509.SHA256WithRSA: true, x509.SHA384WithRSA: true, x509.SHA512WithRSA: true,
	x509.SHA256WithRSAPSS: true, x509.SHA384WithRSAPSS: true, x509.SHA512WithRSAPSS: true,
	x509.ECDSAWithSHA256: true, x509.ECDSAWithSHA384: true, x509.ECDSAWithSHA512: true,
}

// CheckCertificate refuses what is refused always, whatever the profile and the
// date (CRY-02, CRY-04): a certificate signed with anything but SHA-2 and RSA or
// ECDSA, or over an RSA key below 1900 bits, a curve below 256 bits, or a key of
// another kind. Which of the rest a CA uses is the CA's own policy. ErrNotAllowed.
func CheckCertificate(c *x509.Certificate) error {
	if !certificateSignatures[c.SignatureAlgorithm] {
		return fmt.Errorf("%w: certificate signed with %s", ErrNotAllowed, c.SignatureAlgorithm)
	}
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSA {
			return fmt.Errorf("%w: RSA key of %d bits", ErrNotAllowed, k.N.BitLen())
		}
	case *ecdsa.PublicKey:
		if n := k.Curve.Params().BitSize; n < 256 {
			return fmt.Errorf("%w: EC key of %d bits", ErrNotAllowed, n)
		}
	default:
		return fmt.Errorf("%w: key of kind %T", ErrNotAllowed, k)
	}
	return nil
}
