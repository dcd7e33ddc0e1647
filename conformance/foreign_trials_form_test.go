//go:build foreign

package conformance_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pdf"
)

// stamped: time-stamps over the signature and over the document.
func (r *trials) stamped() {
	stamp := func(name string, s stampOf) {
		if s.at.IsZero() {
			s.at = r.hour
		}
		r.one("stamp: "+name, false, made{stamps: &s})
	}
	stamp("good", stampOf{})
	stamp("with SHA-512", stampOf{hash: crypto.SHA512})
	stamp("with SHA-1", stampOf{hash: crypto.SHA1})
	stamp("over other bytes", stampOf{over: []byte("other")})
	stamp("without EKU", stampOf{by: r.issue(r.root, "No TSA", nil)})
	stamp("EKU not critical", stampOf{by: r.issue(r.root, "Lax TSA", func(c *x509.Certificate) {
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}
	})})
	stamp("of a stranger", stampOf{by: r.issue(r.issue(nil, "Other root", authority), "TSA", stamping)})
	stamp("of tomorrow", stampOf{at: r.now.Add(24 * time.Hour)})
	stamp("of an expired authority", stampOf{by: r.issue(r.root, "Late TSA", func(c *x509.Certificate) { stamping(c); c.NotAfter = r.days })})
	stamp("of an authority that expired since", stampOf{by: r.issue(r.root, "Late TSA", func(c *x509.Certificate) { stamping(c); c.NotAfter = r.yesterday }), at: r.days})
	stamp("names another certificate", stampOf{edit: func(list [][]byte) [][]byte { return r.naming(list, r.anna.cert.Raw) }})
	stamp("before the claimed time", stampOf{at: r.days})
	good := r.mill.pdf(plainPDF(false), made{})
	r.pdf("document stamp: good", false, r.sealed(good, stampOf{at: r.hour}))
	r.pdf("document stamp: over other bytes", false, r.sealed(good, stampOf{at: r.hour, over: []byte("other")}))
	r.pdf("document stamp: of a stranger", false, r.sealed(good, stampOf{at: r.hour, by: r.issue(r.issue(nil, "Other root", authority), "TSA", stamping)}))
	lapsed := r.issue(r.ca, "Lapsed", until(r.yesterday))
	r.pdf("document stamp: before expiry", false, r.sealed(r.mill.pdf(plainPDF(false), made{by: lapsed, at: r.days}), stampOf{at: r.days}))
	r.pdf("document stamp: earlier than the signature's", false, r.sealed(r.mill.pdf(plainPDF(false), made{stamps: &stampOf{at: r.hour}}), stampOf{at: r.days}))
}

// naming replaces the signing-certificate attribute, or takes it out.
func (r *trials) naming(list [][]byte, certs ...[]byte) [][]byte {
	var out [][]byte
	for _, a := range list {
		if !bytes.Contains(a, r.der(cms.OIDSigningCertificateV2)) {
			out = append(out, a)
		}
	}
	for _, c := range certs {
		out = append(out, cms.SigningCertificateV2Attr(c, crypto.SHA256))
	}
	return sorted(out...)
}

// essWith is the attribute with an issuerSerial of any kind, over the certificate's digest.
func (r *trials) essWith(c *x509.Certificate, issuer []byte, serial *big.Int) []byte {
	return cms.Attribute(cms.OIDSigningCertificateV2, r.der(struct{ Certs []any }{[]any{struct {
		Digest []byte
		Issuer struct {
			Names  []asn1.RawValue
			Serial *big.Int
		}
	}{digestOf(crypto.SHA256, c.Raw), struct {
		Names  []asn1.RawValue
		Serial *big.Int
	}{[]asn1.RawValue{tagged(2, 4, issuer)}, serial}}}}))
}

// messages: the parts of a CMS message that are signed.
func (r *trials) messages() {
	cert := r.anna.cert
	set := func(name string, edit func(list [][]byte) [][]byte) {
		r.pdf("CMS: "+name, false, r.mill.pdf(plainPDF(false), made{attrs: edit}))
	}
	without := func(oid asn1.ObjectIdentifier) func([][]byte) [][]byte {
		return func(list [][]byte) [][]byte {
			return slices.DeleteFunc(list, func(a []byte) bool { return bytes.Contains(a, r.der(oid)) })
		}
	}
	set("signing-certificate of another", func(l [][]byte) [][]byte { return r.naming(l, r.ca.cert.Raw) })
	set("signing-certificate missing", func(l [][]byte) [][]byte { return r.naming(l) })
	set("signing-certificate twice", func(l [][]byte) [][]byte { return r.naming(l, cert.Raw, cert.Raw) })
	set("issuerSerial right", func(l [][]byte) [][]byte {
		return sorted(append(r.naming(l), r.essWith(cert, cert.RawIssuer, cert.SerialNumber))...)
	})
	set("issuerSerial, another serial", func(l [][]byte) [][]byte {
		return sorted(append(r.naming(l), r.essWith(cert, cert.RawIssuer, big.NewInt(7)))...)
	})
	set("issuerSerial, another issuer", func(l [][]byte) [][]byte {
		return sorted(append(r.naming(l), r.essWith(cert, cert.RawSubject, cert.SerialNumber))...)
	})
	set("content-type missing", without(cms.OIDContentType))
	set("content-type of something else", func(l [][]byte) [][]byte {
		return sorted(append(without(cms.OIDContentType)(l), cms.ContentTypeAttr(cms.OIDTSTInfo))...)
	})
	set("content-type twice", func(l [][]byte) [][]byte { return sorted(append(l, cms.ContentTypeAttr(cms.OIDData))...) })
	set("message-digest missing", without(cms.OIDMessageDigest))
	set("message-digest of other bytes", func(l [][]byte) [][]byte {
		return sorted(append(without(cms.OIDMessageDigest)(l), cms.MessageDigestAttr(make([]byte, 32)))...)
	})
	set("message-digest twice", func(l [][]byte) [][]byte { return sorted(append(l, cms.MessageDigestAttr(make([]byte, 32)))...) })
	set("attributes not sorted", func(l [][]byte) [][]byte { slices.Reverse(l); return l })
	r.pdf("CMS: attributes not sorted, signed over DER", false, r.mill.pdf(plainPDF(false), made{der: true, attrs: func(l [][]byte) [][]byte { slices.Reverse(l); return l }}))
	set("signing-time too", func(l [][]byte) [][]byte { return sorted(append(l, cms.SigningTimeAttr(r.hour))...) })
	set("an attribute nobody knows", func(l [][]byte) [][]byte {
		return sorted(append(l, cms.Attribute(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 9}, []byte{5, 0}))...)
	})
}

// documents: what is signed, and where.
func (r *trials) documents() {
	good := r.mill.pdf(plainPDF(false), made{})
	two := r.mill.pdf(good, made{})
	r.pdf("two signatures", false, two)
	lapsed := r.issue(r.ca, "Lapsed", until(r.yesterday))
	r.pdf("two signatures, the second expired", false, r.mill.pdf(good, made{by: lapsed}))
	r.pdf("two signatures, the first changed", false, bytes.Replace(two, []byte("Hello, judge"), []byte("Hello, thief"), 1))
	r.pdf("bytes behind", false, append(slices.Clone(good), "\n% more\n"...))
	r.pdf("store of garbage", false, r.data(good, pdf.ValidationData{Certs: [][]byte{[]byte("no certificate")}, CRLs: [][]byte{{0x30, 0}}, OCSPs: [][]byte{{0x30, 3, 1, 2}}}))
	r.pdf("changed", false, bytes.Replace(good, []byte("Hello, judge"), []byte("Hello, thief"), 1))

	xml := r.mill.xml(lease, made{})
	r.xml("changed", false, strings.Replace(xml, "240", "999", 1))
	r.xml("exclusive by an element", false, r.mill.xml(lease, made{uri: "#a"}))
	r.xml("URI to nowhere", false, strings.Replace(r.mill.xml(lease, made{uri: "#a"}), `Id="a"`, `Id="c"`, 1))
	r.xml("identifier twice", false, strings.Replace(r.mill.xml(lease, made{uri: "#a"}), `Id="b"`, `Id="a"`, 1))
	ref := func(uri string, over []byte) func(string) string {
		return func(info string) string {
			return strings.Replace(info, `<ds:Reference Type`, reference("", "", uri, excl14n, crypto.SHA256, over)+`<ds:Reference Type`, 1)
		}
	}
	b := r.canonical(lease, "b", c14n.Job{})
	r.xml("two references", false, r.mill.xml(lease, made{info: ref("#b", b)}))
	r.xml("two references, one wrong", false, r.mill.xml(lease, made{info: ref("#b", []byte("other"))}))
	r.xml("two references, one to nowhere", false, r.mill.xml(lease, made{info: ref("#z", b)}))
	r.xml("two references, one to a file", false, r.mill.xml(lease, made{info: ref("more.txt", b)}))
	r.xml("wrong canonicalization", false, strings.Replace(xml, `<ds:CanonicalizationMethod Algorithm="`+excl+`">`, `<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments">`, 1))
	r.xml("canonicalization nobody knows", false, r.mill.xml(lease, made{info: func(s string) string {
		return strings.Replace(s, `<ds:CanonicalizationMethod Algorithm="`+excl, `<ds:CanonicalizationMethod Algorithm="urn:none`, 1)
	}}))
	r.xml("digest of SHA-1", false, r.mill.xml(lease, made{info: func(s string) string {
		over := digestXML(crypto.SHA256, r.canonical(lease, "", c14n.Job{}))
		return strings.Replace(s, over, digestXML(crypto.SHA1, r.canonical(lease, "", c14n.Job{})), 1)
	}}))
	props := func(name string, edit func(string) string) {
		r.xml("XAdES: "+name, false, r.mill.xml(lease, made{properties: edit}))
	}
	digest := func(c *x509.Certificate) string { return base64Of(digestOf(crypto.SHA256, c.Raw)) }
	serial := func(c *x509.Certificate) string { return r.issuerSerial(c) }
	props("signing certificate of another", func(s string) string { return strings.Replace(s, digest(r.anna.cert), digest(r.ca.cert), 1) })
	props("issuerSerial of another", func(s string) string { return strings.Replace(s, serial(r.anna.cert), serial(r.ca.cert), 1) })
	props("issuerSerial of garbage", func(s string) string { return strings.Replace(s, serial(r.anna.cert), "AAAA", 1) })
	props("no issuerSerial", func(s string) string { return cut(s, "<xades:IssuerSerialV2>", "</xades:IssuerSerialV2>") })
	props("no signing certificate", func(s string) string { return cut(s, "<xades:SigningCertificateV2>", "</xades:SigningCertificateV2>") })
	props("no signing time", func(s string) string { return cut(s, "<xades:SigningTime>", "</xades:SigningTime>") })
	props("no data object format", func(s string) string {
		return cut(s, "<xades:SignedDataObjectProperties>", "</xades:SignedDataObjectProperties>")
	})
	side := made{transforms: others + excl14n}
	first := r.mill.xml(lease, side)
	side.id = "s2"
	r.xml("parallel", false, r.mill.xml(first, side))
	side.by = lapsed
	r.xml("parallel, one expired", false, r.mill.xml(first, side))
	r.xml("parallel, one changed", false, strings.Replace(r.mill.xml(first, made{id: "s2", transforms: others + excl14n}), `Id="s2-v">`, `Id="s2-v">AAAA`, 1))
	r.xml("over another's value", false, r.mill.xml(first, made{id: "s2", uri: "#s1-v"}))
	r.xml("counter-signature", false, r.countered(xml, nil))
	r.xml("counter-signature, expired", false, r.countered(xml, lapsed))
	r.xml("counter-signature, broken", false, strings.Replace(r.countered(xml, nil), `Id="s2-v">`, `Id="s2-v">AAAA`, 1))
	r.xml("text in the signature", false, strings.Replace(xml, "<ds:KeyInfo>", "no text<ds:KeyInfo>", 1))
	r.xml("an Object nobody signed", false, strings.Replace(xml, "<ds:Object>", "<ds:Object>240</ds:Object><ds:Object>", 1))
	r.xml("signed properties not referenced", false, r.mill.xml(lease, made{info: func(s string) string { return s[:strings.LastIndex(s, "<ds:Reference")] + "</ds:SignedInfo>" }}))
}

// strict are forms that can be read in more than one way.
func (r *trials) strict() {
	props := func(name string, edit func(string) string) {
		r.xml("XAdES: "+name, false, r.mill.xml(lease, made{properties: edit}))
	}
	named := regexp.MustCompile(`<xades:Cert>.*</xades:Cert>`)
	ofCA := strings.NewReplacer(base64Of(digestOf(crypto.SHA256, r.anna.cert.Raw)), base64Of(digestOf(crypto.SHA256, r.ca.cert.Raw)), r.issuerSerial(r.anna.cert), r.issuerSerial(r.ca.cert))
	props("the authority's certificate too", func(s string) string {
		return named.ReplaceAllStringFunc(s, func(c string) string { return c + ofCA.Replace(c) })
	})
	props("the authority's certificate first", func(s string) string {
		return named.ReplaceAllStringFunc(s, func(c string) string { return ofCA.Replace(c) + c })
	})
	signing := regexp.MustCompile(`<xades:SigningTime>[^<]*`)
	for name, at := range map[string]string{"of the future": "2040-01-01T00:00:00Z", "without a zone": "2026-01-01T00:00:00", "of words": "yesterday"} {
		props("signing time "+name, func(s string) string { return signing.ReplaceAllString(s, "<xades:SigningTime>"+at) })
	}
	info := func(name, old, by string) {
		r.xml("reference: "+name, false, r.mill.xml(lease, made{info: func(s string) string { return strings.Replace(s, old, by, 1) }}))
	}
	info("with comments", excl14n, `<ds:Transform Algorithm="`+excl+`WithComments"></ds:Transform>`)
	info("inclusive by default", around+excl14n, around)
	info("another filter", around, strings.Replace(others, "ds:Signature)", "ds:Signature) and true()", 1))
	info("to a Manifest", `Id="s1-r"`, `Id="s1-r" Type="`+dsig+`Manifest"`)
	good := r.mill.xml(lease, made{})
	r.xml("properties of no signature", false, strings.Replace(good, ` Target="#s1"`, ``, 1))
	r.xml("properties of another signature", false, strings.Replace(good, ` Target="#s1"`, ` Target="#s2"`, 1))
	lists := [][]byte{r.crl(r.ca, r.now), r.crl(r.root, r.now)}
	const end = "</xades:UnsignedSignatureProperties>"
	r.xml("archive stamp over other bytes", true, strings.Replace(r.mill.xml(lease, made{stamps: &stampOf{at: r.hour}, store: r.kept(r.anna, lists, nil)}), end,
		`<a:ArchiveTimeStamp xmlns:a="http://uri.etsi.org/01903/v1.4.1#"><ds:CanonicalizationMethod Algorithm="`+excl+`"></ds:CanonicalizationMethod><xades:EncapsulatedTimeStamp>`+
			base64Of(r.token(stampOf{at: r.now}, []byte("other")))+`</xades:EncapsulatedTimeStamp></a:ArchiveTimeStamp>`+end, 1))
	pdf := r.mill.pdf(plainPDF(false), made{})
	at := bytes.Index(pdf, []byte("/Contents <")) + len("/Contents <")
	pdf[at+bytes.IndexByte(pdf[at:], '>')-1] = '1'
	r.pdf("octets behind the message", false, pdf)
}

// countered puts a counter-signature over the value of the signature s1 into its properties (EN 319 132-1, 5.2.7).
func (r *trials) countered(doc string, by *party) string {
	full := r.mill.xml(doc, made{id: "s2", by: by, uri: "#s1-v", info: func(s string) string {
		return strings.Replace(s, ` Id="s2-r"`, ` Id="s2-r" Type="http://uri.etsi.org/01903#CountersignedSignature"`, 1)
	}})
	at, end := strings.LastIndex(full, "<ds:Signature "), strings.LastIndex(full, "</lease>")
	const open, shut = "<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:CounterSignature>", "</xades:CounterSignature></xades:UnsignedSignatureProperties></xades:UnsignedProperties>"
	return strings.Replace(doc, "</xades:QualifyingProperties>", open+full[at:end]+shut+"</xades:QualifyingProperties>", 1)
}

// cut takes an element out.
func cut(s, open, end string) string {
	a, b := strings.Index(s, open), strings.Index(s, end)
	return s[:a] + s[b+len(end):]
}
