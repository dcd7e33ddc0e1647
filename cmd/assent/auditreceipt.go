package main

import (
	"fmt"

	"github.com/assent-sign/assent/cmd/assent/internal/proof"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
)

// keptReceipt is a receipt that somebody kept: what it says of the chain is proven by the
// module's signature, and compared with the chain in hand.
type keptReceipt struct {
	path   string
	signed sap.SignedReceipt
	at     audit.Checkpoint
}

// readReceipts reads what receipts claim; openReceipts verifies them when all keys are known.
func readReceipts(paths []string) ([]keptReceipt, error) {
	var all []keptReceipt
	for _, path := range paths {
		text, err := readBounded(path, proof.MaxReceipt)
		if err != nil {
			return nil, err
		}
		k, err := readKept(path, text)
		if err != nil {
			return nil, &exitError{exitNotValid, fmt.Errorf("--receipt %s: %w", path, err)}
		}
		all = append(all, k)
	}
	return all, nil
}

func readKept(path string, text []byte) (keptReceipt, error) {
	s, err := proof.Decode(text)
	if err != nil {
		return keptReceipt{}, err
	}
	inner, err := sap.UnB64(s.Receipt)
	if err != nil {
		return keptReceipt{}, err
	}
	var r sap.Receipt
	if err := jcs.UnmarshalUpTo(sap.MaxReceipt, inner, &r); err != nil {
		return keptReceipt{}, err
	}
	hash, err := sap.UnB64(r.AuditHash)
	if err != nil || len(hash) != audit.HashLen || r.AuditSeq < 0 {
		return keptReceipt{}, fmt.Errorf("%w: it names no audit record", audit.ErrForm)
	}
	return keptReceipt{path, *s, audit.Checkpoint{Chain: r.Instance, Seq: r.AuditSeq, Hash: hash}}, nil
}

// marks is where the chain must have the outcomes of the receipts.
func (c *confirmed) marks() (out []audit.Checkpoint) {
	if c == nil {
		return nil
	}
	for _, k := range c.receipts {
		out = append(out, k.at)
	}
	return out
}

// openReceipts verifies the receipts with the keys that the chain has led to.
func (c *confirmed) openReceipts() error {
	for _, k := range c.receipts {
		if _, err := c.OpenReceipt(k.signed); err != nil {
			return fmt.Errorf("%w: --receipt %s: the module did not sign it: %w", audit.ErrForm, k.path, err)
		}
	}
	return nil
}
