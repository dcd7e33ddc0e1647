package samrpc

import (
	"fmt"
	"strconv"
	"time"

	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// Each function is one route: decode, call, shape the answer.

func wireInfo(i sam.Info) sapclient.Info {
	out := sapclient.Info{
		Audience: i.Audience, Instance: i.Instance, StatementKey: i.StatementKey, KeyID: i.KeyID, FirstKey: i.FirstKey, Successions: append([]sap.SignedSuccession{}, i.Successions...), Origin: i.Origin, RPID: i.RPID,
		Assurance: i.Assurance, Version: i.Version,
	}
	for _, p := range i.Policies {
		out.Policies = append(out.Policies, sapclient.Policy{ID: p.ID, MaxItems: p.MaxItems, Lifetime: int(p.Lifetime.Seconds()), Raw: p.Raw})
	}
	return out
}

func info(s *Server, r *request) (any, error) {
	i, err := s.module.Info(r.Context(), r.caller)
	if err != nil {
		return nil, err
	}
	return wireInfo(*i), nil
}

func health(s *Server, r *request) (any, error) {
	return struct{}{}, s.module.Health(r.Context(), r.caller)
}

func status(s *Server, r *request) (any, error) {
	st, err := s.module.Status(r.Context(), r.caller)
	if err != nil {
		return nil, err
	}
	times := sapclient.Clock{Trusted: st.Clock.Trusted, Why: st.Clock.Why, Sources: make([]sapclient.ClockSource, len(st.Clock.Sources))}
	for i, src := range st.Clock.Sources {
		times.Sources[i] = sapclient.ClockSource(src)
	}
	alarms := make([]sapclient.Alarm, len(st.Alarms))
	for i, a := range st.Alarms {
		alarms[i] = sapclient.Alarm(a)
	}
	var certificates []sapclient.CertificateEnd
	for _, c := range st.Certificates {
		certificates = append(certificates, sapclient.CertificateEnd(c))
	}
	return sapclient.Status{
		Certificates: certificates,
		Info:         wireInfo(st.Info), State: st.State, Why: st.Why, Token: st.Token, KeyUses: st.KeyUses, SignerKeyUses: st.SignerKeyUses,
		AuditSeq: st.AuditSeq, AuditHead: st.AuditSum, Crypto: st.Crypto, Warnings: st.Warnings, SelfTest: wireSelfTest(&st.SelfTest), Clock: times, Alarms: alarms, Checkpoint: st.Checkpoint, KEK: st.KEK, SealEpoch: st.SealEpoch, SealLow: st.SealLow, Backup: (*sapclient.Backup)(st.Backup), Waiting: wireWaiting(st.Waiting), ToDestroy: sapclient.WaitingKeys(st.ToDestroy),
	}, nil
}

func wireWaiting(list []sam.Waiting) []sapclient.Waiting {
	var out []sapclient.Waiting
	for _, w := range list {
		x := sapclient.Waiting{Kind: w.Kind, Why: w.Why, Args: w.Args}
		for _, c := range w.Changes {
			x.Changes = append(x.Changes, sapclient.Change(c))
		}
		out = append(out, x)
	}
	return out
}

func wireSelfTest(r *sam.SelfTestReport) sapclient.SelfTest {
	out := sapclient.SelfTest{Time: r.Time, Trigger: r.Trigger, Results: make([]sapclient.SelfTestResult, len(r.Results))}
	for i, t := range r.Results {
		out.Results[i] = sapclient.SelfTestResult(t)
	}
	return out
}

func selfTest(s *Server, r *request) (any, error) {
	if _, err := decode[struct{}](r); err != nil {
		return nil, err
	}
	report, err := s.module.SelfTest(r.Context(), r.caller)
	if err != nil {
		return nil, err
	}
	return wireSelfTest(report), nil
}

func reopen(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.ReopenIn](r)
	if err != nil {
		return nil, err
	}
	report, err := s.module.Reopen(r.Context(), r.caller, in.Why)
	if err != nil {
		return nil, err
	}
	return wireSelfTest(report), nil
}

func activationRequest(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.ActivationRequestIn](r)
	if err != nil {
		return nil, err
	}
	signed, err := s.module.Request(r.Context(), r.caller, sam.Ask{Signer: in.Signer, Key: in.Key, Alg: in.Alg, N: in.N, Policy: in.Policy})
	return sapclient.ActivationRequestOut{Request: signed}, err
}

func redeem(s *Server, r *request) (any, error) {
	in, err := decodeRedeem(r)
	if err != nil {
		return nil, err
	}
	answer, err := s.module.Redeem(r.Context(), r.caller, in.SAD, in.Proof, in.Evidence)
	return rawJSON(answer), err
}

func wireCredential(v *sam.CredentialView) sapclient.Credential {
	return sapclient.Credential{
		Key: v.Key, Signer: v.Signer, KeyType: v.KeyType, Algs: v.Algs, State: v.State, Carrier: v.Carrier, Chain: v.Chain,
		CSR: v.CSR, Raw: v.Raw, Assurance: v.Assurance, Policy: v.Policy, Created: v.Created,
	}
}

func oneCredential(v *sam.CredentialView, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return wireCredential(v), nil
}

func credentials(s *Server, r *request) (any, error) {
	q := r.URL.Query()
	list, err := s.module.Credentials(r.Context(), r.caller, q.Get("signer"), q.Get("key"))
	if err != nil {
		return nil, err
	}
	out := sapclient.CredentialsOut{Credentials: make([]sapclient.Credential, len(list))}
	for i := range list {
		out.Credentials[i] = wireCredential(&list[i])
	}
	return out, nil
}

func generate(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.GenerateIn](r)
	if err != nil {
		return nil, err
	}
	return oneCredential(s.module.Generate(r.Context(), r.caller, in.Signer, in.KeyType, in.Subject))
}

func certificate(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.CertificateIn](r)
	if err != nil {
		return nil, err
	}
	return oneCredential(s.module.LinkCertificate(r.Context(), r.caller, in.Key, in.Chain))
}

func permission(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.PermissionIn](r)
	if err != nil {
		return nil, err
	}
	return oneCredential(s.module.SetRaw(r.Context(), r.caller, in.Key, in.Raw))
}

func onceRequest(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.OnceRequestIn](r)
	if err != nil {
		return nil, err
	}
	signed, err := s.module.RequestOneTime(r.Context(), r.caller, sam.AskOnce(in))
	return sapclient.OnceRequestOut{Request: signed}, err
}

func onceApprove(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.OnceApproveIn](r)
	if err != nil {
		return nil, err
	}
	v, err := s.module.ApproveOneTime(r.Context(), r.caller, in.Statement, in.Proof)
	if err != nil {
		return nil, err
	}
	return sapclient.OnceApproveOut(*v), nil
}

func onceEnd(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.OnceEndIn](r)
	if err != nil {
		return nil, err
	}
	return struct{}{}, s.module.GiveUpOneTime(r.Context(), r.caller, in.Key)
}

func keyStatus(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.KeyStatusIn](r)
	if err != nil {
		return nil, err
	}
	return oneCredential(s.module.SetCertificateStatus(r.Context(), r.caller, in.Key, in.Status, in.Why))
}

func enrolBegin(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.EnrolBeginIn](r)
	if err != nil {
		return nil, err
	}
	signed, err := s.module.BeginEnrolment(r.Context(), r.caller, in.ID)
	return sapclient.EnrolBeginOut{Request: signed}, err
}

func enrolFinish(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.EnrolFinishIn](r)
	if err != nil {
		return nil, err
	}
	out, err := s.module.FinishEnrolment(r.Context(), r.caller, in.ID, in.Registration)
	if err != nil {
		return nil, err
	}
	return sapclient.EnrolFinishOut{Signer: out.Signer, Credential: out.Credential}, nil
}

func wireSigner(v *sam.SignerView) sapclient.Signer {
	out := sapclient.Signer{ID: v.ID, Name: v.Name, State: v.State, Authenticators: []sapclient.Authenticator{}}
	for _, a := range v.Authenticators {
		out.Authenticators = append(out.Authenticators, sapclient.Authenticator{
			Credential: a.Credential, AAGUID: a.AAGUID, BackupEligible: a.BackupEligible, Attestation: a.Attestation,
			Locked: a.Locked, Created: a.Created, Via: a.Via, UsableFrom: a.UsableFrom,
		})
	}
	return out
}

func signer(s *Server, r *request) (any, error) {
	v, err := s.module.Signer(r.Context(), r.caller, r.URL.Query().Get("id"))
	if err != nil {
		return nil, err
	}
	return wireSigner(v), nil
}

func signerCreate(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.SignerIn](r)
	if err != nil {
		return nil, err
	}
	v, err := s.module.CreateSigner(r.Context(), r.caller, sam.NewSigner{ID: in.ID, Name: in.Name, Proof: in.Proof})
	if err != nil {
		return nil, err
	}
	return wireSigner(v), nil
}

func enrolCode(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.EnrolCodeIn](r)
	if err != nil {
		return nil, err
	}
	code, err := s.module.OpenEnrolment(r.Context(), r.caller, in.Signer)
	if err != nil {
		return nil, err
	}
	return sapclient.EnrolCodeOut{ID: code.ID, Code: code.Code, Expires: code.Expires}, nil
}

func lift(s *Server, r *request) (any, error) {
	in, err := decode[sapclient.LiftIn](r)
	if err != nil {
		return nil, err
	}
	return struct{}{}, s.module.Lift(r.Context(), r.caller, in.Signer, in.Credential, in.Why)
}

func auditPage(s *Server, r *request) (any, error) {
	v := r.URL.Query()
	from, err := strconv.ParseInt(v.Get("from"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: from", errBody)
	}
	limit, err := strconv.Atoi(v.Get("limit"))
	if err != nil {
		return nil, fmt.Errorf("%w: limit", errBody)
	}
	q := sam.AuditQuery{Type: v.Get("type"), Identity: v.Get("identity")}
	for name, at := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if text := v.Get(name); text != "" {
			if *at, err = time.Parse(time.RFC3339, text); err != nil || at.Year() < 1970 || at.Year() > 9999 {
				return nil, fmt.Errorf("%w: %s", errBody, name)
			}
		}
	}
	found, err := s.module.SearchAudit(r.Context(), r.caller, q, from, limit)
	if err != nil {
		return nil, err
	}
	out := sapclient.AuditOut{Records: make([]sapclient.AuditRecord, len(found.Records)), Next: found.Next}
	for i, rec := range found.Records {
		out.Records[i] = record(rec)
	}
	return out, nil
}

func explain(s *Server, r *request) (any, error) {
	rec, err := s.module.Explain(r.Context(), r.caller, r.URL.Query().Get("ref"))
	if err != nil {
		return nil, err
	}
	return record(*rec), nil
}
