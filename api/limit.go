package api

import (
	"container/list"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/assent-sign/assent/internal/clock"
)

// Limits bound what callers may use. Zero fields take the defaults.
type Limits struct {
	PerIP          float64       // requests per second of one address (IPv6: of one /64); default 50, burst 4x
	PerClient      float64       // requests per second of one client; default 100, burst 4x
	Document       int64         // bytes of an uploaded document; default 100 MiB
	SignDoc        int64         // bytes of a signDoc body, which is JSON and held whole; default 16 MiB
	SignDocAtOnce  int           // signDoc calls that hold their body at one time; default 4
	Hashes         int           // digests of one CSC authorization (multisign); default 100, the module's limit
	Wait           time.Duration // longest wait=; default 60 s
	Waits          int           // calls that wait at one time; default 1024
	SignDocWait    time.Duration // how long a synchronous signDoc waits for the signer; default 50 s
	UploadStall    time.Duration // each read of an upload must bring something within it; default 30 s
	IdempotencyTTL time.Duration // how long an Idempotency-Key is remembered; default 24 h
}

func (l *Limits) defaults() {
	orElse(&l.PerIP, 50)
	orElse(&l.PerClient, 100)
	orElse(&l.Document, 100<<20)
	orElse(&l.SignDoc, 16<<20)
	orElse(&l.SignDocAtOnce, 4)
	orElse(&l.Hashes, 100)
	orElse(&l.Wait, time.Minute)
	orElse(&l.Waits, 1024)
	orElse(&l.SignDocWait, 50*time.Second)
	orElse(&l.UploadStall, 30*time.Second)
	orElse(&l.IdempotencyTTL, 24*time.Hour)
}

func orElse[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// maxBuckets bounds the memory of a limiter; the bucket that was longest unused
// makes room. Whoever commands more addresses than that needs a limit in front.
const maxBuckets = 8192

// limiter is a set of token buckets by key.
type limiter struct {
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

func newLimiter(perSecond float64, c clock.Clock) *limiter {
	return &limiter{clock: c, per: rate.Limit(perSecond), burst: max(1, int(4*perSecond)), byKey: map[string]*list.Element{}, order: list.New()}
}

// take uses one token of a key's bucket; when there is none, it returns how
// long until there is one.
func (l *limiter) take(key string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	e, ok := l.byKey[key]
	if ok {
		l.order.MoveToFront(e)
	} else {
		if l.order.Len() >= maxBuckets {
			oldest := l.order.Back()
			delete(l.byKey, oldest.Value.(*bucket).key) //nolint:forcetypeassert // the list holds nothing else
			l.order.Remove(oldest)
		}
		e = l.order.PushFront(&bucket{key, rate.NewLimiter(l.per, l.burst)})
		l.byKey[key] = e
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

// limiters are the two that every request passes.
type limiters struct{ ips, clients *limiter }

func (l *limiters) ip(a netip.Addr) time.Duration {
	if a.Is6() && !a.Is4In6() {
		if p, err := a.Prefix(64); err == nil {
			a = p.Addr()
		}
	}
	return l.ips.take(a.String())
}

func (l *limiters) client(id string) time.Duration { return l.clients.take(id) }

// clientIP is the peer's address, or, when the peer is a configured proxy, the
// last address in X-Forwarded-For that is none. A header from anybody else
// counts for nothing.
func (a *API) clientIP(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	ip := ap.Addr().Unmap()
	if !a.trusted(ip) {
		return ip
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, h := range slices.Backward(hops) {
		next, err := netip.ParseAddr(strings.TrimSpace(h))
		if err != nil {
			return ip
		}
		ip = next.Unmap()
		if !a.trusted(ip) {
			return ip
		}
	}
	return ip
}

func (a *API) trusted(ip netip.Addr) bool {
	return slices.ContainsFunc(a.cfg.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(ip) })
}
