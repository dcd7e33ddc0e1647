package sam

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/sap"
)

// OnceView is a certified one-time key as its caller may see it.
type OnceView struct {
	Key, Signer, KeyType string
	Algs                 []string
	Chain                [][]byte
	Assurance            string
	Expires              int64
}

// ApproveOneTime takes the signer's assertion over a request (sspu) and makes the
// key: from the pool or anew, proof of possession, certificate, link. On any error
// after the assertion there is no key. The byte-identical call gets the same
// answer while the key can be used.
func (m *Module) ApproveOneTime(ctx context.Context, c Caller, statement, proof []byte) (*OnceView, error) {
	if err := m.admit(ctx, c, OpOnceApprove); err != nil {
		return nil, err
	}
	a := &onceApproval{m: m, caller: c, statement: statement, id: sap.RedemptionID(c.Identity, statement, proof, []byte("one-time")), data: audit.Data{}}
	var view *OnceView
	_, err := m.flights.do(ctx, a.id, func(ctx context.Context) ([]byte, error) {
		var err error
		view, err = a.run(ctx, proof)
		return nil, err
	})
	if err == nil && view == nil { // another call of the same bytes made it
		view, err = a.run(ctx, proof)
	}
	if err == nil {
		return view, nil
	}
	if a.failed {
		event := string(OpOnceApprove)
		if a.alarm {
			event = EventCopy
		}
		return nil, m.refuse(ctx, c, event, err, a.data, a.countFailure)
	}
	return nil, m.refuse(ctx, c, string(OpOnceApprove), err, a.data)
}

// countFailure is redemption.countFailure for a one-time key: the request ends with the
// failure, and bears the approval that failed, so that it counts once. It counts also when
// the request ended meanwhile without one: whoever gives a request up beside its approval
// would try an authenticator without end, and hide the alarm of a copy.
func (a *onceApproval) countFailure(w *work) error {
	o, err := w.Onces.Get(a.once.Key)
	if err != nil {
		return err
	}
	if err := w.m.verified(w.Tx, o, false); err != nil {
		return err
	}
	if o.State != OnceRequested && o.State != OnceDestroyed || len(o.Approval) != 0 {
		return nil // counted already, or approved meanwhile
	}
	if o.State == OnceDestroyed && w.m.ledger.gone(a.auth.Credential) {
		return nil // with its authenticator; there is nothing to count at
	}
	if err := w.countGuard(a.auth, a.alarm, a.data); err != nil {
		return err
	}
	if o.State == OnceRequested {
		err = move(onceMoves, &o.State, OnceDestroyed)
	}
	if err != nil {
		return err
	}
	o.Approval = a.id
	a.data["obj"] = o.object()
	return errors.Join(w.stampNext(o), w.Onces.Update(o))
}

// onceApproval is one run of ApproveOneTime.
type onceApproval struct {
	m         *Module
	caller    Caller
	statement []byte
	id        []byte
	data      audit.Data
	failed    bool // as in redemption
	alarm     bool

	req   *sap.OneTimeRequest
	proof *sap.Assertion
	once  *Once
	auth  *Authenticator
	guard *Guard
	count uint32
	rule  OneTime
	asked int64 // audit record of the offer
}

func (a *onceApproval) run(ctx context.Context, proof []byte) (*OnceView, error) {
	var err error
	if a.req, err = sap.DecodeOneTime(a.statement); err != nil {
		return nil, err
	}
	a.data["key"], a.data["signer"] = a.req.Key, a.req.Signer
	if a.proof, err = sap.DecodeAssertion(proof); err != nil {
		return nil, err
	}
	if err := a.m.view(ctx, a.check); err != nil {
		return nil, err
	}
	if a.once.State == OnceCertified { // a retry, see check
		return a.m.onceView(a.once)
	}
	if err := a.verifyAssertion(); err != nil {
		return nil, err
	}
	if err := a.approve(ctx); err != nil {
		return nil, err
	}
	a.m.cfg.Hook(StepOnceApproved)
	if err := a.make(ctx); err != nil {
		_ = a.m.endOnce(ctx, a.req.Key, causeFailed)
		return nil, err
	}
	return a.m.onceView(a.once)
}

// check compares the statement with what the module issued.
func (a *onceApproval) check(tx *Tx) error {
	m := a.m
	if a.req.Audience != m.audience {
		return sap.ReasonAudience
	}
	var err error
	if a.once, err = tx.Onces.Get(a.req.Key); err != nil {
		return notFound(err, sap.ReasonSession)
	}
	if err := m.verified(tx, a.once, true); err != nil {
		return err
	}
	if a.once.Caller != a.caller.Identity {
		return sap.ReasonCaller
	}
	hash, err := a.req.Hash()
	if err != nil {
		return err
	}
	now := m.clock.Now()
	switch {
	case string(hash) != string(a.once.Binding):
		return sap.ReasonBinding
	case a.once.State == OnceCertified && string(a.once.Approval) == string(a.id) && now.Unix() < a.once.Expires:
		return nil
	case a.once.State != OnceRequested:
		return fmt.Errorf("%w: %s", sap.ReasonConsumed, a.once.State)
	case a.once.Seq < m.voidBefore.Load():
		return fmt.Errorf("%w: offered before the module was closed", sap.ReasonConsumed)
	case now.Unix() >= a.once.Expires:
		return sap.ReasonExpired
	case now.Unix() < a.req.IssuedAt:
		return sap.ReasonNotYet
	}
	a.asked = a.once.Seq
	policy, err := m.policy(a.once.Policy)
	if err != nil {
		return err
	}
	if a.rule, _, err = m.onceRule(policy, a.once.KeyType); err != nil {
		return err
	}
	return a.readAuthenticator(tx, now)
}

func (a *onceApproval) readAuthenticator(tx *Tx, now time.Time) error {
	m := a.m
	if _, err := m.signerRecord(tx, a.once.Signer, true); err != nil {
		return err
	}
	auths, err := m.authenticators(tx, a.once.Signer, true)
	if err != nil {
		return err
	}
	if string(authenticatorHash(auths)) != string(a.once.AuthHash) {
		return fmt.Errorf("%w: authenticators changed", sap.ReasonState)
	}
	id, err := sap.UnB64(a.proof.Credential)
	if err != nil {
		return err
	}
	if a.auth, err = (&holding{auths: auths}).authenticator(id); err != nil {
		return err
	}
	if a.guard, err = m.guard(tx, a.auth, true); err != nil {
		return err
	}
	if a.guard.locked(now.Unix()) {
		return sap.ReasonLocked
	}
	policy, err := m.policy(a.once.Policy)
	if err != nil {
		return err
	}
	return errors.Join(m.mayApprove(a.auth, now), a.auth.reaches(policy.Tier))
}

// verifyAssertion verifies the assertion over exactly this statement. What counts
// against the authenticator is said at countFailure.
func (a *onceApproval) verifyAssertion() error {
	key, err := a.m.authKey(a.auth)
	if err != nil {
		return err
	}
	nonce, err := sap.UnB64(a.req.Nonce)
	if err != nil {
		return err
	}
	challenge, err := sap.OneTimeChallenge(nonce, a.statement)
	if err != nil {
		return err
	}
	v := a.m.judge(a.proof, challenge, sap.Authenticator{
		CredentialID: a.auth.Credential, Public: key, BackupEligible: a.auth.BackupEligible, SignCount: uint32(a.guard.SignCount),
	})
	a.count, a.failed = v.Count, v.Err != nil && v.Proven
	if errors.Is(v.Err, sap.ReasonCounter) {
		a.alarm = a.guard.copied(a.once.Seq)
		a.failed = a.alarm
	}
	return v.Err
}

// approve consumes the request durably: from here on the assertion is used up,
// and the key's time runs. It is also the intent to make a key.
func (a *onceApproval) approve(ctx context.Context) error {
	o := *a.once
	failpoint.Before("samd/once-approved")
	defer failpoint.After("samd/once-approved")
	err := a.m.update(ctx, a.caller, func(w *work) error {
		g := *a.guard
		o.Approval, o.Authenticator, o.Expires = a.id, a.auth.Credential, w.now.Add(a.rule.Life).Unix()
		data := audit.Data{"authenticator": b64(a.auth.Credential), "key_type": o.KeyType, "policy": o.Policy, "exp": o.Expires}
		g.Failures, g.LockedUntil, g.SignCount = 0, 0, int64(a.count)
		data["guard"], data["count"] = g.object(), g.SignCount
		if err := w.moveOnce(&o, OnceApproved, EventOnceApproved, data); err != nil {
			return err
		}
		if g.SignCount != a.guard.SignCount {
			g.CountSeq = o.Seq
		}
		w.stamp(&g, o.Seq)
		if err := w.Guards.Update(&g); err != nil {
			return err
		}
		_, err := w.log(EventKeyIntent, audit.OK, "", audit.Data{"key": o.Key, "signer": o.Signer, "key_type": o.KeyType})
		return err
	})
	a.once = &o
	return err
}

// make takes or makes the key, proves its possession, and has it certified.
func (a *onceApproval) make(ctx context.Context) error {
	m := a.m
	failpoint.Before("samd/once-key-made")
	key, err := m.takeKey(ctx, algo.KeyType(a.once.KeyType))
	if err != nil {
		return err
	}
	failpoint.After("samd/once-key-made")
	failpoint.Before("samd/once-possession-proved")
	csr, pop, err := m.prove(ctx, key, a.once.Subject)
	if err != nil {
		return err
	}
	failpoint.After("samd/once-possession-proved")
	o := *a.once
	o.Public, o.CSR = key.Public, csr
	failpoint.Before("samd/once-key-recorded")
	if err := a.move(ctx, &o, OnceGenerated, EventKey, keyData(o.Public, o.KeyType, key.KEK, o.Carrier, o.AuthHash, pop)); err != nil {
		return err
	}
	failpoint.After("samd/once-key-recorded")
	m.cfg.Hook(StepOnceGenerated)
	return a.certify(ctx, o, key)
}

// certify has the key certified, checks what the CA gave, and links it: only now
// the key is where an activation finds it.
func (a *onceApproval) certify(ctx context.Context, o Once, key cryptotoken.Wrapped) error {
	m := a.m
	bounded, cancel := context.WithTimeout(ctx, certifyWithin)
	defer cancel()
	failpoint.Before("samd/once-ca-answered")
	chain, err := m.cfg.CAs[o.CA].Certify(bounded, o.CSR)
	if err != nil {
		return fmt.Errorf("%w: CA %s: %w", sap.ReasonCertLink, o.CA, err)
	}
	failpoint.After("samd/once-ca-answered")
	if _, err := checkLink(o.credential(), chain, m.crypto, m.clock.Now()); err != nil {
		return err
	}
	o.Chain, o.CertHash = chain, certHash(chain[0])
	// Before the record: whoever ends the key from then on finds it in memory. Nothing
	// uses it earlier, an activation asks the record (onceHolding).
	m.onceKeys.put(o.Key, key, time.Unix(o.Expires, 0))
	why := m.closedWhy()
	if why == "" && a.asked < m.voidBefore.Load() { // FPT-04
		why = "closed and opened again since the key was offered"
	}
	if why != "" { // and forgot all keys, perhaps before this one came
		return fmt.Errorf("%w: %s", sap.ReasonClosed, why)
	}
	failpoint.Before("samd/once-linked")
	if err := a.move(ctx, &o, OnceCertified, EventLinked, audit.Data{"cert": b64(o.CertHash)}); err != nil {
		return err
	}
	failpoint.After("samd/once-linked")
	m.cfg.Hook(StepOnceCertified)
	return nil
}

// move makes one durable step; a.once follows only when it is durable.
func (a *onceApproval) move(ctx context.Context, o *Once, to, event string, data audit.Data) error {
	err := a.m.update(ctx, a.caller, func(w *work) error {
		if w.now.Unix() >= o.Expires {
			return fmt.Errorf("%w: the one-time key's time is over", sap.ReasonExpired)
		}
		return w.moveOnce(o, to, event, data)
	})
	if err == nil {
		a.once = o
	}
	return err
}

func (m *Module) onceView(o *Once) (*OnceView, error) {
	c := o.credential()
	p, err := m.parse(c)
	if err != nil {
		return nil, err
	}
	v := &OnceView{Key: o.Key, Signer: o.Signer, KeyType: o.KeyType, Chain: o.Chain, Assurance: m.keyLabel(p), Expires: o.Expires}
	for _, a := range m.crypto.Algorithms(p.keyType, m.clock.Now()) {
		v.Algs = append(v.Algs, a.String())
	}
	return v, nil
}
