package main

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/assent-sign/assent/api"
	"github.com/assent-sign/assent/api/apisqlite"
	"github.com/assent-sign/assent/api/oauth"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/internal/config"
	"github.com/assent-sign/assent/internal/mtls"
	"github.com/assent-sign/assent/internal/ration"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/appsqlite"
	"github.com/assent-sign/assent/signapp/operator"
	"github.com/assent-sign/assent/signapp/portal"
	"github.com/assent-sign/assent/signapp/relay"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/tsa"
)

// app is everything that runs, put together.
type app struct {
	cfg     *Config
	log     *slog.Logger
	sam     *sapclient.Client
	set     *workers.Set
	store   *appsqlite.Store
	service *signapp.Service
	portal  *portal.Portal
	clock   clock.Clock
	ends    *endings
	api     *api.API
	public  http.Handler
	admin   http.Handler
	closers []func() error // in the order of opening
}

// assemble opens everything. On error nothing stays open.
func assemble(ctx context.Context, cfg *Config, log *slog.Logger) (*app, error) {
	a := &app{cfg: cfg, log: log, clock: clock.System{}}
	for _, step := range []func(context.Context) error{a.openModule, a.openWorkers, a.openService, a.openDoors, a.route} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, a.close())
		}
	}
	return a, nil
}

// close closes in the reverse order of opening.
func (a *app) close() error {
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		errs = append(errs, a.closers[i]())
	}
	a.closers = nil
	return errors.Join(errs...)
}

func (a *app) onClose(f func() error) { a.closers = append(a.closers, f) }

func (a *app) openModule(context.Context) error {
	tc, err := mtls.Client(a.cfg.SAM.TLS, a.cfg.SAM.ServerName)
	if err != nil {
		return err
	}
	if err := checkRole(a.cfg.SAM.TLS); err != nil {
		return err
	}
	if a.ends, err = a.cfg.endings(a.clock.Now()); err != nil {
		return fmt.Errorf("%w: %w", errConfig, err)
	}
	a.ends.watchModule(tc)
	if a.sam, err = sapclient.New(sapclient.Config{URL: a.cfg.SAM.URL, TLS: tc}); err != nil {
		return err
	}
	a.onClose(func() error { a.sam.Close(); return nil })
	return nil
}

// checkRole: with a certificate of another role ssad would come up, and the module refuse each approval.
func checkRole(files mtls.Files) error {
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return err
	}
	if ou := pair.Leaf.Subject.OrganizationalUnit; !slices.Equal(ou, []string{"sspu"}) {
		return fmt.Errorf("%w: sam.tls.cert: %s is for the role %q, ssad's is sspu (assent ceremony certificate NAME --role sspu)", errConfig, files.Cert, ou)
	}
	return nil
}

// whileWaiting says why ssad waits: at once what time does not mend, the rest when it changes.
func (a *app) whileWaiting(err error, said *string) {
	if err.Error() == *said {
		return
	}
	*said = err.Error()
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
	)
	switch {
	case errors.As(err, &unknown):
		a.log.Warn("the module's certificate is not from the CA in sam.tls.ca", "url", a.cfg.SAM.URL, "ca", a.cfg.SAM.TLS.CA, "error", err)
	case errors.As(err, &name):
		a.log.Warn("the module's certificate is not for sam.server_name", "url", a.cfg.SAM.URL, "server_name", a.cfg.SAM.ServerName, "error", err)
	default:
		a.log.Info("waiting for the module", "url", a.cfg.SAM.URL, "until", a.cfg.SAM.Wait, "error", err)
	}
}

// statementKey finds the key that receipts must verify with. samd may start
// after ssad, so it is waited for.
func (a *app) statementKey(ctx context.Context) (*ecdsa.PublicKey, error) {
	var (
		info *sapclient.Info
		err  error
		end  = time.Now().Add(a.cfg.SAM.Wait)
		said string
	)
	for {
		if info, err = a.sam.Info(ctx); err == nil {
			break
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return nil, fmt.Errorf("the module at %s cannot be reached: %w", a.cfg.SAM.URL, err)
		}
		a.whileWaiting(err, &said)
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	if info.Origin != a.cfg.SigningOrigin {
		return nil, fmt.Errorf("%w: signing_origin is %s, but the module takes approvals made at %s only (origin in samd.yaml): nobody could sign", errConfig, a.cfg.SigningOrigin, info.Origin)
	}
	pinned, err := a.pinnedKey(info)
	if err != nil {
		return nil, err
	}
	ring, err := sap.NewKeyring(pinned, info.Successions)
	if err != nil {
		return nil, fmt.Errorf("the module at %s: %w", a.cfg.SAM.URL, err)
	}
	if k, err := ring.Find(info.KeyID); err != nil || k.Until != 0 {
		return nil, fmt.Errorf("the module at %s has another statement key (%s) than sam.statement_key, and that one does not lead to it: %w", a.cfg.SAM.URL, info.KeyID, err)
	}
	return pinned, nil
}

// pinnedKey is the configured key, or the module's first one as it tells over mTLS; behind
// a replacement, where nothing leads from the first one, the present one.
func (a *app) pinnedKey(info *sapclient.Info) (*ecdsa.PublicKey, error) {
	if a.cfg.SAM.StatementKey != "" {
		return publicKey(a.cfg.SAM.StatementKey)
	}
	first := info.FirstKey
	if len(first) == 0 {
		first = info.StatementKey // a module of before its key had epochs
	}
	key, err := parseKey(first)
	if err != nil {
		return nil, err
	}
	if ring, err := sap.NewKeyring(key, info.Successions); err == nil && ring.Last().ID != info.KeyID {
		return parseKey(info.StatementKey)
	}
	return key, nil
}

func (a *app) openWorkers(ctx context.Context) error {
	tokens, closeTokens, err := openTokens(a.cfg, a.sam, a.log)
	if err != nil {
		return err
	}
	a.onClose(closeTokens)
	if _, err := a.statementKey(ctx); err != nil { // workers ask the module what it is
		return err
	}
	if a.set, err = openWorkers(ctx, a.cfg, tokens, a.log); err != nil {
		return fmt.Errorf("%w: workers:\n%w", errConfig, err)
	}
	a.addWorkers()
	return a.checkSignDoc()
}

// signDocXAdES are the workers of signDoc by envelope property.
func (a *app) signDocXAdES() map[string]string {
	u := a.cfg.Uses.SignDocXAdES
	all := map[string]string{api.EnvelopeEnveloped: u.Enveloped, api.EnvelopeEnveloping: u.Enveloping, api.EnvelopeDetached: u.Detached, api.EnvelopeBeside: u.Beside}
	maps.DeleteFunc(all, func(_, worker string) bool { return worker == "" })
	return all
}

// checkSignDoc refuses workers that make something else than they are named for.
func (a *app) checkSignDoc() error {
	packaging := map[string]string{api.EnvelopeEnveloped: "ENVELOPED", api.EnvelopeEnveloping: "ENVELOPING", api.EnvelopeDetached: "DETACHED", api.EnvelopeBeside: "INTERNALLY_DETACHED"}
	for envelope, name := range a.signDocXAdES() {
		e, err := a.set.Get(name)
		if err != nil {
			return fmt.Errorf("%w: uses.signdoc_xades: %w", errConfig, err)
		}
		if made := cmp.Or(e.Info.Properties["signature_packaging"], "ENVELOPED"); e.Info.Kind != "xades" || made != packaging[envelope] {
			return fmt.Errorf("%w: uses.signdoc_xades: worker %q of kind %s makes no %s XAdES signatures (signature_packaging %s)", errConfig, name, e.Info.Kind, envelope, packaging[envelope])
		}
	}
	return nil
}

func (a *app) openService(ctx context.Context) error {
	key, err := a.statementKey(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.cfg.Data, 0o700); err != nil {
		return err
	}
	if a.store, err = appsqlite.Open(filepath.Join(a.cfg.Data, "app.db"), appsqlite.Options{}); err != nil {
		return err
	}
	a.onClose(a.store.Close)
	l, r := a.cfg.Limits, a.cfg.Retention
	a.service, err = signapp.Open(ctx, signapp.Config{
		Dir: filepath.Join(a.cfg.Data, "files"), Store: a.store, Module: a.sam, Workers: a.set, StatementKey: key, Teller: a.sam,
		Policy: a.cfg.SAM.Policy, RawPolicy: a.cfg.SAM.RawPolicy, AppOrigin: a.cfg.AppOrigin, SigningOrigin: a.cfg.SigningOrigin,
		OneTime: a.cfg.SAM.OneTime, Certifier: a.sam, Skew: a.skew,
		Limits: signapp.Limits{Document: l.Document, Items: l.Items, Lifetime: l.Lifetime, MaxLifetime: l.MaxLifetime, Waiting: l.Waiting, Declines: l.Declines, Pause: l.Pause, Parallel: l.Parallel, MinFree: l.MinFree,
			ClientBytes: l.ClientBytes, SignerBytes: l.SignerBytes, ClientOperations: l.ClientOperations},
		Retention: signapp.Retention{Documents: r.Documents, Results: r.Results, Operations: r.Operations, Redemption: r.Redemption, Finish: r.Finish},
		Log:       a.log,
	})
	if err == nil {
		a.onClose(a.service.Close)
	}
	return err
}

// openDoors makes the portal and the APIs.
func (a *app) openDoors(context.Context) error {
	proxies, err := a.cfg.proxies()
	if err != nil {
		return err
	}
	a.portal, err = portal.New(portal.Config{
		Service: a.service, Store: a.store, AppOrigin: a.cfg.AppOrigin, SigningOrigin: a.cfg.SigningOrigin, Name: a.cfg.Name, Contact: a.cfg.Contact,
		Demo: a.cfg.Profile != profileProduction, UploadWorker: a.cfg.Uses.Upload, MaxDocument: a.cfg.Limits.Document,
		SessionLife: a.cfg.SessionLife, InviteLife: a.cfg.InviteLife, Proxies: proxies, Log: a.log,
	})
	if err != nil {
		return err
	}
	clients, err := oauth.LoadClients(a.cfg.Clients)
	if err != nil {
		return fmt.Errorf("%w: %w", errConfig, err)
	}
	db, err := apisqlite.Open(filepath.Join(a.cfg.Data, "api.db"), clock.System{})
	if err != nil {
		return err
	}
	a.onClose(db.Close)
	a.api, err = api.New(api.Config{
		BaseURL: a.cfg.AppOrigin, Name: a.cfg.Name, Profile: a.cfg.Profile, Clients: clients, Store: db, Portal: a.portal,
		Documents: a.service, Deletion: a.service, Operations: a.service, Credentials: a.service, Ready: a.checks(), Kept: a.service.Kept, Certificates: a.ends.list,
		SignDoc: api.SignDoc{Worker: a.cfg.Uses.SignDoc, Levels: a.cfg.Uses.Levels, XAdES: a.signDocXAdES()}, Limits: api.Limits{Document: a.cfg.Limits.Document},
		TrustedProxies: proxies, Log: a.log,
	})
	return err
}

func (a *app) checks() []api.Check {
	return []api.Check{
		{Name: "sam", Do: a.sam.Health},
		{Name: "clock", Do: a.timely},
		{Name: "store", Do: func(ctx context.Context) error {
			return a.store.View(ctx, func(tx signapp.Tx) error {
				_, err := tx.Operations().List(signapp.Everything(), signapp.Query{Limit: 1})
				return err
			})
		}},
	}
}

// route joins the handlers: everything public at one origin, the operator's
// routes and the metrics at the admin listener.
func (a *app) route(context.Context) error {
	proxies, err := a.cfg.proxies()
	if err != nil {
		return err
	}
	rel, err := relay.New(relay.Config{Service: a.service, Enroller: a.sam, Keeper: a.sam, Teller: a.sam, Sessions: a.portal, SigningOrigin: a.cfg.SigningOrigin, Proxies: proxies, Log: a.log})
	if err != nil {
		return err
	}
	pages := ration.New(perAddress, 4*perAddress, clock.System{})
	r := chi.NewRouter()
	r.Use(a.recoverPanic)
	a.api.Mount(r) // logs and counts its own calls, and has its own shares
	r.Group(func(r chi.Router) {
		r.Use(a.accessLog)
		r.Group(func(r chi.Router) {
			r.Use(func(next http.Handler) http.Handler { return pages.Limit(proxies, next) })
			a.portal.Mount(r)
		})
		rel.Mount(r)
		a.mountTSA(r, proxies)
	})
	r.NotFound(pages.Limit(proxies, http.HandlerFunc(a.portal.NotFound)).ServeHTTP)
	a.public = r
	token, err := config.ReadSecret(a.cfg.Admin.Token)
	if err != nil {
		return err
	}
	ops, err := operator.New(operator.Config{Token: token, Inviter: a.portal, Operations: a.service, Workers: a.set, Log: a.log})
	if err != nil {
		return err
	}
	m := http.NewServeMux()
	m.Handle("/admin/v1/", ops)
	m.Handle("/", a.api.Admin())
	a.admin = m
	return nil
}

// perAddress is how many pages, and how many time-stamps, one address (of IPv6 one /64) may have a second; four times as many at once.
const perAddress = 50

func (a *app) mountTSA(r chi.Router, proxies ration.Proxies) {
	if a.cfg.Uses.TSA == "" {
		return
	}
	e, err := a.set.Get(a.cfg.Uses.TSA)
	if err != nil {
		return // openWorkers has looked
	}
	if w, ok := e.Processor.(*tsa.Worker); ok {
		stamps := w.Handler(func(err error) { a.log.Info("time-stamp request rejected", "error", err) })
		r.Method(http.MethodPost, "/tsa", ration.New(perAddress, 4*perAddress, clock.System{}).Limit(proxies, stamps))
	}
}

// accessLog writes one line for each request: the route, never the path, which
// may hold a bearer value.
func (a *app) accessLog(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		start := time.Now()
		next.ServeHTTP(ww, r)
		a.log.Info("request", "method", r.Method, "route", chi.RouteContext(r.Context()).RoutePattern(), "status", ww.Status(),
			"bytes", ww.BytesWritten(), "ms", time.Since(start).Milliseconds())
	})
}

func (a *app) recoverPanic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // the sentinel is compared as net/http does
				a.log.Error("handler panicked", "route", chi.RouteContext(r.Context()).RoutePattern(), "panic", fmt.Sprint(p))
				http.Error(w, "Something went wrong.", http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}
