package tsp

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/assent-sign/assent/internal/certs"
)

// Defaults of a Client.
const (
	DefaultTimeout   = 10 * time.Second
	DefaultMaxBytes  = MaxResponse
	DefaultTolerance = time.Minute
)

// Client obtains time-stamps from one authority over HTTP. It must not be
// copied after first use; it is safe for concurrent use.
type Client struct {
	URL string
	// HTTP is used for its transport; redirects are refused whatever it says. Nil
	// means a transport of the client's own.
	HTTP *http.Client
	// Timeout covers the whole exchange up to the last byte of the answer, so that
	// an authority that drips bytes cannot hold a signature up.
	Timeout time.Duration
	// MaxBytes bounds the answer; more than MaxResponse is never read.
	MaxBytes int64
	// Anchors are the trusted certificates. Without any, Stamp fails.
	Anchors []*x509.Certificate
	// Pool are further certificates that can be part of a path, for an authority that sends its own only.
	Pool []*x509.Certificate
	// Policy is asked for and must be answered; nil means any.
	Policy asn1.ObjectIdentifier
	// Clock tells the time for the check of genTime; nil means time.Now.
	Clock func() time.Time
	// Tolerance is how far genTime may lie before the request or after the answer.
	Tolerance time.Duration

	once sync.Once
	http *http.Client
	seen serials
}

// Stamper gives a verified time-stamp token over a digest.
type Stamper interface {
	// Stamp returns the DER of a verified TimeStampToken over imprint, or an error
	// and no token.
	Stamp(ctx context.Context, h crypto.Hash, imprint []byte) (token []byte, info Info, err error)
}

// Stamp implements Stamper.
func (c *Client) Stamp(ctx context.Context, h crypto.Hash, imprint []byte) ([]byte, Info, error) {
	c.once.Do(c.setUp)
	if _, err := url.ParseRequestURI(c.URL); err != nil {
		return nil, Info{}, fmt.Errorf("%w: URL: %w", ErrConfig, err)
	}
	x := exchange{anchors: c.Anchors, pool: c.Pool, policy: c.Policy, clock: c.Clock, tolerance: c.Tolerance, seen: &c.seen, send: c.send}
	token, info, err := x.stamp(ctx, h, imprint)
	if err != nil {
		return nil, Info{}, fmt.Errorf("time-stamp from %s: %w", c.URL, err)
	}
	return token, info, nil
}

func (c *Client) setUp() {
	base := c.HTTP
	if base == nil {
		base = &http.Client{Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout:    5 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true, // a token does not compress; a bomb does
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        time.Minute,
		}}
	}
	own := *base
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	own.Jar = nil
	c.http = &own
}

// send does one HTTP exchange.
func (c *Client) send(ctx context.Context, query []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, orDefault(c.Timeout, DefaultTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(query))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	req.Header.Set("Content-Type", QueryType)
	req.Header.Set("Accept", ReplyType)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, transportError(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return nil, fmt.Errorf("%w: HTTP %d", ErrRedirect, resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%w: HTTP %d", ErrHTTPStatus, resp.StatusCode)
	case !isMediaType(resp.Header.Get("Content-Type"), ReplyType):
		return nil, ErrContentType
	}
	limit := min(orDefault(c.MaxBytes, DefaultMaxBytes), MaxResponse)
	if resp.ContentLength > limit {
		return nil, fmt.Errorf("%w: %d bytes announced", ErrTooLarge, resp.ContentLength)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, transportError(ctx, err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	return body, nil
}

func transportError(ctx context.Context, err error) error {
	var timeout net.Error
	if ctx.Err() != nil || (errors.As(err, &timeout) && timeout.Timeout()) {
		return fmt.Errorf("%w: %w", ErrDeadline, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// exchange is one request with the checks of its answer, over any transport.
type exchange struct {
	anchors   []*x509.Certificate
	pool      []*x509.Certificate
	policy    asn1.ObjectIdentifier
	clock     func() time.Time
	tolerance time.Duration
	seen      *serials
	send      func(ctx context.Context, query []byte) ([]byte, error)
}

// issuers gives those of the pool that can be part of a path.
func (x *exchange) issuers(known ...*x509.Certificate) []*x509.Certificate {
	return certs.Issuers(known, x.pool)
}

func (x *exchange) stamp(ctx context.Context, h crypto.Hash, imprint []byte) ([]byte, Info, error) {
	if len(x.anchors) == 0 {
		return nil, Info{}, fmt.Errorf("%w: no trusted certificates for the authority", ErrConfig)
	}
	nonce, err := randomNumber()
	if err != nil {
		return nil, Info{}, err
	}
	query, err := (&Request{Hash: h, Imprint: imprint, Policy: x.policy, Nonce: nonce, CertReq: true}).Marshal()
	if err != nil {
		return nil, Info{}, err
	}
	asked := x.now()
	answer, err := x.send(ctx, query)
	if err != nil {
		return nil, Info{}, err
	}
	resp, err := ParseResponse(answer)
	if err != nil {
		return nil, Info{}, err
	}
	if err := resp.Err(); err != nil {
		return nil, Info{}, err
	}
	info, err := verifyToken(resp.Token, h, imprint, nonce, x.policy, Beside{Issuers: x.issuers}, x.anchors, time.Time{})
	if err != nil {
		return nil, Info{}, err
	}
	if err := x.checkTime(info.Time, asked); err != nil {
		return nil, Info{}, err
	}
	if !x.seen.add(info.Certificate, info.Serial) {
		return nil, Info{}, fmt.Errorf("%w: %x", ErrSerialReused, info.Serial)
	}
	return bytes.Clone(resp.Token), info, nil
}

// checkTime compares genTime with our own clock: a token is fresh by its nonce,
// but an authority whose clock is wrong makes a signature that claims a wrong
// time for ever.
func (x *exchange) checkTime(genTime, asked time.Time) error {
	tolerance := orDefault(x.tolerance, DefaultTolerance)
	if now := x.now(); genTime.After(now.Add(tolerance)) {
		return fmt.Errorf("%w: %s, here it is %s", ErrFuture, genTime.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	if genTime.Before(asked.Add(-tolerance)) {
		return fmt.Errorf("%w: %s, asked at %s", ErrPast, genTime.Format(time.RFC3339), asked.UTC().Format(time.RFC3339))
	}
	return nil
}

func (x *exchange) now() time.Time {
	if x.clock != nil {
		return x.clock()
	}
	return time.Now()
}

func orDefault[T int64 | time.Duration](v, d T) T {
	if v <= 0 {
		return d
	}
	return v
}

// serials remembers the latest serial numbers of an authority: the number and
// the certificate together identify a token (RFC 3161 section 2.4.2), so that a
// second one means a broken or restored authority.
type serials struct {
	mu   sync.Mutex
	set  map[[32]byte]struct{}
	ring [][32]byte
	next int
}

const maxSerials = 4096

// add returns false when the number has been seen before.
func (s *serials) add(c *x509.Certificate, serial *big.Int) bool {
	h := sha256.New()
	h.Write(c.Raw)
	h.Write(serial.Bytes())
	key := [32]byte(h.Sum(nil))
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.set[key]; ok {
		return false
	}
	if s.set == nil {
		s.set = map[[32]byte]struct{}{}
	}
	s.set[key] = struct{}{}
	if len(s.ring) < maxSerials {
		s.ring = append(s.ring, key)
		return true
	}
	delete(s.set, s.ring[s.next])
	s.ring[s.next] = key
	s.next = (s.next + 1) % maxSerials
	return true
}
