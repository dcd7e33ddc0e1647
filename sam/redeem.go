package sam

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
)

// Redeem redeems signature activation data (sspu): verifies it in the order of
// the design, reserves, uses the key, records the outcome and answers with the
// canonical JSON of the signatures and the receipt. The byte-identical request
// of the same caller gets the same bytes again, without key use and without
// counting against a lockout, for Config.Retention even after exp; while the
// first is still running it waits for it. Everything else that uses the SAD
// again is ReasonConsumed.
func (m *Module) Redeem(ctx context.Context, c Caller, sad, proof, evidence []byte) ([]byte, error) {
	if err := m.admit(ctx, c, OpRedeem); err != nil {
		return nil, err
	}
	id := sap.RedemptionID(c.Identity, sad, proof, evidence)
	return m.flights.do(ctx, id, func(ctx context.Context) ([]byte, error) {
		r := &redemption{m: m, caller: c, id: id, sadText: sad, proofText: proof, evidence: evidence, data: audit.Data{}}
		answer, err := r.run(ctx)
		if err != nil {
			return nil, r.refuse(ctx, err)
		}
		return answer, nil
	})
}

// redemption is one run of Redeem: what came in, and what was found about it.
type redemption struct {
	m         *Module
	caller    Caller
	id        []byte
	sadText   []byte
	proofText []byte
	evidence  []byte

	foreign int64 // Store.Foreign before anything was looked at
	now     time.Time
	sad     *sap.SAD
	proof   *sap.Assertion
	session *Activation
	held    *holding
	auth    *Authenticator
	guard   *Guard
	policy  Policy
	alg     algo.Algorithm
	count   uint32   // new signature counter
	digests [][]byte // rebuilt DTBS/R, in the order of the items

	data   audit.Data // of the refusal's record, as far as known
	failed bool       // authentication failed and counts, see countFailure
	alarm  bool       // a second copy of the authenticator's key exists
}

func (r *redemption) refuse(ctx context.Context, err error) error {
	var done *Refusal
	if errors.As(err, &done) {
		return err // recorded where it happened
	}
	event := string(OpRedeem)
	if r.alarm {
		event = EventCopy
	}
	if r.failed {
		return r.m.refuse(ctx, r.caller, event, err, r.data, r.countFailure)
	}
	return r.m.refuse(ctx, r.caller, event, err, r.data)
}

func (r *redemption) run(ctx context.Context) ([]byte, error) {
	if err := r.decode(); err != nil {
		return nil, err
	}
	// Verify on committed data, then reserve with compare-and-swap on what was
	// read. When something changed in between, look again; three times is more
	// than honest traffic on one authenticator needs.
	for attempt := range 3 {
		act, err := r.authorise(ctx, attempt == 0)
		switch {
		case errors.Is(err, ErrConflict):
			continue
		case errors.Is(err, errRepeated):
			return r.repeated(ctx)
		case err != nil:
			return nil, err
		}
		if r.held.once != nil {
			defer func() { _ = r.m.endOnce(ctx, r.held.cred.Key, causeUsed) }()
		}
		return r.m.activate(ctx, act)
	}
	return nil, fmt.Errorf("%w: records change too fast", sap.ReasonStore)
}

func (r *redemption) authorise(ctx context.Context, recall bool) (*activation, error) {
	failpoint.Before("samd/23-policy-checked")
	if err := r.look(ctx, recall); err != nil {
		if !errors.Is(err, errRepeated) {
			r.pretend()
		}
		return nil, err
	}
	failpoint.After("samd/23-policy-checked")
	failpoint.Before("samd/22-sad-signature-checked")
	if err := r.authenticate(); err != nil {
		return nil, err
	}
	failpoint.After("samd/22-sad-signature-checked")
	if err := r.rebuild(); err != nil {
		return nil, err
	}
	r.m.cfg.Hook(StepVerified)
	return r.reserve(ctx)
}

// look finds what the redemption is about, in the memory or else in the
// database, and checks it.
func (r *redemption) look(ctx context.Context, recall bool) error {
	r.foreign = r.m.store.Foreign()
	if recall && r.recall() {
		return r.check(nil)
	}
	return r.m.view(ctx, r.check)
}

// errRepeated: this very redemption has been taken up before.
var errRepeated = errors.New("sam: byte-identical retry")

// repeated answers a byte-identical retry from the stored outcome.
func (r *redemption) repeated(ctx context.Context) ([]byte, error) {
	switch r.session.State {
	case ActConsumed:
		return storedAnswer(r.session, r.given())
	case ActReleased:
		return nil, sap.ReasonReleased
	case ActReserved:
		// Nobody is working on it (flights), so its outcome was lost: the key may
		// have been used.
		if err := r.m.settle(ctx, r.caller, r.session, ActBurnt, EventWithheld, sap.ReasonBurnt); err != nil {
			return nil, err
		}
	}
	return nil, sap.ReasonBurnt
}

// decode is strict: one spelling of each message.
func (r *redemption) decode() error {
	var err error
	if len(r.sadText) > jcs.MaxSize {
		return fmt.Errorf("%w: SAD of %d octets", sap.ReasonTooLarge, len(r.sadText))
	}
	if r.sad, err = sap.DecodeSAD(r.sadText); err != nil {
		return err
	}
	b := r.sad.Bind
	r.data["session"], r.data["signer"], r.data["key"], r.data["n"] = b.Session, b.Signer, b.Key, b.N
	if string(r.evidence) != "[]" {
		return fmt.Errorf("%w: no item kind takes any", sap.ReasonEvidence)
	}
	if r.sad.Auth.Method != sap.CarrierWebAuthn {
		return fmt.Errorf("%w: %q", sap.ReasonCarrier, r.sad.Auth.Method)
	}
	r.proof, err = sap.DecodeAssertion(r.proofText)
	return err
}

// check compares the SAD with what the module issued and holds (SAP-01, BLK-03): session,
// holding and guard are read from tx, or were recalled when it is nil.
func (r *redemption) check(tx *Tx) error {
	m, b := r.m, r.sad.Bind
	r.now = m.clock.Now()
	if err := r.readSession(tx); err != nil {
		return err
	}
	if err := r.checkSession(); err != nil {
		return err
	}
	id, err := sap.UnB64(r.sad.Auth.Cred)
	if err != nil {
		return err
	}
	failpoint.Before("samd/30-key-blob-read")
	if tx != nil {
		r.held, err = m.holding(tx, b.Signer, b.Key, true)
	} else {
		err = m.mayUse(r.held.cred)
	}
	if err != nil {
		return err
	}
	failpoint.After("samd/30-key-blob-read")
	if o := r.held.once; o != nil && string(o.Session) != string(r.session.Session) {
		return fmt.Errorf("%w: the one-time key belongs to a later session", sap.ReasonBinding)
	}
	if r.session.State != ActOpen { // void; what became of the key is said first
		return fmt.Errorf("%w: taken out of use after the request", sap.ReasonKeyState)
	}
	if r.auth, err = r.held.authenticator(id); err != nil {
		return err
	}
	if tx != nil {
		if r.guard, err = m.guard(tx, r.auth, true); err != nil {
			return err
		}
	}
	if r.guard.locked(r.now.Unix()) {
		return sap.ReasonLocked
	}
	if err := m.mayApprove(r.auth, r.now); err != nil {
		return err
	}
	if sap.B64(r.held.cred.CertHash) != b.Cert {
		return sap.ReasonCertificate
	}
	if r.policy, err = m.policy(b.Policy); err != nil {
		return err
	}
	if r.alg, err = m.usable(r.held, b.Alg, b.N, r.policy, r.now); err != nil {
		return err
	}
	if err := r.auth.reaches(r.policy.Tier); err != nil {
		return err
	}
	if r.held.cred.Carrier != r.sad.Auth.Method {
		return fmt.Errorf("%w: key is bound to %s", sap.ReasonCarrier, r.held.cred.Carrier)
	}
	return nil
}

// readSession finds what the module kept of its request, and whether this very
// redemption has been taken up already: that comes before every judgement.
func (r *redemption) readSession(tx *Tx) error {
	if r.sad.Bind.Audience != r.m.audience {
		return fmt.Errorf("%w: %q, this is %q", sap.ReasonAudience, r.sad.Bind.Audience, r.m.audience)
	}
	if tx == nil {
		return nil // recalled: open and as the module wrote it
	}
	sid, err := sap.UnB64(r.sad.Bind.Session)
	if err != nil {
		return err
	}
	if r.session, err = tx.Activations.Get(sid); err != nil {
		return notFound(err, sap.ReasonSession)
	}
	if err := r.m.verified(tx, r.session, true); err != nil {
		return err
	}
	if string(r.session.Redemption) == string(r.id) {
		return errRepeated
	}
	return nil
}

// checkSession: who asked redeems (SAP-15), once, in time (SAP-06), and every bound field is
// as it was issued.
func (r *redemption) checkSession() error {
	b := r.sad.Bind
	if b.Caller != r.caller.Identity {
		return fmt.Errorf("%w: asked for by %q", sap.ReasonCaller, b.Caller)
	}
	hash, err := b.Hash()
	if err != nil {
		return err
	}
	if string(hash) != string(r.session.Binding) {
		return sap.ReasonBinding
	}
	if r.session.Seq < r.m.voidBefore.Load() {
		return fmt.Errorf("%w: asked for before the module was closed", sap.ReasonConsumed)
	}
	if r.session.State != ActOpen && r.session.State != ActVoid {
		return fmt.Errorf("%w: %s", sap.ReasonConsumed, r.session.State)
	}
	if r.now.Unix() >= b.Expires {
		return sap.ReasonExpired
	}
	if r.now.Unix() < b.IssuedAt {
		return sap.ReasonNotYet
	}
	return nil
}

// authenticate verifies the carrier's signature over exactly these SAD bytes: what
// whoever holds the application's certificate cannot make (PRV-04, SAP-02).
func (r *redemption) authenticate() error {
	key, err := r.m.authKey(r.auth)
	if err != nil {
		return err
	}
	challenge, err := r.sad.Challenge(r.sadText)
	if err != nil {
		return err
	}
	v := r.m.judge(r.proof, challenge, sap.Authenticator{
		CredentialID: r.auth.Credential, Public: key, BackupEligible: r.auth.BackupEligible, SignCount: uint32(r.guard.SignCount),
	})
	r.count, r.failed = v.Count, v.Err != nil && v.Proven
	if errors.Is(v.Err, sap.ReasonCounter) {
		r.alarm = r.guard.copied(r.session.Seq)
		r.failed = r.alarm
	}
	return v.Err
}

// judge is the one place where an assertion is verified.
func (m *Module) judge(a *sap.Assertion, challenge []byte, auth sap.Authenticator) sap.Verdict {
	m.judged.Add(1)
	return sap.JudgeAssertion(a, challenge, auth, sap.AssertionPolicy{Origin: m.cfg.Origin, RPID: m.cfg.RPID})
}

// pretend does the work of an authentication for a request that is refused
// before it, because of what the module knows: the time of the answer must not
// tell whether signer, key, session or authenticator exist, or are locked
// (AFL-03).
func (r *redemption) pretend() {
	id, err := sap.UnB64(r.proof.Credential)
	if err != nil {
		return // refused for what it is, known or not
	}
	challenge, err := r.sad.Challenge(r.sadText)
	if err != nil {
		return
	}
	r.m.judge(r.proof, challenge, sap.Authenticator{CredentialID: id, Public: r.m.nobody})
}

// rebuild computes what the key will sign from the approved document digests
// (SGN-01, SGN-04), and asks for the permission that raw digests need.
func (r *redemption) rebuild() error {
	r.digests = make([][]byte, len(r.sad.Items))
	for i, it := range r.sad.Items {
		d, err := sap.Rebuild(it, r.held.cred.Chain[0], r.alg, nil)
		if err != nil {
			return err
		}
		if it.Kind == sap.KindRaw && !(r.held.cred.Raw && r.policy.Raw && r.policy.ID != PolicyQualified) {
			return sap.ReasonRaw
		}
		r.digests[i] = d
	}
	return nil
}
