package validate_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/sigpolicy"
	"github.com/assent-sign/assent/internal/validate"
)

const policyName = "1.3.6.1.4.1.99999.2.1"

// under signs a PDF with a further signed attribute, unless it is nil, and unsigned ones.
func (k *kit) under(t testing.TB, attribute []byte, unsigned ...[]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	in := contract()
	p, err := pdf.Prepare(t.Context(), bytes.NewReader(in), int64(len(in)), &out, pdf.SignOptions{Time: time.Now(), Hash: crypto.SHA256, Reserve: 16 << 10})
	must(t, err)
	list := [][]byte{cms.ContentTypeAttr(cms.OIDData), cms.MessageDigestAttr(p.Digest), cms.SigningCertificateV2Attr(k.chain[0], crypto.SHA256)}
	if attribute != nil {
		list = append(list, attribute)
	}
	attrs := cms.SortedSet(list)
	sig, err := k.key.Sign(rand.Reader, digestOf(attrs), crypto.SHA256)
	must(t, err)
	msg, err := cms.Assemble(cms.Input{SignedAttrs: attrs, Alg: algo.ES256, Signature: sig, Chain: k.chain})
	must(t, err)
	for _, a := range unsigned {
		msg, err = cms.AddUnsigned(msg, a)
		must(t, err)
	}
	f := fileOf(out.Bytes())
	must(t, pdf.Embed(f, p, msg))
	return *f
}

func digestOf(b []byte) []byte {
	h := crypto.SHA256.New()
	h.Write(b)
	return h.Sum(nil)
}

// padesPolicy is the attribute for a document, or, without one, an implied policy.
func padesPolicy(t testing.TB, document []byte) []byte {
	t.Helper()
	b := cryptobyte.NewBuilder(nil)
	if document == nil {
		b.AddASN1(cbasn1.NULL, func(*cryptobyte.Builder) {})
		return cms.Attribute(sigpolicy.OIDAttribute, b.BytesOrPanic())
	}
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2, 1})
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			cms.AddDigestAlgorithm(b, crypto.SHA256)
			b.AddASN1OctetString(digestOf(document))
		})
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 5, 1})
				b.AddASN1(cbasn1.IA5String, func(b *cryptobyte.Builder) { b.AddBytes([]byte("http://p.example/rules")) })
			})
		})
	})
	return cms.Attribute(sigpolicy.OIDAttribute, b.BytesOrPanic())
}

func xadesPolicy(document []byte) string {
	if document == nil {
		return "<xades:SignaturePolicyIdentifier><xades:SignaturePolicyImplied></xades:SignaturePolicyImplied></xades:SignaturePolicyIdentifier>"
	}
	const ds = `xmlns:ds="http://www.w3.org/2000/09/xmldsig#"`
	return `<xades:SignaturePolicyIdentifier><xades:SignaturePolicyId><xades:SigPolicyId><xades:Identifier Qualifier="OIDAsURN">urn:oid:` + policyName + `</xades:Identifier></xades:SigPolicyId><xades:SigPolicyHash><ds:DigestMethod ` + ds + ` Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod><ds:DigestValue ` + ds + `>` +
		base64.StdEncoding.EncodeToString(digestOf(document)) + `</ds:DigestValue></xades:SigPolicyHash><xades:SigPolicyQualifiers><xades:SigPolicyQualifier><xades:SPURI>http://p.example/rules</xades:SPURI></xades:SigPolicyQualifier></xades:SigPolicyQualifiers></xades:SignaturePolicyId></xades:SignaturePolicyIdentifier>`
}

// ADE-05, EN 319 102-1, 5.2.4: a policy that a signature names is told with its digest and qualifiers, and that it was
// not checked; documents that were given decide, in both formats.
func TestADE05SignaturePolicies(t *testing.T) {
	k := newKit(t)
	rules := []byte("Sign only what you have read.")
	docs := func(list ...sigpolicy.Document) *sigpolicy.Documents {
		d, err := sigpolicy.NewDocuments(list...)
		must(t, err)
		return d
	}
	named := func(doc []byte) []byte {
		return k.edited(t, invoice, put("</xades:SigningCertificateV2>", "</xades:SigningCertificateV2>"+xadesPolicy(doc)), asIs)
	}
	good := validate.Status{Indication: validate.TotalPassed}
	missing := validate.Status{Indication: validate.InDoubt, SubIndication: validate.SignaturePolicyNotAvailable}
	wrong := validate.Status{Indication: validate.InDoubt, SubIndication: validate.PolicyProcessingError}
	for format, files := range map[string][2][]byte{"PDF": {k.under(t, padesPolicy(t, rules)), k.under(t, padesPolicy(t, nil))}, "XML": {named(rules), named(nil)}} {
		for name, c := range map[string]struct {
			docs    *sigpolicy.Documents
			want    validate.Status
			checked string
		}{
			"none given":           {nil, good, "not checked: no policy document was given"},
			"the document":         {docs(sigpolicy.Document{Name: "rules.txt", Content: rules}), good, "rules.txt is the document that is named"},
			"the document, by ID":  {docs(sigpolicy.Document{ID: policyName, Name: "rules.txt", Content: rules}), good, "rules.txt is the document that is named"},
			"another document":     {docs(sigpolicy.Document{Name: "x.txt", Content: []byte("x")}), missing, "no document with the named digest"},
			"for another policy":   {docs(sigpolicy.Document{ID: "1.2.3", Name: "rules.txt", Content: rules}), missing, "no document with the named digest"},
			"another one for this": {docs(sigpolicy.Document{ID: "urn:oid:" + policyName, Name: "x.txt", Content: []byte("x")}), wrong, "is not the document that is named"},
		} {
			opt := k.trust()
			opt.Policies = c.docs
			rep := k.look(t, files[0], opt)
			s := rep.Signatures[0]
			if rep.Status != c.want || s.Policy == nil || !strings.Contains(s.Policy.Checked, c.checked) || s.Policy.ID != policyName || len(s.Policy.Qualifiers) != 1 {
				t.Fatalf("%s, %s: %s %q %+v", format, name, rep.Words(), s.Why, s.Policy)
			}
			var text, page strings.Builder
			must(t, rep.Print(&text))
			must(t, rep.HTML(&page))
			js, err := json.Marshal(rep)
			must(t, err)
			for _, out := range []string{text.String(), page.String(), string(js)} {
				for _, want := range []string{policyName, s.Policy.Digest, "http://p.example/rules", c.checked} {
					if !strings.Contains(out, want) {
						t.Errorf("%s, %s: %q is not said: %s", format, name, want, out)
					}
				}
			}
			rep = k.look(t, files[1], opt)
			if s := rep.Signatures[0]; rep.Verdict != validate.Valid || s.Policy == nil || !s.Policy.Implied || !strings.Contains(s.Policy.Checked, "not checked") {
				t.Errorf("%s, %s, implied: %s %+v", format, name, rep.Words(), s.Policy)
			}
		}
	}
	if rep := k.look(t, k.under(t, cms.Attribute(sigpolicy.OIDAttribute, []byte{0x30, 0})), k.trust()); rep.Status != wrong {
		t.Errorf("malformed: %s", rep.Words())
	}
	if rep := k.look(t, k.sign(t, contract(), false), k.trust()); rep.Signatures[0].Policy != nil {
		t.Errorf("none: %+v", rep.Signatures[0].Policy)
	}
}
