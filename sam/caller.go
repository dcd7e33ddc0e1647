package sam

import (
	"context"
	"errors"
	"fmt"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// Role is what a caller may be. An identity has one role for ever (ROL-02).
type Role string

// Roles.
const (
	RoleSSPU    Role = "sspu"    // the signing application; no signing right of its own (ROL-05)
	RoleOfficer Role = "officer" // security officer: signers, keys, lockouts
	RoleAuditor Role = "auditor" // reads the audit chain
)

// Caller is who asks, from the verified client certificate.
type Caller struct {
	Identity string
	Role     Role
}

// Op is an operation of the module, for the table of roles.
type Op string

// Operations.
const (
	OpInfo        Op = "info"
	OpHealth      Op = "health"
	OpStatus      Op = "status"
	OpRequest     Op = "activation_request"
	OpRedeem      Op = "activation_redeem"
	OpCredentials Op = "credentials_read"
	OpSigner      Op = "signer_read"
	OpEnrolBegin  Op = "enrolment_begin"
	OpEnrolFinish Op = "enrolment_finish"
	OpSignerNew   Op = "signer_create"
	OpEnrolOpen   Op = "enrolment_open"
	OpGenerate    Op = "key_generate"
	OpLink        Op = "certificate_link"
	OpPermission  Op = "raw_permission"
	OpDestroy     Op = "key_destroy"
	OpLift        Op = "lockout_lift"
	OpAudit       Op = "audit_read"
	OpExplain     Op = "explain"
)

// Allowed is the table of role and operation (IAM-04): what is not listed is
// refused. SSPU can relay an enrolment but not open one, and can do nothing to
// keys, lockouts or records (T20, T21).
func Allowed(r Role, op Op) bool {
	switch op {
	case OpInfo, OpHealth:
		return r == RoleSSPU || r == RoleOfficer || r == RoleAuditor
	case OpRequest, OpRedeem, OpEnrolBegin, OpEnrolFinish:
		return r == RoleSSPU
	case OpCredentials, OpSigner:
		return r == RoleSSPU || r == RoleOfficer
	case OpSignerNew, OpEnrolOpen, OpGenerate, OpLink, OpPermission, OpDestroy, OpLift:
		return r == RoleOfficer
	case OpAudit:
		return r == RoleAuditor
	case OpExplain, OpStatus:
		return r == RoleAuditor || r == RoleOfficer
	}
	return false
}

// quiet operations work in the closed state too: an operator must see why.
func quiet(op Op) bool {
	return op == OpInfo || op == OpHealth || op == OpStatus || op == OpExplain || op == OpAudit
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
// (FPT-03).
var ErrClosed = errors.New("sam: the module is closed after a failure")

// admit is the first line of every exported method: it knows the caller, checks
// the role and that the module is open, and records a refusal.
func (m *Module) admit(ctx context.Context, c Caller, op Op) error {
	if err := m.checkCaller(ctx, c, op); err != nil {
		return m.refuse(ctx, c, string(op), err, audit.Data{})
	}
	if why := m.closedWhy(); why != "" && !quiet(op) {
		return &Refusal{Reason: sap.ReasonToken, Ref: -1, Err: fmt.Errorf("%w: %s", ErrClosed, why)}
	}
	return nil
}

func (m *Module) checkCaller(ctx context.Context, c Caller, op Op) error {
	if !sap.ValidID(c.Identity) || len(c.Identity) > 64 {
		return fmt.Errorf("%w: identity", sap.ReasonRole)
	}
	if !Allowed(c.Role, op) {
		return fmt.Errorf("%w: %s may not %s", sap.ReasonRole, c.Role, op)
	}
	role, ok := m.identities.get(c.Identity)
	if !ok {
		var err error
		if role, err = m.learnIdentity(ctx, c); err != nil {
			return err
		}
		m.identities.put(c.Identity, role)
	}
	if role != c.Role {
		return fmt.Errorf("%w: %s is known as %s", sap.ReasonRole, c.Identity, role)
	}
	return nil
}

// learnIdentity reads or makes the record of a caller.
func (m *Module) learnIdentity(ctx context.Context, c Caller) (Role, error) {
	known, err := m.knownIdentity(ctx, c.Identity)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return known, err
	}
	err = m.update(ctx, c, func(w *work) error {
		if r, err := w.Identities.Get(c.Identity); err == nil {
			known = r.Role
			return m.seal.check(r)
		}
		seq, err := w.log(EventIdentity, audit.OK, "", audit.Data{"identity": c.Identity, "role": string(c.Role)})
		if err != nil {
			return err
		}
		known = c.Role
		r := &Identity{Name: c.Identity, Role: c.Role, Created: w.now.Unix()}
		w.stamp(r, seq)
		return w.Identities.Insert(r)
	})
	return known, err
}

func (m *Module) knownIdentity(ctx context.Context, name string) (Role, error) {
	var role Role
	err := m.view(ctx, func(tx *Tx) error {
		r, err := tx.Identities.Get(name)
		if err != nil {
			return err
		}
		role = r.Role
		return m.seal.check(r)
	})
	return role, err
}
