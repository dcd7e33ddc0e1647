package signapp

import (
	"context"
	"fmt"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// policyName is policy with the module's default by its name: what a worker allows
// depends on it.
func (s *Service) policyName(ctx context.Context, r *record) (string, error) {
	if p := s.policy(r); p != "" || s.cfg.Teller == nil {
		return p, nil
	}
	if p := s.defaultPolicy.Load(); p != nil {
		return *p, nil
	}
	info, err := s.cfg.Teller.Info(ctx)
	if err != nil {
		return "", ModuleError(err)
	}
	if len(info.Policies) == 0 {
		return "", nil
	}
	s.defaultPolicy.Store(&info.Policies[0].ID) // the first is the default
	return info.Policies[0].ID, nil
}

// Teller asks the module what it says of itself (sapclient.Client).
type Teller interface {
	Info(ctx context.Context) (*sapclient.Info, error)
}

// openReceipt verifies a receipt with the key that it names: the pinned one, or one that
// follows it (KPR-06). What leads there is asked for when an unknown key is named, and
// verified. When the module cannot be asked the receipt may be a good one: it is
// ErrUnavailable, and asked for again.
func (s *Service) openReceipt(ctx context.Context, sr sap.SignedReceipt) (*sap.Receipt, error) {
	switch {
	case s.cfg.StatementKey == nil:
		text, err := sap.UnB64(sr.Receipt)
		if err != nil {
			return nil, err
		}
		var rec sap.Receipt
		return &rec, jcs.Unmarshal(text, &rec)
	case s.cfg.Teller == nil:
		return sap.OpenReceipt(s.cfg.StatementKey, sr)
	}
	if ring := s.ring.Load(); ring != nil {
		if _, err := ring.Find(sr.Key); err == nil {
			return ring.OpenReceipt(sr)
		}
	}
	ring, err := sap.NewKeyring(s.cfg.StatementKey, nil)
	if err != nil {
		return nil, err
	}
	if _, err := ring.Find(sr.Key); err == nil && s.ring.Load() == nil {
		return ring.OpenReceipt(sr)
	}
	info, err := s.cfg.Teller.Info(ctx)
	if err != nil {
		return nil, ModuleError(err)
	}
	if ring, err = sap.NewKeyring(s.cfg.StatementKey, info.Successions); err != nil {
		return nil, fmt.Errorf("the module's statement key: %w", err)
	}
	s.ring.Store(ring)
	return ring.OpenReceipt(sr)
}
