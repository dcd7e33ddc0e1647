package validate

import (
	"encoding/hex"
	"fmt"

	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/sigpolicy"
)

// SignaturePolicy is what a signature says of the rules that it was made under, and what of that was checked: at most
// that a document is the named one. Whether the signature obeys these rules is for who reads them.
type SignaturePolicy struct {
	Implied         bool                  `json:"implied,omitempty"` // there is one, and the signature does not say which
	ID              string                `json:"id,omitempty"`      // object identifier in dots, or URI
	Description     string                `json:"description,omitempty"`
	DigestAlgorithm string                `json:"digest_algorithm,omitempty"`
	Digest          string                `json:"digest,omitempty"` // of the policy document, hexadecimal
	Qualifiers      []sigpolicy.Qualifier `json:"qualifiers,omitempty"`
	Document        string                `json:"document,omitempty"` // name of the one that has the digest
	Words           string                `json:"words"`
	Checked         string                `json:"checked"` // in words: what was
}

// attributePolicy judges the policy of a signature in CMS form.
func (j *judge) attributePolicy(s *Signature, si *cms.SignerInfo) {
	for _, a := range si.SignedAttrs {
		if !a.Type.Equal(sigpolicy.OIDAttribute) {
			continue
		}
		if len(a.Values) != 1 {
			s.doubt(PolicyProcessingError, "the signature policy is not named once")
			return
		}
		p, err := sigpolicy.FromAttribute(a.Values[0])
		j.sigPolicy(s, p, err)
	}
}

// sigPolicy is EN 319 102-1, 5.2.4.4, as far as the document goes. p is nil if none is named.
func (j *judge) sigPolicy(s *Signature, p *sigpolicy.Policy, err error) {
	if err != nil {
		s.doubt(PolicyProcessingError, "%v", err)
		return
	}
	if p == nil {
		return
	}
	out := &SignaturePolicy{Implied: p.Implied, ID: p.ID, Description: p.Description, Qualifiers: p.Qualifiers, Words: p.Words()}
	s.Policy = out
	if p.Implied {
		out.Checked = "not checked: nobody can tell which rules are meant"
		return
	}
	out.DigestAlgorithm, out.Digest = p.HashName, hex.EncodeToString(p.Digest)
	if j.opt.Policies.Len() == 0 {
		out.Checked = "not checked: no policy document was given (--policy FILE)"
		return
	}
	switch f := j.opt.Policies.Find(p); {
	case f.Name != "":
		out.Document = f.Name
		out.Checked = fmt.Sprintf("%s is the document that is named; whether the signature obeys it was not judged", f.Name)
	case f.Given:
		out.Checked = "not checked: what was given for it is not the document that is named, or that cannot be told"
		s.doubt(PolicyProcessingError, "the document for the signature policy %s cannot be used: %s", p.ID, f.Why)
	default:
		out.Checked = "not checked: no document with the named digest was given"
		s.doubt(SignaturePolicyNotAvailable, "none of the %d policy documents is that of the signature policy %s", j.opt.Policies.Len(), p.Words())
	}
}
