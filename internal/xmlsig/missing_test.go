package xmlsig_test

import (
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/xmlsig"
)

// ADE-05: properties that lack what their form demands are a defect and no crash.
func TestADE05PropertiesWithoutTheirParts(t *testing.T) {
	const before = `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="s"><ds:SignedInfo></ds:SignedInfo><ds:SignatureValue>AAAA</ds:SignatureValue><ds:Object>` +
		`<xades:QualifyingProperties xmlns:xades="http://uri.etsi.org/01903/v1.3.2#" Target="#s"><xades:SignedProperties><xades:SignedSignatureProperties>`
	const after = `</xades:SignedSignatureProperties></xades:SignedProperties></xades:QualifyingProperties></ds:Object></ds:Signature>`
	for _, part := range []string{
		"<xades:SigningCertificate><xades:Cert></xades:Cert></xades:SigningCertificate>",
		"<xades:SigningCertificate><xades:Cert><xades:CertDigest></xades:CertDigest></xades:Cert></xades:SigningCertificate>",
		`<xades:SigningCertificate><xades:Cert><xades:CertDigest><ds:DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"></ds:DigestMethod></xades:CertDigest></xades:Cert></xades:SigningCertificate>`,
		"<xades:SignaturePolicyIdentifier></xades:SignaturePolicyIdentifier>",
		"<xades:SignaturePolicyIdentifier><xades:SignaturePolicyId></xades:SignaturePolicyId></xades:SignaturePolicyIdentifier>",
		"<xades:SignaturePolicyIdentifier><xades:SignaturePolicyId><xades:SigPolicyHash></xades:SigPolicyHash></xades:SignaturePolicyId></xades:SignaturePolicyIdentifier>",
		"<xades:SignaturePolicyIdentifier><xades:SignaturePolicyId><ds:Transforms><ds:Transform></ds:Transform></ds:Transforms></xades:SignaturePolicyId></xades:SignaturePolicyIdentifier>",
	} {
		doc := before + part + after
		d, err := xmlsig.Read(strings.NewReader(doc), int64(len(doc)), c14n.Limits{})
		if err != nil || len(d.Signatures) != 1 {
			t.Fatalf("%s: %v", part, err)
		}
		if _, err := d.Check(strings.NewReader(doc), &d.Signatures[0], c14n.Limits{}); err == nil {
			t.Errorf("%s: no defect", part)
		}
	}
}
