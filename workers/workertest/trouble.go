package workertest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/workers"
)

// Trouble is what may be wrong while a worker makes a long-term level.
type Trouble struct {
	Properties map[string]string // of the worker, besides those that it needs
	OK         bool              // the level is reached nevertheless
	do         func(t testing.TB, a *Authority, chain, stamper [][]byte)
}

// Begin makes the trouble: chain is the signer's, stamper that of the time-stamp
// authority.
func (c Trouble) Begin(t testing.TB, a *Authority, chain, stamper [][]byte) {
	if c.do != nil {
		c.do(t, a, chain, stamper)
	}
}

// Judge says what is wrong with a worker's answer in the trouble of a name.
func (c Trouble) Judge(t testing.TB, name string, err error) {
	t.Helper()
	if c.OK != (err == nil) || err != nil && !errors.Is(err, workers.ErrValidation) {
		t.Errorf("%s: %v", name, err)
	}
	if errors.Is(err, workers.ErrRevoked) != strings.HasSuffix(name, "revoked") {
		t.Errorf("%s: revoked or not: %v", name, err)
	}
}

// Troubles are all of them, by name, and the case without any.
func Troubles(t testing.TB) map[string]Trouble {
	revoke := func(which func(chain, stamper [][]byte) []byte) func(testing.TB, *Authority, [][]byte, [][]byte) {
		return func(t testing.TB, a *Authority, chain, stamper [][]byte) {
			a.Revoke(t, which(chain, stamper), time.Now().Add(-time.Minute))
		}
	}
	late := func(_ testing.TB, a *Authority, _, _ [][]byte) { a.Skew = -10 * time.Minute }
	with := func(name, value string) map[string]string { return map[string]string{name: value} }
	return map[string]Trouble{
		"all is well":              {OK: true},
		"signer revoked":           {do: revoke(func(chain, _ [][]byte) []byte { return chain[0] })},
		"issuing CA revoked":       {do: revoke(func(chain, _ [][]byte) []byte { return chain[1] })},
		"time-stamper revoked":     {do: revoke(func(_, stamper [][]byte) []byte { return stamper[0] })},
		"silent":                   {do: func(_ testing.TB, a *Authority, _, _ [][]byte) { a.Silent = true }},
		"older than the signature": {do: late},
		"older, and allowed":       {do: late, Properties: with("revocation_freshness", "current"), OK: true},
		"no nonce in the answer":   {Properties: with("ocsp_nonce", "required")},
		"host not on the list":     {Properties: with("revocation_hosts", "ocsp.example")},
		"loopback not allowed":     {Properties: with("revocation_addresses", "")},
		"anchor of somebody else":  {Properties: with("trust_anchors", NewPKI(t).Root)},
	}
}
