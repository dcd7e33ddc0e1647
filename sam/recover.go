package sam

import (
	"context"
	"errors"
	"fmt"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// Recovery of a signer who has no authenticator any more (ENR-06). Two officers
// decide it after the person was proofed again. It is never weaker than the first
// enrolment: the same name, a new proofing record, the policy of enrolment for the
// new authenticator, a one-time code of which each officer has one half, and a
// cooling time. And it does not hand over what the lost authenticators protected:
// the old keys are destroyed with the decision, so that no two officers, whatever
// else they control, can sign with the key of a signer. He gets a new key and a
// new certificate, as at his first enrolment.

// DecideRecovery is the kind of decision; its argument is Recovery.
const DecideRecovery = "signer_recovery"

// Events of recovery.
const (
	EventReproofed = "signer_reproofed"
	EventHalf      = "recovery_half_given"
)

// halfLen is the length of one half of a recovery code. One half alone leaves 144
// bits to guess; its length is a multiple of three, so that the B64 forms of the
// halves, one after the other, are the B64 form of the code.
const halfLen = 18

// Recovery is the argument of the decision signer_recovery.
type Recovery struct {
	Signer string `json:"signer"`
	Name   string `json:"name"`  // as proofed now; the signer's record must say the same
	Proof  string `json:"proof"` // reference of the new proofing record (ENR-01)
	Why    string `json:"why"`
}

func checkRecovery(w *work, args []byte) error {
	_, _, err := w.recoverable(args)
	return err
}

func (w *work) recoverable(args []byte) (Recovery, *Signer, error) {
	in, err := decodeArgs[Recovery](args)
	if err != nil {
		return in, nil, err
	}
	if in.Proof == "" || !sap.Displayable(in.Proof) || in.Why == "" || !sap.Displayable(in.Why) {
		return in, nil, fmt.Errorf("%w: a proofing record and a reason are needed", sap.ReasonInvalid)
	}
	s, list, err := w.owned(in.Signer)
	if err != nil {
		return in, nil, err
	}
	switch {
	case s.State != SignerEnrolled:
		return in, nil, fmt.Errorf("%w: signer is %s: this is a first enrolment", sap.ReasonState, s.State)
	case len(list) != 0:
		return in, nil, fmt.Errorf("%w: signer has %d; let him use one, or revoke what is lost first", sap.ReasonLive, len(list))
	case in.Name != s.Name:
		return in, nil, fmt.Errorf("%w: another name than the signer's record has", sap.ReasonName)
	case in.Proof == s.Proof:
		return in, nil, fmt.Errorf("%w: %s is the proofing of before", sap.ReasonProofing, s.Proof)
	}
	return in, s, nil
}

// applyRecovery ends the old keys and opens the enrolment (ENR-06). Both officers get their
// halves afterwards, each by himself (GiveHalf).
func applyRecovery(w *work, by [2]Caller, args []byte) (audit.Data, error) {
	in, s, err := w.recoverable(args)
	if err != nil {
		return nil, err
	}
	if err := w.closeOpen(s.ID); err != nil {
		return nil, err
	}
	n, err := w.endKeys(s.ID, CauseAuthenticator, in.Why)
	if err != nil {
		return nil, err
	}
	before := s.Proof
	s.Proof = in.Proof
	seq, err := w.log(EventReproofed, audit.OK, "", audit.Data{"obj": s.object(), "signer": s.ID, "proof": s.Proof, "before": before, "keys": n, "why": in.Why})
	if err != nil {
		return nil, err
	}
	w.stamp(s, seq)
	notice := &Notice{Signer: s.ID, Kind: NoticeProofing, Created: w.now.Unix()}
	w.stamp(notice, seq)
	if err := errors.Join(w.Signers.Update(s), w.Notices.Insert(notice)); err != nil {
		return nil, err
	}
	e, err := w.openRecovery(s.ID, by)
	if err != nil {
		return nil, err
	}
	return audit.Data{"enrolment": e.ID}, nil
}

func (w *work) openRecovery(signer string, by [2]Caller) (*Enrolment, error) {
	id, err := w.m.enrolmentID()
	if err != nil {
		return nil, err
	}
	code := make([]byte, 2*halfLen)
	defer clear(code)
	if err := w.m.draw(code); err != nil {
		return nil, err
	}
	key, err := sap.CodeKey(sap.B64(code))
	if err != nil {
		return nil, err
	}
	defer clear(key)
	e := &Enrolment{
		ID: id, Signer: signer, State: EnrolOpen, Created: w.now.Unix(), Expires: w.now.Add(w.m.cfg.CodeLifetime).Unix(),
		Kind: EnrolProofing, First: by[0].Identity, Second: by[1].Identity,
	}
	if e.Code, err = w.m.seal.hide(w.m.draw, key, e.object()); err != nil {
		return nil, err
	}
	if e.Halves, err = w.m.seal.hide(w.m.draw, code, e.halvesName()); err != nil {
		return nil, err
	}
	seq, err := w.log(EventEnrolOpened, audit.OK, "", audit.Data{
		"obj": e.object(), "signer": signer, "expires": e.Expires, "kind": e.Kind, "first": e.First, "second": e.Second,
	})
	if err != nil {
		return nil, err
	}
	w.stamp(e, seq)
	return e, w.Enrolments.Insert(e)
}

func (r *Enrolment) halvesName() string { return "halves:" + r.ID }

// Half is one half of a recovery code. It is given once, to its officer; the code
// is the first half followed by the second.
type Half struct {
	ID, Signer string // of the enrolment
	No         int    // 1 or 2
	Half       string
	Expires    int64
}

// GiveHalf gives the calling officer his half of the code of a signer's open
// recovery, once. Nobody gets both: an officer has one half alone, and each goes to
// the signer by its own way (ENR-06).
func (m *Module) GiveHalf(ctx context.Context, c Caller, signer string) (*Half, error) {
	if err := m.admit(ctx, c, OpHalf); err != nil {
		return nil, err
	}
	var out *Half
	err := m.update(ctx, c, func(w *work) error {
		if _, err := w.officer(c); err != nil {
			return err
		}
		e, err := w.recovery(signer)
		if err != nil {
			return err
		}
		out, err = w.giveHalf(e)
		return err
	})
	if err != nil {
		return nil, m.refuse(ctx, c, string(OpHalf), err, audit.Data{"signer": clip(signer, sap.MaxIDLen)})
	}
	return out, nil
}

// recovery finds a signer's open recovery.
func (w *work) recovery(signer string) (*Enrolment, error) {
	if _, err := w.m.signerRecord(w.Tx, signer, false); err != nil {
		return nil, err
	}
	open, err := w.Enrolments.OpenOf(signer)
	if err != nil {
		return nil, err
	}
	for _, id := range open {
		e, err := w.m.openOne(w, id)
		if err != nil {
			return nil, err
		}
		if e.Kind == EnrolProofing {
			return e, nil
		}
	}
	return nil, fmt.Errorf("%w: no recovery was decided", sap.ReasonEnrolment)
}

func (w *work) giveHalf(e *Enrolment) (*Half, error) {
	var no int
	switch w.caller.Identity {
	case e.First:
		no = 1
	case e.Second:
		no = 2
	default:
		return nil, fmt.Errorf("%w: the recovery was decided by %s and %s", sap.ReasonSecond, e.First, e.Second)
	}
	bit := int64(1) << (no - 1)
	if e.Taken&bit != 0 {
		return nil, fmt.Errorf("%w: half %d was given already", sap.ReasonState, no)
	}
	code, err := w.m.seal.reveal(e.Halves, e.halvesName())
	if err != nil {
		return nil, err
	}
	defer clear(code)
	if len(code) != 2*halfLen {
		return nil, fmt.Errorf("%w: halves of %s", sap.ReasonSeal, e.object())
	}
	part := code[(no-1)*halfLen : no*halfLen]
	out := &Half{ID: e.ID, Signer: e.Signer, No: no, Half: sap.B64(part), Expires: e.Expires}
	clear(part) // what was given is kept nowhere
	e.Taken |= bit
	if e.Halves, err = w.m.seal.hide(w.m.draw, code, e.halvesName()); err != nil {
		return nil, err
	}
	if e.Taken == 3 {
		e.Halves = nil
	}
	seq, err := w.log(EventHalf, audit.OK, "", audit.Data{"obj": e.object(), "signer": e.Signer, "half": no})
	if err != nil {
		return nil, err
	}
	w.stamp(e, seq)
	return out, w.Enrolments.Update(e)
}

// mayRecover is mayEnrol for a recovery (ENR-06): there is still no authenticator, and both
// who decided it are still officers.
func (m *Module) mayRecover(w *work, e *Enrolment) error {
	s, list, err := w.owned(e.Signer)
	if err != nil {
		return err
	}
	if s.State != SignerEnrolled || len(list) != 0 {
		return fmt.Errorf("%w: signer has %d authenticators", sap.ReasonLive, len(list))
	}
	for _, name := range []string{e.First, e.Second} {
		r, err := w.identity(name)
		if err != nil {
			return err
		}
		if r.State != IdentityActive || r.Role != RoleOfficer {
			return fmt.Errorf("%w: %s, who decided it, is no officer any more", sap.ReasonSecond, name)
		}
	}
	return nil
}

// anchorKeys tells what is outside the database of keys that a decision destroyed.
func anchorKeys(ctx context.Context, m *Module, _ []byte) error {
	m.anchorNow(ctx)
	return nil
}
