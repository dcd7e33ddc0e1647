package samtoken_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/cryptotoken/samtoken"
	"github.com/assent-sign/assent/cryptotoken/tokentest"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// module is a strict fake: it knows one key and fails the test when it is asked
// to redeem anything.
type module struct {
	t     *testing.T
	chain [][]byte
}

func (m *module) Info(context.Context) (*sapclient.Info, error) {
	return &sapclient.Info{Audience: "demo#1", Assurance: sap.AssuranceDevelopment}, nil
}

func (m *module) Credential(_ context.Context, key string) (*sapclient.Credential, error) {
	if key != "key-1" {
		return nil, sapclient.ErrNotFound
	}
	return &sapclient.Credential{Key: key, Chain: m.chain}, nil
}

func (m *module) Request(context.Context, sapclient.ActivationRequestIn) (sap.Signed, error) {
	m.t.Error("an activation was requested")
	return sap.Signed{}, sapclient.ErrRefused
}

func (m *module) Redeem(context.Context, sapclient.RedeemIn) (*sapclient.RedeemOut, error) {
	m.t.Error("something was redeemed")
	return nil, sapclient.ErrRefused
}

// SAP-10, SGN-05: the suite's part for activation tokens: no way to a signature
// but signature activation data.
func TestSAP10Suite(t *testing.T) {
	ca, err := certs.NewDemoCA(certs.DemoConfig{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := ca.IssueKey(key, certs.DemoRequest{Profile: certs.SignerProfile, CommonName: "anna"})
	if err != nil {
		t.Fatal(err)
	}
	open := func(testing.TB) cryptotoken.Token { return samtoken.New("signers", &module{t, chain}) }
	tokentest.Run(t, tokentest.Config{Open: open, Activation: true, SignerKey: cryptotoken.KeyRef{Label: "key-1"}})
}
