package oauth

import (
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/api/csc"
	"github.com/assent-sign/assent/internal/config"
)

// F38: a client that is not configured completely and soundly stops the start.
func TestClientConfigIsStrict(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return p
	}
	good := file("good", strings.Repeat("s", 43)+"\n", 0o600)
	short, open := file("short", "secret", 0o600), file("open", strings.Repeat("s", 43), 0o644)
	ec := `{"kty":"EC","crv":"P-256","kid":"k","alg":"ES256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	base := ClientConfig{ID: "c", Name: "C", SecretFile: good, Scopes: []string{"service"}}
	with := func(f func(*ClientConfig)) ClientConfig { c := base; f(&c); return c }
	jwks := func(text string) ClientConfig {
		return with(func(c *ClientConfig) {
			c.Auth, c.SecretFile, c.JWKSFile = AuthPrivateKeyJWT, "", file("jwks", text, 0o600)
		})
	}
	if _, err := LoadClients([]ClientConfig{base, with(func(c *ClientConfig) { c.ID = "d" })}); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadClients([]ClientConfig{jwks(`{"keys":[` + ec + `]}`)}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]ClientConfig{
		"no id":           with(func(c *ClientConfig) { c.ID = "" }),
		"odd id":          with(func(c *ClientConfig) { c.ID = "a/b" }),
		"no name":         with(func(c *ClientConfig) { c.Name = "" }),
		"hidden name":     with(func(c *ClientConfig) { c.Name = "Bank\u202e" }),
		"no scopes":       with(func(c *ClientConfig) { c.Scopes = nil }),
		"unknown scope":   with(func(c *ClientConfig) { c.Scopes = []string{"admin"} }),
		"no redirect":     with(func(c *ClientConfig) { c.Scopes = []string{"credential"} }),
		"http redirect":   with(func(c *ClientConfig) { c.RedirectURIs = []string{"http://shop.example/cb"} }),
		"fragment":        with(func(c *ClientConfig) { c.RedirectURIs = []string{"https://shop.example/cb#x"} }),
		"user part":       with(func(c *ClientConfig) { c.RedirectURIs = []string{"https://a@shop.example/cb"} }),
		"javascript":      with(func(c *ClientConfig) { c.RedirectURIs = []string{"javascript:alert(1)"} }),
		"relative":        with(func(c *ClientConfig) { c.RedirectURIs = []string{"/cb"} }),
		"no secret":       with(func(c *ClientConfig) { c.SecretFile = "" }),
		"two secrets":     with(func(c *ClientConfig) { c.SecretSHA256 = strings.Repeat("0", 64) }),
		"short hash":      with(func(c *ClientConfig) { c.SecretFile, c.SecretSHA256 = "", "00" }),
		"short secret":    with(func(c *ClientConfig) { c.SecretFile = short }),
		"open secret":     with(func(c *ClientConfig) { c.SecretFile = open }),
		"missing file":    with(func(c *ClientConfig) { c.SecretFile = filepath.Join(dir, "none") }),
		"unknown auth":    with(func(c *ClientConfig) { c.Auth = "none" }),
		"secret with jwt": with(func(c *ClientConfig) { c.Auth = AuthPrivateKeyJWT }),
		"empty jwks":      jwks(`{"keys":[]}`),
		"private jwks":    jwks(`{"keys":[` + strings.Replace(ec, `"x"`, `"d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI","x"`, 1) + `]}`),
		"no alg":          jwks(`{"keys":[` + strings.Replace(ec, `"alg":"ES256",`, "", 1) + `]}`),
		"other alg":       jwks(`{"keys":[` + strings.Replace(ec, "ES256", "ES384", 1) + `]}`),
		"no kid":          jwks(`{"keys":[` + strings.Replace(ec, `"kid":"k",`, "", 1) + `]}`),
		"same kid":        jwks(`{"keys":[` + ec + "," + ec + `]}`),
		"symmetric":       jwks(`{"keys":[{"kty":"oct","kid":"k","alg":"HS256","k":"AAAA"}]}`),
	} {
		if _, err := LoadClients([]ClientConfig{c}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := LoadClients([]ClientConfig{base, base}); err == nil {
		t.Error("the same id twice: accepted")
	}
	var list []ClientConfig
	if err := config.Decode("clients.yaml", []byte("- id: c\n  nmae: C\n"), &list); err == nil {
		t.Error("a misspelt key was accepted")
	}
}

// A list that is empty means all signers; workers must be named.
func TestClientRights(t *testing.T) {
	c := Client{Workers: []string{Any}}
	if !c.MayUse("pades") || c.MayUse(WorkerRaw) || !c.MayAsk("x") {
		t.Error("any worker does not include bare digests")
	}
	c = Client{Workers: []string{"pades", WorkerRaw}, Signers: []string{"alice"}}
	if !c.MayUse(WorkerRaw) || c.MayUse("xades") || c.MayAsk("bob") || !c.MayAsk("alice") {
		t.Error("lists are not exact")
	}
	if (Client{}).MayUse("pades") {
		t.Error("no list means none")
	}
}

// What the parser accepts is within its bounds and reads the same again.
func FuzzCredentialRequest(f *testing.F) {
	h := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	for _, q := range []string{
		"credentialID=a/b&hashes=" + h + "&hashAlgorithmOID=" + csc.OIDSHA256 + "&numSignatures=1&description=Order",
		"credentialID=a/b&hashes=" + h + "," + h + "&hashAlgorithmOID=" + csc.OIDSHA256,
		"operation=op-1", "hash=" + h + ";" + h, "numSignatures=-1&credentialID=a", "hashes=,,,", "account_token=x",
		"authorization_details=" + url.QueryEscape(`[{"type":"credential","credentialID":"a/b","documentDigests":[{"hash":"`+h+`","label":"x"}],"hashAlgorithmOID":"`+csc.OIDSHA256+`"}]`),
		"authorization_details=%5B%7B%22type%22%3A1%7D%5D",
	} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		req, err := ParseCredentialRequest(form)
		if err != nil {
			if len(err.Error()) > 300 || strings.ContainsAny(err.Error(), "\n\r<>") {
				t.Fatalf("error text %q", err)
			}
			return
		}
		if len(req.Hashes) > MaxHashes || len([]rune(req.Description)) > maxDescription || req.CredentialID == "" && req.Operation == "" || len(req.Hashes) == 0 && req.Operation == "" {
			t.Fatalf("accepted %+v", req)
		}
		var again []string
		for _, b := range req.Hashes {
			if len(b) != req.Hash.Size() {
				t.Fatalf("digest of %d bytes", len(b))
			}
			again = append(again, base64.StdEncoding.EncodeToString(b))
		}
		if req.FromDetails || len(req.Hashes) == 0 {
			return
		}
		second, err := ParseCredentialRequest(url.Values{"credentialID": {req.CredentialID}, "operation": {req.Operation}, "hashes": {strings.Join(again, ",")}, "hashAlgorithmOID": {csc.HashOID(req.Hash)}})
		if err != nil || !SameHashes(second.Hashes, req.Hashes) {
			t.Fatalf("%v: read differently the second time", err)
		}
	})
}
