package signapp

import (
	"context"
	"fmt"

	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/workers"
)

// Module is what the application needs of the signature activation module. An
// error that is ErrRefused (a *Refusal) is final; every other error leaves the
// outcome unknown, and the byte-identical call may be repeated.
type Module interface {
	// Request asks for an activation request that the module signs.
	Request(ctx context.Context, in sapclient.ActivationRequestIn) (*sapclient.ActivationRequestOut, error)
	// Redeem hands over the signer's approval and gets the signatures.
	Redeem(ctx context.Context, in sapclient.RedeemIn) (*sapclient.RedeemOut, error)
	// Credentials lists a signer's keys with their certificates.
	Credentials(ctx context.Context, signer string) ([]sapclient.Credential, error)
}

// Enroller relays the enrolment of a signing authenticator. The application
// adds nothing and learns no secret: the officer's code never passes it.
type Enroller interface {
	EnrolBegin(ctx context.Context, in sapclient.EnrolBeginIn) (*sapclient.EnrolBeginOut, error)
	EnrolFinish(ctx context.Context, in sapclient.EnrolFinishIn) (*sapclient.EnrolFinishOut, error)
}

// Refusal is a final no of the module. Ref names its audit record; why it
// refused is told to operators only.
type Refusal struct {
	Ref string
}

// Error implements error.
func (r *Refusal) Error() string { return fmt.Sprintf("%v (ref %s)", ErrRefused, r.Ref) }

// Unwrap makes a Refusal an ErrRefused.
func (r *Refusal) Unwrap() error { return ErrRefused }

// Workers is what the application needs of the configured workers
// (workers.Set).
type Workers interface {
	Get(name string) (*workers.Entry, error)
	List() []workers.Info
}
