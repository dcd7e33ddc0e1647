package xades

import (
	"crypto"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/assent-sign/assent/internal/algo"
)

// ErrParameters says that a value cannot be signed; the message says which.
var ErrParameters = errors.New("xades: invalid parameters")

// Bounds of what is composed.
const (
	maxObjects     = 100
	maxEntries     = 20   // roles, commitments
	maxString      = 4096 // bytes of one value
	maxName        = 128  // bytes of the identifier of an element of the data
	maxCertificate = 64 << 10
	maxTime        = 253402300799 // the end of the year 9999
)

// Parameters is all that determines what is signed.
type Parameters struct {
	// ID identifies the Signature element; it must be unique in the document, so it
	// is best random. An NCName of ASCII letters, digits, "-", "_" and ".", of at
	// most 64 bytes.
	ID string
	// Algorithm of the key.
	Algorithm algo.Algorithm
	// Certificate is the signer's, in DER.
	Certificate []byte
	// Time is SigningTime, in Unix seconds.
	Time int64
	// Objects are what is signed, in order; at least one.
	Objects []Object
	// Policy, if there is one.
	Policy *Policy
	// Commitments are identifiers (URIs) of commitment types, for all objects.
	Commitments []string
	// Roles are claimed roles.
	Roles []string
	// Place, if it is told.
	Place *Place
}

// Object is a data object and its Reference.
type Object struct {
	// URI as in the Reference; "" is the document that the signature is in, "#" and an
	// identifier an element of it.
	URI string
	// Enveloped: the digest is of the exclusive canonical form without comments of
	// the document less the signature. Without Enveloped, Element and Base64 it is of the
	// octets that URI names, as they are; URI is then not empty and has no fragment.
	Enveloped bool
	// Element: the digest is of the exclusive canonical form without comments of the element
	// that URI names. If URI is Parameters.ObjectURI, that is the Object of an enveloping
	// signature, with the data inside.
	Element bool
	// Base64: the digest is of the octets for which the text in the Object of an enveloping
	// signature stands. URI is Parameters.ObjectURI.
	Base64 bool
	// Parallel, of an enveloped object: the digest is of the same form of the document
	// less all its signatures (EN 319 132-1 leaves the choice), so that others can sign
	// beside this one, before and after it. Without it, it is less this signature only.
	Parallel bool
	Hash     crypto.Hash
	Digest   []byte
	// MimeType and the optional Description of DataObjectFormat.
	MimeType, Description string
}

// Policy is a signature policy by its identifier and the digest of its document.
type Policy struct {
	// Identifier is a URI; an OID stands as urn:oid:1.2.3 and is marked so.
	Identifier string
	Hash       crypto.Hash
	Digest     []byte
}

// Place is where the signature is said to be made. Empty parts are left out.
type Place struct{ City, Street, State, PostalCode, Country string }

// propertiesID identifies SignedProperties, referenceID the Reference of an object.
func (p *Parameters) propertiesID() string { return p.ID + "-props" }

func (p *Parameters) referenceID(i int) string { return fmt.Sprintf("%s-ref%d", p.ID, i) }

// ObjectURI is how an enveloping signature names the Object that holds its data.
func (p *Parameters) ObjectURI() string { return "#" + p.ID + "-object" }

// enveloping gives the object that stands inside of the signature, nil if none does.
func (p *Parameters) enveloping() *Object {
	for i := range p.Objects {
		if p.Objects[i].URI == p.ObjectURI() {
			return &p.Objects[i]
		}
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrParameters, fmt.Sprintf(format, args...))
}

// check refuses what has no text, or more than one.
func (p *Parameters) check() error {
	switch {
	case !isID(p.ID):
		return invalid("the identifier %q", p.ID)
	case signatureMethod(p.Algorithm) == "":
		return invalid("algorithm %v", p.Algorithm)
	case len(p.Certificate) == 0 || len(p.Certificate) > maxCertificate:
		return invalid("a certificate of %d bytes", len(p.Certificate))
	case p.Time < 1 || p.Time > maxTime:
		return invalid("the time %d", p.Time)
	case len(p.Objects) == 0 || len(p.Objects) > maxObjects:
		return invalid("%d data objects; 1 to %d are possible", len(p.Objects), maxObjects)
	case len(p.Roles) > maxEntries || len(p.Commitments) > maxEntries:
		return invalid("%d roles and %d commitments; %d are possible", len(p.Roles), len(p.Commitments), maxEntries)
	}
	for i := range p.Objects {
		if err := p.Objects[i].check(); err != nil {
			return fmt.Errorf("data object %d: %w", i, err)
		}
		if err := p.names(&p.Objects[i]); err != nil {
			return fmt.Errorf("data object %d: %w", i, err)
		}
	}
	if p.Policy != nil {
		if err := required("policy", p.Policy.Identifier); err != nil {
			return err
		}
		if err := checkDigest(p.Policy.Hash, p.Policy.Digest); err != nil {
			return fmt.Errorf("policy: %w", err)
		}
	}
	for _, c := range p.Commitments {
		if err := required("commitment", c); err != nil {
			return err
		}
	}
	for _, r := range p.Roles {
		if err := required("role", r); err != nil {
			return err
		}
	}
	if p.Place == nil {
		return nil
	}
	if *p.Place == (Place{}) {
		return invalid("a place without any part")
	}
	for _, part := range []string{p.Place.City, p.Place.Street, p.Place.State, p.Place.PostalCode, p.Place.Country} {
		if err := text("place", part); err != nil {
			return err
		}
	}
	return nil
}

func (o *Object) check() error {
	if err := checkDigest(o.Hash, o.Digest); err != nil {
		return err
	}
	if err := required("MIME type", o.MimeType); err != nil {
		return err
	}
	if err := text("description", o.Description); err != nil {
		return err
	}
	if err := text("URI", o.URI); err != nil {
		return err
	}
	switch {
	case o.Enveloped && (o.Element || o.Base64), o.Element && o.Base64:
		return invalid("an object of two kinds")
	case o.Enveloped && o.URI != "":
		return invalid("an enveloped object with the URI %q", o.URI)
	case !o.Enveloped && o.Parallel:
		return invalid("signatures beside this one are in the document of an enveloped object")
	case o.Element || o.Base64:
		return nil // Parameters.names
	case !o.Enveloped && (o.URI == "" || strings.ContainsAny(o.URI, "#\n\r\t ")):
		return invalid("the URI %q of an object outside of the document", o.URI)
	}
	return nil
}

// names refuses identifiers that could be read as something else than that of one element
// of the data: a pointer with a scheme, and the identifiers of the signature's own parts.
func (p *Parameters) names(o *Object) error {
	if !o.Element && !o.Base64 {
		return nil
	}
	id, ok := strings.CutPrefix(o.URI, "#")
	own := o.URI == p.ObjectURI()
	switch {
	case !ok || !isName(id, maxName):
		return invalid("the URI %q of an element", o.URI)
	case o.Base64 && !own, !own && (id == p.ID || strings.HasPrefix(id, p.ID+"-")):
		return invalid("the URI %q, of a part of the signature", o.URI)
	case own && p.enveloping() != o:
		return invalid("two objects in the one of the signature")
	}
	return nil
}

func checkDigest(h crypto.Hash, digest []byte) error {
	if digestMethod(h) == "" {
		return invalid("hash %v", h)
	}
	if len(digest) != h.Size() {
		return invalid("a digest of %d bytes; %v has %d", len(digest), h, h.Size())
	}
	return nil
}

func required(what, s string) error {
	if s == "" {
		return invalid("an empty %s", what)
	}
	return text(what, s)
}

// text refuses what XML 1.0 (production 2) cannot hold, and control characters,
// which would only hide something.
func text(what, s string) error {
	if len(s) > maxString {
		return invalid("%s of %d bytes; %d are possible", what, len(s), maxString)
	}
	if !utf8.ValidString(s) {
		return invalid("%s %q is not UTF-8", what, s)
	}
	for _, r := range s {
		if r < 0x20 || r >= 0x7F && r < 0xA0 || r == 0xFFFE || r == 0xFFFF {
			return invalid("%s %q has a control character", what, s)
		}
	}
	return nil
}

func isID(s string) bool { return isName(s, 64) }

// isName tells of an NCName of ASCII letters, digits, "-", "_" and ".".
func isName(s string, most int) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-' && c != '.') {
			return false
		}
	}
	return len(s) > 0 && len(s) <= most
}

// signatureMethod is the identifier of XML Signature 1.1 and RFC 9231.
func signatureMethod(a algo.Algorithm) string {
	const more, pss = "http://www.w3.org/2001/04/xmldsig-more#", "http://www.w3.org/2007/05/xmldsig-more#"
	switch a {
	case algo.ES256:
		return more + "ecdsa-sha256"
	case algo.ES384:
		return more + "ecdsa-sha384"
	case algo.ES512:
		return more + "ecdsa-sha512"
	case algo.RS256:
		return more + "rsa-sha256"
	case algo.RS384:
		return more + "rsa-sha384"
	case algo.RS512:
		return more + "rsa-sha512"
	case algo.PS256:
		return pss + "sha256-rsa-MGF1"
	case algo.PS384:
		return pss + "sha384-rsa-MGF1"
	case algo.PS512:
		return pss + "sha512-rsa-MGF1"
	}
	return ""
}

func digestMethod(h crypto.Hash) string {
	switch h {
	case crypto.SHA256:
		return "http://www.w3.org/2001/04/xmlenc#sha256"
	case crypto.SHA384:
		return "http://www.w3.org/2001/04/xmldsig-more#sha384"
	case crypto.SHA512:
		return "http://www.w3.org/2001/04/xmlenc#sha512"
	}
	return ""
}
