package api_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/api"
	"github.com/assent-sign/assent/api/oauth"
)

// RFC 6749 2.3, 4.4; T11.
func TestClientAuthenticationNegatives(t *testing.T) {
	w := newWorld(t)
	cc := func() url.Values { return url.Values{"grant_type": {"client_credentials"}, "scope": {"service"}} }
	basic := func(id, secret string, f url.Values) answer {
		r := httptest.NewRequest("POST", "/oauth2/token", strings.NewReader(f.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(id, secret)
		return w.do(r)
	}
	w.refused(basic("shop", "wrong", cc()), 401, "invalid_client", "")
	w.refused(basic("shop", "", cc()), 401, "invalid_client", "")
	w.refused(basic("shop", secretHash(secrets["shop"]), cc()), 401, "invalid_client", "")
	w.refused(basic("nobody", secrets["shop"], cc()), 401, "invalid_client", "")
	w.refused(basic("bank", secrets["bank"], cc()), 401, "invalid_client", "") // registered for post
	w.refused(w.form("/oauth2/token", "", cc()), 400, "invalid_client", "Client authorization required")
	f := cc()
	f.Set("client_id", "shop")
	f.Set("client_secret", secrets["shop"])
	w.refused(w.form("/oauth2/token", "", f), 400, "invalid_client", "") // registered for basic
	w.refused(w.form("/oauth2/token", "shop", f), 400, "invalid_request", "More than one way of client authentication")
	f = cc()
	f.Set("client_id", "bank")
	w.refused(basic("shop", secrets["shop"], f), 401, "invalid_client", "")
	w.must(basic("shop", url.QueryEscape(secrets["shop"]), cc()), 200)

	for _, grant := range []string{"password", "refresh_token", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:device_code"} {
		f := url.Values{"grant_type": {grant}, "username": {"alice"}, "password": {"x"}}
		w.refused(w.form("/oauth2/token", "shop", f), 400, "unsupported_grant_type", "")
	}
	w.refused(w.form("/oauth2/token", "shop", url.Values{}), 400, "invalid_request", "Missing parameter grant_type")
	w.refused(w.form("/oauth2/token", "shop", url.Values{"grant_type": {"client_credentials"}, "scope": {"credential"}}), 400, "invalid_scope", "")
	w.refused(w.form("/oauth2/token", "shop", url.Values{"grant_type": {"client_credentials"}, "scope": {"service credential"}}), 400, "invalid_scope", "")
	w.refused(w.form("/oauth2/token", "small", url.Values{"grant_type": {"authorization_code"}, "code": {"ac_x"}}), 400, "invalid_grant", "")
	w.refused(w.form("/oauth2/token?grant_type=client_credentials", "shop", cc()), 400, "invalid_request", "Parameters belong in the body")
	f = cc()
	f["scope"] = []string{"service", "service"}
	w.refused(w.form("/oauth2/token", "shop", f), 400, "invalid_request", "Parameter scope is there twice")
	if a := w.call("POST", "/oauth2/token", "", `{"grant_type":"client_credentials"}`); a.StatusCode != 415 {
		t.Errorf("JSON at the token endpoint: %d", a.StatusCode)
	}
}

// jwsES256 makes a compact JWS by hand.
func jwsES256(t testing.TB, key *ecdsa.PrivateKey, header, claims map[string]any) string {
	t.Helper()
	enc := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	input := enc(header) + "." + enc(claims)
	h := crypto.SHA256.New()
	h.Write([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, h.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// T12, threats 5.3: client assertions.
func TestClientAssertions(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	pub, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	file := filepath.Join(t.TempDir(), "jwks.json")
	jwks := fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","alg":"ES256","use":"sig","x":%q,"y":%q}]}`, b64(pub[1:33]), b64(pub[33:]))
	if err := os.WriteFile(file, []byte(jwks), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *api.Config) {
		more, err := oauth.LoadClients([]oauth.ClientConfig{{ID: "app", Name: "App", Auth: oauth.AuthPrivateKeyJWT, JWKSFile: file, Scopes: []string{"service"}}})
		if err != nil {
			t.Fatal(err)
		}
		c.Clients = append(c.Clients, more...)
	})
	n := 0
	claims := func(change map[string]any) map[string]any {
		n++
		c := map[string]any{"iss": "app", "sub": "app", "aud": baseURL, "jti": fmt.Sprintf("jti-%d", n), "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
		for k, v := range change {
			if v == nil {
				delete(c, k)
			} else {
				c[k] = v
			}
		}
		return c
	}
	header := map[string]any{"alg": "ES256", "kid": "k1"}
	send := func(assertion string) answer {
		return w.form("/oauth2/token", "", url.Values{"grant_type": {"client_credentials"}, "client_assertion": {assertion},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}})
	}
	good := jwsES256(t, key, header, claims(nil))
	w.must(send(good), 200)
	w.refused(send(good), 400, "invalid_client", "")

	parallel := jwsES256(t, key, header, claims(nil))
	status := make([]int, 8)
	var wg sync.WaitGroup
	for i := range status {
		wg.Go(func() { status[i] = send(parallel).StatusCode })
	}
	wg.Wait()
	won := 0
	for _, s := range status {
		if s == 200 {
			won++
		}
	}
	if won != 1 {
		t.Errorf("one assertion passed %d times", won)
	}

	for name, a := range map[string]string{
		"other key":      jwsES256(t, other, header, claims(nil)),
		"unknown kid":    jwsES256(t, key, map[string]any{"alg": "ES256", "kid": "k2"}, claims(nil)),
		"alg none":       strings.Join(append(strings.Split(jwsES256(t, key, map[string]any{"alg": "none"}, claims(nil)), ".")[:2], ""), "."),
		"alg RS256":      jwsES256(t, key, map[string]any{"alg": "RS256", "kid": "k1"}, claims(nil)),
		"alg HS256":      jwsES256(t, key, map[string]any{"alg": "HS256", "kid": "k1"}, claims(nil)),
		"crit":           jwsES256(t, key, map[string]any{"alg": "ES256", "kid": "k1", "crit": []string{"x"}, "x": 1}, claims(nil)),
		"no exp":         jwsES256(t, key, header, claims(map[string]any{"exp": nil})),
		"expired":        jwsES256(t, key, header, claims(map[string]any{"exp": time.Now().Add(-time.Minute).Unix()})),
		"far exp":        jwsES256(t, key, header, claims(map[string]any{"exp": time.Now().Add(time.Hour).Unix()})),
		"future nbf":     jwsES256(t, key, header, claims(map[string]any{"nbf": time.Now().Add(time.Minute).Unix()})),
		"no jti":         jwsES256(t, key, header, claims(map[string]any{"jti": nil})),
		"long jti":       jwsES256(t, key, header, claims(map[string]any{"jti": strings.Repeat("x", 300)})),
		"token endpoint": jwsES256(t, key, header, claims(map[string]any{"aud": baseURL + "/oauth2/token"})),
		"aud list":       jwsES256(t, key, header, claims(map[string]any{"aud": []string{baseURL, baseURL + "/oauth2/token"}})),
		"other aud":      jwsES256(t, key, header, claims(map[string]any{"aud": "https://evil.example"})),
		"other sub":      jwsES256(t, key, header, claims(map[string]any{"sub": "shop"})),
		"other iss":      jwsES256(t, key, header, claims(map[string]any{"iss": "shop"})),
		"empty":          "..",
		"dots":           strings.Repeat(".", 100_000),
	} {
		t.Run(name, func(t *testing.T) { w.t = t; w.refused(send(a), 400, "invalid_client", "") })
	}
	w.t = t
	w.store.breakWhen(func(_, kind string) bool { return kind == "jti" })
	w.refused(send(jwsES256(t, key, header, claims(nil))), 503, "temporarily_unavailable", "")
}

// RFC 8414: what is said is what is served.
func TestMetadata(t *testing.T) {
	w := newWorld(t)
	var m oauth.Metadata
	w.must(w.call("GET", "/.well-known/oauth-authorization-server", "", nil), 200).json(t, &m)
	if m.Issuer != baseURL || !m.IssuerParameter || len(m.Challenges) != 1 || m.Challenges[0] != "S256" || strings.Join(m.ResponseTypes, " ") != "code" {
		t.Errorf("%+v", m)
	}
	routes := strings.Join(routesOf(t, w.router), "\n")
	for _, r := range []string{"GET " + m.Authorization, "POST " + m.Token, "POST " + m.Pushed, "POST " + m.Revocation} {
		if !strings.Contains(routes, strings.Replace(r, baseURL, "", 1)) {
			t.Errorf("%s is no route", r)
		}
	}
}

// I6: nothing that opens something is stored or logged as it is.
func TestSecretsAreNotStoredOrLogged(t *testing.T) {
	w := newWorld(t)
	h := hashOf("x")
	uri := w.push("shop", ask("shop", w.alice, h))
	b := w.browser("alice")
	back := w.start(b, "shop", uri)
	w.app.approve(t, w.app.only(t).ID)
	code := w.location(b.get(back)).Query().Get("code")
	token := w.must(w.form("/oauth2/token", "shop", exchange("shop", code)), 200).field("access_token")
	w.must(w.call("POST", signHashPath, token, signHashBody(w.alice, h)), 200)
	w.refused(w.form("/oauth2/token", "shop", exchange("shop", code)), 400, "invalid_grant", "")
	for name, s := range map[string]string{"token": token, "code": code, "request_uri": strings.TrimPrefix(uri, "urn:ietf:params:oauth:request_uri:"),
		"session": strings.TrimPrefix(back, "/oauth2/authorize/"), "cookie": b.cookies["assent_authorize"], "secret": secrets["shop"]} {
		if len(s) < 20 {
			t.Fatalf("%s is %q", name, s)
		}
		if strings.Contains(w.log.String(), s) {
			t.Errorf("the log has the %s", name)
		}
		for _, data := range w.store.written() {
			if strings.Contains(data, s) {
				t.Errorf("the database has the %s: %s", name, data)
			}
		}
	}
}
