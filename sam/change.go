package sam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
)

// Bounds of a signer's authenticators.
const (
	maxAuthenticators = 10
	changeLife        = 10 * time.Minute
)

// Events of changes of a signer's authenticators (ENR-04).
const (
	EventChangeBegun    = "authenticator_change_begun"
	EventChangeApproved = "authenticator_change_approved" // by an assertion of an old one
	EventAdded          = "authenticator_added"
	EventRemoved        = "authenticator_removed" // by the signer
	EventAuthRevoked    = "authenticator_revoked" // by an officer
	EventRebound        = "key_rebound"           // to the signer's authenticators as they are now
)

// AskChange is what a signer wants to do to his authenticators.
type AskChange struct {
	Signer string
	Action string // sap.ActionAdd, sap.ActionRemove
	Target string // credential id to be removed, base64url; "" for an addition
}

// Changed tells what a change led to.
type Changed struct {
	Signer     string
	Action     string
	Credential string // base64url: added or removed
	UsableFrom int64  // of an added one
}

// BeginChange issues the module's signed offer of one change (sspu). Nothing
// changes without the assertion of an authenticator that the signer has; a new
// offer voids the older ones (ENR-04).
func (m *Module) BeginChange(ctx context.Context, c Caller, in AskChange) (sap.Signed, error) {
	if err := m.admit(ctx, c, OpChangeBegin); err != nil {
		return sap.Signed{}, err
	}
	var signed sap.Signed
	id, err := m.enrolmentID()
	if err == nil {
		err = m.update(ctx, c, func(w *work) error {
			req, err := w.offerChange(in)
			if err != nil {
				return err
			}
			if err := w.closeOpen(in.Signer); err != nil {
				return err
			}
			req.ID = id
			if signed, err = m.say(sap.LabelChange, req); err != nil {
				return err
			}
			return w.openChange(req, signed)
		})
	}
	if err != nil {
		return sap.Signed{}, m.refuse(ctx, c, string(OpChangeBegin), err,
			audit.Data{"signer": clip(in.Signer, sap.MaxIDLen), "action": clip(in.Action, 16), "target": clip(in.Target, 64)})
	}
	return signed, nil
}

// offerChange composes the statement: what will happen, and who may approve it.
func (w *work) offerChange(in AskChange) (*sap.ChangeRequest, error) {
	m := w.m
	s, list, err := w.owned(in.Signer)
	if err != nil {
		return nil, err
	}
	if s.State != SignerEnrolled {
		return nil, fmt.Errorf("%w: signer is %s", sap.ReasonState, s.State)
	}
	usable, err := w.usableNow(list)
	if err != nil {
		return nil, err
	}
	req := &sap.ChangeRequest{
		Type: sap.TypeChange, Audience: m.audience, Signer: s.ID, Display: s.Name, Action: in.Action, Target: in.Target,
		Credentials: ids(usable), Enrolled: ids(list), Origin: m.cfg.Origin, RPID: m.cfg.RPID,
		Cooling: int64(max(0, m.cfg.CoolingTime) / time.Second), IssuedAt: w.now.Unix(), Expires: w.now.Add(changeLife).Unix(),
	}
	switch in.Action {
	case sap.ActionAdd:
		if in.Target != "" {
			return nil, fmt.Errorf("%w: an addition has no target", sap.ReasonInvalid)
		}
		if len(list) >= maxAuthenticators {
			return nil, fmt.Errorf("%w: signer has %d authenticators", sap.ReasonTooMany, len(list))
		}
	case sap.ActionRemove:
		if _, err := removable(list, usable, in.Target); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%w: action %q", sap.ReasonInvalid, clip(in.Action, 16))
	}
	nonce := make([]byte, sap.NonceLen)
	if err := m.draw(nonce); err != nil {
		return nil, err
	}
	req.Nonce = sap.B64(nonce)
	return req, nil
}

// removable finds the authenticator to be removed; one that can approve now must
// remain, so that nobody is locked out by one approval.
func removable(list, usable []*Authenticator, target string) (*Authenticator, error) {
	id, err := sap.UnB64(target)
	if err != nil {
		return nil, fmt.Errorf("%w: target", err)
	}
	a, err := (&holding{auths: list}).authenticator(id)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(usable, func(u *Authenticator) bool { return string(u.Credential) != string(id) }) {
		return nil, fmt.Errorf("%w: no other one of the signer could approve", sap.ReasonLast)
	}
	return a, nil
}

func ids(list []*Authenticator) []string {
	out := make([]string, len(list))
	for i, a := range list {
		out[i] = sap.B64(a.Credential)
	}
	return out
}

// usableNow are those that could approve now; with none it is the reason of the
// last.
func (w *work) usableNow(list []*Authenticator) ([]*Authenticator, error) {
	err := error(sap.ReasonAuthenticator)
	var out []*Authenticator
	for _, a := range list {
		g, err2 := w.m.guard(w.Tx, a, false)
		if err2 != nil {
			return nil, err2
		}
		if g.locked(w.now.Unix()) {
			err = sap.ReasonLocked
		} else if err = w.m.mayApprove(a, w.now); err == nil {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		return nil, err
	}
	return out, nil
}

// openChange keeps the offer, word by word.
func (w *work) openChange(req *sap.ChangeRequest, signed sap.Signed) error {
	kind := EnrolAddition
	if req.Action == sap.ActionRemove {
		kind = EnrolRemoval
	}
	e := &Enrolment{ID: req.ID, Signer: req.Signer, State: EnrolOpen, Begun: 1, Created: req.IssuedAt, Expires: req.Expires, Kind: kind}
	var err error
	if e.Statement, err = sap.UnB64(signed.Statement); err != nil {
		return err
	}
	if e.Target, err = sap.UnB64(req.Target); err != nil {
		return err
	}
	seq, err := w.log(EventChangeBegun, audit.OK, "", audit.Data{
		"obj": e.object(), "signer": e.Signer, "kind": kind, "target": req.Target, "expires": e.Expires,
	})
	if err != nil {
		return err
	}
	w.stamp(e, seq)
	return w.Enrolments.Insert(e)
}

// FinishChange takes the device's answer to an offer and makes the change, all of
// it in one transaction (sspu). The SSA relays it and cannot make one: the
// assertion covers what was offered and the very registration of the new
// authenticator (ENR-04).
func (m *Module) FinishChange(ctx context.Context, c Caller, id string, answer []byte) (*Changed, error) {
	if err := m.admit(ctx, c, OpChangeFinish); err != nil {
		return nil, err
	}
	x := &changing{m: m, id: id, data: audit.Data{"enrolment": clip(id, 64)}}
	var err error
	if x.in, err = sap.DecodeChange(answer); err == nil {
		err = m.update(ctx, c, x.run)
	}
	switch {
	case err == nil:
		return &x.out, nil
	case x.failed && x.alarm:
		return nil, m.refuse(ctx, c, EventCopy, err, x.data, x.countFailure)
	case x.failed:
		return nil, m.refuse(ctx, c, string(OpChangeFinish), err, x.data, x.countFailure)
	}
	return nil, m.refuse(ctx, c, string(OpChangeFinish), err, x.data)
}

// changing is one run of FinishChange.
type changing struct {
	m    *Module
	id   string
	in   *sap.Change
	data audit.Data
	out  Changed

	e      *Enrolment
	req    sap.ChangeRequest
	list   []*Authenticator
	auth   *Authenticator // that approves
	guard  *Guard
	nonce  []byte
	object []byte // of the new authenticator's registration
	client []byte
	count  uint32
	failed bool // as in redemption
	alarm  bool
}

func (x *changing) run(w *work) error {
	for _, step := range []func(*work) error{x.readOffer, x.readApprover, x.verify} {
		if err := step(w); err != nil {
			return err
		}
	}
	var added *Authenticator
	if x.e.Kind == EnrolAddition {
		var err error
		if added, err = x.register(w); err != nil {
			return err
		}
	}
	if err := x.approved(w); err != nil {
		return err
	}
	if added != nil {
		return x.add(w, added)
	}
	return x.remove(w)
}

// readOffer finds what was offered and reads the answer's octets.
func (x *changing) readOffer(w *work) error {
	var err error
	if x.e, err = x.m.openOne(w, x.id); err != nil {
		return err
	}
	if x.e.Kind != EnrolAddition && x.e.Kind != EnrolRemoval {
		return fmt.Errorf("%w: it is no change of authenticators", sap.ReasonEnrolment)
	}
	if x.e.Seq < x.m.voidBefore.Load() { // FPT-04
		return fmt.Errorf("%w: offered before the module was closed", sap.ReasonEnrolment)
	}
	x.data["signer"], x.data["kind"] = x.e.Signer, x.e.Kind
	if err := jcs.Unmarshal(x.e.Statement, &x.req); err != nil {
		return fmt.Errorf("%w: the offer cannot be read", sap.ReasonSeal)
	}
	if x.req.Audience != x.m.audience {
		return sap.ReasonAudience
	}
	if x.nonce, err = sap.UnB64(x.req.Nonce); err != nil {
		return err
	}
	if x.object, err = sap.UnB64(x.in.AttestationObject); err != nil {
		return fmt.Errorf("%w: attestationObject", err)
	}
	if x.client, err = sap.UnB64(x.in.ClientDataJSON); err != nil {
		return fmt.Errorf("%w: clientDataJSON", err)
	}
	if x.e.Kind == EnrolRemoval && len(x.object)+len(x.client) != 0 {
		return fmt.Errorf("%w: a removal registers nothing", sap.ReasonInvalid)
	}
	return nil
}

// readApprover finds the authenticator that approves: the signer's, not locked,
// not cooling, of a model that may be used.
func (x *changing) readApprover(w *work) error {
	var err error
	if _, x.list, err = w.owned(x.e.Signer); err != nil {
		return err
	}
	id, err := sap.UnB64(x.in.Proof.Credential)
	if err != nil {
		return fmt.Errorf("%w: credential", err)
	}
	if x.auth, err = (&holding{auths: x.list}).authenticator(id); err != nil {
		return err
	}
	if x.guard, err = x.m.guard(w.Tx, x.auth, false); err != nil {
		return err
	}
	if x.guard.locked(w.now.Unix()) {
		return sap.ReasonLocked
	}
	return x.m.mayApprove(x.auth, w.now)
}

// verify judges the assertion. It comes before anything of the new registration is
// parsed. What counts against the authenticator is said at countFailure.
func (x *changing) verify(*work) error {
	key, err := x.m.authKey(x.auth)
	if err != nil {
		return err
	}
	challenge, err := sap.ChangeChallenge(x.nonce, x.e.Statement, x.object, x.client)
	if err != nil {
		return err
	}
	v := x.m.judge(&x.in.Proof, challenge, sap.Authenticator{
		CredentialID: x.auth.Credential, Public: key, BackupEligible: x.auth.BackupEligible, SignCount: uint32(x.guard.SignCount),
	})
	x.count, x.failed = v.Count, v.Err != nil && v.Proven
	if errors.Is(v.Err, sap.ReasonCounter) {
		x.alarm = x.guard.copied(x.e.Seq)
		x.failed = x.alarm
	}
	return v.Err
}

// register checks the new authenticator by the policy of enrolment (ENR-03). It
// counts for no more than the one that vouches for it: else a weak one could make
// a strong one, and reach policies that ask for more than it showed.
func (x *changing) register(w *work) (*Authenticator, error) {
	challenge, err := sap.AdditionChallenge(x.nonce, x.e.Statement)
	if err != nil {
		return nil, err
	}
	a, err := x.m.checkRegistration(challenge, x.object, x.client)
	if err != nil {
		return nil, err
	}
	if err := w.unknown(a.Credential); err != nil {
		return nil, err
	}
	if len(x.list) >= maxAuthenticators {
		return nil, fmt.Errorf("%w: signer has %d authenticators", sap.ReasonTooMany, len(x.list))
	}
	if x.auth.tier().rank() < a.Tier.rank() {
		a.Tier, a.Metadata = x.auth.tier(), 0
	}
	a.Signer, a.Created, a.Via, a.UsableFrom = x.e.Signer, w.now.Unix(), ViaAssertion, w.cooled()
	return a, nil
}

// cooled is from when on what is enrolled now can approve anything; 0: at once.
func (w *work) cooled() int64 {
	if w.m.cfg.CoolingTime <= 0 {
		return 0
	}
	return w.now.Add(w.m.cfg.CoolingTime).Unix()
}

// approved uses the offer up and keeps the approver's counter.
func (x *changing) approved(w *work) error {
	g := x.guard
	grown := g.SignCount != int64(x.count)
	g.Failures, g.LockedUntil, g.SignCount = 0, 0, int64(x.count)
	seq, err := w.log(EventChangeApproved, audit.OK, "", audit.Data{
		"obj": x.e.object(), "guard": g.object(), "signer": x.e.Signer, "kind": x.e.Kind, "authenticator": b64(x.auth.Credential),
		"count": g.SignCount, "statement": b64(digestsHash("statement", [][]byte{x.e.Statement})),
	})
	if err != nil {
		return err
	}
	if grown {
		g.CountSeq = seq
	}
	x.e.State = EnrolUsed
	w.stamp(g, seq)
	w.stamp(x.e, seq)
	return errors.Join(w.Guards.Update(g), w.Enrolments.Update(x.e))
}

func (x *changing) add(w *work, a *Authenticator) error {
	seq, err := w.insertAuthenticator(EventAdded, a, audit.Data{"by": b64(x.auth.Credential)})
	if err != nil {
		return err
	}
	n := &Notice{Signer: a.Signer, Kind: NoticeAdded, Credential: a.Credential, Until: a.UsableFrom, Created: w.now.Unix()}
	w.stamp(n, seq)
	x.out = Changed{Signer: a.Signer, Action: sap.ActionAdd, Credential: b64(a.Credential), UsableFrom: a.UsableFrom}
	return errors.Join(w.Notices.Insert(n), w.rebind(a.Signer))
}

func (x *changing) remove(w *work) error {
	usable, err := w.usableNow(x.list)
	if err != nil {
		return err
	}
	a, err := removable(x.list, usable, b64(x.e.Target))
	if err != nil {
		return err
	}
	x.out = Changed{Signer: a.Signer, Action: sap.ActionRemove, Credential: b64(a.Credential)}
	return w.dropAuthenticator(a, EventRemoved, NoticeRemoved, audit.Data{"by": b64(x.auth.Credential), "vetoed": w.now.Unix() < a.UsableFrom})
}

// countFailure is redemption.countFailure for a change: the offer ends with the
// failure, so that it counts once.
func (x *changing) countFailure(w *work) error {
	e, err := x.m.enrolment(w, x.id)
	if err != nil {
		return err
	}
	if e.State != EnrolOpen {
		return nil
	}
	if err := w.countGuard(x.auth, x.alarm, x.data); err != nil {
		return err
	}
	e.State, x.data["obj"] = EnrolClosed, e.object()
	return errors.Join(w.stampNext(e), w.Enrolments.Update(e))
}
