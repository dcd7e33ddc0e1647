package signapp

import (
	"cmp"
	"context"
	"fmt"
)

// How a one-time key ends that will not sign (KEY-10). The module makes it in one call; as
// long as the operation does not have it, the operation's row names it (progressPart.Asked),
// so that nothing that stands in between, a death of this process or a lost answer,
// leaves a key alive that nobody will use. Where the module cannot be told it ends the
// key by its life.

// abandon has a key destroyed that the operation did not come to have. When the store
// cannot tell, it may have: the signer's app sends the same bytes again. An operation that
// ended meanwhile has removed its files; what was prepared since goes after them.
func (s *Service) abandon(ctx context.Context, id, key string) {
	r, err := s.load(ctx, id)
	if !isNotFound(err) && (err != nil || r.fixed.Key == key) {
		return
	}
	if err == nil && !r.keepsFiles() {
		if err := s.removePrepared(r); err != nil {
			s.log.Warn("files of an operation that ended could not be removed; the next start does it", "operation", id, "error", err)
		}
	}
	if s.endKey(ctx, id, key) == nil {
		_ = s.answered(ctx, id, key, false)
	}
}

// handOver stores which key the module is about to be asked to make (KEY-10). Whoever dies
// before the answer is stored finds it there, and so does who never hears the answer.
func (s *Service) handOver(ctx context.Context, id, key string) error {
	_, err := s.change(ctx, Everything(), id, func(_ Tx, r *record) error {
		if err := r.waitsForKey(); err != nil {
			return err
		}
		r.progress.Asked, r.progress.Attempts, r.due = key, 0, s.now().Add(onceGrace)
		return nil
	})
	return err
}

// answered stores that nothing is left of a key that the module was asked to make; open:
// its offer can still be approved. What cannot be stored is asked again when it is due.
func (s *Service) answered(ctx context.Context, id, key string, open bool) error {
	_, err := s.change(context.WithoutCancel(ctx), Everything(), id, func(_ Tx, r *record) error {
		if !r.waiting() || r.progress.Asked != key {
			return errUnchanged
		}
		r.forgetAsked()
		if !open {
			r.progress.Offer = nil
		}
		return nil
	})
	if err != nil {
		s.log.Warn("the end of a one-time key could not be stored", "operation", id, "key", key, "error", err)
	}
	return err
}

// forgetAsked lets an operation wait for its end again.
func (r *record) forgetAsked() {
	if r.progress.Asked != "" {
		r.progress.Asked, r.progress.Attempts, r.due = "", 0, r.expires
	}
}

// forsake has a key destroyed that the module was asked to make and that did not become
// the operation's: the process died in between, or the answer was lost, and the signer's
// app did not send the same bytes again (KEY-10). A refusal is tried again too, since the
// module ends no key that it has in the making.
func (s *Service) forsake(ctx context.Context, id string) error {
	defer s.locks.lock(id)()
	r, err := s.load(ctx, id)
	if err != nil || !r.waiting() || r.progress.Asked == "" || s.now().Before(r.due) {
		return err
	}
	err = s.endKey(ctx, id, r.progress.Asked)
	if _, no := final(err); err == nil || no && r.progress.Attempts+1 >= onceTries {
		return s.answered(ctx, id, r.progress.Asked, false)
	}
	_, err = s.later(ctx, r)
	return err
}

// forgetKey takes an operation back to where it waits for a one-time key.
func (r *record) forgetKey() {
	r.forgetAsked()
	r.fixed.Key, r.fixed.Alg, r.fixed.Chain = "", "", nil
	r.progress.Session, r.progress.Offer, r.progress.Made = "", nil, nil
	for i := range r.fixed.Items {
		r.fixed.Items[i].Prepared, r.fixed.Items[i].Size = nil, 0
	}
}

// dropKey is called when the module refuses to work with the operation's one-time
// key: its time is over, samd was started again, or it was used. It never comes back,
// and the signer can approve another one.
func (s *Service) dropKey(ctx context.Context, r *record) {
	key, asked := r.fixed.Key, r.progress.Asked
	_, err := s.change(context.WithoutCancel(ctx), OfSigner(r.signer), r.id, func(_ Tx, r *record) error {
		if !r.waiting() || r.fixed.Once == nil || r.fixed.Key != key || r.progress.Asked != asked {
			return errUnchanged
		}
		r.forgetKey()
		return nil
	})
	if err != nil {
		s.log.Warn("the end of an operation's one-time key could not be stored", "operation", r.id, "error", err)
	}
}

// EndOneTime gives up the one-time key of an operation that the signer has not
// decided: it is destroyed, and the signer can approve another. The signer's app asks
// for it when it cannot tell what was approved for the key that is there. ErrState,
// ErrUnavailable: the key is still there.
func (s *Service) EndOneTime(ctx context.Context, g Grant) (*View, error) {
	r, err := s.granted(ctx, g)
	if err != nil {
		return nil, err
	}
	switch {
	case !r.waiting():
		return nil, fmt.Errorf("%w: the operation is %s", ErrState, r.state)
	case r.fixed.Once == nil:
		return nil, fmt.Errorf("%w: the operation has no one-time key", ErrState)
	case r.keyless() && r.progress.Asked == "":
		return s.view(r)
	}
	if err := s.endKey(ctx, r.id, cmp.Or(r.fixed.Key, r.progress.Asked)); err != nil {
		if _, no := final(err); !no { // a refusal says: it is not there, or was used
			return nil, ModuleError(err)
		}
	}
	s.dropKey(ctx, r)
	return s.View(ctx, g)
}

// endKey has a key destroyed that will not sign (KEY-10: also on every failure). The
// module ends it by its life if it cannot be told.
func (s *Service) endKey(ctx context.Context, operation, key string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), moduleTimeout)
	defer cancel()
	err := s.cfg.Certifier.OnceEnd(ctx, key)
	if err != nil {
		s.log.Warn("module did not end a one-time key; it ends with its life", "operation", operation, "key", key, "error", err)
	}
	return err
}

// unusedKey is the one-time key that an operation leaves alive when it ends without a
// signature; "" when there is none.
func (s *Service) unusedKey(r *record) string {
	made := r.progress.Made
	if made == nil {
		return r.progress.Asked
	}
	if len(r.progress.Signatures) != 0 || s.now().Unix() >= made.Expires {
		return ""
	}
	return made.Key
}
