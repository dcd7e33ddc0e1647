// Package samtoken is the SAMCryptoToken: a token whose every use needs
// signature activation data. It holds no key, no secret and no way around the
// signer: it asks the module (samd) for activation requests and redeems what
// signers' devices made of them.
//
// In the chain worker -> samtoken -> samd -> HSM it is the second link. To
// worker code it is a cryptotoken.Token whose signers always refuse (SAP-10, SGN-05); the worker
// runtime finds the Activator and makes a pending operation instead.
package samtoken

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// Module is what this token needs of the module; *sapclient.Client fits.
type Module interface {
	Info(ctx context.Context) (*sapclient.Info, error)
	Credential(ctx context.Context, key string) (*sapclient.Credential, error)
	Request(ctx context.Context, in sapclient.ActivationRequestIn) (sap.Signed, error)
	Redeem(ctx context.Context, in sapclient.RedeemIn) (*sapclient.RedeemOut, error)
}

// Activator is a token that signs only with signature activation data.
type Activator interface {
	// Request asks for an activation request: the SAM's signed offer to the
	// signer's devices for exactly in.N signatures of one key.
	Request(ctx context.Context, in sapclient.ActivationRequestIn) (sap.Signed, error)
	// Redeem hands over SAD, proof and evidence. A byte-identical repetition
	// gets the same answer and uses no key.
	Redeem(ctx context.Context, in sapclient.RedeemIn) (*sapclient.RedeemOut, error)
}

// Token implements cryptotoken.Token and Activator.
type Token struct {
	name   string
	module Module
	closed atomic.Bool
}

var (
	_ cryptotoken.Token = (*Token)(nil)
	_ Activator         = (*Token)(nil)
)

// New returns the token of a module under its configured name.
func New(name string, module Module) *Token { return &Token{name: name, module: module} }

// begin refuses a call before anything was asked of the module.
func (t *Token) begin(ctx context.Context) error {
	if t.closed.Load() {
		return cryptotoken.NotStarted(fmt.Errorf("%w: token %q is closed", cryptotoken.ErrUnavailable, t.name))
	}
	return cryptotoken.Cancelled(ctx)
}

// Info implements cryptotoken.Token. What is said of fitness comes from the
// module's own token.
func (t *Token) Info(ctx context.Context) (cryptotoken.Info, error) {
	if err := t.begin(ctx); err != nil {
		return cryptotoken.Info{}, err
	}
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

// Signer implements cryptotoken.Token for a signer's key by its id. It tells the
// public key; its Sign always refuses, because no caller of a signing service
// may use a signer's key (SAP-10, SGN-05).
func (t *Token) Signer(ctx context.Context, ref cryptotoken.KeyRef) (cryptotoken.Signer, error) {
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	if err := cryptotoken.CheckLabel(ref.Label); err != nil {
		return nil, err
	}
	c, err := t.module.Credential(ctx, ref.Label)
	if errors.Is(err, sapclient.ErrNotFound) {
		return nil, fmt.Errorf("%w: %q", cryptotoken.ErrKeyNotFound, ref.Label)
	}
	if err != nil {
		return nil, cryptotoken.NotStarted(fmt.Errorf("%w: %w", cryptotoken.ErrUnavailable, err))
	}
	if len(c.Chain) == 0 {
		return nil, fmt.Errorf("%w: key %q has no certificate", cryptotoken.ErrNeedsSAD, ref.Label)
	}
	cert, err := x509.ParseCertificate(c.Chain[0])
	if err != nil {
		return nil, fmt.Errorf("%w: certificate of key %q: %w", cryptotoken.ErrUnavailable, ref.Label, err)
	}
	kt, err := algo.KeyTypeOf(cert.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("%w: key %q: %w", cryptotoken.ErrUnsupported, ref.Label, err)
	}
	return signersKey{cert.PublicKey, kt}, nil
}

// signersKey knows a public key and refuses to sign.
type signersKey struct {
	public crypto.PublicKey
	kt     algo.KeyType
}

func (k signersKey) Public() crypto.PublicKey { return k.public }
func (k signersKey) KeyType() algo.KeyType    { return k.kt }

func (k signersKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, cryptotoken.NotStarted(cryptotoken.ErrNeedsSAD)
}

// Close implements cryptotoken.Token. Connections belong to the module's client.
func (t *Token) Close() error {
	t.closed.Store(true)
	return nil
}

// Request implements Activator.
func (t *Token) Request(ctx context.Context, in sapclient.ActivationRequestIn) (sap.Signed, error) {
	if err := t.begin(ctx); err != nil {
		return sap.Signed{}, err
	}
	return t.module.Request(ctx, in)
}

// Redeem implements Activator.
func (t *Token) Redeem(ctx context.Context, in sapclient.RedeemIn) (*sapclient.RedeemOut, error) {
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	return t.module.Redeem(ctx, in)
}
