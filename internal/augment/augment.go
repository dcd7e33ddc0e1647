// Package augment writes the unsigned properties by which XAdES signatures are raised to B-T,
// B-LT and B-LTA (ADE-03; EN 319 132-1, clauses 5.3 to 5.5 and 6.3), for the worker that signs and for who
// extends signatures of others. It composes text from octets that its caller has verified; it reads nothing.
package augment

import (
	"encoding/base64"
	"strings"

	"github.com/assent-sign/assent/internal/longterm"
)

// Canonicalization methods that time-stamps name, both without comments.
const (
	Exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#"
	Inclusive = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
)

const (
	dsNS       = "http://www.w3.org/2000/09/xmldsig#"
	xadesNS    = "http://uri.etsi.org/01903/v1.3.2#"
	xades141NS = "http://uri.etsi.org/01903/v1.4.1#"
)

// Writer writes properties. The zero value is for a place where the prefixes ds and xades are declared.
type Writer struct {
	// Declare writes the declarations of the prefixes with each property, for a signature whose prefixes
	// are not ours.
	Declare bool
}

// SignatureTimeStamp holds a token over the exclusive canonical SignatureValue element (clause 5.3). The identifier
// must be a name in ASCII.
func (w Writer) SignatureTimeStamp(id string, token []byte) string {
	return `<xades:SignatureTimeStamp` + w.declared(true) + ` Id="` + id + `">` + encapsulated(Exclusive, token) + "</xades:SignatureTimeStamp>"
}

// ArchiveTimeStamp holds a token over the signature, its data, and all properties before, canonical by a method (clause
// 5.5.2).
func (w Writer) ArchiveTimeStamp(id, method string, token []byte) string {
	return `<xades141:ArchiveTimeStamp xmlns:xades141="` + xades141NS + `"` + w.declared(true) + ` Id="` + id + `">` + encapsulated(method, token) + "</xades141:ArchiveTimeStamp>"
}

func (w Writer) declared(ds bool) string {
	switch {
	case !w.Declare:
		return ""
	case ds:
		return ` xmlns:xades="` + xadesNS + `" xmlns:ds="` + dsNS + `"`
	}
	return ` xmlns:xades="` + xadesNS + `"`
}

func encapsulated(method string, token []byte) string {
	return `<ds:CanonicalizationMethod Algorithm="` + method + `"></ds:CanonicalizationMethod>` +
		"<xades:EncapsulatedTimeStamp>" + base64.StdEncoding.EncodeToString(token) + "</xades:EncapsulatedTimeStamp>"
}

// Values are CertificateValues and RevocationValues of a signer (clause 5.4), each at most once in a signature.
func (w Writer) Values(m *longterm.Material) []string { return values(m, w.declared(false)) }

// TimeStampValidationData is the material of a time-stamp's authority (clause 5.5.1). of is the identifier of the
// time-stamp's property, a name in ASCII, or empty.
func (w Writer) TimeStampValidationData(of string, m *longterm.Material) string {
	return w.validation("TimeStampValidationData", of, m)
}

// AnyValidationData is further material of a signature that has CertificateValues or RevocationValues already.
func (w Writer) AnyValidationData(m *longterm.Material) string {
	return w.validation("AnyValidationData", "", m)
}

func (w Writer) validation(name, of string, m *longterm.Material) string {
	uri := ""
	if of != "" {
		uri = ` URI="#` + of + `"`
	}
	return `<xades141:` + name + ` xmlns:xades141="` + xades141NS + `"` + w.declared(false) + uri + `>` + strings.Join(values(m, ""), "") + "</xades141:" + name + ">"
}

func values(m *longterm.Material, declared string) []string {
	items := func(name string, list [][]byte) string {
		var b strings.Builder
		for _, der := range list {
			b.WriteString("<xades:" + name + ">" + base64.StdEncoding.EncodeToString(der) + "</xades:" + name + ">")
		}
		return b.String()
	}
	out := []string{"<xades:CertificateValues" + declared + ">" + items("EncapsulatedX509Certificate", m.Certs) + "</xades:CertificateValues>"}
	var lists string
	if len(m.CRLs) > 0 {
		lists += "<xades:CRLValues>" + items("EncapsulatedCRLValue", m.CRLs) + "</xades:CRLValues>"
	}
	if len(m.OCSPs) > 0 {
		lists += "<xades:OCSPValues>" + items("EncapsulatedOCSPValue", m.OCSPs) + "</xades:OCSPValues>"
	}
	if lists != "" {
		out = append(out, "<xades:RevocationValues"+declared+">"+lists+"</xades:RevocationValues>")
	}
	return out
}
