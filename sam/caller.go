package sam

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// Role is what a caller may be. An identity has one role for ever (ROL-02).
type Role string

// Roles. None contains another (ROL-01): what two roles may both do is stated
// twice in the table of operations.
const (
	RoleSSPU     Role = "sspu"          // the signing application; no signing right of its own (ROL-05)
	RoleOfficer  Role = "officer"       // security officer: keys, enrolments, lockouts; by two: roles, policy, backup
	RoleAdmin    Role = "administrator" // of the system: state and configuration, no signer, no key
	RoleOperator Role = "operator"      // watches: health and state
	RoleAuditor  Role = "auditor"       // reads the audit chain, changes nothing
	RoleRA       Role = "ra"            // registration authority: signers, after their identity was proofed
)

// Roles lists all roles.
func Roles() []Role {
	return []Role{RoleSSPU, RoleOfficer, RoleAdmin, RoleOperator, RoleAuditor, RoleRA}
}

func (r Role) valid() bool { return slices.Contains(Roles(), r) }

// Caller is who asks, from the verified client certificate.
type Caller struct {
	Identity string
	Role     Role
	Key      string // SHA-256 of the certificate's SubjectPublicKeyInfo, hex
	From     string // network address without the port; "": not known
}

// Op is an operation of the module, for the table of roles.
type Op string

// Operations.
const (
	OpInfo         Op = "info"
	OpHealth       Op = "health"
	OpStatus       Op = "status"
	OpRequest      Op = "activation_request"
	OpRedeem       Op = "activation_redeem"
	OpCredentials  Op = "credentials_read"
	OpSigner       Op = "signer_read"
	OpEnrolBegin   Op = "enrolment_begin"
	OpEnrolFinish  Op = "enrolment_finish"
	OpSignerNew    Op = "signer_create"
	OpEnrolOpen    Op = "enrolment_open"
	OpGenerate     Op = "key_generate"
	OpLink         Op = "certificate_link"
	OpPermission   Op = "raw_permission"
	OpKeyStatus    Op = "certificate_status"
	OpOnceRequest  Op = "one_time_request"
	OpOnceApprove  Op = "one_time_approve"
	OpOnceEnd      Op = "one_time_end"
	OpLift         Op = "lockout_lift"
	OpAudit        Op = "audit_read"
	OpExplain      Op = "explain"
	OpPropose      Op = "decision_propose"
	OpApprove      Op = "decision_approve"
	OpWithdraw     Op = "decision_withdraw"
	OpProposals    Op = "decisions_read"
	OpRoles        Op = "roles_read"
	OpChangeBegin  Op = "authenticator_change_begin"
	OpChangeFinish Op = "authenticator_change_finish"
	OpAuthList     Op = "authenticators_read"
	OpAuthRevoke   Op = "authenticator_revoke"
	OpHalf         Op = "recovery_half"
	OpSelfTest     Op = "self_test"
	OpReopen       Op = "reopen"
)

// Ops lists all operations.
func Ops() []Op {
	return []Op{
		OpInfo, OpHealth, OpStatus, OpRequest, OpRedeem, OpCredentials, OpSigner, OpEnrolBegin, OpEnrolFinish, OpSignerNew,
		OpEnrolOpen, OpGenerate, OpLink, OpPermission, OpLift, OpAudit, OpExplain, OpPropose, OpApprove,
		OpWithdraw, OpProposals, OpRoles, OpSelfTest, OpReopen,
		OpKeyStatus, OpOnceRequest, OpOnceApprove, OpOnceEnd, OpChangeBegin, OpChangeFinish, OpAuthList, OpAuthRevoke, OpHalf,
	}
}

// roleSet is a set of roles, for a table that costs nothing to look at.
type roleSet uint8

const (
	sspu roleSet = 1 << iota
	officer
	administrator
	operator
	auditor
	registrar
	everyone = sspu | officer | administrator | operator | auditor | registrar
)

func (r Role) set() roleSet {
	switch r {
	case RoleSSPU:
		return sspu
	case RoleOfficer:
		return officer
	case RoleAdmin:
		return administrator
	case RoleOperator:
		return operator
	case RoleAuditor:
		return auditor
	case RoleRA:
		return registrar
	}
	return 0
}

// may is the table of operation and roles (IAM-04, ROL-01). Each role has what
// its work needs and no more. SSPU can relay an enrolment but not open one, and
// can do nothing to keys, lockouts or records (T20, T21, ROL-05); a change of
// authenticators that it relays needs the signer's assertion (ENR-04). Who records a signer
// cannot open the enrolment, and the other way round: it takes both to bring a
// person in. Nobody but SSPU can relay an approval, and nobody can make one: no row
// holds a signature without the signer (PRV-01, AUD-07).
func may(op Op) roleSet {
	switch op {
	case OpInfo:
		return everyone
	case OpHealth:
		return everyone
	case OpStatus:
		return officer | administrator | operator | auditor
	case OpRequest:
		return sspu
	case OpRedeem:
		return sspu
	case OpOnceRequest:
		return sspu
	case OpOnceApprove:
		return sspu
	case OpOnceEnd:
		return sspu
	case OpEnrolBegin:
		return sspu
	case OpEnrolFinish:
		return sspu
	case OpChangeBegin:
		return sspu
	case OpChangeFinish:
		return sspu
	case OpAuthList:
		return sspu | officer
	case OpAuthRevoke:
		return officer
	case OpHalf:
		return officer
	case OpCredentials:
		return sspu | officer | registrar
	case OpSigner:
		return sspu | officer | registrar
	case OpSignerNew:
		return registrar
	case OpEnrolOpen:
		return officer
	case OpGenerate:
		return officer
	case OpLink:
		return officer
	case OpPermission:
		return officer
	case OpKeyStatus:
		return officer
	case OpLift:
		return officer
	case OpAudit:
		return auditor
	case OpExplain:
		return officer | auditor
	case OpPropose:
		return officer
	case OpApprove:
		return officer
	case OpWithdraw:
		return officer
	case OpProposals:
		return officer | auditor
	case OpRoles:
		return officer | administrator | auditor
	case OpSelfTest:
		return officer | administrator
	case OpReopen:
		return officer
	}
	return 0
}

// Allowed tells whether a role may do an operation; what is not in the table is
// refused.
func Allowed(r Role, op Op) bool { return r.set()&may(op) != 0 }

// quiet operations work in the closed state too: an operator must see why, and
// the kind of a decision says whether it can be taken.
func quiet(op Op) bool {
	switch op {
	case OpInfo, OpHealth, OpStatus, OpExplain, OpAudit, OpPropose, OpApprove, OpWithdraw, OpProposals, OpRoles, OpSelfTest, OpReopen:
		return true
	}
	return false
}

// Refusal is the error of a request that was refused, or that failed. Reason is
// for audit and operators; public callers are told Ref and nothing else.
type Refusal struct {
	Reason sap.Reason
	Ref    int64 // audit record; -1 when not even that could be written
	Err    error
}

// Error implements error.
func (r *Refusal) Error() string { return fmt.Sprintf("sam: refused (record %d): %v", r.Ref, r.Err) }

// Unwrap makes errors.Is(err, reason) hold.
func (r *Refusal) Unwrap() []error { return []error{r.Reason, r.Err} }

// ErrClosed is the cause of refusals while the module is in its secure state
// (FPT-03), or waits for two officers (PRV-03, BKP-02).
var ErrClosed = errors.New("sam: the module is closed")

// ErrCeremony is the cause of every refusal before the ceremony (ROL-06).
var ErrCeremony = errors.New("sam: ceremony needed: nobody has a role yet; hold one with: assent ceremony init")

// admit is the first line of every exported method: it knows the caller, checks
// the role and that the module is open, and records a refusal.
func (m *Module) admit(ctx context.Context, c Caller, op Op) error {
	if err := m.checkCaller(ctx, c, op); err != nil {
		if op == OpHealth && errors.Is(err, ErrCeremony) {
			return &Refusal{Reason: sap.ReasonNotSetUp, Ref: -1, Err: err} // asked every few seconds
		}
		return m.refuse(ctx, c, string(op), err, audit.Data{})
	}
	if why := m.closedWhy(); why != "" && (!quiet(op) || m.waiting.Load() != nil && !whileWaiting(op)) {
		return m.refuse(ctx, c, string(op), fmt.Errorf("%w: %w: %s", sap.ReasonClosed, ErrClosed, why), audit.Data{})
	}
	m.alarms.called(c, m.clock)
	if timed(op) {
		if err := m.timely(); err != nil {
			return m.refuse(ctx, c, string(op), err, audit.Data{})
		}
	}
	return nil
}

// timed operations lead to the use of a signer's key: they are refused while the
// time is in doubt (TIM-01).
func timed(op Op) bool {
	switch op {
	case OpRequest, OpRedeem, OpOnceRequest, OpOnceApprove:
		return true
	}
	return false
}

// checkCaller: nobody does anything without an identity and a role that fits
// (IAM-01); the identity keeps the role in which it came first (ROL-02).
func (m *Module) checkCaller(ctx context.Context, c Caller, op Op) error {
	if !sap.ValidID(c.Identity) || len(c.Identity) > 64 {
		return fmt.Errorf("%w: identity", sap.ReasonRole)
	}
	if !Allowed(c.Role, op) {
		return fmt.Errorf("%w: %s may not %s", sap.ReasonRole, c.Role, op)
	}
	if !m.known {
		return fmt.Errorf("%w: %w", sap.ReasonNotSetUp, ErrCeremony)
	}
	k, ok := m.identities.get(c.Identity)
	if !ok || k.at != m.grants.Load() {
		var err error
		if k, err = m.knownIdentity(ctx, c); err != nil {
			return err
		}
		m.identities.put(c.Identity, k)
	}
	return k.fits(c)
}

// known is what is remembered of a caller's record, until roles change.
type known struct {
	name, state, key string
	role             Role
	at               int64 // number of changes of roles when it was read
}

func remember(r *Identity, at int64) known {
	return known{name: r.Name, state: r.State, key: r.Key, role: r.Role, at: at}
}

// fits compares a caller with the record: active, the granted role, the granted
// key (IAM-01).
func (k known) fits(c Caller) error {
	switch {
	case k.state != IdentityActive:
		return fmt.Errorf("%w: %s is %s", sap.ReasonRole, k.name, k.state)
	case k.role != c.Role:
		return fmt.Errorf("%w: %s is known as %s", sap.ReasonRole, k.name, k.role)
	case k.key != "" && k.key != c.Key:
		return fmt.Errorf("%w: %s has another key", sap.ReasonRole, k.name)
	}
	return nil
}

// knownIdentity reads the record of a caller. Who was not granted a role is not
// known, whatever the certificate says (IAM-01).
func (m *Module) knownIdentity(ctx context.Context, c Caller) (known, error) {
	at := m.grants.Load() // before reading: a change meanwhile makes this stale
	var r *Identity
	err := m.view(ctx, func(tx *Tx) error {
		var err error
		if r, err = tx.Identities.Get(c.Identity); err != nil {
			return notFound(err, sap.ReasonRole)
		}
		return m.verified(tx, r, true)
	})
	if err != nil {
		return known{}, fmt.Errorf("%w: %s", err, c.Identity)
	}
	return remember(r, at), nil
}
