package portal

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/assent-sign/assent/internal/ration"
	"github.com/assent-sign/assent/signapp"
)

// maxCredential bounds what a browser sends at the end of a ceremony, in bytes.
const maxCredential = 64 << 10

// Errors of the ceremonies.
var (
	errCeremony = errors.New("portal: no ceremony is under way in this browser")
	errPasskey  = errors.New("portal: the passkey was not accepted")
	errInvite   = errors.New("portal: the invitation was used or is over")
	errBusy     = errors.New("portal: too many logins at one time")
)

// ceremony is what the server remembers between begin and finish.
type ceremony struct {
	Invite []byte               `json:"invite,omitempty"` // hash of the invitation; nil for a login
	Handle []byte               `json:"handle,omitempty"`
	Data   webauthn.SessionData `json:"data"`
}

// account is a signer as WebAuthn knows them. The handle is random, so that an
// authenticator learns nothing.
type account struct {
	handle []byte
	name   string
	creds  []webauthn.Credential
}

func (a account) WebAuthnID() []byte                         { return a.handle }
func (a account) WebAuthnName() string                       { return a.name }
func (a account) WebAuthnDisplayName() string                { return a.name }
func (a account) WebAuthnCredentials() []webauthn.Credential { return a.creds }

// accountOf loads a signer's passkeys; a new signer gets a new handle.
func (p *Portal) accountOf(ctx context.Context, signer, name string) (account, error) {
	a := account{name: name}
	err := p.cfg.Store.View(ctx, func(tx signapp.Tx) error {
		rows, err := tx.Passkeys().OfSigner(signer)
		for _, row := range rows {
			var c webauthn.Credential
			if err := json.Unmarshal(row.Credential, &c); err != nil {
				return err
			}
			a.handle, a.creds = row.Handle, append(a.creds, c)
		}
		return err
	})
	if a.handle == nil {
		a.handle = make([]byte, 32)
		rand.Read(a.handle) // never fails (crypto/rand)
	}
	return a, err
}

// invitation finds an open invitation without using it.
func (p *Portal) invitation(r *http.Request) (*signapp.SecretRow, string, error) {
	var row *signapp.SecretRow
	err := p.cfg.Store.View(r.Context(), func(tx signapp.Tx) (err error) {
		row, err = tx.Secrets().Get(signapp.SecretInvite, signapp.HashSecret(chi.URLParam(r, "token")))
		return err
	})
	if errors.Is(err, signapp.ErrNotFound) || (err == nil && row.Expires <= p.now().UnixMilli()) {
		return nil, "", errInvite
	}
	if err != nil {
		return nil, "", err
	}
	var d inviteData
	if err := json.Unmarshal(row.Data, &d); err != nil {
		return nil, "", err
	}
	return row, d.Name, nil
}

func (p *Portal) joinBegin(w http.ResponseWriter, r *http.Request) {
	row, name, err := p.invitation(r)
	if err != nil {
		p.failJSON(w, r, err)
		return
	}
	a, err := p.accountOf(r.Context(), row.Signer, name)
	if err != nil {
		p.failJSON(w, r, err)
		return
	}
	options, data, err := p.auth.BeginRegistration(a, webauthn.WithExclusions(webauthn.Credentials(a.creds).CredentialDescriptors()))
	if err == nil {
		err = p.saveCeremony(r.Context(), w, ceremony{Invite: row.Hash, Handle: a.handle, Data: *data})
	}
	if err != nil {
		p.failJSON(w, r, err)
		return
	}
	replyJSON(w, http.StatusOK, options)
}

func (p *Portal) joinFinish(w http.ResponseWriter, r *http.Request) {
	row, name, err := p.invitation(r)
	if err != nil {
		p.failJSON(w, r, err)
		return
	}
	cred, c, err := p.register(w, r, row, name)
	if err != nil {
		p.failJSON(w, r, err)
		return
	}
	blob, err := encode(cred)
	if err != nil {
		p.failJSON(w, r, err)
		return
	}
	var session string
	now := p.now().UnixMilli()
	err = p.cfg.Store.Update(r.Context(), func(tx signapp.Tx) error {
		// The invitation is used up by success only, and by one of two at once.
		if _, err := tx.Secrets().Take(signapp.SecretInvite, row.Hash); err != nil {
			return errInvite
		}
		if err := tx.Passkeys().Put(signapp.PasskeyRow{ID: cred.ID, Signer: row.Signer, Name: name, Handle: c.Handle, Credential: blob, Created: now, Used: now}); err != nil {
			return err
		}
		var err error
		session, err = p.logIn(tx, r, row.Signer, name)
		return err
	})
	if errors.Is(err, signapp.ErrExists) {
		err = errPasskey
	}
	if err != nil {
		p.failJSON(w, r, err)
		return
	}
	p.cfg.Log.Info("login passkey registered", "signer", row.Signer)
	p.setCookie(w, sessionCookie, session, p.cfg.SessionLife)
	replyJSON(w, http.StatusOK, nextOut{"/"})
}

// register verifies the answer of a registration ceremony.
func (p *Portal) register(w http.ResponseWriter, r *http.Request, invite *signapp.SecretRow, name string) (*webauthn.Credential, *ceremony, error) {
	body, err := readCredential(w, r)
	if err != nil {
		return nil, nil, err
	}
	c, err := p.takeCeremony(r, w, invite.Hash)
	if err != nil {
		return nil, nil, err
	}
	a, err := p.accountOf(r.Context(), invite.Signer, name)
	if err != nil {
		return nil, nil, err
	}
	a.handle = c.Handle
	parsed, err := protocol.ParseCredentialCreationResponseBytes(body)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errPasskey, err)
	}
	cred, err := p.auth.CreateCredential(a, c.Data, parsed)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errPasskey, err)
	}
	if !cred.Flags.UserVerified {
		return nil, nil, fmt.Errorf("%w: the user was not verified", errPasskey)
	}
	return cred, c, nil
}

func (p *Portal) loginBegin(w http.ResponseWriter, r *http.Request) {
	// Of one address no more than a part, or it could keep everybody out.
	if p.places.Take(ration.Place(p.cfg.Proxies.Address(r))) > 0 || !p.logins.Allow() {
		p.failJSON(w, r, errBusy)
		return
	}
	options, data, err := p.auth.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err == nil {
		err = p.saveCeremony(r.Context(), w, ceremony{Data: *data})
	}
	if err != nil {
		p.failJSON(w, r, err)
		return
	}
	replyJSON(w, http.StatusOK, options)
}

type nextOut struct {
	Next string `json:"next"`
}

func (p *Portal) loginFinish(w http.ResponseWriter, r *http.Request) {
	row, blob, err := p.authenticate(w, r)
	if err != nil {
		p.failJSON(w, r, err)
		return
	}
	var session string
	row.Credential, row.Used = blob, p.now().UnixMilli()
	err = p.cfg.Store.Update(r.Context(), func(tx signapp.Tx) error {
		if _, err := tx.Passkeys().Get(row.ID); err != nil {
			return errPasskey // removed meanwhile
		}
		if err := tx.Passkeys().Put(*row); err != nil {
			return err
		}
		var err error
		session, err = p.logIn(tx, r, row.Signer, row.Name)
		return err
	})
	if err != nil {
		p.failJSON(w, r, err)
		return
	}
	p.setCookie(w, sessionCookie, session, p.cfg.SessionLife)
	replyJSON(w, http.StatusOK, nextOut{localPath(r.URL.Query().Get("next"))})
}

// authenticate verifies the answer of a login ceremony and returns the passkey
// with its new counter.
func (p *Portal) authenticate(w http.ResponseWriter, r *http.Request) (*signapp.PasskeyRow, []byte, error) {
	body, err := readCredential(w, r)
	if err != nil {
		return nil, nil, err
	}
	c, err := p.takeCeremony(r, w, nil)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(body)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errPasskey, err)
	}
	var row *signapp.PasskeyRow
	find := func(rawID, handle []byte) (webauthn.User, error) {
		err := p.cfg.Store.View(r.Context(), func(tx signapp.Tx) (err error) {
			row, err = tx.Passkeys().Get(rawID)
			return err
		})
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(row.Handle, handle) {
			return nil, signapp.ErrNotFound
		}
		var cred webauthn.Credential
		if err := json.Unmarshal(row.Credential, &cred); err != nil {
			return nil, err
		}
		return account{row.Handle, row.Name, []webauthn.Credential{cred}}, nil
	}
	_, cred, err := p.auth.ValidatePasskeyLogin(find, c.Data, parsed)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errPasskey, err)
	}
	if !cred.Flags.UserVerified || cred.Authenticator.CloneWarning {
		p.cfg.Log.Warn("login refused: no user verification, or the counter went back", "signer", row.Signer, "clone", cred.Authenticator.CloneWarning)
		return nil, nil, errPasskey
	}
	blob, err := encode(cred)
	return row, blob, err
}

func readCredential(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCredential))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPasskey, err)
	}
	return body, nil
}
