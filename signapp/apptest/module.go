// Package apptest has what tests of the signing application and of its front
// doors need: a strict signature activation module with the vices that a real
// one may show (slow, away, answers lost, lying), a device that approves, and a
// worker whose files are small. Only tests import it.
package apptest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// Origins of the tests.
const (
	AppOrigin     = "http://localhost:8440"
	SigningOrigin = "http://localhost:8441"
	RPID          = "localhost"
)

// Module is a signature activation module in memory. It checks approvals with
// the code of package sap and counts its key uses.
type Module struct {
	Clock     clock.Clock
	Statement *ecdsa.PrivateKey

	mu       sync.Mutex
	people   map[string]*person
	open     map[string][]byte // sid -> hash of the binding
	answers  map[string]*sapclient.RedeemOut
	vice     Vice
	keyUses  int
	redeems  int
	onceMade int

	onceGivenUp []string
	onceEnds    int
}

type person struct {
	key    *ecdsa.PrivateKey
	cred   sapclient.Credential
	device *Device
	once   *onceKey // the newest, nil when there is none or it has ended
	offers map[string]bool
}

// Vice is a fault of the module.
type Vice struct {
	Down       bool                       // no answer, nothing done
	LoseAnswer bool                       // everything done, answer lost
	Refuse     bool                       // final no
	Slow       time.Duration              // before the answer
	Lie        func(*sapclient.RedeemOut) // changes the answer
}

// ErrNoAnswer is what a caller of a module that is away sees.
var ErrNoAnswer error = &sapclient.Error{Kind: sapclient.ErrUnavailable, Retry: sapclient.RetrySame, Err: errors.New("connection reset")}

// NewModule returns a module that knows the given signers, each with an
// enrolled device and one active P-256 key.
func NewModule(t testing.TB, c clock.Clock, signers ...string) *Module {
	t.Helper()
	m := &Module{Clock: c, people: map[string]*person{}, open: map[string][]byte{}, answers: map[string]*sapclient.RedeemOut{}}
	var err error
	if m.Statement, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	for _, s := range signers {
		m.enrol(t, s)
	}
	return m
}

func (m *Module) enrol(t testing.TB, signer string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Person " + signer},
		NotBefore: m.Clock.Now().Add(-time.Hour), NotAfter: m.Clock.Now().AddDate(3, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	m.people[signer] = &person{key: key, device: NewDevice(t), cred: sapclient.Credential{
		Key: "key-" + signer, Signer: signer, KeyType: "P-256", Algs: []string{"ES256"}, State: "active",
		Carrier: sap.CarrierWebAuthn, Chain: [][]byte{der}, Raw: true, Assurance: sap.AssuranceDevelopment,
	}}
}

// Device returns the signer's enrolled device.
func (m *Module) Device(signer string) *Device { return m.people[signer].device }

// Change edits a signer's credential as the module lists it.
func (m *Module) Change(signer string, f func(*sapclient.Credential)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(&m.people[signer].cred)
}

// Set changes the module's vice.
func (m *Module) Set(v Vice) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.vice = v
}

// Uses returns how often keys were used and how often Redeem was called.
func (m *Module) Uses() (keys, redeems int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keyUses, m.redeems
}

func (m *Module) mood(ctx context.Context) (Vice, error) {
	m.mu.Lock()
	v := m.vice
	m.mu.Unlock()
	if v.Slow > 0 {
		select {
		case <-time.After(v.Slow):
		case <-ctx.Done():
			return v, ctx.Err()
		}
	}
	switch {
	case v.Down:
		return v, ErrNoAnswer
	case v.Refuse:
		return v, refusal("17")
	}
	return v, nil
}

// Credentials implements signapp.Module.
func (m *Module) Credentials(ctx context.Context, signer string) ([]sapclient.Credential, error) {
	if _, err := m.mood(ctx); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.people[signer]
	if !ok {
		return nil, nil
	}
	return []sapclient.Credential{p.cred}, nil
}

// Request implements signapp.Module.
func (m *Module) Request(ctx context.Context, in sapclient.ActivationRequestIn) (sap.Signed, error) {
	if _, err := m.mood(ctx); err != nil {
		return sap.Signed{}, err
	}
	m.mu.Lock()
	p, ok := m.people[in.Signer]
	if !ok {
		m.mu.Unlock()
		return sap.Signed{}, refusal("1")
	}
	_, chain := p.keyNamed(in.Key)
	m.mu.Unlock()
	if chain == nil {
		return sap.Signed{}, refusal("1")
	}
	sum := sha256.Sum256(chain[0])
	now := m.Clock.Now()
	b := sap.Binding{Audience: "test#1", Session: random(sap.SessionLen), Nonce: random(sap.NonceLen), Signer: in.Signer, Key: in.Key,
		Cert: sap.B64(sum[:]), Alg: in.Alg, Caller: "ssad", Policy: policyOr(in.Policy), N: in.N, IssuedAt: now.Unix(), Expires: now.Add(5 * time.Minute).Unix()}
	hash, err := b.Hash()
	if err != nil {
		return sap.Signed{}, err
	}
	m.mu.Lock()
	m.open[b.Session] = hash
	m.mu.Unlock()
	id, err := sap.KeyID(&m.Statement.PublicKey)
	if err != nil {
		return sap.Signed{}, err
	}
	req := sap.ActivationRequest{Type: sap.TypeActivationRequest, Bind: b, Carrier: sap.CarrierWebAuthn,
		Credentials: []string{sap.B64(p.device.ID)}, Origin: SigningOrigin, RPID: RPID, Assurance: sap.AssuranceDevelopment}
	return sap.SignStatement(m.Statement, id, sap.LabelActivationRequest, req)
}

func refusal(ref string) error {
	return &sapclient.Error{Kind: sapclient.ErrRefused, Status: 403, Ref: ref, Retry: sapclient.RetryNever}
}

func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return sap.B64(b)
}

// Redeem implements signapp.Module: the byte-identical repetition gets the
// stored answer, everything else that reuses a session is refused.
func (m *Module) Redeem(ctx context.Context, in sapclient.RedeemIn) (*sapclient.RedeemOut, error) {
	m.mu.Lock()
	m.redeems++
	m.mu.Unlock()
	v, err := m.mood(ctx)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	id := string(sap.RedemptionID("ssad", in.SAD, in.Proof, in.Evidence))
	out, ok := m.answers[id]
	if !ok {
		if out, err = m.sign(in); err != nil {
			return nil, fmt.Errorf("%w: %w", refusal("2"), err)
		}
		m.answers[id] = out
	}
	if v.LoseAnswer {
		return nil, ErrNoAnswer
	}
	c := *out
	c.Signatures = append([][]byte(nil), out.Signatures...)
	if v.Lie != nil {
		v.Lie(&c)
	}
	return &c, nil
}

func (m *Module) sign(in sapclient.RedeemIn) (*sapclient.RedeemOut, error) {
	if !bytes.Equal(in.Evidence, []byte("[]")) {
		return nil, sap.ReasonEvidence
	}
	sad, err := sap.DecodeSAD(in.SAD)
	if err != nil {
		return nil, err
	}
	hash, err := sad.Bind.Hash()
	if err != nil || !bytes.Equal(hash, m.open[sad.Bind.Session]) {
		return nil, sap.ReasonConsumed
	}
	if m.Clock.Now().Unix() >= sad.Bind.Expires {
		return nil, sap.ReasonExpired
	}
	p := m.people[sad.Bind.Signer]
	if err := p.device.verify(sad, in.SAD, in.Proof); err != nil {
		return nil, err
	}
	delete(m.open, sad.Bind.Session)
	key, chain := p.keyNamed(sad.Bind.Key)
	if key == nil {
		return nil, sap.ReasonKeyState
	}
	if p.once != nil && p.once.id == sad.Bind.Key {
		p.once = nil // used once
	}
	out := &sapclient.RedeemOut{}
	rec := sap.Receipt{Type: sap.TypeReceipt, Audience: sad.Bind.Audience, Instance: "test", Time: m.Clock.Now().UnixMilli(), SAD: sap.B64(in.SAD),
		Proof: sap.B64(in.Proof), Authenticator: sap.B64(p.device.spki), Certificate: sap.B64(chain[0]), Origin: SigningOrigin, RPID: RPID,
		Assurance: sap.AssuranceDevelopment, AuditSeq: 1, AuditHash: random(32)}
	for i, it := range sad.Items {
		dtbsr, err := sap.Rebuild(it, chain[0], algo.ES256, nil)
		if err != nil {
			return nil, err
		}
		sig, err := ecdsa.SignASN1(rand.Reader, key, dtbsr)
		if err != nil {
			return nil, err
		}
		m.keyUses++
		out.Signatures = append(out.Signatures, sig)
		rec.Items = append(rec.Items, sap.ReceiptItem{I: i, DTBSR: it.DTBSR, Signature: sap.B64(sig), Shown: it.Kind != sap.KindRaw})
	}
	out.Receipt, err = m.receipt(rec)
	return out, err
}

func (m *Module) receipt(rec sap.Receipt) (sap.SignedReceipt, error) {
	text, err := jcs.Marshal(rec)
	if err != nil {
		return sap.SignedReceipt{}, err
	}
	sig, err := sap.Sign(m.Statement, sap.LabelReceiptRoot, sap.NewReceiptTree([][]byte{text}).Root())
	if err != nil {
		return sap.SignedReceipt{}, err
	}
	id, err := sap.KeyID(&m.Statement.PublicKey)
	return sap.SignedReceipt{Receipt: sap.B64(text), Path: []string{}, Index: 0, Size: 1, Signature: sap.B64(sig), Key: id}, err
}

// Rewrite changes a receipt and signs it anew with the module's key.
func (m *Module) Rewrite(t testing.TB, sr sap.SignedReceipt, change func(*sap.Receipt)) sap.SignedReceipt {
	t.Helper()
	rec, err := sap.OpenReceipt(&m.Statement.PublicKey, sr)
	if err != nil {
		t.Fatal(err)
	}
	change(rec)
	out, err := m.receipt(*rec)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// EnrolBegin implements relay.Enroller with a recognisable answer.
func (m *Module) EnrolBegin(ctx context.Context, id string) (sap.Signed, error) {
	if _, err := m.mood(ctx); err != nil {
		return sap.Signed{}, err
	}
	return sap.Signed{Statement: sap.B64([]byte(id)), Signature: "AA", Key: "k"}, nil
}

// EnrolFinish implements relay.Enroller with a recognisable answer.
func (m *Module) EnrolFinish(ctx context.Context, id string, registration []byte) (*sapclient.EnrolFinishOut, error) {
	if _, err := m.mood(ctx); err != nil {
		return nil, err
	}
	return &sapclient.EnrolFinishOut{Signer: id, Credential: sap.B64(registration)}, nil
}

// Authenticators implements relay.Keeper: a recognisable answer that names the
// signer.
func (m *Module) Authenticators(ctx context.Context, in sapclient.AuthListIn) (sap.Signed, error) {
	if err := ctx.Err(); err != nil {
		return sap.Signed{}, err
	}
	return sap.Signed{Statement: "list of " + in.Signer, Signature: in.Nonce, Key: fmt.Sprint(in.After)}, nil
}

// ChangeBegin implements relay.Keeper likewise.
func (m *Module) ChangeBegin(ctx context.Context, in sapclient.ChangeBeginIn) (sap.Signed, error) {
	if err := ctx.Err(); err != nil {
		return sap.Signed{}, err
	}
	return sap.Signed{Statement: in.Action + " for " + in.Signer, Signature: in.Target}, nil
}

// ChangeFinish implements relay.Keeper likewise.
func (m *Module) ChangeFinish(ctx context.Context, id string, change []byte) (*sapclient.ChangeFinishOut, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &sapclient.ChangeFinishOut{Signer: id, Credential: sap.B64(change)}, nil
}
