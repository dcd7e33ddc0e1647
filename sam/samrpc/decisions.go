package samrpc

import (
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sap/sapclient"
)

// maxProposals is how many proposals one answer lists.
const maxProposals = 200

// wireProposal leaves the seal out: nobody outside has a use for it (IAM-06).
func wireProposal(p *sam.Proposal) sapclient.Proposal {
	return sapclient.Proposal{
		ID: p.ID, Kind: p.Kind, Args: p.Args, State: p.State, By: p.By, Person: p.ByPerson, Second: p.Second,
		Created: p.Created, Expires: p.Expires, Decided: p.Decided, AuditSeq: p.Seq,
	}
}

func oneProposal(p *sam.Proposal, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return wireProposal(p), nil
}

func propose(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.ProposeIn](r)
	if err != nil {
		return nil, err
	}
	return oneProposal(s.module.Propose(r.Context(), r.caller, in.Kind, in.Args))
}

func approve(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.ProposalIn](r)
	if err != nil {
		return nil, err
	}
	return oneProposal(s.module.Approve(r.Context(), r.caller, in.ID))
}

func withdraw(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.ProposalIn](r)
	if err != nil {
		return nil, err
	}
	return oneProposal(s.module.Withdraw(r.Context(), r.caller, in.ID))
}

func proposals(s *Server, r *request) (any, error) {
	list, err := s.module.Proposals(r.Context(), r.caller, r.URL.Query().Get("state"), maxProposals)
	if err != nil {
		return nil, err
	}
	out := sapclient.ProposalsOut{Proposals: make([]sapclient.Proposal, len(list))}
	for i, p := range list {
		out.Proposals[i] = wireProposal(p)
	}
	return out, nil
}

func roles(s *Server, r *request) (any, error) {
	list, err := s.module.Identities(r.Context(), r.caller)
	if err != nil {
		return nil, err
	}
	out := sapclient.RolesOut{Roles: make([]sapclient.RoleGrant, len(list))}
	for i, g := range list {
		out.Roles[i] = sapclient.RoleGrant{Name: g.Name, Person: g.Person, Role: string(g.Role), Key: g.Key, State: g.State, Created: g.Created}
	}
	return out, nil
}
