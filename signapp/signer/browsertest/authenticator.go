package browsertest

import (
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// Authenticator is the virtual passkey device of one tab.
type Authenticator struct {
	p  *Page
	id webauthn.AuthenticatorID
}

func addAuthenticator(p *Page) *Authenticator {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		p.t.Fatalf("virtual authenticators: %v", err)
	}
	yes := true
	res, err := chromedp.Call(p.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
		Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: yes,
		},
	})
	if err != nil {
		p.t.Fatalf("virtual authenticator: %v", err)
	}
	return &Authenticator{p: p, id: res.AuthenticatorID}
}

// Credentials returns the passkeys with their private keys.
func (a *Authenticator) Credentials() []*webauthn.Credential {
	a.p.t.Helper()
	res, err := chromedp.Call(a.p.ctx, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: a.id})
	if err != nil {
		a.p.t.Fatalf("read passkeys: %v", err)
	}
	return res.Credentials
}

// credential is webauthn.Credential without the members that Chromium refuses
// even when they are empty.
type credential struct {
	CredentialID         []byte  `json:"credentialId"`
	IsResidentCredential bool    `json:"isResidentCredential"`
	RpID                 string  `json:"rpId"`
	PrivateKey           []byte  `json:"privateKey"`
	UserHandle           []byte  `json:"userHandle,omitempty"`
	SignCount            float64 `json:"signCount"`
}

type addCredential struct {
	AuthenticatorID webauthn.AuthenticatorID `json:"authenticatorId"`
	Credential      credential               `json:"credential"`
}

// Add puts a passkey into the device.
func (a *Authenticator) Add(c *webauthn.Credential) {
	a.p.t.Helper()
	cmd := cdp.Command[addCredential, cdp.Empty]{Method: webauthn.CommandAddCredential}
	_, err := chromedp.Call(a.p.ctx, cmd, addCredential{a.id, credential{c.CredentialID, c.IsResidentCredential, c.RpID, c.PrivateKey, c.UserHandle, c.SignCount}})
	if err != nil {
		a.p.t.Fatalf("add a passkey: %v", err)
	}
}

// Clear removes all passkeys.
func (a *Authenticator) Clear() {
	a.p.t.Helper()
	if _, err := chromedp.Call(a.p.ctx, webauthn.ClearCredentials, webauthn.ClearCredentialsParams{AuthenticatorID: a.id}); err != nil {
		a.p.t.Fatalf("remove passkeys: %v", err)
	}
}

// UserVerified sets whether fingerprint, face or PIN will be right. With false
// the dialog ends as if the person had closed it.
func (a *Authenticator) UserVerified(ok bool) {
	a.p.t.Helper()
	if _, err := chromedp.Call(a.p.ctx, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: a.id, IsUserVerified: ok}); err != nil {
		a.p.t.Fatalf("user verification: %v", err)
	}
}

// LieAboutUV makes the device clear the UV flag in what it signs.
func (a *Authenticator) LieAboutUV(lie bool) {
	a.p.t.Helper()
	if _, err := chromedp.Call(a.p.ctx, webauthn.SetResponseOverrideBits, webauthn.SetResponseOverrideBitsParams{AuthenticatorID: a.id, IsBadUV: &lie}); err != nil {
		a.p.t.Fatalf("override: %v", err)
	}
}

// AddAuthenticator plugs a further passkey device into the tab, a key on a cable.
func (p *Page) AddAuthenticator() *Authenticator {
	p.t.Helper()
	res, err := chromedp.Call(p.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
		Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportUsb,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		},
	})
	if err != nil {
		p.t.Fatalf("virtual authenticator: %v", err)
	}
	return &Authenticator{p: p, id: res.AuthenticatorID}
}

// Present sets whether somebody touches the device when it asks.
func (a *Authenticator) Present(yes bool) {
	a.p.t.Helper()
	params := webauthn.SetAutomaticPresenceSimulationParams{AuthenticatorID: a.id, Enabled: yes}
	if _, err := chromedp.Call(a.p.ctx, webauthn.SetAutomaticPresenceSimulation, params); err != nil {
		a.p.t.Fatalf("presence: %v", err)
	}
}
