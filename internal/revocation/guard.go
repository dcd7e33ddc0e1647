package revocation

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const maxAddress = 2048 // bytes of a URL

// Guard limits where a Fetcher goes. The zero value allows http and https to every
// public address: not to this machine, its network, or link-local addresses, where
// the services of clouds and the administration of this one listen.
type Guard struct {
	// Hosts, unless empty, are the only host names that are asked (without port, in
	// lower case); a leading dot allows all below.
	Hosts []string
	// Addresses are allowed besides the public ones, such as an authority inside the
	// own network.
	Addresses []netip.Prefix
}

// parse reads a URL from a certificate.
func (g *Guard) parse(address string) (*url.URL, error) {
	if len(address) > maxAddress {
		return nil, fmt.Errorf("%w: %d bytes", ErrAddress, len(address))
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAddress, err)
	}
	return u, g.check(u)
}

func (g *Guard) check(u *url.URL) error {
	if (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || u.Opaque != "" {
		return fmt.Errorf("%w: %s: want http or https, a host and no user", ErrAddress, u.Redacted())
	}
	host := strings.ToLower(u.Hostname())
	if len(g.Hosts) > 0 && !slices.ContainsFunc(g.Hosts, func(h string) bool {
		return h == host || (strings.HasPrefix(h, ".") && strings.HasSuffix(host, h))
	}) {
		return fmt.Errorf("%w: host %s is not on the list", ErrAddress, host)
	}
	return nil
}

// Allows tells whether a network address may be connected to.
func (g *Guard) Allows(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range g.Addresses {
		if p.Contains(a) {
			return true
		}
	}
	return a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(special(), func(p netip.Prefix) bool { return p.Contains(a) })
}

// special are unicast ranges that lead to no public host of their own, or to one
// that is named inside the address (RFC 6890, RFC 6052, RFC 2765, RFC 3056, RFC 9602), and the
// networks of a site and addresses of IPv4 as they were written before (RFC 3879; RFC 4291, 2.5.5.1).
func special() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
		netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
		netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001::/32"),
		netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"), netip.MustParsePrefix("::/96"), netip.MustParsePrefix("::ffff:0:0:0/96"), netip.MustParsePrefix("100::/64"),
		netip.MustParsePrefix("5f00::/16"),
	}
}

// Control is for net.Dialer: it refuses addresses that the guard does not allow. It
// sees the address that is connected to, after the name was resolved, so that a name
// cannot be changed between check and use.
func (g *Guard) Control(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !g.Allows(a.Addr()) {
		return fmt.Errorf("%w: %s", ErrAddress, address)
	}
	return nil
}

// lazyClient is the client of a Fetcher, made at first use.
type lazyClient struct {
	once sync.Once
	http *http.Client
}

func (f *Fetcher) client() *http.Client {
	f.lazy.once.Do(func() {
		base := f.Client
		if base == nil {
			dialer := &net.Dialer{Timeout: 5 * time.Second, Control: f.Guard.Control}
			base = &http.Client{Transport: &http.Transport{
				DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
					return dialer.DialContext(ctx, network, address)
				},
				TLSHandshakeTimeout:    5 * time.Second,
				MaxResponseHeaderBytes: 64 << 10,
				DisableCompression:     true, // what is signed does not compress; a bomb does
				MaxIdleConnsPerHost:    2,
				IdleConnTimeout:        time.Minute,
			}}
		}
		own := *base
		own.Jar = nil
		own.CheckRedirect = f.redirect
		f.lazy.http = &own
	})
	return f.lazy.http
}

// redirect follows few redirects, to allowed addresses, and none of them away from
// TLS. A request with a body is never sent on.
func (f *Fetcher) redirect(req *http.Request, via []*http.Request) error {
	last := via[len(via)-1]
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("%w: more than %d redirects", ErrAddress, maxRedirects)
	case via[0].Method != http.MethodGet:
		return fmt.Errorf("%w: redirect of a request", ErrAddress)
	case last.URL.Scheme == "https" && req.URL.Scheme != "https":
		return fmt.Errorf("%w: redirect away from TLS", ErrAddress)
	}
	return f.Guard.check(req.URL)
}
