package api_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/assent-sign/assent/api/csc"
)

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
