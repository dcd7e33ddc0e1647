//go:build foreign

package conformance_test

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pdf"
)

// made says how a signature is made; the zero value is a good one of Anna's.
type made struct {
	by     *party
	certs  [][]byte // in the message, if not those of the path
	hash   crypto.Hash
	stamps *stampOf
	at     time.Time // claimed; an hour ago
	store  *pdf.ValidationData

	attrs            func([][]byte) [][]byte // of PDF: what becomes of the signed attributes
	der              bool                    // of PDF: signed in the order of DER
	properties, info func(string) string     // of XML: what becomes of SignedProperties and SignedInfo
	uri, transforms  string                  // of XML: of the reference to the data
	id               string
}

func (m *mill) filled(s made) made {
	s.by, s.hash, s.id = cmp.Or(s.by, m.anna), cmp.Or(s.hash, crypto.SHA256), cmp.Or(s.id, "s1")
	if s.at.IsZero() {
		s.at = m.hour
	}
	if s.certs == nil {
		s.certs = s.by.raws()
	}
	return s
}

// data writes a PDF file that carries validation data.
func (m *mill) data(file []byte, v pdf.ValidationData) []byte {
	m.Helper()
	d, err := pdf.Open(bytes.NewReader(file), int64(len(file)), pdf.Limits{})
	m.must(err)
	tail, err := d.PlanDSS(v)
	m.must(err)
	return slices.Concat(file, tail)
}

// hole is a file with room for a value, and the octets that the value is over.
func (m *mill) hole(file []byte, opt pdf.SignOptions) (out []byte, p *pdf.Prepared, over []byte) {
	m.Helper()
	d, err := pdf.Open(bytes.NewReader(file), int64(len(file)), pdf.Limits{})
	m.must(err)
	opt.Hash, opt.Reserve = crypto.SHA256, 16<<10
	tail, p, err := d.PlanSignature(opt)
	m.must(err)
	out = slices.Concat(file, tail)
	r := p.ByteRange
	return out, p, slices.Concat(out[r[0]:r[0]+r[1]], out[r[2]:r[2]+r[3]])
}

// pdf signs a file as s says.
func (m *mill) pdf(file []byte, s made) []byte {
	m.Helper()
	s = m.filled(s)
	out, p, over := m.hole(file, pdf.SignOptions{Time: s.at})
	list := attrs(s.by, s.hash, cms.OIDData, digestOf(s.hash, over))
	if s.attrs != nil {
		list = s.attrs(list)
	}
	msg := message{signer: s.by, certs: s.certs, hash: s.hash, kind: cms.OIDData, attrs: list, der: s.der}
	if s.stamps != nil {
		msg.stamp = func(value []byte) []byte { return m.token(*s.stamps, value) }
	}
	m.must(pdf.Embed(inMemory(out), p, m.message(msg)))
	if s.store != nil {
		out = m.data(out, *s.store)
	}
	return out
}

// sealed puts a document time-stamp on a PDF file.
func (m *mill) sealed(file []byte, s stampOf) []byte {
	m.Helper()
	out, p, over := m.hole(file, pdf.SignOptions{Time: s.at, SubFilter: pdf.SubFilterRFC3161})
	m.must(pdf.Embed(inMemory(out), p, m.token(s, over)))
	return out
}

// inMemory is a file that Embed can patch.
type inMemory []byte

func (f inMemory) WriteAt(p []byte, off int64) (int, error) { return copy(f[off:], p), nil }

const (
	dsig    = "http://www.w3.org/2000/09/xmldsig#"
	adesNS  = "http://uri.etsi.org/01903/v1.3.2#"
	excl    = "http://www.w3.org/2001/10/xml-exc-c14n#"
	excl14n = `<ds:Transform Algorithm="` + excl + `"></ds:Transform>`
	around  = `<ds:Transform Algorithm="` + dsig + `enveloped-signature"></ds:Transform>`
	others  = `<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath>not(ancestor-or-self::ds:Signature)</ds:XPath></ds:Transform>`
	lease   = "<?xml version=\"1.0\"?>\n<lease xmlns=\"urn:example:lease\"><line Id=\"a\">240 euros</line><line Id=\"b\">a year</line></lease>"
)

var (
	digestURI = map[crypto.Hash]string{crypto.MD5: "http://www.w3.org/2001/04/xmldsig-more#md5", crypto.SHA1: dsig + "sha1", crypto.SHA256: "http://www.w3.org/2001/04/xmlenc#sha256", crypto.SHA512: "http://www.w3.org/2001/04/xmlenc#sha512"}
	valueURI  = map[crypto.Hash]string{crypto.MD5: "md5", crypto.SHA1: "sha1", crypto.SHA256: "sha256", crypto.SHA512: "sha512"}
)

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func digestXML(h crypto.Hash, octets []byte) string {
	return `<ds:DigestMethod Algorithm="` + digestURI[h] + `"></ds:DigestMethod><ds:DigestValue>` + base64Of(digestOf(h, octets)) + `</ds:DigestValue>`
}

// canonical is the exclusive canonical form of a document or, by its identifier, of an element.
func (m *mill) canonical(doc, id string, job c14n.Job) []byte {
	m.Helper()
	var out bytes.Buffer
	job.W, job.Method = &out, c14n.Exclusive
	if id != "" {
		job.Target = c14n.ElementByID(id)
	}
	m.must(c14n.Canonicalize(strings.NewReader(doc), c14n.Limits{}, job))
	return out.Bytes()
}

// reference is one in canonical form.
func reference(id, more, uri, transforms string, h crypto.Hash, octets []byte) string {
	return `<ds:Reference` + id + more + ` URI="` + uri + `"><ds:Transforms>` + transforms + `</ds:Transforms>` + digestXML(h, octets) + `</ds:Reference>`
}

func (m *mill) issuerSerial(c *x509.Certificate) string {
	return base64Of(m.der(struct {
		Names  []asn1.RawValue
		Serial *big.Int
	}{[]asn1.RawValue{tagged(2, 4, c.RawIssuer)}, c.SerialNumber}))
}

// signed composes the SignedProperties in canonical form.
func (m *mill) signed(s made) string {
	return `<xades:SignedProperties xmlns:xades="` + adesNS + `" Id="` + s.id + `-p"><xades:SignedSignatureProperties><xades:SigningTime>` + s.at.UTC().Format(time.RFC3339) +
		`</xades:SigningTime><xades:SigningCertificateV2><xades:Cert><xades:CertDigest>` + strings.ReplaceAll(strings.ReplaceAll(digestXML(crypto.SHA256, s.by.cert.Raw), "<ds:DigestMethod ", `<ds:DigestMethod xmlns:ds="`+dsig+`" `), "<ds:DigestValue>", `<ds:DigestValue xmlns:ds="`+dsig+`">`) +
		`</xades:CertDigest><xades:IssuerSerialV2>` + m.issuerSerial(s.by.cert) + `</xades:IssuerSerialV2></xades:Cert></xades:SigningCertificateV2></xades:SignedSignatureProperties>` +
		`<xades:SignedDataObjectProperties><xades:DataObjectFormat ObjectReference="#` + s.id + `-r"><xades:MimeType>text/xml</xades:MimeType></xades:DataObjectFormat></xades:SignedDataObjectProperties></xades:SignedProperties>`
}

// xml puts a signature into a document, before the end of its root element.
func (m *mill) xml(doc string, s made) string {
	m.Helper()
	s = m.filled(s)
	id, job := "", c14n.Job{}
	transforms := cmp.Or(s.transforms, around+excl14n)
	if ref, ok := strings.CutPrefix(s.uri, "#"); ok {
		id, transforms = ref, cmp.Or(s.transforms, excl14n)
	}
	job.Unsigned = strings.Contains(transforms, "XPath")
	props := m.signed(s)
	if s.properties != nil {
		props = s.properties(props)
	}
	info := `<ds:SignedInfo xmlns:ds="` + dsig + `"><ds:CanonicalizationMethod Algorithm="` + excl + `"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="` + m.method(s) + `"></ds:SignatureMethod>` +
		reference(` Id="`+s.id+`-r"`, "", s.uri, transforms, s.hash, m.canonical(doc, id, job)) +
		reference("", ` Type="http://uri.etsi.org/01903#SignedProperties"`, "#"+s.id+"-p", excl14n, s.hash, []byte(props)) + `</ds:SignedInfo>`
	if s.info != nil {
		info = s.info(info)
	}
	value := m.sign(s.by, s.hash, []byte(info))
	if k, ok := s.by.key.(*ecdsa.PrivateKey); ok {
		value = m.fixed(k, value)
	}
	inner := `<ds:SignatureValue xmlns:ds="` + dsig + `" Id="` + s.id + `-v">` + base64Of(value) + `</ds:SignatureValue>`
	var certs strings.Builder
	for _, c := range s.certs {
		fmt.Fprintf(&certs, "<ds:X509Certificate>%s</ds:X509Certificate>", base64Of(c))
	}
	return strings.Replace(doc, "</lease>", `<ds:Signature xmlns:ds="`+dsig+`" Id="`+s.id+`">`+info+inner+`<ds:KeyInfo><ds:X509Data>`+certs.String()+`</ds:X509Data></ds:KeyInfo><ds:Object><xades:QualifyingProperties xmlns:xades="`+adesNS+`" Target="#`+s.id+`">`+
		props+m.unsigned(s, inner)+`</xades:QualifyingProperties></ds:Object></ds:Signature></lease>`, 1)
}

func (m *mill) method(s made) string {
	family := "rsa"
	if _, ok := s.by.key.(*ecdsa.PrivateKey); ok {
		family = "ecdsa"
	}
	if family == "rsa" && s.hash == crypto.SHA1 {
		return dsig + "rsa-sha1"
	}
	return "http://www.w3.org/2001/04/xmldsig-more#" + family + "-" + valueURI[s.hash]
}

// fixed is an ECDSA value as XML has it: the two numbers side by side.
func (m *mill) fixed(k *ecdsa.PrivateKey, value []byte) []byte {
	var v struct{ R, S *big.Int }
	_, err := asn1.Unmarshal(value, &v)
	m.must(err)
	size := (k.Params().BitSize + 7) / 8
	return slices.Concat(v.R.FillBytes(make([]byte, size)), v.S.FillBytes(make([]byte, size)))
}

// unsigned are the unsigned properties.
func (m *mill) unsigned(s made, value string) string {
	var b strings.Builder
	if s.stamps != nil {
		b.WriteString(`<xades:SignatureTimeStamp><ds:CanonicalizationMethod Algorithm="` + excl + `"></ds:CanonicalizationMethod><xades:EncapsulatedTimeStamp>` + base64Of(m.token(*s.stamps, []byte(value))) + `</xades:EncapsulatedTimeStamp></xades:SignatureTimeStamp>`)
	}
	list := func(outer, inner string, all [][]byte) {
		if len(all) > 0 {
			b.WriteString("<xades:" + outer + ">")
			for _, v := range all {
				b.WriteString("<xades:" + inner + ">" + base64Of(v) + "</xades:" + inner + ">")
			}
			b.WriteString("</xades:" + outer + ">")
		}
	}
	if v := s.store; v != nil {
		list("CertificateValues", "EncapsulatedX509Certificate", v.Certs)
		b.WriteString("<xades:RevocationValues>")
		list("CRLValues", "EncapsulatedCRLValue", v.CRLs)
		list("OCSPValues", "EncapsulatedOCSPValue", v.OCSPs)
		b.WriteString("</xades:RevocationValues>")
	}
	if b.Len() == 0 {
		return ""
	}
	return "<xades:UnsignedProperties><xades:UnsignedSignatureProperties>" + b.String() + "</xades:UnsignedSignatureProperties></xades:UnsignedProperties>"
}
