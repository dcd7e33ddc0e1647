package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/assent-sign/assent/api/oauth"
	"github.com/assent-sign/assent/api/state"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/internal/ends"
	"github.com/assent-sign/assent/internal/ration"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/signapp"
)

// Documents takes in documents, has them judged and gives results out (signapp.Service).
type Documents interface {
	Upload(ctx context.Context, c signapp.Client, name string, r io.Reader) (*signapp.Document, error)
	Result(ctx context.Context, c signapp.Client, id string, item int) (io.ReadSeekCloser, *signapp.Item, error)
	Receipt(ctx context.Context, c signapp.Client, id string) ([]byte, error)
	// Validate has a worker judge an upload; the report is JSON.
	Validate(ctx context.Context, c signapp.Client, document, worker string, parts []string, beside ...signapp.Beside) ([]byte, error)
}

// Deletion removes what a client no longer wants kept, before its time (signapp.Service).
type Deletion interface {
	DeleteDocument(ctx context.Context, c signapp.Client, id string) error
	// DeleteResult deletes the signed documents of an operation that has ended; the signer has a day to fetch them.
	DeleteResult(ctx context.Context, c signapp.Client, id string) error
}

// Operations are requests to signers (signapp.Service). Every method finds only
// what belongs to the client.
type Operations interface {
	Create(ctx context.Context, c signapp.Client, n signapp.NewOperation) (*signapp.Operation, error)
	Get(ctx context.Context, c signapp.Client, id string) (*signapp.Operation, error)
	// Wait returns when the operation is terminal or ctx ends, then with the
	// present state and no error.
	Wait(ctx context.Context, c signapp.Client, id string) (*signapp.Operation, error)
	Cancel(ctx context.Context, c signapp.Client, id string) (*signapp.Operation, error)
}

// Credentials lists the keys of a signer, empty for an unknown one
// (signapp.Service).
type Credentials interface {
	Credentials(ctx context.Context, signer string) ([]sapclient.Credential, error)
}

// SignDoc says how CSC's signDoc is served. Without a Worker it is not.
type SignDoc struct {
	Worker string // name of a pades worker; "": no PAdES
	// Levels are the worker's levels, of B-B, B-T, B-LT, B-LTA; the first is
	// used when the request names none and is B-B by the specification.
	Levels []string
	// XAdES are the names of xades workers by the envelope property that they make (EnvelopeEnveloped and the others).
	XAdES map[string]string
}

// Config is what the front doors need. All is required but what has a default.
type Config struct {
	BaseURL     string // the app origin, without a slash at the end
	Name        string // of the service; default "Assent"
	Description string // in CSC info
	Region      string // ISO 3166-1 alpha-2, in CSC info; default "EU"
	Profile     string // demo, development or production; shown in CSC info

	Clients     []oauth.Client
	Store       state.Store
	Portal      oauth.Portal
	Documents   Documents
	Deletion    Deletion
	Operations  Operations
	Credentials Credentials
	Ready       []Check
	Kept        func(context.Context) ([]signapp.Kept, error) // what clients keep, for the metrics; nil: not told

	Certificates func() []ends.Certificate // that this process uses, for operators; nil: not told

	SignDoc        SignDoc
	Limits         Limits
	TrustedProxies ration.Proxies // whose X-Forwarded-For counts
	Clock          clock.Clock    // default: the system's
	Log            *slog.Logger   // default: none
}

// ErrConfig says that New cannot work with its Config.
var ErrConfig = errors.New("api: configuration is wrong")

// API is the front doors. Its methods may be used concurrently.
type API struct {
	cfg     Config
	oauth   *oauth.Server
	limits  limiters
	metrics *metrics
	large   chan struct{} // signDoc bodies held
	waits   chan struct{} // long polls
	started atomic.Bool

	readyMu   sync.Mutex
	readyAt   time.Time
	readyLast []result
	readyOK   bool
}

// New checks the configuration.
func New(cfg Config) (*API, error) {
	cfg.Limits.defaults()
	orElse(&cfg.Name, "Assent")
	orElse(&cfg.Region, "EU")
	orElse(&cfg.Description, "Remote signatures under the signer's sole control")
	if cfg.Clock == nil {
		cfg.Clock = clock.System{}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Documents == nil || cfg.Deletion == nil || cfg.Operations == nil || cfg.Credentials == nil || cfg.Portal == nil || cfg.Store == nil {
		return nil, fmt.Errorf("%w: Documents, Deletion, Operations, Credentials, Portal and Store are required", ErrConfig)
	}
	for _, l := range cfg.SignDoc.Levels {
		if _, ok := cscLevels[l]; !ok {
			return nil, fmt.Errorf("%w: SignDoc level %q is none of B-B, B-T, B-LT, B-LTA", ErrConfig, l)
		}
	}
	if cfg.SignDoc.serves() != (len(cfg.SignDoc.Levels) > 0) {
		return nil, fmt.Errorf("%w: SignDoc needs a worker and its levels", ErrConfig)
	}
	for e := range cfg.SignDoc.XAdES {
		if !slices.Contains(xadesEnvelopes, e) {
			return nil, fmt.Errorf("%w: SignDoc envelope property %q is none of %v", ErrConfig, e, xadesEnvelopes)
		}
	}
	server, err := oauth.New(oauth.Config{Issuer: cfg.BaseURL, Clients: cfg.Clients, Store: cfg.Store, Portal: cfg.Portal,
		Operations: cfg.Operations, Credentials: cfg.Credentials, Clock: cfg.Clock, Log: cfg.Log, MaxHashes: cfg.Limits.Hashes})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	a := &API{cfg: cfg, oauth: server, metrics: newMetrics(), large: make(chan struct{}, cfg.Limits.SignDocAtOnce),
		waits: make(chan struct{}, cfg.Limits.Waits)}
	a.limits = newLimiters(cfg.Limits, cfg.Clock)
	if cfg.Certificates != nil {
		a.metrics.registry.MustRegister(endsAt{cfg.Certificates})
	}
	if cfg.Kept != nil {
		known := map[string]bool{}
		for _, c := range cfg.Clients {
			known[c.ID] = true
		}
		a.metrics.registry.MustRegister(&keeping{cfg.Kept, known, cfg.Log})
	}
	for _, rt := range a.routes() {
		if rt.access == 0 || rt.style == 0 || rt.limit <= 0 || rt.serve == nil {
			return nil, fmt.Errorf("%w: route %s %s is incomplete", ErrConfig, rt.method, rt.pattern)
		}
	}
	return a, nil
}

// Mount adds all public routes to a router. Unknown paths below the prefixes of
// this package get errors in the style of their API.
func (a *API) Mount(r chi.Router) {
	for _, rt := range a.routes() {
		r.Method(rt.method, rt.pattern, a.adapt(rt))
	}
	for prefix, s := range map[string]style{"/api": styleNative, "/csc": styleCSC, "/oauth2": styleCSC} {
		fallback := a.adapt(route{method: "*", pattern: prefix + "/*", access: accessPublic, style: s, limit: 1 << 40, // no body is read
			serve: func(c *call) error { return a.unknown(c) }})
		r.HandleFunc(prefix+"/*", fallback)
	}
}

// unknown answers what no route matches.
func (a *API) unknown(c *call) error {
	for _, rt := range a.routes() {
		if rt.pattern == c.r.URL.Path && rt.method != c.r.Method {
			c.w.Header().Add("Allow", rt.method)
		}
	}
	if len(c.w.Header().Values("Allow")) > 0 {
		return errMethod
	}
	if notServed[c.r.URL.Path] {
		return errNotServed
	}
	return errNoRoute
}

// Run deletes expired records until ctx ends.
func (a *API) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			a.sweep(ctx)
		}
	}
}

// sweep deletes in small transactions, so that requests get their turn.
func (a *API) sweep(ctx context.Context) {
	const batch = 500
	for {
		n, err := a.cfg.Store.Sweep(ctx, batch)
		if err != nil && ctx.Err() == nil {
			a.cfg.Log.ErrorContext(ctx, "api: expired records could not be deleted", "error", err)
		}
		if err != nil || n < batch {
			return
		}
	}
}

// Client returns a configured client by its id.
func (a *API) Client(id string) (oauth.Client, bool) { return a.oauth.Client(id) }

var _ http.Handler = (*oauth.Server)(nil)
