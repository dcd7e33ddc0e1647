package sapclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// Codes and retry advice of ErrorBody.
const (
	CodeRefused     = "refused"
	CodeInvalid     = "invalid"
	CodeUnavailable = "unavailable"
	CodeNotFound    = "not_found"
	CodeForbidden   = "forbidden"
	CodeCeremony    = "ceremony_needed" // the module knows nobody yet (ROL-06)
	CodeClock       = "clock_in_doubt"  // no key is used until the module's clock is right again (TIM-01)
	CodeClosed      = "module_closed"   // secure state, or two officers have to accept something (FPT-03)

	RetryNever = "never"
	RetryLater = "later"
	RetrySame  = "same" // the same bytes again
)

// Errors of the clients; each error is an *Error that matches one of them.
var (
	ErrRefused     = errors.New("sapclient: the SAM refused")
	ErrInvalid     = errors.New("sapclient: the SAM could not use the request")
	ErrUnavailable = errors.New("sapclient: the SAM did not answer; send the same bytes again")
	ErrNotFound    = errors.New("sapclient: the SAM does not know it")
	ErrForbidden   = errors.New("sapclient: this caller may not do that")
	ErrCeremony    = errors.New("sapclient: ceremony needed: the SAM knows nobody yet")

	// These two are ErrUnavailable, with a reason that operators can mend.
	ErrClock  = fmt.Errorf("%w: its clock is in doubt, assent status says why", ErrUnavailable)
	ErrClosed = fmt.Errorf("%w: it is closed, assent status says why", ErrUnavailable)
)

// Error is a failed call.
type Error struct {
	Kind   error  // one of the sentinels
	Status int    // HTTP status; 0 when there was no answer
	Ref    string // audit record of the SAM; an officer or auditor can have it explained
	Retry  string
	Err    error // transport error, when there was no answer
}

// Error implements error.
func (e *Error) Error() string {
	s := e.Kind.Error()
	if e.Ref != "" {
		s += " (record " + e.Ref + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap makes errors.Is hold for the sentinel and the transport error.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Err} }

// Config says where samd is.
type Config struct {
	URL     string        // https://host:port
	TLS     *tls.Config   // from internal/mtls.Client: own certificate, samd's CA
	Timeout time.Duration // of one call; 60s when 0
	Conns   int           // kept connections; 64 when 0
}

const maxAnswer = 16 << 20

// transport makes calls over kept connections. HTTP/1.1: a pool of connections
// is faster than one HTTP/2 connection here.
type transport struct {
	base string
	http *http.Client
	skew atomic.Int64 // nanoseconds, see skewOf
}

func newTransport(cfg Config) (*transport, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" || (u.Path != "" && u.Path != "/") || cfg.TLS == nil {
		return nil, fmt.Errorf("sapclient: URL %q must be https://host:port, with a TLS configuration", cfg.URL)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 60 * time.Second
	}
	if cfg.Conns == 0 {
		cfg.Conns = 64
	}
	return &transport{base: u.Scheme + "://" + u.Host, http: &http.Client{
		Timeout: cfg.Timeout,
		Transport: &http.Transport{
			TLSClientConfig: cfg.TLS, MaxIdleConns: cfg.Conns, MaxIdleConnsPerHost: cfg.Conns, MaxConnsPerHost: 4 * cfg.Conns,
			IdleConnTimeout: 4 * time.Minute, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: cfg.Timeout,
			DisableCompression: true, Proxy: nil,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close drops idle connections.
func (t *transport) Close() { t.http.CloseIdleConnections() }

func call[Out any](ctx context.Context, t *transport, method, path string, query url.Values, in any) (*Out, error) {
	raw, err := t.do(ctx, method, path, query, in)
	if err != nil {
		return nil, err
	}
	out := new(Out)
	if err := json.Unmarshal(raw, out); err != nil {
		return nil, &Error{Kind: ErrUnavailable, Retry: RetrySame, Err: fmt.Errorf("answer cannot be read: %w", err)}
	}
	return out, nil
}

func (t *transport) do(ctx context.Context, method, path string, query url.Values, in any) ([]byte, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, &Error{Kind: ErrInvalid, Retry: RetryNever, Err: err}
		}
	}
	target := t.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, &Error{Kind: ErrInvalid, Retry: RetryNever, Err: err}
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	sent := time.Now()
	res, err := t.http.Do(req)
	if err != nil {
		return nil, &Error{Kind: ErrUnavailable, Retry: RetrySame, Err: err}
	}
	if skew, ok := skewOf(res.Header.Get("Date"), sent, time.Now()); ok {
		t.skew.Store(int64(skew))
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := readAll(res)
	if err != nil {
		return nil, &Error{Kind: ErrUnavailable, Status: res.StatusCode, Retry: RetrySame, Err: err}
	}
	if res.StatusCode != http.StatusOK {
		return nil, answerError(res.StatusCode, raw)
	}
	return raw, nil
}

// Skew is how far the SAM's machine was ahead of this one at the last answer (below zero:
// behind), as far as that is certain: 0 when both may show the same time.
func (t *transport) Skew() time.Duration { return time.Duration(t.skew.Load()) }

// skewOf compares the Date of an answer, which was written between sent and received
// and has whole seconds, with this machine's clock.
func skewOf(date string, sent, received time.Time) (time.Duration, bool) {
	said, err := http.ParseTime(date)
	switch {
	case err != nil:
		return 0, false
	case said.After(received):
		return said.Sub(received), true
	case said.Add(time.Second).Before(sent):
		return said.Add(time.Second).Sub(sent), true
	}
	return 0, true
}

func readAll(res *http.Response) ([]byte, error) {
	if n := res.ContentLength; n >= 0 && n <= maxAnswer {
		raw := make([]byte, n)
		_, err := io.ReadFull(res.Body, raw)
		return raw, err
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err == nil && len(raw) > maxAnswer {
		err = errors.New("answer is too large")
	}
	return raw, err
}

func answerError(status int, raw []byte) error {
	var body ErrorBody
	kinds := map[string]error{
		CodeRefused: ErrRefused, CodeInvalid: ErrInvalid, CodeUnavailable: ErrUnavailable, CodeNotFound: ErrNotFound, CodeForbidden: ErrForbidden,
		CodeCeremony: ErrCeremony, CodeClock: ErrClock, CodeClosed: ErrClosed,
	}
	if err := json.Unmarshal(raw, &body); err != nil || kinds[body.Code] == nil {
		return &Error{Kind: ErrUnavailable, Status: status, Retry: RetrySame, Err: fmt.Errorf("status %d is not an answer of samd", status)}
	}
	return &Error{Kind: kinds[body.Code], Status: status, Ref: body.Ref, Retry: body.Retry}
}
