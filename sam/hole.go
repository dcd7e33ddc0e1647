//go:build planted_hole

package sam

import (
	"context"
	"crypto/sha256"
	"os"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
)

// This file is holes: a decision of two officers that signs with a signer's key, and
// a second use of what was approved once. It exists in builds with the tag
// planted_hole only, which are made by the test that proves that the random walk of
// PRV-01 finds such things; that test also puts the conditions for the others into copies
// of the sources (samrpc/walk_holes_test.go). ASSENT_HOLE opens one of them.

func hole(name string) bool { return os.Getenv("ASSENT_HOLE") == name }

// DecideHole is the kind of the planted decision.
const DecideHole = "maintenance_sign"

// Hole is its argument.
type Hole struct {
	Key string `json:"key"`
	Why string `json:"why"`
}

func planted(all map[string]decision) map[string]decision {
	if !hole("decision") {
		return all
	}
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

// again uses the key once more for what its owner approved once.
func (r *redemption) again(ctx context.Context) {
	err := r.m.view(ctx, func(tx *Tx) error {
		var err error
		if r.held, err = r.m.holding(tx, r.sad.Bind.Signer, r.sad.Bind.Key, false); err != nil {
			return err
		}
		if r.policy, err = r.m.policy(r.sad.Bind.Policy); err != nil {
			return err
		}
		r.alg, err = r.m.usable(r.held, r.sad.Bind.Alg, r.sad.Bind.N, r.policy, r.m.clock.Now())
		return err
	})
	if err != nil || r.held.once != nil || r.rebuild() != nil {
		return
	}
	_, _ = r.m.wrapper.SignWrapped(ctx, wrappedOf(r.held.cred), r.alg, r.digests)
}
