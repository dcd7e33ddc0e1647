package pkix

import (
	"fmt"
	"slices"

	"github.com/assent-sign/assent/internal/der"
)

// maxPolicyEdges bounds the work on the policy graph of one path.
const maxPolicyEdges = 100_000

// policyNode is a policy at one depth of the graph of RFC 9618 section 3: one node
// for each policy and depth, with edges from every node that led to it, where RFC
// 5280 had a copy of the node for each.
type policyNode struct {
	policy   der.OID
	expected []der.OID
	parents  []*policyNode
}

// policyGraph is valid_policy_graph. level holds the nodes of the current depth;
// deeper ones are reached over parents. A graph whose level is empty is NULL.
type policyGraph struct {
	level map[der.OID]*policyNode
	edges int
}

func newPolicyGraph() *policyGraph {
	root := &policyNode{policy: AnyPolicy, expected: []der.OID{AnyPolicy}}
	return &policyGraph{level: map[der.OID]*policyNode{AnyPolicy: root}}
}

func (g *policyGraph) null() bool { return len(g.level) == 0 }

// descend is section 6.1.3 (d) and (e) as RFC 9618 section 5.2 has them: the
// certificate's policies become the next level. anyAllowed tells whether anyPolicy
// counts in this certificate.
func (g *policyGraph) descend(c *Certificate, anyAllowed bool) error {
	next := map[der.OID]*policyNode{}
	if !c.HasPolicies || g.null() {
		g.level = next
		return nil
	}
	byExpected := map[der.OID][]*policyNode{}
	for _, n := range g.level {
		for _, e := range n.expected {
			byExpected[e] = append(byExpected[e], n)
		}
	}
	for _, p := range c.Policies {
		if p == AnyPolicy {
			continue
		}
		parents := byExpected[p]
		if len(parents) == 0 && g.level[AnyPolicy] != nil {
			parents = []*policyNode{g.level[AnyPolicy]}
		}
		if len(parents) > 0 {
			next[p] = &policyNode{policy: p, expected: []der.OID{p}, parents: parents}
		}
	}
	if anyAllowed && slices.Contains(c.Policies, AnyPolicy) {
		for e, parents := range byExpected {
			if next[e] == nil {
				next[e] = &policyNode{policy: e, expected: []der.OID{e}, parents: parents}
			}
		}
	}
	for _, n := range next {
		g.edges += len(n.parents)
	}
	if g.edges > maxPolicyEdges {
		return fmt.Errorf("%w: policies of %s", ErrBounds, c)
	}
	g.level = next
	return nil
}

// mapPolicies is section 6.1.4 (a) and (b). allowed is policy_mapping > 0.
func (g *policyGraph) mapPolicies(c *Certificate, allowed bool) error {
	to := map[der.OID][]der.OID{}
	for _, m := range c.Mappings {
		if m.Issuer == AnyPolicy || m.Subject == AnyPolicy {
			return fmt.Errorf("%w: %s maps the policy that stands for all", ErrPolicy, c)
		}
		if !slices.Contains(to[m.Issuer], m.Subject) {
			to[m.Issuer] = append(to[m.Issuer], m.Subject)
		}
	}
	wild := g.level[AnyPolicy]
	for from, subjects := range to {
		switch n := g.level[from]; {
		case !allowed:
			delete(g.level, from)
		case n != nil:
			n.expected = subjects
		case wild != nil: // a sibling of the node for all, below the same parents
			g.level[from] = &policyNode{policy: from, expected: subjects, parents: wild.parents}
		}
	}
	return nil
}

// constrained is section 6.1.5 (g) as RFC 9618 section 5.5 has it: the policies
// of the path in the terms of the anchor, as far as the user accepts them. accepted
// empty means any. all tells that the path is good for every policy.
func (g *policyGraph) constrained(accepted []der.OID) (policies []der.OID, all bool) {
	seen := map[*policyNode]bool{}
	queue := make([]*policyNode, 0, len(g.level))
	for _, n := range g.level {
		queue = append(queue, n)
	}
	anyUser := len(accepted) == 0 || slices.Contains(accepted, AnyPolicy)
	if g.level[AnyPolicy] != nil {
		all = anyUser
		if !anyUser {
			policies = append(policies, accepted...)
		}
	}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		if seen[n] {
			continue
		}
		seen[n] = true
		queue = append(queue, n.parents...)
		top := n.policy != AnyPolicy && slices.ContainsFunc(n.parents, func(p *policyNode) bool { return p.policy == AnyPolicy })
		if top && (anyUser || slices.Contains(accepted, n.policy)) && !slices.Contains(policies, n.policy) {
			policies = append(policies, n.policy)
		}
	}
	slices.Sort(policies)
	return policies, all
}
