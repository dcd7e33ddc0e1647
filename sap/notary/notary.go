// Package notary checks who signed the checkpoints of an audit chain, when the module has
// changed its statement key in between (KPR-06, AUD-05, AUD-08): the verifier pins a key,
// and the chain itself holds what the old key and the new one say of each change.
package notary

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// Notary knows the keys that checkpoints may be signed with, each between two records
// (KPR-06).
// It is for one pass over one chain, by one goroutine.
type Notary struct {
	keys map[string]*term
}

// term is a key and the records between which it signed; until is 0 while it does.
type term struct {
	public      *ecdsa.PublicKey
	from, until int64
}

// New pins keys: usually the first one; behind a replacement, where the old key vouches
// for nobody, also the new one.
func New(pins ...*ecdsa.PublicKey) (*Notary, error) {
	n := &Notary{keys: map[string]*term{}}
	for _, p := range pins {
		id, err := sap.KeyID(p)
		if err != nil {
			return nil, err
		}
		n.keys[id] = &term{public: p}
	}
	return n, nil
}

// Keys is the number of keys that are known by now.
func (n *Notary) Keys() int { return len(n.keys) }

// Watch gives records on and learns from those that change the key. One that does not
// hold ends the sequence with a *audit.BadRecord.
func (n *Notary) Watch(records iter.Seq2[audit.Record, error]) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for r, err := range records {
			if err == nil && r.Type == audit.TypeStatementKey {
				err = n.follow(r)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func (n *Notary) follow(r audit.Record) error {
	bad := func(err error) error {
		return &audit.BadRecord{Index: r.Seq, Why: "change of the statement key: " + err.Error()}
	}
	var s sap.SignedSuccession
	if err := json.Unmarshal([]byte(r.Data), &s); err != nil {
		return bad(err)
	}
	text, err := s.Open()
	if err != nil {
		return bad(err)
	}
	old := n.keys[text.Old]
	if old == nil {
		return nil // nobody pinned a key that leads here
	}
	if old.until != 0 {
		return bad(fmt.Errorf("%w: the key %s was changed before, with record %d", sap.ReasonSuccession, text.Old, old.until))
	}
	ring, err := sap.NewKeyring(old.public, []sap.SignedSuccession{s})
	if err != nil {
		return bad(err)
	}
	old.until = r.Seq
	if next, err := ring.Find(text.New); err == nil && n.keys[text.New] == nil {
		n.keys[text.New] = &term{public: next.Public}
	}
	if next := n.keys[text.New]; next != nil {
		next.from = r.Seq
	}
	return nil
}

// OpenReceipt opens a receipt with the key that it names, which was in use at its outcome.
// What it says of the chain (AuditSeq, AuditHash) is the caller's to compare.
func (n *Notary) OpenReceipt(s sap.SignedReceipt) (*sap.Receipt, error) {
	k := n.keys[s.Key]
	if k == nil {
		return nil, n.unknown(s.Key)
	}
	r, err := sap.OpenReceipt(k.public, s)
	if err != nil {
		return nil, err
	}
	return r, k.at(s.Key, r.AuditSeq)
}

func (n *Notary) unknown(key string) error {
	return fmt.Errorf("%w %.50s: it is neither pinned nor does a pinned one lead to it; behind a replacement, pin the new key too", audit.ErrKey, key)
}

// at tells whether the key was in use at a record.
func (k *term) at(id string, seq int64) error {
	switch {
	case seq < k.from:
		return fmt.Errorf("%w: key %s came into use with record %d", sap.ReasonSuccession, id, k.from)
	case k.until != 0 && seq >= k.until:
		return fmt.Errorf("%w: key %s was out of use since record %d", sap.ReasonSuccession, id, k.until)
	}
	return nil
}

// Check is audit.Check: the named key is known, was in use when the checkpoint was made,
// and signed it. audit.ErrKey when the key is not known, or not yet.
func (n *Notary) Check(s audit.Signed) error {
	k := n.keys[s.Key]
	if k == nil {
		return n.unknown(s.Key)
	}
	if err := k.at(s.Key, s.Seq); err != nil {
		return err
	}
	return sap.Verify(k.public, sap.LabelCheckpoint, s.Body(), s.Sig)
}
