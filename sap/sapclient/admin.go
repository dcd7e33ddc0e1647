package sapclient

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
)

// Admin is the client of people: officer, administrator, operator, auditor,
// registration authority. Which calls work depends on
// the role in the certificate; the others give ErrForbidden.
type Admin struct {
	*transport
}

// NewAdmin returns a client for a person with a role.
func NewAdmin(cfg Config) (*Admin, error) {
	t, err := newTransport(cfg)
	if err != nil {
		return nil, err
	}
	return &Admin{t}, nil
}

// Info tells who the SAM is.
func (a *Admin) Info(ctx context.Context) (*Info, error) {
	return call[Info](ctx, a.transport, "GET", PathInfo, nil, nil)
}

// Health returns nil when the SAM could use keys now.
func (a *Admin) Health(ctx context.Context) error {
	_, err := a.do(ctx, "GET", PathHealth, nil, nil)
	return err
}

// Status tells how the SAM is (officer, administrator, operator, auditor).
func (a *Admin) Status(ctx context.Context) (*Status, error) {
	return call[Status](ctx, a.transport, "GET", PathStatus, nil, nil)
}

// CreateSigner records a signer after identity proofing (ra).
func (a *Admin) CreateSigner(ctx context.Context, in SignerIn) (*Signer, error) {
	return call[Signer](ctx, a.transport, "POST", PathSigners, nil, in)
}

// Signer returns a signer (officer). ErrNotFound.
func (a *Admin) Signer(ctx context.Context, id string) (*Signer, error) {
	return call[Signer](ctx, a.transport, "GET", PathSigners, url.Values{"id": {id}}, nil)
}

// EnrolCode opens an enrolment and returns its one-time code (officer).
func (a *Admin) EnrolCode(ctx context.Context, signer string) (*EnrolCodeOut, error) {
	return call[EnrolCodeOut](ctx, a.transport, "POST", PathEnrolCode, nil, EnrolCodeIn{Signer: signer})
}

// Generate makes a key for an enrolled signer (officer); the answer has the CSR.
func (a *Admin) Generate(ctx context.Context, in GenerateIn) (*Credential, error) {
	return call[Credential](ctx, a.transport, "POST", PathCredentials, nil, in)
}

// Credentials lists a signer's keys (officer).
func (a *Admin) Credentials(ctx context.Context, signer string) ([]Credential, error) {
	return credentials(ctx, a.transport, url.Values{"signer": {signer}})
}

// Credential returns one key (officer). ErrNotFound.
func (a *Admin) Credential(ctx context.Context, key string) (*Credential, error) {
	return credential(ctx, a.transport, key)
}

// LinkCertificate links a chain, leaf first, to a key (officer).
func (a *Admin) LinkCertificate(ctx context.Context, key string, chain [][]byte) (*Credential, error) {
	return call[Credential](ctx, a.transport, "POST", PathCertificate, nil, CertificateIn{Key: key, Chain: chain})
}

// SetRaw clears the permission to sign digests of unseen content (officer); to
// set it takes two: the decision raw_permission.
func (a *Admin) SetRaw(ctx context.Context, key string, raw bool) (*Credential, error) {
	return call[Credential](ctx, a.transport, "POST", PathPermission, nil, PermissionIn{Key: key, Raw: raw})
}

// SetCertificateStatus puts a key's certificate on hold, lifts the hold, or says
// that it is revoked, which takes the key out of use for ever (officer). To destroy
// it takes two: the decision key_destroy.
func (a *Admin) SetCertificateStatus(ctx context.Context, in KeyStatusIn) (*Credential, error) {
	return call[Credential](ctx, a.transport, "POST", PathKeyStatus, nil, in)
}

// Authenticators asks for the SAM's signed list of a signer's authenticators and
// notices (officer).
func (a *Admin) Authenticators(ctx context.Context, in AuthListIn) (sap.Signed, error) {
	return authenticators(ctx, a.transport, in)
}

// RevokeAuthenticator removes an authenticator at once (officer).
func (a *Admin) RevokeAuthenticator(ctx context.Context, in AuthRevokeIn) error {
	_, err := a.do(ctx, "POST", PathAuthRevoke, nil, in)
	return err
}

// Half fetches the caller's half of a recovery code, once (officer).
func (a *Admin) Half(ctx context.Context, signer string) (*HalfOut, error) {
	return call[HalfOut](ctx, a.transport, "POST", PathHalf, nil, HalfIn{Signer: signer})
}

// Lift ends a lockout (officer).
func (a *Admin) Lift(ctx context.Context, in LiftIn) error {
	_, err := a.do(ctx, "POST", PathLift, nil, in)
	return err
}

// SelfTest runs all self-tests now (officer). A failure closes the SAM.
func (a *Admin) SelfTest(ctx context.Context) (*SelfTest, error) {
	return call[SelfTest](ctx, a.transport, "POST", PathSelfTest, nil, struct{}{})
}

// Reopen ends the SAM's secure state, if all self-tests pass (officer).
func (a *Admin) Reopen(ctx context.Context, in ReopenIn) (*SelfTest, error) {
	return call[SelfTest](ctx, a.transport, "POST", PathReopen, nil, in)
}

// Audit returns audit records from a number on, at most limit (auditor; 1,000).
func (a *Admin) Audit(ctx context.Context, from int64, limit int) ([]AuditRecord, error) {
	q := url.Values{"from": {strconv.FormatInt(from, 10)}, "limit": {strconv.Itoa(limit)}}
	out, err := call[AuditOut](ctx, a.transport, "GET", PathAudit, q, nil)
	if err != nil {
		return nil, err
	}
	return out.Records, nil
}

// AuditQuery says which audit records are wanted; what is empty asks for nothing.
type AuditQuery struct {
	Since, Until time.Time // at or after, and before
	Type         string
	Identity     string // of who acted, or of the signer whom it is about
}

// SearchAudit returns a page of the records that fit (auditor). It may be empty
// and not be the last: Next says where to go on.
func (a *Admin) SearchAudit(ctx context.Context, q AuditQuery, from int64, limit int) (*AuditOut, error) {
	v := url.Values{"from": {strconv.FormatInt(from, 10)}, "limit": {strconv.Itoa(limit)}}
	for name, at := range map[string]time.Time{"since": q.Since, "until": q.Until} {
		if !at.IsZero() {
			v.Set(name, at.UTC().Format(time.RFC3339))
		}
	}
	for name, text := range map[string]string{"type": q.Type, "identity": q.Identity} {
		if text != "" {
			v.Set(name, text)
		}
	}
	return call[AuditOut](ctx, a.transport, "GET", PathAudit, v, nil)
}

// Explain returns the audit record that a refusal's Ref names (auditor,
// officer).
func (a *Admin) Explain(ctx context.Context, ref string) (*AuditRecord, error) {
	return call[AuditRecord](ctx, a.transport, "GET", PathExplain, url.Values{"ref": {ref}}, nil)
}

// Propose is the first half of an act that needs two officers; args is a struct
// of the kind's arguments. Nothing happens until another officer approves.
func (a *Admin) Propose(ctx context.Context, kind string, args any) (*Proposal, error) {
	text, err := jcs.Marshal(args)
	if err != nil {
		return nil, &Error{Kind: ErrInvalid, Retry: RetryNever, Err: err}
	}
	return call[Proposal](ctx, a.transport, "POST", PathDecisions, nil, ProposeIn{Kind: kind, Args: text})
}

// Approve is the second half, by another officer: the act has happened when it
// returns without an error.
func (a *Admin) Approve(ctx context.Context, id string) (*Proposal, error) {
	return call[Proposal](ctx, a.transport, "POST", PathApprove, nil, ProposalIn{ID: id})
}

// Withdraw ends a proposal (officer).
func (a *Admin) Withdraw(ctx context.Context, id string) (*Proposal, error) {
	return call[Proposal](ctx, a.transport, "POST", PathWithdraw, nil, ProposalIn{ID: id})
}

// Proposals lists proposals in a state, all when it is "" (officer, auditor).
func (a *Admin) Proposals(ctx context.Context, state string) ([]Proposal, error) {
	out, err := call[ProposalsOut](ctx, a.transport, "GET", PathDecisions, url.Values{"state": {state}}, nil)
	if err != nil {
		return nil, err
	}
	return out.Proposals, nil
}

// Roles lists who may call the module (officer, administrator, auditor).
func (a *Admin) Roles(ctx context.Context) ([]RoleGrant, error) {
	out, err := call[RolesOut](ctx, a.transport, "GET", PathRoles, nil, nil)
	if err != nil {
		return nil, err
	}
	return out.Roles, nil
}
