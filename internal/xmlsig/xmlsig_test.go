package xmlsig_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/xmlsig"
)

// xmldsig makes a plain enveloped XML signature by hand, as another program would: default
// namespace, inclusive canonicalization, a reference by identifier besides.
func xmldsig(t testing.TB) string {
	t.Helper()
	ca, err := certs.NewDemoCA(certs.DemoConfig{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := algo.NewKey(rand.Reader, algo.RSA2048)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := ca.IssueKey(key, certs.DemoRequest{Profile: certs.SignerProfile, CommonName: "Anna"})
	if err != nil {
		t.Fatal(err)
	}
	const part = `<part Id="p"><v>1</v></part>`
	doc := `<root xmlns="urn:r"><!-- c -->` + part + `</root>`
	whole := `<root xmlns="urn:r">` + part + `</root>`
	ref := func(uri, transforms, octets string) string {
		return `<Reference URI="` + uri + `"><Transforms>` + transforms + `</Transforms><DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></DigestMethod><DigestValue>` +
			b64(sha256(octets)) + `</DigestValue></Reference>`
	}
	transform := func(a string) string { return `<Transform Algorithm="` + a + `"></Transform>` }
	info := `<SignedInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"></CanonicalizationMethod>` +
		`<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"></SignatureMethod>` +
		ref("", transform("http://www.w3.org/2000/09/xmldsig#enveloped-signature"), whole) +
		ref("#p", transform("http://www.w3.org/2001/10/xml-exc-c14n#"), `<part xmlns="urn:r" Id="p"><v>1</v></part>`) + `</SignedInfo>`
	value, err := key.Sign(rand.Reader, sha256(info), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	sig := `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#">` + strings.Replace(info, ` xmlns="http://www.w3.org/2000/09/xmldsig#"`, "", 1) +
		`<SignatureValue>` + b64(value) + `</SignatureValue><KeyInfo><X509Data><X509Certificate>` + b64(chain[0]) + `</X509Certificate></X509Data></KeyInfo></Signature>`
	return strings.Replace(doc, "</root>", sig+"</root>", 1)
}

func check(t testing.TB, doc string) (*xmlsig.Checked, error) {
	t.Helper()
	d, err := xmlsig.Read(strings.NewReader(doc), int64(len(doc)), c14n.Limits{})
	if err != nil {
		return nil, err
	}
	if len(d.Signatures) == 0 {
		return nil, errors.New("no signature")
	}
	return d.Check(strings.NewReader(doc), &d.Signatures[0], c14n.Limits{})
}

// A signature of another shape is read, and what it covers is said by node.
func TestForeignSignatureIsChecked(t *testing.T) {
	c, err := check(t, xmldsig(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Covers) != 2 || c.Covers[0].Words() != "the whole document but for this signature" || c.Covers[1].Words() != `the element with the identifier "p", not the document around it` || len(c.Chain) != 1 || c.Certificate != c.Chain[0] {
		t.Errorf("%+v", c.Covers)
	}
}

// ADE-05, X15: what is changed, moved, exchanged or not understood does not verify, each for
// its reason.
func TestADE05ChangedSignaturesFail(t *testing.T) {
	good := xmldsig(t)
	digests := func(s string) string {
		p := strings.Split(s, "<DigestValue>")
		a, b, _ := strings.Cut(p[1], "<")
		c, d, _ := strings.Cut(p[2], "<")
		return p[0] + "<DigestValue>" + c + "<" + b + "<DigestValue>" + a + "<" + d
	}
	for name, c := range map[string]struct {
		edit func(string) string
		want error
	}{
		"data":              {rep("<v>1<", "<v>2<"), xmlsig.ErrDigest},
		"digests exchanged": {digests, xmlsig.ErrDigest},
		"wrapped":           {rep(`<part Id="p"><v>1</v></part>`, `<part Id="q"><v>2</v></part><w><part Id="p"><v>1</v></part></w>`), xmlsig.ErrDigest},
		"identifier twice":  {rep("<v>1", `<v Id="p">1`), c14n.ErrDuplicateID},
		"identifier gone":   {rep(`Id="p"`, `Id="q"`), xmlsig.ErrNoData},
		"value":             {rep("<SignatureValue>", "<SignatureValue>AAAA"), xmlsig.ErrSignature},
		"no value":          {rep("<SignatureValue>", "<SignatureValue></SignatureValue><SignatureValue>"), xmlsig.ErrStructure},
		"info twice":        {rep("<SignedInfo>", "<SignedInfo></SignedInfo><SignedInfo>"), xmlsig.ErrStructure},
		"algorithm":         {rep("rsa-sha256", "rsa-sha512"), xmlsig.ErrSignature},
		"unknown algorithm": {rep("xmldsig-more#rsa-sha256", "xmldsig-more#rsa-sha3"), xmlsig.ErrAlgorithm},
		"MD5":               {rep("xmldsig-more#rsa-sha256", "xmldsig-more#rsa-md5"), xmlsig.ErrAlgorithm},
		"SHA-1":             {rep("xmlenc#sha256", "xmlenc#sha1"), xmlsig.ErrAlgorithm},
		"no transform":      {rep(`<Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"></Transform>`, ""), xmlsig.ErrDigest},
		"XSLT":              {rep("2000/09/xmldsig#enveloped-signature", "TR/1999/REC-xslt-19991116"), xmlsig.ErrUnsupported},
		"another XPath":     {rep(`<Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature">`, `<Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath xmlns:ds="http://www.w3.org/2000/09/xmldsig#">false()</ds:XPath>`), xmlsig.ErrUnsupported},
		"canonical twice":   {rep(`<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></Transform>`, strings.Repeat(`<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></Transform>`, 2)), xmlsig.ErrUnsupported},
		"from the net":      {rep(`URI="#p"`, `URI="http://127.0.0.1/p"`), xmlsig.ErrDetached},
		"xpointer":          {rep(`URI="#p"`, `URI="#xpointer(//part)"`), xmlsig.ErrUnsupported},
		"no URI":            {rep(` URI="#p"`, ``), xmlsig.ErrNoData},
		"no references": {func(s string) string {
			i, j := strings.Index(s, "<Reference"), strings.LastIndex(s, "</SignedInfo>")
			return s[:i] + s[j:]
		}, xmlsig.ErrStructure},
		"no certificate":      {rep("X509Certificate", "X509Crl"), xmlsig.ErrCertificate},
		"broken certificate":  {rep("<X509Certificate>", "<X509Certificate>AAAA"), xmlsig.ErrCertificate},
		"canonicalization":    {rep("TR/2001/REC-xml-c14n-20010315", "TR/2001/REC"), xmlsig.ErrUnsupported},
		"properties of none":  {rep(`<Reference URI="#p">`, `<Reference Type="http://uri.etsi.org/01903#SignedProperties" URI="#p">`), xmlsig.ErrStructure},
		"unsigned properties": {rep(`</KeyInfo>`, `</KeyInfo><Object><x:QualifyingProperties xmlns:x="http://uri.etsi.org/01903/v1.3.2#" Target="#s"><x:SignedProperties/></x:QualifyingProperties></Object>`), xmlsig.ErrStructure},
	} {
		doc := c.edit(good)
		if doc == good {
			t.Fatalf("%s: nothing changed", name)
		}
		if _, err := check(t, doc); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	// Properties that name this signature and are covered by no reference.
	doc := strings.Replace(good, "<Signature ", `<Signature Id="s" `, 1)
	doc = rep(`</KeyInfo>`, `</KeyInfo><Object><x:QualifyingProperties xmlns:x="http://uri.etsi.org/01903/v1.3.2#" Target="#s"><x:SignedProperties/></x:QualifyingProperties></Object>`)(doc)
	if _, err := check(t, doc); !errors.Is(err, xmlsig.ErrStructure) || !strings.Contains(err.Error(), "covered 0 times") {
		t.Errorf("unsigned properties: %v", err)
	}
}

func rep(old, by string) func(string) string {
	return func(s string) string { return strings.ReplaceAll(s, old, by) }
}

// I9: what is kept of signatures is bounded, whatever is in them.
func TestSignaturesAreBounded(t *testing.T) {
	const ns = `xmlns="http://www.w3.org/2000/09/xmldsig#"`
	for _, doc := range []string{
		`<a><Signature ` + ns + `>` + strings.Repeat("<b/>", 70_000) + `</Signature></a>`,
		`<a><Signature ` + ns + `><SignatureValue>` + strings.Repeat("A", 17<<20) + `</SignatureValue></Signature></a>`,
	} {
		if _, err := xmlsig.Read(strings.NewReader(doc), int64(len(doc)), c14n.Limits{}); !errors.Is(err, xmlsig.ErrTooLarge) {
			t.Errorf("%v", err)
		}
	}
	// Data inside of a signature is not kept.
	doc := `<Signature ` + ns + `><Object><x xmlns="urn:x">` + strings.Repeat("<b>text</b>", 100_000) + `</x></Object></Signature>`
	d, err := xmlsig.Read(strings.NewReader(doc), int64(len(doc)), c14n.Limits{})
	if err != nil || len(d.Signatures) != 1 {
		t.Errorf("%v", err)
	}
}

// I9: a small document cannot make a verifier digest it very often, by references to all or to a part of
// it, in one signature or in many, or by archive time-stamps over them.
func TestI9ReferencesAreBounded(t *testing.T) {
	const ref = `<Reference URI="URI"><DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha512"/><DigestValue>AA==</DigestValue></Reference>`
	document := func(size, signatures, references int, uri string, archives int) string {
		properties := ""
		if archives > 0 {
			properties = `<Object><x:QualifyingProperties xmlns:x="http://uri.etsi.org/01903/v1.3.2#" Target="#s"><x:SignedProperties/><x:UnsignedProperties><x:UnsignedSignatureProperties>` +
				strings.Repeat(`<y:ArchiveTimeStamp xmlns:y="http://uri.etsi.org/01903/v1.4.1#"><x:EncapsulatedTimeStamp>AA==</x:EncapsulatedTimeStamp></y:ArchiveTimeStamp>`, archives) +
				`</x:UnsignedSignatureProperties></x:UnsignedProperties></x:QualifyingProperties></Object>`
		}
		sig := `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo>` + strings.Repeat(strings.Replace(ref, "URI\"", uri+"\"", 1), references) +
			`</SignedInfo><SignatureValue>AA==</SignatureValue>` + properties + `</Signature>`
		return `<a><p Id="p">` + strings.Repeat("A", size) + `</p>` + strings.Replace(strings.Repeat(sig, signatures), "<Signature ", `<Signature Id="s" `, 1) + `</a>`
	}
	for name, c := range map[string]struct {
		doc  string
		want error
	}{
		"1 MiB, 100 times":                      {document(1<<20, 1, 100, "", 0), nil},
		"1 MiB, three times 100 times":          {document(1<<20, 3, 100, "", 0), xmlsig.ErrTooLarge},
		"an element of 1 MiB, 300 times":        {document(1<<20, 3, 100, "#p", 0), xmlsig.ErrTooLarge},
		"another file, 300 times":               {document(1<<20, 3, 100, "file", 0), nil},
		"5 MiB, 60 signatures of one":           {document(5<<20, 60, 1, "", 0), nil},
		"5 MiB, 60 signatures of two":           {document(5<<20, 60, 2, "", 0), xmlsig.ErrTooLarge},
		"1 MiB, 100 times, and a time-stamp":    {document(1<<20, 1, 100, "", 1), nil},
		"1 MiB, 100 times, and two time-stamps": {document(1<<20, 1, 100, "", 2), xmlsig.ErrTooLarge},
		"a small one, 1000 times":               {document(1, 10, 100, "", 0), nil},
		"a small one, 1001 times":               {document(1, 11, 91, "", 0), xmlsig.ErrTooLarge},
	} {
		if _, err := xmlsig.Read(strings.NewReader(c.doc), int64(len(c.doc)), c14n.Limits{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzCheck, I9: any document is read within its bounds, and nothing that was not signed holds.
func FuzzCheck(f *testing.F) {
	good := xmldsig(f)
	f.Add([]byte(good))
	f.Add([]byte(`<a><s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"><s:SignedInfo/><s:SignatureValue>AA==</s:SignatureValue></s:Signature></a>`))
	const x = `xmlns:x="http://uri.etsi.org/01903/v1.3.2#"`
	f.Add([]byte(strings.Replace(rep("<Signature ", `<Signature Id="s" `)(good), "</KeyInfo>", `</KeyInfo><Object><x:QualifyingProperties `+x+` Target="#s"><x:SignedProperties/><x:UnsignedProperties><x:UnsignedSignatureProperties>`+
		`<x:CertificateValues><x:EncapsulatedX509Certificate>AA==</x:EncapsulatedX509Certificate></x:CertificateValues><x:RevocationValues><x:CRLValues><x:EncapsulatedCRLValue>AA==</x:EncapsulatedCRLValue></x:CRLValues></x:RevocationValues>`+
		`<y:ArchiveTimeStamp xmlns:y="http://uri.etsi.org/01903/v1.4.1#"><x:EncapsulatedTimeStamp>AA==</x:EncapsulatedTimeStamp></y:ArchiveTimeStamp></x:UnsignedSignatureProperties></x:UnsignedProperties></x:QualifyingProperties></Object>`, 1)))
	f.Add([]byte(strings.Replace(good, `<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">`, `<Transform Algorithm="http://www.w3.org/2000/09/xmldsig#base64">`, 1)))
	const filter2 = "http://www.w3.org/2002/06/xmldsig-filter2"
	f.Add([]byte(strings.Replace(good, `<Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature">`, `<Transform Algorithm="`+filter2+`"><XPath xmlns="`+filter2+`" xmlns:d="http://www.w3.org/2000/09/xmldsig#" Filter="subtract">/descendant::d:Signature</XPath>`, 1)))
	f.Add([]byte(strings.Replace(rep(`"#p"`, `"#xpointer(id('p'))"`)(good), `URI=""`, `URI="#xpointer(/)"`, 1)))
	f.Add([]byte(strings.Replace(strings.Replace(good, `URI="#p"`, `URI="#m"`, 1), "</KeyInfo>", `</KeyInfo><Object><Manifest Id="m"><Reference URI="#p"><DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><DigestValue>`+
		b64(sha256("x"))+`</DigestValue></Reference></Manifest><SignatureProperties><SignatureProperty Id="q"><a/></SignatureProperty></SignatureProperties><b Id="r"/></Object>`, 1)))
	first, err := check(f, good)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		d, err := xmlsig.Read(bytes.NewReader(doc), int64(len(doc)), c14n.Limits{})
		if err != nil {
			return
		}
		d.Breaks(int64(len(doc)) / 2)
		for i := range d.Signatures {
			c, err := d.Check(bytes.NewReader(doc), &d.Signatures[i], c14n.Limits{})
			sameAhead(t, doc, i, d.Signatures[i].Element.Start, c, err)
			d.Signatures[i].Hidden()
			if err == nil {
				d.LeftOut(&d.Signatures[i], c.Data())
			}
			if p := d.Signatures[i].Properties; p != nil && len(p.Archives) > 0 {
				_, _ = d.ArchiveImprint(bytes.NewReader(doc), &d.Signatures[i], p.Archives[0], crypto.SHA256, c14n.Limits{})
			}
			if err == nil && c.Certificate.Equal(first.Certificate) && !bytes.Equal(c.Info, first.Info) {
				t.Fatalf("another SignedInfo holds: %s", doc)
			}
		}
	})
}
