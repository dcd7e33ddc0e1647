package api_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/assent-sign/assent/api"
	"github.com/assent-sign/assent/api/csc"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/signapp"
)

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

// The cookie that binds a session to its browser, behind TLS: only this host
// can set it, only TLS carries it.
func TestCookieBehindTLS(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.BaseURL = "https://app.test" })
	a := w.browser("").get(authorizeURL("shop", w.push("shop", ask("shop", w.alice, hashOf("x")))))
	for _, c := range a.Cookies() {
		if c.Name == "__Host-assent_authorize" && c.Secure && c.HttpOnly && c.Path == "/" && c.Domain == "" {
			return
		}
	}
	t.Errorf("cookies %v", a.Cookies())
}
