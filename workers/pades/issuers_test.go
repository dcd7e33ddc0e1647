package pades_test

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/workertest"
)

// ADE-03: a worker whose chain lacks its authority reaches no B-LT; with fetch_issuers the authority's certificate is
// fetched from where the signer's certificate says that it is, under the guard, and is in the file.
func TestADE03WorkersFetchIssuers(t *testing.T) {
	a := workertest.NewAuthority(t)
	_, chain, file := a.Key(t, "anna", algo.P256, certs.SignerProfile)
	_, _, stamps := a.Key(t, "tsa", algo.P256, certs.TSAProfile)
	if err := os.WriteFile(file, certs.EncodePEM(chain[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	build := func(more ...string) (*workers.Entry, error) {
		p := map[string]string{"level": "B-LT", "tsa": "worker:tsa", "trust_anchors": a.Root, "revocation_addresses": "127.0.0.0/8", "ocsp_nonce": "if_answered"}
		for i := 0; i < len(more); i += 2 {
			p[more[i]] = more[i+1]
		}
		set, err := workers.NewSet(t.Context(), []workers.Config{
			{Name: "tsa", Kind: "tsa", Token: "local", Key: "tsa", Chain: stamps, Properties: map[string]string{"policy": "1.3.6.1.4.1.99999.1.1"}},
			{Name: "pdf", Kind: "pades", Token: "local", Key: "anna", Chain: file, Properties: p}}, a.Options(kinds, nil))
		if err != nil {
			return nil, err
		}
		return set.Get("pdf")
	}
	for name, c := range map[string]struct {
		more  []string
		asked int
		good  bool
	}{
		"not asked for": {nil, 0, false},
		"fetched":       {[]string{"fetch_issuers", "true"}, 1, true},
		"guarded":       {[]string{"fetch_issuers", "true", "revocation_hosts", "authority.example"}, 0, false},
	} {
		e, err := build(c.more...)
		if err != nil {
			t.Fatal(err)
		}
		asked := a.Asked
		out, res, err := signLong(t, e)
		if c.good != (err == nil) || !c.good && !errors.Is(err, workers.ErrValidation) || a.Asked-asked != c.asked {
			t.Errorf("%s: %v, fetched %d times", name, err, a.Asked-asked)
		}
		if err != nil {
			continue
		}
		d, err := pdf.Open(out, res.Size, pdf.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if dss, err := d.DSS(); err != nil || !slices.ContainsFunc(dss.Certs, func(have []byte) bool { return bytes.Equal(have, chain[1]) }) {
			t.Errorf("%s: the authority is not in the file: %v", name, err)
		}
	}
	if _, err := build("fetch_issuers", "yes"); !errors.Is(err, workers.ErrConfig) {
		t.Errorf("yes: %v", err)
	}
}
