package sam

import (
	"context"
	"maps"
	"slices"

	"github.com/assent-sign/assent/internal/audit"
)

// decision is one kind of act that needs two officers.
type decision struct {
	// check refuses what cannot be done; it changes nothing. It runs at the
	// proposal and again at the approval.
	check func(w *work, args []byte) error
	// apply does the act inside the transaction of the approval. by are the officer
	// who proposed and the one who approves. The data goes into the approval's audit
	// record; a sealed record that it changes needs a record of its own (work.log
	// with "obj"), as everywhere.
	apply func(w *work, by [2]Caller, args []byte) (audit.Data, error)
	// after brings what is outside the database up to date; it may be nil. It runs
	// when the transaction has ended, well or not, and may run without effect.
	after func(ctx context.Context, m *Module, args []byte) error
	// done does what follows from the decision and cannot be part of its transaction;
	// it may be nil. It runs once the approval is durable. Its error is the
	// approver's answer, and recorded.
	done func(ctx context.Context, m *Module, p *Proposal) error
	// closed: the decision can be taken while the module is closed.
	closed bool
	// private: the arguments name a person, so the audit record has their hash only
	// (AUD-03).
	private bool
}

// Kinds of decisions.
const (
	DecideGrant  = "role_grant"
	DecideRevoke = "role_revoke"
	DecideRaw    = "raw_permission"
)

// decisions is the whole list of acts that no single person can do (ROL-04).
func decisions() map[string]decision {
	return planted(map[string]decision{
		DecideGrant:  {check: checkGrant, apply: applyGrant, after: forgetRoles},
		DecideRevoke: {check: checkRevoke, apply: applyRevoke, after: forgetRoles},
		DecideRaw:    {check: checkRaw, apply: applyRaw},

		DecideDestroy:   {check: checkDestroy, apply: applyDestroy, after: anchorKeys},
		DecideEndSigner: {check: checkEndSigner, apply: applyEndSigner, after: anchorKeys},

		DecideDowngrade: {check: checkDowngrade, apply: applyDowngrade},

		DecideBackup:       {check: checkBackup, apply: applyBackup, done: makeBackup},
		DecideRotate:       {check: checkRotate, apply: applyRotate, done: rotate},
		DecideDestroyKEK:   {check: checkDestroyKEK, apply: applyDestroyKEK, done: destroyKEK},
		DecideStatement:    {check: checkStatement, apply: applyStatement, done: rotateStatement},
		DecideStatementEnd: {check: checkStatementEnd, apply: applyStatementEnd, done: destroyStatement},
		DecideSeal:         {check: checkSeal, apply: applySeal, done: rotateSeal},
		DecideSealEnd:      {check: checkSealEnd, apply: applySealEnd, done: destroySeal},
		DecidePolicy:       {check: checkPolicy, apply: applyPolicy, after: resume, closed: true},
		DecideRestore:      {check: checkRestore, apply: applyRestore, after: resume, closed: true},

		DecideRecovery: {check: checkRecovery, apply: applyRecovery, after: anchorKeys, private: true},
	})
}

// Kinds are the kinds of decisions, in order.
func Kinds() []string { return slices.Sorted(maps.Keys(decisions())) }
