package pkix_test

import (
	"bytes"
	"crypto/x509"
	xpkix "crypto/x509/pkix"
	"errors"
	"slices"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/der"
	"github.com/assent-sign/assent/internal/pkix"
	. "github.com/assent-sign/assent/internal/pkix/pkixtest"
)

// name builds a Name: one part for each pair of tag and text, all of type CN.
func name(t *testing.T, parts ...any) pkix.Name {
	t.Helper()
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for i := 0; i < len(parts); i += 2 {
			b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddBytes([]byte{6, 3, 0x55, 4, 3})
					b.AddASN1(parts[i].(asn1.Tag), func(b *cryptobyte.Builder) { b.AddBytes([]byte(parts[i+1].(string))) })
				})
			})
		}
	})
	n, err := pkix.ParseName(b.BytesOrPanic())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// RFC 5280 section 7.1, RFC 4518: what one name is, and what is another. Excluded
// subtrees stand on it: a name that differs only in spelling must not escape.
func TestNamesAreComparedByMeaning(t *testing.T) {
	base := name(t, asn1.UTF8String, "Café Ünion")
	for what, same := range map[string]pkix.Name{
		"case":             name(t, asn1.UTF8String, "CAFÉ üNION"),
		"white space":      name(t, asn1.UTF8String, "  Café \t  Ünion "),
		"combining accent": name(t, asn1.UTF8String, "Cafe\u0301 U\u0308nion"),
		"invisible":        name(t, asn1.UTF8String, "Ca\u00adfé Ünion\u200d"),
		"wide letters":     name(t, asn1.UTF8String, "Café Ünion"),
		"ISO 8859-1":       name(t, asn1.T61String, "Caf\xe9 \xdcnion"),
		"BMPString":        name(t, asn1.Tag(30), "\x00C\x00a\x00f\x00\xe9\x00 \x00\xdc\x00n\x00i\x00o\x00n"),
	} {
		if !base.Equal(same) || base.Key() != same.Key() {
			t.Errorf("%s: %s is not %s", what, same, base)
		}
	}
	for what, other := range map[string]pkix.Name{
		"accent":        name(t, asn1.UTF8String, "Cafe Ünion"),
		"two parts":     name(t, asn1.UTF8String, "Café", asn1.UTF8String, "Ünion"),
		"no text":       name(t, asn1.OCTET_STRING, "Café Ünion"),
		"invalid UTF-8": name(t, asn1.UTF8String, "Caf\xe9 Ünion"),
	} {
		if base.Equal(other) || base.Key() == other.Key() {
			t.Errorf("%s: %s is %s", what, other, base)
		}
	}
	if long := name(t, asn1.UTF8String, "café ünion", asn1.PrintableString, "x"); !long.Within(base) || base.Within(long) {
		t.Error("subtree")
	}
}

// Section 4.2.1.10, form by form.
func TestNameConstraints(t *testing.T) {
	root := Make(t, "root", nil, CA)
	for name, c := range map[string]struct {
		ca, end func(*x509.Certificate)
		want    error
	}{
		"host below":                {permitDNS("example.com"), dns("a.b.example.com"), nil},
		"host itself":               {permitDNS("example.com"), dns("EXAMPLE.com."), nil},
		"host beside":               {permitDNS("example.com"), dns("badexample.com"), pkix.ErrConstraint},
		"other form only":           {permitDNS("example.com"), mail("a@example.org"), nil},
		"excluded host":             {excludeDNS("secret.example.com"), dns("x.secret.example.com"), pkix.ErrConstraint},
		"wildcard over an excluded": {excludeDNS("secret.example.com"), dns("*.example.com"), pkix.ErrConstraint},
		"mailbox":                   {permitMail("ceo@example.com"), mail("ceo@Example.com"), nil},
		"other mailbox":             {permitMail("ceo@example.com"), mail("cfo@example.com"), pkix.ErrConstraint},
		"mail host":                 {permitMail("example.com"), mail("a@example.com"), nil},
		"mail host below":           {permitMail("example.com"), mail("a@x.example.com"), pkix.ErrConstraint},
		"mail domain":               {permitMail(".example.com"), mail("a@x.example.com"), nil},
		"unreadable mail":           {permitMail(".example.com"), mail("example.com"), pkix.ErrConstraint},
	} {
		ca := Make(t, "issuing", root, both(CA, c.ca))
		end := Make(t, "end", ca, c.end)
		_, err := pkix.Build(t.Context(), end.Certificate, pkix.Config{At: Now, Anchors: Pool(root), Pool: Pool(ca)})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func permitDNS(d string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.PermittedDNSDomains = []string{d} }
}
func excludeDNS(d string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{d} }
}
func permitMail(m string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.PermittedEmailAddresses = []string{m} }
}
func dns(d string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.DNSNames = []string{d} }
}
func mail(m string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.EmailAddresses = []string{m} }
}

// RFC 9618 section 3: a path whose policies each map to all others would make a
// tree of 60*4^7 leaves. The graph is judged in no time, and rightly.
func TestPoliciesDoNotExplode(t *testing.T) {
	const depth, width = 8, 60
	issuer := Make(t, "root", nil, CA)
	root := issuer
	var pool []*Entity
	for i := range depth {
		issuer = Make(t, "ca "+string(rune('a'+i)), issuer, both(CA, func(c *x509.Certificate) {
			b := cryptobyte.NewBuilder(nil)
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for p := range width {
					c.Policies = append(c.Policies, oid(t, 1, 2, 3, uint64(p)))
					for to := range 4 {
						b.AddBytes([]byte{0x30, 10, 6, 3, 42, 3, byte(p), 6, 3, 42, 3, byte(to)})
					}
				}
			})
			c.ExtraExtensions = []xpkix.Extension{{Id: []int{2, 5, 29, 33}, Critical: true, Value: b.BytesOrPanic()}}
		}))
		pool = append(pool, issuer)
	}
	end := Make(t, "end", issuer, func(c *x509.Certificate) { c.Policies = []x509.OID{oid(t, 1, 2, 3, 0)} })
	p, err := pkix.Build(t.Context(), end.Certificate, pkix.Config{At: Now, Anchors: Pool(root), Pool: Pool(pool...), RequireExplicitPolicy: true})
	if err != nil || len(p.Policies) != width {
		t.Fatalf("%v, %v", p, err)
	}
}

func oid(t *testing.T, arcs ...uint64) x509.OID {
	o, err := x509.OIDFromInts(arcs)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// What crypto/x509 reads of certificates that it made is what is read here.
func TestFieldsAreThoseOfX509(t *testing.T) {
	root := Make(t, "root", nil, CA)
	e := Make(t, "end", root, func(c *x509.Certificate) {
		c.OCSPServer, c.CRLDistributionPoints = []string{"http://ocsp.example"}, []string{"http://crl.example/a.crl"}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
		c.Policies = []x509.OID{oid(t, 2, 5, 29, 32, 0)}
	})
	x := e.X509
	if !bytes.Equal(e.Subject.Raw, x.RawSubject) || !bytes.Equal(e.SPKI, x.RawSubjectPublicKeyInfo) || !bytes.Equal(e.TBS, x.RawTBSCertificate) ||
		!bytes.Equal([]byte(e.Serial), x.SerialNumber.Bytes()) && e.Serial[0] != 0 {
		t.Error("octets differ")
	}
	if !e.NotBefore.Equal(x.NotBefore) || !e.NotAfter.Equal(x.NotAfter) || !bytes.Equal(e.AuthorityKeyID, root.SubjectKeyID) {
		t.Error("times or identifiers differ")
	}
	if e.CRLPoints[0].Name.Full[0].Text != "http://crl.example/a.crl" || e.Access[0].Method != pkix.AccessOCSP ||
		e.Access[0].Location.Text != "http://ocsp.example" {
		t.Error("places differ")
	}
	if !slices.Equal(e.Purposes, []der.OID{pkix.PurposeOCSPSigning}) || !slices.Equal(e.Policies, []der.OID{pkix.AnyPolicy}) {
		t.Error("purposes or policies differ")
	}
}

// What is no certificate is refused by name, and a certificate that goes on behind
// its end, is too large, or says one thing twice, too.
func TestWhatIsNoCertificate(t *testing.T) {
	good := Make(t, "end", nil, CA).Raw
	for what, c := range map[string]struct {
		in   []byte
		want error
	}{
		"nothing":   {nil, der.ErrMalformed},
		"a byte":    {[]byte{0x30}, der.ErrMalformed},
		"more":      {append(slices.Clone(good), 0), der.ErrMalformed},
		"less":      {good[:len(good)-1], der.ErrMalformed},
		"too large": {make([]byte, pkix.MaxCertificate+1), der.ErrLimit},
	} {
		if _, err := pkix.Parse(c.in); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for range 2 {
			b.AddBytes([]byte{0x30, 7, 6, 3, 0x55, 0x1d, 0x0f, 4, 0})
		}
	})
	err := pkix.EachExtension(b.BytesOrPanic(), func(der.OID, bool, []byte) error { return nil })
	if !errors.Is(err, der.ErrMalformed) {
		t.Errorf("extension twice: %v", err)
	}
}

// FuzzParse: any octets are a certificate or an error, in bounded time; a
// certificate has its octets, and its names compare with themselves.
func FuzzParse(f *testing.F) {
	root := Make(f, "root", nil, CA)
	f.Add(root.Raw)
	f.Add(Make(f, "end", root, both(permitDNS("example.com"), dns("a.example.com"), mail("a@example.com"), critical)).Raw)
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := pkix.Parse(in)
		if err != nil {
			if !errors.Is(err, der.ErrMalformed) && !errors.Is(err, der.ErrLimit) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		if !bytes.Equal(c.Raw, in) || !c.Subject.Equal(c.Subject) || !c.Subject.Within(c.Subject) || c.String() == "" {
			t.Fatal("not what was parsed")
		}
		again, err := pkix.ParseName(c.Subject.Raw)
		if err != nil || again.Key() != c.Subject.Key() {
			t.Fatal("the subject reads differently alone")
		}
		// With itself as issuer and anchor nothing may hang or panic.
		_, _ = pkix.Build(t.Context(), c, pkix.Config{At: c.NotAfter, Anchors: []*pkix.Certificate{root.Certificate}, Pool: []*pkix.Certificate{c, root.Certificate}})
	})
}
