package tokentest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"io"
	"sync/atomic"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
)

// guarded is the least token that needs activation data.
type guarded struct {
	key    *ecdsa.PrivateKey
	closed atomic.Bool
}

type guardedKey struct{ *guarded }

func (g *guarded) begin(ctx context.Context) error {
	if err := cryptotoken.Cancelled(ctx); err != nil {
		return err
	}
	if g.closed.Load() {
		return cryptotoken.NotStarted(cryptotoken.ErrUnavailable)
	}
	return nil
}

func (g *guarded) Info(ctx context.Context) (cryptotoken.Info, error) {
	return cryptotoken.Info{Driver: "guarded", Name: "guarded", Model: "test", Activation: true}, g.begin(ctx)
}

func (g *guarded) Signer(ctx context.Context, ref cryptotoken.KeyRef) (cryptotoken.Signer, error) {
	if err := g.begin(ctx); err != nil {
		return nil, err
	}
	if err := cryptotoken.CheckLabel(ref.Label); err != nil {
		return nil, err
	}
	if ref.Label != "alice/1" {
		return nil, cryptotoken.ErrKeyNotFound
	}
	return guardedKey{g}, nil
}

func (g *guarded) Close() error { g.closed.Store(true); return nil }

func (k guardedKey) Public() crypto.PublicKey { return &k.key.PublicKey }
func (k guardedKey) KeyType() algo.KeyType    { return algo.P256 }
func (k guardedKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, cryptotoken.NotStarted(cryptotoken.ErrNeedsSAD)
}

// The part of the suite for tokens that need activation data runs on the least
// such token; samtoken runs it on itself.
func TestActivationPart(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	Run(t, Config{
		Open:       func(testing.TB) cryptotoken.Token { return &guarded{key: key} },
		Activation: true, SignerKey: cryptotoken.KeyRef{Label: "alice/1"},
	})
}
