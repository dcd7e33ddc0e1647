package pades

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/longterm"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/revocation"
	"github.com/assent-sign/assent/workers"
)

// longTerm are the properties of the levels B-LT and B-LTA.
var longTerm = []string{"trust_anchors", "intermediates", "revocation_freshness", "ocsp_nonce", "revocation_hosts", "revocation_addresses"}

// keeper adds validation data and document time-stamps (ADE-03).
type keeper struct {
	collect *longterm.Collector
	current bool // a statement that is current is fresh enough
}

// newKeeper reads the properties; nil if there are no trust anchors.
func newKeeper(env workers.Env) (*keeper, error) {
	p := env.Config.Properties
	if p["trust_anchors"] == "" {
		for _, k := range longTerm {
			if p[k] != "" {
				return nil, fmt.Errorf("%w: %s needs trust_anchors", workers.ErrConfig, k)
			}
		}
		return nil, nil
	}
	k := &keeper{}
	switch v := p["revocation_freshness"]; v {
	case "", "after_signature":
	case "current":
		k.current = true
	default:
		return nil, fmt.Errorf("%w: revocation_freshness: %q is not one of after_signature, current", workers.ErrConfig, v)
	}
	guard := revocation.Guard{Hosts: list(strings.ToLower(p["revocation_hosts"]))}
	for _, s := range list(p["revocation_addresses"]) {
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%w: revocation_addresses: %w", workers.ErrConfig, err)
		}
		guard.Addresses = append(guard.Addresses, prefix)
	}
	nonce, ok := map[string]revocation.NonceRule{"": revocation.NonceRequired, "required": revocation.NonceRequired, "if_answered": revocation.NonceIfAnswered}[p["ocsp_nonce"]]
	if !ok {
		return nil, fmt.Errorf("%w: ocsp_nonce: %q is not one of required, if_answered", workers.ErrConfig, p["ocsp_nonce"])
	}
	cfg := longterm.Config{
		Now: env.Now, Fetcher: &revocation.Fetcher{Guard: guard, Nonce: nonce, Random: env.Random, Cache: &revocation.Cache{}},
		Fresh: &revocation.Fetcher{Guard: guard, Nonce: nonce, Random: env.Random},
	}
	var err error
	if cfg.Anchors, err = loadDER(p["trust_anchors"]); err != nil {
		return nil, fmt.Errorf("%w: trust_anchors: %w", workers.ErrConfig, err)
	}
	if p["intermediates"] != "" {
		if cfg.Pool, err = loadDER(p["intermediates"]); err != nil {
			return nil, fmt.Errorf("%w: intermediates: %w", workers.ErrConfig, err)
		}
	}
	if k.collect, err = longterm.New(cfg); err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrConfig, err)
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

// material is what the security store will hold: all of it, and what belongs to
// the signature.
func (k *keeper) material(ctx context.Context, chain [][]byte, token, sig []byte, at time.Time) (*longterm.Material, error) {
	after := at
	if k.current {
		after = time.Time{}
	}
	m, err := k.collect.Signer(ctx, chain, at, after)
	if err != nil {
		return nil, invalid("signer", err)
	}
	authority, err := k.collect.TimeStamp(ctx, token, crypto.SHA256, sum(crypto.SHA256, sig))
	if err != nil {
		return nil, invalid("time-stamp authority", err)
	}
	m.Add(authority)
	return m, nil
}

func data(m *longterm.Material) pdf.ValidationData {
	return pdf.ValidationData{Certs: m.Certs, OCSPs: m.OCSPs, CRLs: m.CRLs}
}

// store plans the update with the security store for a signature that is about to
// be embedded.
func store(doc io.ReaderAt, pp *pdf.Prepared, der []byte, m *longterm.Material) ([]byte, error) {
	d, err := pdf.Open(doc, pp.Size, pdf.Limits{})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrState, err)
	}
	contents := append(slices.Clone(der), make([]byte, pp.Reserve-len(der))...)
	tail, err := d.PlanDSS(data(m), pdf.SignatureData{Contents: contents, ValidationData: data(m)})
	if err != nil {
		return nil, fmt.Errorf("%w: security store: %w", workers.ErrState, err)
	}
	return tail, nil
}

// rehearseUpdates plans what will follow the signature, before anybody is asked: a
// document whose security store cannot be extended must not cost an approval.
func rehearseUpdates(doc io.ReaderAt, size int64, level string) error {
	if level != LevelLT && level != LevelLTA {
		return nil
	}
	d, err := pdf.Open(doc, size, pdf.Limits{})
	if err != nil {
		return refuse(err)
	}
	item := pdf.ValidationData{Certs: [][]byte{{0}}, OCSPs: [][]byte{{0}}, CRLs: [][]byte{{0}}}
	if _, err := d.PlanDSS(item, pdf.SignatureData{Contents: []byte{0}, ValidationData: item}); err != nil {
		return refuse(err)
	}
	if level == LevelLTA {
		_, _, err = d.PlanSignature(pdf.SignOptions{SubFilter: pdf.SubFilterRFC3161, Hash: crypto.SHA256, Reserve: tokenRoom, Time: time.Unix(0, 0)})
	}
	if err != nil {
		return refuse(err)
	}
	return nil
}

// seal adds a document time-stamp over the whole file (EN 319 142-1, 5.4.3) and,
// if another authority made it than those that the store knows, its data.
func (w *worker) seal(ctx context.Context, doc workers.Output, size int64, m *longterm.Material) (int64, error) {
	d, err := pdf.Open(doc, size, pdf.Limits{})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", workers.ErrState, err)
	}
	tail, pp, err := d.PlanSignature(pdf.SignOptions{SubFilter: pdf.SubFilterRFC3161, Hash: crypto.SHA256, Reserve: tokenRoom, Time: w.now()})
	if err != nil {
		return 0, fmt.Errorf("%w: document time-stamp: %w", workers.ErrState, err)
	}
	if _, err := doc.WriteAt(tail, size); err != nil {
		return 0, err
	}
	digest, err := pdf.HashRange(ctx, doc, pp.ByteRange, crypto.SHA256)
	if err != nil {
		return 0, err
	}
	token, _, err := w.stamper.Stamp(ctx, crypto.SHA256, digest)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", workers.ErrTimeStamp, err)
	}
	if err := pdf.Embed(doc, pp, token); err != nil {
		return 0, fmt.Errorf("%w: %w", workers.ErrTimeStamp, err)
	}
	known, err := w.knows(m, token)
	if err != nil || known {
		return pp.Size, err
	}
	more, err := w.keep.collect.TimeStamp(ctx, token, crypto.SHA256, digest)
	if err != nil {
		return 0, invalid("time-stamp authority", err)
	}
	return w.append(doc, pp.Size, more)
}

// knows tells whether the certificates of a token are in the material already.
func (w *worker) knows(m *longterm.Material, token []byte) (bool, error) {
	sd, err := cms.Parse(token)
	if err != nil {
		return false, fmt.Errorf("%w: %w", workers.ErrTimeStamp, err)
	}
	for _, c := range sd.RawCertificates {
		if !slices.ContainsFunc(m.Certs, func(have []byte) bool { return slices.Equal(have, c) }) {
			return false, nil
		}
	}
	return len(sd.RawCertificates) > 0, nil
}

func (w *worker) append(doc workers.Output, size int64, m *longterm.Material) (int64, error) {
	d, err := pdf.Open(doc, size, pdf.Limits{})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", workers.ErrState, err)
	}
	tail, err := d.PlanDSS(data(m))
	if err != nil {
		return 0, fmt.Errorf("%w: security store: %w", workers.ErrValidation, err)
	}
	_, err = doc.WriteAt(tail, size)
	return size + int64(len(tail)), err
}

// cut ends the file where its last update ends: an attempt that a crash ended may
// have left a longer one.
func cut(doc workers.Output, size int64) error {
	f, ok := doc.(interface{ Truncate(size int64) error })
	if !ok {
		return fmt.Errorf("%w: a file is needed that can be cut", workers.ErrState)
	}
	return f.Truncate(size)
}

// invalid says whose validation data cannot be had; that time mends no revocation
// is said too.
func invalid(whose string, err error) error {
	if errors.Is(err, revocation.ErrRevoked) {
		return fmt.Errorf("%w: %s: %w: %w", workers.ErrValidation, whose, workers.ErrRevoked, err)
	}
	return fmt.Errorf("%w: %s: %w", workers.ErrValidation, whose, err)
}
