package apptest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"time"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// onceKey is a one-time key of a signer.
type onceKey struct {
	id    string
	key   *ecdsa.PrivateKey
	chain [][]byte
	proof string // the approval that made it, for its repetition
}

// keyNamed is the key and chain behind an id; nil when there is none.
func (p *person) keyNamed(id string) (*ecdsa.PrivateKey, [][]byte) {
	switch {
	case p.cred.Key == id:
		return p.key, p.cred.Chain
	case p.once != nil && p.once.id == id:
		return p.once.key, p.once.chain
	}
	return nil, nil
}

func policyOr(p string) string {
	if p == "" {
		return "default"
	}
	return p
}

// Signer implements signapp.Certifier.
func (m *Module) Signer(ctx context.Context, id string) (*sapclient.Signer, error) {
	if _, err := m.mood(ctx); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.people[id]
	if !ok {
		return nil, &sapclient.Error{Kind: sapclient.ErrNotFound, Status: 404, Retry: sapclient.RetryNever}
	}
	return &sapclient.Signer{ID: id, Name: "Person " + id, State: "enrolled", Authenticators: []sapclient.Authenticator{{Credential: sap.B64(p.device.ID)}}}, nil
}

// OnceRequest implements signapp.Certifier.
func (m *Module) OnceRequest(ctx context.Context, in sapclient.OnceRequestIn) (sap.Signed, error) {
	if _, err := m.mood(ctx); err != nil {
		return sap.Signed{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.people[in.Signer]
	if !ok {
		return sap.Signed{}, refusal("1")
	}
	id, err := sap.KeyID(&m.Statement.PublicKey)
	if err != nil {
		return sap.Signed{}, err
	}
	now := m.Clock.Now()
	r := &sap.OneTimeRequest{
		Type: sap.TypeOneTime, Audience: "test#1", Key: "o-" + random(9), Nonce: random(sap.NonceLen), Signer: in.Signer, Display: "Person " + in.Signer,
		Proofing: "p-1", KeyType: "P-256", Subject: sap.B64([]byte{0x30, 0}), CA: "demo", Policy: policyOr(in.Policy), Caller: "ssad",
		Carrier: sap.CarrierWebAuthn, Credentials: []string{sap.B64(p.device.ID)}, Origin: SigningOrigin, RPID: RPID,
		Assurance: sap.AssuranceDevelopment, Life: 600, IssuedAt: now.Unix(), Expires: now.Add(5 * time.Minute).Unix(),
	}
	signed, err := sap.SignStatement(m.Statement, id, sap.LabelOneTime, r)
	if err == nil {
		if p.offers == nil {
			p.offers = map[string]bool{}
		}
		p.offers[signed.Statement] = true
	}
	return signed, err
}

// OnceApprove implements signapp.Certifier: the byte-identical repetition gets the same
// key while it lives, another use of the offer is refused.
func (m *Module) OnceApprove(ctx context.Context, in sapclient.OnceApproveIn) (*sapclient.OnceApproveOut, error) {
	v, err := m.mood(ctx)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	offer, err := sap.DecodeOneTime(in.Statement)
	if err != nil {
		return nil, refusal("3")
	}
	p := m.people[offer.Signer]
	if p.once == nil || p.once.proof != string(in.Proof) {
		if !p.offers[sap.B64(in.Statement)] || m.Clock.Now().Unix() >= offer.Expires {
			return nil, refusal("4")
		}
		delete(p.offers, sap.B64(in.Statement))
		if err := m.makeOnce(p, offer, in); err != nil {
			return nil, err
		}
	}
	if v.LoseAnswer {
		return nil, ErrNoAnswer
	}
	return &sapclient.OnceApproveOut{Key: p.once.id, Signer: offer.Signer, KeyType: "P-256", Algs: []string{"ES256"}, Chain: p.once.chain,
		Assurance: sap.AssuranceDevelopment, Expires: m.Clock.Now().Unix() + offer.Life}, nil
}

func (m *Module) makeOnce(p *person, offer *sap.OneTimeRequest, in sapclient.OnceApproveIn) error {
	nonce, err := sap.UnB64(offer.Nonce)
	if err != nil {
		return err
	}
	challenge, err := sap.OneTimeChallenge(nonce, in.Statement)
	if err != nil {
		return err
	}
	if err := p.device.verifyChallenge(challenge, in.Proof); err != nil {
		return refusal("5")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: offer.Display},
		NotBefore: m.Clock.Now().Add(-time.Hour), NotAfter: m.Clock.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	p.once = &onceKey{offer.Key, key, [][]byte{der}, string(in.Proof)}
	m.onceMade++
	return err
}

// OnceEnd implements signapp.Certifier.
func (m *Module) OnceEnd(ctx context.Context, key string) error {
	m.mu.Lock()
	m.onceEnds++
	m.mu.Unlock()
	if _, err := m.mood(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.people {
		if p.once != nil && p.once.id == key {
			p.once = nil
			m.onceGivenUp = append(m.onceGivenUp, key)
			return nil
		}
	}
	return refusal("6")
}

// OnceEnds counts how often the application asked for the end of a one-time key.
func (m *Module) OnceEnds() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.onceEnds
}

// OnceGivenUp lists the one-time keys that the application had destroyed.
func (m *Module) OnceGivenUp() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.onceGivenUp)
}

// EndOnce ends a signer's one-time key, as a restart of the module does.
func (m *Module) EndOnce(signer string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.people[signer].once = nil
}

// OnceMade counts the one-time keys that were made.
func (m *Module) OnceMade() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.onceMade
}
