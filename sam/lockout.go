package sam

import (
	"context"
	"fmt"
	"math"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// forever is LockedUntil of a lock that only an officer lifts.
const forever = math.MaxInt64 >> 1

// locked tells whether the authenticator is locked out at now (Unix seconds).
func (r *Guard) locked(now int64) bool { return now < r.LockedUntil }

// fail counts one failed authentication, AFL-01. A lock that ran out starts the
// count again.
func (r *Guard) fail(now int64, limit int, lockSeconds int64) {
	if r.LockedUntil != 0 && !r.locked(now) {
		r.Failures, r.LockedUntil = 0, 0
	}
	r.Failures++
	if r.Failures < int64(limit) {
		return
	}
	r.LockedUntil = forever
	if lockSeconds > 0 {
		r.LockedUntil = now + lockSeconds
	}
}

// countFailure is the part of a refusal that counts against an authenticator.
// It fills the refusal's audit data; the number is stamped in stampGuard.
func (m *Module) countFailure(w *work, credential []byte, data audit.Data) error {
	a, err := w.Authenticators.Get(credential)
	if err != nil {
		return err
	}
	g, err := m.guard(w.Tx, a, false)
	if err != nil {
		return err
	}
	g.fail(w.now.Unix(), m.cfg.LockoutLimit, int64(m.cfg.LockoutTime.Seconds()))
	data["guard"], data["failures"], data["locked"] = g.object(), g.Failures, g.locked(w.now.Unix())
	head, err := w.Audit.Last()
	if err != nil {
		return err
	}
	// The refusal's record is the next one; nothing comes between, since
	// functions of one store never run at the same time.
	w.stamp(g, head.Seq+1)
	return w.Guards.Update(g)
}

// Lift ends a lockout (officer; never sspu, AFL-02).
func (m *Module) Lift(ctx context.Context, c Caller, signer, credential, why string) error {
	if err := m.admit(ctx, c, OpLift); err != nil {
		return err
	}
	err := func() error {
		id, err := sap.UnB64(credential)
		if err != nil || !sap.ValidID(signer) || why == "" || !sap.Displayable(why) {
			return fmt.Errorf("%w: signer, credential and reason are needed", sap.ReasonInvalid)
		}
		return m.update(ctx, c, func(w *work) error {
			a, err := w.Authenticators.Get(id)
			if err != nil || a.Signer != signer {
				return sap.ReasonAuthenticator
			}
			g, err := m.guard(w.Tx, a, false)
			if err != nil {
				return err
			}
			g.Failures, g.LockedUntil = 0, 0
			seq, err := w.log(EventLifted, audit.OK, "", audit.Data{"guard": g.object(), "signer": signer, "why": why})
			if err != nil {
				return err
			}
			w.stamp(g, seq)
			return w.Guards.Update(g)
		})
	}()
	if err != nil {
		return m.refuse(ctx, c, string(OpLift), err, audit.Data{"signer": clip(signer, sap.MaxIDLen)})
	}
	return nil
}
