package sapclient

import (
	"context"
	"net/url"

	"github.com/assent-sign/assent/sap"
)

// Client is the SSA's client (role sspu). It is safe for concurrent use and
// keeps its connections.
type Client struct {
	*transport
}

// New returns a client for the SSA.
func New(cfg Config) (*Client, error) {
	t, err := newTransport(cfg)
	if err != nil {
		return nil, err
	}
	return &Client{t}, nil
}

// Info tells who the SAM is.
func (c *Client) Info(ctx context.Context) (*Info, error) {
	return call[Info](ctx, c.transport, "GET", PathInfo, nil, nil)
}

// Health returns nil when the SAM could use keys now.
func (c *Client) Health(ctx context.Context) error {
	_, err := c.do(ctx, "GET", PathHealth, nil, nil)
	return err
}

// Request asks for an activation request.
func (c *Client) Request(ctx context.Context, in ActivationRequestIn) (sap.Signed, error) {
	out, err := call[ActivationRequestOut](ctx, c.transport, "POST", PathRequest, nil, in)
	if err != nil {
		return sap.Signed{}, err
	}
	return out.Request, nil
}

// Redeem redeems signature activation data. Empty evidence means "[]". On
// ErrUnavailable the same bytes may be sent again: the key is used once at most
// and a stored answer is repeated byte by byte.
func (c *Client) Redeem(ctx context.Context, in RedeemIn) (*RedeemOut, error) {
	if len(in.Evidence) == 0 {
		in.Evidence = []byte("[]")
	}
	return call[RedeemOut](ctx, c.transport, "POST", PathRedeem, nil, in)
}

// OnceRequest asks for the offer of a one-time key.
func (c *Client) OnceRequest(ctx context.Context, in OnceRequestIn) (sap.Signed, error) {
	out, err := call[OnceRequestOut](ctx, c.transport, "POST", PathOnceRequest, nil, in)
	if err != nil {
		return sap.Signed{}, err
	}
	return out.Request, nil
}

// OnceApprove hands over the signer's assertion; the answer is a certified key.
// The same bytes may be sent again.
func (c *Client) OnceApprove(ctx context.Context, in OnceApproveIn) (*OnceApproveOut, error) {
	return call[OnceApproveOut](ctx, c.transport, "POST", PathOnceApprove, nil, in)
}

// OnceEnd has a one-time key destroyed that will not be used. Of one that is
// destroyed already it is no error; one that was used is refused.
func (c *Client) OnceEnd(ctx context.Context, key string) error {
	_, err := call[struct{}](ctx, c.transport, "POST", PathOnceEnd, nil, OnceEndIn{Key: key})
	return err
}

// EnrolBegin asks for the registration request of an open enrolment.
func (c *Client) EnrolBegin(ctx context.Context, id string) (sap.Signed, error) {
	out, err := call[EnrolBeginOut](ctx, c.transport, "POST", PathEnrolBegin, nil, EnrolBeginIn{ID: id})
	if err != nil {
		return sap.Signed{}, err
	}
	return out.Request, nil
}

// EnrolFinish hands over the device's answer, the canonical sap.Registration.
func (c *Client) EnrolFinish(ctx context.Context, id string, registration []byte) (*EnrolFinishOut, error) {
	return call[EnrolFinishOut](ctx, c.transport, "POST", PathEnrolFinish, nil, EnrolFinishIn{ID: id, Registration: registration})
}

// ChangeBegin asks for the offer of a change of a signer's authenticators.
func (c *Client) ChangeBegin(ctx context.Context, in ChangeBeginIn) (sap.Signed, error) {
	out, err := call[ChangeBeginOut](ctx, c.transport, "POST", PathChangeBegin, nil, in)
	if err != nil {
		return sap.Signed{}, err
	}
	return out.Request, nil
}

// ChangeFinish hands over the device's answer, the canonical sap.Change.
func (c *Client) ChangeFinish(ctx context.Context, id string, change []byte) (*ChangeFinishOut, error) {
	return call[ChangeFinishOut](ctx, c.transport, "POST", PathChangeFinish, nil, ChangeFinishIn{ID: id, Change: change})
}

// Authenticators asks for the SAM's signed list of a signer's authenticators and
// notices (sap.AuthenticatorList).
func (c *Client) Authenticators(ctx context.Context, in AuthListIn) (sap.Signed, error) {
	return authenticators(ctx, c.transport, in)
}

func authenticators(ctx context.Context, t *transport, in AuthListIn) (sap.Signed, error) {
	out, err := call[AuthListOut](ctx, t, "POST", PathAuthList, nil, in)
	if err != nil {
		return sap.Signed{}, err
	}
	return out.List, nil
}

// Credentials lists a signer's keys.
func (c *Client) Credentials(ctx context.Context, signer string) ([]Credential, error) {
	return credentials(ctx, c.transport, url.Values{"signer": {signer}})
}

// Credential returns one key. ErrNotFound.
func (c *Client) Credential(ctx context.Context, key string) (*Credential, error) {
	return credential(ctx, c.transport, key)
}

// Signer returns a signer. ErrNotFound.
func (c *Client) Signer(ctx context.Context, id string) (*Signer, error) {
	return call[Signer](ctx, c.transport, "GET", PathSigners, url.Values{"id": {id}}, nil)
}

func credentials(ctx context.Context, t *transport, q url.Values) ([]Credential, error) {
	out, err := call[CredentialsOut](ctx, t, "GET", PathCredentials, q, nil)
	if err != nil {
		return nil, err
	}
	return out.Credentials, nil
}

func credential(ctx context.Context, t *transport, key string) (*Credential, error) {
	list, err := credentials(ctx, t, url.Values{"key": {key}})
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, &Error{Kind: ErrNotFound, Retry: RetryNever}
	}
	return &list[0], nil
}
