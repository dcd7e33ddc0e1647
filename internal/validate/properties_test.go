package validate_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/sap/xades"
)

// edited signs a document with one signature after its properties and its SignedInfo were edited: they are what
// the key signed.
func (k *kit) edited(t testing.TB, doc string, properties, info func(string) string) []byte {
	t.Helper()
	digest := func(text string, unsigned bool) []byte {
		h := crypto.SHA256.New()
		must(t, c14n.Canonicalize(strings.NewReader(text), c14n.Limits{}, c14n.Job{W: h, Method: c14n.Exclusive, Unsigned: unsigned}))
		return h.Sum(nil)
	}
	p := &xades.Parameters{ID: "s1", Algorithm: algo.ES256, Certificate: k.chain[0], Time: time.Now().Unix(), Roles: []string{"Buyer"},
		Objects: []xades.Object{{Enveloped: true, Hash: crypto.SHA256, Digest: digest(doc, false), MimeType: "text/xml"}}}
	was, err := xades.SignedProperties(p)
	must(t, err)
	bare, err := xades.SignedInfo(p)
	must(t, err)
	is := properties(string(was))
	b64 := base64.StdEncoding.EncodeToString
	text := info(strings.Replace(string(bare), b64(digest(string(was), false)), b64(digest(is, false)), 1))
	h := crypto.SHA256.New()
	h.Write([]byte(text))
	value, err := k.key.Sign(rand.Reader, h.Sum(nil), crypto.SHA256)
	must(t, err)
	element, err := xades.Signature(p, value, k.chain)
	must(t, err)
	sig := strings.Replace(strings.Replace(string(element), string(was), is, 1), string(bare), text, 1)
	i := strings.LastIndex(doc, "</")
	return []byte(doc[:i] + sig + doc[i:])
}

func put(old, with string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, with, 1) }
}

// ADE-05, EN 319 132-1, annex C and EN 319 102-1, 5.2.2: properties that are not of the form that the standard gives them
// are a FORMAT_FAILURE, though they are signed: what a reader makes of them is open. Order, number, names, attributes
// and types count. Unsigned ones doubt the signature then, since data can hide there, and fail its format never.
func TestADE05FormOfProperties(t *testing.T) {
	k := newKit(t)
	const time1, cert = "<xades:SigningTime>", "<xades:SigningCertificateV2>"
	if rep := look(t, k.edited(t, invoice, asIs, asIs), k.trust()); rep.Verdict != validate.Valid {
		t.Fatalf("as it is: %s", rep.Words())
	}
	twice := func(element string) func(string) string {
		re := regexp.MustCompile(`(?s)<xades:` + element + `[ >].*</xades:` + element + `>`)
		return func(s string) string { return re.ReplaceAllString(s, "${0}${0}") }
	}
	move := func(element, before string) func(string) string {
		re := regexp.MustCompile(`(?s)<xades:` + element + `[ >].*</xades:` + element + `>`)
		return func(s string) string {
			return strings.Replace(re.ReplaceAllString(s, ""), before, re.FindString(s)+before, 1)
		}
	}
	for name, c := range map[string]struct {
		edit func(string) string
		good bool
	}{
		"time twice":                       {twice("SigningTime"), false},
		"certificate twice":                {twice("SigningCertificateV2"), false},
		"roles twice":                      {twice("SignerRoleV2"), false},
		"time behind the certificate":      {move("SigningTime", "<xades:SignerRoleV2>"), false},
		"roles before the certificate":     {move("SignerRoleV2", cert), false},
		"data objects before the rest":     {move("SignedDataObjectProperties", "<xades:SignedSignatureProperties>"), false},
		"an unknown element":               {put(time1, "<xades:SigningPlace></xades:SigningPlace>"+time1), false},
		"a known one in another place":     {put(time1, "<xades:MimeType>a</xades:MimeType>"+time1), false},
		"an element of others, in front":   {put(time1, `<o:x xmlns:o="urn:o"></o:x>`+time1), false},
		"an element of others, at the end": {put("</xades:SignedSignatureProperties>", `<o:x xmlns:o="urn:o">any</o:x></xades:SignedSignatureProperties>`), true},
		"text between":                     {put(time1, "999"+time1), false},
		"an unknown attribute":             {put(time1, `<xades:SigningTime Zone="1">`), false},
		"no time":                          {func(s string) string { return regexp.MustCompile(time1+"[^<]*").ReplaceAllString(s, time1+"today") }, false},
		"an empty certificate list": {func(s string) string {
			return regexp.MustCompile("(?s)"+cert+".*</xades:SigningCertificateV2>").ReplaceAllString(s, cert+"</xades:SigningCertificateV2>")
		}, false},
		"issuer and serial of before": {put("<xades:IssuerSerialV2>", "<xades:IssuerSerial></xades:IssuerSerial><xades:IssuerSerialV2>"), false},
		"issuer and serial no base64": {put("<xades:IssuerSerialV2>", "<xades:IssuerSerialV2>*"), false},
		"a format of nothing":         {func(s string) string { return regexp.MustCompile(` ObjectReference="[^"]*"`).ReplaceAllString(s, "") }, false},
		"a role with anything":        {put("Buyer", `<o:x xmlns:o="urn:o">Buyer</o:x>`), true},
		"roles without role":          {put("<xades:ClaimedRole>Buyer</xades:ClaimedRole>", ""), false},
	} {
		file := k.edited(t, invoice, c.edit, asIs)
		s := look(t, file, k.trust()).Signatures[0]
		if c.good != (s.Verdict == validate.Valid) || !c.good && s.SubIndication != validate.FormatFailure {
			t.Errorf("%s: %s %q", name, s.Words(), s.Why)
		}
	}
	stamped := string(k.signXML(t, invoice, "s1", false, true))
	const end, tail = "</xades:UnsignedSignatureProperties>", "</xades:UnsignedProperties>"
	for name, doc := range map[string]string{
		"text in references":          into(stamped, end, "<xades:CompleteCertificateRefs>999 euros</xades:CompleteCertificateRefs>"),
		"text in a list of them":      into(stamped, end, "<xades:CompleteRevocationRefs><xades:CRLRefs>999</xades:CRLRefs></xades:CompleteRevocationRefs>"),
		"text where a digest is":      into(stamped, end, "<xades:CompleteRevocationRefs><xades:CRLRefs><xades:CRLRef><xades:DigestAlgAndValue>999 euros</xades:DigestAlgAndValue></xades:CRLRef></xades:CRLRefs></xades:CompleteRevocationRefs>"),
		"a policy that is no base64":  into(stamped, end, `<o:SignaturePolicyStore xmlns:o="http://uri.etsi.org/01903/v1.4.1#"><o:SPDocSpecification><xades:Identifier>urn:x</xades:Identifier></o:SPDocSpecification><o:SignaturePolicyDocument>999 euros.</o:SignaturePolicyDocument></o:SignaturePolicyStore>`),
		"a time-stamp of nothing":     into(stamped, end, "<xades:RefsOnlyTimeStamp></xades:RefsOnlyTimeStamp>"),
		"a counter signature of none": into(stamped, end, "<xades:CounterSignature></xades:CounterSignature>"),
		"data objects, empty":         into(stamped, tail, "<xades:UnsignedDataObjectProperties></xades:UnsignedDataObjectProperties>"),
		"method behind the token":     regexp.MustCompile(`(<ds:CanonicalizationMethod [^>]*/>)(<xades:EncapsulatedTimeStamp>.*</xades:EncapsulatedTimeStamp>)`).ReplaceAllString(stamped, "$2$1"),
	} {
		if doc == stamped {
			t.Fatal(name)
		}
		if rep := look(t, []byte(doc), k.trust()); rep.SubIndication != validate.SigConstraintsFailure {
			t.Errorf("%s: %s", name, rep.Words())
		}
	}
	refs := "<xades:CompleteCertificateRefs><xades:CertRefs><xades:Cert><xades:CertDigest><ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></ds:DigestMethod><ds:DigestValue>AAAA</ds:DigestValue></xades:CertDigest><xades:IssuerSerial><ds:X509IssuerName>CN=A</ds:X509IssuerName><ds:X509SerialNumber>7</ds:X509SerialNumber></xades:IssuerSerial></xades:Cert></xades:CertRefs></xades:CompleteCertificateRefs>"
	if rep := look(t, []byte(into(stamped, end, refs)), k.trust()); rep.Verdict != validate.Valid || !strings.Contains(strings.Join(rep.Signatures[0].Later, " "), "CompleteCertificateRefs") {
		t.Errorf("references in their form: %s", rep.Words())
	}
}

// ADE-05, D16: the certificate that a signature of before EN 319 132-1 names is the one that counts: another one for the
// same key, of another person, is not taken for it.
func TestADE05CertificateOfTheFirstForm(t *testing.T) {
	tr := newTree(t)
	key := newKey(t)
	anna, eve := tr.issue(t, person("Anna"), tr.root, key.Public(), tr.key), tr.issue(t, person("Eve"), tr.root, key.Public(), tr.key)
	k := &kit{key: key, chain: [][]byte{anna.Raw}}
	b64 := base64.StdEncoding.EncodeToString
	name := func(alg string, digest []byte) func(string) string {
		return func(s string) string {
			i, j := strings.Index(s, "<xades:SigningCertificateV2>"), strings.Index(s, "</xades:SigningCertificateV2>")+len("</xades:SigningCertificateV2>")
			return s[:i] + `<xades:SigningCertificate><xades:Cert><xades:CertDigest><ds:DigestMethod xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Algorithm="` + alg + `"></ds:DigestMethod><ds:DigestValue xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` + b64(digest) +
				`</ds:DigestValue></xades:CertDigest><xades:IssuerSerial><ds:X509IssuerName xmlns:ds="http://www.w3.org/2000/09/xmldsig#">CN=Root</ds:X509IssuerName><ds:X509SerialNumber xmlns:ds="http://www.w3.org/2000/09/xmldsig#">2</ds:X509SerialNumber></xades:IssuerSerial></xades:Cert></xades:SigningCertificate>` + s[j:]
		}
	}
	old := sha1.Sum(anna.Raw)
	new := crypto.SHA256.New()
	new.Write(anna.Raw)
	for form, edit := range map[string]func(string) string{"SHA-1": name("http://www.w3.org/2000/09/xmldsig#sha1", old[:]), "SHA-256": name("http://www.w3.org/2001/04/xmlenc#sha256", new.Sum(nil))} {
		good := k.edited(t, invoice, edit, asIs)
		if s := look(t, good, tr.trust()).Signatures[0]; s.Verdict != validate.Valid || s.Signer != "Anna" || !strings.Contains(s.Level, "not baseline") {
			t.Errorf("%s: %s %q %s %q", form, s.Words(), s.Signer, s.Level, s.Why)
		}
		swapped := []byte(strings.Replace(string(good), "<ds:X509Certificate>"+b64(anna.Raw), "<ds:X509Certificate>"+b64(eve.Raw), 1))
		if s := look(t, swapped, tr.trust()).Signatures[0]; s.Verdict == validate.Valid || s.SubIndication != validate.NoSigningCertificateFound {
			t.Errorf("%s, swapped: %s %q", form, s.Words(), s.Signer)
		}
	}
}

// ADE-05: what is signed is named as what it is: a root by its identifier is the whole, unless an instruction (a style sheet)
// stands beside it that nobody signed; a list of references is not what these are over.
func TestADE05ScopeOfRootsAndLists(t *testing.T) {
	k := newKit(t)
	byID := put(`URI="">`, `URI="#r1">`)
	const doc = `<invoice Id="r1"><line>240 euros</line></invoice>`
	const sheet = `<?xml-stylesheet href="evil.xsl"?>`
	for name, c := range map[string]struct {
		file string
		want validate.Verdict
	}{
		"the root":                      {string(k.edited(t, doc, asIs, byID)), validate.Valid},
		"a comment beside it":           {"<!-- " + sheet + " -->" + string(k.edited(t, doc, asIs, byID)), validate.Valid},
		"a style sheet before it":       {sheet + string(k.edited(t, doc, asIs, byID)), validate.Indeterminate},
		"a style sheet behind it":       {string(k.edited(t, doc, asIs, byID)) + sheet, validate.Indeterminate},
		"a style sheet that is covered": {string(k.edited(t, sheet+doc, asIs, asIs)), validate.Valid},
		"one that was not":              {sheet + string(k.edited(t, doc, asIs, asIs)), validate.NotValid},
	} {
		rep := look(t, []byte(c.file), k.trust())
		s := rep.Signatures[0]
		if s.Verdict != c.want || s.Whole != (c.want == validate.Valid) || name == "the root" && s.Scope != `the root element, by its identifier "r1" but for this signature` {
			t.Errorf("%s: %s %q %v %q", name, s.Words(), s.Scope, s.Whole, s.Why)
		}
	}
	list := `<ds:Object Id="s1-object"><ds:Manifest xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="m1"><ds:Reference URI="contract.pdf"><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod><ds:DigestValue>` +
		base64.StdEncoding.EncodeToString(make([]byte, 32)) + `</ds:DigestValue></ds:Reference></ds:Manifest></ds:Object>`
	digest := func(element string) string {
		h := crypto.SHA256.New()
		must(t, c14n.Canonicalize(strings.NewReader(`<x xmlns:ds="http://www.w3.org/2000/09/xmldsig#">`+list+`</x>`), c14n.Limits{}, c14n.Job{W: h, Method: c14n.Exclusive, Target: c14n.ElementByID(element)}))
		return base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	for _, id := range []string{"s1-object", "m1"} {
		element := k.packaged(t, "x", func(info string) string {
			info = regexp.MustCompile(`URI="a%20b.txt">`).ReplaceAllString(info, `URI="#`+id+`"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform></ds:Transforms>`)
			return regexp.MustCompile(`(<ds:DigestValue>)[^<]*`).ReplaceAllStringFunc(info, once("<ds:DigestValue>"+digest(id)))
		})
		listed := into(element, "<ds:Object>", list)
		s := look(t, []byte(listed), k.trust()).Signatures[0]
		if s.Verdict != validate.Indeterminate || s.SubIndication != validate.SignedDataNotFound || !strings.Contains(strings.Join(s.Why, " "), `reference 1 of a list: xmlsig: a reference to a file beside the document, which is not at hand: "contract.pdf"`) {
			t.Errorf("%s: %s %q %q", id, s.Words(), s.Scope, s.Why)
		}
		// An archive time-stamp is over the list and not over the file.
		stamped := into(listed, "</xades:QualifyingProperties>", `<xades:UnsignedProperties><xades:UnsignedSignatureProperties><y:ArchiveTimeStamp xmlns:y="http://uri.etsi.org/01903/v1.4.1#">`+
			`<xades:EncapsulatedTimeStamp>AAAA</xades:EncapsulatedTimeStamp></y:ArchiveTimeStamp></xades:UnsignedSignatureProperties></xades:UnsignedProperties>`)
		if all := look(t, []byte(stamped), k.trust()).Signatures; len(all) != 2 || !strings.Contains(strings.Join(all[1].Why, " "), "a time-stamp is there and is wrong") {
			t.Errorf("%s: archive time-stamp: %+v", id, all[1:])
		}
	}
}

// once replaces the first match and leaves the others.
func once(with string) func(string) string {
	done := false
	return func(s string) string {
		if done {
			return s
		}
		done = true
		return with
	}
}
