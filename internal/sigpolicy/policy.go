// Package sigpolicy reads what a signature says of the signature policy that it was made under (EN 319 122-1,
// 5.2.9; EN 319 132-1, 5.2.9), and finds the document of that policy among those that a verifier was given, by the
// digest that the signer signed (EN 319 102-1, 5.2.4). It reads no rules: that a document is the named one does not
// say that the signature obeys it.
package sigpolicy

import (
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ErrPolicy means that what the signature says of its policy cannot be read.
var ErrPolicy = errors.New("sigpolicy: the signature policy identifier cannot be read")

// Bounds of what a signature can say.
const (
	maxText       = 4096 // bytes of one text
	maxQualifiers = 16
	maxDigest     = 128 // bytes
)

// Rule is how the digest of a policy document is computed.
type Rule string

// The rules. What is none of them is a canonicalization method, by its URI.
const (
	// Octets: over the file as it is, or, of CMS and where the file is a policy in ASN.1, over its
	// content without the outer tag and length (ETSI TR 102 272, 6.2).
	Octets Rule = ""
	// Specified: by a technical specification that the signature names (XAdES, SPDocDigestAsInSpecification).
	Specified Rule = "http://uri.etsi.org/01903/v1.3.2/SignaturePolicy/SPDocDigestAsInSpecification"
	// Unknown: by transforms that are not computed here.
	Unknown Rule = "transforms"
)

// Policy is what a signature says.
type Policy struct {
	// Implied: there is one, and the signature does not say which.
	Implied bool
	// ID is the policy's object identifier in dots, or its URI.
	ID          string
	Description string
	// Hash is that of Digest, 0 for one that is not accepted; HashName is as it is written.
	Hash     crypto.Hash
	HashName string
	Digest   []byte
	Rule     Rule
	// ASN1: the digest of a policy in ASN.1 is over its content.
	ASN1       bool
	Qualifiers []Qualifier
}

// The kinds of Qualifier.
const (
	KindURI           = "document at"
	KindNotice        = "notice"
	KindSpecification = "specification"
	KindOther         = "qualifier"
)

// Qualifier is what a signature says besides: where the document is said to be, what a reader shall be shown, which
// specification the document follows.
type Qualifier struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Dotted writes an identifier in the one way in which identifiers are compared: of an object identifier its dots,
// else as it is.
func Dotted(id string) string {
	if len(id) > len("urn:oid:") && strings.EqualFold(id[:len("urn:oid:")], "urn:oid:") {
		return id[len("urn:oid:"):]
	}
	return id
}

// Check tells whether what was read can be shown. ErrPolicy.
func (p *Policy) Check() error {
	texts := []string{p.ID, p.Description, p.HashName}
	for _, q := range p.Qualifiers {
		texts = append(texts, q.Text)
	}
	for _, t := range texts {
		if len(t) > maxText {
			return fmt.Errorf("%w: a text of %d bytes; %d are possible", ErrPolicy, len(t), maxText)
		}
	}
	switch {
	case len(p.Qualifiers) > maxQualifiers:
		return fmt.Errorf("%w: %d qualifiers; %d are possible", ErrPolicy, len(p.Qualifiers), maxQualifiers)
	case !p.Implied && p.ID == "":
		return fmt.Errorf("%w: it names no policy", ErrPolicy)
	case len(p.Digest) > maxDigest:
		return fmt.Errorf("%w: a digest of %d bytes", ErrPolicy, len(p.Digest))
	case p.Hash != 0 && len(p.Digest) != p.Hash.Size() && !p.NoDigest():
		return fmt.Errorf("%w: a digest of %d bytes by %s", ErrPolicy, len(p.Digest), p.HashName)
	}
	return nil
}

// NoDigest tells whether the signature says that it does not know the document's digest: one octet of zero
// (EN 319 122-1, 5.2.9.1), or none.
func (p *Policy) NoDigest() bool {
	return len(p.Digest) == 0 || len(p.Digest) == 1 && p.Digest[0] == 0
}

// Words name the policy and the digest of its document.
func (p *Policy) Words() string {
	switch {
	case p.Implied:
		return "implied: the signature says that there is one, and not which"
	case p.NoDigest():
		return p.ID + ", without a digest of its document"
	}
	return fmt.Sprintf("%s (%s %s)", p.ID, p.HashName, hex.EncodeToString(p.Digest))
}
