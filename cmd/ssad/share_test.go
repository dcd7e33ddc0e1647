package main

import (
	"net/http"
	"strings"
	"testing"
)

// T18: pages and time-stamps have a share per address: who asks without end is told to
// wait, and the one does not use up the other.
func TestT18SharesOfPagesAndTimeStamps(t *testing.T) {
	w := newWorld(t)
	w.start()
	defer w.stop()
	ask := func(method, path string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, w.origin+path, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res
	}
	refused := func(method, path string) *http.Response {
		t.Helper()
		for range 5000 {
			if res := ask(method, path); res.StatusCode == http.StatusTooManyRequests {
				return res
			}
		}
		t.Fatalf("%s is answered without end", path)
		return nil
	}
	if res := refused(http.MethodPost, "/tsa"); res.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if res := ask(http.MethodGet, "/login"); res.StatusCode != http.StatusOK {
		t.Errorf("/login: %d", res.StatusCode)
	}
	refused(http.MethodGet, "/login")
	refused(http.MethodGet, "/nothing-here")
}
