package sam

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/sap"
)

// activation is the permission to use one key for exactly its digests, once
// (SAP-10, SGN-05, PRV-01).
// reserve alone mints it, after the reservation is durable; sign alone takes it.
// Nothing else in the module reaches a signer's key, except the proof of
// possession at its generation.
type activation struct {
	used    atomic.Bool
	red     *redemption
	session *Activation // as reserved
	key     cryptotoken.Wrapped
	alg     algo.Algorithm
	digests [][]byte
	expires time.Time // of the permission: it is for now, not for later
	asked   int64     // audit record of the request that was approved
}

// activationLife bounds the time between reservation and key use.
const activationLife = time.Minute

var errNoActivation = errors.New("sam: no valid permission to use a key")

// reserve consumes the session durably, a batch whole (BLK-03), in one transaction: state, digests,
// signature counter, intent record (SAP-03, FPT_RPL). ErrConflict: something
// that was verified has changed since.
func (r *redemption) reserve(ctx context.Context) (*activation, error) {
	m, s := r.m, *r.session
	s.State, s.Redemption, s.Digests, s.Updated = ActReserved, r.id, digestsHash(r.alg.String(), r.digests), r.now.Unix()
	m.memory.sessions.drop(string(s.Session))
	guard := r.passedGuard()
	failpoint.Before("samd/26-consume-committed")
	err := m.update(ctx, r.caller, func(w *work) error {
		if m.store.Foreign() != r.foreign {
			m.forget()
			return fmt.Errorf("%w: somebody else has written to the database", ErrConflict)
		}
		failpoint.Before("samd/27-intent-audit-written")
		seq, err := w.log(EventReserved, audit.OK, "", r.intent(&s, guard))
		if err != nil {
			return err
		}
		failpoint.After("samd/27-intent-audit-written")
		basis := Basis{Key: r.held.cred.Key, KeyVersion: r.held.cred.Version, Authenticator: r.auth.Credential, GuardVersion: r.guard.Version}
		if guard != nil {
			g := *guard
			if g.SignCount != r.guard.SignCount {
				g.CountSeq = seq
			}
			w.stamp(&g, seq)
			if err := w.Guards.Update(&g); err != nil {
				return err
			}
			basis.GuardVersion, r.guard = g.Version, &g
		}
		w.stamp(&s, seq)
		failpoint.Before("samd/25-consume-statement-sent")
		defer failpoint.After("samd/25-consume-statement-sent")
		if r.held.once != nil {
			return r.reserveOnce(w, &s, basis)
		}
		return w.Activations.Reserve(&s, basis)
	})
	if err != nil {
		return nil, err
	}
	failpoint.After("samd/26-consume-committed")
	m.memory.guards.put(r.guard.object(), r.guard)
	c := r.held.cred
	key := cryptotoken.Wrapped{KeyType: algo.KeyType(c.KeyType), Public: c.Public, Blob: c.Blob, KEK: c.KEK}
	if r.held.once != nil {
		key = m.takeOnce(r.held)
	}
	return &activation{
		red: r, session: &s, key: key, alg: r.alg, digests: r.digests, expires: m.clock.Now().Add(activationLife), asked: r.session.Seq,
	}, nil
}

// intent is the record of what may be signed from here on (AUD-03: it names the
// certificate), and of what becomes of the guard when it changes.
func (r *redemption) intent(s *Activation, g *Guard) audit.Data {
	digests := make([]string, len(r.digests))
	for i, d := range r.digests {
		digests[i] = b64(d)
	}
	data := audit.Data{
		"obj": s.object(), "signer": s.Signer, "key": r.held.cred.Key, "cert": b64(r.held.cred.CertHash), "alg": r.alg.String(),
		"authenticator": b64(r.auth.Credential), "policy": r.policy.ID, "redemption": b64(r.id), "digests": digests,
	}
	if g != nil {
		data["guard"], data["count"] = g.object(), g.SignCount
	}
	return data
}

// passedGuard is the guard after a success, nil when nothing of it changes: a
// row of failures ends, and the signature counter moves forward in the
// transaction that comes before the key is used: a crash cannot take it back.
func (r *redemption) passedGuard() *Guard {
	if r.guard.Failures == 0 && r.guard.SignCount == int64(r.count) && r.guard.LockedUntil == 0 {
		return nil
	}
	g := *r.guard
	g.Failures, g.LockedUntil, g.SignCount = 0, 0, int64(r.count)
	return &g
}

// activate takes a permission to its end: sign, verify, record, answer.
func (m *Module) activate(ctx context.Context, act *activation) ([]byte, error) {
	m.cfg.Hook(StepReserved)
	sigs, err := m.sign(ctx, act)
	m.cfg.Hook(StepSigned)
	if err != nil {
		return nil, m.unsigned(ctx, act, err)
	}
	answer, err := m.outcomes.record(act, sigs)
	if err != nil {
		// Signatures exist and are not released (I4). What is stored decides what
		// a retry gets: burnt, or the answer when the commit did happen.
		return nil, err
	}
	m.cfg.Hook(StepRecorded)
	return answer, nil
}

// sign uses the key: the only place. Every signature is verified with the
// certified key before anyone sees it (SGN-03).
func (m *Module) sign(ctx context.Context, act *activation) ([][]byte, error) {
	if act == nil || act.red == nil || act.session == nil || act.session.State != ActReserved ||
		!act.used.CompareAndSwap(false, true) || !m.clock.Now().Before(act.expires) ||
		act.asked < m.voidBefore.Load() || // closed and opened again meanwhile (FPT-04)
		string(act.session.Digests) != string(digestsHash(act.alg.String(), act.digests)) ||
		string(act.key.Public) != string(act.red.held.cred.Public) {
		return nil, cryptotoken.NotStarted(errNoActivation)
	}
	failpoint.Before("token/33-sign-entered")
	sigs, err := m.wrapper.SignWrapped(ctx, act.key, act.alg, act.digests)
	if err != nil {
		return nil, err
	}
	failpoint.After("token/34-sign-returned")
	failpoint.Before("samd/35-signature-verified")
	if len(sigs) != len(act.digests) {
		return nil, fmt.Errorf("%w: %d signatures for %d digests", sap.ReasonSignatureCheck, len(sigs), len(act.digests))
	}
	for i, sig := range sigs {
		if err := algo.Verify(act.red.held.parsed.cert.PublicKey, act.alg, act.digests[i], sig); err != nil {
			return nil, fmt.Errorf("%w: item %d: %w", sap.ReasonSignatureCheck, i, err)
		}
	}
	failpoint.After("samd/35-signature-verified")
	return sigs, nil
}

// unsigned settles a reservation that led to no signatures: RELEASED only when
// the driver proves that the key use never began, else BURNT. Both are terminal.
// A wrong signature closes the module: the token, or the memory, is not to be
// trusted until it is tested again (T31).
func (m *Module) unsigned(ctx context.Context, act *activation, cause error) error {
	state, event, reason := ActBurnt, EventWithheld, sap.ReasonBurnt
	switch {
	case errors.Is(cause, cryptotoken.ErrNotStarted):
		state, event, reason = ActReleased, EventReleased, sap.ReasonToken
	case errors.Is(cause, sap.ReasonSignatureCheck):
		reason = sap.ReasonSignatureCheck
		m.shut(ctx, "the token returned a wrong signature")
	}
	if err := m.settle(ctx, act.red.caller, act.session, state, event, reason); err != nil {
		m.logger.Error("samd: the end of an activation could not be recorded; it is burnt at the next start", "err", err)
	}
	return fmt.Errorf("%w: %w", reason, cause)
}

// settle moves a reserved session to a terminal state without an answer.
func (m *Module) settle(ctx context.Context, c Caller, a *Activation, state, event string, reason sap.Reason) error {
	return m.update(ctx, c, func(w *work) error {
		s := *a
		s.State, s.Updated = state, w.now.Unix()
		seq, err := w.log(event, audit.Error, reason, audit.Data{"obj": s.object(), "signer": s.Signer, "redemption": b64(s.Redemption)})
		if err != nil {
			return err
		}
		w.stamp(&s, seq)
		return w.Activations.Update(&s)
	})
}

// reconcile burns what a crash left reserved: the key may have been used, and
// a signature that was not acknowledged is never released (I4, FPT-05).
func (m *Module) reconcile(ctx context.Context) error {
	for {
		var left []*Activation
		err := m.view(ctx, func(tx *Tx) error {
			var err error
			left, err = tx.Sessions.Reserved(100)
			return err
		})
		if err != nil || len(left) == 0 {
			return err
		}
		for _, a := range left {
			if err := m.seal.check(a); err != nil {
				return fmt.Errorf("%w: %w", ErrOpen, err)
			}
			failpoint.Before("samd/48-reconciled-one")
			if err := m.settle(ctx, self(), a, ActBurnt, EventWithheld, sap.ReasonBurnt); err != nil {
				return fmt.Errorf("%w: %w", ErrOpen, err)
			}
			failpoint.After("samd/48-reconciled-one")
		}
	}
}

// Purge forgets open sessions an hour after they expired, and finished ones
// after the retention; SADs of forgotten sessions are refused as unknown.
func (m *Module) Purge(ctx context.Context) error {
	for {
		var n int64
		err := m.store.Update(ctx, func(tx *Tx) error {
			now := m.clock.Now()
			var err error
			n, err = tx.Sessions.Purge(now.Add(-time.Hour).Unix(), now.Add(-m.cfg.Retention).Unix(), 500)
			return err
		})
		if err != nil || n == 0 {
			return err
		}
	}
}
