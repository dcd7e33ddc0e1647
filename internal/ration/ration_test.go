package ration_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/internal/ration"
)

// T18: a key that took all of its share waits, others do not; the share comes back with time; the memory is bounded.
func TestT18SharesAreApart(t *testing.T) {
	c := clock.NewFake(time.Unix(1000, 0))
	s := ration.New(1, 3, c)
	for i := range 3 {
		if wait := s.Take("a"); wait != 0 {
			t.Errorf("call %d waits %v", i, wait)
		}
	}
	if wait := s.Take("a"); wait <= 0 || wait > time.Second {
		t.Errorf("the fourth waits %v", wait)
	}
	if s.Take("b") != 0 {
		t.Error("another key waits")
	}
	c.Advance(time.Second)
	if s.Take("a") != 0 {
		t.Error("the share does not come back")
	}
	for i := range 3 * ration.MaxBuckets {
		s.Take(fmt.Sprint(i))
	}
	if n := s.Len(); n != ration.MaxBuckets {
		t.Errorf("%d buckets", n)
	}
}

// T18: who has no share left is told when there is one again; others are served.
func TestT18LimitOfAHandler(t *testing.T) {
	c := clock.NewFake(time.Unix(1000, 0))
	h := ration.New(0.5, 2, c).Limit(nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	ask := func(peer string, want int) *httptest.ResponseRecorder {
		t.Helper()
		r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
		r.RemoteAddr = peer
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%s: %d, want %d", peer, w.Code, want)
		}
		return w
	}
	ask("192.0.2.1:1", 204)
	ask("192.0.2.1:2", 204)
	if w := ask("192.0.2.1:3", 429); w.Header().Get("Retry-After") != "3" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%v", w.Header())
	}
	ask("192.0.2.2:1", 204)
	c.Advance(2 * time.Second)
	ask("192.0.2.1:4", 204)
}

// T18: a header counts from a configured proxy only, and only as far as proxies wrote it; a /64 is one caller.
func TestT18AddressOfACaller(t *testing.T) {
	p := ration.Proxies{netip.MustParsePrefix("192.0.2.0/24")}
	for _, c := range []struct{ peer, forwarded, want string }{
		{"198.51.100.1:80", "", "198.51.100.1"},
		{"198.51.100.1:80", "203.0.113.9", "198.51.100.1"},
		{"192.0.2.7:80", "203.0.113.9", "203.0.113.9"},
		{"192.0.2.7:80", "10.0.0.1, 203.0.113.9, 192.0.2.8", "203.0.113.9"},
		{"192.0.2.7:80", "203.0.113.9, junk", "192.0.2.7"},
		{"[2001:db8::1]:80", "", "2001:db8::"},
		{"[2001:db8::ffff]:80", "", "2001:db8::"},
		{"[::ffff:198.51.100.1]:80", "", "198.51.100.1"},
		{"junk", "203.0.113.9", "invalid IP"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := ration.Place(p.Address(r)); got != c.want {
			t.Errorf("%s, %q: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}
