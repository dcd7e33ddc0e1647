package samrpc

import (
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sap/sapclient"
)

func changeBegin(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.ChangeBeginIn](r)
	if err != nil {
		return nil, err
	}
	signed, err := s.module.BeginChange(r.Context(), r.caller, sam.AskChange(in))
	return sapclient.ChangeBeginOut{Request: signed}, err
}

func changeFinish(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.ChangeFinishIn](r)
	if err != nil {
		return nil, err
	}
	out, err := s.module.FinishChange(r.Context(), r.caller, in.ID, in.Change)
	if err != nil {
		return nil, err
	}
	return sapclient.ChangeFinishOut(*out), nil
}

func authList(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.AuthListIn](r)
	if err != nil {
		return nil, err
	}
	signed, err := s.module.Authenticators(r.Context(), r.caller, sam.AskList(in))
	return sapclient.AuthListOut{List: signed}, err
}

func authRevoke(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.AuthRevokeIn](r)
	if err != nil {
		return nil, err
	}
	return struct{}{}, s.module.RevokeAuthenticator(r.Context(), r.caller, in.Signer, in.Credential, in.Why)
}

func half(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.HalfIn](r)
	if err != nil {
		return nil, err
	}
	out, err := s.module.GiveHalf(r.Context(), r.caller, in.Signer)
	if err != nil {
		return nil, err
	}
	return sapclient.HalfOut(*out), nil
}
