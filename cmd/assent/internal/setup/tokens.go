package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/cryptotoken/pkcs11"
	"github.com/assent-sign/assent/cryptotoken/pkcs11/softhsm"
	"github.com/assent-sign/assent/cryptotoken/softtoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
)

// TSAKey is the label of the time-stamp authority's key in ssad's own token.
const TSAKey = "tsa"

// ErrPIN means that a PKCS #11 token needs its PIN in a file.
var ErrPIN = errors.New("setup: the token's PIN")

// quiet drops what drivers log: samd says the same at every start.
func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// samdToken prepares the module's token. A softtoken is made by samd itself at
// its first start; a SoftHSM2 token is initialised here; a real token exists and
// its PIN is the operator's to put into the file.
func samdToken(ctx context.Context, v *values) error {
	v.TokenPIN = v.at("samd/pin")
	switch v.HSM {
	case "none":
		v.Driver, v.TokenDir = "softtoken", v.at("samd/token")
		return writeSecret(v.TokenPIN, newPIN())
	case "softhsm":
		return softHSM(ctx, v)
	}
	v.Driver, v.Module = "pkcs11", v.HSM
	if _, err := os.Stat(v.Module); err != nil {
		return fmt.Errorf("%w: PKCS #11 module: %w", ErrOptions, err)
	}
	return os.WriteFile(v.TokenPIN, nil, 0o600) // empty: samd refuses to start until the operator fills it
}

// softHSM makes a SoftHSM2 token with its wrapping and sealing keys.
func softHSM(ctx context.Context, v *values) error {
	pin, soPIN := newPIN(), newPIN()
	env, module, err := softhsm.Provision(v.at("samd/softhsm"), v.TokenLabel, pin, soPIN)
	if err != nil {
		return err
	}
	v.Driver, v.Module, v.TokenEnv, v.TokenDevelopment = "pkcs11", module, env, true
	if err := errors.Join(writeSecret(v.TokenPIN, pin), writeSecret(v.at("samd/so-pin"), soPIN)); err != nil {
		return err
	}
	return pkcs11.Init(ctx, pkcs11.Config{
		Name: "hsm", Module: module, TokenLabel: v.TokenLabel, PINFile: v.TokenPIN, Children: 1,
		Profile: v.Profile, Development: true, Env: []string{env}, Log: quiet(),
	})
}

// ssadToken makes the demo CA, and ssad's own token with the key of the demo
// time-stamp authority. In production the operator names an external authority.
func ssadToken(ctx context.Context, v *values) error {
	if v.Profile == Production {
		return nil
	}
	ca := v.CA
	if ca == nil {
		var err error
		if ca, err = certs.NewDemoCA(certs.DemoConfig{Clock: v.Now}); err != nil {
			return err
		}
	}
	if err := ca.Save(v.at("pki")); err != nil {
		return err
	}
	v.TrustFile = v.at("pki/root.pem")
	v.SsadTokenDir, v.SsadTokenPIN, v.TSAChain = v.at("ssad/token"), v.at("ssad/pin"), v.at("ssad/tsa.pem")
	if err := writeSecret(v.SsadTokenPIN, newPIN()); err != nil {
		return err
	}
	token, err := softtoken.Open(softtoken.Config{Name: "ssad", Dir: v.SsadTokenDir, PINFile: v.SsadTokenPIN, Profile: v.Profile, Create: true, Log: quiet()})
	if err != nil {
		return err
	}
	key, err := token.CreateKey(ctx, cryptotoken.KeyRef{Label: TSAKey}, algo.P256)
	if err != nil {
		return errors.Join(err, token.Close())
	}
	chain, err := ca.IssueKey(key, certs.DemoRequest{Profile: certs.TSAProfile, CommonName: "Time-stamp authority"})
	if err != nil {
		return errors.Join(err, token.Close())
	}
	return errors.Join(os.WriteFile(v.TSAChain, certs.EncodePEM(chain...), 0o644), token.Close())
}
