package signapp

import (
	"context"
	"errors"
	"fmt"

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
	return fmt.Errorf("%w: the module did not answer: %w", ErrUnavailable, err)
}

// Workers is what the application needs of the configured workers
// (workers.Set).
type Workers interface {
	Get(name string) (*workers.Entry, error)
	List() []workers.Info
}
