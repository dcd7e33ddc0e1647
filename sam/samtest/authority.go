package samtest

import (
	"context"
	"sync"
	"testing"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/sam"
)

// Authority is the demo CA as a connector for one-time keys. It can be told to do
// something else instead.
type Authority struct {
	CA *certs.DemoCA

	mu      sync.Mutex
	instead func(ctx context.Context, csr []byte) ([][]byte, error)
	calls   int
}

// OnceCA is the name under which Once configures the Authority.
const OnceCA = "demo-ca"

// Once allows one-time keys under a world's policy "standard", with a demo CA
// that goes by the world's clock.
func Once(t testing.TB, keyTypes ...string) (*Authority, func(*sam.Config)) {
	t.Helper()
	a := &Authority{}
	return a, func(cfg *sam.Config) {
		ca, err := certs.NewDemoCA(certs.DemoConfig{Clock: cfg.Clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		a.CA = ca
		cfg.CAs = map[string]sam.CertificateAuthority{OnceCA: a}
		cfg.OneTime = []sam.OneTime{{Policy: "standard", CA: OnceCA, KeyTypes: keyTypes, Life: 10 * 60 * 1e9}}
	}
}

// Instead makes the authority do f; nil ends it.
func (a *Authority) Instead(f func(ctx context.Context, csr []byte) ([][]byte, error)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.instead = f
}

// Calls returns how often it was asked.
func (a *Authority) Calls() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls
}

// Certify implements sam.CertificateAuthority.
func (a *Authority) Certify(ctx context.Context, csr []byte) ([][]byte, error) {
	a.mu.Lock()
	a.calls++
	f := a.instead
	a.mu.Unlock()
	if f != nil {
		return f(ctx, csr)
	}
	return a.CA.Issue(certs.DemoRequest{CSR: csr, Profile: certs.SignerProfile})
}
