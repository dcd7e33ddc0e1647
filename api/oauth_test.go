package api_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/api"
	"github.com/assent-sign/assent/api/csc"
	"github.com/assent-sign/assent/api/oauth"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/signapp"
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

func signHashBody(p *person, hashes ...[]byte) map[string]any {
	var list []string
	for _, h := range hashes {
		list = append(list, base64.StdEncoding.EncodeToString(h))
	}
	return map[string]any{"credentialID": csc.CredentialID(p.id, p.cred.Key), "hashes": list, "signAlgo": "1.2.840.10045.4.3.2"}
}

const signHashPath = "/csc/v2/signatures/signHash"

// CSC 13.7 and 13.9 in our form: push, log in, approve, code, token, signHash.
func TestCredentialFlow(t *testing.T) {
	w := newWorld(t)
	h1, h2 := hashOf("one"), hashOf("two")
	uri := w.push("shop", ask("shop", w.alice, h1, h2))
	b := w.browser("")
	login := w.location(b.get(authorizeURL("shop", uri)))
	if login.Path != "/login" {
		t.Fatalf("not sent to log in: %s", login)
	}
	back := login.Query().Get("next")
	b.login("alice")
	if u := w.location(b.get(back)); u.Host != "signing.test" {
		t.Fatalf("not sent to the signing origin: %s", u)
	}
	op := w.app.only(t)
	if op.Signer != "alice" || op.Key != w.alice.cred.Key || op.Client.ID != "shop" || op.Purpose != "Shop & Söhne: Order 17" || len(op.Items) != 2 ||
		string(op.Items[0].Prepared.DTBSR) != string(h1) || string(op.Items[1].Prepared.DTBSR) != string(h2) || op.ReturnURL != baseURL+back {
		t.Fatalf("operation %+v", op)
	}
	// Coming back without having decided gives no code.
	a := b.get(back)
	if a.StatusCode != 200 || !strings.Contains(string(a.body), "Waiting for your approval") || a.Header.Get("Content-Security-Policy") == "" {
		t.Fatalf("undecided: %d %s", a.StatusCode, a.body)
	}
	w.app.approve(t, op.ID)
	u := w.location(b.get(back))
	q := u.Query()
	if u.Host != "shop.example" || q.Get("state") != "st&1" || q.Get("iss") != baseURL || q.Get("code") == "" {
		t.Fatalf("redirect %s", u)
	}
	a = w.must(w.form("/oauth2/token", "shop", exchange("shop", q.Get("code"))), 200)
	if a.field("token_type") != "Bearer" || a.field("credentialID") != csc.CredentialID("alice", w.alice.cred.Key) || a.field("scope") != "credential" || a.field("refresh_token") != "" {
		t.Errorf("token answer %s", a.body)
	}
	a = w.must(w.call("POST", signHashPath, a.field("access_token"), signHashBody(w.alice, h1, h2)), 200)
	var out csc.Signatures
	a.json(t, &out)
	for i, h := range [][]byte{h1, h2} {
		sig, err := base64.StdEncoding.DecodeString(out.Signatures[i])
		if err != nil || algo.Verify(w.alice.key.Public(), algo.ES256, h, sig) != nil {
			t.Errorf("signature %d does not verify: %v", i, err)
		}
	}
}

// The rules of one use: the byte-identical repetition within the retention gets
// the same bytes, also after the token's end; nothing else does.
func TestCredentialTokenWorksOnce(t *testing.T) {
	w := newWorld(t)
	h := hashOf("one")
	token := w.credentialToken("shop", w.alice, h)
	body := signHashBody(w.alice, h)
	first := w.must(w.call("POST", signHashPath, token, body), 200)
	if again := w.must(w.call("POST", signHashPath, token, body), 200); string(again.body) != string(first.body) {
		t.Error("the repetition differs")
	}
	other := signHashBody(w.alice, h)
	other["clientData"] = "x"
	w.refused(w.call("POST", signHashPath, token, other), 400, "invalid_request", "Invalid parameter SAD")
	w.clock.Advance(6 * time.Minute) // the token is over, the retention is not
	w.must(w.call("POST", signHashPath, token, body), 200)
	w.refused(w.call("POST", signHashPath, token, other), 400, "invalid_request", "Invalid parameter SAD")
	w.clock.Advance(5 * time.Minute)
	w.refused(w.call("POST", signHashPath, token, body), 400, "invalid_request", "Invalid parameter SAD")

	w = newWorld(t)
	unused := w.credentialToken("shop", w.alice, h)
	w.clock.Advance(6 * time.Minute)
	w.refused(w.call("POST", signHashPath, unused, signHashBody(w.alice, h)), 401, "expired_token", "")
	b := signHashBody(w.alice, h)
	b["SAD"] = unused
	w.refused(w.call("POST", signHashPath, w.serviceToken("shop"), b), 400, "invalid_request", "SAD expired")
}

// T13: any other list of digests is refused, and the refusal does not use the
// token up.
func TestChangedHashesAreRefused(t *testing.T) {
	w := newWorld(t)
	h1, h2, h3 := hashOf("1"), hashOf("2"), hashOf("3")
	token := w.credentialToken("shop", w.alice, h1, h2)
	flipped := append([]byte(nil), h1...)
	flipped[31] ^= 1
	for name, list := range map[string][][]byte{"changed": {flipped, h2}, "added": {h1, h2, h3}, "reordered": {h2, h1}, "left out": {h1}, "repeated": {h1, h1}, "doubled": {h1, h2, h1, h2}} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.refused(w.call("POST", signHashPath, token, signHashBody(w.alice, list...)), 400, "invalid_request", "Hash is not authorized by the SAD")
		})
	}
	w.t = t
	w.must(w.call("POST", signHashPath, token, signHashBody(w.alice, h1, h2)), 200)
}

// csc.md 9.2 for signHash; T14, T15, T16.
func TestSignHashRefusals(t *testing.T) {
	w := newWorld(t)
	h := hashOf("one")
	token, service, bank := w.credentialToken("shop", w.alice, h), w.serviceToken("shop"), w.serviceToken("bank")
	with := func(change map[string]any) map[string]any {
		b := signHashBody(w.alice, h)
		for k, v := range change {
			if v == nil {
				delete(b, k)
			} else {
				b[k] = v
			}
		}
		return b
	}
	bad := func(text string) func(answer) { return func(a answer) { w.refused(a, 400, "invalid_request", text) } }
	for name, c := range map[string]struct {
		token string
		body  any
		check func(answer)
	}{
		"service token alone":    {service, with(nil), bad("Missing (or invalid type) string parameter SAD")},
		"service token as SAD":   {service, with(map[string]any{"SAD": service}), bad("Invalid parameter SAD")},
		"garbage SAD":            {service, with(map[string]any{"SAD": "x"}), bad("Invalid parameter SAD")},
		"SAD wrong type":         {service, with(map[string]any{"SAD": 1}), bad("Missing (or invalid type) string parameter SAD")},
		"SAD of other client":    {bank, with(map[string]any{"SAD": token}), bad("Invalid parameter SAD")},
		"two tokens":             {token, with(map[string]any{"SAD": service}), bad("Invalid parameter SAD")},
		"no token":               {"", with(nil), bad("Malformed authorization header")},
		"unknown token":          {"at_" + strings.Repeat("A", 43), with(nil), func(a answer) { w.refused(a, 401, "invalid_token", "") }},
		"no credentialID":        {token, with(map[string]any{"credentialID": nil}), bad("Missing (or invalid type) string parameter credentialID")},
		"credentialID type":      {token, with(map[string]any{"credentialID": 7}), bad("Missing (or invalid type) string parameter credentialID")},
		"other credential":       {token, with(map[string]any{"credentialID": csc.CredentialID("bob", w.bob.cred.Key)}), bad("Invalid parameter credentialID")},
		"no hashes":              {token, with(map[string]any{"hashes": nil}), bad("Missing (or invalid type) array parameter hash")},
		"hashes a string":        {token, with(map[string]any{"hashes": "x"}), bad("Missing (or invalid type) array parameter hash")},
		"empty hashes":           {token, with(map[string]any{"hashes": []string{}}), bad("Empty hash array")},
		"not Base64":             {token, with(map[string]any{"hashes": []string{"%%%"}}), bad("Invalid Base64 hash string parameter")},
		"short digest":           {token, with(map[string]any{"hashes": []string{"AAAA"}}), bad("Invalid digest value length")},
		"no signAlgo":            {token, with(map[string]any{"signAlgo": nil}), bad("Missing (or invalid type) string parameter signAlgo")},
		"SHA-1":                  {token, with(map[string]any{"signAlgo": "1.2.840.10045.4.1"}), bad("Invalid parameter signAlgo")},
		"SHA-1 digest":           {token, with(map[string]any{"hashAlgorithmOID": "1.3.14.3.2.26"}), bad("Invalid parameter hashAlgorithmOID")},
		"other key's algorithm":  {token, with(map[string]any{"signAlgo": "1.2.840.113549.1.1.11"}), bad("Invalid parameter signAlgo")},
		"contradicting digest":   {token, with(map[string]any{"hashAlgorithmOID": csc.OIDSHA384}), bad("String parameter hashAlgorithmOID contradicts with signAlgo parameter")},
		"bare key, no digest":    {token, with(map[string]any{"signAlgo": csc.OIDRSA}), bad("Missing (or invalid type) string parameter hashAlgorithmOID")},
		"raw RSA":                {token, with(map[string]any{"signAlgo": csc.OIDRSA, "hashAlgorithmOID": csc.OIDSHA256}), bad("Invalid parameter signAlgo")},
		"operationMode":          {token, with(map[string]any{"operationMode": "X"}), bad("Invalid parameter operationMode")},
		"response_uri":           {token, with(map[string]any{"operationMode": "A", "response_uri": "http://169.254.169.254/"}), bad("Invalid parameter response_uri")},
		"too many":               {token, with(map[string]any{"hashes": make([]string, 101)}), bad("Numbers of signatures is too high")},
		"not JSON":               {token, "hello", func(a answer) { w.refused(a, 400, "invalid_request", "") }},
		"array":                  {token, "[]", func(a answer) { w.refused(a, 400, "invalid_request", "") }},
		"duplicate member":       {token, `{"hashes":["` + base64.StdEncoding.EncodeToString(h) + `"],"hashes":[]}`, func(a answer) { w.refused(a, 400, "invalid_request", "") }},
		"PSS params not of ours": {token, with(map[string]any{"signAlgo": csc.OIDPSS, "signAlgoParams": "MAA="}), bad("Invalid parameter signAlgoParams")},
	} {
		t.Run(name, func(t *testing.T) { w.t = t; c.check(w.call("POST", signHashPath, c.token, c.body)) })
	}
	w.t = t
	w.refused(w.call("POST", signHashPath, token, with(nil), "Content-Type", "text/plain"), 400, "invalid_request", "")
	// All that did not use it up. SAD next to a service token is the other form,
	// v1 names, unpadded URL-safe Base64, null and unknown members are accepted.
	b := map[string]any{"credentialID": csc.CredentialID("alice", w.alice.cred.Key), "SAD": token, "hash": []string{base64.RawURLEncoding.EncodeToString(h)},
		"hashAlgo": csc.OIDSHA256, "signAlgo": csc.OIDEC, "signAlgoParams": nil, "operationMode": "S", "validity_period": -1, "client_data": map[string]any{"x": 1}}
	w.must(w.call("POST", signHashPath, service, b), 200)
}

// A credential token opens nothing but signHash.
func TestCredentialTokenOpensNothingElse(t *testing.T) {
	w := newWorld(t)
	token := w.credentialToken("shop", w.alice, hashOf("x"))
	for _, path := range []string{"/csc/v2/credentials/list", "/csc/v2/credentials/info", "/csc/v2/signatures/signDoc", "/csc/v2/signatures/signPolling"} {
		w.refused(w.call("POST", path, token, "{}"), 403, "access_denied", "")
	}
	w.problem(w.call("GET", "/api/v1/credentials?signer=alice", token, nil), 403, "insufficient_scope")
	w.problem(w.call("POST", "/api/v1/operations", token, "{}"), 403, "insufficient_scope")
}

// The signer's no, and every other end without an approval, is access_denied.
func TestDeclinedIsAccessDenied(t *testing.T) {
	for _, s := range []signapp.State{signapp.StateDeclined, signapp.StateCancelled, signapp.StateExpired, signapp.StateFailed} {
		w := newWorld(t)
		b := w.browser("alice")
		back := w.start(b, "shop", w.push("shop", ask("shop", w.alice, hashOf("x"))))
		w.app.end(w.app.only(t).ID, s)
		u := w.location(b.get(back))
		if u.Query().Get("error") != "access_denied" || u.Query().Get("code") != "" || u.Query().Get("iss") != baseURL || u.Query().Get("state") != "st&1" {
			t.Errorf("%s: %s", s, u)
		}
		// The session is over: nothing more can come of it.
		w.app.approve(t, w.app.only(t).ID)
		if a := b.get(back); a.StatusCode != 400 || a.Header.Get("Location") != "" {
			t.Errorf("%s: an ended session went on: %d %s", s, a.StatusCode, a.Header.Get("Location"))
		}
	}
}

// threats 5.3: code.
func TestCodeNegatives(t *testing.T) {
	w := newWorld(t)
	h := hashOf("x")
	newCode := func() string { return w.code("shop", w.alice, ask("shop", w.alice, h)) }

	t.Run("reuse revokes the token", func(t *testing.T) {
		code := newCode()
		token := w.must(w.form("/oauth2/token", "shop", exchange("shop", code)), 200).field("access_token")
		w.refused(w.form("/oauth2/token", "shop", exchange("shop", code)), 400, "invalid_grant", "")
		w.refused(w.call("POST", signHashPath, token, signHashBody(w.alice, h)), 401, "invalid_token", "")
		w.refused(w.form("/oauth2/token", "shop", exchange("shop", code)), 400, "invalid_grant", "")
	})
	t.Run("two at once", func(t *testing.T) {
		code := newCode()
		status := make([]int, 8)
		var wg sync.WaitGroup
		for i := range status {
			wg.Go(func() { status[i] = w.form("/oauth2/token", "shop", exchange("shop", code)).StatusCode })
		}
		wg.Wait()
		won := 0
		for _, s := range status {
			if s == 200 {
				won++
			}
		}
		if won > 1 {
			t.Errorf("a code was redeemed %d times: %v", won, status)
		}
	})
	for name, change := range map[string]func(url.Values){
		"wrong verifier": func(f url.Values) { f.Set("code_verifier", verifier+"x") },
		"no verifier":    func(f url.Values) { f.Del("code_verifier") },
		"challenge sent": func(f url.Values) { f.Set("code_verifier", challenge()) },
		"wrong redirect": func(f url.Values) { f.Set("redirect_uri", "https://shop.example/cb/") },
		"no redirect":    func(f url.Values) { f.Del("redirect_uri") },
		"wrong code":     func(f url.Values) { f.Set("code", "ac_"+strings.Repeat("A", 43)) },
		"odd code":       func(f url.Values) { f.Set("code", "x") },
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			code := newCode()
			f := exchange("shop", code)
			change(f)
			w.refused(w.form("/oauth2/token", "shop", f), 400, "invalid_grant", "")
			if f.Get("code") == code {
				// A failed redemption ends the code.
				w.refused(w.form("/oauth2/token", "shop", exchange("shop", code)), 400, "invalid_grant", "")
			}
		})
	}
	t.Run("other client", func(t *testing.T) {
		w.t = t
		f := exchange("shop", newCode())
		w.refused(w.form("/oauth2/token", "bank", f), 400, "invalid_grant", "")
	})
	t.Run("wider scope", func(t *testing.T) {
		w.t = t
		f := exchange("shop", newCode())
		f.Set("scope", "credential service")
		w.refused(w.form("/oauth2/token", "shop", f), 400, "invalid_scope", "")
	})
	t.Run("details that were not granted", func(t *testing.T) {
		w.t = t
		f := exchange("shop", newCode())
		f.Set("authorization_details", details(w.alice, h))
		w.refused(w.form("/oauth2/token", "shop", f), 400, "invalid_authorization_details", "")
	})
}

func details(p *person, hashes ...[]byte) string {
	var dd []any
	for i, h := range hashes {
		dd = append(dd, map[string]any{"hash": base64.StdEncoding.EncodeToString(h), "label": fmt.Sprintf("file %d.pdf", i), "hashType": "DTBSR"})
	}
	b, _ := json.Marshal([]any{map[string]any{"type": csc.DetailCredential2025, "credentialID": csc.CredentialID(p.id, p.cred.Key),
		"numSignatures": len(hashes), "documentDigests": dd, "hashAlgorithmOID": csc.OIDSHA256, "locations": []any{}}})
	return string(b)
}

// RFC 9396 with CSC's type, as the wallets send it.
func TestRichAuthorizationRequest(t *testing.T) {
	w := newWorld(t)
	h := hashOf("x")
	f := ask("shop", w.alice, h)
	for _, n := range []string{"credentialID", "numSignatures", "hashes", "hashAlgorithmOID", "scope"} {
		f.Del(n)
	}
	f.Set("authorization_details", details(w.alice, h))
	code := w.code("shop", w.alice, f)
	if name := w.app.only(t).Items[0].Name; name != "file 0.pdf" {
		t.Errorf("the signer sees %q", name)
	}
	e := exchange("shop", code)
	e.Set("authorization_details", details(w.alice, hashOf("y")))
	w.refused(w.form("/oauth2/token", "shop", e), 400, "invalid_authorization_details", "")

	code = w.code("shop", w.alice, f)
	e = exchange("shop", code)
	e.Set("authorization_details", strings.ReplaceAll(details(w.alice, h), "=", "")) // decoded bytes count
	a := w.must(w.form("/oauth2/token", "shop", e), 200)
	if !strings.Contains(string(a.body), `"hashType":"DTBSR"`) {
		t.Errorf("details are not echoed as they came: %s", a.body)
	}
	w.must(w.call("POST", signHashPath, a.field("access_token"), signHashBody(w.alice, h)), 200)

	for name, bad := range map[string]string{
		"not JSON":         "{",
		"no array":         "{}",
		"two entries":      strings.Replace(details(w.alice, h)+",", "],", ","+details(w.alice, h)[1:], 1),
		"other type":       strings.Replace(details(w.alice, h), csc.DetailCredential2025, "payment", 1),
		"no digests":       details(w.alice),
		"document digests": strings.Replace(details(w.alice, h), "DTBSR", "sdr", 1),
		"more signatures":  strings.Replace(details(w.alice, h), `"numSignatures":1`, `"numSignatures":2`, 1),
		"zero signatures":  strings.Replace(details(w.alice, h), `"numSignatures":1`, `"numSignatures":0`, 1),
		"duplicate member": strings.Replace(details(w.alice, h), `"numSignatures":1`, `"numSignatures":1,"numSignatures":1`, 1),
		"label":            strings.Replace(details(w.alice, h), "file 0.pdf", "fdp.\u202ecod", 1),
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			f.Set("authorization_details", bad)
			w.refused(w.form("/oauth2/pushed_authorize", "shop", f), 400, "invalid_authorization_details", "")
		})
	}
}

// threats 5.3: PAR.
func TestPushedNegatives(t *testing.T) {
	w := newWorld(t)
	h := hashOf("x")
	t.Run("reuse", func(t *testing.T) {
		w.t = t
		uri := w.push("shop", ask("shop", w.alice, h))
		b := w.browser("")
		w.location(b.get(authorizeURL("shop", uri)))
		for range 2 {
			if a := b.get(authorizeURL("shop", uri)); a.StatusCode != 400 || a.Header.Get("Location") != "" {
				t.Errorf("used again: %d %s", a.StatusCode, a.Header.Get("Location"))
			}
		}
	})
	t.Run("other client does not burn it", func(t *testing.T) {
		w.t = t
		uri := w.push("shop", ask("shop", w.alice, h))
		b := w.browser("")
		if a := b.get(authorizeURL("bank", uri)); a.StatusCode != 400 {
			t.Errorf("other client: %d", a.StatusCode)
		}
		w.location(b.get(authorizeURL("shop", uri)))
	})
	t.Run("expiry", func(t *testing.T) {
		w := newWorld(t)
		uri := w.push("shop", ask("shop", w.alice, h))
		w.clock.Advance(91 * time.Second)
		if a := w.browser("").get(authorizeURL("shop", uri)); a.StatusCode != 400 {
			t.Errorf("expired: %d", a.StatusCode)
		}
	})
	t.Run("parameters beside it do not count", func(t *testing.T) {
		w.t = t
		w.app.mu.Lock()
		clear(w.app.ops)
		w.app.mu.Unlock()
		uri := w.push("shop", ask("shop", w.alice, h))
		b := w.browser("alice")
		w.location(b.get(authorizeURL("shop", uri) + "&state=evil&scope=service&credentialID=x"))
		back := strings.TrimPrefix(w.app.only(t).ReturnURL, baseURL)
		w.app.approve(t, w.app.only(t).ID)
		if q := w.location(b.get(back)).Query(); q.Get("state") != "st&1" {
			t.Errorf("state %q", q.Get("state"))
		}
	})
	if a := w.call("GET", "/oauth2/pushed_authorize", "", nil); a.StatusCode != 405 {
		t.Errorf("GET: %d", a.StatusCode)
	}
	type bad struct {
		change func(url.Values)
		status int
		code   string
		text   string
	}
	for name, c := range map[string]bad{
		"request_uri inside":   {func(f url.Values) { f.Set("request_uri", "urn:ietf:params:oauth:request_uri:x") }, 400, "invalid_request", ""},
		"request object":       {func(f url.Values) { f.Set("request", "e30.e30.") }, 400, "invalid_request", ""},
		"duplicate":            {func(f url.Values) { f.Add("state", "2") }, 400, "invalid_request", "Parameter state is there twice"},
		"redirect":             {func(f url.Values) { f.Set("redirect_uri", "https://shop.example/cb?x=1") }, 400, "invalid_request", ""},
		"redirect escaped":     {func(f url.Values) { f.Set("redirect_uri", "https://shop.example/%63b") }, 400, "invalid_request", ""},
		"redirect of other":    {func(f url.Values) { f.Set("redirect_uri", redirects["bank"]) }, 400, "invalid_request", ""},
		"no redirect":          {func(f url.Values) { f.Del("redirect_uri") }, 400, "invalid_request", ""},
		"implicit":             {func(f url.Values) { f.Set("response_type", "token") }, 400, "unsupported_response_type", ""},
		"hybrid":               {func(f url.Values) { f.Set("response_type", "code id_token") }, 400, "unsupported_response_type", ""},
		"fragment":             {func(f url.Values) { f.Set("response_mode", "fragment") }, 400, "invalid_request", ""},
		"plain":                {func(f url.Values) { f.Set("code_challenge_method", "plain") }, 400, "invalid_request", ""},
		"plain by default":     {func(f url.Values) { f.Del("code_challenge_method") }, 400, "invalid_request", ""},
		"no challenge":         {func(f url.Values) { f.Del("code_challenge"); f.Del("code_challenge_method") }, 400, "invalid_request", ""},
		"short challenge":      {func(f url.Values) { f.Set("code_challenge", "abc") }, 400, "invalid_request", ""},
		"unknown scope":        {func(f url.Values) { f.Set("scope", "openid") }, 400, "invalid_scope", ""},
		"account_token":        {func(f url.Values) { f.Set("account_token", "x") }, 400, "invalid_request", ""},
		"signatureQualifier":   {func(f url.Values) { f.Set("signatureQualifier", "eu_eidas_qes") }, 400, "invalid_request", ""},
		"no credential":        {func(f url.Values) { f.Del("credentialID") }, 400, "invalid_request", "Missing (or invalid type) string parameter credentialID"},
		"no hashes":            {func(f url.Values) { f.Del("hashes") }, 400, "invalid_request", "Missing (or invalid type) string parameter hashes"},
		"no hash algorithm":    {func(f url.Values) { f.Del("hashAlgorithmOID") }, 400, "invalid_request", "Missing (or invalid type) string parameter hashAlgorithmOID"},
		"SHA-1":                {func(f url.Values) { f.Set("hashAlgorithmOID", "1.3.14.3.2.26") }, 400, "invalid_request", "Invalid parameter hashAlgorithmOID"},
		"hash length":          {func(f url.Values) { f.Set("hashAlgorithmOID", csc.OIDSHA384) }, 400, "invalid_request", "Invalid digest value length"},
		"not Base64":           {func(f url.Values) { f.Set("hashes", "%%%") }, 400, "invalid_request", "Invalid Base64 hash string parameter"},
		"zero signatures":      {func(f url.Values) { f.Set("numSignatures", "0") }, 400, "invalid_request", "Invalid value for parameter numSignatures"},
		"negative":             {func(f url.Values) { f.Set("numSignatures", "-1") }, 400, "invalid_request", "Invalid value for parameter numSignatures"},
		"fraction":             {func(f url.Values) { f.Set("numSignatures", "1.5") }, 400, "invalid_request", "Missing (or invalid type) integer parameter numSignatures"},
		"more than hashes":     {func(f url.Values) { f.Set("numSignatures", "2") }, 400, "invalid_request", ""},
		"over multisign":       {func(f url.Values) { f.Set("hashes", strings.Repeat(f.Get("hashes")+",", 101)); f.Del("numSignatures") }, 400, "invalid_request", "Numbers of signatures is too high"},
		"far over multisign":   {func(f url.Values) { f.Set("hashes", strings.Repeat("A,", 20_000)) }, 400, "invalid_request", "Numbers of signatures is too high"},
		"too large":            {func(f url.Values) { f.Set("clientData", strings.Repeat("x", 200_000)) }, 413, "invalid_request", ""},
		"description controls": {func(f url.Values) { f.Set("description", "a\nb") }, 400, "invalid_request", "Invalid parameter description"},
		"long description":     {func(f url.Values) { f.Set("description", strings.Repeat("x", 501)) }, 400, "invalid_request", "Invalid parameter description"},
		"long state":           {func(f url.Values) { f.Set("state", strings.Repeat("x", 4000)) }, 400, "invalid_request", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			f := ask("shop", w.alice, h)
			c.change(f)
			w.refused(w.form("/oauth2/pushed_authorize", "shop", f), c.status, c.code, c.text)
		})
	}
	w.t = t
	w.refused(w.form("/oauth2/pushed_authorize", "small", ask("shop", w.alice, h)), 401, "invalid_client", "")
}

// Credentials that do not fit are refused before a signer is asked; somebody
// else's looks like an unknown one.
func TestCredentialThatDoesNotFit(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*world, url.Values)
		text   string
	}{
		"other signer's": {func(w *world, f url.Values) { f.Set("credentialID", csc.CredentialID("bob", w.bob.cred.Key)) }, "Invalid parameter credentialID"},
		"unknown":        {func(_ *world, f url.Values) { f.Set("credentialID", "alice/none") }, "Invalid parameter credentialID"},
		"foreign key":    {func(w *world, f url.Values) { f.Set("credentialID", csc.CredentialID("alice", w.bob.cred.Key)) }, "Invalid parameter credentialID"},
		"no slash":       {func(w *world, f url.Values) { f.Set("credentialID", w.alice.cred.Key) }, "Invalid parameter credentialID"},
		"suspended":      {func(w *world, _ url.Values) { w.alice.cred.State = "suspended" }, "The credential identified by credentialID is disabled"},
		"no raw":         {func(w *world, _ url.Values) { w.alice.cred.Raw = false }, "The credential identified by credentialID does not sign digests of unseen content"},
		"expired": {func(w *world, _ url.Values) {
			w.alice.cred.Chain = newPerson(w.t, "alice", time.Now().Add(-366*24*time.Hour)).cred.Chain
		}, "Signing certificate is expired"},
		"algorithm": {func(_ *world, f url.Values) { f.Set("signAlgo", "1.2.840.113549.1.1.11") }, "Invalid parameter signAlgo"},
		"digest": {func(_ *world, f url.Values) {
			f.Set("hashAlgorithmOID", csc.OIDSHA512)
			f.Set("hashes", base64.RawURLEncoding.EncodeToString(make([]byte, 64)))
		}, "Invalid parameter hashAlgorithmOID"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			f := ask("shop", w.alice, hashOf("x"))
			c.change(w, f)
			u := w.location(w.browser("alice").get(authorizeURL("shop", w.push("shop", f))))
			if u.Query().Get("error") != "invalid_request" || u.Query().Get("error_description") != c.text || w.app.creates != 0 {
				t.Errorf("%s, %d operations", u, w.app.creates)
			}
		})
	}
}

// Without PAR there is no scope credential; service works without.
func TestAuthorizeWithoutPAR(t *testing.T) {
	w := newWorld(t)
	f := ask("shop", w.alice, hashOf("x"))
	u := w.location(w.browser("alice").get("/oauth2/authorize?" + f.Encode()))
	if u.Query().Get("error") != "invalid_request" || u.Query().Get("iss") != baseURL {
		t.Errorf("credential without PAR: %s", u)
	}
	f = url.Values{"client_id": {"shop"}, "response_type": {"code"}, "redirect_uri": {redirects["shop"]}, "scope": {"service"}, "state": {"s"},
		"code_challenge": {challenge()}, "code_challenge_method": {"S256"}}
	u = w.location(w.browser("alice").get("/csc/v2/oauth2/authorize?" + f.Encode()))
	token := w.must(w.form("/csc/v2/oauth2/token", "shop", exchange("shop", u.Query().Get("code"))), 200).field("access_token")

	// It stands for alice: her credentials without userID, nobody else's.
	var list csc.List
	w.must(w.call("POST", "/csc/v2/credentials/list", token, "{}"), 200).json(t, &list)
	if len(list.CredentialIDs) != 1 || list.CredentialIDs[0] != csc.CredentialID("alice", w.alice.cred.Key) {
		t.Errorf("list %+v", list)
	}
	w.refused(w.call("POST", "/csc/v2/credentials/list", token, `{"userID":"bob"}`), 400, "invalid_request", "userID parameter MUST be null")
	w.refused(w.call("POST", "/csc/v2/credentials/info", token, map[string]any{"credentialID": csc.CredentialID("bob", w.bob.cred.Key)}), 400, "invalid_request", "Invalid parameter credentialID")
	w.problem(w.call("GET", "/api/v1/credentials?signer=bob", token, nil), 403, "not_allowed")

	// Errors that must not be redirected are pages.
	for name, change := range map[string]func(url.Values){
		"unknown client":  func(f url.Values) { f.Set("client_id", "nobody") },
		"no client":       func(f url.Values) { f.Del("client_id") },
		"redirect":        func(f url.Values) { f.Set("redirect_uri", "https://evil.example/") },
		"no redirect":     func(f url.Values) { f.Del("redirect_uri") },
		"twice":           func(f url.Values) { f.Add("client_id", "shop") },
		"redirect twice":  func(f url.Values) { f.Add("redirect_uri", "https://evil.example/") },
		"request object":  func(f url.Values) { f.Set("request", "e30.e30.") },
		"foreign request": func(f url.Values) { f.Set("request_uri", "https://evil.example/request") },
	} {
		g := url.Values{}
		for k, v := range f {
			g[k] = append([]string(nil), v...)
		}
		change(g)
		a := w.browser("alice").get("/oauth2/authorize?" + g.Encode())
		if a.Header.Get("Location") != "" || a.StatusCode < 400 || !strings.Contains(a.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: %d, Location %q", name, a.StatusCode, a.Header.Get("Location"))
		}
		if strings.Contains(string(a.body), "evil") {
			t.Errorf("%s: the page repeats input", name)
		}
	}
	for name, change := range map[string]func(url.Values){
		"no challenge":  func(f url.Values) { f.Del("code_challenge"); f.Del("code_challenge_method") },
		"both scopes":   func(f url.Values) { f.Set("scope", "service credential") },
		"unknown scope": func(f url.Values) { f.Set("scope", "openid") },
		"implicit":      func(f url.Values) { f.Set("response_type", "token") },
		"login needed":  func(f url.Values) { f.Set("prompt", "none") },
	} {
		g := url.Values{}
		for k, v := range f {
			g[k] = append([]string(nil), v...)
		}
		change(g)
		signer := "alice"
		if name == "login needed" {
			signer = ""
		}
		u := w.location(w.browser(signer).get("/oauth2/authorize?" + g.Encode()))
		if u.Fragment != "" { // errors of implicit requests go there
			u.RawQuery = u.Fragment
		}
		if u.Query().Get("error") == "" || u.Query().Get("code") != "" || u.Host != "shop.example" {
			t.Errorf("%s: %s", name, u)
		}
	}
	// prompt=login shows the login page although somebody is logged in.
	f.Set("prompt", "login")
	if u := w.location(w.browser("alice").get("/oauth2/authorize?" + f.Encode())); u.Path != "/login" {
		t.Errorf("prompt=login: %s", u)
	}
}

// T8: a session belongs to the browser that began it and to the signer who
// logged in to it.
func TestSessionIsBoundToBrowserAndSigner(t *testing.T) {
	w := newWorld(t)
	attacker := w.browser("")
	u := w.location(attacker.get(authorizeURL("shop", w.push("shop", ask("shop", w.alice, hashOf("x"))))))
	back := u.Query().Get("next")
	victim := w.browser("alice")
	if a := victim.get(back); a.StatusCode != 403 || a.Header.Get("Location") != "" || w.app.creates != 0 {
		t.Errorf("victim was led into the attacker's session: %d, %d operations", a.StatusCode, w.app.creates)
	}

	b := w.browser("alice")
	back = w.start(b, "shop", w.push("shop", ask("shop", w.alice, hashOf("x"))))
	w.app.approve(t, w.app.only(t).ID)
	if a := attacker.get(back); a.StatusCode != 403 {
		t.Errorf("another browser got alice's result: %d", a.StatusCode)
	}
	b.login("bob")
	if u := w.location(b.get(back)); u.Query().Get("error") != "access_denied" || u.Query().Get("code") != "" {
		t.Errorf("bob got alice's result: %s", u)
	}
}

// Two windows that come back at once get one code between them.
func TestTwoWindowsGetOneCode(t *testing.T) {
	w := newWorld(t)
	b := w.browser("alice")
	back := w.start(b, "shop", w.push("shop", ask("shop", w.alice, hashOf("x"))))
	w.app.approve(t, w.app.only(t).ID)
	codes := make([]string, 8)
	var wg sync.WaitGroup
	for i := range codes {
		c := &browser{w: w, cookies: map[string]string{}}
		for k, v := range b.cookies {
			c.cookies[k] = v
		}
		wg.Go(func() {
			if u, err := url.Parse(c.get(back).Header.Get("Location")); err == nil {
				codes[i] = u.Query().Get("code")
			}
		})
	}
	wg.Wait()
	n := 0
	for _, c := range codes {
		if c != "" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d codes, want 1", n)
	}
}

// signHash over a prepared operation: the signer sees documents, no permission
// for bare digests is needed, and the digests are the operation's.
func TestPreparedOperation(t *testing.T) {
	w := newWorld(t)
	w.alice.cred.Raw = false
	service := w.serviceToken("shop")
	opID := w.operation(service, w.upload(service))
	f := ask("shop", w.alice)
	for _, n := range []string{"numSignatures", "hashes", "hashAlgorithmOID", "credentialID"} {
		f.Del(n)
	}
	f.Set("operation", opID)
	b := w.browser("alice")
	a := b.get(authorizeURL("shop", w.push("shop", f)))
	if a.StatusCode != 200 || !strings.Contains(string(a.body), "Waiting for your approval") {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	i := strings.Index(string(a.body), "/oauth2/authorize/as_")
	back := string(a.body[i : i+len("/oauth2/authorize/as_")+43])
	if u := w.location(b.get(back + "?open=1")); u.Host != "signing.test" {
		t.Errorf("open: %s", u)
	}
	w.app.approve(t, opID)
	u := w.location(b.get(back))
	token := w.must(w.form("/oauth2/token", "shop", exchange("shop", u.Query().Get("code"))), 200).field("access_token")
	w.refused(w.call("POST", signHashPath, token, signHashBody(w.alice, hashOf("x"))), 400, "invalid_request", "Hash is not authorized by the SAD")
	w.must(w.call("POST", signHashPath, token, signHashBody(w.alice, w.app.only(t).Items[0].Prepared.DTBSR)), 200)

	// Another client's operation, and another signer's login, get nothing.
	f.Set("client_id", "bank")
	f.Set("redirect_uri", redirects["bank"])
	if u := w.location(w.browser("alice").get(authorizeURL("bank", w.push("bank", f)))); u.Query().Get("error_description") != "Invalid parameter operation" {
		t.Errorf("foreign operation: %s", u)
	}
	f = ask("shop", w.bob)
	for _, n := range []string{"numSignatures", "hashes", "hashAlgorithmOID", "credentialID"} {
		f.Del(n)
	}
	f.Set("operation", w.operation(service, w.upload(service)))
	if u := w.location(w.browser("bob").get(authorizeURL("shop", w.push("shop", f)))); u.Query().Get("error_description") != "Invalid parameter operation" {
		t.Errorf("other signer: %s", u)
	}
}

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

// A storage error at any point is never a success, and never leaves a token.
func TestStorageErrorsAreNeverASuccess(t *testing.T) {
	for _, kind := range []string{"session", "par", "grant", "code", "token"} {
		for _, op := range []string{"get", "insert", "swap"} {
			t.Run(op+" "+kind, func(t *testing.T) {
				w := newWorld(t)
				h := hashOf("x")
				hit := false
				arm := func() {
					w.store.breakWhen(func(o, k string) bool {
						if o == op && k == kind {
							hit = true
						}
						return o == op && k == kind
					})
				}
				arm()
				if a := w.form("/oauth2/token", "shop", url.Values{"grant_type": {"client_credentials"}}); hit && a.StatusCode != 503 || !hit && a.StatusCode != 200 {
					t.Errorf("token: %d with hit=%v", a.StatusCode, hit)
				}
				if hit {
					return
				}
				a := w.form("/oauth2/pushed_authorize", "shop", ask("shop", w.alice, h))
				if hit {
					w.refused(a, 503, "temporarily_unavailable", "")
					return
				}
				b := w.browser("alice")
				a = b.get(authorizeURL("shop", a.field("request_uri")))
				if hit {
					if a.StatusCode != 503 || a.Header.Get("Location") != "" {
						t.Errorf("authorize: %d %s", a.StatusCode, a.Header.Get("Location"))
					}
					return
				}
				back := strings.TrimPrefix(w.app.only(t).ReturnURL, baseURL)
				w.app.approve(t, w.app.only(t).ID)
				a = b.get(back)
				if hit {
					if a.StatusCode != 503 || a.Header.Get("Location") != "" {
						t.Errorf("return: %d %s", a.StatusCode, a.Header.Get("Location"))
					}
					return
				}
				a = w.form("/oauth2/token", "shop", exchange("shop", w.location(a).Query().Get("code")))
				if hit {
					w.refused(a, 503, "temporarily_unavailable", "")
					return
				}
				a = w.call("POST", signHashPath, a.field("access_token"), signHashBody(w.alice, h))
				if hit {
					w.refused(a, 503, "temporarily_unavailable", "")
					return
				}
				if op != "swap" || kind == "session" || kind == "token" || kind == "par" || kind == "grant" {
					t.Errorf("%s of %s never happens: the test proves nothing", op, kind)
				}
			})
		}
	}
}

// RFC 7009.
func TestRevocation(t *testing.T) {
	w := newWorld(t)
	token := w.serviceToken("shop")
	list := func() answer { return w.call("POST", "/csc/v2/credentials/list", token, `{"userID":"alice"}`) }
	w.must(list(), 200)
	if a := w.form("/oauth2/revoke", "bank", url.Values{"token": {token}}); a.StatusCode == 200 {
		t.Error("another client's revocation was accepted")
	}
	w.must(list(), 200)
	if a := w.must(w.form("/csc/v2/oauth2/revoke", "shop", url.Values{"token": {token}, "token_type_hint": {"access_token"}}), 204); len(a.body) != 0 {
		t.Errorf("body %q", a.body)
	}
	w.refused(list(), 401, "invalid_token", "")
	w.must(w.form("/oauth2/revoke", "shop", url.Values{"token": {token}}), 200)
	w.must(w.form("/oauth2/revoke", "shop", url.Values{"token": {"at_" + strings.Repeat("A", 43)}}), 200)
	w.refused(w.form("/oauth2/revoke", "shop", url.Values{}), 400, "invalid_request", "")
	w.refused(w.form("/oauth2/revoke", "", url.Values{"token": {token}}), 400, "invalid_client", "")

	credential := w.credentialToken("shop", w.alice, hashOf("x"))
	w.must(w.form("/oauth2/revoke", "shop", url.Values{"token": {credential}}), 200)
	w.refused(w.call("POST", signHashPath, credential, signHashBody(w.alice, hashOf("x"))), 401, "invalid_token", "")
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
