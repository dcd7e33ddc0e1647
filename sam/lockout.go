package sam

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// forever is LockedUntil of a lock that only an officer lifts.
const forever = math.MaxInt64 >> 1

// locked tells whether the authenticator is locked out at now (Unix seconds).
func (r *Guard) locked(now int64) bool { return r.Alarm != "" || now < r.LockedUntil }

// fail counts one failed authentication, AFL-01. A lock that ran out starts the
// count again.
func (r *Guard) fail(now int64, limit int, lockSeconds int64) {
	if r.LockedUntil != 0 && now >= r.LockedUntil {
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

// Who can make a failure count (AFL-01, T27): only the authenticator itself. A
// failure counts when the enrolled key signed exactly this session's challenge
// and the approval is refused all the same: no user verification, another page,
// another relying party, changed backup flags, a counter that went back. It
// counts once: the session is void from then on, so whoever relays it cannot
// count it again. Octets that prove nothing, an assertion for another challenge,
// and everything from an authenticator that is not the signer's are refused and
// recorded, and count against nobody: they are not guesses, and if they counted
// the signing application could lock every owner out. A lock is of one
// authenticator of one signer; the others go on.

// copied tells whether a counter that did not grow proves a second copy of the
// key: the approval answers a request, of audit record seq, that was made after
// the counter last grew. One that answers an older request may only have come
// late.
func (r *Guard) copied(seq int64) bool {
	if r.CountSeq == 0 {
		return seq > r.Seq
	}
	return seq > r.CountSeq
}

// countFailure is the part of a refusal that counts against an authenticator.
func (r *redemption) countFailure(w *work) error {
	s, err := w.Activations.Get(r.session.Session)
	if err != nil {
		return err
	}
	if err := w.m.verified(w.Tx, s, false); err != nil {
		return err
	}
	if s.State != ActOpen {
		return nil // counted already, or settled otherwise
	}
	if err := w.countGuard(r.auth, r.alarm, r.data); err != nil {
		return err
	}
	s.State, s.Updated, r.data["obj"] = ActRefused, w.now.Unix(), s.object()
	if err := w.stampNext(s); err != nil {
		return err
	}
	return w.Activations.Update(s)
}

// countGuard counts one failure of an authenticator, and raises the alarm. It
// fills the refusal's audit data.
func (w *work) countGuard(a *Authenticator, alarm bool, data audit.Data) error {
	g, err := w.m.guard(w.Tx, a, false)
	if err != nil {
		return err
	}
	g.fail(w.now.Unix(), w.m.cfg.LockoutLimit, int64(w.m.cfg.LockoutTime.Seconds()))
	if alarm {
		g.Alarm = AlarmCopy
		n := &Notice{Signer: g.Signer, Kind: NoticeAlarm, Credential: g.Credential, Created: w.now.Unix()}
		if err := errors.Join(w.stampNext(n), w.Notices.Insert(n)); err != nil {
			return err
		}
	}
	data["guard"], data["failures"], data["locked"] = g.object(), g.Failures, g.locked(w.now.Unix())
	data["authenticator"] = b64(g.Credential)
	if err := w.stampNext(g); err != nil {
		return err
	}
	if err := w.Guards.Update(g); err != nil {
		return err
	}
	return w.note(noteOf(g))
}

// stampNext seals r as changed by the next record, which is the refusal's own:
// nothing comes between, since functions of one store never run at the same time.
func (w *work) stampNext(r record) error {
	next, err := w.next()
	if err != nil {
		return err
	}
	w.stamp(r, next)
	return nil
}

// Lift ends a lockout, and the alarm that a copy exists (officer; never sspu,
// AFL-02). An alarm is lifted only when it was found to be none: else the
// authenticator is to be removed.
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
			if err != nil {
				return notFound(err, sap.ReasonAuthenticator)
			}
			if err := m.verified(w.Tx, a, false); err != nil {
				return err
			}
			if a.Signer != signer {
				return sap.ReasonAuthenticator
			}
			g, err := m.guard(w.Tx, a, false)
			if err != nil {
				return err
			}
			seq, err := w.log(EventLifted, audit.OK, "", audit.Data{"guard": g.object(), "signer": signer, "why": why, "alarm": g.Alarm})
			if err != nil {
				return err
			}
			g.Failures, g.LockedUntil, g.Alarm = 0, 0, ""
			w.stamp(g, seq)
			w.noteLater(noteOf(g))
			return w.Guards.Update(g)
		})
	}()
	if err != nil {
		return m.refuse(ctx, c, string(OpLift), err, audit.Data{"signer": clip(signer, sap.MaxIDLen)})
	}
	return nil
}
