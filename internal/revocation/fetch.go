package revocation

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"github.com/assent-sign/assent/internal/pkix"
)

// fetch asks the places that a certificate names, OCSP first, one after the other,
// until one gives what decides.
func (k *Checker) fetch(ctx context.Context, q *question) (*Finding, error) {
	if k.cfg.Fetcher == nil {
		return nil, nil
	}
	for _, address := range responders(q.cert()) {
		f, err := k.fromResponder(ctx, q, address)
		if f != nil || err != nil {
			return f, err
		}
	}
	return k.fromLists(ctx, q)
}

// responders are the addresses of OCSP responders that a certificate names.
func responders(c *pkix.Certificate) []string {
	var out []string
	for _, a := range c.Access {
		if a.Method == pkix.AccessOCSP && a.Location.Kind == pkix.URIName && len(out) < maxPlaces {
			out = append(out, a.Location.Text)
		}
	}
	return out
}

// lists are the addresses of complete and delta lists that a certificate names.
func lists(c *pkix.Certificate) []string {
	var out []string
	for _, points := range [][]pkix.DistributionPoint{c.CRLPoints, c.FreshestCRL} {
		for _, p := range points {
			for _, g := range p.Name.Full {
				if g.Kind == pkix.URIName && len(out) < maxPlaces {
					out = append(out, g.Text)
				}
			}
		}
	}
	return out
}

// got is the outcome of one exchange; each is done once for a Checker.
type got struct {
	crl      *CRL
	response *Response
	err      error
}

// once does an exchange, unless it was done or there were too many.
func (k *Checker) once(key string, do func() got) got {
	if g, known := k.fetched[key]; known {
		return g
	}
	if len(k.fetched) >= maxFetches {
		return got{err: fmt.Errorf("%w: more than %d exchanges", ErrLimit, maxFetches)}
	}
	g := do()
	k.fetched[key] = g
	return g
}

func (k *Checker) fromResponder(ctx context.Context, q *question, address string) (*Finding, error) {
	key := address + "\n" + string(q.cert().Raw) + string(q.issuer().SPKI)
	cache := k.cfg.Fetcher.Cache
	if e := cache.get(key, k.cfg.At); e != nil && e.response != nil {
		kept := *q // why what is kept does not count interests nobody: it is asked for anew
		if f, err := k.byResponses(ctx, &kept, []*Response{e.response}, address); f != nil || err != nil {
			return f, err
		}
	}
	g := k.once(key, func() got {
		r, err := k.cfg.Fetcher.askResponder(ctx, address, q.cert(), q.issuer())
		return got{response: r, err: err}
	})
	if q.no(g.err) {
		return nil, nil
	}
	f, err := k.byResponses(ctx, q, []*Response{g.response}, address)
	if f != nil {
		cache.put(key, &cached{response: g.response, size: len(g.response.Raw), until: g.response.due()})
	}
	return f, err
}

// due is the earliest nextUpdate of a response; zero when one has none.
func (r *Response) due() time.Time {
	var out time.Time
	for i, x := range r.singles {
		if x.nextUpdate.IsZero() {
			return time.Time{}
		}
		if i == 0 || x.nextUpdate.Before(out) {
			out = x.nextUpdate
		}
	}
	return out
}

// askResponder asks one responder about one certificate, and holds the nonce of the
// answer against that of the request.
func (f *Fetcher) askResponder(ctx context.Context, address string, cert, issuer *pkix.Certificate) (*Response, error) {
	random := f.Random
	if random == nil {
		random = rand.Reader
	}
	nonce := make([]byte, nonceSize)
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("nonce: %w", err)
	}
	h := f.Hash
	if h == 0 {
		h = crypto.SHA1
	}
	request, err := MarshalRequest(cert, issuer, h, nonce)
	if err != nil {
		return nil, err
	}
	answer, err := f.ocsp(ctx, address, request)
	if err != nil {
		return nil, err
	}
	r, err := ParseResponse(answer)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", address, err)
	case r.Nonce == nil && f.Nonce == NonceRequired:
		return nil, fmt.Errorf("%s: %w: it has none", address, ErrNonce)
	case r.Nonce != nil && !bytes.Equal(r.Nonce, nonce):
		return nil, fmt.Errorf("%s: %w: it has another", address, ErrNonce)
	}
	return r, nil
}

// fromLists looks at the lists that are kept, and then fetches.
func (k *Checker) fromLists(ctx context.Context, q *question) (*Finding, error) {
	kept := *q
	cached := func(address string) (*CRL, error) {
		if e := k.cfg.Fetcher.Cache.get(address, k.cfg.At); e != nil {
			return e.crl, nil
		}
		return nil, nil
	}
	if f, err := k.gather(ctx, &kept, cached); f != nil || err != nil {
		return f, err
	}
	return k.gather(ctx, q, func(address string) (*CRL, error) {
		g := k.once(address, func() got {
			c, err := k.cfg.Fetcher.list(ctx, address)
			return got{crl: c, err: err}
		})
		return g.crl, g.err
	})
}

// gather adds the list of one place after the other until they decide: lists for
// some reasons, and a delta with what it continues, count only together.
func (k *Checker) gather(ctx context.Context, q *question, from func(address string) (*CRL, error)) (*Finding, error) {
	all := append([]*CRL{}, k.cfg.CRLs...)
	sources := map[*CRL]string{}
	places := lists(q.cert())
	for i, address := range places {
		c, err := from(address)
		if err != nil {
			q.no(err)
		}
		if c != nil && sources[c] == "" {
			sources[c] = address
			all = append(all, c)
		}
		// A complete list alone could miss what a delta says that is still to come.
		wait := len(q.cert().FreshestCRL) > 0 && i+1 < len(places)
		if wait || len(sources) == 0 || (c == nil && i+1 < len(places)) {
			continue
		}
		f, err := k.byCRLs(ctx, q, all, sources)
		if f != nil {
			k.keep(f.Evidence)
		}
		if f != nil || err != nil {
			return f, err
		}
	}
	return nil, nil
}

// list fetches a list.
func (f *Fetcher) list(ctx context.Context, address string) (*CRL, error) {
	raw, err := f.crl(ctx, address)
	if err != nil {
		return nil, err
	}
	c, err := ParseCRL(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return c, nil
}

// keep puts the lists of a finding that were fetched into the cache: they are
// verified.
func (k *Checker) keep(evidence []Evidence) {
	for _, e := range evidence {
		if e.CRL != nil && e.Source != "" {
			k.cfg.Fetcher.Cache.put(e.Source, &cached{crl: e.CRL, size: len(e.CRL.Raw), until: e.CRL.NextUpdate})
		}
	}
}
