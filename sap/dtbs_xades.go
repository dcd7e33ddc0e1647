package sap

import (
	"crypto"
	"errors"
	"fmt"
	"strings"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sap/xades"
)

// Forms of an XAdES signature in its document (XAdES.Form).
const (
	XAdESEnveloped = "enveloped" // the document less this signature
	XAdESParallel  = "parallel"  // the document less all signatures in it, so that others can sign beside
	XAdESDetached  = "detached"  // the bytes of a file beside the signature, which names it by Item.Name

	XAdESEnveloping = "enveloping"        // an XML document inside of the signature: its Object, which holds it
	XAdESContained  = "enveloping-base64" // any octets, which stand in base64 inside of the signature

	XAdESBeside = "internally-detached" // an element of the document that the signature stands in, by its identifier (XAdESObjects.Part)
)

// maxTime is the end of the year 9999 in Unix seconds.
const maxTime = 253402300799

// XAdES is what a signature of kind xades signs besides the document's digest, the
// certificate and the algorithm. All of it is shown to the signer and stands in the
// SAD, so that the SAM rebuilds SignedProperties and SignedInfo (EN 319 132-1) from
// values that were approved; neither side reads XML for it. Every member is
// present; empty texts and lists say that the property is not in the signature.
type XAdES struct {
	ID          string      `json:"id"`          // of the Signature element; others derive from it
	Form        string      `json:"form"`        // XAdESEnveloped and the others
	Time        int64       `json:"time"`        // SigningTime, Unix seconds: what the signature claims
	MIME        string      `json:"mime"`        // DataObjectFormat/MimeType
	Description string      `json:"description"` // DataObjectFormat/Description
	Commitments []string    `json:"commitments"` // identifiers of commitment types
	Roles       []string    `json:"roles"`       // claimed roles
	Place       XAdESPlace  `json:"place"`
	Policy      XAdESPolicy `json:"policy"`

	// Objects is there with the form XAdESBeside, and with XAdESDetached if there are several files.
	Objects *XAdESObjects `json:"objects,omitempty"`
}

// XAdESObjects say which element of its document a signature is over, and what else.
type XAdESObjects struct {
	// Part is the identifier of the element that Item.Doc is the digest of; "" of files.
	Part string `json:"part"`
	// More are further data objects, in their order behind that of Item.Doc, each with a Reference and a
	// DataObjectFormat of its own. All are shown.
	More []XAdESObject `json:"more"`
}

// XAdESObject is one of several data objects that one signature is over.
type XAdESObject struct {
	Name        string `json:"name"` // of the file, or identifier of the element
	Doc         string `json:"doc"`  // base64url digest, as Item.Doc
	MIME        string `json:"mime"`
	Description string `json:"description"`
}

// MaxObjects bounds the data objects of one signature.
const MaxObjects = 50

// XAdESPlace is where the signature is claimed to be made.
type XAdESPlace struct {
	City    string `json:"city"`
	Street  string `json:"street"`
	State   string `json:"state"`
	Postal  string `json:"postal"`
	Country string `json:"country"`
}

// XAdESPolicy names a signature policy. All empty: none.
type XAdESPolicy struct {
	ID     string `json:"id"`     // URI; an OID as urn:oid:
	Hash   string `json:"hash"`   // "sha256", "sha384", "sha512"
	Digest string `json:"digest"` // base64url digest of the policy document
}

// check looks at what does not need a certificate: texts can be shown (SAP-02), numbers are
// in range. What has no place in XML is refused when it is composed.
func (x *XAdES) check() error {
	switch x.Form {
	case XAdESEnveloped, XAdESParallel, XAdESDetached, XAdESEnveloping, XAdESContained, XAdESBeside:
	default:
		return fmt.Errorf("%w: form %q", ReasonEvidence, x.Form)
	}
	if o := x.Objects; o == nil && x.Form == XAdESBeside || o != nil && ((x.Form == XAdESBeside) != (o.Part != "") || len(o.More) >= MaxObjects ||
		x.Form != XAdESBeside && (x.Form != XAdESDetached || len(o.More) == 0)) {
		return fmt.Errorf("%w: an element, or several data objects, in a signature of the form %s", ReasonEvidence, x.Form)
	}
	for _, id := range x.parts() {
		// The signature's own Object: SignedInfo would be that of another form, under which something else is shown.
		if id == x.ID || strings.HasPrefix(id, x.ID+"-") {
			return fmt.Errorf("%w: the element %q, a part of the signature", ReasonEvidence, id)
		}
	}
	if x.Time < 1 || x.Time > maxTime {
		return fmt.Errorf("%w: time %d", ReasonEvidence, x.Time)
	}
	texts := []string{x.ID, x.MIME, x.Description, x.Place.City, x.Place.Street, x.Place.State, x.Place.Postal, x.Place.Country, x.Policy.ID}
	texts = append(append(texts, x.Commitments...), x.Roles...)
	if x.Objects != nil {
		texts = append(texts, x.Objects.Part)
	}
	for _, o := range x.Further() {
		texts = append(texts, o.Name, o.MIME, o.Description)
	}
	for _, s := range texts {
		if !Displayable(s) {
			return fmt.Errorf("%w: a text of the signature's properties", ReasonText)
		}
	}
	return nil
}

// parts are the identifiers of the elements that a signature of the form internally-detached is over.
func (x *XAdES) parts() (out []string) {
	if x.Form == XAdESBeside {
		out = append(out, x.Objects.Part)
		for _, o := range x.Objects.More {
			out = append(out, o.Name)
		}
	}
	return out
}

// parameters joins what was approved with the certificate and the algorithm.
func (x *XAdES) parameters(name string, h crypto.Hash, doc, certDER []byte, alg algo.Algorithm) (*xades.Parameters, error) {
	if err := x.check(); err != nil {
		return nil, err
	}
	p := &xades.Parameters{
		ID: x.ID, Algorithm: alg, Certificate: certDER, Time: x.Time, Commitments: x.Commitments, Roles: x.Roles,
		Objects: []xades.Object{{Hash: h, Digest: doc, MimeType: x.MIME, Description: x.Description}},
	}
	switch o := &p.Objects[0]; x.Form {
	case XAdESDetached:
		o.URI = FileURI(name)
	case XAdESEnveloping:
		o.URI, o.Element = p.ObjectURI(), true
	case XAdESContained:
		o.URI, o.Base64 = p.ObjectURI(), true
	case XAdESBeside:
		o.URI, o.Element = "#"+x.Objects.Part, true
	default:
		o.Enveloped, o.Parallel = true, x.Form == XAdESParallel
	}
	if err := x.further(p, h); err != nil {
		return nil, err
	}
	if x.Place != (XAdESPlace{}) {
		p.Place = &xades.Place{City: x.Place.City, Street: x.Place.Street, State: x.Place.State, PostalCode: x.Place.Postal, Country: x.Place.Country}
	}
	if x.Policy != (XAdESPolicy{}) {
		ph, err := algo.ParseHash(x.Policy.Hash)
		if err != nil {
			return nil, fmt.Errorf("%w: policy's hash %q", ReasonEvidence, x.Policy.Hash)
		}
		d, err := unB64Len(x.Policy.Digest, ph.Size())
		if err != nil {
			return nil, fmt.Errorf("%w: policy's digest", ReasonEvidence)
		}
		p.Policy = &xades.Policy{Identifier: x.Policy.ID, Hash: ph, Digest: d}
	}
	return p, nil
}

// Further are the data objects behind the first one.
func (x *XAdES) Further() []XAdESObject {
	if x.Objects == nil {
		return nil
	}
	return x.Objects.More
}

// further adds the data objects behind the first one. Two of a name would be one that is shown and another one that
// a verifier takes.
func (x *XAdES) further(p *xades.Parameters, h crypto.Hash) error {
	seen := map[string]bool{p.Objects[0].URI: true}
	for i, o := range x.Further() {
		doc, err := unB64Len(o.Doc, h.Size())
		if err != nil {
			return fmt.Errorf("%w: doc of data object %d", ReasonDigest, i+1)
		}
		add := xades.Object{URI: FileURI(o.Name), Hash: h, Digest: doc, MimeType: o.MIME, Description: o.Description}
		if x.Form == XAdESBeside {
			add.URI, add.Element = "#"+o.Name, true
		}
		if seen[add.URI] {
			return fmt.Errorf("%w: two data objects %q", ReasonEvidence, o.Name)
		}
		seen[add.URI] = true
		p.Objects = append(p.Objects, add)
	}
	return nil
}

// FileURI is how a signature names a file beside it: one relative segment, all of whose bytes but ASCII letters,
// digits, "-", "_", "." and "~" are percent-encoded (RFC 3986, section 2.1).
func FileURI(name string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

// XAdESParameters are those of an item for package sap/xades, which composes the
// octets of the signature from them. ReasonEvidence: they have none.
func XAdESParameters(it Item, certDER []byte, alg algo.Algorithm) (*xades.Parameters, error) {
	h, err := algo.ParseHash(it.Hash)
	if err != nil || h != alg.Hash() {
		return nil, fmt.Errorf("%w: %s with %s", ReasonDigest, it.Hash, alg)
	}
	if it.Kind != KindXAdES || it.XAdES == nil {
		return nil, fmt.Errorf("%w: not an item of kind xades", ReasonEvidence)
	}
	doc, err := unB64Len(it.Doc, h.Size())
	if err != nil {
		return nil, fmt.Errorf("%w: doc", ReasonDigest)
	}
	return it.XAdES.parameters(it.Name, h, doc, certDER, alg)
}

// xadesSignedInfo rebuilds the octets that the key signs.
func xadesSignedInfo(it Item, certDER []byte, alg algo.Algorithm) ([]byte, error) {
	p, err := XAdESParameters(it, certDER, alg)
	if err != nil {
		return nil, err
	}
	info, err := xades.SignedInfo(p)
	if errors.Is(err, xades.ErrParameters) {
		return nil, fmt.Errorf("%w: %w", ReasonEvidence, err)
	}
	return info, err
}

// NewXAdESItem composes an item for the digest of a document's canonical octets, as
// a device does.
func NewXAdESItem(i int, name string, alg algo.Algorithm, docDigest, certDER []byte, x XAdES) (Item, error) {
	it := Item{I: i, Kind: KindXAdES, Name: name, Hash: algo.HashName(alg.Hash()), Doc: B64(docDigest), XAdES: &x}
	info, err := xadesSignedInfo(it, certDER, alg)
	if err != nil {
		return Item{}, err
	}
	it.DTBSR = B64(digest(alg.Hash(), info))
	return it, nil
}
