package samtest

import (
	"context"
	"sync"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sam"
)

// Faults makes one call of a table fail: the n-th since Arm, of those made for a
// context from Faulty. The transaction that it
// is in is then rolled back, as with a disk that fails in the middle.
type Faults struct {
	mu    sync.Mutex
	armed bool
	left  int
	hit   string
	edits edits
}

// Arm makes call number n (from 0) fail, once.
func (f *Faults) Arm(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed, f.left, f.hit = true, n, ""
}

// Disarm ends it and tells which call failed, "" for none.
func (f *Faults) Disarm() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = false
	return f.hit
}

func (f *Faults) step(call string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed || f.hit != "" {
		return nil
	}
	if f.left > 0 {
		f.left--
		return nil
	}
	f.hit = call
	return ErrFault
}

// get is a call with a result.
func get[T any](f *Faults, call string, do func() (T, error)) (T, error) {
	if err := f.step(call); err != nil {
		var none T
		return none, err
	}
	v, err := do()
	if err == nil {
		f.edits.in(call, v)
	}
	return v, err
}

// put is one without.
func put(f *Faults, call string, do func() error) error {
	if err := f.step(call); err != nil {
		return err
	}
	return do()
}

type faultKey struct{}

// Faulty marks the calls that Faults may hit. What the module does in the background,
// by its own clock, is not marked.
func Faulty(ctx context.Context) context.Context {
	return context.WithValue(ctx, faultKey{}, true)
}

// in puts the faults into a transaction of a marked call.
func (f *Faults) in(ctx context.Context, fn func(*sam.Tx) error) func(*sam.Tx) error {
	if ctx.Value(faultKey{}) == nil {
		return fn
	}
	return func(tx *sam.Tx) error {
		f.edits.transaction()
		return fn(f.tables(tx))
	}
}

// tables puts the faults before every table.
func (f *Faults) tables(tx *sam.Tx) *sam.Tx {
	return &sam.Tx{
		Meta:           metaFaults{tx.Meta, f},
		Condition:      conditionFaults{tx.Condition, f},
		Configurations: configurationsFaults{tx.Configurations, f},
		Successions:    successionsFaults{tx.Successions, f},
		Identities:     identitiesFaults{tx.Identities, f},
		Proposals:      proposalsFaults{tx.Proposals, f},
		Signers:        signersFaults{tx.Signers, f},
		Authenticators: authenticatorsFaults{tx.Authenticators, f},
		Guards:         guardsFaults{tx.Guards, f},
		FailedGuards:   failedGuardsFaults{tx.FailedGuards, f},
		Enrolments:     enrolmentsFaults{tx.Enrolments, f},
		Credentials:    credentialsFaults{tx.Credentials, f},
		OtherKEK:       otherKEKFaults{tx.OtherKEK, f},
		RetiredKeys:    retiredKeysFaults{tx.RetiredKeys, f},
		Activations:    activationsFaults{tx.Activations, f},
		Sessions:       sessionsFaults{tx.Sessions, f},
		Tombstones:     tombstonesFaults{tx.Tombstones, f},
		Expiries:       expiriesFaults{tx.Expiries, f},
		Onces:          oncesFaults{tx.Onces, f},
		OnceList:       onceListFaults{tx.OnceList, f},
		Notices:        noticesFaults{tx.Notices, f},
		Audit:          auditFaults{tx.Audit, f},
		AuditSearch:    auditSearchFaults{tx.AuditSearch, f},
		Seals:          sealsFaults{tx.Seals, f},
	}
}

type metaFaults struct {
	sam.MetaTable
	f *Faults
}

func (t metaFaults) Get() (*sam.Meta, error) {
	return get(t.f, "Meta.Get", func() (*sam.Meta, error) { return t.MetaTable.Get() })
}

func (t metaFaults) Insert(r *sam.Meta) error {
	return put(t.f, "Meta.Insert", func() error { return t.MetaTable.Insert(r) })
}

func (t metaFaults) Update(r *sam.Meta) error {
	return put(t.f, "Meta.Update", func() error { return t.MetaTable.Update(r) })
}

type conditionFaults struct {
	sam.ConditionTable
	f *Faults
}

func (t conditionFaults) Get() (*sam.Condition, error) {
	return get(t.f, "Condition.Get", func() (*sam.Condition, error) { return t.ConditionTable.Get() })
}

func (t conditionFaults) Insert(r *sam.Condition) error {
	return put(t.f, "Condition.Insert", func() error { return t.ConditionTable.Insert(r) })
}

func (t conditionFaults) Update(r *sam.Condition) error {
	return put(t.f, "Condition.Update", func() error { return t.ConditionTable.Update(r) })
}

type identitiesFaults struct {
	sam.IdentityTable
	f *Faults
}

func (t identitiesFaults) Get(name string) (*sam.Identity, error) {
	return get(t.f, "Identities.Get", func() (*sam.Identity, error) { return t.IdentityTable.Get(name) })
}

func (t identitiesFaults) List(limit int) ([]*sam.Identity, error) {
	return get(t.f, "Identities.List", func() ([]*sam.Identity, error) { return t.IdentityTable.List(limit) })
}

func (t identitiesFaults) Insert(r *sam.Identity) error {
	return put(t.f, "Identities.Insert", func() error { return t.IdentityTable.Insert(r) })
}

func (t identitiesFaults) Update(r *sam.Identity) error {
	return put(t.f, "Identities.Update", func() error { return t.IdentityTable.Update(r) })
}

type proposalsFaults struct {
	sam.ProposalTable
	f *Faults
}

func (t proposalsFaults) Get(id string) (*sam.Proposal, error) {
	return get(t.f, "Proposals.Get", func() (*sam.Proposal, error) { return t.ProposalTable.Get(id) })
}

func (t proposalsFaults) List(state string, limit int) ([]*sam.Proposal, error) {
	return get(t.f, "Proposals.List", func() ([]*sam.Proposal, error) { return t.ProposalTable.List(state, limit) })
}

func (t proposalsFaults) Insert(r *sam.Proposal) error {
	return put(t.f, "Proposals.Insert", func() error { return t.ProposalTable.Insert(r) })
}

func (t proposalsFaults) Update(r *sam.Proposal) error {
	return put(t.f, "Proposals.Update", func() error { return t.ProposalTable.Update(r) })
}

type signersFaults struct {
	sam.SignerTable
	f *Faults
}

func (t signersFaults) Get(id string) (*sam.Signer, error) {
	return get(t.f, "Signers.Get", func() (*sam.Signer, error) { return t.SignerTable.Get(id) })
}

func (t signersFaults) Near(plain string) ([]string, error) {
	return get(t.f, "Signers.Near", func() ([]string, error) { return t.SignerTable.Near(plain) })
}

func (t signersFaults) Insert(r *sam.Signer) error {
	return put(t.f, "Signers.Insert", func() error { return t.SignerTable.Insert(r) })
}

func (t signersFaults) Update(r *sam.Signer) error {
	return put(t.f, "Signers.Update", func() error { return t.SignerTable.Update(r) })
}

type authenticatorsFaults struct {
	sam.AuthenticatorTable
	f *Faults
}

func (t authenticatorsFaults) Get(credential []byte) (*sam.Authenticator, error) {
	return get(t.f, "Authenticators.Get", func() (*sam.Authenticator, error) { return t.AuthenticatorTable.Get(credential) })
}

func (t authenticatorsFaults) BySigner(signer string) ([]*sam.Authenticator, error) {
	return get(t.f, "Authenticators.BySigner", func() ([]*sam.Authenticator, error) { return t.AuthenticatorTable.BySigner(signer) })
}

func (t authenticatorsFaults) Insert(r *sam.Authenticator) error {
	return put(t.f, "Authenticators.Insert", func() error { return t.AuthenticatorTable.Insert(r) })
}

func (t authenticatorsFaults) Delete(credential []byte) error {
	return put(t.f, "Authenticators.Delete", func() error { return t.AuthenticatorTable.Delete(credential) })
}

type guardsFaults struct {
	sam.GuardTable
	f *Faults
}

func (t guardsFaults) Get(credential []byte) (*sam.Guard, error) {
	return get(t.f, "Guards.Get", func() (*sam.Guard, error) { return t.GuardTable.Get(credential) })
}

func (t guardsFaults) Insert(r *sam.Guard) error {
	return put(t.f, "Guards.Insert", func() error { return t.GuardTable.Insert(r) })
}

func (t guardsFaults) Update(r *sam.Guard) error {
	return put(t.f, "Guards.Update", func() error { return t.GuardTable.Update(r) })
}

func (t guardsFaults) Delete(credential []byte) error {
	return put(t.f, "Guards.Delete", func() error { return t.GuardTable.Delete(credential) })
}

type enrolmentsFaults struct {
	sam.EnrolmentTable
	f *Faults
}

func (t enrolmentsFaults) Get(id string) (*sam.Enrolment, error) {
	return get(t.f, "Enrolments.Get", func() (*sam.Enrolment, error) { return t.EnrolmentTable.Get(id) })
}

func (t enrolmentsFaults) OpenOf(signer string) ([]string, error) {
	return get(t.f, "Enrolments.OpenOf", func() ([]string, error) { return t.EnrolmentTable.OpenOf(signer) })
}

func (t enrolmentsFaults) Insert(r *sam.Enrolment) error {
	return put(t.f, "Enrolments.Insert", func() error { return t.EnrolmentTable.Insert(r) })
}

func (t enrolmentsFaults) Update(r *sam.Enrolment) error {
	return put(t.f, "Enrolments.Update", func() error { return t.EnrolmentTable.Update(r) })
}

type credentialsFaults struct {
	sam.CredentialTable
	f *Faults
}

func (t credentialsFaults) Get(key string) (*sam.Credential, error) {
	return get(t.f, "Credentials.Get", func() (*sam.Credential, error) { return t.CredentialTable.Get(key) })
}

func (t credentialsFaults) BySigner(signer string) ([]*sam.Credential, error) {
	return get(t.f, "Credentials.BySigner", func() ([]*sam.Credential, error) { return t.CredentialTable.BySigner(signer) })
}

func (t credentialsFaults) Insert(r *sam.Credential) error {
	return put(t.f, "Credentials.Insert", func() error { return t.CredentialTable.Insert(r) })
}

func (t credentialsFaults) Update(r *sam.Credential) error {
	return put(t.f, "Credentials.Update", func() error { return t.CredentialTable.Update(r) })
}

type activationsFaults struct {
	sam.ActivationTable
	f *Faults
}

func (t activationsFaults) Get(session []byte) (*sam.Activation, error) {
	return get(t.f, "Activations.Get", func() (*sam.Activation, error) { return t.ActivationTable.Get(session) })
}

func (t activationsFaults) Insert(r *sam.Activation) error {
	return put(t.f, "Activations.Insert", func() error { return t.ActivationTable.Insert(r) })
}

func (t activationsFaults) Update(r *sam.Activation) error {
	return put(t.f, "Activations.Update", func() error { return t.ActivationTable.Update(r) })
}

func (t activationsFaults) Reserve(r *sam.Activation, b sam.Basis) error {
	return put(t.f, "Activations.Reserve", func() error { return t.ActivationTable.Reserve(r, b) })
}

type sessionsFaults struct {
	sam.SessionTable
	f *Faults
}

func (t sessionsFaults) CountOpen(signer string, now int64) (int, error) {
	return get(t.f, "Sessions.CountOpen", func() (int, error) { return t.SessionTable.CountOpen(signer, now) })
}

func (t sessionsFaults) OpenOf(signer string, now int64, limit int) ([]*sam.Activation, error) {
	return get(t.f, "Sessions.OpenOf", func() ([]*sam.Activation, error) { return t.SessionTable.OpenOf(signer, now, limit) })
}

func (t sessionsFaults) Reserved(limit int) ([]*sam.Activation, error) {
	return get(t.f, "Sessions.Reserved", func() ([]*sam.Activation, error) { return t.SessionTable.Reserved(limit) })
}

func (t sessionsFaults) Purge(openBefore, doneBefore int64, limit int) (int64, error) {
	return get(t.f, "Sessions.Purge", func() (int64, error) { return t.SessionTable.Purge(openBefore, doneBefore, limit) })
}

type tombstonesFaults struct {
	sam.TombstoneTable
	f *Faults
}

func (t tombstonesFaults) After(seq int64, limit int) ([]*sam.Tombstone, error) {
	return get(t.f, "Tombstones.After", func() ([]*sam.Tombstone, error) { return t.TombstoneTable.After(seq, limit) })
}

func (t tombstonesFaults) Insert(r *sam.Tombstone) error {
	return put(t.f, "Tombstones.Insert", func() error { return t.TombstoneTable.Insert(r) })
}

func (t tombstonesFaults) Count() (int64, error) {
	return get(t.f, "Tombstones.Count", func() (int64, error) { return t.TombstoneTable.Count() })
}

type expiriesFaults struct {
	sam.ExpiryTable
	f *Faults
}

func (t expiriesFaults) Put(key string, notAfter int64) error {
	return put(t.f, "Expiries.Put", func() error { return t.ExpiryTable.Put(key, notAfter) })
}

func (t expiriesFaults) Due(now int64, limit int) ([]string, error) {
	return get(t.f, "Expiries.Due", func() ([]string, error) { return t.ExpiryTable.Due(now, limit) })
}

func (t expiriesFaults) Drop(key string) error {
	return put(t.f, "Expiries.Drop", func() error { return t.ExpiryTable.Drop(key) })
}

type oncesFaults struct {
	sam.OnceTable
	f *Faults
}

func (t oncesFaults) Get(key string) (*sam.Once, error) {
	return get(t.f, "Onces.Get", func() (*sam.Once, error) { return t.OnceTable.Get(key) })
}

func (t oncesFaults) Insert(r *sam.Once) error {
	return put(t.f, "Onces.Insert", func() error { return t.OnceTable.Insert(r) })
}

func (t oncesFaults) Update(r *sam.Once) error {
	return put(t.f, "Onces.Update", func() error { return t.OnceTable.Update(r) })
}

type onceListFaults struct {
	sam.OnceList
	f *Faults
}

func (t onceListFaults) Live(limit int) ([]*sam.Once, error) {
	return get(t.f, "OnceList.Live", func() ([]*sam.Once, error) { return t.OnceList.Live(limit) })
}

func (t onceListFaults) LiveOf(signer string, limit int) ([]*sam.Once, error) {
	return get(t.f, "OnceList.LiveOf", func() ([]*sam.Once, error) { return t.OnceList.LiveOf(signer, limit) })
}

func (t onceListFaults) Due(now int64, limit int) ([]*sam.Once, error) {
	return get(t.f, "OnceList.Due", func() ([]*sam.Once, error) { return t.OnceList.Due(now, limit) })
}

func (t onceListFaults) Purge(before int64, limit int) (int64, error) {
	return get(t.f, "OnceList.Purge", func() (int64, error) { return t.OnceList.Purge(before, limit) })
}

type noticesFaults struct {
	sam.NoticeTable
	f *Faults
}

func (t noticesFaults) After(signer string, seq int64, limit int) ([]*sam.Notice, error) {
	return get(t.f, "Notices.After", func() ([]*sam.Notice, error) { return t.NoticeTable.After(signer, seq, limit) })
}

func (t noticesFaults) Insert(r *sam.Notice) error {
	return put(t.f, "Notices.Insert", func() error { return t.NoticeTable.Insert(r) })
}

type auditFaults struct {
	sam.AuditTable
	f *Faults
}

func (t auditFaults) Last() (audit.Head, error) {
	return get(t.f, "Audit.Last", func() (audit.Head, error) { return t.AuditTable.Last() })
}

func (t auditFaults) Insert(r audit.Record) error {
	return put(t.f, "Audit.Insert", func() error { return t.AuditTable.Insert(r) })
}

func (t auditFaults) LastOf(object string) (int64, error) {
	return get(t.f, "Audit.LastOf", func() (int64, error) { return t.AuditTable.LastOf(object) })
}

func (t auditFaults) Page(from int64, limit int) ([]audit.Record, error) {
	return get(t.f, "Audit.Page", func() ([]audit.Record, error) { return t.AuditTable.Page(from, limit) })
}

type configurationsFaults struct {
	sam.ConfigurationTable
	f *Faults
}

func (t configurationsFaults) Latest(digest string) (*sam.Configuration, error) {
	return get(t.f, "Configurations.Latest", func() (*sam.Configuration, error) { return t.ConfigurationTable.Latest(digest) })
}

func (t configurationsFaults) Insert(r *sam.Configuration) error {
	return put(t.f, "Configurations.Insert", func() error { return t.ConfigurationTable.Insert(r) })
}

type successionsFaults struct {
	sam.SuccessionTable
	f *Faults
}

func (t successionsFaults) List(limit int) ([]*sam.Succession, error) {
	return get(t.f, "Successions.List", func() ([]*sam.Succession, error) { return t.SuccessionTable.List(limit) })
}

func (t successionsFaults) Insert(r *sam.Succession) error {
	return put(t.f, "Successions.Insert", func() error { return t.SuccessionTable.Insert(r) })
}

type failedGuardsFaults struct {
	sam.FailedGuards
	f *Faults
}

func (t failedGuardsFaults) After(credential []byte, limit int) ([]*sam.Guard, error) {
	return get(t.f, "FailedGuards.After", func() ([]*sam.Guard, error) { return t.FailedGuards.After(credential, limit) })
}

type auditSearchFaults struct {
	sam.AuditSearch
	f *Faults
}

func (t auditSearchFaults) Find(q sam.AuditQuery, from, to int64, limit int) ([]audit.Record, error) {
	return get(t.f, "AuditSearch.Find", func() ([]audit.Record, error) { return t.AuditSearch.Find(q, from, to, limit) })
}

type retiredKeysFaults struct {
	sam.RetiredKeys
	f *Faults
}

func (t retiredKeysFaults) Waiting() (*sam.WaitingKeys, error) {
	return get(t.f, "RetiredKeys.Waiting", func() (*sam.WaitingKeys, error) { return t.RetiredKeys.Waiting() })
}

type otherKEKFaults struct {
	sam.OtherKEK
	f *Faults
}

func (t otherKEKFaults) After(kek, key string, limit int) ([]*sam.Credential, error) {
	return get(t.f, "OtherKEK.After", func() ([]*sam.Credential, error) { return t.OtherKEK.After(kek, key, limit) })
}
