package xades_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/sap/xades"
)

// signer is a key with its certificates, and the root's file.
type signer struct {
	key   crypto.Signer
	chain [][]byte
	root  string
}

func newSigner(t testing.TB, k algo.KeyType) *signer {
	t.Helper()
	ca, err := certs.NewDemoCA(certs.DemoConfig{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := algo.NewKey(rand.Reader, k)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := ca.IssueKey(key, certs.DemoRequest{Profile: certs.SignerProfile, CommonName: "Anna <&\"> \u039a"})
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Root.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &signer{key, chain, root}
}

// full has every part.
func full(s *signer, a algo.Algorithm) *xades.Parameters {
	return &xades.Parameters{
		ID: "sig-1f2e3d", Algorithm: a, Certificate: s.chain[0],
		Time:        time.Date(2026, 11, 22, 2, 4, 5, 0, time.UTC).Unix(),
		Objects:     []xades.Object{{Enveloped: true, Hash: crypto.SHA256, Digest: make([]byte, 32), MimeType: "text/xml", Description: "An invoice > 100 & < 200 \"\u20ac\""}},
		Policy:      &xades.Policy{Identifier: "urn:oid:1.2.3.4", Hash: crypto.SHA512, Digest: make([]byte, 64)},
		Commitments: []string{"http://uri.etsi.org/01903/v1.2.2#ProofOfOrigin", "urn:example:a&b"},
		Roles:       []string{"Buyer", "a <role>"},
		Place:       &xades.Place{City: "\u0391\u03b8\u03ae\u03bd\u03b1", Street: "1 \"Main\" St", State: "A&B", PostalCode: "105 57", Country: "GR"},
	}
}

// sign makes an enveloped signature over a document: the bytes of the document
// with the signature inserted, and where it is.
func sign(t testing.TB, s *signer, p *xades.Parameters, doc string) ([]byte, int64) {
	t.Helper()
	for i := range p.Objects {
		if o := &p.Objects[i]; o.Enveloped {
			h := o.Hash.New()
			if err := c14n.Canonicalize(strings.NewReader(doc), c14n.Limits{}, c14n.Job{W: h, Method: c14n.Exclusive, Unsigned: o.Parallel}); err != nil {
				t.Fatal(err)
			}
			o.Digest = h.Sum(nil)
		}
	}
	info, err := xades.SignedInfo(p)
	if err != nil {
		t.Fatal(err)
	}
	h := p.Algorithm.Hash().New()
	h.Write(info)
	value, err := s.key.Sign(rand.Reader, h.Sum(nil), p.Algorithm.SignerOpts())
	if err != nil {
		t.Fatal(err)
	}
	element, err := xades.Signature(p, value, s.chain)
	if err != nil {
		t.Fatal(err)
	}
	x, err := c14n.Scan(strings.NewReader(doc), c14n.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := x.Enveloped().Copy(&out, strings.NewReader(doc), element); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), x.Enveloped().At()
}

// documents are around the signature what could change what its parts mean: other
// namespaces for its prefixes and for none, xml: attributes, nothing at all.
var documents = []string{
	"<a/>",
	"\uFEFF<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<?style x?><!-- c --><invoice xmlns=\"urn:example:invoice\" xml:lang=\"el\" xml:base=\"a/b\" xml:space=\"preserve\"><line>1 &amp; 2</line>\r\n</invoice>\n<!-- end -->\n",
	`<ds:a xmlns:ds="urn:other" xmlns:xades="urn:another" xmlns:u="urn:unused"><xades:b ds:c="d"></xades:b></ds:a>`,
	`<a Id="data"><![CDATA[<x>]]></a>`,
}

// What is composed is what canonicalization makes of the same elements in the
// document, wherever they stand: the signer's device and the module need not
// canonicalize to know what is signed.
func TestComposedOctetsAreCanonical(t *testing.T) {
	s := newSigner(t, algo.P256)
	some := full(s, algo.ES256)
	some.Policy, some.Place, some.Roles, some.Commitments, some.Objects[0].Description = nil, nil, nil, nil, ""
	detached := full(s, algo.ES256)
	detached.Objects = append(detached.Objects, xades.Object{URI: "b.pdf?x=1&y=\"2\"", Hash: crypto.SHA384, Digest: make([]byte, 48), MimeType: "application/pdf"})
	parallel := full(s, algo.ES256)
	parallel.Objects[0].Parallel = true
	parts := full(s, algo.ES256)
	parts.Objects = append(parts.Objects, xades.Object{URI: "#l-1.a_", Element: true, Hash: crypto.SHA512, Digest: make([]byte, 64), MimeType: "text/xml"})
	for _, p := range []*xades.Parameters{full(s, algo.ES256), some, detached, parallel, parts} {
		for _, doc := range documents {
			out, _ := sign(t, s, p, doc)
			checkOctets(t, p, out)
		}
	}
}

// The same is so of an enveloping signature, around XML as around base64; what is around the data has one
// length whatever the value is; and the tag of the Object is its canonical one.
func TestEnvelopingOctetsAreCanonical(t *testing.T) {
	s := newSigner(t, algo.P384)
	for _, object := range []xades.Object{{Element: true}, {Base64: true}} {
		p := full(s, algo.ES384)
		object.URI, object.Hash, object.Digest, object.MimeType = p.ObjectURI(), crypto.SHA384, make([]byte, 48), "a/b"
		p.Objects = []xades.Object{object}
		before, after, err := xades.Around(p, []byte{0x30, 6, 2, 1, 5, 2, 1, 7}, s.chain)
		if err != nil {
			t.Fatal(err)
		}
		digest := make([]byte, 48)
		value, err := s.key.Sign(rand.Reader, digest, crypto.SHA384)
		if err != nil {
			t.Fatal(err)
		}
		other, _, err := xades.Around(p, value, s.chain)
		if err != nil || len(other) != len(before) {
			t.Errorf("%d bytes and %d, %v", len(before), len(other), err)
		}
		if _, err := xades.Signature(p, value, s.chain); !errors.Is(err, xades.ErrParameters) {
			t.Errorf("without its data: %v", err)
		}
		for _, data := range []string{"", `<a xmlns="urn:a"><b/></a>`, `<ds:a xmlns:ds="urn:other"/>`} {
			out := slices.Concat(before, []byte(data), after)
			checkOctets(t, p, out)
			var got bytes.Buffer
			if err := c14n.Canonicalize(bytes.NewReader(out), c14n.Limits{}, c14n.Job{W: &got, Method: c14n.Exclusive, Target: c14n.ElementByID(p.ID + "-object")}); err != nil {
				t.Fatal(err)
			}
			if object.Element && !strings.HasPrefix(got.String(), xades.ObjectTag(p.ID)+"<") {
				t.Errorf("the Object is %s, its tag %s", &got, xades.ObjectTag(p.ID))
			}
		}
	}
}

func checkOctets(t *testing.T, p *xades.Parameters, out []byte) {
	t.Helper()
	properties, err := xades.SignedProperties(p)
	if err != nil {
		t.Fatal(err)
	}
	info, err := xades.SignedInfo(p)
	if err != nil {
		t.Fatal(err)
	}
	var gotProperties, gotInfo bytes.Buffer
	err = c14n.Canonicalize(bytes.NewReader(out), c14n.Limits{},
		c14n.Job{W: &gotProperties, Method: c14n.Exclusive, Target: c14n.ElementByID(p.ID + "-props")},
		c14n.Job{W: &gotInfo, Method: c14n.Exclusive, Target: c14n.ElementAt(int64(bytes.Index(out, []byte("<ds:SignedInfo"))))})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if gotProperties.String() != string(properties) {
		t.Errorf("SignedProperties\n     in place %s\nare composed %s", &gotProperties, properties)
	}
	if gotInfo.String() != string(info) {
		t.Errorf("SignedInfo\n    in place %s\nis composed %s", &gotInfo, info)
	}
}

// xmlsec1 verifies an enveloped signature with the root as its only anchor.
func verify(t *testing.T, program, root string, doc []byte, more ...string) error {
	t.Helper()
	file := filepath.Join(t.TempDir(), "signed.xml")
	if err := os.WriteFile(file, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--verify", "--enabled-key-data", "x509", "--trusted-pem", root, "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties",
		"--id-attr:Id", "http://www.w3.org/2000/09/xmldsig#:Signature"}, more...)
	out, err := exec.Command(program, append(args, file)...).CombinedOutput()
	if err != nil {
		return errors.Join(err, errors.New(string(out)))
	}
	return nil
}

// Every algorithm that xmlsec1 1.2 knows (RSA-PSS came later), over each document:
// it verifies, and does not after one changed byte of data or of a property.
func TestEnvelopedSignaturesVerifyWithXmlsec1(t *testing.T) {
	program := testenv.Need(t, "xmlsec1")
	for _, c := range []struct {
		key  algo.KeyType
		algs []algo.Algorithm
	}{
		{algo.P256, []algo.Algorithm{algo.ES256}}, {algo.P384, []algo.Algorithm{algo.ES384}}, {algo.P521, []algo.Algorithm{algo.ES512}},
		{algo.RSA2048, []algo.Algorithm{algo.RS256, algo.RS384, algo.RS512}},
	} {
		s := newSigner(t, c.key)
		for i, a := range c.algs {
			of := documents
			if i > 0 {
				of = of[:1]
			}
			for _, doc := range of {
				out, _ := sign(t, s, full(s, a), doc)
				if err := verify(t, program, s.root, out); err != nil {
					t.Errorf("%v: %v\n%s", a, err, out)
				}
			}
			out, at := sign(t, s, full(s, a), documents[1])
			for what, i := range map[string]int{"data": bytes.Index(out, []byte("1 &amp; 2")), "role": bytes.Index(out, []byte("Buyer")), "time": bytes.Index(out, []byte("2026-"))} {
				changed := bytes.Clone(out)
				changed[i]++
				if err := verify(t, program, s.root, changed); err == nil {
					t.Errorf("%v: %s changed at %d (signature at %d) and still verified", a, what, i, at)
				}
			}
		}
	}
}

// Signatures that stand side by side: each is over the document less all of them,
// so the first one holds when the second one is there, and neither does after a
// changed byte of data. A signature of the other form breaks by the second one.
func TestParallelSignaturesVerifyWithXmlsec1(t *testing.T) {
	program := testenv.Need(t, "xmlsec1")
	s := newSigner(t, algo.P256)
	for _, doc := range documents {
		first, second := full(s, algo.ES256), full(s, algo.ES256)
		first.Objects[0].Parallel, second.Objects[0].Parallel, second.ID = true, true, "sig-second"
		one, _ := sign(t, s, first, doc)
		two, _ := sign(t, s, second, string(one))
		for _, id := range []string{first.ID, second.ID} {
			if err := verify(t, program, s.root, two, "--node-id", id); err != nil {
				t.Errorf("%s: %v\n%s", id, err, two)
			}
		}
		if first.Objects[0].Digest == nil || !bytes.Equal(first.Objects[0].Digest, second.Objects[0].Digest) {
			t.Error("the two are not over the same octets")
		}
	}
	first, second := full(s, algo.ES256), full(s, algo.ES256)
	second.Objects[0].Parallel, second.ID = true, "sig-second"
	one, _ := sign(t, s, first, documents[1])
	two, _ := sign(t, s, second, string(one))
	if verify(t, program, s.root, two, "--node-id", first.ID) == nil {
		t.Error("a signature over the document less itself verified beside another")
	}
	first.Objects[0].Parallel = true
	one, _ = sign(t, s, first, documents[1])
	changed := bytes.Clone(one)
	changed[bytes.Index(changed, []byte("1 &amp; 2"))]++
	if verify(t, program, s.root, changed, "--node-id", first.ID) == nil {
		t.Error("changed data verified")
	}
}

// RSA-PSS, which xmlsec1 1.2 does not know, is checked with Go's verifier over the
// octets; so are all others.
func TestSignatureValuesAreOverSignedInfo(t *testing.T) {
	keys := map[algo.KeyType]*signer{}
	for _, a := range algo.All() {
		k := algo.RSA2048
		for _, ec := range []algo.KeyType{algo.P256, algo.P384, algo.P521} {
			if ec.Fits(a) {
				k = ec
			}
		}
		if keys[k] == nil {
			keys[k] = newSigner(t, k)
		}
		s := keys[k]
		p := full(s, a)
		out, _ := sign(t, s, p, documents[0])
		info, err := xades.SignedInfo(p)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(out), "<ds:SignatureValue Id=\"sig-1f2e3d-value\">")
		text, _, _ := strings.Cut(rest, "<")
		value, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if a.IsECDSA() {
			value = toASN1(t, value)
		}
		h := a.Hash().New()
		h.Write(info)
		if err := algo.Verify(s.key.Public(), a, h.Sum(nil), value); err != nil {
			t.Errorf("%v: %v", a, err)
		}
	}
}

func toASN1(t *testing.T, raw []byte) []byte {
	t.Helper()
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[:len(raw)/2]))
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[len(raw)/2:]))
	})
	out, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// X13: an ECDSA value is two numbers of full length, also if they are small, and
// what is not the ASN.1 of two such numbers is refused.
func TestX13ECDSAValuesAreNotASN1(t *testing.T) {
	s := newSigner(t, algo.P521)
	p := full(s, algo.ES512)
	value := []byte{0x30, 6, 2, 1, 5, 2, 1, 7}
	out, err := xades.Signature(p, value, s.chain)
	want := make([]byte, 132)
	want[65], want[131] = 5, 7
	if err != nil || !strings.Contains(string(out), ">"+base64.StdEncoding.EncodeToString(want)+"</ds:SignatureValue>") {
		t.Errorf("%v: %s", err, out)
	}
	huge := append([]byte{0x30, 0x48, 2, 67, 1}, make([]byte, 66)...)
	for name, v := range map[string][]byte{
		"raw": make([]byte, 132), "none": nil, "more": append(bytes.Clone(value), 0), "zero": {0x30, 6, 2, 1, 0, 2, 1, 7},
		"negative": {0x30, 6, 2, 1, 0xFF, 2, 1, 7}, "too long": append(huge, 2, 1, 7), "one": {0x30, 3, 2, 1, 5},
	} {
		if _, err := xades.Signature(p, v, s.chain); !errors.Is(err, xades.ErrParameters) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func element(uri string) xades.Object {
	return xades.Object{URI: uri, Element: true, Hash: crypto.SHA256, Digest: make([]byte, 32), MimeType: "a/b"}
}

// What has no text, or could be read in two ways, is refused by every function.
func TestParametersAreChecked(t *testing.T) {
	s := newSigner(t, algo.P256)
	for name, change := range map[string]func(p *xades.Parameters){
		"no id":              func(p *xades.Parameters) { p.ID = "" },
		"id with a digit":    func(p *xades.Parameters) { p.ID = "1a" },
		"id with a quote":    func(p *xades.Parameters) { p.ID = `a"b` },
		"id too long":        func(p *xades.Parameters) { p.ID = strings.Repeat("a", 65) },
		"no algorithm":       func(p *xades.Parameters) { p.Algorithm = 0 },
		"no certificate":     func(p *xades.Parameters) { p.Certificate = nil },
		"broken certificate": func(p *xades.Parameters) { p.Certificate = p.Certificate[1:] },
		"no time":            func(p *xades.Parameters) { p.Time = 0 },
		"no objects":         func(p *xades.Parameters) { p.Objects = nil },
		"too many objects":   func(p *xades.Parameters) { p.Objects = make([]xades.Object, 101) },
		"no MIME type":       func(p *xades.Parameters) { p.Objects[0].MimeType = "" },
		"short digest":       func(p *xades.Parameters) { p.Objects[0].Digest = p.Objects[0].Digest[1:] },
		"SHA-1":              func(p *xades.Parameters) { p.Objects[0].Hash = crypto.SHA1 },
		"enveloped, URI":     func(p *xades.Parameters) { p.Objects[0].URI = "x" },
		"outside, parallel": func(p *xades.Parameters) {
			p.Objects[0] = xades.Object{URI: "x", Parallel: true, Hash: crypto.SHA256, Digest: make([]byte, 32), MimeType: "a/b"}
		},
		"outside, no URI":     func(p *xades.Parameters) { p.Objects[0].Enveloped = false },
		"outside, a fragment": func(p *xades.Parameters) { p.Objects[0].Enveloped, p.Objects[0].URI = false, "#x" },
		"two kinds":           func(p *xades.Parameters) { p.Objects[0].Element, p.Objects[0].URI = true, "#x" },
		"element and base64": func(p *xades.Parameters) {
			p.Objects[0] = element(p.ObjectURI())
			p.Objects[0].Base64 = true
		},
		"element, no URI":    func(p *xades.Parameters) { p.Objects[0] = element("") },
		"element, a file":    func(p *xades.Parameters) { p.Objects[0] = element("x") },
		"element, a pointer": func(p *xades.Parameters) { p.Objects[0] = element("#xpointer(/)") },
		"element, not ASCII": func(p *xades.Parameters) { p.Objects[0] = element("#é") },
		"element, long":      func(p *xades.Parameters) { p.Objects[0] = element("#" + strings.Repeat("a", 129)) },
		"element, parallel":  func(p *xades.Parameters) { p.Objects[0] = element("#x"); p.Objects[0].Parallel = true },
		"the signature":      func(p *xades.Parameters) { p.Objects[0] = element("#" + p.ID) },
		"the properties":     func(p *xades.Parameters) { p.Objects[0] = element("#" + p.ID + "-props") },
		"the value":          func(p *xades.Parameters) { p.Objects[0] = element("#" + p.ID + "-value") },
		"two in one Object":  func(p *xades.Parameters) { p.Objects = []xades.Object{element(p.ObjectURI()), element(p.ObjectURI())} },
		"base64 elsewhere": func(p *xades.Parameters) {
			p.Objects[0] = element("#x")
			p.Objects[0].Element, p.Objects[0].Base64 = false, true
		},
		"line feed":         func(p *xades.Parameters) { p.Roles[0] = "a\nb" },
		"control character": func(p *xades.Parameters) { p.Place.City = "a\x01" },
		"C1":                func(p *xades.Parameters) { p.Place.Street = "a\u0085" },
		"not UTF-8":         func(p *xades.Parameters) { p.Place.Country = "\xFF" },
		"no character":      func(p *xades.Parameters) { p.Place.State = "\uFFFE" },
		"empty role":        func(p *xades.Parameters) { p.Roles[0] = "" },
		"empty commitment":  func(p *xades.Parameters) { p.Commitments[0] = "" },
		"too many roles":    func(p *xades.Parameters) { p.Roles = make([]string, 21) },
		"role too long":     func(p *xades.Parameters) { p.Roles[0] = strings.Repeat("a", 4097) },
		"empty place":       func(p *xades.Parameters) { p.Place = &xades.Place{} },
		"policy, no id":     func(p *xades.Parameters) { p.Policy.Identifier = "" },
		"policy, digest":    func(p *xades.Parameters) { p.Policy.Digest = nil },
		"description":       func(p *xades.Parameters) { p.Objects[0].Description = "\t" },
	} {
		p := full(s, algo.ES256)
		change(p)
		if out, err := xades.SignedProperties(p); !errors.Is(err, xades.ErrParameters) {
			t.Errorf("%s: SignedProperties gives %s, %v", name, out, err)
		}
		if out, err := xades.SignedInfo(p); !errors.Is(err, xades.ErrParameters) {
			t.Errorf("%s: SignedInfo gives %s, %v", name, out, err)
		}
		if out, err := xades.Signature(p, []byte{1}, s.chain); !errors.Is(err, xades.ErrParameters) {
			t.Errorf("%s: Signature gives %s, %v", name, out, err)
		}
	}
	p := full(s, algo.ES256)
	if _, err := xades.Signature(p, []byte{0x30, 6, 2, 1, 5, 2, 1, 7}, s.chain[1:]); !errors.Is(err, xades.ErrParameters) {
		t.Errorf("another chain: %v", err)
	}
	p.Algorithm = algo.ES384
	if _, err := xades.Signature(p, []byte{0x30, 6, 2, 1, 5, 2, 1, 7}, s.chain); !errors.Is(err, xades.ErrParameters) {
		t.Errorf("another curve: %v", err)
	}
}

// Each value is in the signed octets: two sets that differ have different octets.
func TestEveryParameterIsSigned(t *testing.T) {
	s := newSigner(t, algo.P256)
	other := newSigner(t, algo.P256)
	seen := map[string]string{}
	for name, change := range map[string]func(p *xades.Parameters){
		"nothing":     func(*xades.Parameters) {},
		"ID":          func(p *xades.Parameters) { p.ID += "x" },
		"algorithm":   func(p *xades.Parameters) { p.Algorithm = algo.ES384 },
		"certificate": func(p *xades.Parameters) { p.Certificate = other.chain[0] },
		"time":        func(p *xades.Parameters) { p.Time++ },
		"digest":      func(p *xades.Parameters) { p.Objects[0].Digest = bytes.Repeat([]byte{1}, 32) },
		"MIME type":   func(p *xades.Parameters) { p.Objects[0].MimeType += "x" },
		"description": func(p *xades.Parameters) { p.Objects[0].Description += "x" },
		"parallel":    func(p *xades.Parameters) { p.Objects[0].Parallel = true },
		"element": func(p *xades.Parameters) {
			p.Objects[0].Enveloped, p.Objects[0].Element, p.Objects[0].URI = false, true, "#x"
		},
		"inside": func(p *xades.Parameters) {
			p.Objects[0].Enveloped, p.Objects[0].Element, p.Objects[0].URI = false, true, p.ObjectURI()
		},
		"in base64": func(p *xades.Parameters) {
			p.Objects[0].Enveloped, p.Objects[0].Base64, p.Objects[0].URI = false, true, p.ObjectURI()
		},
		"object":      func(p *xades.Parameters) { p.Objects = append(p.Objects, p.Objects[0]) },
		"policy":      func(p *xades.Parameters) { p.Policy.Identifier += "x" },
		"policy hash": func(p *xades.Parameters) { p.Policy.Digest[0]++ },
		"commitment":  func(p *xades.Parameters) { p.Commitments[1] += "x" },
		"roles":       func(p *xades.Parameters) { p.Roles = []string{p.Roles[0] + p.Roles[1]} },
		"role":        func(p *xades.Parameters) { p.Roles[1] += "x" },
		"city":        func(p *xades.Parameters) { p.Place.City, p.Place.Street = p.Place.Street, p.Place.City },
		"state":       func(p *xades.Parameters) { p.Place.State += "x" },
		"postal code": func(p *xades.Parameters) { p.Place.PostalCode += "x" },
		"country":     func(p *xades.Parameters) { p.Place.Country += "x" },
	} {
		p := full(s, algo.ES256)
		change(p)
		info, err := xades.SignedInfo(p)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if twin, ok := seen[string(info)]; ok {
			t.Errorf("%s and %s are the same", name, twin)
		}
		seen[string(info)] = name
	}
}

// The certificate is named by its digest and by issuer and serial number.
func TestSigningCertificateV2(t *testing.T) {
	s := newSigner(t, algo.P256)
	out, err := xades.SignedProperties(full(s, algo.ES256))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(s.chain[0])
	if !bytes.Contains(out, []byte(">"+base64.StdEncoding.EncodeToString(sum[:])+"<")) {
		t.Errorf("no digest in %s", out)
	}
	_, rest, _ := strings.Cut(string(out), "<xades:IssuerSerialV2>")
	text, _, _ := strings.Cut(rest, "<")
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(s.chain[0])
	if err != nil {
		t.Fatal(err)
	}
	in, names, directory, serial := cryptobyte.String(der), cryptobyte.String{}, cryptobyte.String{}, new(big.Int)
	if !in.ReadASN1(&in, cbasn1.SEQUENCE) || !in.ReadASN1(&names, cbasn1.SEQUENCE) || !in.ReadASN1Integer(serial) || !in.Empty() ||
		!names.ReadASN1(&directory, cbasn1.Tag(4).ContextSpecific().Constructed()) || !names.Empty() || !bytes.Equal(directory, cert.RawIssuer) || serial.Cmp(cert.SerialNumber) != 0 {
		t.Errorf("IssuerSerial %x", der)
	}
	if !strings.Contains(string(out), "<xades:SigningTime>2026-11-22T02:04:05Z</xades:SigningTime>") {
		t.Errorf("no time in %s", out)
	}
}

// FuzzCompose: any values are either refused or give octets that are canonical.
func FuzzCompose(f *testing.F) {
	s := newSigner(f, algo.P256)
	f.Add("a", "text/xml", "d", "role", "urn:oid:1.2", "City", int64(1_800_000_000))
	f.Add("_", "<&>\"'", "]]>", "\u20ac\U0001F600", "http://www.w3.org/?a=b&c", " ", int64(0))
	f.Fuzz(func(t *testing.T, id, mime, description, role, policy, city string, unix int64) {
		p := full(s, algo.ES256)
		p.ID, p.Objects[0].MimeType, p.Objects[0].Description, p.Roles[0] = id, mime, description, role
		p.Policy.Identifier, p.Commitments[0], p.Place.City, p.Time = policy, policy, city, unix
		if _, err := xades.SignedInfo(p); err != nil {
			if !errors.Is(err, xades.ErrParameters) {
				t.Fatal(err)
			}
			return
		}
		out, err := xades.Signature(p, []byte{0x30, 6, 2, 1, 5, 2, 1, 7}, s.chain)
		if err != nil {
			t.Fatal(err)
		}
		checkOctets(t, p, out)
	})
}
