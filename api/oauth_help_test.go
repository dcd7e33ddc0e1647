package api_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/assent-sign/assent/api/csc"
)

// browser keeps cookies and does not follow redirects.
type browser struct {
	w       *world
	cookies map[string]string
}

func (w *world) browser(signer string) *browser {
	b := &browser{w: w, cookies: map[string]string{}}
	b.login(signer)
	return b
}

func (b *browser) login(signer string) {
	delete(b.cookies, "fake_login")
	if signer != "" {
		b.cookies["fake_login"] = signer
	}
}

func (b *browser) get(target string) answer {
	b.w.t.Helper()
	r := httptest.NewRequest("GET", target, nil)
	for n, v := range b.cookies {
		r.AddCookie(&http.Cookie{Name: n, Value: v})
	}
	a := b.w.do(r)
	for _, c := range a.Cookies() {
		b.cookies[c.Name] = c.Value
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
			b.w.t.Errorf("cookie %s is not HttpOnly and Lax", c.Name)
		}
	}
	return a
}

const verifier = "a-verifier-of-at-least-43-characters-0123456789-abc"

func challenge() string {
	h := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(h[:])
}

func hashOf(s string) []byte { h := sha256.Sum256([]byte(s)); return h[:] }

var redirects = map[string]string{"shop": "https://shop.example/cb", "bank": "https://bank.example/cb"}

// ask is a correct pushed request for signatures over digests.
func ask(client string, p *person, hashes ...[]byte) url.Values {
	var list []string
	for _, h := range hashes {
		list = append(list, base64.RawURLEncoding.EncodeToString(h))
	}
	return url.Values{"client_id": {client}, "response_type": {"code"}, "redirect_uri": {redirects[client]}, "scope": {"credential"}, "state": {"st&1"},
		"code_challenge": {challenge()}, "code_challenge_method": {"S256"}, "credentialID": {csc.CredentialID(p.id, p.cred.Key)},
		"numSignatures": {fmt.Sprint(len(hashes))}, "hashes": {strings.Join(list, ",")}, "hashAlgorithmOID": {csc.OIDSHA256}, "description": {"Order 17"}}
}

func (w *world) push(client string, f url.Values) string {
	w.t.Helper()
	a := w.must(w.form("/oauth2/pushed_authorize", client, f), 201)
	var out struct {
		URI string `json:"request_uri"`
		In  int    `json:"expires_in"`
	}
	a.json(w.t, &out)
	if out.In != 90 || !strings.HasPrefix(out.URI, "urn:ietf:params:oauth:request_uri:") || !strings.Contains(a.Header.Get("Cache-Control"), "no-store") {
		w.t.Errorf("pushed: %s %v", a.body, a.Header)
	}
	return out.URI
}

func authorizeURL(client, requestURI string) string {
	return "/oauth2/authorize?" + url.Values{"client_id": {client}, "request_uri": {requestURI}}.Encode()
}

// location parses a redirect.
func (w *world) location(a answer) *url.URL {
	w.t.Helper()
	u, err := url.Parse(a.Header.Get("Location"))
	if err != nil || a.StatusCode != 302 || u.String() == "" {
		w.t.Fatalf("no redirect: %d %s %s", a.StatusCode, a.Header.Get("Location"), a.body)
	}
	return u
}

// start brings a logged-in browser to the signing origin and returns the
// address to come back to.
func (w *world) start(b *browser, client, requestURI string) (back string) {
	w.t.Helper()
	u := w.location(b.get(authorizeURL(client, requestURI)))
	if u.Host != "signing.test" {
		w.t.Fatalf("not at the signing origin: %s", u)
	}
	return strings.TrimPrefix(w.app.only(w.t).ReturnURL, baseURL)
}

// code goes all the way to a code.
func (w *world) code(client string, p *person, f url.Values) string {
	w.t.Helper()
	w.app.mu.Lock()
	clear(w.app.ops)
	w.app.mu.Unlock()
	b := w.browser(p.id)
	back := w.start(b, client, w.push(client, f))
	w.app.approve(w.t, w.app.only(w.t).ID)
	u := w.location(b.get(back))
	if u.Query().Get("code") == "" {
		w.t.Fatalf("no code: %s", u)
	}
	return u.Query().Get("code")
}

func exchange(client, code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirects[client]}, "code_verifier": {verifier}}
}

func (w *world) credentialToken(client string, p *person, hashes ...[]byte) string {
	w.t.Helper()
	a := w.must(w.form("/oauth2/token", client, exchange(client, w.code(client, p, ask(client, p, hashes...)))), 200)
	return a.field("access_token")
}
