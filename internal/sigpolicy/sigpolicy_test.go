package sigpolicy_test

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"encoding/asn1"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/sigpolicy"
)

var policyOID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2, 1}

// attribute is a SignaturePolicyId with a digest and qualifiers.
func attribute(t testing.TB, h crypto.Hash, digest []byte, qualifiers ...[]byte) []byte {
	t.Helper()
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(policyOID)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			if h == crypto.SHA1 {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}) })
			} else {
				cms.AddDigestAlgorithm(b, h)
			}
			b.AddASN1OctetString(digest)
		})
		if len(qualifiers) > 0 {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, q := range qualifiers {
					b.AddBytes(q)
				}
			})
		}
	})
	return must(b.Bytes())(t)
}

func qualifier(t testing.TB, last int, value func(*cryptobyte.Builder)) []byte {
	t.Helper()
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 5, last})
		value(b)
	})
	return must(b.Bytes())(t)
}

func text(tag cbasn1.Tag, s string) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) { b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(s)) }) }
}

// inASN1 is a policy in the form of ETSI TR 102 272, and what its digest is over.
func inASN1(t testing.TB) (file, over []byte) {
	t.Helper()
	b := cryptobyte.NewBuilder(nil)
	cms.AddDigestAlgorithm(b, crypto.SHA256)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(policyOID)
		b.AddASN1(cbasn1.GeneralizedTime, func(b *cryptobyte.Builder) { b.AddBytes([]byte("20260101000000Z")) })
	})
	over = must(b.Bytes())(t)
	w := cryptobyte.NewBuilder(nil)
	w.AddASN1(cbasn1.SEQUENCE, func(w *cryptobyte.Builder) {
		w.AddBytes(over)
		w.AddASN1OctetString(sum(crypto.SHA256, over))
	})
	return must(w.Bytes())(t), over
}

func sum(h crypto.Hash, b []byte) []byte {
	w := h.New()
	w.Write(b)
	return w.Sum(nil)
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// ADE-05, EN 319 122-1, 5.2.9: the attribute is read with its qualifiers; what is malformed is refused.
func TestADE05PolicyAttribute(t *testing.T) {
	digest := sum(crypto.SHA384, []byte("rules"))
	note := qualifier(t, 2, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				text(cbasn1.UTF8String, "Notary")(b)
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64(7); b.AddASN1Int64(9) })
			})
			text(cbasn1.Tag(30), "\x00h\x00i")(b)
		})
	})
	good := attribute(t, crypto.SHA384, digest, qualifier(t, 1, text(cbasn1.IA5String, "http://p.example/rules.pdf")), note, qualifier(t, 9, text(cbasn1.UTF8String, "x")))
	p := must(sigpolicy.FromAttribute(good))(t)
	want := []sigpolicy.Qualifier{{Kind: sigpolicy.KindURI, Text: "http://p.example/rules.pdf"}, {Kind: sigpolicy.KindNotice, Text: "Notary 7 9: hi"}, {Kind: sigpolicy.KindOther, Text: "1.2.840.113549.1.9.16.5.9"}}
	if p.ID != policyOID.String() || p.Hash != crypto.SHA384 || !bytes.Equal(p.Digest, digest) || len(p.Qualifiers) != 3 || p.Qualifiers[0] != want[0] || p.Qualifiers[1] != want[1] || p.Qualifiers[2] != want[2] {
		t.Errorf("%+v", p)
	}
	if p.Words() != policyOID.String()+" (SHA-384 "+hex.EncodeToString(digest)+")" {
		t.Error(p.Words())
	}
	if p = must(sigpolicy.FromAttribute([]byte{5, 0}))(t); !p.Implied {
		t.Errorf("implied: %+v", p)
	}
	if p = must(sigpolicy.FromAttribute(attribute(t, crypto.SHA1, make([]byte, 20))))(t); p.Hash != 0 || p.HashName != "1.3.14.3.2.26" {
		t.Errorf("SHA-1: %+v", p)
	}
	if p = must(sigpolicy.FromAttribute(attribute(t, crypto.SHA256, []byte{0})))(t); !p.NoDigest() {
		t.Errorf("no digest: %+v", p)
	}
	var many [][]byte
	for range 17 {
		many = append(many, note)
	}
	for name, bad := range map[string][]byte{
		"nothing": {}, "null with content": {5, 1, 0}, "behind": append(bytes.Clone(good), 0), "cut": good[:len(good)-1], "digest of another size": attribute(t, crypto.SHA256, digest),
		"many qualifiers": attribute(t, crypto.SHA384, digest, many...), "a long text": attribute(t, crypto.SHA384, digest, qualifier(t, 1, text(cbasn1.IA5String, strings.Repeat("x", 5000)))),
		"a text that is none": attribute(t, crypto.SHA384, digest, qualifier(t, 1, text(cbasn1.INTEGER, "x"))),
	} {
		if _, err := sigpolicy.FromAttribute(bad); !errors.Is(err, sigpolicy.ErrPolicy) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// ADE-05, EN 319 102-1, 5.2.4: a document is found by its digest under the rule that the signature states; one that was
// given for the policy and is another, or cannot be told, is named; one for another policy is not looked at.
func TestADE05PolicyDocuments(t *testing.T) {
	const id = "urn:oid:1.3.6.1.4.1.99999.2.1"
	der, over := inASN1(t)
	xml := []byte("<?xml version='1.0'?><p  a='1'/>")
	var canonical bytes.Buffer
	if err := c14n.Canonicalize(bytes.NewReader(xml), c14n.Limits{}, c14n.Job{W: &canonical, Method: c14n.Exclusive}); err != nil {
		t.Fatal(err)
	}
	const exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#"
	docs := func(list ...sigpolicy.Document) *sigpolicy.Documents { return must(sigpolicy.NewDocuments(list...))(t) }
	doc := func(id string, content []byte) sigpolicy.Document {
		return sigpolicy.Document{ID: id, Name: "rules", Content: content}
	}
	policy := func(over []byte, rule sigpolicy.Rule, asn1 bool) sigpolicy.Policy {
		return sigpolicy.Policy{ID: id, Hash: crypto.SHA256, HashName: "SHA-256", Digest: sum(crypto.SHA256, over), Rule: rule, ASN1: asn1}
	}
	no := policy(xml, "", false)
	no.Digest = nil
	old := policy(xml, "", false)
	old.Hash = 0
	for name, c := range map[string]struct {
		p     sigpolicy.Policy
		docs  *sigpolicy.Documents
		found bool
		given bool
	}{
		"by its digest":                 {policy(xml, "", false), docs(doc("", xml)), true, false},
		"by its name and digest":        {policy(xml, "", false), docs(doc("1.3.6.1.4.1.99999.2.1", xml)), true, false},
		"the second":                    {policy(xml, "", false), docs(doc(id, der), doc("", xml)), true, false},
		"of another policy":             {policy(xml, "", false), docs(doc("urn:other", xml)), false, false},
		"another document":              {policy(xml, "", false), docs(doc("", []byte("x"))), false, false},
		"another one of the name":       {policy(xml, "", false), docs(doc(id, []byte("x"))), false, true},
		"another one, named inside":     {policy(xml, "", false), docs(doc("", der)), false, true},
		"ASN.1, its content":            {policy(over, "", true), docs(doc("", der)), true, false},
		"ASN.1, all of it":              {policy(der, "", true), docs(doc("", der)), true, false},
		"ASN.1, content, and no CMS":    {policy(over, "", false), docs(doc("", der)), false, true},
		"as specified":                  {policy(over, sigpolicy.Specified, false), docs(doc("", der)), true, false},
		"as specified, and all of it":   {policy(der, sigpolicy.Specified, false), docs(doc(id, der)), false, true},
		"as specified, and no ASN.1":    {policy(xml, sigpolicy.Specified, false), docs(doc(id, xml)), false, true},
		"canonical":                     {policy(canonical.Bytes(), exclusive, false), docs(doc("", xml)), true, false},
		"canonical, and octets":         {policy(xml, exclusive, false), docs(doc(id, xml)), false, true},
		"canonical, and no XML":         {policy(xml, exclusive, false), docs(doc(id, der)), false, true},
		"canonical, no XML, not for it": {policy(xml, exclusive, false), docs(doc("", []byte("x"))), false, false},
		"other transforms":              {policy(xml, sigpolicy.Unknown, false), docs(doc("", xml)), false, true},
		"no digest":                     {no, docs(doc("", xml)), false, true},
		"an old digest":                 {old, docs(doc(id, xml)), false, true},
		"none":                          {policy(xml, "", false), docs(), false, false},
	} {
		for range 2 { // the second time from what was kept
			if f := c.docs.Find(&c.p); (f.Name != "") != c.found || f.Given != c.given || f.Given != (f.Why != "") {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
	if _, err := sigpolicy.NewDocuments(make([]sigpolicy.Document, 33)...); !errors.Is(err, sigpolicy.ErrDocument) {
		t.Errorf("too many: %v", err)
	}
	if _, err := sigpolicy.NewDocuments(doc("", nil)); !errors.Is(err, sigpolicy.ErrDocument) {
		t.Errorf("empty: %v", err)
	}
}

// FuzzAttribute: any octets are read or refused, within the bounds.
func FuzzAttribute(f *testing.F) {
	f.Add([]byte{5, 0})
	f.Add(attribute(f, crypto.SHA256, make([]byte, 32), qualifier(f, 1, text(cbasn1.IA5String, "http://p.example"))))
	f.Add(attribute(f, crypto.SHA1, make([]byte, 20), qualifier(f, 2, func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, func(*cryptobyte.Builder) {}) })))
	der, _ := inASN1(f)
	docs := must(sigpolicy.NewDocuments(sigpolicy.Document{Name: "a", Content: der}))(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := sigpolicy.FromAttribute(in)
		if err != nil {
			if !errors.Is(err, sigpolicy.ErrPolicy) {
				t.Fatal(err)
			}
			return
		}
		if err := p.Check(); err != nil || p.Implied != (p.ID == "") {
			t.Fatalf("%+v %v", p, err)
		}
		if !p.Implied && docs.Find(p).Name != "" && !bytes.Contains(in, p.Digest) {
			t.Fatal("a document that was not named")
		}
	})
}

// FuzzDocument: any octets can be a policy document.
func FuzzDocument(f *testing.F) {
	der, over := inASN1(f)
	f.Add(der)
	f.Add([]byte("<p/>"))
	for _, rule := range []sigpolicy.Rule{sigpolicy.Octets, sigpolicy.Specified} {
		p := sigpolicy.Policy{ID: policyOID.String(), Hash: crypto.SHA256, Digest: sum(crypto.SHA256, over), ASN1: true, Rule: rule}
		if f0 := must(sigpolicy.NewDocuments(sigpolicy.Document{Name: "a", Content: der}))(f).Find(&p); f0.Name == "" {
			f.Fatal(rule)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		docs, err := sigpolicy.NewDocuments(sigpolicy.Document{Name: "a", Content: in})
		if err != nil {
			return
		}
		for _, rule := range []sigpolicy.Rule{sigpolicy.Octets, sigpolicy.Specified, "http://www.w3.org/2001/10/xml-exc-c14n#"} {
			p := sigpolicy.Policy{ID: "1.2.3", Hash: crypto.SHA256, Digest: sum(crypto.SHA256, in), ASN1: true, Rule: rule}
			if found := docs.Find(&p).Name != ""; found != (rule == sigpolicy.Octets) && string(rule) != "http://www.w3.org/2001/10/xml-exc-c14n#" {
				t.Fatalf("%q: %v", rule, found)
			}
		}
	})
}

// ADE-05: FILE and ID=FILE; what begins like an identifier and is a file has "./" before it.
func TestADE05PolicyFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"a.txt", "b=c.txt", "urn:x=y"} {
		if err := os.WriteFile(name, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ arg, id, content string }{
		{"a.txt", "urn:any", "a.txt"}, {"1.2.3=a.txt", "urn:oid:1.2.3", "a.txt"}, {"URN:OID:1.2.3=a.txt", "1.2.3", "a.txt"},
		{"https://p.example/?a=b=a.txt", "https://p.example/?a=b", "a.txt"}, {"b=c.txt", "urn:any", "b=c.txt"}, {"./urn:x=y", "urn:any", "urn:x=y"},
	} {
		docs, err := sigpolicy.Load([]string{c.arg})
		if err != nil {
			t.Fatal(err)
		}
		p := sigpolicy.Policy{ID: c.id, Hash: crypto.SHA256, Digest: sum(crypto.SHA256, []byte(c.content))}
		if docs.Find(&p).Name == "" {
			t.Errorf("%s is not found for %s", c.arg, c.id)
		}
		if p.ID = "urn:other"; (docs.Find(&p).Name == "") != (c.id != "urn:any") {
			t.Errorf("%s for another", c.arg)
		}
	}
	for _, bad := range []string{"none", ".", "1.2.3="} {
		if _, err := sigpolicy.Load([]string{bad}); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}
