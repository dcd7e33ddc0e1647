package samsqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/sqldb"
	"github.com/assent-sign/assent/sam"
)

type credentials struct{ base }

func scanCredential(s sqldb.Scanner, r *sam.Credential) error {
	var chain []byte
	if err := s.Scan(&r.Key, &r.Signer, &r.KeyType, &r.Public, &r.Blob, &r.KEK, &r.Carrier, &r.State, &r.Raw, &r.AuthHash,
		&r.Subject, &r.CSR, &chain, &r.CertHash, &r.Created, &r.Seq, &r.Version, &r.MAC); err != nil {
		return err
	}
	var err error
	r.Chain, err = splitChain(chain)
	return err
}

func credentialArgs(r *sam.Credential) []any {
	return []any{r.Key, r.Signer, r.KeyType, blob(r.Public), blob(r.Blob), r.KEK, r.Carrier, r.State, r.Raw, blob(r.AuthHash),
		blob(r.Subject), blob(r.CSR), joinChain(r.Chain), blob(r.CertHash), r.Created, r.Seq, r.Version, r.MAC}
}

func (t credentials) Get(key string) (*sam.Credential, error) {
	return get(t.base, "credential.get", scanCredential, key)
}

func (t credentials) BySigner(signer string) ([]*sam.Credential, error) {
	return list(t.base, "credential.by_signer", scanCredential, signer)
}
func (t credentials) Insert(r *sam.Credential) error {
	return t.write("credential.insert", credentialArgs(r)...)
}
func (t credentials) Update(r *sam.Credential) error {
	return t.write("credential.update", credentialArgs(r)...)
}

type activations struct{ base }

func scanActivation(s sqldb.Scanner, r *sam.Activation) error {
	return s.Scan(&r.Session, &r.Signer, &r.NonceHash, &r.Binding, &r.Expires, &r.State, &r.Redemption, &r.Digests,
		&r.Answer, &r.Updated, &r.Seq, &r.Version, &r.MAC)
}

func activationArgs(r *sam.Activation) []any {
	return []any{r.Session, r.Signer, blob(r.NonceHash), blob(r.Binding), r.Expires, r.State, blob(r.Redemption),
		blob(r.Digests), blob(r.Answer), r.Updated, r.Seq, r.Version, r.MAC}
}

func (t activations) Get(session []byte) (*sam.Activation, error) {
	return get(t.base, "activation.get", scanActivation, session)
}

func (t activations) Insert(r *sam.Activation) error {
	return t.write("activation.insert", activationArgs(r)...)
}

// Update writes an answer once, to the end of its own table.
func (t activations) Update(r *sam.Activation) error {
	err := t.write("activation.update", r.Session, r.State, blob(r.Redemption), blob(r.Digests), r.Updated, r.Seq, r.Version, r.MAC)
	if err != nil || len(r.Answer) == 0 {
		return err
	}
	return t.write("answer.put", r.Seq, r.Answer)
}

func (t activations) Reserve(r *sam.Activation, b sam.Basis) error {
	return t.write("activation.reserve", r.Session, r.State, blob(r.Redemption), blob(r.Digests), r.Updated, r.Seq, r.Version, r.MAC,
		b.Key, b.KeyVersion, b.Authenticator, b.GuardVersion)
}

type sessions struct{ base }

func (t sessions) CountOpen(signer string, now int64) (int, error) {
	n, err := t.count("session.count_open", signer, now)
	return int(n), err
}

func (t sessions) OpenOf(signer string, now int64, limit int) ([]*sam.Activation, error) {
	return list(t.base, "session.open_of", scanActivation, signer, now, limit)
}

func (t sessions) Reserved(limit int) ([]*sam.Activation, error) {
	return list(t.base, "activation.reserved", scanActivation, limit)
}

func (t sessions) Purge(openBefore, doneBefore int64, limit int) (int64, error) {
	if _, err := t.t.Exec(t.q["answer.purge"], doneBefore, limit); err != nil {
		return 0, fmt.Errorf("samsqlite: answer.purge: %w", err)
	}
	n, err := t.t.Exec(t.q["session.purge"], openBefore, doneBefore, limit)
	if err != nil {
		return 0, fmt.Errorf("samsqlite: session.purge: %w", err)
	}
	return n, nil
}

type expiries struct{ base }

func (t expiries) Put(key string, notAfter int64) error { return t.write("expiry.put", key, notAfter) }

func (t expiries) Due(now int64, limit int) ([]string, error) {
	return t.names("expiry.due", now, limit)
}

func (t expiries) Drop(key string) error {
	if _, err := t.t.Exec(t.q["expiry.drop"], key); err != nil {
		return fmt.Errorf("samsqlite: expiry.drop: %w", err)
	}
	return nil
}

type tombstones struct{ base }

func scanTombstone(s sqldb.Scanner, r *sam.Tombstone) error {
	return s.Scan(&r.Key, &r.Destroyed, &r.Seq, &r.Version, &r.MAC)
}

func (t tombstones) After(seq int64, limit int) ([]*sam.Tombstone, error) {
	return list(t.base, "tombstone.after", scanTombstone, seq, limit)
}

func (t tombstones) Insert(r *sam.Tombstone) error {
	return t.write("tombstone.insert", r.Key, r.Destroyed, r.Seq, r.Version, r.MAC)
}
func (t tombstones) Count() (int64, error) { return t.count("tombstone.count") }

type auditLog struct{ base }

func (t auditLog) Last() (audit.Head, error) {
	memo := t.t.Memo()
	if memo != nil {
		if h, ok := (*memo).(audit.Head); ok {
			return h, nil
		}
	}
	h := audit.Head{Seq: -1}
	err := t.t.Row(t.q["audit.last"]).Scan(&h.Seq, &h.Hash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return h, fmt.Errorf("samsqlite: audit.last: %w", err)
	}
	return h, nil
}

// Insert remembers the new head for the next record of any function, until one
// of them fails.
func (t auditLog) Insert(r audit.Record) error {
	if err := t.write("audit.insert", r.Seq, r.Time, r.Type, r.Actor, r.Outcome, r.Reason, r.Data, r.Hash); err != nil {
		return err
	}
	if memo := t.t.Memo(); memo != nil {
		*memo = audit.Head{Seq: r.Seq, Hash: r.Hash}
	}
	return nil
}

func (t auditLog) LastOf(object string) (int64, error) {
	query := "audit.last_of_object"
	if strings.HasPrefix(object, "guard:") {
		query = "audit.last_of_guard"
	}
	var seq int64
	err := t.t.Row(t.q[query], object).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return -1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("samsqlite: %s: %w", query, err)
	}
	return seq, nil
}

func (t auditLog) Page(from int64, limit int) ([]audit.Record, error) {
	return t.records("audit.page", from, limit)
}

// Find implements sam.AuditSearch.
func (t auditLog) Find(q sam.AuditQuery, from, to int64, limit int) ([]audit.Record, error) {
	since, until := int64(math.MinInt64), int64(math.MaxInt64)
	if !q.Since.IsZero() {
		since = q.Since.UnixMilli()
	}
	if !q.Until.IsZero() {
		until = q.Until.UnixMilli()
	}
	return t.records("audit.find", from, to, since, until, q.Type, q.Identity, limit)
}

func (t auditLog) records(query string, args ...any) ([]audit.Record, error) {
	var out []audit.Record
	err := t.t.Each(func(s sqldb.Scanner) error {
		var r audit.Record
		err := s.Scan(&r.Seq, &r.Time, &r.Type, &r.Actor, &r.Outcome, &r.Reason, &r.Data, &r.Hash)
		out = append(out, r)
		return err
	}, t.q[query], args...)
	if err != nil {
		return nil, fmt.Errorf("samsqlite: %s: %w", query, err)
	}
	return out, nil
}

type retiredKeys struct{ base }

func (t retiredKeys) Waiting() (*sam.WaitingKeys, error) {
	w := &sam.WaitingKeys{}
	if err := t.t.Row(t.q["credential.waiting"]).Scan(&w.Count, &w.Since); err != nil {
		return nil, fmt.Errorf("samsqlite: credential.waiting: %w", err)
	}
	return w, nil
}

type otherKEK struct{ base }

func (t otherKEK) After(kek, key string, limit int) ([]*sam.Credential, error) {
	return list(t.base, "credential.other_kek", scanCredential, kek, key, limit)
}

type successions struct{ base }

func scanSuccession(s sqldb.Scanner, r *sam.Succession) error {
	return s.Scan(&r.Epoch, &r.Old, &r.New, &r.Statement, &r.Signature, &r.Proof, &r.Seq, &r.Version, &r.MAC)
}

func (t successions) List(limit int) ([]*sam.Succession, error) {
	return list(t.base, "succession.list", scanSuccession, limit)
}

func (t successions) Insert(r *sam.Succession) error {
	return t.write("succession.insert", r.Epoch, blob(r.Old), blob(r.New), r.Statement, r.Signature, r.Proof, r.Seq, r.Version, r.MAC)
}
