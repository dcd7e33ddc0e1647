package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/assent-sign/assent/api/oauth"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/signapp"
)

// access says which token opens a route. There is no zero meaning: a route
// without one is a programming error that New refuses.
type access int

const (
	accessPublic  access = iota + 1
	accessService        // a bearer token of scope service
	accessSign           // of scope credential, or of scope service together with a SAD
)

// style says how errors look.
type style int

const (
	styleNative style = iota + 1 // RFC 9457
	styleCSC
)

// route is one row of the table in routes.go.
type route struct {
	method  string
	pattern string
	access  access
	style   style
	limit   int64 // bytes of the body
	serve   func(*call) error
}

// call is one request on its way through the adapter.
type call struct {
	a         *API
	w         *writer
	r         *http.Request
	id        oauth.Identity
	requestID string
}

func (c *call) ctx() context.Context { return c.r.Context() }

// client is who asks, as package signapp knows it.
func (c *call) client() signapp.Client {
	return signapp.Client{ID: c.id.Client.ID, Name: c.id.Client.Name}
}

// adapt does what is the same for all routes: request id, panic, rate,
// identity, body limit, call, error, log, metrics.
func (a *API) adapt(rt route) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		c := &call{a: a, w: &writer{ResponseWriter: rw}, r: r, requestID: newRequestID()}
		c.w.Header().Set("X-Request-Id", c.requestID)
		c.w.Header().Set("X-Content-Type-Options", "nosniff")
		start := a.cfg.Clock.Now()
		err := a.run(c, rt)
		code := ""
		begun := c.w.status != 0
		if err != nil && !begun {
			code = a.answerError(c, rt.style, err)
		}
		a.record(c, rt, start, code, err)
		if err != nil && begun {
			// The answer has begun; the connection must not look complete.
			panic(http.ErrAbortHandler)
		}
	}
}

func (a *API) run(c *call, rt route) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // the sentinel itself is panicked with
				panic(p)
			}
			err = fmt.Errorf("%w: panic: %v\n%s", errInternal, p, debug.Stack())
		}
	}()
	if wait := a.limits.ip(a.cfg.TrustedProxies.Address(c.r)); wait > 0 {
		return c.limited(wait)
	}
	if rt.access != accessPublic { // a probe of readiness has no token
		failpoint.Before("ssad/02-token-checked")
	}
	if err := a.identify(c, rt.access); err != nil {
		return err
	}
	if rt.access != accessPublic {
		failpoint.After("ssad/02-token-checked")
		if wait := a.limits.client(c.id.Client.ID); wait > 0 {
			return c.limited(wait)
		}
	}
	if c.r.ContentLength > rt.limit {
		return errBodySize
	}
	c.r.Body = http.MaxBytesReader(c.w.ResponseWriter, c.r.Body, rt.limit)
	return rt.serve(c)
}

func (c *call) limited(wait time.Duration) error {
	c.w.Header().Set("Retry-After", fmt.Sprint(int(wait/time.Second)+1))
	return errRate
}

// identify checks the bearer token against the route. Everything that is not
// said to be allowed is refused.
func (a *API) identify(c *call, want access) error {
	if want == accessPublic {
		return nil
	}
	token, ok := bearer(c.r)
	if !ok {
		return errAuthHeader
	}
	var err error
	switch want {
	case accessService:
		if c.id, err = a.oauth.Verify(c.ctx(), token); err != nil {
			return err
		}
		if c.id.Bound != nil {
			return errScope
		}
		return nil
	case accessSign:
		// An expired credential token may still repeat its one use; Spend
		// decides that.
		c.id, err = a.oauth.Credential(c.ctx(), token)
		if errors.Is(err, oauth.ErrToken) {
			c.id, err = a.oauth.Verify(c.ctx(), token)
		}
		return err
	}
	return errInternal
}

// bearer reads the Authorization header, which must be there once.
func bearer(r *http.Request) (string, bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 || len(values[0]) > 512 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsAny(token, " \t,") {
		return "", false
	}
	return token, true
}

func (a *API) answerError(c *call, s style, err error) string {
	var e wire
	if s == styleCSC {
		e = a.writeCSC(c.w, c.requestID, err)
	} else {
		e = a.writeProblem(c.w, c.requestID, err)
	}
	return e.code
}

// record writes one event per request. The cause of an error is for the
// operator; bodies, tokens and names of documents are never logged.
func (a *API) record(c *call, rt route, start time.Time, code string, err error) {
	took := a.cfg.Clock.Now().Sub(start)
	a.metrics.request(rt.pattern, c.w.status, code, took)
	level := slog.LevelInfo
	if c.w.status >= 500 {
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("request_id", c.requestID), slog.String("method", rt.method), slog.String("route", rt.pattern),
		slog.Int("status", c.w.status), slog.Int64("bytes", c.w.bytes), slog.Duration("took", took),
	}
	if c.id.Client.ID != "" {
		attrs = append(attrs, slog.String("client", c.id.Client.ID))
	}
	if err != nil {
		attrs = append(attrs, slog.String("code", code), slog.String("error", err.Error()))
	}
	a.cfg.Log.LogAttrs(c.ctx(), level, "api", attrs...)
}

func newRequestID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return "req_" + hex.EncodeToString(b[:])
}

// body reads the whole body of a JSON request within the route's limit.
func (c *call) body() ([]byte, error) {
	if t, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return nil, say(errMediaType, "Content-Type must be application/json")
	}
	if enc := c.r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return nil, say(errMediaType, "a Content-Encoding is not served")
	}
	text, err := io.ReadAll(c.r.Body)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, errBodySize
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return text, nil
}

// handler makes a route's function of the three things in which JSON routes
// differ: how the body is read, what is done, with which status it is answered.
func handler[In, Out any](decode func([]byte) (In, error), status int, do func(*call, In) (Out, error)) func(*call) error {
	return func(c *call) error {
		text, err := c.body()
		if err != nil {
			return err
		}
		in, err := decode(text)
		if err != nil {
			return err
		}
		out, err := do(c, in)
		if err != nil {
			return err
		}
		return c.json(status, out)
	}
}

// json answers with a value.
func (c *call) json(status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %w", errInternal, err)
	}
	return c.raw(status, "application/json", text)
}

func (c *call) raw(status int, contentType string, text []byte) error {
	h := c.w.Header()
	h.Set("Content-Type", contentType)
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(text)
	return nil
}

// writer remembers what was answered.
type writer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *writer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	failpoint.Before("ssad/18-response-header-sent")
	w.ResponseWriter.WriteHeader(status)
	failpoint.After("ssad/18-response-header-sent")
}

func (w *writer) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	failpoint.Before("ssad/19-half-the-body-sent")
	n, err := w.ResponseWriter.Write(b)
	failpoint.After("ssad/19-half-the-body-sent")
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
