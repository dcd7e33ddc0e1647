package sam

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/sap"
)

// The wrapping key has epochs (KPR-06). Two officers order the next one; then every
// wrapped key is wrapped anew inside the token, while the module serves: the old
// blob goes on working until the record with the new one is committed, and each
// new blob is opened once and compared before that. A kill leaves some keys under
// the old and some under the new epoch, all of which work; the next start goes on.
// The old wrapping key is destroyed by a decision of its own, when nothing of this
// database is under it any more. Backups of before are: restored afterwards, their
// keys would not open.

// Decisions about the wrapping key (ROL-04).
const (
	DecideRotate     = "kek_rotate"
	DecideDestroyKEK = "kek_destroy"
)

// RotateKEK is the argument of the decision kek_rotate. While keys are left under
// an older epoch, it finishes that instead of making another one.
type RotateKEK struct {
	From string `json:"from"` // the current wrapping key, as the officers see it
	Why  string `json:"why"`
}

// DestroyKEK is the argument of the decision kek_destroy. Without a backup of after the
// rotation it is refused, unless both officers say that they know: no key of an older one
// opens afterwards.
type DestroyKEK struct {
	KEK           string `json:"kek"`
	Why           string `json:"why"`
	WithoutBackup bool   `json:"without_backup,omitempty"`
}

// Events of the wrapping key.
const (
	EventKEK          = "wrapping_key_made"
	EventRewrapped    = "key_rewrapped"
	EventKEKDestroyed = "wrapping_key_destroyed"
)

// rewrapBatch is how many keys are changed in one transaction.
const rewrapBatch = 50

func (m *Module) rotator() (cryptotoken.Rotator, error) {
	r, ok := m.token.(cryptotoken.Rotator)
	if !ok {
		return nil, fmt.Errorf("%w: this token's wrapping key has no epochs", sap.ReasonState)
	}
	return r, nil
}

// currentKEK names the key that new keys are wrapped under; "" with a token whose wrapping
// key has no epochs.
func (m *Module) currentKEK(ctx context.Context) (string, error) {
	r, ok := m.token.(cryptotoken.Rotator)
	if !ok {
		return "", nil
	}
	now, err := r.CurrentKEK(ctx)
	if err != nil {
		return "", fmt.Errorf("%w: %w", sap.ReasonToken, err)
	}
	return now, nil
}

func reasonGiven(why string) error {
	if why == "" || len(why) > 200 || !sap.Displayable(why) {
		return fmt.Errorf("%w: say why, in at most 200 octets", sap.ReasonInvalid)
	}
	return nil
}

func checkRotate(w *work, args []byte) error {
	in, err := decodeArgs[RotateKEK](args)
	if err != nil {
		return err
	}
	if err := reasonGiven(in.Why); err != nil {
		return err
	}
	r, err := w.m.rotator()
	if err != nil {
		return err
	}
	now, err := r.CurrentKEK(context.Background())
	if err != nil {
		return fmt.Errorf("%w: %w", sap.ReasonToken, err)
	}
	if now != in.From {
		return fmt.Errorf("%w: the wrapping key is %s, the proposal says %s", sap.ReasonInvalid, now, clip(in.From, 80))
	}
	return nil
}

func applyRotate(w *work, _ [2]Caller, args []byte) (audit.Data, error) {
	return audit.Data{}, checkRotate(w, args)
}

// rotate makes the next wrapping key, unless an earlier rotation is unfinished, and
// wraps every key anew (ROL-04, KPR-06).
func rotate(ctx context.Context, m *Module, p *Proposal) error {
	m.rotateMu.Lock()
	defer m.rotateMu.Unlock()
	r, err := m.rotator()
	if err != nil {
		return err
	}
	now, err := r.CurrentKEK(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", sap.ReasonToken, err)
	}
	left, err := m.underOthers(ctx, now, "", 1)
	if err != nil {
		return err
	}
	if len(left) == 0 {
		if now, err = m.nextKEK(ctx, r, p, now); err != nil {
			return err
		}
	}
	return m.rewrapAll(ctx, r, now)
}

func (m *Module) nextKEK(ctx context.Context, r cryptotoken.Rotator, p *Proposal, from string) (string, error) {
	in, err := decodeArgs[RotateKEK](p.Args)
	if err != nil {
		return "", err
	}
	if in.From != from { // somebody else's rotation came in between
		return "", fmt.Errorf("%w: the wrapping key is %s already", sap.ReasonState, from)
	}
	failpoint.Before("samd/kek-made")
	to, err := r.NextKEK(ctx)
	if err != nil {
		return "", fmt.Errorf("%w: %w", sap.ReasonToken, err)
	}
	failpoint.After("samd/kek-made")
	m.onceKeys.emptyPool()
	return to, m.update(ctx, self(), func(w *work) error {
		_, err := w.log(EventKEK, audit.OK, "", audit.Data{"kek": to, "before": from, "first": p.By, "second": p.Second, "proposal": p.ID})
		return err
	})
}

// underOthers lists keys that are not wrapped under kek, in the order of their ids.
func (m *Module) underOthers(ctx context.Context, kek, after string, limit int) ([]*Credential, error) {
	var list []*Credential
	err := m.view(ctx, func(tx *Tx) error {
		var err error
		if list, err = tx.OtherKEK.After(kek, after, limit); err != nil {
			return err
		}
		for _, c := range list {
			if err := m.verified(tx, c, true); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// finishRotation goes on where a kill ended a rotation.
func (m *Module) finishRotation(ctx context.Context) error {
	r, err := m.rotator()
	if err != nil {
		return nil // a token without epochs has nothing to finish
	}
	m.rotateMu.Lock()
	defer m.rotateMu.Unlock()
	now, err := r.CurrentKEK(ctx)
	if err != nil {
		return fmt.Errorf("%w: token: %w", ErrOpen, err)
	}
	err = m.rewrapAll(ctx, r, now)
	if errors.Is(err, sap.ReasonToken) { // they work as they are
		m.logger.Error("samd: keys are left under an older wrapping key; finish with the decision kek_rotate", "err", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: wrapped keys: %w", ErrOpen, err)
	}
	return nil
}

// rewrapAll wraps all keys anew that are not under kek. A key that the token fails
// with stays as it is, and the others go on.
func (m *Module) rewrapAll(ctx context.Context, r cryptotoken.Rotator, kek string) error {
	var failed []error
	for after := ""; ; {
		list, err := m.underOthers(ctx, kek, after, rewrapBatch)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return errors.Join(failed...)
		}
		after = list[len(list)-1].Key
		renewed := map[string]cryptotoken.Wrapped{}
		for _, c := range list {
			w, err := m.rewrap(ctx, r, c, kek)
			if err != nil {
				failed = append(failed, fmt.Errorf("key %s: %w", c.Key, err))
				continue
			}
			renewed[c.Key] = w
		}
		failpoint.Before("samd/kek-rewrapped")
		if err := m.storeRewrapped(ctx, list, renewed); err != nil {
			return err
		}
		failpoint.After("samd/kek-rewrapped")
	}
}

func wrappedOf(c *Credential) cryptotoken.Wrapped {
	return cryptotoken.Wrapped{KeyType: algo.KeyType(c.KeyType), Public: c.Public, Blob: c.Blob, KEK: c.KEK}
}

// rewrap makes the new blob and opens it once: the old one is given up only for one
// that holds the same key.
func (m *Module) rewrap(ctx context.Context, r cryptotoken.Rotator, c *Credential, label string) (cryptotoken.Wrapped, error) {
	old := wrappedOf(c)
	w, err := r.Rewrap(ctx, old)
	if err != nil {
		return w, fmt.Errorf("%w: %w", sap.ReasonToken, err)
	}
	if w.KEK != label || w.KeyType != old.KeyType || !bytes.Equal(w.Public, old.Public) {
		return w, fmt.Errorf("%w: the token returned another key", sap.ReasonToken)
	}
	if err := m.wrapper.CheckWrapped(ctx, w); err != nil {
		return w, fmt.Errorf("%w: the new blob does not open: %w", sap.ReasonToken, err)
	}
	return w, nil
}

// storeRewrapped replaces the blobs of keys that are still as they were read.
func (m *Module) storeRewrapped(ctx context.Context, list []*Credential, renewed map[string]cryptotoken.Wrapped) error {
	return m.update(ctx, self(), func(w *work) error {
		for _, was := range list {
			n, ok := renewed[was.Key]
			if !ok {
				continue
			}
			c, err := w.Credentials.Get(was.Key)
			if err != nil {
				return err
			}
			if err := m.verified(w.Tx, c, false); err != nil {
				return err
			}
			if c.State == KeyDestroyed || !bytes.Equal(c.Blob, was.Blob) {
				continue // it was changed meanwhile
			}
			c.Blob, c.KEK = n.Blob, n.KEK
			seq, err := w.log(EventRewrapped, audit.OK, "", audit.Data{"obj": c.object(), "key": c.Key, "kek": c.KEK, "before": was.KEK})
			if err != nil {
				return err
			}
			w.stamp(c, seq)
			if err := w.Credentials.Update(c); err != nil {
				return err
			}
		}
		return nil
	})
}

func checkDestroyKEK(w *work, args []byte) error {
	in, err := decodeArgs[DestroyKEK](args)
	if err != nil {
		return err
	}
	if err := reasonGiven(in.Why); err != nil {
		return err
	}
	r, err := w.m.rotator()
	if err != nil {
		return err
	}
	now, err := r.CurrentKEK(context.Background())
	if err != nil {
		return fmt.Errorf("%w: %w", sap.ReasonToken, err)
	}
	left, err := w.OtherKEK.After(now, "", 1)
	switch {
	case err != nil:
		return err
	case in.KEK == now || in.KEK == "":
		return fmt.Errorf("%w: %s is the current wrapping key", sap.ReasonState, clip(in.KEK, 80))
	case len(left) > 0 || w.m.onceKeys.under(in.KEK):
		return fmt.Errorf("%w: keys are left under an older wrapping key; finish the rotation first", sap.ReasonState)
	case in.WithoutBackup:
		return nil
	}
	return w.backedUpSince(w.m.seal.now.Load().low - 1)
}

func applyDestroyKEK(w *work, _ [2]Caller, args []byte) (audit.Data, error) {
	return audit.Data{}, checkDestroyKEK(w, args)
}

func destroyKEK(ctx context.Context, m *Module, p *Proposal) error {
	m.rotateMu.Lock()
	defer m.rotateMu.Unlock()
	in, err := decodeArgs[DestroyKEK](p.Args)
	if err != nil {
		return err
	}
	r, err := m.rotator()
	if err != nil {
		return err
	}
	failpoint.Before("samd/kek-destroyed")
	if err := r.DestroyKEK(ctx, in.KEK); err != nil {
		return fmt.Errorf("%w: %w", sap.ReasonToken, err)
	}
	failpoint.After("samd/kek-destroyed")
	return m.update(ctx, self(), func(w *work) error {
		_, err := w.log(EventKEKDestroyed, audit.OK, "", audit.Data{
			"kek": in.KEK, "first": p.By, "second": p.Second, "proposal": p.ID, "without_backup": in.WithoutBackup,
		})
		return err
	})
}
