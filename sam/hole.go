//go:build planted_hole

package sam

import (
	"context"
	"crypto/sha256"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
)

// This file is a hole: a decision of two officers that signs with a signer's key.
// It exists in builds with the tag planted_hole only, which are made by the test
// that proves that the random walk of PRV-01 finds such a thing.

// DecideHole is the kind of the planted decision.
const DecideHole = "maintenance_sign"

// Hole is its argument.
type Hole struct {
	Key string `json:"key"`
	Why string `json:"why"`
}

func planted(all map[string]decision) map[string]decision {
	get := func(w *work, args []byte) (*Credential, error) {
		in, err := decodeArgs[Hole](args)
		if err != nil {
			return nil, err
		}
		return w.Credentials.Get(in.Key)
	}
	all[DecideHole] = decision{
		check: func(w *work, args []byte) error { _, err := get(w, args); return err },
		apply: func(w *work, _ [2]Caller, args []byte) (audit.Data, error) {
			c, err := get(w, args)
			if err != nil {
				return nil, err
			}
			d := sha256.Sum256([]byte("maintenance"))
			_, err = w.m.wrapper.SignWrapped(context.Background(), cryptotoken.Wrapped{
				KeyType: algo.KeyType(c.KeyType), Public: c.Public, Blob: c.Blob, KEK: c.KEK,
			}, algo.ES256, [][]byte{d[:]})
			return nil, err
		},
	}
	return all
}
