package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	oidc "github.com/luikyv/go-oidc/pkg/goidc"
	"github.com/luikyv/go-oidc/pkg/provider"

	"github.com/assent-sign/assent/api/csc"
	"github.com/assent-sign/assent/api/state"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/signapp"
)

// Lifetimes in seconds and otherwise. A client assertion must end within
// assertionLife; its identifier is remembered longer than any accepted one.
const (
	codeLife       = 60
	pushedLife     = 90
	sessionLife    = 1800
	assertionLife  = 300
	assertionSlack = 10
	jtiRetention   = 2 * assertionLife * time.Second
)

// Paths below the issuer.
const (
	PathAuthorize = "/oauth2/authorize"
	PathToken     = "/oauth2/token"
	PathPushed    = "/oauth2/pushed_authorize"
	PathRevoke    = "/oauth2/revoke"
	PathMetadata  = "/.well-known/oauth-authorization-server"
)

// Portal is the signer's login at the app origin.
type Portal interface {
	// SignerOf returns who is logged in with this request's session.
	SignerOf(r *http.Request) (signerID string, ok bool)
	// LoginURL returns the login page that goes on to next, a path of the app
	// origin.
	LoginURL(next string) string
	// ApprovalTicketURL returns the address at the signing origin where the
	// logged-in signer approves, with a fresh single-use ticket.
	ApprovalTicketURL(ctx context.Context, r *http.Request, opID string) (string, error)
}

// Operations creates and follows requests to signers.
type Operations interface {
	Create(ctx context.Context, c signapp.Client, n signapp.NewOperation) (*signapp.Operation, error)
	Get(ctx context.Context, c signapp.Client, id string) (*signapp.Operation, error)
	// Wait returns when the operation is terminal or ctx ends, then with the
	// present state and no error.
	Wait(ctx context.Context, c signapp.Client, id string) (*signapp.Operation, error)
}

// Credentials lists a signer's credentials.
type Credentials interface {
	Credentials(ctx context.Context, signer string) ([]sapclient.Credential, error)
}

// Config is what a Server needs. All members are required unless said.
type Config struct {
	// Issuer is the app origin, such as https://sign.example, without a slash
	// at the end.
	Issuer      string
	Clients     []Client
	Store       state.Store
	Portal      Portal
	Operations  Operations
	Credentials Credentials
	Clock       clock.Clock
	Log         *slog.Logger

	// ServiceTokenLife defaults to one hour, CredentialTokenLife to five
	// minutes. SpentRetention (default ten minutes) is how long the
	// byte-identical repetition of a use of a credential token is answered
	// again, also after the token's end.
	ServiceTokenLife    time.Duration
	CredentialTokenLife time.Duration
	SpentRetention      time.Duration
	// MaxHashes bounds the digests of one authorization (default and at most
	// MaxHashes): multisign.
	MaxHashes int
	// OperationLife is how long the signer has to approve (default ten
	// minutes; at most the session's thirty).
	OperationLife time.Duration
	// FinishWait bounds how long the browser's return waits for an approved
	// operation to be finished (default ten seconds).
	FinishWait time.Duration
}

// Server is the authorization server.
type Server struct {
	cfg     Config
	m       *manager
	clients map[string]Client
	lib     http.Handler
	secure  bool
}

// New checks the configuration and wires the library.
func New(cfg Config) (*Server, error) {
	setDefault(&cfg.ServiceTokenLife, time.Hour)
	setDefault(&cfg.CredentialTokenLife, 5*time.Minute)
	setDefault(&cfg.SpentRetention, 10*time.Minute)
	setDefault(&cfg.OperationLife, 10*time.Minute)
	setDefault(&cfg.FinishWait, 10*time.Second)
	if cfg.MaxHashes <= 0 || cfg.MaxHashes > MaxHashes {
		cfg.MaxHashes = MaxHashes
	}
	u, err := url.Parse(cfg.Issuer)
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("%w: issuer %q must be an origin such as https://sign.example", ErrConfig, cfg.Issuer)
	}
	if cfg.Store == nil || cfg.Portal == nil || cfg.Operations == nil || cfg.Credentials == nil || cfg.Clock == nil || cfg.Log == nil {
		return nil, fmt.Errorf("%w: a part is missing", ErrConfig)
	}
	if len(cfg.Clients) == 0 {
		return nil, fmt.Errorf("%w: no client is configured", ErrConfig)
	}
	s := &Server{cfg: cfg, clients: map[string]Client{}, secure: u.Scheme == "https"}
	s.m = &manager{records: &records{store: cfg.Store, clock: cfg.Clock},
		grantTTL: max(cfg.ServiceTokenLife, cfg.CredentialTokenLife) + cfg.SpentRetention + time.Minute,
		tokenTTL: cfg.SpentRetention}
	for _, c := range cfg.Clients {
		s.clients[c.ID] = c
	}
	return s, s.wire()
}

func setDefault(d *time.Duration, v time.Duration) {
	if *d == 0 {
		*d = v
	}
}

// wire configures the library. FAPI 2.0 is its strictest profile: only response
// type code, nothing merged into a pushed request, one audience in assertions.
// Sender-constrained tokens, which the profile also wants, come with DPoP.
func (s *Server) wire() error {
	var clients []*oidc.Client
	for _, c := range s.cfg.Clients {
		clients = append(clients, c.library())
	}
	op, err := provider.New(s.cfg.Issuer, s.m,
		func(context.Context) (oidc.JSONWebKeySet, error) { return oidc.JSONWebKeySet{}, nil },
		provider.WithProfile(oidc.ProfileFAPI2),
		provider.WithAuthorizeEndpoint(PathAuthorize),
		provider.WithTokenEndpoint(PathToken),
		provider.WithPAREndpoint(PathPushed),
		provider.WithTokenRevocationEndpoint(PathRevoke),
		provider.WithStaticClients(clients[0], clients[1:]...),
		provider.WithScopes(oidc.NewScope(csc.ScopeService), oidc.NewScope(csc.ScopeCredential)),
		provider.WithClientCredentialsGrant(),
		provider.WithAuthCodeGrant(s.m, oidc.ResponseTypeCode),
		provider.WithAuthCodeLifetime(codeLife),
		provider.WithAuthCodeFunc(func(context.Context) string { return newSecret(prefixCode) }),
		provider.WithAuthSessionLifetime(sessionLife),
		provider.WithAuthnSessionIDFunc(func(context.Context) string { return newSecret(prefixSession) }),
		provider.WithPAR(s.m),
		provider.WithPARIDFunc(func(context.Context) string { return newSecret(prefixPushed) }),
		provider.WithPARLifetime(pushedLife),
		provider.WithPARSessionHandler(s.pushed),
		provider.WithPKCERequired(oidc.CodeChallengeMethodSHA256),
		provider.WithIssuerResponseParameter(),
		provider.WithRAR(csc.DetailCredential, csc.DetailCredential2025),
		provider.WithRARDetailsComparator(compareDetails),
		provider.WithSecretBasicAuthn(),
		provider.WithSecretPostAuthn(),
		provider.WithPrivateKeyJWTAuthn(signingAlgs[0], signingAlgs[1:]...),
		provider.WithClientSecretVerifier(verifySecret),
		provider.WithJWTLifetime(assertionLife),
		provider.WithJWTLeewayTime(assertionSlack),
		provider.WithJTIConsumer(s.m.consumeJTI),
		provider.WithOpaqueTokens(s.m),
		provider.WithOpaqueTokenFunc(func(context.Context, *oidc.Grant) string { return newSecret(prefixToken) }),
		provider.WithTokenOptions(s.tokenOptions),
		provider.WithGrantHandler(s.granting),
		provider.WithTokenHandler(s.issuing),
		provider.WithTokenRevocation(func(context.Context, *oidc.Client) bool { return true }),
		provider.WithPolicies(oidc.NewPolicy("signer", func(*http.Request, *oidc.AuthnSession, *oidc.Client) bool { return true }, s.authenticate)),
		provider.WithErrorRenderer(s.renderError),
		provider.WithErrorHandler(s.note),
	)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	s.lib = op.Handler()
	return nil
}

// Client returns a configured client.
func (s *Server) Client(id string) (Client, bool) {
	c, ok := s.clients[id]
	return c, ok
}

// verifySecret compares digests of the secret; RFC 6749 section 2.3.1 has the
// client form-encode it before Basic, which half of the clients do.
func verifySecret(_ context.Context, stored, presented string) error {
	if len(stored) != 2*sha256.Size {
		return errors.New("client has no secret")
	}
	match := func(s string) bool {
		sum := sha256.Sum256([]byte(s))
		return subtle.ConstantTimeCompare([]byte(stored), []byte(hex.EncodeToString(sum[:]))) == 1
	}
	ok := match(presented)
	if decoded, err := url.QueryUnescape(presented); err == nil && strings.ContainsAny(presented, "%+") {
		ok = match(decoded) || ok
	}
	if !ok {
		return errors.New("wrong client secret")
	}
	return nil
}

// compareDetails decides at the token endpoint: what is asked must be what was
// granted, by value.
func compareDetails(_ context.Context, requested, granted []oidc.AuthDetail) error {
	a, err1 := json.Marshal(requested)
	b, err2 := json.Marshal(granted)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	return sameDetails(a, b)
}

func (s *Server) tokenOptions(_ context.Context, g *oidc.Grant, _ *oidc.Client) oidc.TokenOptions {
	life := s.cfg.ServiceTokenLife
	if g.Scopes == csc.ScopeCredential {
		life = s.cfg.CredentialTokenLife
	}
	return oidc.NewOpaqueTokenOptions(int(life / time.Second))
}

// granting runs before a grant is stored: client_credentials opens service and
// nothing else, whatever scopes the client has (clause 8.4.4); every grant has
// exactly one scope.
func (s *Server) granting(_ context.Context, typ oidc.GrantType, g *oidc.Grant) error {
	if typ == oidc.GrantClientCredentials {
		if g.Scopes == "" {
			g.Scopes = csc.ScopeService
		}
		if g.Scopes != csc.ScopeService || len(g.AuthDetails) > 0 {
			return oidc.NewError(oidc.ErrorCodeInvalidScope, "client_credentials opens scope service only")
		}
		return nil
	}
	var b Bound
	switch {
	case g.Scopes == csc.ScopeService && storeString(g.Store, storeCredential) == "":
		return nil
	case g.Scopes == csc.ScopeCredential && storeJSON(g.Store, storeCredential, &b) && b.valid():
		return nil
	}
	return errors.New("a grant without a meaning was about to be stored")
}

// issuing runs before a token is stored. Details that were not granted would be
// echoed by the library as if they were.
func (s *Server) issuing(ctx context.Context, t *oidc.Token, g *oidc.Grant) error {
	if t.Scopes != g.Scopes {
		return oidc.NewError(oidc.ErrorCodeInvalidScope, "scope differs from what was granted")
	}
	if len(t.AuthDetails) > 0 && len(g.AuthDetails) == 0 {
		return oidc.NewError(oidc.ErrorCodeInvalidAuthDetails, "authorization_details were not granted")
	}
	var b Bound
	if sink := sinkOf(ctx); sink != nil && g.Scopes == csc.ScopeCredential && storeJSON(g.Store, storeCredential, &b) {
		sink.credentialID = csc.CredentialID(b.Signer, b.Key)
	}
	return nil
}

// note logs what the library refuses. Its texts hold no secrets: they are fixed
// or name parameters.
func (s *Server) note(ctx context.Context, err error) {
	attrs := []any{"error", err.Error()}
	if sink := sinkOf(ctx); sink != nil {
		attrs = append(attrs, "request_id", sink.requestID, "client", sink.clientID)
	}
	s.cfg.Log.InfoContext(ctx, "oauth: refused", attrs...)
}
