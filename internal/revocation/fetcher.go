package revocation

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Defaults of a Fetcher.
const (
	DefaultTimeout   = 10 * time.Second
	DefaultFetchCRL  = 20 << 20 // bytes
	maxRedirects     = 2
	maxPlaces        = 8  // addresses asked about one certificate, of each kind
	maxFetches       = 64 // exchanges of one Checker
	nonceSize        = 32
	ocspRequestType  = "application/ocsp-request"
	ocspResponseType = "application/ocsp-response"
)

// What can go wrong with an address or an exchange.
var (
	ErrAddress     = errors.New("revocation: address is not allowed")
	ErrUnavailable = errors.New("revocation: source does not answer as it should")
	ErrDeadline    = errors.New("revocation: source does not answer in time")
)

// NonceRule says what a fetched OCSP response must have for a nonce. One with
// another nonce than that of the request never counts.
type NonceRule uint8

const (
	// NonceRequired refuses answers without the request's nonce.
	NonceRequired NonceRule = iota
	// NonceIfAnswered takes answers without a nonce; then only their times tell a
	// fresh one from a replayed one. Many public responders answer so (RFC 5019).
	NonceIfAnswered
)

// Fetcher gets CRLs (GET) and OCSP responses (POST) from where certificates say.
// These addresses are chosen by whoever made the certificate, so that a service that
// follows them can be sent anywhere: Guard limits it, by default to public addresses.
// It is safe for concurrent use and must not be copied after first use.
type Fetcher struct {
	// Client does the exchanges; its redirect policy and cookies are not used. Nil
	// means one over Guard's dialer, without proxy. A client of one's own is trusted
	// to dial only what it should; Guard still judges each URL.
	Client *http.Client
	Guard  Guard
	// Timeout covers one exchange up to the last byte; zero means DefaultTimeout.
	Timeout time.Duration
	// MaxCRL bounds a fetched list; zero means DefaultFetchCRL. Never more than the
	// package's MaxCRL. OCSP responses are bounded by MaxResponse.
	MaxCRL int64
	// Hash is that of the CertID in requests; zero means SHA-1, the one that all
	// responders know (RFC 5019 section 2.1.1). It only names a certificate.
	Hash  crypto.Hash
	Nonce NonceRule
	// Cache keeps what was fetched and verified; nil: nothing is kept.
	Cache *Cache
	// Random is read for nonces; nil means crypto/rand.
	Random io.Reader

	lazy lazyClient
}

// ocsp does one exchange with a responder.
func (f *Fetcher) ocsp(ctx context.Context, address string, request []byte) ([]byte, error) {
	return f.do(ctx, http.MethodPost, address, request, MaxResponse, ocspResponseType)
}

// crl gets a list. Its media type is not looked at: many servers send a wrong one,
// and the list says itself what it is.
func (f *Fetcher) crl(ctx context.Context, address string) ([]byte, error) {
	limit := f.MaxCRL
	if limit <= 0 {
		limit = DefaultFetchCRL
	}
	return f.do(ctx, http.MethodGet, address, nil, min(limit, MaxCRL), "")
}

func (f *Fetcher) do(ctx context.Context, method, address string, body []byte, limit int64, want string) ([]byte, error) {
	u, err := f.Guard.parse(address)
	if err != nil {
		return nil, err
	}
	timeout := f.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := f.exchange(ctx, method, u, body, limit, want)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return out, nil
}

func (f *Fetcher) exchange(ctx context.Context, method string, u *url.URL, body []byte, limit int64, want string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAddress, err)
	}
	if want != "" {
		req.Header.Set("Content-Type", ocspRequestType)
		req.Header.Set("Accept", want)
	}
	resp, err := f.client().Do(req)
	if err != nil {
		return nil, transportError(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: HTTP %d", ErrUnavailable, resp.StatusCode)
	}
	if got, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); want != "" && (err != nil || got != want) {
		return nil, fmt.Errorf("%w: media type %.80q", ErrUnavailable, resp.Header.Get("Content-Type"))
	}
	if resp.ContentLength > limit {
		return nil, fmt.Errorf("%w: %d bytes announced, %d allowed", ErrLimit, resp.ContentLength, limit)
	}
	out, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, transportError(ctx, err)
	}
	if int64(len(out)) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrLimit, limit)
	}
	return out, nil
}

func transportError(ctx context.Context, err error) error {
	var timeout net.Error
	switch {
	case errors.Is(err, ErrAddress):
		return err
	case ctx.Err() != nil || (errors.As(err, &timeout) && timeout.Timeout()):
		return fmt.Errorf("%w: %w", ErrDeadline, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
