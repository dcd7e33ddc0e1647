package oauth

import (
	"context"
	"crypto"
	"errors"
	"time"

	oidc "github.com/luikyv/go-oidc/pkg/goidc"

	"github.com/assent-sign/assent/api/csc"
	"github.com/assent-sign/assent/api/state"
	"github.com/assent-sign/assent/internal/algo"
)

// Errors of tokens.
var (
	ErrToken        = errors.New("oauth: token is unknown or revoked")
	ErrTokenExpired = errors.New("oauth: token is expired")
	ErrSpent        = errors.New("oauth: credential token was used by another request")
	ErrUnavailable  = errStorage // nothing is known: refuse, try later
)

// Bound is what a credential token stands for: one approved operation, and the
// ordered digests that the approval covered.
type Bound struct {
	Operation string         `json:"operation"`
	Key       string         `json:"key"`
	Signer    string         `json:"signer"`
	Alg       algo.Algorithm `json:"alg"`
	Hashes    [][]byte       `json:"hashes"`
}

func (b Bound) valid() bool {
	if b.Operation == "" || b.Key == "" || b.Signer == "" || !b.Alg.Valid() || len(b.Hashes) == 0 {
		return false
	}
	for _, h := range b.Hashes {
		if len(h) != b.Alg.Hash().Size() {
			return false
		}
	}
	return true
}

// Hash returns the digest algorithm.
func (b Bound) Hash() crypto.Hash { return b.Alg.Hash() }

// Identity is who a request comes from, and what its token opens.
type Identity struct {
	Client  Client
	Scope   string // csc.ScopeService or csc.ScopeCredential
	Signer  string // the logged-in signer whom the token stands for; "" for the client alone
	Bound   *Bound // with scope credential
	Expired bool   // only from Credential: a repetition may still be answered

	tokenID string
}

// Verify returns the identity of a bearer token of scope service or credential.
func (s *Server) Verify(ctx context.Context, bearer string) (Identity, error) {
	id, err := s.lookup(ctx, bearer)
	if err == nil && id.Expired {
		return Identity{}, ErrTokenExpired
	}
	return id, err
}

// Credential returns the identity of a credential token, also of an expired one
// whose use may still be repeated; Spend decides.
func (s *Server) Credential(ctx context.Context, bearer string) (Identity, error) {
	id, err := s.lookup(ctx, bearer)
	if err == nil && id.Bound == nil {
		return Identity{}, ErrToken
	}
	return id, err
}

func (s *Server) lookup(ctx context.Context, bearer string) (Identity, error) {
	if !isSecret(prefixToken, bearer) {
		return Identity{}, ErrToken
	}
	var t storedToken
	if _, err := s.m.get(ctx, kindToken, hashID(bearer), &t); err != nil {
		return Identity{}, tokenError(err)
	}
	g, err := s.m.Grant(ctx, t.Token.GrantID)
	if err != nil {
		return Identity{}, tokenError(err)
	}
	client, known := s.clients[t.Token.ClientID]
	// A client that was taken out of the configuration has no tokens any more.
	if !known || t.Token.RevokedAt != 0 || g.RevokedAt != 0 || g.ClientID != client.ID {
		return Identity{}, ErrToken
	}
	id := Identity{Client: client, Scope: g.Scopes, tokenID: hashID(bearer),
		Expired: !s.cfg.Clock.Now().Before(unix(t.Token.ExpiresAt))}
	if g.Subject != client.ID {
		id.Signer = g.Subject
	}
	switch g.Scopes {
	case csc.ScopeService:
	case csc.ScopeCredential:
		var b Bound
		if !storeJSON(g.Store, storeCredential, &b) || !b.valid() || b.Signer != id.Signer {
			return Identity{}, ErrToken
		}
		id.Bound = &b
	default:
		return Identity{}, ErrToken
	}
	if !client.HasScope(g.Scopes) {
		return Identity{}, ErrToken
	}
	return id, nil
}

func tokenError(err error) error {
	if errors.Is(err, state.ErrNotFound) || errors.Is(err, oidc.ErrNotFound) {
		return ErrToken
	}
	return err
}

// Spend uses a credential token for the request with this digest. The first
// request wins; its byte-identical repetition is allowed for the retention,
// also after the token's end; everything else is ErrSpent or ErrTokenExpired.
func (s *Server) Spend(ctx context.Context, id Identity, request string) error {
	for range 8 {
		var t storedToken
		rec, err := s.m.get(ctx, kindToken, id.tokenID, &t)
		if err != nil {
			return tokenError(err)
		}
		now := s.cfg.Clock.Now()
		switch {
		case t.Token.RevokedAt != 0:
			return ErrToken
		case t.Spent != nil && t.Spent.Request == request && now.Before(time.Unix(t.Spent.At, 0).Add(s.cfg.SpentRetention)):
			return nil
		case t.Spent != nil:
			return ErrSpent
		case !now.Before(unix(t.Token.ExpiresAt)):
			return ErrTokenExpired
		}
		t.Spent = &spent{Request: request, At: now.Unix()}
		if err = s.m.swap(ctx, rec, &t); !errors.Is(err, state.ErrConflict) {
			return err
		}
	}
	return errStorage
}
