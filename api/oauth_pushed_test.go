package api_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/api/csc"
)

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
