// Package tokentest is the suite that every token driver passes.
//
// Which parts apply:
//
//   - Info, lifecycle (cancelled context, Close then use) and unknown key: every token.
//   - Named, Wrapper, Sealer, Prober, Rotator: tokens that implement the interface. The
//     caller says in Config which ones it must be, so that a driver which loses
//     an interface fails instead of passing an empty suite.
//   - Activation: tokens with Info.Activation (samtoken). Their signers' keys
//     refuse every use through Signer with ErrNeedsSAD, without a key use. Such a
//     token is no Wrapper: what it holds is another module's.
package tokentest

import (
	"context"
	"crypto"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
)

// Config tells the suite about the driver under test.
type Config struct {
	// Open returns a token of its own with no named key. The suite closes it.
	Open func(t testing.TB) cryptotoken.Token
	// Reopen closes the token and opens the same store again. Needed by Named,
	// Wrapper, Sealer and Rotator.
	Reopen func(t testing.TB, tok cryptotoken.Token) cryptotoken.Token
	// KeyTypes that the driver supports. With -short only the first is used.
	KeyTypes []algo.KeyType
	// What the driver must implement.
	Named, Wrapper, Sealer, Prober, Rotator bool
	// Activation: the driver must report Info.Activation, and SignerKey names a
	// signer's key that exists.
	Activation bool
	SignerKey  cryptotoken.KeyRef
	// Concurrency bounds the parallel callers; 16 when 0.
	Concurrency int
}

// Run runs all parts that apply.
func Run(t *testing.T, cfg Config) {
	if cfg.Concurrency == 0 {
		cfg.Concurrency = 16
	}
	if testing.Short() && len(cfg.KeyTypes) > 1 {
		cfg.KeyTypes = cfg.KeyTypes[:1]
	}
	t.Run("Interfaces", func(t *testing.T) { testInterfaces(t, cfg) })
	t.Run("Info", func(t *testing.T) { testInfo(t, cfg) })
	t.Run("UnknownKey", func(t *testing.T) { testUnknownKey(t, cfg) })
	t.Run("Lifecycle", func(t *testing.T) { testLifecycle(t, cfg) })
	if cfg.Named {
		t.Run("Named", func(t *testing.T) { runNamed(t, cfg) })
	}
	if cfg.Wrapper {
		t.Run("Wrapper", func(t *testing.T) { runWrapper(t, cfg) })
	}
	if cfg.Sealer {
		t.Run("Sealer", func(t *testing.T) { runSealer(t, cfg) })
	}
	if cfg.Rotator {
		t.Run("Rotator", func(t *testing.T) { runRotator(t, cfg) })
	}
	if cfg.Activation {
		t.Run("Activation", func(t *testing.T) { testActivation(t, cfg) })
	}
}

func open(t testing.TB, cfg Config) cryptotoken.Token {
	t.Helper()
	tok := cfg.Open(t)
	t.Cleanup(func() { _ = tok.Close() })
	return tok
}

func reopen(t testing.TB, cfg Config, tok cryptotoken.Token) cryptotoken.Token {
	t.Helper()
	again := cfg.Reopen(t, tok)
	t.Cleanup(func() { _ = again.Close() })
	return again
}

func testInterfaces(t *testing.T, cfg Config) {
	tok := open(t, cfg)
	_, named := tok.(cryptotoken.Named)
	_, wrapper := tok.(cryptotoken.Wrapper)
	_, sealer := tok.(cryptotoken.Sealer)
	_, prober := tok.(cryptotoken.Prober)
	_, rotator := tok.(cryptotoken.Rotator)
	for _, c := range []struct {
		name      string
		got, want bool
	}{
		{"Named", named, cfg.Named}, {"Wrapper", wrapper, cfg.Wrapper},
		{"Sealer", sealer, cfg.Sealer}, {"Prober", prober, cfg.Prober}, {"Rotator", rotator, cfg.Rotator},
	} {
		if c.got != c.want {
			t.Errorf("token implements %s: %v, the configuration of the suite says %v", c.name, c.got, c.want)
		}
	}
	if p, ok := tok.(cryptotoken.Prober); ok {
		before := uses(t, tok)
		if err := p.Probe(t.Context()); err != nil {
			t.Errorf("Probe: %v", err)
		}
		wantUses(t, tok, before, 0, "Probe")
	}
}

func testInfo(t *testing.T, cfg Config) {
	tok := open(t, cfg)
	info, err := tok.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.Driver == "" || info.Name == "" || info.Model == "" {
		t.Errorf("Info has empty fields: %+v", info)
	}
	if info.Development != (info.Reason != "") {
		t.Errorf("Development %v with reason %q: one without the other", info.Development, info.Reason)
	}
	if info.Activation != cfg.Activation {
		t.Errorf("Activation is %v, want %v", info.Activation, cfg.Activation)
	}
	if info.KeyUses != 0 {
		t.Errorf("a fresh token reports %d key uses", info.KeyUses)
	}
}

func testUnknownKey(t *testing.T, cfg Config) {
	tok := open(t, cfg)
	if _, err := tok.Signer(t.Context(), cryptotoken.KeyRef{Label: "no such key"}); !errors.Is(err, cryptotoken.ErrKeyNotFound) {
		t.Errorf("unknown key: %v, want ErrKeyNotFound", err)
	}
	for _, label := range []string{"", "a\x00b", string(make([]byte, 300))} {
		if _, err := tok.Signer(t.Context(), cryptotoken.KeyRef{Label: label}); !errors.Is(err, cryptotoken.ErrInvalidInput) {
			t.Errorf("label %.10q: %v, want ErrInvalidInput", label, err)
		}
	}
}

// testLifecycle: a context that ended before the call proves that nothing
// started; after Close every method says ErrUnavailable, and Close is harmless.
func testLifecycle(t *testing.T, cfg Config) {
	tok := open(t, cfg)
	var held cryptotoken.Signer
	if n, ok := tok.(cryptotoken.Named); ok {
		var err error
		if held, err = n.CreateKey(t.Context(), cryptotoken.KeyRef{Label: "held"}, cfg.KeyTypes[0]); err != nil {
			t.Fatal(err)
		}
	}
	var w cryptotoken.Wrapped
	if wr, ok := tok.(cryptotoken.Wrapper); ok {
		w = generate(t, wr, cfg.KeyTypes[0])
	}
	before := uses(t, tok)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	everyCall(gone, tok, w, func(name string, err error) {
		if !errors.Is(err, cryptotoken.ErrNotStarted) || !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v, want ErrNotStarted and context.Canceled", name, err)
		}
	})
	wantUses(t, tok, before, 0, "calls with a cancelled context")

	for range 2 {
		if err := tok.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	everyCall(t.Context(), tok, w, func(name string, err error) {
		if !errors.Is(err, cryptotoken.ErrUnavailable) {
			t.Errorf("%s after Close: %v, want ErrUnavailable", name, err)
		}
	})
	if held != nil {
		a := held.KeyType().Default()
		if _, err := held.Sign(nil, digest(a), a.SignerOpts()); !errors.Is(err, cryptotoken.ErrUnavailable) {
			t.Errorf("Sign of a signer obtained before Close: %v, want ErrUnavailable", err)
		}
	}
}

// everyCall makes every call that the token has.
func everyCall(ctx context.Context, tok cryptotoken.Token, w cryptotoken.Wrapped, check func(string, error)) {
	_, err := tok.Info(ctx)
	check("Info", err)
	_, err = tok.Signer(ctx, cryptotoken.KeyRef{Label: "held"})
	check("Signer", err)
	if n, ok := tok.(cryptotoken.Named); ok {
		_, err := n.CreateKey(ctx, cryptotoken.KeyRef{Label: "new"}, algo.P256)
		check("CreateKey", err)
	}
	if wr, ok := tok.(cryptotoken.Wrapper); ok {
		_, err := wr.GenerateWrapped(ctx, algo.P256)
		check("GenerateWrapped", err)
		a := w.KeyType.Default()
		_, err = wr.SignWrapped(ctx, w, a, [][]byte{digest(a)})
		check("SignWrapped", err)
		check("CheckWrapped", wr.CheckWrapped(ctx, w))
	}
	if s, ok := tok.(cryptotoken.Sealer); ok {
		_, err := s.DeriveSeal(ctx, "label")
		check("DeriveSeal", err)
	}
	if p, ok := tok.(cryptotoken.Prober); ok {
		check("Probe", p.Probe(ctx))
	}
	if r, ok := tok.(cryptotoken.Rotator); ok {
		_, err := r.CurrentKEK(ctx)
		check("CurrentKEK", err)
		_, err = r.NextKEK(ctx)
		check("NextKEK", err)
		_, err = r.Rewrap(ctx, w)
		check("Rewrap", err)
		check("DestroyKEK", r.DestroyKEK(ctx, w.KEK))
	}
}

func testActivation(t *testing.T, cfg Config) {
	tok := open(t, cfg)
	if _, ok := tok.(cryptotoken.Wrapper); ok {
		t.Error("a token that needs activation must not be a Wrapper: SignWrapped would go around the SAD")
	}
	before := uses(t, tok)
	s, err := tok.Signer(t.Context(), cfg.SignerKey)
	if err == nil {
		for _, a := range algo.All() {
			if !s.KeyType().Fits(a) {
				continue
			}
			sig, signErr := s.Sign(nil, digest(a), a.SignerOpts())
			if !errors.Is(signErr, cryptotoken.ErrNeedsSAD) || !errors.Is(signErr, cryptotoken.ErrNotStarted) || sig != nil {
				t.Errorf("%s of a signer's key without SAD: %d bytes, %v; want ErrNeedsSAD and ErrNotStarted", a, len(sig), signErr)
			}
		}
	} else if !errors.Is(err, cryptotoken.ErrNeedsSAD) {
		t.Errorf("Signer of a signer's key: %v, want a signer that refuses, or ErrNeedsSAD", err)
	}
	wantUses(t, tok, before, 0, "refused uses of a signer's key")
}

func uses(t testing.TB, tok cryptotoken.Token) uint64 {
	t.Helper()
	info, err := tok.Info(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return info.KeyUses
}

func wantUses(t testing.TB, tok cryptotoken.Token, before, delta uint64, what string) {
	t.Helper()
	if got := uses(t, tok) - before; got != delta {
		t.Errorf("%s counted as %d key uses, want %d", what, got, delta)
	}
}

// digest returns random bytes of the length of a's hash.
func digest(a algo.Algorithm) []byte {
	d := make([]byte, a.Hash().Size())
	for i := range d {
		d[i] = byte(rand.Uint32())
	}
	return d
}

func digests(a algo.Algorithm, n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = digest(a)
	}
	return out
}

func fitting(kt algo.KeyType) []algo.Algorithm {
	var out []algo.Algorithm
	for _, a := range algo.All() {
		if kt.Fits(a) {
			out = append(out, a)
		}
	}
	return out
}

func verify(t testing.TB, pub crypto.PublicKey, a algo.Algorithm, d, sig []byte) {
	t.Helper()
	if err := algo.Verify(pub, a, d, sig); err != nil {
		t.Errorf("%s: signature of %d bytes: %v", a, len(sig), err)
	}
}
