package pkcs11

import (
	"log/slog"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/cryptotoken/pkcs11/softhsm"
	"github.com/assent-sign/assent/cryptotoken/tokentest"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/testenv"
)

const testPIN = "648219"

// provision makes a SoftHSM token with both keys.
func provision(t testing.TB) Config {
	t.Helper()
	cfg := provisionEmpty(t)
	if err := Init(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func provisionEmpty(t testing.TB) Config {
	t.Helper()
	testenv.Need(t, "softhsm2-util")
	env, module, err := softhsm.Provision(t.TempDir(), "test token", testPIN, "so"+testPIN)
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Name: "hsm", Module: module, TokenLabel: "test token", PIN: []byte(testPIN), Env: []string{env},
		Profile: "development", Development: true, Log: slog.New(slog.DiscardHandler),
	}
}

// patient gives a module the time that a busy machine takes from it. What is tested
// then is not how long a call lasts.
func patient(cfg Config) Config {
	cfg.Watchdog, cfg.QueueWait, cfg.StartWait = 30*time.Second, 30*time.Second, time.Minute
	return cfg
}

func mustOpen(t testing.TB, cfg Config) *Token {
	t.Helper()
	tok, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tok.Close(); err != nil {
			t.Error(err)
		}
	})
	return tok
}

// KPR-01, KPR-06: the suite of every driver, with a module behind it.
func TestSuiteOnSoftHSM(t *testing.T) {
	testenv.Need(t, "softhsm2-util")
	configs := map[cryptotoken.Token]Config{}
	open := func(t testing.TB, cfg Config) cryptotoken.Token {
		tok := mustOpen(t, cfg)
		configs[tok] = cfg
		return tok
	}
	tokentest.Run(t, tokentest.Config{
		Open: func(t testing.TB) cryptotoken.Token { return open(t, patient(provision(t))) },
		Reopen: func(t testing.TB, tok cryptotoken.Token) cryptotoken.Token {
			if err := tok.Close(); err != nil {
				t.Error(err)
			}
			return open(t, configs[tok])
		},
		KeyTypes: []algo.KeyType{algo.P256, algo.P384, algo.P521, algo.RSA2048, algo.RSA3072, algo.RSA4096},
		Named:    true, Wrapper: true, Sealer: true, Prober: true, Rotator: true,
	})
}
