package xmlsig

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// What the text of an element must be.
const (
	noText   = iota // white space
	anyText         // a string
	octetsIn        // base64
	uri
	dateTime
	integer
	anything
)

// model is what the schemas of EN 319 132-1 (annex C) say of one element.
type model struct {
	text  int
	kids  []particle
	attrs []string // permitted, without namespace
	must  []string // of these required
}

// particle is a choice of elements that may stand at one place of a sequence.
type particle struct {
	names    []name
	min, max int
	other    bool // any element of another namespace too
}

const many = 1 << 20

func x(locals ...string) (out []name) {
	for _, l := range locals {
		out = append(out, name{xadesSpace, l})
	}
	return out
}

func x141(locals ...string) (out []name) {
	for _, l := range locals {
		out = append(out, name{xades141Space, l})
	}
	return out
}

func ds(locals ...string) (out []name) {
	for _, l := range locals {
		out = append(out, name{dsSpace, l})
	}
	return out
}

func one(n []name) particle      { return particle{names: n, min: 1, max: 1} }
func optional(n []name) particle { return particle{names: n, max: 1} }
func some(n []name) particle     { return particle{names: n, min: 1, max: many} }
func list(n []name) particle     { return particle{names: n, max: many} }

func seq(kids ...particle) model { return model{kids: kids} }

func (m model) with(attrs ...string) model { m.attrs = attrs; return m }

func (m model) requires(attrs ...string) model {
	m.attrs, m.must = slices.Concat(m.attrs, attrs), attrs
	return m
}

func leaf(text int) model { return model{text: text} }

var (
	stampModel     = seq(list(x("Include", "ReferenceInfo")), optional(ds("CanonicalizationMethod")), some(x("EncapsulatedTimeStamp", "XMLTimeStamp"))).with("Id")
	digestModel    = seq(one(ds("DigestMethod")), one(ds("DigestValue")))
	objectID       = seq(one(x("Identifier")), optional(x("Description")), optional(x("DocumentationReferences")))
	pki            = leaf(octetsIn).with("Id", "Encoding")
	refs           = seq(one(x("CertRefs"))).with("Id")
	revocationRefs = seq(optional(x("CRLRefs")), optional(x("OCSPRefs")), optional(x("OtherCertStatusRefs"))).with("Id")
	certValues     = seq(list(x("EncapsulatedX509Certificate", "OtherCertificate"))).with("Id")
	revValues      = seq(optional(x("CRLValues")), optional(x("OCSPValues")), optional(x("OtherValues"))).with("Id")
	anyModel       = leaf(anything)
)

// models are the elements of QualifyingProperties by name. Cert is of two kinds; see modelOf.
var models = map[name]model{
	{xadesSpace, "QualifyingProperties"}: seq(optional(x("SignedProperties")), optional(x("UnsignedProperties"))).with("Id").requires("Target"),
	{xadesSpace, "SignedProperties"}:     seq(optional(x("SignedSignatureProperties")), optional(x("SignedDataObjectProperties"))).with("Id"),
	{xadesSpace, "UnsignedProperties"}:   seq(optional(x("UnsignedSignatureProperties")), optional(x("UnsignedDataObjectProperties"))).with("Id"),
	{xadesSpace, "SignedSignatureProperties"}: seq(optional(x("SigningTime")), optional(x("SigningCertificate")), optional(x("SigningCertificateV2")),
		optional(x("SignaturePolicyIdentifier")), optional(x("SignatureProductionPlace")), optional(x("SignatureProductionPlaceV2")),
		optional(x("SignerRole")), optional(x("SignerRoleV2")), particle{max: many, other: true}).with("Id"),
	{xadesSpace, "SignedDataObjectProperties"}: seq(list(x("DataObjectFormat")), list(x("CommitmentTypeIndication")),
		list(x("AllDataObjectsTimeStamp")), list(x("IndividualDataObjectsTimeStamp")), particle{max: many, other: true}).with("Id"),
	{xadesSpace, "UnsignedSignatureProperties"}: seq(particle{names: x("CounterSignature", "SignatureTimeStamp", "CompleteCertificateRefs", "CompleteRevocationRefs",
		"AttributeCertificateRefs", "AttributeRevocationRefs", "SigAndRefsTimeStamp", "RefsOnlyTimeStamp", "CertificateValues", "RevocationValues",
		"AttrAuthoritiesCertValues", "AttributeRevocationValues", "ArchiveTimeStamp"), max: many, other: true}).with("Id"), // some write it empty; that hides nothing
	{xadesSpace, "UnsignedDataObjectProperties"}: seq(some(x("UnsignedDataObjectProperty"))).with("Id"),
	{xadesSpace, "UnsignedDataObjectProperty"}:   anyModel,

	{xadesSpace, "SigningTime"}:          leaf(dateTime),
	{xadesSpace, "SigningCertificate"}:   seq(some(x("Cert"))),
	{xadesSpace, "SigningCertificateV2"}: seq(some(x("Cert"))),
	{xadesSpace, "CertRefs"}:             seq(some(x("Cert"))),
	{xades141Space, "CertRefs"}:          seq(some(x("Cert"))),
	{xadesSpace, "CertDigest"}:           digestModel,
	{xadesSpace, "IssuerSerial"}:         seq(one(ds("X509IssuerName")), one(ds("X509SerialNumber"))),
	{xadesSpace, "IssuerSerialV2"}:       leaf(octetsIn),

	{xadesSpace, "SignaturePolicyIdentifier"}: seq(one(x("SignaturePolicyId", "SignaturePolicyImplied"))),
	{xadesSpace, "SignaturePolicyId"}:         seq(one(x("SigPolicyId")), optional(ds("Transforms")), one(x("SigPolicyHash")), optional(x("SigPolicyQualifiers"))),
	{xadesSpace, "SignaturePolicyImplied"}:    anyModel,
	{xadesSpace, "SigPolicyId"}:               objectID,
	{xadesSpace, "SigPolicyHash"}:             digestModel,
	{xadesSpace, "SigPolicyQualifiers"}:       seq(some(x("SigPolicyQualifier"))),
	{xadesSpace, "SigPolicyQualifier"}:        anyModel,
	{xadesSpace, "Identifier"}:                leaf(uri).with("Qualifier"),
	{xadesSpace, "Description"}:               leaf(anyText),
	{xadesSpace, "DocumentationReferences"}:   seq(some(x("DocumentationReference"))),
	{xadesSpace, "DocumentationReference"}:    leaf(uri),

	{xadesSpace, "SignatureProductionPlace"}:   seq(optional(x("City")), optional(x("StateOrProvince")), optional(x("PostalCode")), optional(x("CountryName"))),
	{xadesSpace, "SignatureProductionPlaceV2"}: seq(optional(x("City")), optional(x("StreetAddress")), optional(x("StateOrProvince")), optional(x("PostalCode")), optional(x("CountryName"))),
	{xadesSpace, "City"}:                       leaf(anyText),
	{xadesSpace, "StreetAddress"}:              leaf(anyText),
	{xadesSpace, "StateOrProvince"}:            leaf(anyText),
	{xadesSpace, "PostalCode"}:                 leaf(anyText),
	{xadesSpace, "CountryName"}:                leaf(anyText),
	{xadesSpace, "SignerRole"}:                 seq(optional(x("ClaimedRoles")), optional(x("CertifiedRoles"))),
	{xadesSpace, "SignerRoleV2"}:               seq(optional(x("ClaimedRoles")), optional(x("CertifiedRolesV2")), optional(x("SignedAssertions"))),
	{xadesSpace, "ClaimedRoles"}:               seq(some(x("ClaimedRole"))),
	{xadesSpace, "ClaimedRole"}:                anyModel,
	{xadesSpace, "CertifiedRoles"}:             seq(some(x("CertifiedRole"))),
	{xadesSpace, "CertifiedRolesV2"}:           seq(some(x("CertifiedRole"))),
	{xadesSpace, "CertifiedRole"}:              anyModel,
	{xadesSpace, "SignedAssertions"}:           seq(some(x("SignedAssertion"))),
	{xadesSpace, "SignedAssertion"}:            anyModel,

	{xadesSpace, "DataObjectFormat"}: seq(optional(x("Description")), optional(x("ObjectIdentifier")), optional(x("MimeType")), optional(x("Encoding"))).requires("ObjectReference"),
	{xadesSpace, "ObjectIdentifier"}: objectID,
	{xadesSpace, "MimeType"}:         leaf(anyText),
	{xadesSpace, "Encoding"}:         leaf(uri),
	{xadesSpace, "CommitmentTypeIndication"}: seq(one(x("CommitmentTypeId")), particle{names: x("ObjectReference", "AllSignedDataObjects"), min: 1, max: many},
		optional(x("CommitmentTypeQualifiers"))),
	{xadesSpace, "CommitmentTypeId"}:               objectID,
	{xadesSpace, "ObjectReference"}:                leaf(uri),
	{xadesSpace, "AllSignedDataObjects"}:           anyModel,
	{xadesSpace, "CommitmentTypeQualifiers"}:       seq(list(x("CommitmentTypeQualifier"))),
	{xadesSpace, "CommitmentTypeQualifier"}:        anyModel,
	{xadesSpace, "AllDataObjectsTimeStamp"}:        stampModel,
	{xadesSpace, "IndividualDataObjectsTimeStamp"}: stampModel,

	{xadesSpace, "SignatureTimeStamp"}:          stampModel,
	{xadesSpace, "SigAndRefsTimeStamp"}:         stampModel,
	{xadesSpace, "RefsOnlyTimeStamp"}:           stampModel,
	{xadesSpace, "ArchiveTimeStamp"}:            stampModel,
	{xades141Space, "ArchiveTimeStamp"}:         stampModel,
	{xades141Space, "SigAndRefsTimeStampV2"}:    stampModel,
	{xades141Space, "RefsOnlyTimeStampV2"}:      stampModel,
	{xadesSpace, "Include"}:                     leaf(noText).with("referencedData").requires("URI"),
	{xadesSpace, "ReferenceInfo"}:               digestModel.with("Id", "URI"),
	{xadesSpace, "EncapsulatedTimeStamp"}:       pki,
	{xadesSpace, "XMLTimeStamp"}:                anyModel,
	{xadesSpace, "CounterSignature"}:            seq(one(ds("Signature"))).with("Id"), // EU DSS writes one
	{xadesSpace, "CertificateValues"}:           certValues,
	{xadesSpace, "AttrAuthoritiesCertValues"}:   certValues,
	{xadesSpace, "EncapsulatedX509Certificate"}: pki,
	{xadesSpace, "OtherCertificate"}:            anyModel,
	{xadesSpace, "RevocationValues"}:            revValues,
	{xadesSpace, "AttributeRevocationValues"}:   revValues,
	{xadesSpace, "CRLValues"}:                   seq(some(x("EncapsulatedCRLValue"))),
	{xadesSpace, "EncapsulatedCRLValue"}:        pki,
	{xadesSpace, "OCSPValues"}:                  seq(some(x("EncapsulatedOCSPValue"))),
	{xadesSpace, "EncapsulatedOCSPValue"}:       pki,
	{xadesSpace, "OtherValues"}:                 seq(some(x("OtherValue"))),
	{xadesSpace, "OtherValue"}:                  anyModel,
	{xades141Space, "TimeStampValidationData"}:  seq(optional(x("CertificateValues")), optional(x("RevocationValues"))).with("Id", "URI"),
	{xades141Space, "AnyValidationData"}:        seq(optional(x("CertificateValues")), optional(x("RevocationValues"))).with("Id", "URI"),

	{xadesSpace, "CompleteCertificateRefs"}:       refs,
	{xadesSpace, "AttributeCertificateRefs"}:      refs,
	{xades141Space, "CompleteCertificateRefsV2"}:  seq(one(x141("CertRefs"))).with("Id"),
	{xades141Space, "AttributeCertificateRefsV2"}: seq(one(x141("CertRefs"))).with("Id"),
	{xadesSpace, "CompleteRevocationRefs"}:        revocationRefs,
	{xadesSpace, "AttributeRevocationRefs"}:       revocationRefs,
	{xadesSpace, "CRLRefs"}:                       seq(some(x("CRLRef"))),
	{xadesSpace, "CRLRef"}:                        seq(one(x("DigestAlgAndValue")), optional(x("CRLIdentifier"))),
	{xadesSpace, "DigestAlgAndValue"}:             digestModel,
	{xadesSpace, "CRLIdentifier"}:                 seq(one(x("Issuer")), one(x("IssueTime")), optional(x("Number"))).with("URI"),
	{xadesSpace, "Issuer"}:                        leaf(anyText),
	{xadesSpace, "IssueTime"}:                     leaf(dateTime),
	{xadesSpace, "Number"}:                        leaf(integer),
	{xadesSpace, "OCSPRefs"}:                      seq(some(x("OCSPRef"))),
	{xadesSpace, "OCSPRef"}:                       seq(one(x("OCSPIdentifier")), optional(x("DigestAlgAndValue"))),
	{xadesSpace, "OCSPIdentifier"}:                seq(one(x("ResponderID")), one(x("ProducedAt"))).with("URI"),
	{xadesSpace, "ResponderID"}:                   seq(one(x("ByName", "ByKey"))),
	{xadesSpace, "ByName"}:                        leaf(anyText),
	{xadesSpace, "ByKey"}:                         leaf(octetsIn),
	{xadesSpace, "ProducedAt"}:                    leaf(dateTime),
	{xadesSpace, "OtherCertStatusRefs"}:           seq(some(x("OtherRef"))),
	{xadesSpace, "OtherRef"}:                      anyModel,

	{xades141Space, "SignaturePolicyStore"}:    seq(one(x141("SPDocSpecification")), one(x141("SignaturePolicyDocument", "SigPolDocLocalURI"))).with("Id"),
	{xades141Space, "SPDocSpecification"}:      objectID,
	{xades141Space, "SignaturePolicyDocument"}: leaf(octetsIn),
	{xades141Space, "SigPolDocLocalURI"}:       leaf(uri),
	{xades141Space, "RenewedDigests"}:          anyModel,
	{xades141Space, "RenewedDigestsV2"}:        anyModel,

	{dsSpace, "Signature"}:              anyModel, // judged by itself
	{dsSpace, "Transforms"}:             anyModel,
	{dsSpace, "CanonicalizationMethod"}: leaf(anything).requires("Algorithm"),
	{dsSpace, "DigestMethod"}:           leaf(noText).requires("Algorithm"),
	{dsSpace, "DigestValue"}:            leaf(octetsIn),
	{dsSpace, "X509IssuerName"}:         leaf(anyText),
	{dsSpace, "X509SerialNumber"}:       leaf(integer),
}

// modelOf is the model of an element in its place.
func modelOf(n, parent *node) (model, bool) {
	if n.local != "Cert" || n.space != xadesSpace {
		m, ok := models[n.name()]
		return m, ok
	}
	second := parent.is(xadesSpace, "SigningCertificateV2") || parent.is(xades141Space, "CertRefs")
	if second {
		return seq(one(x("CertDigest")), optional(x("IssuerSerialV2"))).with("URI"), true
	}
	return seq(one(x("CertDigest")), one(x("IssuerSerial"))).with("URI"), true
}

// conforms holds an element of the properties, and what is in it, against the schemas of EN 319 132-1 (ADE-05). The error names
// the first thing that is wrong. What the schemas leave open, and elements of other namespaces, is not judged; nor are the unsigned
// properties with those around them, since a signature is what it is whatever is put in there.
func conforms(n, parent *node) error {
	m, known := modelOf(n, parent)
	switch {
	case !known && (n.space == xadesSpace || n.space == xades141Space):
		return n.wrong("EN 319 132-1 has no such element here")
	case !known || m.text == anything && len(m.must) == 0:
		return nil
	}
	if err := m.attributes(n); err != nil || m.text == anything {
		return err
	}
	if err := m.sequence(n); err != nil {
		return err
	}
	if err := m.words(n); err != nil {
		return err
	}
	for _, k := range n.kids {
		if n.is(xadesSpace, "QualifyingProperties") && k.is(xadesSpace, "UnsignedProperties") {
			continue
		}
		if err := conforms(k, n); err != nil {
			return err
		}
	}
	return nil
}

// formless notes unsigned properties that are not of their form: what stands in them instead nobody signed (ADE-05).
func (s *Signature) formless(q *node) {
	for _, k := range q.all(xadesSpace, "UnsignedProperties") {
		if err := conforms(k, q); err != nil {
			s.stray = append(s.stray, "unsigned properties of another form than theirs: "+strings.TrimPrefix(err.Error(), ErrStructure.Error()+": "))
		}
	}
}

func (n *node) wrong(format string, args ...any) error {
	return fmt.Errorf("%w: the element %s: %s", ErrStructure, n.local, fmt.Sprintf(format, args...))
}

func (m model) attributes(n *node) error {
	for _, a := range n.attrs {
		if a.space == "" && !slices.Contains(m.attrs, a.local) {
			return n.wrong("it has no attribute %q", a.local)
		}
	}
	for _, must := range m.must {
		if _, there := n.attr(must); !there {
			return n.wrong("the attribute %s is missing", must)
		}
	}
	return nil
}

// sequence takes the children in the order of the schema.
func (m model) sequence(n *node) error {
	left := n.kids
	for _, p := range m.kids {
		count := 0
		for len(left) > 0 && count < p.max && p.takes(left[0]) {
			left, count = left[1:], count+1
		}
		if count < p.min {
			return n.wrong("%s is missing, or not in its place", words(p.names))
		}
	}
	if len(left) > 0 {
		return n.wrong("%s is not in its place, or there too often", left[0].local)
	}
	return nil
}

func (p particle) takes(n *node) bool {
	return slices.Contains(p.names, n.name()) || p.other && n.space != xadesSpace
}

func words(names []name) string {
	var out []string
	for _, n := range names {
		out = append(out, n.local)
	}
	return strings.Join(out[:min(3, len(out))], " or ")
}

// words holds the text of an element against its type.
func (m model) words(n *node) error {
	t := text(n)
	var err error
	switch m.text {
	case noText:
		if t != "" {
			return n.wrong("there is text in it")
		}
	case octetsIn:
		_, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(t), ""))
	case uri:
		_, err = url.Parse(t)
	case dateTime:
		if _, err = time.Parse(time.RFC3339, t); err != nil {
			_, err = time.Parse("2006-01-02T15:04:05.999999999", t) // a zone is not required
		}
	case integer:
		if d := strings.TrimLeft(t, "+-"); d == "" || len(t)-len(d) > 1 || strings.Trim(d, "0123456789") != "" {
			return n.wrong("it holds no whole number")
		}
	}
	if err != nil {
		return n.wrong("its text is not of its type")
	}
	return nil
}
