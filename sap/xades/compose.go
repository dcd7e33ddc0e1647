package xades

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/algo"
)

// Names of XML Signature and XAdES.
const (
	dsSpace       = "http://www.w3.org/2000/09/xmldsig#"
	xadesSpace    = "http://uri.etsi.org/01903/v1.3.2#"
	exclusiveC14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
	enveloped     = dsSpace + "enveloped-signature"
	inBase64      = dsSpace + "base64"
	propertyType  = "http://uri.etsi.org/01903#SignedProperties"

	// The transform of all enveloped signatures: XPath filtering (XML Signature,
	// section 6.6.3) with the one expression that this package knows.
	xpath        = "http://www.w3.org/TR/1999/REC-xpath-19991116"
	noSignatures = "not(ancestor-or-self::ds:Signature)"
)

// composer writes canonical text. Names are constants; values go through escape.
type composer struct{ b strings.Builder }

// open writes a start tag; attributes are name and value in turn, in canonical
// order: namespace declarations first.
func (c *composer) open(name string, attributes ...string) {
	c.b.WriteString("<" + name)
	for i := 0; i < len(attributes); i += 2 {
		c.b.WriteString(" " + attributes[i] + `="`)
		escape(&c.b, attributes[i+1], true)
		c.b.WriteString(`"`)
	}
	c.b.WriteString(">")
}

func (c *composer) close(name string) { c.b.WriteString("</" + name + ">") }

// leaf writes an element of text.
func (c *composer) leaf(name, value string, attributes ...string) {
	c.open(name, attributes...)
	escape(&c.b, value, false)
	c.close(name)
}

// optional writes a leaf if there is a value.
func (c *composer) optional(name, value string) {
	if value != "" {
		c.leaf(name, value)
	}
}

// digest writes ds:DigestMethod and ds:DigestValue; ds is a declaration of the
// prefix where it is not in force.
func (c *composer) digest(h crypto.Hash, digest []byte, ds ...string) {
	c.leaf("ds:DigestMethod", "", append(ds[:len(ds):len(ds)], "Algorithm", digestMethod(h))...)
	c.leaf("ds:DigestValue", base64.StdEncoding.EncodeToString(digest), ds...)
}

// escape writes a value as Canonical XML 1.0 (section 2.3) does. Control characters
// have been refused.
func escape(b *strings.Builder, s string, attribute bool) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '&':
			b.WriteString("&amp;")
		case c == '<':
			b.WriteString("&lt;")
		case c == '>' && !attribute:
			b.WriteString("&gt;")
		case c == '"' && attribute:
			b.WriteString("&quot;")
		default:
			b.WriteByte(c)
		}
	}
}

// SignedProperties composes the octets of the SignedProperties element, which the
// second kind of Reference is over (EN 319 132-1, clauses 4.3.4 and 5.2).
func SignedProperties(p *Parameters) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	serial, err := issuerSerial(p.Certificate)
	if err != nil {
		return nil, err
	}
	declared := []string{"xmlns:ds", dsSpace}
	c := &composer{}
	c.open("xades:SignedProperties", "xmlns:xades", xadesSpace, "Id", p.propertiesID())
	c.open("xades:SignedSignatureProperties")
	c.leaf("xades:SigningTime", time.Unix(p.Time, 0).UTC().Format(time.RFC3339))
	c.open("xades:SigningCertificateV2")
	c.open("xades:Cert")
	c.open("xades:CertDigest")
	c.digest(crypto.SHA256, sum(crypto.SHA256, p.Certificate), declared...)
	c.close("xades:CertDigest")
	c.leaf("xades:IssuerSerialV2", base64.StdEncoding.EncodeToString(serial))
	c.close("xades:Cert")
	c.close("xades:SigningCertificateV2")
	c.policy(p.Policy, declared)
	c.place(p.Place)
	c.roles(p.Roles)
	c.close("xades:SignedSignatureProperties")
	c.dataObjects(p)
	c.close("xades:SignedProperties")
	return []byte(c.b.String()), nil
}

func (c *composer) policy(p *Policy, declared []string) {
	if p == nil {
		return
	}
	c.open("xades:SignaturePolicyIdentifier")
	c.open("xades:SignaturePolicyId")
	c.open("xades:SigPolicyId")
	c.identifier(p.Identifier)
	c.close("xades:SigPolicyId")
	c.open("xades:SigPolicyHash")
	c.digest(p.Hash, p.Digest, declared...)
	c.close("xades:SigPolicyHash")
	c.close("xades:SignaturePolicyId")
	c.close("xades:SignaturePolicyIdentifier")
}

// identifier writes an Identifier (clause 5.1.2).
func (c *composer) identifier(uri string) {
	if strings.HasPrefix(uri, "urn:oid:") {
		c.leaf("xades:Identifier", uri, "Qualifier", "OIDAsURN")
		return
	}
	c.leaf("xades:Identifier", uri)
}

func (c *composer) place(p *Place) {
	if p == nil {
		return
	}
	c.open("xades:SignatureProductionPlaceV2")
	c.optional("xades:City", p.City)
	c.optional("xades:StreetAddress", p.Street)
	c.optional("xades:StateOrProvince", p.State)
	c.optional("xades:PostalCode", p.PostalCode)
	c.optional("xades:CountryName", p.Country)
	c.close("xades:SignatureProductionPlaceV2")
}

func (c *composer) roles(roles []string) {
	if len(roles) == 0 {
		return
	}
	c.open("xades:SignerRoleV2")
	c.open("xades:ClaimedRoles")
	for _, r := range roles {
		c.leaf("xades:ClaimedRole", r)
	}
	c.close("xades:ClaimedRoles")
	c.close("xades:SignerRoleV2")
}

func (c *composer) dataObjects(p *Parameters) {
	c.open("xades:SignedDataObjectProperties")
	for i := range p.Objects {
		o := &p.Objects[i]
		c.open("xades:DataObjectFormat", "ObjectReference", "#"+p.referenceID(i))
		c.optional("xades:Description", o.Description)
		c.leaf("xades:MimeType", o.MimeType)
		c.close("xades:DataObjectFormat")
	}
	for _, uri := range p.Commitments {
		c.open("xades:CommitmentTypeIndication")
		c.open("xades:CommitmentTypeId")
		c.identifier(uri)
		c.close("xades:CommitmentTypeId")
		c.leaf("xades:AllSignedDataObjects", "")
		c.close("xades:CommitmentTypeIndication")
	}
	c.close("xades:SignedDataObjectProperties")
}

// SignedInfo composes the octets of the SignedInfo element: what the key signs.
// The Reference of SignedProperties is the last one.
func SignedInfo(p *Parameters) ([]byte, error) {
	properties, err := SignedProperties(p)
	if err != nil {
		return nil, err
	}
	c := &composer{}
	c.open("ds:SignedInfo", "xmlns:ds", dsSpace)
	c.leaf("ds:CanonicalizationMethod", "", "Algorithm", exclusiveC14N)
	c.leaf("ds:SignatureMethod", "", "Algorithm", signatureMethod(p.Algorithm))
	for i := range p.Objects {
		o := &p.Objects[i]
		c.open("ds:Reference", "Id", p.referenceID(i), "URI", o.URI)
		switch {
		case o.Parallel:
			c.transforms(xpath, exclusiveC14N)
		case o.Enveloped:
			c.transforms(enveloped, exclusiveC14N)
		case o.Element:
			c.transforms(exclusiveC14N)
		case o.Base64:
			c.transforms(inBase64)
		}
		c.digest(o.Hash, o.Digest)
		c.close("ds:Reference")
	}
	c.open("ds:Reference", "Type", propertyType, "URI", "#"+p.propertiesID())
	c.transforms(exclusiveC14N)
	h := p.Algorithm.Hash()
	c.digest(h, sum(h, properties))
	c.close("ds:Reference")
	c.close("ds:SignedInfo")
	return []byte(c.b.String()), nil
}

func (c *composer) transforms(algorithms ...string) {
	c.open("ds:Transforms")
	for _, a := range algorithms {
		c.open("ds:Transform", "Algorithm", a)
		if a == xpath {
			c.leaf("ds:XPath", noSignatures)
		}
		c.close("ds:Transform")
	}
	c.close("ds:Transforms")
}

// Signature composes the Signature element around the signature value of the key:
// as crypto.Signer gives it, for ECDSA in ASN.1. chain are certificates in DER for
// KeyInfo, the signer's first. An enveloping signature has its data inside: see Around.
func Signature(p *Parameters, value []byte, chain [][]byte) ([]byte, error) {
	before, after, err := Around(p, value, chain)
	if err == nil && p.enveloping() != nil {
		return nil, invalid("the data of an enveloping signature is missing")
	}
	return append(before, after...), err
}

// Around composes an enveloping signature: what stands before and behind the data in its
// Object. How long before is depends on the kind of key and not on the value. Of the other
// forms the two together are the Signature element.
func Around(p *Parameters, value []byte, chain [][]byte) (before, after []byte, err error) {
	info, err := SignedInfo(p)
	if err != nil {
		return nil, nil, err
	}
	properties, err := SignedProperties(p)
	if err != nil {
		return nil, nil, err
	}
	if len(chain) == 0 || string(chain[0]) != string(p.Certificate) {
		return nil, nil, invalid("the chain does not begin with the signer's certificate")
	}
	octets, err := octetsOf(p, value)
	if err != nil {
		return nil, nil, err
	}
	c := &composer{}
	c.open("ds:Signature", "xmlns:ds", dsSpace, "Id", p.ID)
	c.b.Write(info)
	c.leaf("ds:SignatureValue", base64.StdEncoding.EncodeToString(octets), "Id", p.ID+"-value")
	c.open("ds:KeyInfo")
	c.open("ds:X509Data")
	for _, der := range chain {
		c.leaf("ds:X509Certificate", base64.StdEncoding.EncodeToString(der))
	}
	c.close("ds:X509Data")
	c.close("ds:KeyInfo")
	end := &composer{}
	if o := p.enveloping(); o != nil {
		named := []string{"Id", strings.TrimPrefix(o.URI, "#")}
		if o.Base64 {
			named = append([]string{"Encoding", inBase64}, named...)
		}
		c.open("ds:Object", named...)
		end.close("ds:Object")
	}
	end.open("ds:Object")
	end.open("xades:QualifyingProperties", "xmlns:xades", xadesSpace, "Target", "#"+p.ID)
	end.b.Write(properties)
	end.close("xades:QualifyingProperties")
	end.close("ds:Object")
	end.close("ds:Signature")
	return []byte(c.b.String()), []byte(end.b.String()), nil
}

// ObjectTag is the start tag in canonical form of the Object over XML of an enveloping
// signature with an identifier (Parameters.ID): what a Reference by Element to ObjectURI is
// over begins with it, then comes the data's canonical form, then "</ds:Object>".
func ObjectTag(id string) string {
	c := &composer{}
	c.open("ds:Object", "xmlns:ds", dsSpace, "Id", id+"-object")
	return c.b.String()
}

// octetsOf gives a signature's octets as XML Signature has them: of ECDSA the two
// numbers side by side, each as long as the curve's order (RFC 9231, section
// 2.3.6), never ASN.1.
func octetsOf(p *Parameters, value []byte) ([]byte, error) {
	if !p.Algorithm.IsECDSA() {
		if len(value) == 0 {
			return nil, invalid("no signature value")
		}
		return value, nil
	}
	cert, err := x509.ParseCertificate(p.Certificate)
	if err != nil {
		return nil, invalid("certificate: %v", err)
	}
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || !keyFits(key, p.Algorithm) {
		return nil, invalid("the certificate's key does not fit %v", p.Algorithm)
	}
	size := (key.Curve.Params().BitSize + 7) / 8
	r, s := new(big.Int), new(big.Int)
	in, inner := cryptobyte.String(value), cryptobyte.String{}
	if !in.ReadASN1(&inner, cbasn1.SEQUENCE) || !in.Empty() || !inner.ReadASN1Integer(r) || !inner.ReadASN1Integer(s) || !inner.Empty() ||
		r.Sign() <= 0 || s.Sign() <= 0 || r.BitLen() > 8*size || s.BitLen() > 8*size {
		return nil, invalid("an ECDSA signature value that is not ASN.1")
	}
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out, nil
}

func keyFits(key *ecdsa.PublicKey, a algo.Algorithm) bool {
	k, err := algo.KeyTypeOf(key)
	return err == nil && k.Fits(a)
}

// issuerSerial is the DER of IssuerSerial (RFC 5035, section 5): the issuer as the
// one directory name of GeneralNames, and the serial number.
func issuerSerial(der []byte) ([]byte, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, invalid("certificate: %v", err)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.Tag(4).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(cert.RawIssuer) })
		})
		b.AddASN1BigInt(cert.SerialNumber)
	})
	return b.Bytes()
}

func sum(h crypto.Hash, b []byte) []byte {
	w := h.New()
	w.Write(b)
	return w.Sum(nil)
}
