// Package ration gives each of many callers a share of their own: a bucket of tokens by key, so that one of them
// cannot use up what all need. It also tells by which address a caller is known.
package ration

import (
	"container/list"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/assent-sign/assent/internal/clock"
)

// MaxBuckets bounds the memory of shares; the bucket that was longest unused makes room. Whoever commands more
// addresses than that needs a limit in front.
const MaxBuckets = 8192

// Shares are token buckets by key, for concurrent use.
type Shares struct {
	mu    sync.Mutex
	clock clock.Clock
	per   rate.Limit
	burst int
	byKey map[string]*list.Element
	order *list.List // of *bucket, most recently used first
}

type bucket struct {
	key string
	*rate.Limiter
}

// New gives every key so many tokens a second, and burst (at least one) that were saved up.
func New(perSecond float64, burst int, c clock.Clock) *Shares {
	return &Shares{clock: c, per: rate.Limit(perSecond), burst: max(1, burst), byKey: map[string]*list.Element{}, order: list.New()}
}

// Take uses one token of a key's bucket; when there is none, it returns how
// long until there is one, at least a millisecond.
func (s *Shares) Take(key string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	e, ok := s.byKey[key]
	if ok {
		s.order.MoveToFront(e)
	} else {
		if s.order.Len() >= MaxBuckets {
			oldest := s.order.Back()
			delete(s.byKey, oldest.Value.(*bucket).key) //nolint:forcetypeassert // the list holds nothing else
			s.order.Remove(oldest)
		}
		e = s.order.PushFront(&bucket{key, rate.NewLimiter(s.per, s.burst)})
		s.byKey[key] = e
	}
	b := e.Value.(*bucket) //nolint:forcetypeassert // the list holds nothing else
	if b.AllowN(now, 1) {
		return 0
	}
	r := b.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	r.CancelAt(now)
	return max(wait, time.Millisecond)
}

// Limit serves a request out of the share of the address that it comes from, and asks for patience when there is nothing left of it.
func (s *Shares) Limit(p Proxies, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wait := s.Take(Place(p.Address(r)))
		if wait == 0 {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Retry-After", strconv.Itoa(1+int(wait/time.Second)))
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "Too many requests come from your network. Wait a few seconds and try again.", http.StatusTooManyRequests)
	})
}

// Len is how many keys have a bucket.
func (s *Shares) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.order.Len()
}

// Place is the key of an address: itself, and of IPv6 its /64, since all of that is one caller's.
func Place(a netip.Addr) string {
	if a.Is6() && !a.Is4In6() {
		if p, err := a.Prefix(64); err == nil {
			a = p.Addr()
		}
	}
	return a.String()
}

// Proxies are the addresses whose X-Forwarded-For is believed.
type Proxies []netip.Prefix

// Address is the peer's address, or, when the peer is a configured proxy, the
// last address in X-Forwarded-For that is none. A header from anybody else
// counts for nothing.
func (p Proxies) Address(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	ip := ap.Addr().Unmap()
	if !p.trusted(ip) {
		return ip
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, h := range slices.Backward(hops) {
		next, err := netip.ParseAddr(strings.TrimSpace(h))
		if err != nil {
			return ip
		}
		ip = next.Unmap()
		if !p.trusted(ip) {
			return ip
		}
	}
	return ip
}

func (p Proxies) trusted(ip netip.Addr) bool {
	return slices.ContainsFunc(p, func(n netip.Prefix) bool { return n.Contains(ip) })
}
