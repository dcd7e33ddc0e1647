package xmlsig

import (
	"fmt"
	"slices"

	"github.com/assent-sign/assent/internal/c14n"
)

type name struct{ space, local string }

func (n *node) name() name { return name{n.space, n.local} }

// shapes says which elements may stand in those elements of a signature that no digest covers. They
// hold no text of their own; an element that is not in the table holds text and no elements.
var shapes = map[name][]name{
	{dsSpace, "KeyInfo"}:        {{dsSpace, "KeyName"}, {dsSpace, "KeyValue"}, {dsSpace, "X509Data"}},
	{dsSpace, "KeyValue"}:       {{dsSpace, "RSAKeyValue"}, {dsig11Space, "ECKeyValue"}},
	{dsSpace, "RSAKeyValue"}:    {{dsSpace, "Modulus"}, {dsSpace, "Exponent"}},
	{dsig11Space, "ECKeyValue"}: {{dsig11Space, "NamedCurve"}, {dsig11Space, "PublicKey"}},
	{dsig11Space, "NamedCurve"}: {},
	{dsSpace, "X509Data"}: {{dsSpace, "X509IssuerSerial"}, {dsSpace, "X509SKI"}, {dsSpace, "X509SubjectName"}, {dsSpace, "X509Certificate"},
		{dsSpace, "X509CRL"}, {dsig11Space, "X509Digest"}},
	{dsSpace, "X509IssuerSerial"}:                    {{dsSpace, "X509IssuerName"}, {dsSpace, "X509SerialNumber"}},
	{dsSpace, "CanonicalizationMethod"}:              {{c14n.ExclusiveNamespace, "InclusiveNamespaces"}},
	{c14n.ExclusiveNamespace, "InclusiveNamespaces"}: {},

	{xadesSpace, "UnsignedProperties"}: {{xadesSpace, "UnsignedSignatureProperties"}},
	{xadesSpace, "UnsignedSignatureProperties"}: {{xadesSpace, "SignatureTimeStamp"}, {xades141Space, "ArchiveTimeStamp"}, {xadesSpace, "CertificateValues"},
		{xadesSpace, "RevocationValues"}, {xades141Space, "TimeStampValidationData"}, {xades141Space, "AnyValidationData"}},
	{xadesSpace, "SignatureTimeStamp"}:         stampShape,
	{xades141Space, "ArchiveTimeStamp"}:        stampShape,
	{xadesSpace, "Include"}:                    {},
	{xadesSpace, "CertificateValues"}:          {{xadesSpace, "EncapsulatedX509Certificate"}},
	{xadesSpace, "RevocationValues"}:           {{xadesSpace, "CRLValues"}, {xadesSpace, "OCSPValues"}},
	{xadesSpace, "CRLValues"}:                  {{xadesSpace, "EncapsulatedCRLValue"}},
	{xadesSpace, "OCSPValues"}:                 {{xadesSpace, "EncapsulatedOCSPValue"}},
	{xades141Space, "TimeStampValidationData"}: {{xadesSpace, "CertificateValues"}, {xadesSpace, "RevocationValues"}},
	{xades141Space, "AnyValidationData"}:       {{xadesSpace, "CertificateValues"}, {xadesSpace, "RevocationValues"}},
}

var stampShape = []name{{dsSpace, "CanonicalizationMethod"}, {xadesSpace, "EncapsulatedTimeStamp"}, {xadesSpace, "Include"}}

// unread are the unsigned properties of XAdES that are known and not read (EN 319 132-1, clauses 5.2.7 and 5.5
// and annexes A and B, and TS 101 903).
var unread = []name{
	{xadesSpace, "CounterSignature"}, {xadesSpace, "ArchiveTimeStamp"},
	{xadesSpace, "CompleteCertificateRefs"}, {xades141Space, "CompleteCertificateRefsV2"}, {xadesSpace, "CompleteRevocationRefs"},
	{xadesSpace, "AttributeCertificateRefs"}, {xades141Space, "AttributeCertificateRefsV2"}, {xadesSpace, "AttributeRevocationRefs"},
	{xadesSpace, "SigAndRefsTimeStamp"}, {xades141Space, "SigAndRefsTimeStampV2"}, {xadesSpace, "RefsOnlyTimeStamp"}, {xades141Space, "RefsOnlyTimeStampV2"},
	{xadesSpace, "AttrAuthoritiesCertValues"}, {xadesSpace, "AttributeRevocationValues"},
	{xades141Space, "SignaturePolicyStore"}, {xades141Space, "RenewedDigests"}, {xades141Space, "RenewedDigestsV2"},
}

// strays notes what has no place in a signature. No signature covers what stands in itself but for
// what its references name, so data could hide there (signature wrapping, ADE-05).
func (s *Signature) strays(n *node) {
	for _, k := range n.kids {
		switch {
		case k.is(dsSpace, "Object") && len(k.all(xadesSpace, "QualifyingProperties")) == 0:
			s.objects = append(s.objects, k)
			for _, m := range k.all(dsSpace, "Manifest") {
				s.manifest(m, k)
			}
		case k.is(dsSpace, "Object"):
			s.around(k)
		case k.is(dsSpace, "KeyInfo"), k.is(dsSpace, "SignatureValue"):
			s.shaped(k)
		case !k.is(dsSpace, "SignedInfo"):
			s.astray(k)
		}
	}
	s.silent(n)
	s.says(n, "Id")
}

// around notes what stands beside the properties in their Object, and in those that are not signed.
func (s *Signature) around(o *node) {
	s.says(o, "Id")
	if o.more || text(o) != "" {
		s.stray = append(s.stray, "data beside the properties")
	}
	for _, q := range o.kids {
		if !q.is(xadesSpace, "QualifyingProperties") {
			s.astray(q)
			continue
		}
		s.silent(q)
		s.says(q, "Id", "Target")
		for _, k := range q.kids {
			switch {
			case k.is(xadesSpace, "UnsignedProperties"):
				s.shaped(k)
			case !k.is(xadesSpace, "SignedProperties"):
				s.astray(k)
			}
		}
	}
}

// shaped holds an element against the table.
func (s *Signature) shaped(n *node) {
	kids, inner := shapes[n.name()]
	s.says(n, "Id", "Algorithm", "PrefixList", "Encoding", "URI", "referencedData")
	if inner {
		s.silent(n)
	}
	for _, k := range n.kids {
		switch {
		case slices.Contains(kids, k.name()):
			s.shaped(k)
		case n.is(xadesSpace, "UnsignedSignatureProperties") && slices.Contains(unread, k.name()):
			s.stray = append(s.stray, aliens(k)...)
		default:
			s.astray(k)
		}
	}
}

// spaces are the namespaces of signatures.
var spaces = []string{dsSpace, dsig11Space, xadesSpace, xades141Space, c14n.ExclusiveNamespace, filter2Transform}

// aliens names, in an element, what is of no namespace of signatures, and data. A signature in it is read by itself.
func aliens(n *node) (out []string) {
	for _, k := range n.kids {
		switch {
		case k.is(dsSpace, "Signature"):
		case k.is(dsSpace, "Object") || !slices.Contains(spaces, k.space):
			out = append(out, element(k))
		default:
			out = append(out, aliens(k)...)
		}
	}
	return out
}

// Hidden names what stands in a Signature element besides what signatures are made of, whether or not the signature is over
// it: who takes all signatures away before he looks at a document does not see that (signature wrapping).
func (s *Signature) Hidden() []string {
	out := slices.Clone(s.stray)
	for _, k := range s.node.kids {
		switch {
		case !k.is(dsSpace, "Object"):
			out = append(out, aliens(k)...)
		case slices.Contains(s.objects, k):
			out = append(out, "an Object with data")
		default:
			for _, q := range k.all(xadesSpace, "QualifyingProperties") {
				out = append(out, aliens(q)...)
			}
		}
	}
	return out
}

// silent notes text where only elements may stand.
func (s *Signature) silent(n *node) {
	if text(n) != "" {
		s.stray = append(s.stray, "text in the element "+n.local)
	}
}

func (s *Signature) astray(n *node) { s.stray = append(s.stray, element(n)) }

func element(n *node) string { return "an element " + n.local }

// says notes attributes but those that a signature's own elements have: no digest covers what they say.
func (s *Signature) says(n *node, known ...string) {
	for _, a := range n.attrs {
		if a.space == "" && slices.Contains(known, a.local) {
			continue
		}
		s.stray = append(s.stray, n.attribute(a))
	}
}

func (n *node) attribute(a attr) string {
	return fmt.Sprintf("an attribute %s of the element %s", a.local, n.local)
}

// unsigned names the attributes of an Object whose contents alone are signed, but for those that say what its signature says too:
// that it is in base64, and its type, or what stands in it. Programs go by what they say.
func (n *node) unsigned(p *Properties) (out []string) {
	for _, a := range n.attrs {
		switch {
		case a.space != "":
		case a.local == "Id", a.local == "Encoding" && a.value == base64Transform,
			a.local == "MimeType" && a.value == dsSpace+"Manifest" && len(n.kids) == 1 && n.kids[0].is(dsSpace, "Manifest"),
			a.local == "MimeType" && p != nil && len(p.MimeTypes) == 1 && p.MimeTypes[0] == a.value:
			continue
		}
		out = append(out, n.attribute(a))
	}
	return out
}
