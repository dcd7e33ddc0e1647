package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/assent-sign/assent/internal/ends"
)

// Check is one thing without which the service must get no traffic: the module
// can be reached, the database and the disk can be written.
type Check struct {
	Name string // letters and digits; shown on the admin listener only
	Do   func(context.Context) error
}

// checkTimeout bounds a readiness answer (F1: not ready within a second).
const checkTimeout = time.Second

// result is one check's outcome.
type result struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
}

// readyFresh is how long a readiness answer stands: the public endpoint must
// not be a lever to load the module and the disk.
const readyFresh = time.Second

// ready returns the outcome of all checks, at most readyFresh old.
func (a *API) ready(ctx context.Context) ([]result, bool) {
	a.readyMu.Lock()
	defer a.readyMu.Unlock()
	now := a.cfg.Clock.Now()
	if a.readyAt.IsZero() || now.Sub(a.readyAt) >= readyFresh || now.Before(a.readyAt) {
		a.readyLast, a.readyOK = a.check(context.WithoutCancel(ctx))
		a.readyAt = now
	}
	return a.readyLast, a.readyOK
}

// check runs all checks at the same time. Causes go to the log.
func (a *API) check(ctx context.Context) ([]result, bool) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	out := make([]result, len(a.cfg.Ready))
	var wg sync.WaitGroup
	for i, c := range a.cfg.Ready {
		wg.Go(func() {
			done := make(chan error, 1)
			go func() { done <- c.Do(ctx) }() // a check that ignores ctx must not hold the answer
			var err error
			select {
			case err = <-done:
			case <-ctx.Done():
				err = ctx.Err()
			}
			if err != nil {
				a.cfg.Log.WarnContext(ctx, "not ready", "check", c.Name, "error", err)
			}
			out[i] = result{c.Name, err == nil}
		})
	}
	wg.Wait()
	ok := true
	for _, r := range out {
		ok = ok && r.OK
	}
	return out, ok
}

// Started says that start-up work (resuming operations) is done; until then
// /startupz and /readyz say no.
func (a *API) Started() { a.started.Store(true) }

// Admin serves /metrics and the health endpoints with their details. It must be
// bound to a listener that only operators reach.
func (a *API) Admin() http.Handler {
	r := chi.NewRouter()
	r.Method(http.MethodGet, "/metrics", a.metrics.handler())
	r.Get(pathLive, a.live)
	r.Get(pathStartup, a.startup)
	r.Get(pathReady, func(w http.ResponseWriter, r *http.Request) { a.readyz(w, r, true) })
	return r
}

func (a *API) live(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") }

func (a *API) startup(w http.ResponseWriter, _ *http.Request) {
	if !a.started.Load() {
		plain(w, http.StatusServiceUnavailable, "starting")
		return
	}
	plain(w, http.StatusOK, "ok")
}

// readyz answers with details for operators and without for everybody else.
func (a *API) readyz(w http.ResponseWriter, r *http.Request, details bool) {
	results, ok := a.ready(r.Context())
	ok = ok && a.started.Load()
	status, word := http.StatusOK, "ok"
	if !ok {
		status, word = http.StatusServiceUnavailable, "not ready"
	}
	if !details {
		plain(w, status, word)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"ready": ok, "started": a.started.Load(), "checks": results, "certificates": a.certificates()})
}

// certificate is one that this process uses, for operators only: names and ends tell
// an attacker when to come.
type certificate struct {
	Use  string    `json:"use"`
	Name string    `json:"name,omitempty"`
	End  time.Time `json:"end"`
	Days int       `json:"days"` // left, below zero after the end
	Do   string    `json:"do,omitempty"`
}

// certificates are the ones that end, the first first. One that has ended makes nothing unready:
// whether that stops the service, the checks say.
func (a *API) certificates() []certificate {
	out := []certificate{}
	if a.cfg.Certificates == nil {
		return out
	}
	now := a.cfg.Clock.Now()
	for _, c := range a.cfg.Certificates() {
		one := certificate{Use: c.Use, Name: c.Name, End: c.End, Days: c.Days(now)}
		if c.End.Sub(now) <= ends.Soon {
			one.Do = c.Do
		}
		out = append(out, one)
	}
	slices.SortStableFunc(out, func(x, y certificate) int { return x.End.Compare(y.End) })
	return out
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}
