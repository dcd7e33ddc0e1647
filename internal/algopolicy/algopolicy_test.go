package algopolicy_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/algopolicy"
)

var (
	now       = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	lastDay   = time.Date(2028, 12, 31, 23, 59, 59, 0, time.UTC)
	ended     = lastDay.Add(time.Second)
	never     = time.Time{}
	far       = time.Date(2060, 1, 1, 0, 0, 0, 0, time.UTC)
	rs, ps    = []algo.Algorithm{algo.RS256, algo.RS384, algo.RS512}, []algo.Algorithm{algo.PS256, algo.PS384, algo.PS512}
	keyTypes  = []algo.KeyType{algo.P256, algo.P384, algo.P521, algo.RSA2048, algo.RSA3072, algo.RSA4096}
	ecdsaAlgs = map[algo.KeyType]algo.Algorithm{algo.P256: algo.ES256, algo.P384: algo.ES384, algo.P521: algo.ES512}
)

func profile(t *testing.T, name string) *algopolicy.Policy {
	t.Helper()
	p, err := algopolicy.Profile(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wantEnd says what the requirement says, independently of the table: ok is
// false for what is never allowed, end is zero for what has no end.
func wantEnd(name string, kt algo.KeyType, a algo.Algorithm) (end time.Time, ok bool) {
	if ec, isEC := ecdsaAlgs[kt]; isEC {
		return never, a == ec
	}
	legacy := kt == algo.RSA2048 || slices.Contains(rs, a)
	switch {
	case !slices.Contains(rs, a) && !slices.Contains(ps, a):
		return never, false
	case name == algopolicy.ECCG:
		return never, !legacy
	case legacy:
		return ended, true
	}
	return never, true
}

// CRY-01: SHA-2 of 256 bits or more; RSA-PSS with 3000 bits or more and ECDSA on
// P-256, P-384 and P-521 without end; RSASSA-PKCS1-v1_5 and RSA below 3000 bits
// until 31 December 2028. Every cell of key type, algorithm and date.
func TestCRY01TableByDate(t *testing.T) {
	for _, name := range []string{algopolicy.ETSI, algopolicy.ECCG} {
		p := profile(t, name)
		for _, kt := range keyTypes {
			for _, a := range algo.All() {
				end, ok := wantEnd(name, kt, a)
				for _, at := range []time.Time{now, lastDay, ended, far} {
					err := p.Check(kt, a, at)
					switch {
					case !ok && !errors.Is(err, algopolicy.ErrNotAllowed):
						t.Errorf("%s: %s with %s at %v: %v, want ErrNotAllowed", name, a, kt, at, err)
					case ok && !end.IsZero() && !at.Before(end) && !errors.Is(err, algopolicy.ErrEnded):
						t.Errorf("%s: %s with %s at %v: %v, want ErrEnded", name, a, kt, at, err)
					case ok && (end.IsZero() || at.Before(end)) && err != nil:
						t.Errorf("%s: %s with %s at %v: %v", name, a, kt, at, err)
					}
				}
			}
		}
	}
}

// CRY-01: warnings begin 12 months before the end, to the second, name what ends,
// and stay once it has ended.
func TestCRY01WarningsTwelveMonthsBefore(t *testing.T) {
	p := profile(t, algopolicy.ETSI)
	begin := time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)
	if w := p.Warnings(begin.Add(-time.Second)); len(w) != 0 {
		t.Errorf("a year and a second before: %v", w)
	}
	w := p.Warnings(begin)
	if len(w) != 4*3 {
		t.Fatalf("%d warnings, want PKCS#1 and PSS of RSA-2048 and PKCS#1 of the others: %v", len(w), w)
	}
	for _, x := range w {
		if x.Ended || !x.Until.Equal(ended) || (x.Key != algo.RSA2048 && !slices.Contains(rs, x.Alg)) {
			t.Errorf("%+v", x)
		}
	}
	if s := w[0].String(); s != "RS256 with RSA-2048 ends on 2029-01-01" {
		t.Error(s)
	}
	for _, x := range p.Warnings(ended) {
		if !x.Ended || x.String() != x.Alg.String()+" with "+string(x.Key)+" ended on 2029-01-01" {
			t.Errorf("%v", x)
		}
	}
}

// CRY-03: the ECCG profile has the recommended set only, so a new deployment
// under it makes no RSA-2048 key and no PKCS#1 signature today.
func TestCRY03RecommendedSetOnly(t *testing.T) {
	p := profile(t, "eccg-2.0")
	if got := p.Algorithms(algo.RSA2048, now); len(got) != 0 {
		t.Errorf("RSA-2048: %v", got)
	}
	if got := p.Algorithms(algo.RSA3072, now); !slices.Equal(got, ps) {
		t.Errorf("RSA-3072: %v, want PSS only", got)
	}
	if a, err := p.Choose("", algo.RSA4096, now); err != nil || a != algo.PS256 {
		t.Errorf("default of RSA-4096: %s, %v", a, err)
	}
	if _, err := algopolicy.Profile("eccg"); !errors.Is(err, algopolicy.ErrProfile) {
		t.Errorf("unknown profile: %v", err)
	}
	if p := profile(t, ""); p.Name() != algopolicy.ETSI {
		t.Errorf("default profile %s", p.Name())
	}
}

// CRY-02, CRY-04: names outside the table are refused at every date, in both
// profiles, for every key type.
func TestCRY04UnreferencedSchemesAreOff(t *testing.T) {
	for _, name := range []string{algopolicy.ETSI, algopolicy.ECCG} {
		p := profile(t, name)
		for _, alg := range []string{"EdDSA", "Ed25519", "Ed448", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87", "SLH-DSA-SHA2-128s",
			"RS1", "ES224", "ES256K", "HS256", "none", "ps256", "RS256 "} {
			for _, kt := range append(keyTypes, "Ed25519", "ML-DSA-65", "RSA-1024", "P-224", "") {
				for _, at := range []time.Time{never, now, far} {
					if _, err := p.Choose(alg, kt, at); !errors.Is(err, algopolicy.ErrNotAllowed) {
						t.Errorf("%s: %q with %q at %v: %v", name, alg, kt, at, err)
					}
				}
			}
		}
	}
}

// CRY-02: SHA-1, RSA below 1900 bits, curves below 256 bits, and CRY-04 EdDSA are
// refused in certificates whatever the date.
func TestCRY02CertificatesNeverAllowed(t *testing.T) {
	rsaKey := func(bits int) crypto.Signer {
		t.Setenv("GODEBUG", "rsa1024min=0")
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	ecKey := func(c elliptic.Curve) crypto.Signer {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issuer := ecKey(elliptic.P256())
	cert := func(subject, by crypto.Signer) *x509.Certificate {
		tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotBefore: now, NotAfter: far}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, subject.Public(), by)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	sha1 := cert(ecKey(elliptic.P256()), issuer)
	sha1.SignatureAlgorithm = x509.SHA1WithRSA // x509 makes none
	for name, c := range map[string]*x509.Certificate{
		"signed with SHA-1":   sha1,
		"RSA-1024":            cert(rsaKey(1024), issuer),
		"RSA-1896":            cert(rsaKey(1896), issuer),
		"P-224":               cert(ecKey(elliptic.P224()), issuer),
		"Ed25519 key":         cert(ed, issuer),
		"signed with Ed25519": cert(ecKey(elliptic.P256()), ed),
	} {
		if err := algopolicy.CheckCertificate(c); !errors.Is(err, algopolicy.ErrNotAllowed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, k := range map[string]crypto.Signer{"P-256": ecKey(elliptic.P256()), "P-521": ecKey(elliptic.P521()), "RSA-2048": rsaKey(2048)} {
		if err := algopolicy.CheckCertificate(cert(k, issuer)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// CRY-06: an end is a date: nothing but the clock moves, and the algorithm is
// refused. An operator can bring an end forward and cannot put one off.
func TestCRY06EndDateBlocksByTheClock(t *testing.T) {
	p := profile(t, algopolicy.ETSI)
	if p.Check(algo.RSA2048, algo.PS256, lastDay) != nil || !errors.Is(p.Check(algo.RSA2048, algo.PS256, ended), algopolicy.ErrEnded) {
		t.Error("RSA-2048 does not end with 2028")
	}
	broken := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	q, err := p.Narrow(algo.P256, algo.ES256, broken)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Check(algo.P256, algo.ES256, broken.Add(-time.Second)); err != nil {
		t.Error(err)
	}
	if err := q.Check(algo.P256, algo.ES256, broken); !errors.Is(err, algopolicy.ErrEnded) {
		t.Errorf("at the narrowed end: %v", err)
	}
	if p.Check(algo.P256, algo.ES256, far) != nil || q.Check(algo.P384, algo.ES384, far) != nil || q.Check(algo.RSA3072, algo.PS256, far) != nil {
		t.Error("narrowing one algorithm changed another, or the profile itself")
	}
	if w := q.Warnings(now); len(w) != 1 || w[0].Key != algo.P256 || !w[0].Until.Equal(broken) {
		t.Errorf("warnings %v", w)
	}
	if q, err = p.Narrow(algo.RSA2048, algo.RS256, far); err != nil || !errors.Is(q.Check(algo.RSA2048, algo.RS256, ended), algopolicy.ErrEnded) {
		t.Errorf("a later end was taken: %v", err)
	}
	if _, err := p.Narrow(algo.P256, algo.ES384, broken); !errors.Is(err, algopolicy.ErrNotAllowed) {
		t.Errorf("narrowing what is not allowed: %v", err)
	}
}

// The default comes first, then the rest in a fixed order, none twice.
func TestAlgorithmsInOrder(t *testing.T) {
	p := profile(t, algopolicy.ETSI)
	for _, c := range []struct {
		kt   algo.KeyType
		at   time.Time
		want []algo.Algorithm
	}{
		{algo.P256, ended, []algo.Algorithm{algo.ES256}},
		{algo.P521, ended, []algo.Algorithm{algo.ES512}},
		{algo.RSA2048, lastDay, slices.Concat(rs, ps)},
		{algo.RSA2048, ended, nil},
		{algo.RSA3072, ended, ps},
		{"RSA-1024", now, nil},
		{"", now, nil},
	} {
		if got := p.Algorithms(c.kt, c.at); !slices.Equal(got, c.want) {
			t.Errorf("%s at %v: %v, want %v", c.kt, c.at, got, c.want)
		}
	}
}
