package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/cryptotoken/pkcs11"
	"github.com/assent-sign/assent/cryptotoken/samtoken"
	"github.com/assent-sign/assent/cryptotoken/softtoken"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/pades"
	"github.com/assent-sign/assent/workers/plain"
	"github.com/assent-sign/assent/workers/tsa"
	"github.com/assent-sign/assent/workers/validator"
	"github.com/assent-sign/assent/workers/xades"
)

// kinds is the table of worker kinds: a reader sees all of them here.
func kinds() map[string]workers.Kind {
	return map[string]workers.Kind{
		"pades":     pades.Kind(),
		"plain":     plain.Kind(),
		"tsa":       tsa.Kind(),
		"validator": validator.Kind(),
		"xades":     xades.Kind(),
	}
}

// openTokens opens ssad's own tokens and puts the module beside them. The
// returned function closes them all.
func openTokens(c *Config, sam *sapclient.Client, log *slog.Logger) (map[string]cryptotoken.Token, func() error, error) {
	open := map[string]cryptotoken.Token{signersToken: samtoken.New(signersToken, sam)}
	closeAll := func() error {
		var errs []error
		for _, t := range open {
			errs = append(errs, t.Close())
		}
		return errors.Join(errs...)
	}
	for _, t := range c.Tokens {
		tok, err := openToken(c.Profile, t, log)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("token %s: %w", t.Name, err), closeAll())
		}
		open[t.Name] = tok
	}
	return open, closeAll, nil
}

func openToken(profile string, t TokenConfig, log *slog.Logger) (cryptotoken.Token, error) {
	if t.Driver == "softtoken" {
		return softtoken.Open(softtoken.Config{Name: t.Name, Dir: t.Dir, PINFile: t.PINFile, Profile: profile, Create: t.Create, Log: log})
	}
	return pkcs11.Open(pkcs11.Config{
		Name: t.Name, Module: t.Module, TokenLabel: t.Label, Serial: t.Serial, PINFile: t.PINFile, Children: t.Children,
		KEKLabel: t.KEK, SealLabel: t.Seal, WrapMechanism: t.Mechanism, Profile: profile, Development: t.Development, Env: t.Env, Log: log,
	})
}

// openWorkers builds the configured workers over the tokens.
func openWorkers(ctx context.Context, c *Config, tokens map[string]cryptotoken.Token, log *slog.Logger) (*workers.Set, error) {
	opt := workers.Options{Kinds: kinds(), Tokens: tokens, LoadChain: loadChain, Now: clock.System{}.Now, Random: rand.Reader,
		StampFailure: func(err error) { log.Warn("time-stamp authority failed", "error", err) },
		Warn:         func(worker, text string) { log.Warn("worker's configuration", "worker", worker, "warning", text) }}
	if c.TSAAnchors != "" {
		anchors, err := certs.LoadPEM(c.TSAAnchors)
		if err != nil {
			return nil, fmt.Errorf("%w: tsa_anchors: %w", errConfig, err)
		}
		opt.HTTPStamper = func(url string) (workers.Stamper, error) {
			return tsa.NewRemote(url, anchors, nil)
		}
	}
	return workers.NewSet(ctx, c.Workers, opt)
}

func loadChain(path string) ([][]byte, error) {
	list, err := certs.LoadPEM(path)
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for _, c := range list {
		out = append(out, c.Raw)
	}
	return out, nil
}
