package sam

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"time"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
)

const (
	codeLen       = 20 // octets of an enrolment code: 160 bits
	enrolmentLife = 10 * time.Minute
	maxBegun      = 50 // registration requests of one enrolment
)

// Code opens an enrolment. Code is shown once and goes to the signer by a way
// that the SSA does not see.
type Code struct {
	ID, Code string
	Expires  int64
}

// OpenEnrolment lets a signer enrol one authenticator (officer). It closes any
// other open enrolment of the signer. A signer who has an authenticator or a key
// is refused: a change is a different procedure (BeginChange), and so is recovery
// (DecideRecovery) (ENR-04).
func (m *Module) OpenEnrolment(ctx context.Context, c Caller, signer string) (*Code, error) {
	if err := m.admit(ctx, c, OpEnrolOpen); err != nil {
		return nil, err
	}
	out, key, err := m.newCode()
	if err == nil {
		err = m.update(ctx, c, func(w *work) error {
			if err := m.mayEnrol(w, signer); err != nil {
				return err
			}
			if err := w.closeOpen(signer); err != nil {
				return err
			}
			out.Expires = w.now.Add(m.cfg.CodeLifetime).Unix()
			hidden, err := m.seal.hide(m.draw, key, "enrolment:"+out.ID)
			if err != nil {
				return err
			}
			e := &Enrolment{
				ID: out.ID, Signer: signer, Code: hidden, State: EnrolOpen, Created: w.now.Unix(), Expires: out.Expires,
			}
			seq, err := w.log(EventEnrolOpened, audit.OK, "", audit.Data{"obj": e.object(), "signer": signer, "expires": e.Expires})
			if err != nil {
				return err
			}
			w.stamp(e, seq)
			return w.Enrolments.Insert(e)
		})
	}
	if err != nil {
		return nil, m.refuse(ctx, c, string(OpEnrolOpen), err, audit.Data{"signer": clip(signer, sap.MaxIDLen)})
	}
	return out, nil
}

// newCode draws a one-time code and the id of its enrolment, and derives the key
// that verifies the code.
func (m *Module) newCode() (*Code, []byte, error) {
	secret := make([]byte, codeLen)
	if err := m.draw(secret); err != nil {
		return nil, nil, err
	}
	id, err := m.enrolmentID()
	if err != nil {
		return nil, nil, err
	}
	out := &Code{ID: id, Code: sap.B64(secret)}
	key, err := sap.CodeKey(out.Code)
	return out, key, err
}

// enrolmentID is 16 random octets in B64 that are a ValidID too. It is the "rid"
// of the registration request, by which the signer's device sees that the offer
// is for the enrolment of its link.
func (m *Module) enrolmentID() (string, error) {
	for {
		raw := make([]byte, sap.SessionLen)
		if err := m.draw(raw); err != nil {
			return "", err
		}
		if id := sap.B64(raw); sap.ValidID(id) {
			return id, nil
		}
	}
}

// mayEnrol tells whether the signer may get the one authenticator.
func (m *Module) mayEnrol(w *work, signer string) error {
	s, err := m.signerRecord(w.Tx, signer, false)
	if err != nil {
		return err
	}
	auths, err := m.authenticators(w.Tx, signer, false)
	if err != nil {
		return err
	}
	keys, err := w.Credentials.BySigner(signer)
	if err != nil {
		return err
	}
	if s.State != SignerCreated || len(auths) != 0 || len(keys) != 0 {
		return fmt.Errorf("%w: signer has an authenticator or a key", sap.ReasonState)
	}
	return nil
}

func (w *work) closeOpen(signer string) error {
	ids, err := w.Enrolments.OpenOf(signer)
	if err != nil {
		return err
	}
	for _, id := range ids {
		e, err := w.m.enrolment(w, id)
		if err != nil {
			return err
		}
		if err := w.closeEnrolment(e, EnrolClosed, EventEnrolClosed, sap.ReasonEnrolment); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) closeEnrolment(e *Enrolment, state, event string, why sap.Reason) error {
	seq, err := w.log(event, audit.OK, why, audit.Data{"obj": e.object(), "signer": e.Signer})
	if err != nil {
		return err
	}
	e.State, e.Code, e.Halves = state, nil, nil // the secret is gone with the permission
	w.stamp(e, seq)
	return w.Enrolments.Update(e)
}

// enrolment reads one, whatever its state.
func (m *Module) enrolment(w *work, id string) (*Enrolment, error) {
	e, err := w.Enrolments.Get(id)
	if err != nil {
		return nil, notFound(err, sap.ReasonEnrolment)
	}
	return e, m.verified(w.Tx, e, false)
}

// openOne reads an enrolment that is open and not expired.
func (m *Module) openOne(w *work, id string) (*Enrolment, error) {
	e, err := m.enrolment(w, id)
	if err != nil {
		return nil, err
	}
	if e.State != EnrolOpen || w.now.Unix() >= e.Expires || e.Seq < m.condition().Restored { // a restore may bring a used one back (BKP-03)
		return nil, fmt.Errorf("%w: state %s", sap.ReasonEnrolment, e.State)
	}
	return e, nil
}

// BeginEnrolment issues the signed registration request of an open enrolment
// (sspu). A new one voids the older.
func (m *Module) BeginEnrolment(ctx context.Context, c Caller, id string) (sap.Signed, error) {
	if err := m.admit(ctx, c, OpEnrolBegin); err != nil {
		return sap.Signed{}, err
	}
	var signed sap.Signed
	err := m.update(ctx, c, func(w *work) error {
		e, err := m.openOne(w, id)
		if err != nil {
			return err
		}
		if !e.byCode() {
			return fmt.Errorf("%w: a change is approved by an authenticator, not by a code", sap.ReasonEnrolment)
		}
		if e.Begun >= maxBegun {
			return fmt.Errorf("%w: too many registration requests", sap.ReasonEnrolment)
		}
		s, err := m.signerRecord(w.Tx, e.Signer, false)
		if err != nil {
			return err
		}
		req, err := m.registrationRequest(e, s, w.now)
		if err != nil {
			return err
		}
		if signed, err = m.say(sap.LabelRegistration, req); err != nil {
			return err
		}
		if e.Statement, err = sap.UnB64(signed.Statement); err != nil {
			return err
		}
		e.Begun++
		seq, err := w.log(EventEnrolBegun, audit.OK, "", audit.Data{"obj": e.object(), "signer": e.Signer})
		if err != nil {
			return err
		}
		w.stamp(e, seq)
		return w.Enrolments.Update(e)
	})
	if err != nil {
		return sap.Signed{}, m.refuse(ctx, c, string(OpEnrolBegin), err, audit.Data{"enrolment": clip(id, 64)})
	}
	return signed, nil
}

func (m *Module) registrationRequest(e *Enrolment, s *Signer, now time.Time) (*sap.RegistrationRequest, error) {
	nonce := make([]byte, sap.NonceLen)
	if err := m.draw(nonce); err != nil {
		return nil, err
	}
	return &sap.RegistrationRequest{
		Type: sap.TypeRegistration, Audience: m.audience, ID: e.ID, Nonce: sap.B64(nonce), Signer: e.Signer, Display: s.Name,
		Origin: m.cfg.Origin, RPID: m.cfg.RPID, IssuedAt: now.Unix(), Expires: min(now.Add(enrolmentLife).Unix(), e.Expires),
	}, nil
}

// Enrolled tells what an enrolment led to.
type Enrolled struct {
	Signer     string
	Credential string // base64url
}

// errWrongCode marks a wrong proof, which counts against the enrolment.
var errWrongCode = errors.New("sam: wrong code proof")

// FinishEnrolment checks the device's answer and enrols the authenticator
// (sspu). The SSA relays it but cannot make one: it lacks the officer's code,
// and the proof covers the authenticator's key (T21, CRY-05).
func (m *Module) FinishEnrolment(ctx context.Context, c Caller, id string, registration []byte) (*Enrolled, error) {
	if err := m.admit(ctx, c, OpEnrolFinish); err != nil {
		return nil, err
	}
	data := audit.Data{"enrolment": clip(id, 64)}
	reg, err := sap.DecodeRegistration(registration)
	var out *Enrolled
	if err == nil {
		err = m.update(ctx, c, func(w *work) error {
			out, err = m.finishEnrolment(w, id, reg)
			return err
		})
	}
	if errors.Is(err, errWrongCode) {
		return nil, m.refuse(ctx, c, string(OpEnrolFinish), err, data, func(w *work) error { return m.countWrongCode(w, id, data) })
	}
	if err != nil {
		return nil, m.refuse(ctx, c, string(OpEnrolFinish), err, data)
	}
	return out, nil
}

func (m *Module) finishEnrolment(w *work, id string, reg *sap.Registration) (*Enrolled, error) {
	e, err := m.openOne(w, id)
	if err != nil {
		return nil, err
	}
	if !e.byCode() {
		return nil, fmt.Errorf("%w: a change is approved by an authenticator, not by a code", sap.ReasonEnrolment)
	}
	var req sap.RegistrationRequest
	if err := jcs.Unmarshal(e.Statement, &req); err != nil {
		return nil, fmt.Errorf("%w: no registration request was issued", sap.ReasonEnrolment)
	}
	if req.Audience != m.audience || w.now.Unix() >= req.Expires {
		return nil, fmt.Errorf("%w: the registration request is not valid any more", sap.ReasonExpired)
	}
	object, clientData, err := m.checkCode(e, reg)
	if err != nil {
		return nil, err
	}
	a, err := m.enrolled(w, e, &req, object, clientData)
	if err != nil {
		return nil, err
	}
	if err := w.enrol(e, a); err != nil {
		return nil, err
	}
	return &Enrolled{Signer: e.Signer, Credential: b64(a.Credential)}, nil
}

// byCode tells whether a code opens the enrolment: the first one and a recovery.
func (r *Enrolment) byCode() bool { return r.Kind == "" || r.Kind == EnrolProofing }

// enrolled checks who may get an authenticator, and the authenticator: the same for
// a first enrolment and a recovery, which is never weaker (ENR-06).
func (m *Module) enrolled(w *work, e *Enrolment, req *sap.RegistrationRequest, object, clientData []byte) (*Authenticator, error) {
	var err error
	if e.Kind == EnrolProofing {
		err = m.mayRecover(w, e)
	} else {
		err = m.mayEnrol(w, e.Signer)
	}
	if err != nil {
		return nil, err
	}
	nonce, err := sap.UnB64(req.Nonce)
	if err != nil {
		return nil, fmt.Errorf("%w: nonce", err)
	}
	challenge, err := sap.RegistrationChallenge(nonce, e.Statement)
	if err != nil {
		return nil, err
	}
	a, err := m.checkRegistration(challenge, object, clientData)
	if err != nil {
		return nil, err
	}
	a.Signer, a.Created, a.Via = e.Signer, w.now.Unix(), ViaCode
	if e.Kind == EnrolProofing {
		a.Via, a.UsableFrom = ViaProofing, w.cooled()
	}
	return a, nil
}

// checkCode verifies the proof of the one-time code over exactly this
// attestation object and client data. It comes before anything is parsed.
func (m *Module) checkCode(e *Enrolment, reg *sap.Registration) (object, clientData []byte, err error) {
	if object, err = sap.UnB64(reg.AttestationObject); err != nil {
		return nil, nil, fmt.Errorf("%w: attestationObject", err)
	}
	if clientData, err = sap.UnB64(reg.ClientDataJSON); err != nil {
		return nil, nil, fmt.Errorf("%w: clientDataJSON", err)
	}
	proof, err := sap.UnB64(reg.CodeProof)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: codeProof", err)
	}
	key, err := m.seal.reveal(e.Code, "enrolment:"+e.ID)
	if err != nil {
		return nil, nil, err
	}
	defer clear(key)
	if !hmac.Equal(proof, sap.CodeProof(key, e.Statement, object, clientData)) {
		return nil, nil, fmt.Errorf("%w: %w", sap.ReasonEnrolCode, errWrongCode)
	}
	return object, clientData, nil
}

// countWrongCode closes an enrolment after too many wrong proofs.
func (m *Module) countWrongCode(w *work, id string, data audit.Data) error {
	e, err := m.openOne(w, id)
	if errors.Is(err, sap.ReasonEnrolment) {
		return nil // ended meanwhile: there is nothing to count, and the refusal is recorded (AUD-02)
	}
	if err != nil {
		return err
	}
	e.Wrong++
	if e.Wrong >= int64(m.cfg.WrongCodes) {
		e.State, e.Code, e.Halves = EnrolClosed, nil, nil
	}
	data["obj"], data["wrong"], data["state"] = e.object(), e.Wrong, e.State
	next, err := w.next()
	if err != nil {
		return err
	}
	w.stamp(e, next) // the refusal's own record
	return w.Enrolments.Update(e)
}

// enrol writes authenticator, guard, signer and enrolment in one transaction, and
// after a recovery the notice of it.
func (w *work) enrol(e *Enrolment, a *Authenticator) error {
	if err := w.unknown(a.Credential); err != nil {
		return err
	}
	seq, err := w.insertAuthenticator(EventEnrolled, a, audit.Data{})
	if err != nil {
		return err
	}
	if e.Kind == EnrolProofing {
		n := &Notice{Signer: a.Signer, Kind: NoticeAdded, Credential: a.Credential, Until: a.UsableFrom, Created: w.now.Unix()}
		w.stamp(n, seq)
		if err := w.Notices.Insert(n); err != nil {
			return err
		}
		if err := w.rebind(a.Signer); err != nil {
			return err
		}
	}
	return w.closeEnrolment(e, EnrolUsed, EventEnrolDone, "")
}
