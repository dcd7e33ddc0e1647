package signapp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/workers"
)

// Module is what the application needs of the signature activation module
// (sapclient.Client). Errors that are sapclient.ErrRefused, ErrInvalid or
// ErrNotFound are final; every other error leaves the outcome unknown, and the
// byte-identical call may be repeated.
type Module interface {
	// Request asks for an activation request that the module signs.
	Request(ctx context.Context, in sapclient.ActivationRequestIn) (sap.Signed, error)
	// Redeem hands over the signer's approval and gets the signatures.
	Redeem(ctx context.Context, in sapclient.RedeemIn) (*sapclient.RedeemOut, error)
	// Credentials lists a signer's keys with their certificates.
	Credentials(ctx context.Context, signer string) ([]sapclient.Credential, error)
}

// final tells a no of the module from a missing answer, and gives the number
// of the audit record that says why. What an operator can mend (this process's
// role, the module's state) is not final.
func final(err error) (ref string, yes bool) {
	for _, e := range []error{sapclient.ErrRefused, sapclient.ErrInvalid, sapclient.ErrNotFound} {
		if errors.Is(err, e) {
			if se := (*sapclient.Error)(nil); errors.As(err, &se) {
				ref = se.Ref
			}
			return ref, true
		}
	}
	return "", false
}

// ModuleError translates an error of the module for callers of the
// application: ErrRefused for a final no, else ErrUnavailable.
func ModuleError(err error) error {
	if ref, yes := final(err); yes {
		return fmt.Errorf("%w (ref %s)", ErrRefused, ref)
	}
	for from, to := range map[error]error{sapclient.ErrClock: ErrClock, sapclient.ErrClosed: ErrClosed} {
		if errors.Is(err, from) {
			return fmt.Errorf("%w: %w", to, err)
		}
	}
	return fmt.Errorf("%w: the module did not answer: %w", ErrUnavailable, err)
}

// MaxSkew is how far this process's clock may be from the module's. What it asks to be
// signed carries its time, and its own time-stamps do: beyond this nobody is asked.
const MaxSkew = time.Minute

// Timely tells whether the clocks of this process and of the module agree (TIM-01). ErrClock.
func (s *Service) Timely(ctx context.Context) error {
	skew := time.Duration(0)
	if s.cfg.Skew != nil {
		skew = s.cfg.Skew(ctx)
	}
	word := "behind"
	if skew < 0 {
		word = "ahead of"
	}
	if skew.Abs() <= MaxSkew {
		return nil
	}
	return fmt.Errorf("%w: this machine's clock is %s %s the module's; at most %s is allowed", ErrClock, skew.Abs().Round(time.Second), word, MaxSkew)
}

// Workers is what the application needs of the configured workers
// (workers.Set).
type Workers interface {
	Get(name string) (*workers.Entry, error)
	List() []workers.Info
}
