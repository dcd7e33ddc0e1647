// Package samtoken is the SAMCryptoToken: a token whose every use needs
// signature activation data. It holds no key, no secret and no way around the
// signer: it asks the module (samd) for activation requests and redeems what
// signers' devices made of them.
//
// In the chain worker -> samtoken -> samd -> HSM it is the second link. To
// worker code it is a cryptotoken.Token whose Signer always refuses; the
// worker runtime finds the Activator and makes a pending operation instead.
package samtoken

import (
	"context"
	"fmt"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// Module is what this token needs of the module; sapclient.Client fits.
type Module interface {
	Info(ctx context.Context) (*sapclient.Info, error)
	Request(ctx context.Context, in sapclient.ActivationRequestIn) (*sapclient.ActivationRequestOut, error)
	Redeem(ctx context.Context, in sapclient.RedeemIn) (*sapclient.RedeemOut, error)
}

// Activator is a token that signs only with signature activation data.
type Activator interface {
	cryptotoken.Token
	// Request asks for an activation request: the SAM's signed offer to the
	// signer's devices for exactly n signatures of this key.
	Request(ctx context.Context, in sapclient.ActivationRequestIn) (sap.Signed, error)
	// Redeem hands over SAD, proof and evidence. A byte-identical repetition
	// gets the same answer and uses no key.
	Redeem(ctx context.Context, sad, proof, evidence []byte) (*sapclient.RedeemOut, error)
}

// Token implements Activator.
type Token struct {
	name   string
	module Module
}

var _ Activator = (*Token)(nil)

// New returns the token of a module under its configured name.
func New(name string, module Module) *Token { return &Token{name, module} }

// Info implements cryptotoken.Token. What is said of fitness comes from the
// module's own token.
func (t *Token) Info(ctx context.Context) (cryptotoken.Info, error) {
	in, err := t.module.Info(ctx)
	if err != nil {
		return cryptotoken.Info{}, fmt.Errorf("%w: %w", cryptotoken.ErrUnavailable, err)
	}
	out := cryptotoken.Info{Driver: "samtoken", Name: t.name, Model: "SAM " + in.Audience, Activation: true}
	if in.Assurance == sap.AssuranceDevelopment {
		out.Development, out.Reason = true, "the module's own token is for development only"
	}
	return out, nil
}

// Signer implements cryptotoken.Token: it always refuses, because no caller of
// a signing service may use a signer's key (SAP-10, SGN-05).
func (t *Token) Signer(context.Context, cryptotoken.KeyRef) (cryptotoken.Signer, error) {
	return nil, fmt.Errorf("%w: token %q", cryptotoken.ErrNeedsSAD, t.name)
}

// Close implements cryptotoken.Token. Connections belong to the module's client.
func (t *Token) Close() error { return nil }

// Request implements Activator.
func (t *Token) Request(ctx context.Context, in sapclient.ActivationRequestIn) (sap.Signed, error) {
	out, err := t.module.Request(ctx, in)
	if err != nil {
		return sap.Signed{}, err
	}
	return out.Request, nil
}

// Redeem implements Activator.
func (t *Token) Redeem(ctx context.Context, sad, proof, evidence []byte) (*sapclient.RedeemOut, error) {
	return t.module.Redeem(ctx, sapclient.RedeemIn{SAD: sad, Proof: proof, Evidence: evidence})
}
