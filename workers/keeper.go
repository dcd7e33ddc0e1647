package workers

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/longterm"
	"github.com/assent-sign/assent/internal/revocation"
)

// KeeperProperties are the properties of the levels B-LT and B-LTA, the same for
// every format: trust_anchors (PEM file), intermediates (PEM file),
// revocation_freshness (after_signature, or current), ocsp_nonce (required, or
// if_answered for responders that do not repeat it), revocation_hosts and
// revocation_addresses (host names that may be asked, and networks besides the public
// ones), fetch_issuers (true: certificates of authorities that a path lacks are fetched
// from where certificates say that they are, caIssuers; default false).
func KeeperProperties() []string {
	return []string{"trust_anchors", "intermediates", "revocation_freshness", "ocsp_nonce", "revocation_hosts", "revocation_addresses", "fetch_issuers"}
}

// Keeper collects the validation data of the levels B-LT and B-LTA (ADE-03). What
// cannot be had or verified is ErrValidation, a revoked certificate ErrRevoked too.
type Keeper struct {
	collect *longterm.Collector
	current bool // a statement that is current is fresh enough
}

// NewKeeper reads a worker's properties; nil if there are no trust anchors.
func NewKeeper(env Env) (*Keeper, error) {
	p := env.Config.Properties
	if p["trust_anchors"] == "" {
		for _, k := range KeeperProperties() {
			if p[k] != "" {
				return nil, fmt.Errorf("%w: %s needs trust_anchors", ErrConfig, k)
			}
		}
		return nil, nil
	}
	k := &Keeper{}
	switch v := p["revocation_freshness"]; v {
	case "", "after_signature":
	case "current":
		k.current = true
	default:
		return nil, fmt.Errorf("%w: revocation_freshness: %q is not one of after_signature, current", ErrConfig, v)
	}
	guard := revocation.Guard{Hosts: list(strings.ToLower(p["revocation_hosts"]))}
	for _, s := range list(p["revocation_addresses"]) {
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%w: revocation_addresses: %w", ErrConfig, err)
		}
		guard.Addresses = append(guard.Addresses, prefix)
	}
	nonce, ok := map[string]revocation.NonceRule{"": revocation.NonceRequired, "required": revocation.NonceRequired, "if_answered": revocation.NonceIfAnswered}[p["ocsp_nonce"]]
	if !ok {
		return nil, fmt.Errorf("%w: ocsp_nonce: %q is not one of required, if_answered", ErrConfig, p["ocsp_nonce"])
	}
	cfg := longterm.Config{
		Now: env.Now, Fetcher: &revocation.Fetcher{Guard: guard, Nonce: nonce, Random: env.Random, Cache: &revocation.Cache{}},
		Fresh: &revocation.Fetcher{Guard: guard, Nonce: nonce, Random: env.Random},
	}
	switch v := p["fetch_issuers"]; v {
	case "", "false":
	case "true":
		cfg.Issuers = &revocation.Issuers{Fetcher: cfg.Fetcher, Now: env.Now}
	default:
		return nil, fmt.Errorf("%w: fetch_issuers: want true or false, got %q", ErrConfig, v)
	}
	var err error
	if cfg.Anchors, err = loadDER(p["trust_anchors"]); err != nil {
		return nil, fmt.Errorf("%w: trust_anchors: %w", ErrConfig, err)
	}
	if p["intermediates"] != "" {
		if cfg.Pool, err = loadDER(p["intermediates"]); err != nil {
			return nil, fmt.Errorf("%w: intermediates: %w", ErrConfig, err)
		}
	}
	if k.collect, err = longterm.New(cfg); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return k, nil
}

func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func loadDER(path string) (out [][]byte, err error) {
	all, err := certs.LoadPEM(path)
	for _, c := range all {
		out = append(out, c.Raw)
	}
	return out, err
}

// Signer collects for a signer's chain (leaf first) whose signature is proven to exist at
// a time.
func (k *Keeper) Signer(ctx context.Context, chain [][]byte, at time.Time) (*longterm.Material, error) {
	after := at
	if k.current {
		after = time.Time{}
	}
	m, err := k.collect.Signer(ctx, chain, at, after)
	if err != nil {
		return nil, invalid("signer", err)
	}
	return m, nil
}

// Authority verifies a time-stamp token over an imprint and collects for its authority.
func (k *Keeper) Authority(ctx context.Context, token []byte, h crypto.Hash, imprint []byte) (*longterm.Material, error) {
	m, err := k.collect.TimeStamp(ctx, token, h, imprint)
	if err != nil {
		return nil, invalid("time-stamp authority", err)
	}
	return m, nil
}

// Time verifies a time-stamp token over an imprint and gives its time; nothing is asked for.
func (k *Keeper) Time(token []byte, h crypto.Hash, imprint []byte) (time.Time, error) {
	at, err := k.collect.Time(token, h, imprint)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", ErrTimeStamp, err)
	}
	return at, nil
}

// Further is Authority for a time-stamp over material: nil if all certificates of the
// token are in the material already, so that it says what there is to say of them.
func (k *Keeper) Further(ctx context.Context, m *longterm.Material, token []byte, h crypto.Hash, imprint []byte) (*longterm.Material, error) {
	sd, err := cms.Parse(token)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTimeStamp, err)
	}
	for _, c := range sd.RawCertificates {
		if !slices.ContainsFunc(m.Certs, func(have []byte) bool { return slices.Equal(have, c) }) {
			return k.Authority(ctx, token, h, imprint)
		}
	}
	if len(sd.RawCertificates) == 0 {
		return k.Authority(ctx, token, h, imprint)
	}
	return nil, nil
}

// invalid says whose validation data cannot be had; that time mends no revocation
// is said too.
func invalid(whose string, err error) error {
	if errors.Is(err, revocation.ErrRevoked) {
		return fmt.Errorf("%w: %s: %w: %w", ErrValidation, whose, ErrRevoked, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrValidation, whose, err)
}
