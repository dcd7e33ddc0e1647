package revocation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pkix"
)

// Bounds of Issuers.
const (
	MaxIssuers      = 256 << 10 // bytes of one answer
	maxIssuersOf    = 20        // certificates of one answer
	maxIssuerPlaces = 4         // addresses asked about one certificate
	keptIssuers     = 256       // addresses
	issuersAreKept  = time.Hour
)

// ErrIssuers means an answer that is no certificates.
var ErrIssuers = errors.New("revocation: neither a certificate nor a bundle of certificates (RFC 5280, 4.2.2.1)")

// Issuers gets certificates of authorities from where certificates say that they are (caIssuers, RFC 5280, 4.2.2.1),
// by a Fetcher with its guard, timeout and client. What it gives is not verified: candidates for a path, and
// nothing else. It is safe for concurrent use.
type Issuers struct {
	Fetcher *Fetcher
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	mu   sync.Mutex
	kept map[string]issuersAt
}

type issuersAt struct {
	list  []*pkix.Certificate
	until time.Time
}

// Of asks each place that a certificate names until one answers with a certificate of its issuer's name. Only such are
// given. nil and no error: it names no place.
func (i *Issuers) Of(ctx context.Context, c *pkix.Certificate) ([]*pkix.Certificate, error) {
	var failed []error
	places := 0
	for _, a := range c.Access {
		if a.Method != pkix.AccessCAIssuers || a.Location.Kind != pkix.URIName {
			continue
		}
		if places++; places > maxIssuerPlaces {
			break
		}
		all, err := i.at(ctx, a.Location.Text)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		var out []*pkix.Certificate
		for _, found := range all {
			if found.Subject.Equal(c.Issuer) {
				out = append(out, found)
			}
		}
		if len(out) > 0 {
			return out, nil
		}
		failed = append(failed, fmt.Errorf("%s: no certificate of %s", a.Location.Text, c.Issuer))
	}
	return nil, errors.Join(failed...)
}

func (i *Issuers) at(ctx context.Context, address string) ([]*pkix.Certificate, error) {
	now := time.Now
	if i.Now != nil {
		now = i.Now
	}
	i.mu.Lock()
	k, ok := i.kept[address]
	i.mu.Unlock()
	if ok && now().Before(k.until) {
		return k.list, nil
	}
	body, err := i.Fetcher.do(ctx, http.MethodGet, address, nil, MaxIssuers, "")
	if err != nil {
		return nil, err
	}
	list, err := ParseIssuers(body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.kept == nil || len(i.kept) >= keptIssuers {
		i.kept = map[string]issuersAt{}
	}
	i.kept[address] = issuersAt{list, now().Add(issuersAreKept)}
	return list, nil
}

// ParseIssuers reads what a place named by caIssuers answers: one certificate in DER, or a CMS message with certificates
// only, in BER or DER (RFC 5280, 4.2.2.1). Certificates of a bundle that cannot be read are left out. ErrIssuers.
func ParseIssuers(body []byte) ([]*pkix.Certificate, error) {
	if len(body) > MaxIssuers {
		return nil, fmt.Errorf("%w: %d bytes", ErrIssuers, len(body))
	}
	if c, err := pkix.Parse(body); err == nil {
		return []*pkix.Certificate{c}, nil
	}
	sd, err := cms.ParseBER(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIssuers, err)
	}
	if len(sd.Signers) > 0 || len(sd.RawCertificates) > maxIssuersOf {
		return nil, fmt.Errorf("%w: %d signers and %d certificates; no signer and %d certificates are possible", ErrIssuers, len(sd.Signers), len(sd.RawCertificates), maxIssuersOf)
	}
	var out []*pkix.Certificate
	for _, raw := range sd.RawCertificates {
		if c, err := pkix.Parse(raw); err == nil {
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: none can be read", ErrIssuers)
	}
	return out, nil
}
