package sam

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// Ask is what a caller wants an activation request for.
type Ask struct {
	Signer, Key string
	Alg         string // JOSE name; "" for the key's default
	N           int    // signatures, exactly
	Policy      string // "" for the module's default
}

// holding is a signer's key with everything that decides about its use, read
// and verified in one transaction.
type holding struct {
	signer *Signer
	cred   *Credential
	auths  []*Authenticator
	parsed *parsedKey
	once   *Once // of a one-time key; cred is made of it
}

// holding reads and verifies: seals, freshness, that the key is the signer's
// (IAM-05), active (KEY-07), and bound to exactly these authenticators.
func (m *Module) holding(tx *Tx, signer, key string, committed bool) (*holding, error) {
	if isOnce(key) {
		return m.onceHolding(tx, signer, key, committed)
	}
	h := &holding{}
	var err error
	if h.signer, err = m.signerRecord(tx, signer, committed); err != nil {
		return nil, err
	}
	if h.cred, err = tx.Credentials.Get(key); err != nil {
		return nil, notFound(err, sap.ReasonKey)
	}
	if err := m.verified(tx, h.cred, committed); err != nil {
		return nil, err
	}
	if h.cred.Signer != signer {
		return nil, sap.ReasonSigner
	}
	if err := m.mayUse(h.cred); err != nil {
		return nil, err
	}
	if h.auths, err = m.authenticators(tx, signer, committed); err != nil {
		return nil, err
	}
	if string(authenticatorHash(h.auths)) != string(h.cred.AuthHash) {
		return nil, fmt.Errorf("%w: the signer's authenticators are not those the key was bound to", sap.ReasonSeal)
	}
	if h.parsed, err = m.parse(h.cred); err != nil {
		return nil, err
	}
	if committed {
		m.memory.holdings.put(key, h)
	}
	return h, nil
}

// mayUse asks whether the key is alive.
func (m *Module) mayUse(c *Credential) error {
	if m.graves.has(c.Key) {
		// Whatever the database says: the list of destroyed keys is outside it.
		return fmt.Errorf("%w: destroyed", sap.ReasonKeyState)
	}
	if c.State != KeyActive || len(c.Chain) == 0 {
		return fmt.Errorf("%w: %s", sap.ReasonKeyState, c.State)
	}
	return nil
}

// usable checks algorithm, count and certificate: what must hold both when a
// request is issued and when it is redeemed.
func (m *Module) usable(h *holding, alg string, n int, p Policy, now time.Time) (algo.Algorithm, error) {
	a, err := m.chooseAlgorithm(alg, h.parsed.keyType, now)
	if err != nil {
		return 0, err
	}
	if n < 1 {
		return 0, fmt.Errorf("%w: n=%d", sap.ReasonCount, n)
	}
	if n > p.MaxItems {
		return 0, fmt.Errorf("%w: %d, policy %s allows %d", sap.ReasonTooMany, n, p.ID, p.MaxItems)
	}
	if now.Before(h.parsed.cert.NotBefore) || now.After(h.parsed.cert.NotAfter) {
		return 0, sap.ReasonCertValidity
	}
	if err := m.mayClaim(h.parsed, p); err != nil {
		return 0, err
	}
	return a, m.mayLower(h.parsed, p)
}

// authenticator finds an enrolled authenticator by its id.
func (h *holding) authenticator(id []byte) (*Authenticator, error) {
	for _, a := range h.auths {
		if string(a.Credential) == string(id) {
			return a, nil
		}
	}
	return nil, sap.ReasonAuthenticator
}

// authKey parses an authenticator's public key, once.
func (m *Module) authKey(a *Authenticator) (*ecdsa.PublicKey, error) {
	if k, ok := m.authKeys.get(string(a.MAC)); ok {
		return k, nil
	}
	pub, err := x509.ParsePKIXPublicKey(a.Public)
	k, ok := pub.(*ecdsa.PublicKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%w: authenticator key", sap.ReasonSeal)
	}
	m.authKeys.put(string(a.MAC), k)
	return k, nil
}

// Request issues an activation request (sspu): the module's signed offer of one
// approval. It keeps the session's id and hashes, nothing more.
func (m *Module) Request(ctx context.Context, c Caller, in Ask) (sap.Signed, error) {
	if err := m.admit(ctx, c, OpRequest); err != nil {
		return sap.Signed{}, err
	}
	signed, err := m.request(ctx, c, in)
	if err != nil {
		return sap.Signed{}, m.refuse(ctx, c, string(OpRequest), err,
			audit.Data{"signer": clip(in.Signer, sap.MaxIDLen), "key": clip(in.Key, sap.MaxIDLen)})
	}
	m.cfg.Hook(StepRequested)
	return signed, nil
}

func (m *Module) request(ctx context.Context, c Caller, in Ask) (sap.Signed, error) {
	now := m.clock.Now()
	policy, err := m.policy(in.Policy)
	if err != nil {
		return sap.Signed{}, err
	}
	var req *sap.ActivationRequest
	var once *Once
	err = m.view(ctx, func(tx *Tx) error {
		h, err := m.holding(tx, in.Signer, in.Key, true)
		if err != nil {
			return err
		}
		offer, err := m.mayAsk(tx, h, policy, now)
		if err != nil {
			return err
		}
		a, err := m.usable(h, in.Alg, in.N, policy, now)
		if err != nil {
			return err
		}
		if req, err = m.activationRequest(c, h, offer, a, in.N, policy, now); err == nil && h.once != nil {
			once, req.Bind.Expires = h.once, min(req.Bind.Expires, h.once.Expires)
		}
		return err
	})
	if err != nil {
		return sap.Signed{}, err
	}
	signed, err := m.say(sap.LabelActivationRequest, req)
	if err != nil {
		return sap.Signed{}, err
	}
	return signed, m.openSession(ctx, c, req.Bind, once)
}

// mayAsk bounds a signer's open sessions (AFL-04) and names the authenticators
// that could approve; it refuses when there is none.
func (m *Module) mayAsk(tx *Tx, h *holding, p Policy, now time.Time) ([]*Authenticator, error) {
	if err := m.mayOpen(tx, h.signer.ID, now); err != nil {
		return nil, err
	}
	return m.someone(tx, h, p, now)
}

func (m *Module) mayOpen(tx *Tx, signer string, now time.Time) error {
	open, err := tx.Sessions.CountOpen(signer, now.Unix())
	if err == nil && open >= m.cfg.OpenSessions {
		err = fmt.Errorf("%w: signer has %d open activation requests", sap.ReasonTooMany, open)
	}
	return err
}

// someone lists the authenticators that can approve now, and refuses when there
// is none, for the reason of the last.
func (m *Module) someone(tx *Tx, h *holding, p Policy, now time.Time) ([]*Authenticator, error) {
	err := error(sap.ReasonAuthenticator)
	var out []*Authenticator
	for _, a := range h.auths {
		g, err2 := m.guard(tx, a, true)
		if err2 != nil {
			return nil, err2
		}
		if g.locked(now.Unix()) {
			err = sap.ReasonLocked
		} else if err = errors.Join(m.mayApprove(a, now), a.reaches(p.Tier)); err == nil {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		return nil, err
	}
	return out, nil
}

// mayApprove asks whether an authenticator may be used at all: its model
// (SAP-02), and its cooling time (ENR-04).
func (m *Module) mayApprove(a *Authenticator, now time.Time) error {
	if now.Unix() < a.UsableFrom {
		return fmt.Errorf("%w: until %d", sap.ReasonCooling, a.UsableFrom)
	}
	return m.models.usable(a.AAGUID, a.tier())
}

// reaches asks whether an authenticator showed what a policy wants.
func (r *Authenticator) reaches(t Tier) error {
	if r.tier().rank() < t.rank() {
		return fmt.Errorf("%w: %s, policy asks for %s", sap.ReasonTier, r.tier(), t)
	}
	return nil
}

// activationRequest binds a fresh session and nonce (SAP-05) to signer, key,
// certificate, algorithm, caller, policy and count.
func (m *Module) activationRequest(c Caller, h *holding, offer []*Authenticator, a algo.Algorithm, n int, p Policy, now time.Time) (*sap.ActivationRequest, error) {
	sid, nonce := make([]byte, sap.SessionLen), make([]byte, sap.NonceLen)
	if err := errors.Join(m.draw(sid), m.draw(nonce)); err != nil {
		return nil, err
	}
	// The time in milliseconds, then 80 random bits: sessions of the same time are
	// neighbours in every index, and what a redemption changes is in few pages.
	// What must not be guessed is the nonce.
	ms := uint64(now.UnixMilli())
	binary.BigEndian.PutUint16(sid, uint16(ms>>32))
	binary.BigEndian.PutUint32(sid[2:], uint32(ms))
	creds := make([]string, len(offer))
	for i, au := range offer {
		creds[i] = sap.B64(au.Credential)
	}
	return &sap.ActivationRequest{
		Type: sap.TypeActivationRequest,
		Bind: sap.Binding{
			Audience: m.audience, Session: sap.B64(sid), Nonce: sap.B64(nonce), Signer: h.signer.ID, Key: h.cred.Key,
			Cert: sap.B64(h.cred.CertHash), Alg: a.String(), Caller: c.Identity, Policy: p.ID, N: n,
			IssuedAt: now.Unix(), Expires: now.Add(p.Lifetime).Unix(),
		},
		Carrier: h.cred.Carrier, Credentials: creds, Origin: m.cfg.Origin, RPID: m.cfg.RPID, Assurance: m.keyLabel(h.parsed),
	}, nil
}

func (m *Module) openSession(ctx context.Context, c Caller, b sap.Binding, once *Once) error {
	sid, err := sap.UnB64(b.Session)
	if err != nil {
		return err
	}
	nonce, err := sap.UnB64(b.Nonce)
	if err != nil {
		return err
	}
	hash, err := b.Hash()
	if err != nil {
		return err
	}
	var s *Activation
	err = m.update(ctx, c, func(w *work) error {
		if err := m.mayOpen(w.Tx, b.Signer, w.now); err != nil { // again: others may have come between
			return err
		}
		s = &Activation{
			Session: sid, Signer: b.Signer, NonceHash: nonceHash(nonce), Binding: hash, Expires: b.Expires,
			State: ActOpen, Updated: w.now.Unix(),
		}
		seq, err := w.log(EventRequested, audit.OK, "", audit.Data{
			"obj": s.object(), "signer": b.Signer, "key": b.Key, "cert": b.Cert, "alg": b.Alg, "policy": b.Policy, "n": b.N, "exp": b.Expires,
		})
		if err != nil {
			return err
		}
		w.stamp(s, seq)
		if err := w.bindOnce(once, b, sid); err != nil {
			return err
		}
		return w.Activations.Insert(s)
	})
	if err == nil {
		m.memory.sessions.put(string(sid), s)
	}
	return err
}
