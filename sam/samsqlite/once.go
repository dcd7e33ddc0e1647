package samsqlite

import (
	"fmt"

	"github.com/assent-sign/assent/internal/sqldb"
	"github.com/assent-sign/assent/sam"
)

type onces struct{ base }

func scanOnce(s sqldb.Scanner, r *sam.Once) error {
	var chain []byte
	if err := s.Scan(&r.Key, &r.Signer, &r.Caller, &r.KeyType, &r.Policy, &r.CA, &r.Carrier, &r.State, &r.Binding, &r.Approval,
		&r.Authenticator, &r.AuthHash, &r.Subject, &r.Public, &r.CSR, &chain, &r.CertHash, &r.Session, &r.Created, &r.Expires,
		&r.Seq, &r.Version, &r.MAC); err != nil {
		return err
	}
	var err error
	r.Chain, err = splitChain(chain)
	return err
}

func onceArgs(r *sam.Once) []any {
	return []any{r.Key, r.Signer, r.Caller, r.KeyType, r.Policy, r.CA, r.Carrier, r.State, blob(r.Binding), blob(r.Approval),
		blob(r.Authenticator), blob(r.AuthHash), blob(r.Subject), blob(r.Public), blob(r.CSR), joinChain(r.Chain), blob(r.CertHash),
		blob(r.Session), r.Created, r.Expires, r.Seq, r.Version, r.MAC}
}

func (t onces) Get(key string) (*sam.Once, error) { return get(t.base, "once.get", scanOnce, key) }
func (t onces) Insert(r *sam.Once) error          { return t.write("once.insert", onceArgs(r)...) }
func (t onces) Update(r *sam.Once) error          { return t.write("once.update", onceArgs(r)...) }

type onceList struct{ base }

func (t onceList) Live(limit int) ([]*sam.Once, error) {
	return list(t.base, "once.live", scanOnce, limit)
}

func (t onceList) LiveOf(signer string, limit int) ([]*sam.Once, error) {
	return list(t.base, "once.live_of", scanOnce, signer, limit)
}

func (t onceList) Due(now int64, limit int) ([]*sam.Once, error) {
	return list(t.base, "once.due", scanOnce, now, limit)
}

func (t onceList) Purge(before int64, limit int) (int64, error) {
	n, err := t.t.Exec(t.q["once.purge"], before, limit)
	if err != nil {
		return 0, fmt.Errorf("samsqlite: once.purge: %w", err)
	}
	return n, nil
}
