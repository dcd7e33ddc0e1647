package samsqlite

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/assent-sign/assent/internal/sqldb"
	"github.com/assent-sign/assent/sam"
)

// base is what every table works on. It is one pointer, so that a table is kept in
// an interface without an allocation: there are twenty in each transaction.
type base struct{ *bound }

type bound struct {
	t *sqldb.Tx
	q queries
}

func get[R any](b base, query string, scan func(sqldb.Scanner, *R) error, args ...any) (*R, error) {
	r := new(R)
	err := scan(b.t.Row(b.q[query], args...), r)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, sam.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("samsqlite: %s: %w", query, err)
	}
	return r, nil
}

func list[R any](b base, query string, scan func(sqldb.Scanner, *R) error, args ...any) ([]*R, error) {
	var out []*R
	err := b.t.Each(func(s sqldb.Scanner) error {
		r := new(R)
		out = append(out, r)
		return scan(s, r)
	}, b.q[query], args...)
	if err != nil {
		return nil, fmt.Errorf("samsqlite: %s: %w", query, err)
	}
	return out, nil
}

// write runs an insert or a compare-and-swap: exactly one row must change.
func (b base) write(query string, args ...any) error {
	n, err := b.t.Exec(b.q[query], args...)
	var se sqlite3.Error
	if errors.As(err, &se) && (se.ExtendedCode == sqlite3.ErrConstraintUnique || se.ExtendedCode == sqlite3.ErrConstraintPrimaryKey) {
		return fmt.Errorf("%w: %s", sam.ErrConflict, query)
	}
	if err != nil {
		return fmt.Errorf("samsqlite: %s: %w", query, err)
	}
	if n != 1 {
		return fmt.Errorf("%w: %s", sam.ErrConflict, query)
	}
	return nil
}

func (b base) count(query string, args ...any) (int64, error) {
	var n int64
	if err := b.t.Row(b.q[query], args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("samsqlite: %s: %w", query, err)
	}
	return n, nil
}

// blob makes a nil slice an empty BLOB: columns are NOT NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func joinChain(chain [][]byte) []byte {
	out := []byte{}
	for _, c := range chain {
		out = binary.BigEndian.AppendUint32(out, uint32(len(c)))
		out = append(out, c...)
	}
	return out
}

func splitChain(b []byte) ([][]byte, error) {
	var out [][]byte
	for len(b) > 0 {
		if len(b) < 4 || uint64(len(b)-4) < uint64(binary.BigEndian.Uint32(b)) {
			return nil, errors.New("chain column is damaged")
		}
		n := 4 + int(binary.BigEndian.Uint32(b))
		out, b = append(out, b[4:n:n]), b[n:]
	}
	return out, nil
}

type meta struct{ base }

func scanMeta(s sqldb.Scanner, r *sam.Meta) error {
	return s.Scan(&r.Cluster, &r.Instance, &r.Epoch, &r.StatementKey, &r.Ceremony, &r.SealEpoch, &r.SealLow, &r.Seq, &r.Version, &r.MAC)
}

func metaArgs(r *sam.Meta) []any {
	return []any{r.Cluster, r.Instance, r.Epoch, blob(r.StatementKey), r.Ceremony, r.SealEpoch, r.SealLow, r.Seq, r.Version, r.MAC}
}
func (m meta) Get() (*sam.Meta, error)  { return get(m.base, "meta.get", scanMeta) }
func (m meta) Insert(r *sam.Meta) error { return m.write("meta.insert", metaArgs(r)...) }
func (m meta) Update(r *sam.Meta) error { return m.write("meta.update", metaArgs(r)...) }

type condition struct{ base }

func scanCondition(s sqldb.Scanner, r *sam.Condition) error {
	return s.Scan(&r.Closed, &r.Since, &r.VoidBefore, &r.Config, &r.Restored, &r.StrictBefore, &r.Seq, &r.Version, &r.MAC)
}

func conditionArgs(r *sam.Condition) []any {
	return []any{r.Closed, r.Since, r.VoidBefore, r.Config, r.Restored, r.StrictBefore, r.Seq, r.Version, r.MAC}
}

func (c condition) Get() (*sam.Condition, error) {
	return get(c.base, "condition.get", scanCondition)
}
func (c condition) Insert(r *sam.Condition) error {
	return c.write("condition.insert", conditionArgs(r)...)
}
func (c condition) Update(r *sam.Condition) error {
	return c.write("condition.update", conditionArgs(r)...)
}

type configurations struct{ base }

func scanConfiguration(s sqldb.Scanner, r *sam.Configuration) error {
	return s.Scan(&r.Number, &r.Digest, &r.Document, &r.Accepted, &r.First, &r.Second, &r.Seq, &r.Version, &r.MAC)
}

func (t configurations) Latest(digest string) (*sam.Configuration, error) {
	return get(t.base, "configuration.latest", scanConfiguration, digest)
}

func (t configurations) Insert(r *sam.Configuration) error {
	return t.write("configuration.insert", r.Number, r.Digest, blob(r.Document), r.Accepted, r.First, r.Second, r.Seq, r.Version, r.MAC)
}

type identities struct{ base }

func scanIdentity(s sqldb.Scanner, r *sam.Identity) error {
	return s.Scan(&r.Name, &r.Person, &r.Role, &r.Key, &r.State, &r.Created, &r.Seq, &r.Version, &r.MAC)
}

func identityArgs(r *sam.Identity) []any {
	return []any{r.Name, r.Person, string(r.Role), r.Key, r.State, r.Created, r.Seq, r.Version, r.MAC}
}

func (t identities) Get(name string) (*sam.Identity, error) {
	return get(t.base, "identity.get", scanIdentity, name)
}

func (t identities) List(limit int) ([]*sam.Identity, error) {
	return list(t.base, "identity.list", scanIdentity, limit)
}

func (t identities) Insert(r *sam.Identity) error {
	return t.write("identity.insert", identityArgs(r)...)
}

func (t identities) Update(r *sam.Identity) error {
	return t.write("identity.update", identityArgs(r)...)
}

type proposals struct{ base }

func scanProposal(s sqldb.Scanner, r *sam.Proposal) error {
	return s.Scan(&r.ID, &r.Kind, &r.Args, &r.State, &r.By, &r.ByPerson, &r.Second, &r.Created, &r.Expires, &r.Decided,
		&r.Seq, &r.Version, &r.MAC)
}

func proposalArgs(r *sam.Proposal) []any {
	return []any{r.ID, r.Kind, blob(r.Args), r.State, r.By, r.ByPerson, r.Second, r.Created, r.Expires, r.Decided,
		r.Seq, r.Version, r.MAC}
}

func (t proposals) Get(id string) (*sam.Proposal, error) {
	return get(t.base, "proposal.get", scanProposal, id)
}

func (t proposals) List(state string, limit int) ([]*sam.Proposal, error) {
	return list(t.base, "proposal.list", scanProposal, state, limit)
}

func (t proposals) Insert(r *sam.Proposal) error {
	return t.write("proposal.insert", proposalArgs(r)...)
}

func (t proposals) Update(r *sam.Proposal) error {
	return t.write("proposal.update", proposalArgs(r)...)
}

type signers struct{ base }

func scanSigner(s sqldb.Scanner, r *sam.Signer) error {
	return s.Scan(&r.ID, &r.Name, &r.Proof, &r.State, &r.Created, &r.Seq, &r.Version, &r.MAC)
}

func signerArgs(r *sam.Signer) []any {
	return []any{r.ID, r.Name, r.Proof, r.State, r.Created, r.Seq, r.Version, r.MAC}
}

func (t signers) Get(id string) (*sam.Signer, error) {
	return get(t.base, "signer.get", scanSigner, id)
}

func (t signers) Near(plain string) ([]string, error) { return t.names("signer.near", plain) }

func (t signers) Insert(r *sam.Signer) error { return t.write("signer.insert", signerArgs(r)...) }
func (t signers) Update(r *sam.Signer) error { return t.write("signer.update", signerArgs(r)...) }

type authenticators struct{ base }

func scanAuthenticator(s sqldb.Scanner, r *sam.Authenticator) error {
	return s.Scan(&r.Credential, &r.Signer, &r.Public, &r.AAGUID, &r.BackupEligible, &r.Attestation, &r.Carrier,
		&r.Created, &r.Tier, &r.Metadata, &r.UsableFrom, &r.Via, &r.Seq, &r.Version, &r.MAC)
}

func (t authenticators) Get(credential []byte) (*sam.Authenticator, error) {
	return get(t.base, "authenticator.get", scanAuthenticator, credential)
}

func (t authenticators) BySigner(signer string) ([]*sam.Authenticator, error) {
	return list(t.base, "authenticator.by_signer", scanAuthenticator, signer)
}

func (t authenticators) Insert(r *sam.Authenticator) error {
	return t.write("authenticator.insert", r.Credential, r.Signer, blob(r.Public), blob(r.AAGUID), r.BackupEligible,
		r.Attestation, r.Carrier, r.Created, string(r.Tier), r.Metadata, r.UsableFrom, r.Via, r.Seq, r.Version, r.MAC)
}

func (t authenticators) Delete(credential []byte) error {
	return t.write("authenticator.delete", credential)
}

type guards struct{ base }

func scanGuard(s sqldb.Scanner, r *sam.Guard) error {
	return s.Scan(&r.Credential, &r.Signer, &r.Failures, &r.LockedUntil, &r.SignCount, &r.Alarm, &r.CountSeq, &r.Seq, &r.Version, &r.MAC)
}

func guardArgs(r *sam.Guard) []any {
	return []any{r.Credential, r.Signer, r.Failures, r.LockedUntil, r.SignCount, r.Alarm, r.CountSeq, r.Seq, r.Version, r.MAC}
}

func (t guards) Get(credential []byte) (*sam.Guard, error) {
	return get(t.base, "guard.get", scanGuard, credential)
}
func (t guards) Insert(r *sam.Guard) error { return t.write("guard.insert", guardArgs(r)...) }
func (t guards) Update(r *sam.Guard) error { return t.write("guard.update", guardArgs(r)...) }

func (t guards) Delete(credential []byte) error { return t.write("guard.delete", credential) }

type failedGuards struct{ base }

func (t failedGuards) After(credential []byte, limit int) ([]*sam.Guard, error) {
	return list(t.base, "guard.failed", scanGuard, blob(credential), limit)
}

type notices struct{ base }

func scanNotice(s sqldb.Scanner, r *sam.Notice) error {
	return s.Scan(&r.Signer, &r.Kind, &r.Credential, &r.Until, &r.Created, &r.Seq, &r.Version, &r.MAC)
}

func (t notices) After(signer string, seq int64, limit int) ([]*sam.Notice, error) {
	return list(t.base, "notice.after", scanNotice, signer, seq, limit)
}

func (t notices) Insert(r *sam.Notice) error {
	return t.write("notice.insert", r.Signer, r.Kind, blob(r.Credential), r.Until, r.Created, r.Seq, r.Version, r.MAC)
}

type enrolments struct{ base }

func scanEnrolment(s sqldb.Scanner, r *sam.Enrolment) error {
	return s.Scan(&r.ID, &r.Signer, &r.Code, &r.State, &r.Begun, &r.Wrong, &r.Statement, &r.Created, &r.Expires,
		&r.Kind, &r.Target, &r.First, &r.Second, &r.Halves, &r.Taken, &r.Seq, &r.Version, &r.MAC)
}

func enrolmentArgs(r *sam.Enrolment) []any {
	return []any{r.ID, r.Signer, blob(r.Code), r.State, r.Begun, r.Wrong, blob(r.Statement), r.Created, r.Expires,
		r.Kind, blob(r.Target), r.First, r.Second, blob(r.Halves), r.Taken, r.Seq, r.Version, r.MAC}
}

func (t enrolments) Get(id string) (*sam.Enrolment, error) {
	return get(t.base, "enrolment.get", scanEnrolment, id)
}

func (t enrolments) OpenOf(signer string) ([]string, error) {
	return t.names("enrolment.open_of", signer)
}

// names runs a query for one column of text.
func (b base) names(query string, args ...any) ([]string, error) {
	var out []string
	err := b.t.Each(func(s sqldb.Scanner) error {
		var id string
		err := s.Scan(&id)
		out = append(out, id)
		return err
	}, b.q[query], args...)
	if err != nil {
		return nil, fmt.Errorf("samsqlite: %s: %w", query, err)
	}
	return out, nil
}

func (t enrolments) Insert(r *sam.Enrolment) error {
	return t.write("enrolment.insert", enrolmentArgs(r)...)
}
func (t enrolments) Update(r *sam.Enrolment) error {
	return t.write("enrolment.update", enrolmentArgs(r)...)
}
