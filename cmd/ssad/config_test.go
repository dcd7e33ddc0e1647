package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const least = `
profile: demo
app_origin: http://localhost:8440
signing_origin: http://localhost:8441
data: data
sam: {url: "https://127.0.0.1:8443", tls: {cert: a, key: b, ca: c}}
admin: {token_file: t}
`

func loadText(t *testing.T, text string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ssad.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return load(path)
}

// F38: a configuration that is wrong is refused with one sentence that names
// the key, never by a weaker default.
func TestConfigRefusals(t *testing.T) {
	c, err := loadText(t, least)
	if err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(c.Data) || !filepath.IsAbs(c.SAM.TLS.CA) || c.SAM.ServerName != "127.0.0.1" || c.Listen != "127.0.0.1:8440" || c.Admin.Listen != "127.0.0.1:8442" {
		t.Errorf("%+v", c)
	}
	for name, x := range map[string]struct{ old, new, want string }{
		"unknown key":               {"data: data", "data: data\ndatta: x", "datta"},
		"no data":                   {"data: data", "log: text", "data is missing"},
		"no origin":                 {"app_origin: http://localhost:8440", "log: text", "app_origin is missing"},
		"no token file":             {"admin: {token_file: t}", "log: text", "admin.token_file"},
		"no certificate":            {"cert: a, ", "", "sam.tls.cert"},
		"profile":                   {"profile: demo", "profile: test", "profile"},
		"log":                       {"data: data", "data: data\nlog: xml", "log"},
		"demo in public":            {"data: data", "data: data\nlisten: 0.0.0.0:8440", "loopback"},
		"demo on every interface":   {"data: data", "data: data\nlisten: \":8440\"", "loopback"},
		"admin in public":           {"{token_file: t}", "{token_file: t, listen: \"0.0.0.0:1\"}", "admin.listen"},
		"production without https":  {"profile: demo", "profile: production", "https"},
		"half a certificate":        {"data: data", "data: data\ntls: {cert: x}", "tls"},
		"token without PIN":         {"data: data", "data: data\ntokens: [{name: own, driver: softtoken}]", "pin_file"},
		"token named as the module": {"data: data", "data: data\ntokens: [{name: signers, driver: softtoken, pin_file: p}]", "reserved"},
		"token twice":               {"data: data", "data: data\ntokens: [{name: a, driver: softtoken, pin_file: p}, {name: a, driver: softtoken, pin_file: p}]", "twice"},
		"a negative size":           {"data: data", "data: data\nlimits: {document: -1}", "limits.document"},
		"a negative lifetime":       {"data: data", "data: data\nlimits: {lifetime: -24h}", "limits.lifetime"},
		"a negative retention":      {"data: data", "data: data\nretention: {results: -1h}", "retention.results"},
		"a negative session":        {"data: data", "data: data\nsession_life: -1h", "session_life"},
		"a client's worker":         {"data: data", "data: data\nclients: [{id: erp, workers: [pade]}]", `client "erp": there is no worker "pade"`},
		"token driver":              {"data: data", "data: data\ntokens: [{name: a, driver: file, pin_file: p}]", "driver"},
	} {
		if _, err := loadText(t, strings.Replace(least, x.old, x.new, 1)); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := loadText(t, least+"clients: [{id: erp, workers: [\"*\", raw]}]\n"); err != nil {
		t.Errorf("all workers, and bare digests: %v", err)
	}
	production := strings.NewReplacer("profile: demo", "profile: production", "http://", "https://").Replace(least)
	if _, err := loadText(t, production); err != nil {
		t.Errorf("production behind a front: %v", err)
	}
	for name, more := range map[string]string{
		"softtoken":             "tokens: [{name: own, driver: softtoken, pin_file: p}]",
		"development token":     "tokens: [{name: own, driver: pkcs11, pin_file: p, development: true}]",
		"plain HTTP in public":  "listen: 0.0.0.0:443",
		"public without a cert": "listen: \"[2001:db8::1]:443\"",
	} {
		if _, err := loadText(t, production+more+"\n"); err == nil {
			t.Errorf("production accepts %s", name)
		}
	}
}

// An operator mends a file in one go: all that is wrong is said at once, each time
// in the same order.
func TestAllThatIsWrongIsSaidAtOnce(t *testing.T) {
	text := strings.NewReplacer("data: data\n", "", "cert: a, ", "").Replace(least) + `log: xml
limits: {document: -1, items: -1}
retention: {results: -1h}
session_life: -1h
invite_life: -1h
workers: [{name: seal, kind: pades, token: signers}]
uses: {upload: nosuch, signdoc: seal, tsa: seal, signdoc_xades: {enveloped: seal, detached: gone}}
clients: [{id: erp, workers: [pade, seal]}, {id: crm, workers: [cade]}]
tokens: [{name: a, driver: file, pin_file: p}, {name: signers, driver: softtoken}]
proxies: [nowhere]
`
	wants := []string{
		"data is missing", "sam.tls.cert is missing", `log "xml"`, "limits.document is negative", "limits.items is negative", "retention.results is negative",
		"session_life is negative", "invite_life is negative", `uses.upload: there is no worker "nosuch"`, `uses.tsa: worker "seal" is of kind pades, not tsa`,
		`uses.signdoc_xades.enveloped: worker "seal" is of kind pades, not xades`, `uses.signdoc_xades.detached: there is no worker "gone"`,
		`client "erp": there is no worker "pade"`, `client "crm": there is no worker "cade"`, `driver "file"`, "reserved", `proxies: "nowhere"`,
	}
	_, first := loadText(t, text)
	if first == nil {
		t.Fatal("accepted")
	}
	at := -1
	for _, want := range wants {
		i := strings.Index(first.Error(), want)
		if i <= at {
			t.Errorf("%q is missing or not in order:\n%v", want, first)
		}
		at = max(at, i)
	}
	_, lines, _ := strings.Cut(first.Error(), "ssad.yaml")
	for range 20 {
		if _, err := loadText(t, text); !strings.HasSuffix(err.Error(), lines) {
			t.Fatalf("another order: %v", err)
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "ssad.yaml")
	text = least + "workers: [{name: a, kind: nokind}, {name: a, kind: pades, token: signers, properties: {zz: b, aa: c}}]\nclients: [{id: erp, workers: [pade]}, {id: crm, name: C, scopes: [x]}, {id: shop, name: S, scopes: [service], secret_file: missing.secret}]\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"-config", path, "-check"}, &out); code != 2 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{`"pade"`, "nokind", "used twice", `client 1 ("erp")`, "name must have", `client 2 ("crm")`, "scope \"x\"", "missing.secret"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("-check does not say %s:\n%s", want, out.String())
		}
	}
}

// The commented sample is a configuration that loads, and it shows every key.
func TestExampleShowsEveryKey(t *testing.T) {
	text, err := os.ReadFile("ssad.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := load("ssad.example.yaml"); err != nil {
		t.Fatal(err)
	}
	var keys func(reflect.Type) []string
	keys = func(typ reflect.Type) (out []string) {
		for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || !strings.Contains(typ.PkgPath()+typ.String(), "assent") && typ.Name() != "" && typ.PkgPath() != "main" {
			return nil
		}
		for i := range typ.NumField() {
			if tag := typ.Field(i).Tag.Get("yaml"); tag != "" {
				out = append(append(out, tag), keys(typ.Field(i).Type)...)
			}
		}
		return out
	}
	// Keys of pkcs11 that samd.example.yaml explains, and of clients that
	// docs/integrators.md does.
	elsewhere := map[string]bool{"serial": true, "children": true, "kek": true, "seal": true, "mechanism": true, "auth": true, "secret_sha256": true, "jwks_file": true, "redirect_uris": true}
	found := keys(reflect.TypeFor[Config]())
	if len(found) < 50 {
		t.Fatalf("only %d keys found", len(found))
	}
	for _, k := range found {
		if !elsewhere[k] && !bytes.Contains(text, []byte(k+":")) {
			t.Errorf("the sample does not show %s", k)
		}
	}
}

// Exit codes and one clear sentence.
func TestRunRefuses(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.yaml")
	if err := os.WriteFile(good, []byte(least), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(dir, "wrong.yaml")
	if err := os.WriteFile(wrong, []byte(least+"workers:\n  - {name: judge, kind: validator, properties: {trust_anchors: /nowhere.pem}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"a worker that cannot be": {[]string{"-config", wrong, "-check"}, 2, "/nowhere.pem"},
		"no file":                 {[]string{"-config", filepath.Join(dir, "none.yaml")}, 2, "none.yaml"},
		"unknown flag":            {[]string{"-x"}, 2, "-x"},
		"a word":                  {[]string{good}, 2, "-config"},
		"help":                    {[]string{"-h"}, 0, "-check"},
		"check":                   {[]string{"-config", good, "-check"}, 0, "good"},
		"no keys":                 {[]string{"-config", good}, 1, "certificate"},
	} {
		var out bytes.Buffer
		if code := run(context.Background(), c.args, &out); code != c.code || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: %d %s", name, code, out.String())
		}
	}
}
