package sam

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"
	"strconv"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sap"
)

// statementKey is the key of requests, receipts and checkpoints that is in use, with
// all that goes with it: they change together.
type statementKey struct {
	cryptotoken.Signer
	id    string
	spki  []byte
	first []byte // SubjectPublicKeyInfo of the key of epoch 1
	epoch int64
	chain []sap.SignedSuccession // from the first key to this one
}

// Succession is the record of one change of the statement key (KPR-06). It never changes.
type Succession struct {
	Stamp
	Epoch     int64  // of the new key
	Old       []byte // SubjectPublicKeyInfo
	New       []byte // SubjectPublicKeyInfo
	Statement string // sap.SignedSuccession, member by member
	Signature string
	Proof     string
}

func (*Succession) kind() string   { return "succession" }
func (*Succession) object() string { return "" }
func (r *Succession) columns(e *encoder) {
	e.int(r.Epoch)
	e.bytes(r.Old)
	e.bytes(r.New)
	e.str(r.Statement)
	e.str(r.Signature)
	e.str(r.Proof)
}

func (r *Succession) signed() sap.SignedSuccession {
	return sap.SignedSuccession{Statement: r.Statement, Signature: r.Signature, Proof: r.Proof}
}

// statementLabel is the label of the statement key of an epoch: the first has the
// configured one.
func (c *Config) statementLabel(epoch int64) string {
	if epoch == 1 {
		return c.StatementKey
	}
	return c.StatementKey + "/" + strconv.FormatInt(epoch, 10)
}

// key is the statement key in use. What is signed inside a transaction of m.update is
// signed by the key of that transaction: a change waits until all of them have ended.
func (m *Module) key() *statementKey { return m.statement.Load() }

// say signs a statement for devices.
func (m *Module) say(label string, v any) (sap.Signed, error) {
	k := m.key()
	signed, err := sap.SignStatement(k, k.id, label, v)
	if err != nil {
		return sap.Signed{}, fmt.Errorf("%w: statement key: %w", sap.ReasonToken, err)
	}
	return signed, nil
}

// makeFirstKey makes the statement key of a new module, or takes the one that was made
// for it.
func (m *Module) makeFirstKey(ctx context.Context) ([]byte, error) {
	ref := cryptotoken.KeyRef{Label: m.cfg.StatementKey}
	key, err := m.token.Signer(ctx, ref)
	if errors.Is(err, cryptotoken.ErrKeyNotFound) {
		named, ok := m.token.(cryptotoken.Named)
		if !ok {
			return nil, fmt.Errorf("%w: token has no key %q and cannot make one", ErrOpen, m.cfg.StatementKey)
		}
		key, err = named.CreateKey(ctx, ref, algo.P256)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: statement key: %w", ErrOpen, err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("%w: statement key: %w", ErrOpen, err)
	}
	return spki, nil
}

// tokenKey finds the statement key of an epoch in the token.
func (m *Module) tokenKey(ctx context.Context, epoch int64) (*statementKey, error) {
	label := m.cfg.statementLabel(epoch)
	signer, err := m.token.Signer(ctx, cryptotoken.KeyRef{Label: label})
	if err != nil {
		return nil, fmt.Errorf("statement key %q: %w", label, err)
	}
	pub, ok := signer.Public().(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return nil, fmt.Errorf("statement key %q is not on P-256", label)
	}
	k := &statementKey{Signer: signer, epoch: epoch}
	if k.spki, err = x509.MarshalPKIXPublicKey(pub); err != nil {
		return nil, fmt.Errorf("statement key %q: %w", label, err)
	}
	k.id, err = sap.KeyID(pub)
	return k, err
}

// openStatementKey takes into use the key that the database names.
func (m *Module) openStatementKey(ctx context.Context, meta *Meta) error {
	var list []*Succession
	err := m.store.View(ctx, func(tx *Tx) error {
		var err error
		list, err = tx.Successions.List(sap.MaxSuccessions + 1)
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: statement key: %w", ErrOpen, err)
	}
	k, err := m.findStatementKey(ctx, meta, list)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOpen, err)
	}
	m.statement.Store(k)
	m.instance = meta.Instance
	return nil
}

// findStatementKey verifies the records of all changes (KPR-06), and that the key in the
// token is the last one's.
func (m *Module) findStatementKey(ctx context.Context, meta *Meta, list []*Succession) (*statementKey, error) {
	epoch := int64(len(list)) + 1
	var chain []sap.SignedSuccession
	for i, r := range list {
		if err := m.seal.check(r); err != nil {
			return nil, err
		}
		if r.Epoch != int64(i)+2 {
			return nil, fmt.Errorf("%w: the records of the statement key's changes have a gap before epoch %d", sap.ReasonSeal, r.Epoch)
		}
		chain = append(chain, r.signed())
	}
	k, err := m.tokenKey(ctx, epoch)
	if errors.Is(err, cryptotoken.ErrKeyNotFound) {
		return nil, fmt.Errorf("%w; if it was changed and then destroyed, this database is from before: restore a backup that was made after the change", err)
	}
	if err != nil {
		return nil, err
	}
	if string(k.spki) != string(meta.StatementKey) {
		return nil, fmt.Errorf("statement key %q is not the one this module was made with, or changed to", m.cfg.statementLabel(epoch))
	}
	for _, r := range list {
		if err := r.verify(); err != nil {
			return nil, err
		}
	}
	if _, err := sap.NewKeyring(k.Public().(*ecdsa.PublicKey), chain); err != nil {
		return nil, fmt.Errorf("statement key: %w", err)
	}
	k.chain, k.first = chain, k.spki
	if len(list) > 0 {
		k.first = list[0].Old
	}
	return k, nil
}

// verify checks the signatures of one change.
func (r *Succession) verify() error {
	pub, err := x509.ParsePKIXPublicKey(r.Old)
	if err != nil {
		return fmt.Errorf("%w: statement key before epoch %d", sap.ReasonSuccession, r.Epoch)
	}
	key, ok := pub.(*ecdsa.PublicKey)
	if !ok {
		return fmt.Errorf("%w: statement key before epoch %d", sap.ReasonSuccession, r.Epoch)
	}
	if _, err := sap.NewKeyring(key, []sap.SignedSuccession{r.signed()}); err != nil {
		return fmt.Errorf("statement key of epoch %d: %w", r.Epoch, err)
	}
	return nil
}
