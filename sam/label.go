package sam

import (
	"context"
	"fmt"
	"slices"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/qc"
	"github.com/assent-sign/assent/sap"
)

// CertifiedToken is the token as it was certified: what the connected one must
// report of itself to the letter, or nothing is called qualified (KEY-02).
type CertifiedToken struct {
	Manufacturer, Model string
	Firmware            []string // every version that the certificate covers
	Reference           string   // of the certificate, for the audit record
}

func (c *CertifiedToken) check() error {
	if c.Manufacturer == "" || c.Model == "" || len(c.Firmware) == 0 || slices.Contains(c.Firmware, "") || c.Reference == "" {
		return fmt.Errorf("%w: a certified token has manufacturer, model, firmware versions and the certificate's reference", ErrConfig)
	}
	return nil
}

// mayServe refuses a production module that offers the policy "qualified" without
// saying which token is certified.
func (c *Config) mayServe() error {
	for _, p := range c.Policies {
		if p.ID == PolicyQualified && c.Production && c.Certified == nil {
			return fmt.Errorf("%w: policy %s: configure the certified token, or remove the policy", ErrConfig, p.ID)
		}
	}
	return nil
}

// covers tells whether the certificate is about a token that reports id.
func (c *CertifiedToken) covers(id cryptotoken.Identity) bool {
	return c != nil && id.Manufacturer == c.Manufacturer && id.Model == c.Model && slices.Contains(c.Firmware, id.Firmware)
}

// facts are what a label is computed from (OPS-04): nothing else, and no text.
type facts struct {
	development bool // the token is software, or failed a part of its self-test
	certified   bool // the token reports what the configured certificate covers
	qualified   bool // the key's certificate is qualified, with the key in a QSCD (KEY-09)
}

// label computes what may be said of a key. Every key of this module is used with
// activation data for specific digests only, so the sole control level is never
// below 2; what varies is the proof.
func (f facts) label() string {
	switch {
	case f.development:
		return sap.AssuranceDevelopment
	case f.certified && f.qualified:
		return sap.AssuranceQualified
	}
	return sap.AssuranceSCAL2
}

// learnToken compares what the token reports with the configured certificate. It
// is asked again every minute: firmware can be changed while the module runs.
func (m *Module) learnToken(ctx context.Context) (cryptotoken.Info, error) {
	info, err := m.token.Info(ctx)
	if err != nil {
		m.certified.Store(false)
		return info, err
	}
	m.development.Store(info.Development)
	ok := !info.Development && m.cfg.Certified.covers(info.Identity)
	if was := m.certified.Swap(ok); was && !ok {
		m.logger.Error("samd: the token is no longer the certified one; nothing is qualified any more", "token", info.Model)
	}
	return info, nil
}

// tokenLabel is the best that can be said of any key.
func (m *Module) tokenLabel() string {
	return facts{m.development.Load(), m.certified.Load(), true}.label()
}

// keyLabel is what can be said of one key.
func (m *Module) keyLabel(p *parsedKey) string {
	return facts{m.development.Load(), m.certified.Load(), p.qualified}.label()
}

// mayClaim refuses the policy "qualified" for a key that is not: the token is not
// the certified one, or the certificate lacks policy or statement (KEY-02,
// KEY-09). Without a configured certificate nothing is called qualified, and the
// policy is only the strictest one.
func (m *Module) mayClaim(p *parsedKey, policy Policy) error {
	if policy.ID != PolicyQualified || m.cfg.Certified == nil {
		return nil
	}
	if got := m.keyLabel(p); got != sap.AssuranceQualified {
		return fmt.Errorf("%w: the key's label is %s", sap.ReasonAssurance, got)
	}
	return nil
}

// onlyUnder names the one policy that a key may be used under; "" when there are several.
// A key whose label is qualified is used under the policy "qualified" where there is one:
// what that asks of authenticators, batches and digests of unseen content is no wish of
// the caller, who would name another one (R19).
func (m *Module) onlyUnder(p *parsedKey) string {
	if _, err := m.policy(PolicyQualified); err != nil || m.keyLabel(p) != sap.AssuranceQualified {
		return ""
	}
	return PolicyQualified
}

// mayLower refuses every other policy for such a key (KEY-09).
func (m *Module) mayLower(p *parsedKey, policy Policy) error {
	if only := m.onlyUnder(p); only != "" && only != policy.ID {
		return fmt.Errorf("%w: the key is used under the policy %s only, %s was asked for", sap.ReasonTooLoose, only, policy.ID)
	}
	return nil
}

// readQualified reads a certificate's statements; damaged ones are none.
func (p *parsedKey) readQualified() {
	if p.cert == nil {
		return
	}
	f, err := qc.Read(p.cert)
	p.qualified = err == nil && f.Qualified()
}
