// Package portal is the pages of the app origin: who we are, joining by
// invitation, login with a passkey, the signer's requests, an upload of an own
// document, the way from an approval link to the signing origin, and the
// results.
//
// Login passkeys are registered here, for this origin, and the module never
// sees them: whoever wrote these pages could get a login assertion and still
// could not approve anything. A page gets its own small view struct, so that no
// secret can slip into a template; there is no inline script or style.
package portal

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"golang.org/x/time/rate"

	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/internal/ration"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/signapp"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// Config is what a Portal is made of. Service, Store, AppOrigin, SigningOrigin
// and Name are required.
type Config struct {
	Service       *signapp.Service
	Store         signapp.Store
	AppOrigin     string
	SigningOrigin string
	Name          string         // of the service, as signers know it
	Contact       string         // who helps, in plain text; may be ""
	Demo          bool           // every page says that nothing here counts
	UploadWorker  string         // worker for signers' own documents; "" for no such page
	MaxDocument   int64          // bytes, for the words on the page
	SessionLife   time.Duration  // of a login; default 8 h
	InviteLife    time.Duration  // of an invitation; default 72 h
	Proxies       ration.Proxies // whose X-Forwarded-For tells where a call comes from
	Clock         clock.Clock    // nil: the system's
	Log           *slog.Logger   // nil: none
}

// Portal is the pages and the login of the app origin.
type Portal struct {
	cfg    Config
	auth   *webauthn.WebAuthn
	pages  map[string]*template.Template
	secure bool // https: Secure cookies with the __Host- prefix
	csrf   *http.CrossOriginProtection
	logins *rate.Limiter  // that begin, of all
	places *ration.Shares // the same, by address
}

// New parses the templates and checks the configuration.
func New(cfg Config) (*Portal, error) {
	app, err := url.Parse(cfg.AppOrigin)
	if err != nil || app.Hostname() == "" || cfg.Service == nil || cfg.Store == nil || cfg.SigningOrigin == "" || cfg.Name == "" {
		return nil, errors.New("portal: Config needs Service, Store, AppOrigin, SigningOrigin and Name")
	}
	p := &Portal{cfg: cfg, secure: app.Scheme == "https", csrf: http.NewCrossOriginProtection(),
		logins: rate.NewLimiter(rate.Every(50*time.Millisecond), 50), places: ration.New(4, 40, clock.System{})}
	if p.cfg.SessionLife == 0 {
		p.cfg.SessionLife = 8 * time.Hour
	}
	if p.cfg.InviteLife == 0 {
		p.cfg.InviteLife = 72 * time.Hour
	}
	if p.cfg.Clock == nil {
		p.cfg.Clock = clock.System{}
	}
	if p.cfg.Log == nil {
		p.cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := p.csrf.AddTrustedOrigin(cfg.AppOrigin); err != nil {
		return nil, fmt.Errorf("portal: %w", err)
	}
	if p.auth, err = newWebAuthn(app.Hostname(), cfg); err != nil {
		return nil, fmt.Errorf("portal: %w", err)
	}
	p.pages, err = parsePages()
	return p, err
}

func newWebAuthn(rpID string, cfg Config) (*webauthn.WebAuthn, error) {
	must := true
	return webauthn.New(&webauthn.Config{
		RPID: rpID, RPDisplayName: cfg.Name, RPOrigins: []string{cfg.AppOrigin},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: &must, ResidentKey: protocol.ResidentKeyRequirementRequired,
			UserVerification: protocol.VerificationRequired,
		},
	})
}

func parsePages() (map[string]*template.Template, error) {
	layout, err := template.ParseFS(templateFiles, "templates/layout.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, n := range names {
		base := strings.TrimSuffix(strings.TrimPrefix(n, "templates/"), ".html")
		if base == "layout" {
			continue
		}
		t, err := layout.Clone()
		if err == nil {
			t, err = t.ParseFS(templateFiles, n)
		}
		if err != nil {
			return nil, err
		}
		pages[base] = t
	}
	return pages, nil
}

// Mount adds the pages to the app origin's router.
func (p *Portal) Mount(r chi.Router) {
	r.Group(func(r chi.Router) {
		r.Use(p.headers, p.csrf.Handler)
		r.Get("/", p.home)
		r.Get("/history", p.signerOnly(p.history))
		r.Get("/join/{token}", p.joinPage)
		r.Post("/join/{token}/begin", p.joinBegin)
		r.Post("/join/{token}/finish", p.joinFinish)
		r.Get("/login", p.loginPage)
		r.Post("/login/begin", p.loginBegin)
		r.Post("/login/finish", p.loginFinish)
		r.Post("/logout", p.logout)
		r.Get("/approve/{token}", p.approve)
		r.Get("/upload", p.signerOnly(p.uploadPage))
		r.Post("/upload", p.signerOnly(p.upload))
		r.Get("/operations/{id}", p.signerOnly(p.operation))
		r.Post("/operations/{id}/open", p.signerOnly(p.openOperation))
		r.Get("/operations/{id}/items/{i}", p.signerOnly(p.download))
		r.Get("/operations/{id}/receipt", p.signerOnly(p.receipt))
		r.Get("/assets/{name}", p.asset)
	})
}

// NotFound answers what no route of the app origin matches.
func (p *Portal) NotFound(w http.ResponseWriter, r *http.Request) {
	p.headers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.fail(w, r, signapp.ErrNotFound) })).ServeHTTP(w, r)
}

// headers are the same for every page. Forms may lead to the signing origin
// (the hand-over answers a POST with a redirect there) and nowhere else.
func (p *Portal) headers(next http.Handler) http.Handler {
	csp := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self' " +
		p.cfg.SigningOrigin + "; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", csp)
		h.Set("Cache-Control", "no-store")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "publickey-credentials-get=(self), publickey-credentials-create=(self)")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		if p.secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

func (p *Portal) now() time.Time { return p.cfg.Clock.Now() }

// SignerOf tells who is logged in in this request's browser.
func (p *Portal) SignerOf(r *http.Request) (signerID string, ok bool) {
	s, ok := p.Session(r)
	return s.Signer, ok
}

// LoginURL is the login page that goes on to a local path of the app origin.
func (p *Portal) LoginURL(next string) string {
	return p.cfg.AppOrigin + "/login?next=" + url.QueryEscape(localPath(next))
}

// ApprovalTicketURL is the address at the signing origin where the logged-in
// signer decides on an operation; it holds a fresh ticket. signapp.ErrNotFound
// when nobody is logged in or the operation is another's.
func (p *Portal) ApprovalTicketURL(ctx context.Context, r *http.Request, operation string) (string, error) {
	sess, ok := p.Session(r)
	if !ok {
		return "", signapp.ErrNotFound
	}
	ticket, err := p.cfg.Service.Ticket(ctx, sess, operation)
	if err != nil {
		return "", err
	}
	return p.cfg.SigningOrigin + "/#op=" + operation + "&ticket=" + ticket, nil
}

// Invite makes a one-time link with which a person registers a login passkey
// as this signer. Whoever has it becomes the signer at this origin (and still
// cannot sign as them): it goes to the proofed person only.
func (p *Portal) Invite(ctx context.Context, signer, name string) (link string, expires time.Time, err error) {
	if !sap.ValidID(signer) || name == "" || !sap.Displayable(name) {
		return "", time.Time{}, fmt.Errorf("%w: an invitation needs a signer's id and a displayable name", signapp.ErrInput)
	}
	text, hash := signapp.NewSecret()
	expires = p.now().Add(p.cfg.InviteLife)
	data, err := encode(inviteData{Name: name})
	if err != nil {
		return "", time.Time{}, err
	}
	err = p.cfg.Store.Update(ctx, func(tx signapp.Tx) error {
		return tx.Secrets().Put(signapp.SecretRow{Kind: signapp.SecretInvite, Hash: hash, Signer: signer, Expires: expires.UnixMilli(), Data: data})
	})
	return p.cfg.AppOrigin + "/join/" + text, expires, err
}

// localPath admits paths of this origin and nothing that a browser could read
// as another origin's address; everything else becomes "/".
func localPath(s string) string {
	if len(s) > 8192 || !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.ContainsAny(s, "\\\t\r\n\x00") {
		return "/"
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(u.Path, "//") {
		return "/"
	}
	return s
}
