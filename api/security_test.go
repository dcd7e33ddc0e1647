package api_test

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/api"
	"github.com/assent-sign/assent/api/csc"
	"github.com/assent-sign/assent/internal/testenv"
)

// opens says which kinds of token open a route. It is written by hand and
// compared with the router: a route that is not in it fails the test.
var opens = map[string]string{
	"POST /api/v1/documents":                         "service",
	"POST /api/v1/validations":                       "service",
	"POST /api/v1/operations":                        "service",
	"GET /api/v1/operations/{id}":                    "service",
	"POST /api/v1/operations/{id}/cancel":            "service",
	"GET /api/v1/operations/{id}/items/{i}/document": "service",
	"GET /api/v1/operations/{id}/receipt":            "service",
	"DELETE /api/v1/documents/{id}":                  "service",
	"DELETE /api/v1/operations/{id}/documents":       "service",
	"GET /api/v1/credentials":                        "service",
	"GET /api/openapi.yaml":                          "public",
	"GET /api/logo.png":                              "public",
	"GET /api/problems/{code}":                       "public",
	"GET /csc/v2/info":                               "public",
	"POST /csc/v2/info":                              "public",
	"POST /csc/v2/credentials/list":                  "service",
	"POST /csc/v2/credentials/info":                  "service",
	"POST /csc/v2/signatures/signHash":               "sign",
	"POST /csc/v2/signatures/signDoc":                "service",
	"POST /csc/v2/signatures/signPolling":            "service",
	"GET /oauth2/authorize":                          "public",
	"GET /oauth2/authorize/{session}":                "public",
	"POST /oauth2/token":                             "public",
	"POST /oauth2/pushed_authorize":                  "public",
	"POST /oauth2/revoke":                            "public",
	"GET /csc/v2/oauth2/authorize":                   "public",
	"GET /csc/v2/oauth2/authorize/{session}":         "public",
	"POST /csc/v2/oauth2/token":                      "public",
	"POST /csc/v2/oauth2/pushed_authorize":           "public",
	"POST /csc/v2/oauth2/revoke":                     "public",
	"GET /.well-known/oauth-authorization-server":    "public",
	"GET /livez":                                     "public",
	"GET /readyz":                                    "public",
	"GET /startupz":                                  "public",
}

// EJBCA's RA pages, T16: each route x each kind of token, default deny.
func TestScopeMatrix(t *testing.T) {
	w := newWorld(t)
	service := w.serviceToken("shop")
	credential := w.credentialToken("shop", w.alice, hashOf("x"))
	revoked := w.serviceToken("shop")
	w.must(w.form("/oauth2/revoke", "shop", url.Values{"token": {revoked}}), 200)
	tokens := map[string]string{"none": "", "service": service, "credential": credential, "revoked": revoked, "unknown": "at_" + strings.Repeat("B", 43), "code": "ac_" + strings.Repeat("B", 43)}
	fill := strings.NewReplacer("{id}", "op-1", "{i}", "0", "{code}", "internal", "{session}", "as_"+strings.Repeat("B", 43))
	n := 0
	for _, route := range routesOf(t, w.router) {
		kind, known := opens[route]
		if !known {
			t.Errorf("%s is not in the matrix", route)
			continue
		}
		n++
		if kind == "public" {
			continue
		}
		method, path, _ := strings.Cut(route, " ")
		for name, token := range tokens {
			var body any
			if method == "POST" {
				body = "{}"
			}
			a := w.call(method, fill.Replace(path), token, body)
			// Opened means that the request itself was looked at: it is wrong on
			// purpose, so the answer is a 4xx about the request.
			open := a.StatusCode != 401 && a.StatusCode != 403 && a.field("error_description") != "Malformed authorization header"
			want := name == "service" || kind == "sign" && name == "credential"
			if open != want || a.StatusCode < 400 || a.StatusCode >= 500 {
				t.Errorf("%s with token %s: %d %s", route, name, a.StatusCode, bytes.TrimSpace(a.body))
			}
		}
	}
	if n != len(opens) {
		t.Errorf("%d of %d routes of the matrix exist", n, len(opens))
	}
}

// D-Trust 2025, T10: what belongs to one client does not exist for another.
func TestTwoTenantCrawl(t *testing.T) {
	w := newWorld(t)
	tokens := map[string]string{"shop": w.serviceToken("shop"), "bank": w.serviceToken("bank")}
	docs, ops := map[string]string{}, map[string]string{}
	for c, tok := range tokens {
		docs[c] = w.upload(tok)
		ops[c] = w.operation(tok, docs[c])
	}
	w.app.approve(t, ops["shop"])
	unknown := map[string]string{}
	try := func(token, op, doc string) map[string]answer {
		return map[string]answer{
			"get":     w.call("GET", "/api/v1/operations/"+op, token, nil),
			"wait":    w.call("GET", "/api/v1/operations/"+op+"?wait=1", token, nil),
			"cancel":  w.call("POST", "/api/v1/operations/"+op+"/cancel", token, "{}"),
			"result":  w.call("GET", "/api/v1/operations/"+op+"/items/0/document", token, nil),
			"receipt": w.call("GET", "/api/v1/operations/"+op+"/receipt", token, nil),
			"use":     w.call("POST", "/api/v1/operations", token, map[string]any{"signer": "alice", "purpose": "x", "items": []any{map[string]any{"document": doc, "worker": "pades"}}}),
			"delete":  w.call("DELETE", "/api/v1/operations/"+op+"/documents", token, nil),
			"discard": w.call("DELETE", "/api/v1/documents/"+doc, token, nil),
			"poll":    w.call("POST", pollPath, token, map[string]any{"requestID": op}),
		}
	}
	for name, a := range try(tokens["shop"], "op-none", "doc-none") {
		unknown[name] = fmt.Sprint(a.StatusCode, a.field("code"), a.field("error"), a.field("error_description"))
	}
	for owner, other := range map[string]string{"shop": "bank", "bank": "shop"} {
		for name, a := range try(tokens[other], ops[owner], docs[owner]) {
			if got := fmt.Sprint(a.StatusCode, a.field("code"), a.field("error"), a.field("error_description")); got != unknown[name] || a.StatusCode < 400 {
				t.Errorf("%s of %s by %s: %s, an unknown one: %s", name, owner, other, got, unknown[name])
			}
		}
	}
	if w.app.ops[ops["bank"]].State.Terminal() {
		t.Error("another client cancelled the operation")
	}
	// A token that stands for alice sees nothing that bob was asked.
	bob := w.signerToken("bob")
	w.problem(w.call("GET", "/api/v1/operations/"+ops["shop"], bob, nil), 404, "not_found")
	w.problem(w.call("POST", "/api/v1/operations", bob, map[string]any{"signer": "alice", "items": []any{map[string]any{"document": docs["shop"], "worker": "pades"}}}), 403, "not_allowed")
}

// signerToken is a token of the shop that stands for one signer.
func (w *world) signerToken(signer string) string {
	w.t.Helper()
	f := url.Values{"client_id": {"shop"}, "response_type": {"code"}, "redirect_uri": {redirects["shop"]}, "scope": {"service"}, "code_challenge": {challenge()}, "code_challenge_method": {"S256"}}
	u := w.location(w.browser(signer).get("/oauth2/authorize?" + f.Encode()))
	return w.must(w.form("/oauth2/token", "shop", exchange("shop", u.Query().Get("code"))), 200).field("access_token")
}

// F31: refused in less than 100 ms with less than 10 MB of heap.
func TestBodyBombs(t *testing.T) {
	w := newWorld(t)
	service := w.serviceToken("shop")
	bombs := map[string]string{
		"depth":      strings.Repeat("[", 100_000),
		"objects":    strings.Repeat(`{"a":`, 20_000),
		"elements":   `{"hashes":[` + strings.Repeat(`"",`, 15_000) + `""]}`,
		"duplicates": `{"hashes":[],"hashes":[]}`,
		"number":     `{"hashes":[` + strings.Repeat("9", 50_000) + `]}`,
		"utf8":       "{\"credentialID\":\"\xff\"}",
		"surrogate":  `{"credentialID":"\ud800"}`,
		"large":      `{"x":"` + strings.Repeat("x", 8<<20) + `"}`,
		"many keys":  "{" + strings.Repeat(`"k":1,`, 40_000) + `"z":1}`,
	}
	for _, path := range []string{"/api/v1/operations", signHashPath, "/csc/v2/credentials/list", "/csc/v2/credentials/info", pollPath, "/csc/v2/info"} {
		for name, body := range bombs {
			if name == "elements" && path == "/csc/v2/info" {
				continue // members that the method does not have are ignored
			}
			text := []byte(body)
			testenv.Within(t, name+" at "+path, 100*time.Millisecond, func() {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				a := w.call("POST", path, service, text)
				runtime.ReadMemStats(&after)
				if a.StatusCode < 400 || a.StatusCode >= 500 {
					t.Errorf("%s at %s: %d %s", name, path, a.StatusCode, a.body)
				}
				if grown := after.TotalAlloc - before.TotalAlloc; grown > 10<<20 {
					t.Errorf("%s at %s: %d bytes allocated", name, path, grown)
				}
			})
		}
	}
}

// T18: limits by address and by client, bounded in memory; a header from nobody
// known counts for nothing.
func TestRateLimits(t *testing.T) {
	w := newWorld(t, func(c *api.Config) {
		c.Limits.PerIP, c.Limits.PerClient = 1, 1e6
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})
	from := func(addr, forwarded string) answer {
		r := httptest.NewRequest("GET", "/csc/v2/info", nil)
		r.RemoteAddr = addr
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		return w.do(r)
	}
	drain := func(addr, forwarded string) int {
		for i := range 100 {
			if a := from(addr, forwarded); a.StatusCode == 429 {
				w.refused(a, 429, "temporarily_unavailable", "")
				if a.Header.Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
				return i
			}
		}
		return 100
	}
	if n := drain("198.51.100.1:5000", ""); n != 4 {
		t.Errorf("burst was %d", n)
	}
	if a := from("198.51.100.1:5001", "203.0.113.9"); a.StatusCode != 429 {
		t.Error("a forged header made another address")
	}
	if a := from("198.51.100.2:5000", ""); a.StatusCode != 200 {
		t.Error("one address uses up another's limit")
	}
	if n := drain("192.0.2.7:80", "203.0.113.9, 192.0.2.8"); n != 4 {
		t.Errorf("behind a proxy: %d", n)
	}
	if a := from("192.0.2.7:80", "203.0.113.10"); a.StatusCode != 200 {
		t.Error("two callers behind one proxy share a limit")
	}
	if n := drain("[2001:db8::1]:80", ""); n != 4 {
		t.Errorf("IPv6: %d", n)
	}
	if a := from("[2001:db8::2]:80", ""); a.StatusCode != 429 {
		t.Error("each address of a /64 has its own limit")
	}
	w.clock.Advance(10 * time.Second)
	if a := from("198.51.100.1:5000", ""); a.StatusCode != 200 {
		t.Error("the limit does not recover")
	}

	c := newWorld(t, func(c *api.Config) { c.Limits.PerClient = 1 })
	token, last := c.serviceToken("shop"), 0
	for range 20 {
		last = c.call("GET", "/api/v1/credentials?signer=alice", token, nil).StatusCode
	}
	if last != 429 {
		t.Errorf("client limit: %d", last)
	}
	if s := c.call("GET", "/api/v1/credentials?signer=alice", c.serviceToken("bank"), nil).StatusCode; s != 200 {
		t.Errorf("one client uses up another's limit: %d", s)
	}
}

// I9: a panic in a part is an error of ours, and says nothing.
func TestPanicIsAnOpaqueError(t *testing.T) {
	w := newWorld(t)
	token := w.serviceToken("shop")
	w.alice.cred.Algs = []string{"bogus"}
	a := w.call("POST", "/csc/v2/credentials/info", token, map[string]any{"credentialID": csc.CredentialID("alice", w.alice.cred.Key)})
	w.refused(a, 500, "server_error", "The service failed")
	w.app.ops = nil // a write to it panics
	doc := w.upload(token)
	a = w.call("POST", "/api/v1/operations", token, map[string]any{"signer": "bob", "purpose": "x", "items": []any{map[string]any{"document": doc, "worker": "pades"}}})
	w.problem(a, 500, "internal")
	if strings.Contains(string(a.body), "nil map") {
		t.Errorf("%s", a.body)
	}
}

// Every code of the table has a page.
func TestProblemPages(t *testing.T) {
	w := newWorld(t)
	for _, code := range []string{"not_found", "idempotency_conflict", "internal"} {
		if a := w.must(w.call("GET", "/api/problems/"+code, "", nil), 200); !strings.Contains(string(a.body), code) {
			t.Errorf("%s", a.body)
		}
	}
	w.problem(w.call("GET", "/api/problems/nonsense", "", nil), 404, "no_such_endpoint")
}
