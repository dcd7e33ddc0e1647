package xmlsig

import (
	"strings"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/sigpolicy"
)

// policy reads SignaturePolicyIdentifier (EN 319 132-1, clause 5.2.9), nil if there is none. A digest algorithm that
// is not accepted leaves Hash 0: the signature does not depend on it.
func policy(n *node) (*sigpolicy.Policy, error) {
	if n == nil {
		return nil, nil
	}
	if len(n.all(xadesSpace, "SignaturePolicyImplied")) > 0 {
		return &sigpolicy.Policy{Implied: true}, nil
	}
	id := n.one(xadesSpace, "SignaturePolicyId")
	name := id.one(xadesSpace, "SigPolicyId")
	p := &sigpolicy.Policy{ID: sigpolicy.Dotted(text(name.one(xadesSpace, "Identifier"))), Description: text(name.one(xadesSpace, "Description"))}
	sum := id.one(xadesSpace, "SigPolicyHash")
	p.HashName, _ = sum.one(dsSpace, "DigestMethod").attr("Algorithm")
	if v := sum.one(dsSpace, "DigestValue"); v != nil {
		p.Digest, _ = octets(v)
	}
	if h, d, err := digest(sum); err == nil {
		p.Hash, p.HashName, p.Digest = h, h.String(), d
	}
	p.Rule = policyRule(id.one(dsSpace, "Transforms").all(dsSpace, "Transform"))
	for _, q := range id.one(xadesSpace, "SigPolicyQualifiers").all(xadesSpace, "SigPolicyQualifier") {
		p.Qualifiers = append(p.Qualifiers, policyQualifiers(q)...)
	}
	return p, p.Check()
}

// policyRule is how the digest is computed.
func policyRule(transforms []*node) sigpolicy.Rule {
	if len(transforms) == 0 {
		return sigpolicy.Octets
	}
	uri, _ := transforms[0].attr("Algorithm")
	if len(transforms) > 1 || len(prefixes(transforms[0])) > 0 {
		return sigpolicy.Unknown
	}
	if _, ok := c14n.ByURI(uri); ok || sigpolicy.Rule(uri) == sigpolicy.Specified {
		return sigpolicy.Rule(uri)
	}
	return sigpolicy.Unknown
}

func policyQualifiers(n *node) []sigpolicy.Qualifier {
	var out []sigpolicy.Qualifier
	for _, k := range n.kids {
		q := sigpolicy.Qualifier{Kind: sigpolicy.KindOther, Text: k.local}
		switch {
		case k.is(xadesSpace, "SPURI"):
			q = sigpolicy.Qualifier{Kind: sigpolicy.KindURI, Text: text(k)}
		case k.is(xades141Space, "SPDocSpecification"):
			q = sigpolicy.Qualifier{Kind: sigpolicy.KindSpecification, Text: text(k.one(xadesSpace, "Identifier"))}
		case k.is(xadesSpace, "SPUserNotice"):
			q = sigpolicy.Qualifier{Kind: sigpolicy.KindNotice, Text: noticeText(k)}
		}
		out = append(out, q)
	}
	return out
}

// noticeText is who says it, by which numbers, and the text.
func noticeText(n *node) string {
	var who, parts []string
	if ref := n.one(xadesSpace, "NoticeRef"); ref != nil {
		who = append(who, text(ref.one(xadesSpace, "Organization")))
		for _, number := range ref.one(xadesSpace, "NoticeNumbers").all(xadesSpace, "int") {
			who = append(who, text(number))
		}
		parts = append(parts, strings.Join(who, " "))
	}
	if t := n.one(xadesSpace, "ExplicitText"); t != nil {
		parts = append(parts, text(t))
	}
	return strings.Join(parts, ": ")
}
