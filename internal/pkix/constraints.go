package pkix

import (
	"bytes"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/der"
)

const (
	maxSubtrees = 512
	// maxComparisons bounds how often a name of a path is held against a subtree: a
	// path of a few large certificates could otherwise ask for billions.
	maxComparisons = 250_000
)

// Constraints are the name constraints of a certificate (section 4.2.1.10).
type Constraints struct {
	Permitted, Excluded []GeneralName
}

func parseConstraints(value []byte) (*Constraints, error) {
	body, err := der.Only(value, asn1.SEQUENCE, "name constraints")
	if err != nil {
		return nil, err
	}
	c := &Constraints{}
	for tag, list := range []*[]GeneralName{&c.Permitted, &c.Excluded} {
		trees, present, err := der.ReadOptional(&body, der.Context(uint8(tag)), "name constraints")
		if err != nil {
			return nil, err
		}
		if !present {
			continue
		}
		if *list, err = parseSubtrees(trees); err != nil {
			return nil, err
		}
	}
	if !body.Empty() || len(c.Permitted)+len(c.Excluded) == 0 {
		return nil, der.Malformed("name constraints")
	}
	return c, nil
}

func parseSubtrees(trees cryptobyte.String) ([]GeneralName, error) {
	var out []GeneralName
	for !trees.Empty() {
		if len(out) == maxSubtrees {
			return nil, der.TooMany("subtrees of name constraints", maxSubtrees)
		}
		one, err := der.Read(&trees, asn1.SEQUENCE, "subtree")
		if err != nil {
			return nil, err
		}
		base, err := readGeneralName(&one)
		if err != nil {
			return nil, err
		}
		if !one.Empty() { // minimum is 0, which DER leaves out, and there is no maximum
			return nil, der.Malformed("subtree with minimum or maximum")
		}
		if err := checkBase(base); err != nil {
			return nil, err
		}
		out = append(out, base)
	}
	return out, nil
}

func checkBase(g GeneralName) error {
	if g.Kind == IPName {
		if n := len(g.Text); n != 8 && n != 32 {
			return der.Malformed("subtree of addresses")
		}
		mask := []byte(g.Text[len(g.Text)/2:])
		ended := false
		for i := range len(mask) * 8 {
			set := mask[i/8]&(0x80>>(i%8)) != 0
			if set && ended {
				return der.Malformed("subtree of addresses: mask with a gap")
			}
			ended = ended || !set
		}
	}
	return nil
}

// constraintState is permitted_subtrees and excluded_subtrees of section 6.1.2:
// permitted as the lists that a name must satisfy one by one, which is their
// intersection.
type constraintState struct {
	permitted [][]GeneralName
	excluded  []GeneralName
	compared  int
}

func (s *constraintState) add(c *Constraints) {
	if c == nil {
		return
	}
	if len(c.Permitted) > 0 {
		s.permitted = append(s.permitted, c.Permitted)
	}
	s.excluded = append(s.excluded, c.Excluded...)
}

// check is section 6.1.3 (b) and (c).
func (s *constraintState) check(c *Certificate) error {
	if len(s.permitted) == 0 && len(s.excluded) == 0 {
		return nil
	}
	var names []GeneralName
	if !c.Subject.IsEmpty() {
		names = append(names, GeneralName{Kind: DirectoryName, Name: c.Subject})
	}
	for _, mail := range c.Subject.emails {
		names = append(names, GeneralName{Kind: EmailName, Text: mail})
	}
	for _, n := range append(names, c.AltNames...) {
		if err := s.checkName(n); err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
	}
	return nil
}

func (s *constraintState) checkName(n GeneralName) error {
	for _, tree := range s.excluded {
		in, err := s.within(n, tree, true)
		if err != nil {
			return err
		}
		if in {
			return fmt.Errorf("%w: %s is excluded", ErrConstraint, n)
		}
	}
	for _, list := range s.permitted {
		asked, found := false, false
		for _, tree := range list {
			asked = asked || tree.Kind == n.Kind
			in, err := s.within(n, tree, false)
			if err != nil {
				return err
			}
			if found = found || in; found {
				break
			}
		}
		if asked && !found {
			return fmt.Errorf("%w: %s is not permitted", ErrConstraint, n)
		}
	}
	return nil
}

// within tells whether a name lies in a subtree. A name that is constrained and
// cannot be understood is an error: it might lie anywhere.
func (s *constraintState) within(n, tree GeneralName, excluding bool) (bool, error) {
	if n.Kind != tree.Kind {
		return false, nil
	}
	if s.compared++; s.compared > maxComparisons {
		return false, fmt.Errorf("%w: more than %d comparisons with name constraints", ErrBounds, maxComparisons)
	}
	switch n.Kind {
	case DirectoryName:
		return n.Name.Within(tree.Name), nil
	case DNSName:
		return inDomain(n.Text, tree.Text, excluding), nil
	case EmailName:
		return inMail(n.Text, tree.Text)
	case URIName:
		return inURI(n.Text, tree.Text)
	case IPName:
		return inNet(n.Text, tree.Text)
	}
	return false, fmt.Errorf("%w: constraint on names of kind %d, which are not understood", ErrConstraint, n.Kind)
}

// String renders the name for messages.
func (g GeneralName) String() string {
	switch g.Kind {
	case DirectoryName:
		return fmt.Sprintf("%q", g.Name.String())
	case IPName:
		if a, ok := netip.AddrFromSlice([]byte(g.Text)); ok {
			return a.String()
		}
	case EmailName, DNSName, URIName:
		return fmt.Sprintf("%q", g.Text)
	}
	return fmt.Sprintf("a name of kind %d", g.Kind)
}

// inDomain: any labels may be put in front. A dot in front of the base, which the
// standard does not know for DNS names, means at least one label when permitting
// and none needed when excluding. A dot at the end names the same host.
func inDomain(name, base string, excluding bool) bool {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	base = strings.TrimSuffix(strings.ToLower(base), ".")
	if base == "" {
		return true
	}
	if strings.HasPrefix(base, ".") {
		return strings.HasSuffix(name, base) || (excluding && name == base[1:])
	}
	if name == base || strings.HasSuffix(name, "."+base) {
		return true
	}
	// *.example.com stands for names inside an exclusion of host.example.com.
	if rest, wild := strings.CutPrefix(name, "*."); wild && excluding {
		return strings.HasSuffix(base, "."+rest)
	}
	return false
}

func inMail(name, base string) (bool, error) {
	at := strings.LastIndexByte(name, '@')
	if at < 1 || at == len(name)-1 {
		return false, fmt.Errorf("%w: %q is no email address", ErrConstraint, name)
	}
	local, host := name[:at], strings.ToLower(name[at+1:])
	if i := strings.LastIndexByte(base, '@'); i >= 0 { // one mailbox; hosts have no case, and mailboxes have none in practice
		return strings.EqualFold(local, base[:i]) && host == strings.ToLower(base[i+1:]), nil
	}
	base = strings.ToLower(base)
	if strings.HasPrefix(base, ".") {
		return strings.HasSuffix(host, base), nil
	}
	return base == "" || host == base, nil
}

func inURI(name, base string) (bool, error) {
	u, err := url.Parse(name)
	if err != nil || u.Hostname() == "" {
		return false, fmt.Errorf("%w: %q names no host", ErrConstraint, name)
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if _, err := netip.ParseAddr(host); err == nil {
		return false, fmt.Errorf("%w: %q names an address, not a host", ErrConstraint, name)
	}
	base = strings.ToLower(base)
	if strings.HasPrefix(base, ".") {
		return strings.HasSuffix(host, base), nil
	}
	return base == "" || host == base, nil
}

func inNet(name, base string) (bool, error) {
	if len(name) != 4 && len(name) != 16 {
		return false, fmt.Errorf("%w: address of %d bytes", ErrConstraint, len(name))
	}
	if len(base) != 2*len(name) {
		return false, nil
	}
	a, net, mask := []byte(name), []byte(base[:len(name)]), []byte(base[len(name):])
	masked := make([]byte, len(a))
	for i := range a {
		masked[i] = a[i] & mask[i]
		net[i] &= mask[i]
	}
	return bytes.Equal(masked, net), nil
}
