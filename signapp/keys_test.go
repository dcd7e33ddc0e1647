package signapp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// told is a module that tells a chain, or nothing.
type told struct {
	chain    []sap.SignedSuccession
	policies []sapclient.Policy
	err      error
	asked    int
}

func (m *told) Info(context.Context) (*sapclient.Info, error) {
	m.asked++
	return &sapclient.Info{Successions: m.chain, Policies: m.policies}, m.err
}

type moduleKey struct {
	*ecdsa.PrivateKey
	id string
}

func newModuleKey(t *testing.T) moduleKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := sap.KeyID(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return moduleKey{k, id}
}

func (k moduleKey) sign(t *testing.T, label string, body []byte) string {
	t.Helper()
	sig, err := sap.Sign(k, label, body)
	if err != nil {
		t.Fatal(err)
	}
	return sap.B64(sig)
}

func (k moduleKey) receipt(t *testing.T, at int64) sap.SignedReceipt {
	t.Helper()
	text, err := jcs.Marshal(sap.Receipt{Type: sap.TypeReceipt, Time: at, Items: []sap.ReceiptItem{}})
	if err != nil {
		t.Fatal(err)
	}
	root := sap.NewReceiptTree([][]byte{text}).Root()
	return sap.SignedReceipt{Receipt: sap.B64(text), Path: []string{}, Size: 1, Signature: k.sign(t, sap.LabelReceiptRoot, root), Key: k.id}
}

func succeeds(t *testing.T, old, next moduleKey, at int64) sap.SignedSuccession {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(next.Public())
	if err != nil {
		t.Fatal(err)
	}
	text, err := jcs.Marshal(sap.Succession{
		Type: sap.TypeSuccession, Audience: "demo#1", Instance: "c1", Epoch: 2, Old: old.id, New: next.id, Public: sap.B64(der), Time: at, Mode: sap.ModeSuccession,
	})
	if err != nil {
		t.Fatal(err)
	}
	return sap.SignedSuccession{Statement: sap.B64(text), Signature: old.sign(t, sap.LabelSuccession, text), Proof: next.sign(t, sap.LabelSuccessionProof, text)}
}

// KPR-06: the application takes receipts of the pinned key without asking, those of its
// successor after the chain that leads there was verified, and no others; when the module
// cannot be asked it waits.
func TestKPR06ReceiptsOfTheModulesNextKey(t *testing.T) {
	first, next, evil := newModuleKey(t), newModuleKey(t), newModuleKey(t)
	m := &told{err: errors.New("away")}
	s := &Service{cfg: Config{StatementKey: &first.PublicKey, Teller: m}}
	ctx := context.Background()
	if _, err := s.openReceipt(ctx, first.receipt(t, 50)); err != nil || m.asked != 0 {
		t.Errorf("%v, asked %d times", err, m.asked)
	}
	if _, err := s.openReceipt(ctx, next.receipt(t, 150)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("the module is away: %v", err)
	}
	m.err, m.chain = nil, []sap.SignedSuccession{succeeds(t, evil, evil, 100)}
	if _, err := s.openReceipt(ctx, evil.receipt(t, 150)); err == nil {
		t.Error("a chain of somebody else was believed")
	}
	m.chain = []sap.SignedSuccession{succeeds(t, first, next, 100)}
	if _, err := s.openReceipt(ctx, next.receipt(t, 150)); err != nil {
		t.Error(err)
	}
	asked := m.asked
	for what, r := range map[string]sap.SignedReceipt{"the next key": next.receipt(t, 200), "the first key in its time": first.receipt(t, 100)} {
		if _, err := s.openReceipt(ctx, r); err != nil || m.asked != asked {
			t.Errorf("%s: %v, asked %d times more", what, err, m.asked-asked)
		}
	}
	if _, err := s.openReceipt(ctx, first.receipt(t, 101)); !errors.Is(err, sap.ReasonSuccession) {
		t.Errorf("the first key after its end: %v", err)
	}
	if _, err := s.openReceipt(ctx, evil.receipt(t, 200)); !errors.Is(err, sap.ReasonSAMSignature) {
		t.Errorf("an unknown key: %v", err)
	}
}

// ADE-04: what a worker allows goes by the name of the policy, also where the
// configuration leaves it to the module.
func TestADE04DefaultPolicyHasItsName(t *testing.T) {
	m := &told{err: errors.New("away"), policies: []sapclient.Policy{{ID: sap.PolicyQualified}, {ID: "standard"}}}
	s, r := &Service{cfg: Config{Teller: m}}, &record{}
	if _, err := s.policyName(context.Background(), r); !errors.Is(err, ErrUnavailable) {
		t.Errorf("the module is away: %v", err)
	}
	m.err = nil
	for range 2 {
		if got, err := s.policyName(context.Background(), r); got != sap.PolicyQualified || err != nil || m.asked != 2 {
			t.Errorf("%q, %v, asked %d times", got, err, m.asked)
		}
	}
	s.cfg.Policy = "standard"
	if got, err := s.policyName(context.Background(), r); got != "standard" || err != nil || m.asked != 2 {
		t.Errorf("%q, %v, asked %d times", got, err, m.asked)
	}
}

// KEY-09, ADE-04: an operation with a key that the module uses under one policy only is of
// that policy, whatever is configured: the worker is told so, and digests of unseen content
// are refused when they are asked for.
func TestKEY09OperationOfAQualifiedKey(t *testing.T) {
	s := &Service{cfg: Config{Policy: "standard", RawPolicy: "bulk"}}
	r := &record{fixed: fixedPart{Level: levelRaw}}
	if got := s.policy(r); got != "bulk" {
		t.Error(got)
	}
	r.fixed.Policy = sap.PolicyQualified
	if got, err := s.policyName(context.Background(), r); got != sap.PolicyQualified || err != nil {
		t.Error(got, err)
	}
}
