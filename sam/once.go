package sam

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/sap"
)

// One-time keys (KEY-10). The signer's assertion comes first: over key type,
// subject, CA and policy, before there is a key. The module then takes a key from
// the pool or makes one, proves its possession, has it certified, and links the
// certificate, all in one call. The signature is an activation like every other,
// with a SAD of its own over the digests that only exist with the certificate.
//
// The wrapped key is kept in memory and nowhere else (onceKeys): no database,
// backup or restart has it. It leaves memory when its one activation is reserved,
// on every failure, and when its time is over.

// oncePrefix begins the ids of one-time keys; those of others begin with "k-".
const oncePrefix = "o-"

// CertificateAuthority certifies one-time keys: it gets a PKCS#10 request (DER,
// signed with the key) and returns the chain (DER, leaf first). What it returns is
// checked like every other certificate. It must end with its context.
type CertificateAuthority interface {
	Certify(ctx context.Context, csr []byte) ([][]byte, error)
}

// OneTime allows one-time keys under an activation policy.
type OneTime struct {
	Policy   string   // of Config.Policies
	CA       string   // of Config.CAs
	KeyTypes []string // the first is the default
	Life     time.Duration
}

// Bounds of one-time keys.
const (
	maxOnceLife   = sap.MaxOneTimeLife * time.Second // SAP-06: 30 minutes after the signer's approval
	maxOnceOpen   = 4                                // live ones of one signer
	certifyWithin = 30 * time.Second
	maxPool       = 1000 // keys of one type
)

func (c *Config) checkOneTime() error {
	bad := func(what string, args ...any) error {
		return fmt.Errorf("%w: one-time keys: "+what, append([]any{ErrConfig}, args...)...)
	}
	seen := map[string]bool{}
	for _, o := range c.OneTime {
		known := slices.ContainsFunc(c.Policies, func(p Policy) bool { return p.ID == o.Policy })
		switch {
		case !known || seen[o.Policy]:
			return bad("policy %q is not configured, or named twice", o.Policy)
		case c.CAs[o.CA] == nil || !sap.ValidID(o.CA):
			return bad("policy %s: no CA %q", o.Policy, o.CA)
		case len(o.KeyTypes) == 0:
			return bad("policy %s: no key type", o.Policy)
		case o.Life < 10*time.Second || o.Life > maxOnceLife:
			return bad("policy %s: life must be 10s to %v", o.Policy, maxOnceLife)
		}
		for _, kt := range o.KeyTypes {
			if !algo.KeyType(kt).Valid() {
				return bad("policy %s: key type %q", o.Policy, kt)
			}
		}
		seen[o.Policy] = true
	}
	for kt, n := range c.KeyPool {
		if !algo.KeyType(kt).Valid() || n < 0 || n > maxPool {
			return bad("pool of %d %q: up to %d of a known type", n, kt, maxPool)
		}
	}
	return nil
}

// onceRule finds what is allowed under a policy and chooses the key type.
func (m *Module) onceRule(policy Policy, keyType string) (OneTime, string, error) {
	for _, o := range m.cfg.OneTime {
		if o.Policy != policy.ID {
			continue
		}
		if keyType == "" {
			keyType = o.KeyTypes[0]
		}
		if !slices.Contains(o.KeyTypes, keyType) || len(m.crypto.Algorithms(algo.KeyType(keyType), m.clock.Now())) == 0 {
			return o, "", fmt.Errorf("%w: key type %q", sap.ReasonAlgorithm, clip(keyType, 16))
		}
		return o, keyType, nil
	}
	return OneTime{}, "", fmt.Errorf("%w: no one-time keys under %s", sap.ReasonPolicy, policy.ID)
}

// AskOnce is what a caller wants a one-time key for.
type AskOnce struct {
	Signer  string
	KeyType string // "" for the policy's default
	Subject string // as Generate takes it; "" for CN=<proofed name>
	Policy  string // "" for the module's default
}

// RequestOneTime issues the module's signed offer to make a one-time key (sspu).
// No key exists yet, and none is made before the signer's assertion.
func (m *Module) RequestOneTime(ctx context.Context, c Caller, in AskOnce) (sap.Signed, error) {
	if err := m.admit(ctx, c, OpOnceRequest); err != nil {
		return sap.Signed{}, err
	}
	var signed sap.Signed
	policy, err := m.policy(in.Policy)
	if err == nil {
		failpoint.Before("samd/once-requested")
		err = m.update(ctx, c, func(w *work) error {
			o, req, err := m.newOnce(w, c, in, policy)
			if err != nil {
				return err
			}
			if signed, err = m.say(sap.LabelOneTime, req); err != nil {
				return err
			}
			seq, err := w.log(EventOnceRequested, audit.OK, "", audit.Data{
				"obj": o.object(), "key": o.Key, "signer": o.Signer, "key_type": o.KeyType, "policy": o.Policy, "ca": o.CA, "exp": o.Expires,
			})
			if err != nil {
				return err
			}
			w.stamp(o, seq)
			return w.Onces.Insert(o)
		})
		failpoint.After("samd/once-requested")
	}
	if err != nil {
		return sap.Signed{}, m.refuse(ctx, c, string(OpOnceRequest), err, audit.Data{"signer": clip(in.Signer, sap.MaxIDLen)})
	}
	return signed, nil
}

func (m *Module) newOnce(w *work, c Caller, in AskOnce, policy Policy) (*Once, *sap.OneTimeRequest, error) {
	rule, kt, err := m.onceRule(policy, in.KeyType)
	if err != nil {
		return nil, nil, err
	}
	s, auths, err := w.owned(in.Signer)
	if err != nil {
		return nil, nil, err
	}
	if s.State != SignerEnrolled || len(auths) == 0 {
		return nil, nil, fmt.Errorf("%w: the authenticator is enrolled before a key is made", sap.ReasonState)
	}
	live, err := w.OnceList.LiveOf(in.Signer, maxOnceOpen+1)
	if err != nil {
		return nil, nil, err
	}
	if len(live) >= maxOnceOpen {
		if err := w.makeRoom(live); err != nil {
			return nil, nil, err
		}
	}
	subject, err := m.subjectOf(s, in.Subject)
	if err != nil {
		return nil, nil, err
	}
	id, nonce := make([]byte, 16), make([]byte, sap.NonceLen)
	if err := errors.Join(m.draw(id), m.draw(nonce)); err != nil {
		return nil, nil, err
	}
	req := &sap.OneTimeRequest{
		Type: sap.TypeOneTime, Audience: m.audience, Key: oncePrefix + hex.EncodeToString(id), Nonce: sap.B64(nonce), Signer: s.ID,
		Display: s.Name, Proofing: s.Proof, KeyType: kt, Subject: sap.B64(subject), CA: rule.CA, Policy: policy.ID, Caller: c.Identity,
		Carrier: sap.CarrierWebAuthn, Origin: m.cfg.Origin, RPID: m.cfg.RPID, Assurance: m.tokenLabel(),
		Life: int64(rule.Life / time.Second), IssuedAt: w.now.Unix(), Expires: w.now.Add(policy.Lifetime).Unix(),
	}
	for _, a := range auths {
		if err = m.mayApprove(a, w.now); err == nil {
			req.Credentials = append(req.Credentials, sap.B64(a.Credential))
		}
	}
	if len(req.Credentials) == 0 {
		return nil, nil, err
	}
	hash, err := req.Hash()
	if err != nil {
		return nil, nil, err
	}
	return &Once{
		Key: req.Key, Signer: s.ID, Caller: c.Identity, KeyType: kt, Policy: policy.ID, CA: rule.CA, Carrier: sap.CarrierWebAuthn,
		State: OnceRequested, Binding: hash, AuthHash: authenticatorHash(auths), Subject: subject, Created: w.now.Unix(), Expires: req.Expires,
	}, req, nil
}

// onceHolding is holding for a one-time key: certified, in time, still in memory.
func (m *Module) onceHolding(tx *Tx, signer, key string, committed bool) (*holding, error) {
	o, err := tx.Onces.Get(key)
	if err != nil {
		return nil, notFound(err, sap.ReasonKey)
	}
	if err := m.verified(tx, o, committed); err != nil {
		return nil, err
	}
	if o.Signer != signer {
		return nil, sap.ReasonSigner
	}
	if o.Seq < m.voidBefore.Load() {
		return nil, fmt.Errorf("%w: certified before the module was closed", sap.ReasonKeyState)
	}
	h := &holding{once: o, cred: o.credential()}
	if h.signer, err = m.signerRecord(tx, signer, committed); err != nil {
		return nil, err
	}
	wrapped, alive := m.onceKeys.peek(key, m.clock.Now())
	if o.State != OnceCertified || !alive || m.clock.Now().Unix() >= o.Expires {
		return nil, fmt.Errorf("%w: one-time key is %s", sap.ReasonKeyState, o.State)
	}
	if string(wrapped.Public) != string(o.Public) {
		return nil, fmt.Errorf("%w: one-time key is another one", sap.ReasonSeal)
	}
	if h.auths, err = m.authenticators(tx, signer, committed); err != nil {
		return nil, err
	}
	if string(authenticatorHash(h.auths)) != string(o.AuthHash) {
		return nil, fmt.Errorf("%w: the signer's authenticators are not those the key was bound to", sap.ReasonSeal)
	}
	h.parsed, err = m.parse(h.cred)
	return h, err
}

// credential is the key in the form that activation works on. It has no blob.
func (r *Once) credential() *Credential {
	c := &Credential{
		Stamp: r.Stamp, Key: r.Key, Signer: r.Signer, KeyType: r.KeyType, Public: r.Public, Carrier: r.Carrier, State: r.State,
		AuthHash: r.AuthHash, Subject: r.Subject, CSR: r.CSR, Chain: r.Chain, CertHash: r.CertHash, Created: r.Created,
	}
	if r.State == OnceCertified {
		c.State = KeyActive
	}
	return c
}

// bindOnce gives a one-time key the one session that may use it: the newest.
func (w *work) bindOnce(o *Once, b sap.Binding, session []byte) error {
	if o == nil {
		return nil
	}
	if b.Policy != o.Policy {
		return fmt.Errorf("%w: the one-time key was approved for %s", sap.ReasonPolicy, o.Policy)
	}
	next := *o
	next.Session = session
	failpoint.Before("samd/once-bound")
	defer failpoint.After("samd/once-bound")
	seq, err := w.log(EventOnceBound, audit.OK, "", audit.Data{"obj": next.object(), "key": next.Key, "signer": next.Signer, "session": b.Session})
	if err != nil {
		return err
	}
	w.stamp(&next, seq)
	return w.Onces.Update(&next)
}

// reserveOnce consumes key and session together: after this transaction the key
// is in the hands of one activation and nowhere else.
func (r *redemption) reserveOnce(w *work, s *Activation, b Basis) error {
	o := *r.held.once
	g, err := w.Guards.Get(b.Authenticator)
	if err != nil {
		return err
	}
	if g.Version != b.GuardVersion {
		return ErrConflict
	}
	failpoint.Before("samd/once-used")
	defer failpoint.After("samd/once-used")
	if err := w.moveOnce(&o, OnceUsed, EventOnceUsed, audit.Data{"session": b64(s.Session)}); err != nil {
		return err
	}
	return w.Activations.Update(s)
}

// takeOnce takes the key out of memory for the activation that was reserved for
// it. When it went in the meantime, the token refuses the empty blob without a key
// use.
func (m *Module) takeOnce(h *holding) cryptotoken.Wrapped {
	failpoint.Before("samd/once-taken")
	key, _ := m.onceKeys.take(h.cred.Key)
	failpoint.After("samd/once-taken")
	key.KeyType, key.Public = algo.KeyType(h.cred.KeyType), h.cred.Public
	return key
}

// moveOnce moves a one-time key by the table and records it.
func (w *work) moveOnce(o *Once, to, event string, data audit.Data) error {
	if err := move(onceMoves, &o.State, to); err != nil {
		return err
	}
	data["obj"], data["key"], data["signer"] = o.object(), o.Key, o.Signer
	seq, err := w.log(event, audit.OK, "", data)
	if err != nil {
		return err
	}
	w.stamp(o, seq)
	return w.Onces.Update(o)
}

// Causes of a one-time key's end.
const (
	causeUsed    = "used"
	causeFailed  = "failed"
	causeLate    = "time_over"
	causeRestart = "restart"
	causeRebound = "authenticators_changed"
	causeGivenUp = "given_up"
	causeClosed  = "module_closed"
	causeNewer   = "superseded" // of an offer: there never was a key
)

// GiveUpOneTime destroys a one-time key at once that will not be used (sspu, only the
// caller it was made for): the documents could not be prepared, the signer said no, the
// operation ended (KEY-10). Of a key that is destroyed already it is no error. One that is
// being made, or used, is refused with ReasonConsumed: the call that has it in hand
// records what became of it.
func (m *Module) GiveUpOneTime(ctx context.Context, c Caller, key string) error {
	if err := m.admit(ctx, c, OpOnceEnd); err != nil {
		return err
	}
	err := m.view(ctx, func(tx *Tx) error {
		o, err := tx.Onces.Get(key)
		if err != nil {
			return notFound(err, sap.ReasonKey)
		}
		if err := m.verified(tx, o, true); err != nil {
			return err
		}
		if o.Caller != c.Identity {
			return sap.ReasonCaller
		}
		return o.mayGiveUp()
	})
	if err == nil {
		err = m.endOnceBy(ctx, c, key, causeGivenUp)
	}
	if err != nil {
		return m.refuse(ctx, c, string(OpOnceEnd), err, audit.Data{"key": clip(key, sap.MaxIDLen)})
	}
	return nil
}

// mayGiveUp: in the other states an approval or an activation has the key in hand.
func (r *Once) mayGiveUp() error {
	switch r.State {
	case OnceRequested, OnceCertified, OnceDestroyed:
		return nil
	}
	return fmt.Errorf("%w: the one-time key is %s and in hand", sap.ReasonConsumed, r.State)
}

// endOnce destroys a one-time key, whatever became of it (KEY-10). The memory comes first:
// what cannot be recorded is gone all the same. Where the store failed, endLate records it
// as soon as that works again; at the latest, the next start does.
func (m *Module) endOnce(ctx context.Context, key, cause string) error {
	err := m.endOnceBy(ctx, self(), key, cause)
	if err != nil {
		if !isNotFound(err) && !errors.Is(err, sap.ReasonSeal) { // what would not be otherwise the next time
			m.onceKeys.owe(key, cause)
		}
		m.logger.Error("samd: the end of a one-time key could not be recorded", "key", key, "err", err)
	}
	return err
}

// endOnceBy is endOnce for a caller who asked for it. An approval that runs meanwhile
// keeps its key before it records that it is certified (certify): so it is forgotten
// here, after the record, or the approval finds it destroyed and forgets it itself.
// Giving up forgets nothing before the record: a key that is found in hand stays so.
func (m *Module) endOnceBy(ctx context.Context, c Caller, key, cause string) error {
	if cause != causeGivenUp {
		failpoint.Before("samd/once-forgotten")
		m.onceKeys.drop(key)
		failpoint.After("samd/once-forgotten")
	}
	failpoint.Before("samd/once-destroyed")
	defer failpoint.After("samd/once-destroyed")
	inHand := false
	defer func() {
		if !inHand {
			m.onceKeys.drop(key)
		}
	}()
	return m.update(context.WithoutCancel(ctx), c, func(w *work) error {
		o, err := w.Onces.Get(key)
		if err != nil {
			return err
		}
		if err := m.verified(w.Tx, o, false); err != nil {
			return err
		}
		if o.State == OnceDestroyed {
			return nil
		}
		if cause == causeGivenUp {
			if err := o.mayGiveUp(); err != nil {
				inHand = true
				return err
			}
		}
		return w.moveOnce(o, OnceDestroyed, EventDestroyed, audit.Data{"cause": cause})
	})
}

// endOrphans destroys, at a start, what a stop or a crash left: no one-time key
// outlives its process (KEY-10, FPT-05). There is nothing but records: the keys
// were in the memory of the other process.
func (m *Module) endOrphans(ctx context.Context) error {
	for {
		var left []*Once
		err := m.view(ctx, func(tx *Tx) error {
			var err error
			left, err = tx.OnceList.Live(100)
			return err
		})
		if err != nil || len(left) == 0 {
			return err
		}
		for _, o := range left {
			failpoint.Before("samd/once-orphan-ended")
			err := m.update(ctx, self(), func(w *work) error {
				if err := m.verified(w.Tx, o, false); err != nil {
					return err
				}
				return w.moveOnce(o, OnceDestroyed, EventDestroyed, audit.Data{"cause": causeRestart})
			})
			if err != nil {
				return fmt.Errorf("%w: %w", ErrOpen, err)
			}
			failpoint.After("samd/once-orphan-ended")
		}
	}
}

// endLate destroys the one-time keys in memory whose time is over (KEY-10), and records
// the end of those that a closing took. It runs every second; their use is refused at the
// second, without this.
func (m *Module) endLate(ctx context.Context) error {
	var errs []error
	cause := causeLate
	if m.closedWhy() != "" {
		cause = causeClosed
	}
	for key, owed := range m.onceKeys.late(m.clock.Now()) {
		errs = append(errs, m.endOnce(ctx, key, cmp.Or(owed, cause)))
	}
	return errors.Join(errs...)
}

// EndOneTime destroys what was never approved or used in time, and forgets
// records that are older than the retention. It runs every minute.
func (m *Module) EndOneTime(ctx context.Context) error {
	errs := []error{m.endLate(ctx)}
	var due []*Once
	err := m.view(ctx, func(tx *Tx) error {
		var err error
		due, err = tx.OnceList.Due(m.clock.Now().Unix(), 500)
		return err
	})
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, o := range due {
		errs = append(errs, m.endOnce(ctx, o.Key, causeLate))
	}
	err = m.store.Update(ctx, func(tx *Tx) error {
		_, err := tx.OnceList.Purge(m.clock.Now().Add(-m.cfg.Retention).Unix(), 500)
		return err
	})
	return errors.Join(append(errs, err)...)
}

// endOncesOf destroys a signer's one-time keys in the caller's transaction.
func (w *work) endOncesOf(signer, cause string) error {
	live, err := w.OnceList.LiveOf(signer, maxOnceOpen+1)
	if err != nil {
		return err
	}
	for _, o := range live {
		if err := w.m.verified(w.Tx, o, false); err != nil {
			return err
		}
		w.m.onceKeys.drop(o.Key)
		if err := w.moveOnce(o, OnceDestroyed, EventDestroyed, audit.Data{"cause": cause}); err != nil {
			return err
		}
	}
	return nil
}

func isOnce(key string) bool { return strings.HasPrefix(key, oncePrefix) }
