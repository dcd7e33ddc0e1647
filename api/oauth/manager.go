package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	oidc "github.com/luikyv/go-oidc/pkg/goidc"

	"github.com/assent-sign/assent/api/state"
)

// Members that we keep in the Store map of the library's sessions and grants.
const (
	storeVersion    = "assent_version"    // int64, never serialised
	storeRequest    = "assent_request"    // JSON of CredentialRequest
	storeBrowser    = "assent_browser"    // hash of the browser's cookie
	storeLogin      = "assent_login"      // "1" when the login page was shown
	storeSigner     = "assent_signer"     // who is logged in
	storeOperation  = "assent_operation"  // operation waiting for the signer
	storeCredential = "assent_credential" // JSON of Bound, in grants
)

var (
	_ oidc.GrantManager       = (*manager)(nil)
	_ oidc.AuthManager        = (*manager)(nil)
	_ oidc.PARManager         = (*manager)(nil)
	_ oidc.OpaqueTokenManager = (*manager)(nil)
)

// manager is the library's storage. The library reads, checks and saves; what
// must happen once is therefore decided here, in the statement that writes.
type manager struct {
	*records
	grantTTL time.Duration // how long a grant is remembered after its code
	tokenTTL time.Duration // how long a token is remembered after its end
}

func unix(t int) time.Time { return time.Unix(int64(t), 0) }

// storedSession is a session without the bearer values that find it.
func storedSession(as *oidc.AuthnSession) *oidc.AuthnSession {
	c := *as
	c.ID, c.PushedAuthReqID = "", ""
	c.Store = make(map[string]any, len(as.Store))
	for k, v := range as.Store {
		if k != storeVersion {
			c.Store[k] = v
		}
	}
	return &c
}

// SaveSession stores a pushed request under its handle, and a session that a
// browser works on under its id. Two requests that work on one session cannot
// both save it, so a session yields at most one code.
func (m *manager) SaveSession(ctx context.Context, as *oidc.AuthnSession) error {
	expires := unix(as.ExpiresAt)
	if as.PushedAuthReqID != "" {
		return m.insert(ctx, kindPushed, hashID(as.PushedAuthReqID), expires, storedSession(as))
	}
	version, _ := as.Store[storeVersion].(int64)
	rec := state.Record{Kind: kindSession, ID: hashID(as.ID), Version: version, Expires: expires}
	if !expires.After(m.clock.Now()) {
		rec.Expires = m.clock.Now().Add(time.Minute) // failed before it had a life
	}
	var err error
	if version == 0 {
		err = m.insert(ctx, rec.Kind, rec.ID, rec.Expires, storedSession(as))
	} else {
		err = m.swap(ctx, rec, storedSession(as))
	}
	if errors.Is(err, state.ErrConflict) || errors.Is(err, state.ErrExists) {
		if s := sinkOf(ctx); s != nil {
			s.conflict = true
		}
		return err
	}
	if err == nil {
		if as.Store == nil {
			as.Store = map[string]any{}
		}
		as.Store[storeVersion] = version + 1
	}
	return err
}

// Session returns a session that is still in progress. The library would run
// the policy of an ended one again and hand out a second code.
func (m *manager) Session(ctx context.Context, id string) (*oidc.AuthnSession, error) {
	if !isSecret(prefixSession, id) {
		return nil, oidc.ErrNotFound
	}
	var as oidc.AuthnSession
	rec, err := m.get(ctx, kindSession, hashID(id), &as)
	if errors.Is(err, state.ErrNotFound) || err == nil && as.Status != oidc.StatusPending {
		return nil, oidc.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	if as.Store == nil {
		as.Store = map[string]any{}
	}
	as.ID, as.Store[storeVersion] = id, rec.Version
	return &as, nil
}

// SessionByPushedAuthReqID redeems a request_uri, once, for the client that
// pushed it (RFC 9126 section 7.3: one-time use). Another client's attempt
// changes nothing.
func (m *manager) SessionByPushedAuthReqID(ctx context.Context, id string) (*oidc.AuthnSession, error) {
	if !isSecret(prefixPushed, id) {
		return nil, oidc.ErrNotFound
	}
	var as oidc.AuthnSession
	rec, err := m.get(ctx, kindPushed, hashID(id), &as)
	if errors.Is(err, state.ErrNotFound) {
		return nil, oidc.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	s := sinkOf(ctx)
	if as.ClientID == "" || s == nil || s.clientID != as.ClientID {
		return nil, oidc.ErrNotFound // used already, or somebody else's
	}
	// The tombstone stays as long as the handle would have lived.
	if err := m.swap(ctx, rec, &oidc.AuthnSession{}); err != nil {
		if errors.Is(err, state.ErrConflict) {
			return nil, oidc.ErrNotFound
		}
		return nil, err
	}
	as.ID = newSecret(prefixSession)
	if as.Store == nil {
		as.Store = map[string]any{}
	}
	return &as, nil
}

// SaveGrant stores a new grant with its code, or one of the two changes that a
// grant can have: its code is consumed, once; it is revoked, for good.
func (m *manager) SaveGrant(ctx context.Context, g *oidc.Grant) error {
	var old oidc.Grant
	rec, err := m.get(ctx, kindGrant, g.ID, &old)
	if errors.Is(err, state.ErrNotFound) {
		return m.newGrant(ctx, g)
	}
	if err != nil {
		return err
	}
	if g.RevokedAt != 0 {
		return m.revokeGrant(ctx, g.ID, g.RevokedAt)
	}
	if g.AuthCodeConsumedAt == 0 || old.AuthCodeConsumedAt != 0 || old.RevokedAt != 0 {
		return oidc.NewError(oidc.ErrorCodeInvalidGrant, "invalid grant")
	}
	old.AuthCodeConsumedAt = g.AuthCodeConsumedAt
	if err := m.swap(ctx, rec, &old); err != nil {
		if errors.Is(err, state.ErrConflict) {
			return oidc.NewError(oidc.ErrorCodeInvalidGrant, "invalid grant")
		}
		return err
	}
	return nil
}

func (m *manager) newGrant(ctx context.Context, g *oidc.Grant) error {
	if g.RevokedAt != 0 || g.AuthCodeConsumedAt != 0 {
		return oidc.NewError(oidc.ErrorCodeInvalidGrant, "invalid grant")
	}
	expires := m.clock.Now().Add(m.grantTTL)
	stored := *g
	stored.AuthCode = ""
	stored.Store = make(map[string]any, len(g.Store))
	for k, v := range g.Store {
		if k != storeVersion {
			stored.Store[k] = v
		}
	}
	if err := m.insert(ctx, kindGrant, g.ID, expires, &stored); err != nil {
		return err
	}
	if g.AuthCode == "" {
		return nil
	}
	// The code is remembered as long as the grant, so that a second use is seen
	// and revokes what the first one got (RFC 6749 section 4.1.2).
	return m.insert(ctx, kindCode, hashID(g.AuthCode), expires, g.ID)
}

func (m *manager) revokeGrant(ctx context.Context, id string, at int) error {
	for range 8 {
		var g oidc.Grant
		rec, err := m.get(ctx, kindGrant, id, &g)
		if err != nil {
			return err
		}
		if g.RevokedAt != 0 {
			return nil
		}
		g.RevokedAt = at
		if err = m.swap(ctx, rec, &g); !errors.Is(err, state.ErrConflict) {
			return err
		}
	}
	return m.storage(ctx, errors.New("grant could not be revoked: too many conflicts"))
}

// Grant implements the library's GrantManager.
func (m *manager) Grant(ctx context.Context, id string) (*oidc.Grant, error) {
	var g oidc.Grant
	if _, err := m.get(ctx, kindGrant, id, &g); err != nil {
		if errors.Is(err, state.ErrNotFound) {
			return nil, oidc.ErrNotFound
		}
		return nil, err
	}
	return &g, nil
}

// GrantByAuthCode implements the library's AuthManager.
func (m *manager) GrantByAuthCode(ctx context.Context, code string) (*oidc.Grant, error) {
	if !isSecret(prefixCode, code) {
		return nil, oidc.ErrNotFound
	}
	var id string
	if _, err := m.get(ctx, kindCode, hashID(code), &id); err != nil {
		if errors.Is(err, state.ErrNotFound) {
			return nil, oidc.ErrNotFound
		}
		return nil, err
	}
	g, err := m.Grant(ctx, id)
	if err == nil {
		g.AuthCode = code
	}
	return g, err
}

// storedToken is a token as the database knows it, and what became of it.
type storedToken struct {
	Token oidc.Token `json:"token"`
	Spent *spent     `json:"spent,omitempty"`
}

// spent says by which request a credential token was used.
type spent struct {
	Request string `json:"request"` // hash of the request's bytes
	At      int64  `json:"at"`      // Unix seconds
}

// SaveToken stores a new token, or that it was revoked.
func (m *manager) SaveToken(ctx context.Context, t *oidc.Token) error {
	id := hashID(t.ID)
	if t.RevokedAt == 0 {
		stored := storedToken{Token: *t}
		stored.Token.ID = ""
		return m.insert(ctx, kindToken, id, unix(t.ExpiresAt).Add(m.tokenTTL), &stored)
	}
	for range 8 {
		var old storedToken
		rec, err := m.get(ctx, kindToken, id, &old)
		if err != nil {
			return err
		}
		old.Token.RevokedAt = t.RevokedAt
		if err = m.swap(ctx, rec, &old); !errors.Is(err, state.ErrConflict) {
			return err
		}
	}
	return m.storage(ctx, errors.New("token could not be revoked: too many conflicts"))
}

// Token implements the library's OpaqueTokenManager.
func (m *manager) Token(ctx context.Context, value string) (*oidc.Token, error) {
	if !isSecret(prefixToken, value) {
		return nil, oidc.ErrNotFound
	}
	var t storedToken
	if _, err := m.get(ctx, kindToken, hashID(value), &t); err != nil {
		if errors.Is(err, state.ErrNotFound) {
			return nil, oidc.ErrNotFound
		}
		return nil, err
	}
	t.Token.ID = value
	return &t.Token, nil
}

// consumeJTI accepts a client assertion's identifier once. The library calls it
// after the signature was verified and before it looks at the times, and takes
// oidc.ErrNotFound for a yes: no path here returns that.
func (m *manager) consumeJTI(ctx context.Context, jti string) error {
	s := sinkOf(ctx)
	if s == nil || s.issuer == "" || len(jti) > 256 {
		return errors.New("client assertion without a usable jti")
	}
	// Identifiers are the issuing client's own: one client cannot use up
	// another's.
	id := hashID(s.issuer + "\x00" + jti)
	err := m.insert(ctx, kindJTI, id, m.clock.Now().Add(jtiRetention), struct{}{})
	if errors.Is(err, state.ErrExists) {
		return errors.New("client assertion was used before")
	}
	return err
}

func storeString(store map[string]any, key string) string {
	s, _ := store[key].(string)
	return s
}

func storeJSON(store map[string]any, key string, v any) bool {
	s := storeString(store, key)
	return s != "" && json.Unmarshal([]byte(s), v) == nil
}
