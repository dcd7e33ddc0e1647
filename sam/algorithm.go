package sam

import (
	"fmt"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/algopolicy"
	"github.com/assent-sign/assent/sap"
)

// AlgorithmEnd brings the end of an algorithm forward: what an operator sets when
// one is broken before its time (CRY-06). It never puts an end off.
type AlgorithmEnd struct {
	KeyType, Alg string
	Until        time.Time // not used at or after it
}

// cryptoPolicy reads the configured profile and its ends.
func (c *Config) cryptoPolicy() (*algopolicy.Policy, error) {
	p, err := algopolicy.Profile(c.CryptoProfile)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	for _, e := range c.AlgorithmEnds {
		a, err := algo.Parse(e.Alg)
		if err != nil {
			return nil, fmt.Errorf("%w: algorithm end: %w", ErrConfig, err)
		}
		if p, err = p.Narrow(algo.KeyType(e.KeyType), a, e.Until); err != nil {
			return nil, fmt.Errorf("%w: algorithm end: %w", ErrConfig, err)
		}
	}
	return p, nil
}

// chooseAlgorithm reads the name of an algorithm that kt may use at t; "" is the
// key's default (CRY-01).
func (m *Module) chooseAlgorithm(name string, kt algo.KeyType, t time.Time) (algo.Algorithm, error) {
	a, err := m.crypto.Choose(name, kt, t)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", sap.ReasonAlgorithm, err)
	}
	return a, nil
}

// cryptoWarnings tells operators what ends within 12 months, or has ended.
func (m *Module) cryptoWarnings(now time.Time) []string {
	var out []string
	for _, w := range m.crypto.Warnings(now) {
		out = append(out, w.String())
	}
	return out
}
