package sam

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// Event types of the audit chain (AUD-01, AUD-02); audit.TypeStart is record 0.
// Refused operations are recorded under the operation's name.
const (
	EventStart         = "module_start"
	EventStop          = "module_stop"
	EventRestore       = "restore_accepted"
	EventUnclean       = "unclean_stop_found"    // the last run ended without its stop record: a crash, or power
	EventConfig        = "configuration_changed" // by two officers (PRV-03), or by nobody in the demo profile
	EventCondition     = "condition_recorded"    // first start: the configuration that counts as approved
	EventSelfTest      = "self_test"
	EventClosed        = "module_closed"      // secure state (FPT-03)
	EventReopened      = "module_reopened"    // by an officer, after a passed self-test
	EventForeign       = "database_changed"   // alarm: somebody else has written to the database (T33)
	EventClockDoubt    = "clock_in_doubt"     // a second source of time contradicts the clock, or is silent (TIM-01)
	EventClockSure     = "clock_trusted"      // they agree again
	EventClockSet      = "clock_accepted"     // after a step: an officer says that it is right now
	EventAnchorLost    = "anchor_not_written" // the file beside the database cannot be replaced: an old copy put back would not show (KPR-03)
	EventAnchorKept    = "anchor_written"     // it can again
	EventAlarm         = "alarm"              // see alarmRows (AUD-09)
	EventDowngrade     = "downgrade_allowed"  // two officers: an older release may start next (FPT-06)
	EventCeremony      = "ceremony_held"      // first officers and everyone else of the start (ROL-06)
	EventSigner        = "signer_created"
	EventEnrolOpened   = "enrolment_opened"
	EventEnrolBegun    = "enrolment_begun"
	EventEnrolled      = "authenticator_enrolled"
	EventEnrolDone     = "enrolment_used"
	EventEnrolClosed   = "enrolment_closed"
	EventKeyIntent     = "key_generation_intent" // before the token makes a key: two uses are allowed, both over bytes of the module
	EventKey           = "key_generated"
	EventLinked        = "certificate_linked"
	EventPermission    = "raw_permission_set"
	EventSuspended     = "key_suspended"
	EventResumed       = "key_resumed"
	EventRetired       = "key_retired" // revoked, until two officers destroy it; or expired: its destruction is the next record
	EventDestroyed     = "key_destroyed"
	EventOnceRequested = "one_time_requested"
	EventOnceApproved  = "one_time_approved" // the signer's assertion; the key comes after it
	EventOnceBound     = "one_time_bound"    // to its one session
	EventOnceUsed      = "one_time_used"     // with its session's reservation: the key has left the memory
	EventVoided        = "activation_voided" // the key was taken out of use before the approval came
	EventLifted        = "lockout_lifted"
	EventRequested     = "activation_requested"
	EventReserved      = "activation_reserved" // the intent: what may be signed from here on
	EventSigned        = "activation_consumed"
	EventWithheld      = "activation_withheld" // burnt: a signature may exist and is never released
	EventReleased      = "activation_released" // the key use never began
	EventAuditRead     = "audit_read"
)

// work is a transaction that writes audit records.
type work struct {
	*Tx
	m       *Module
	caller  Caller
	now     time.Time
	changed []change
	logged  []seen        // what this transaction recorded, for alarms
	newest  *audit.Signed // checkpoint that this transaction made
	head    audit.Head    // last record that this transaction appended
	later   []note        // for the list of failures, once this is durable
}

// change is a sealed record that a transaction changed.
type change struct {
	object string
	seq    int64
}

// stamp seals r as changed by audit record seq.
func (w *work) stamp(r record, seq int64) { w.stampUnder(w.m.seal.now.Load().records, r, seq) }

// stampUnder is stamp under another epoch: that of the seals that the record changes to.
func (w *work) stampUnder(k *epochSeal, r record, seq int64) {
	stampUnder(k, r, seq)
	if o := r.object(); o != "" {
		w.changed = append(w.changed, change{o, seq})
	}
}

// log appends a record in the transaction of the act (AUD-01, AUD-02, AUD-06) and
// returns its number. A record that tells of a change of a sealed record names it as "obj" (a guard as "guard").
func (w *work) log(event, outcome string, reason sap.Reason, data audit.Data) (int64, error) {
	r, err := w.record(event, outcome, reason, data)
	return r.Seq, err
}

func (w *work) record(event, outcome string, reason sap.Reason, data audit.Data) (audit.Record, error) {
	if err := w.due(); err != nil {
		return audit.Record{}, err
	}
	r, err := audit.Append(w.Audit, w.now, audit.Entry{
		Type: event, Actor: w.caller.actor(), Outcome: outcome, Reason: string(reason), Data: data,
	})
	if err == nil {
		w.head = audit.Head{Seq: r.Seq, Hash: r.Hash}
		w.logged = append(w.logged, sight(r, data))
	}
	return r, err
}

func (c Caller) actor() string {
	if c.Identity == "" {
		return "samd"
	}
	return string(c.Role) + ":" + clip(c.Identity, 128)
}

// self is the module as an actor.
func self() Caller { return Caller{} }

// update runs fn in a durable transaction. Errors that carry no reason come from
// the store.
func (m *Module) update(ctx context.Context, c Caller, fn func(*work) error) error {
	m.keyMu.RLock()
	defer m.keyMu.RUnlock()
	return m.commit(ctx, c, fn)
}

// commit is update for a caller that holds keyMu.
func (m *Module) commit(ctx context.Context, c Caller, fn func(*work) error) error {
	w := &work{m: m, caller: c, now: m.clock.Now()}
	err := m.store.Update(ctx, func(tx *Tx) error {
		w.Tx, w.logged = tx, nil // a shared transaction that failed is run again
		if err := m.recheck(tx); err != nil {
			return err
		}
		return fn(w)
	})
	for _, ch := range w.changed {
		if err != nil {
			m.floors.drop(ch.object) // it may have been written all the same
		} else {
			m.floors.raise(ch.object, ch.seq)
		}
	}
	if err != nil {
		return storeError(err)
	}
	if w.newest != nil {
		m.newest.Store(w.newest)
	}
	if w.head.Hash != nil {
		m.seen(w.head)
	}
	m.writeNotes(w.later)
	m.dirty.Store(true)
	m.alarms.see(w.logged...)
	return nil
}

// view reads committed data. A snapshot that was taken just before a commit of
// which the module knows already is taken again.
func (m *Module) view(ctx context.Context, fn func(*Tx) error) error {
	var err error
	for range 10 {
		err = m.store.View(ctx, fn)
		if !errors.Is(err, errStale) {
			return storeError(err)
		}
	}
	return fmt.Errorf("%w: %w", sap.ReasonSeal, err)
}

// errStale: a row fits the audit chain as it is read, but the module has seen a
// later change of it: an old snapshot, or a database put back while it is open.
var errStale = errors.New("sam: the database shows an older state than the module has written")

// storeError gives a reason to errors that have none.
func storeError(err error) error {
	var r sap.Reason
	if err == nil || errors.As(err, &r) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) {
		return err
	}
	return fmt.Errorf("%w: %w", sap.ReasonStore, err)
}

// refuse records why a request was refused (I8: one record each) and returns
// what the caller gets. more may change records in the same transaction.
func (m *Module) refuse(ctx context.Context, c Caller, event string, cause error, data audit.Data, more ...func(*work) error) error {
	reason := reasonOf(cause)
	outcome := audit.Refused
	if reason == sap.ReasonStore || reason == sap.ReasonToken {
		outcome = audit.Error
	}
	data["detail"] = detail(cause)
	ref := int64(-1)
	err := m.update(context.WithoutCancel(ctx), c, func(w *work) error {
		for _, fn := range more {
			if err := fn(w); err != nil {
				return err
			}
		}
		var err error
		ref, err = w.log(event, outcome, reason, data)
		return err
	})
	if err != nil {
		m.logger.Error("samd: a refusal could not be recorded", "event", event, "reason", string(reason), "err", err)
		return &Refusal{Reason: sap.ReasonStore, Ref: -1, Err: errors.Join(cause, err)}
	}
	m.logger.Info("samd: refused", "event", event, "caller", c.actor(), "reason", string(reason), "ref", ref)
	return &Refusal{Reason: reason, Ref: ref, Err: cause}
}

// UnknownRequest is the type of the record of a request that names no operation.
const UnknownRequest = "unknown_request"

// errUnreadable says no more: what could not be read may hold anything (AUD-04).
var errUnreadable = fmt.Errorf("%w: the request cannot be read", sap.ReasonInvalid)

// Unreadable records the attempt of a caller whose request cannot be read, or names no
// operation (op ""), and returns the refusal: every attempt is on record (AUD-02), and
// who may not do the operation learns that and nothing else.
func (m *Module) Unreadable(ctx context.Context, c Caller, op Op) error {
	if op == "" {
		return m.refuse(ctx, c, UnknownRequest, errUnreadable, audit.Data{})
	}
	if err := m.admit(ctx, c, op); err != nil {
		return err
	}
	return m.refuse(ctx, c, string(op), errUnreadable, audit.Data{})
}

func reasonOf(err error) sap.Reason {
	var r sap.Reason
	switch {
	case errors.As(err, &r):
		return r
	case errors.Is(err, ErrNotFound):
		return sap.ReasonInvalid
	case errors.Is(err, ErrConflict):
		return sap.ReasonExists
	}
	return sap.ReasonStore
}

// detail is the cause in a form that is safe to keep: bounded, one line.
func detail(err error) string { return printable(err.Error()) }

// printable is what is left of a text that anybody may have written.
func printable(text string) string {
	s := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	return clip(s, 200)
}

func clip(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "")
	}
	return s
}
