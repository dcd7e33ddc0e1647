package api_test

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Whatever authorize is asked, it never redirects to an address that is not
// registered, and never fails.
func FuzzAuthorize(f *testing.F) {
	w := newWorld(f)
	for _, q := range []string{
		"client_id=shop&response_type=code&redirect_uri=https://shop.example/cb&scope=service&code_challenge=" + challenge() + "&code_challenge_method=S256",
		"client_id=shop&redirect_uri=https://shop.example/cb%23&response_type=code", "client_id=shop&client_id=bank", "client_id=shop&request_uri=urn:ietf:params:oauth:request_uri:par_x",
		"client_id=shop&redirect_uri=//evil.example&response_type=code", "client_id=shop&redirect_uri=https://shop.example/cb&response_mode=form_post&response_type=code",
		"client_id=shop&redirect_uri=https://shop.example/cb&response_type=code&claims=%7B&max_age=x&prompt=none", "%zz", ";", "client_id=shop&redirect_uri=https://shop.example/cb&id_token_hint=a.b.c&response_type=code",
	} {
		f.Add(q, false)
		f.Add(q, true)
	}
	f.Fuzz(func(t *testing.T, query string, loggedIn bool) {
		w.t = t
		r := httptest.NewRequest("GET", "/oauth2/authorize", nil)
		r.URL.RawQuery = query
		if loggedIn {
			r.Header.Set("Cookie", "fake_login=alice")
		}
		a := w.do(r)
		if a.StatusCode >= 500 || a.StatusCode == 200 {
			t.Fatalf("%q: %d %s", query, a.StatusCode, a.body)
		}
		loc := a.Header.Get("Location")
		if loc == "" {
			return
		}
		u, err := url.Parse(loc)
		if err != nil || !strings.HasPrefix(loc, "https://shop.example/cb") && !strings.HasPrefix(loc, "https://bank.example/cb") && !strings.HasPrefix(loc, "/login?next=%2Foauth2%2Fauthorize%2Fas_") {
			t.Fatalf("%q: sent to %q", query, loc)
		}
		if host := u.Host; host != "" && host != "shop.example" && host != "bank.example" {
			t.Fatalf("%q: sent to host %q", query, host)
		}
	})
}

// Any form is answered with JSON, never with a failure or a token.
func FuzzToken(f *testing.F) {
	w := newWorld(f)
	for _, body := range []string{"grant_type=client_credentials", "grant_type=authorization_code&code=ac_" + strings.Repeat("A", 43), "grant_type=client_credentials&client_assertion=a.b.c&client_assertion_type=x",
		"client_assertion=e30.e30.e30&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&grant_type=client_credentials", "a=%zz", "token=x", "scope=credential&authorization_details=%5B%5D"} {
		for i := range 3 {
			f.Add(i, body)
		}
	}
	paths := []string{"/oauth2/token", "/oauth2/pushed_authorize", "/oauth2/revoke"}
	f.Fuzz(func(t *testing.T, i int, body string) {
		w.t = t
		r := httptest.NewRequest("POST", paths[uint(i)%3], strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		a := w.do(r)
		if a.StatusCode < 400 || a.StatusCode >= 500 || a.field("error") == "" || strings.Contains(string(a.body), "access_token\"") {
			t.Fatalf("%q: %d %s", body, a.StatusCode, a.body)
		}
	})
}
