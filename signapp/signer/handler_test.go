package signer_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/assent-sign/assent/signapp/signer"
	"github.com/assent-sign/assent/signapp/signer/bundle"
)

// oursOnly is the app as it is committed, without pdf.js.
func oursOnly(t testing.TB) fs.FS {
	t.Helper()
	out := fstest.MapFS{}
	err := fs.WalkDir(signer.Assets(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(name, "pdfjs/") {
			return err
		}
		b, err := fs.ReadFile(signer.Assets(), name)
		out[name] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// withViewer adds stand-ins for what the build fetches, for tests that need no
// document to be drawn.
func withViewer(t testing.TB) fs.FS {
	t.Helper()
	files := oursOnly(t).(fstest.MapFS)
	for _, n := range []string{"pdfjs/viewer.js", "pdfjs/LICENSE", "pdfjs/standard_fonts/LiberationSans-Regular.ttf", "pdfjs/wasm/openjpeg.wasm"} {
		files[n] = &fstest.MapFile{Data: []byte("stand-in")}
	}
	return files
}

func goodConfig(t testing.TB) signer.Config {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return signer.Config{
		SAMKey: spki, Audience: "demo#1", RPID: "sign.example.org", Origin: "https://sign.example.org", API: "https://app.example.org",
		Profile: signer.ProfileProduction, MaxDocument: 1 << 20, Files: withViewer(t),
	}
}

func get(h http.Handler, method, path string) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Result()
}

// T5, T7: the policy of the page that calls passkeys, directive by directive.
func TestPageHeaders(t *testing.T) {
	h, err := signer.New(goodConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/enrol", "/passkeys"} {
		r := get(h, "GET", path)
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Fatalf("%s: %d %s", path, r.StatusCode, r.Header.Get("Content-Type"))
		}
		want := "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' https://app.example.org; img-src 'self' data: blob:; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
		if got := r.Header.Get("Content-Security-Policy"); got != want {
			t.Errorf("%s: policy\n got %s\nwant %s", path, got, want)
		}
		for k, v := range map[string]string{
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Cache-Control": "no-cache", "Strict-Transport-Security": "max-age=31536000",
		} {
			if r.Header.Get(k) != v {
				t.Errorf("%s: %s is %q, want %q", path, k, r.Header.Get(k), v)
			}
		}
		if p := r.Header.Get("Permissions-Policy"); !strings.Contains(p, "publickey-credentials-get=(self)") || !strings.Contains(p, "camera=()") {
			t.Errorf("%s: Permissions-Policy %q", path, p)
		}
	}
}

// T6: the document frame has no network, no passkeys, no origin.
func TestFrameHeaders(t *testing.T) {
	h, err := signer.New(goodConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	r := get(h, "GET", "/viewer.html")
	csp := r.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "connect-src 'none'", "frame-ancestors 'self'", "sandbox allow-scripts", "trusted-types 'none'", "form-action 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("policy lacks %s: %s", want, csp)
		}
	}
	for _, bad := range []string{"unsafe-inline", " 'unsafe-eval'", "allow-same-origin", "https:", "*"} {
		if strings.Contains(csp, bad) {
			t.Errorf("policy has %s: %s", bad, csp)
		}
	}
	if p := r.Header.Get("Permissions-Policy"); !strings.Contains(p, "publickey-credentials-get=()") {
		t.Errorf("the frame may use passkeys: %s", p)
	}
}

// Every answer has the baseline; only the two files that the opaque frame loads
// may be used across origins.
func TestEveryAnswerHasTheBaseline(t *testing.T) {
	cfg := goodConfig(t)
	h, err := signer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"/", "/enrol", "/passkeys", "/config.json", "/nothing", "/../etc/passwd", "/index.html", "/app.js/"}
	err = fs.WalkDir(cfg.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, "/"+name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		r := get(h, "GET", path)
		for _, k := range []string{"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy", "Cache-Control", "Permissions-Policy"} {
			if r.Header.Get(k) == "" {
				t.Errorf("%s: no %s", path, k)
			}
		}
		want := "same-origin"
		if path == "/viewer.css" || path == "/pdfjs/viewer.js" {
			want = "cross-origin"
		}
		if got := r.Header.Get("Cross-Origin-Resource-Policy"); got != want {
			t.Errorf("%s: resource policy %s, want %s", path, got, want)
		}
		if r.Header.Get("Set-Cookie") != "" || r.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: state or cross-origin reading", path)
		}
	}
	if r := get(h, "GET", "/index.html"); r.StatusCode != 404 {
		t.Errorf("/index.html answers %d: the page has one address", r.StatusCode)
	}
}

func TestOnlyGETAndHEAD(t *testing.T) {
	h, err := signer.New(goodConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "get", "X"} {
		r := get(h, m, "/")
		if r.StatusCode != 405 || r.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", m, r.StatusCode, r.Header.Get("Allow"))
		}
	}
	r := get(h, "HEAD", "/app.js")
	if b, _ := io.ReadAll(r.Body); r.StatusCode != 200 || len(b) != 0 || r.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("HEAD: %d, %d bytes, %s", r.StatusCode, len(b), r.Header.Get("Content-Type"))
	}
}

func TestUnchangedFilesAreNotSentAgain(t *testing.T) {
	h, err := signer.New(goodConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest("GET", "/app.js", nil)
	req.Header.Set("If-None-Match", get(h, "GET", "/app.js").Header.Get("ETag"))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	if w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("%d with %d bytes, want 304", w.Code, w.Body.Len())
	}
}

func TestPublicConfig(t *testing.T) {
	cfg := goodConfig(t)
	h, err := signer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := get(h, "GET", "/config.json")
	var c map[string]any
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]any{"aud": "demo#1", "rp_id": cfg.RPID, "origin": cfg.Origin, "api": cfg.API, "profile": "production", "max_document": 1048576.0, "viewer": true, "attestation": "none"} {
		if c[k] != want {
			t.Errorf("%s is %v, want %v", k, c[k], want)
		}
	}
	if r.Header.Get("Cache-Control") != "no-store" {
		t.Error("the configuration may be cached")
	}
}

func TestConfigRefusals(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.MarshalPKIXPublicKey(p384.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(c *signer.Config){
		"no key":                    func(c *signer.Config) { c.SAMKey = nil },
		"key on another curve":      func(c *signer.Config) { c.SAMKey = other },
		"origin with a path":        func(c *signer.Config) { c.Origin += "/" },
		"origin in capitals":        func(c *signer.Config) { c.Origin = "https://Sign.example.org" },
		"default port":              func(c *signer.Config) { c.Origin = "https://sign.example.org:443" },
		"plain http":                func(c *signer.Config) { c.Origin = "http://sign.example.org" },
		"another scheme":            func(c *signer.Config) { c.API = "ftp://app.example.org" },
		"one origin for both":       func(c *signer.Config) { c.API = c.Origin },
		"rp id of another domain":   func(c *signer.Config) { c.RPID = "example.com" },
		"rp id cut inside a label":  func(c *signer.Config) { c.RPID = "xample.org" },
		"rp id a top-level domain":  func(c *signer.Config) { c.RPID = "org" },
		"no audience":               func(c *signer.Config) { c.Audience = "" },
		"no profile":                func(c *signer.Config) { c.Profile = "" },
		"unknown attestation":       func(c *signer.Config) { c.Attestation = "enterprise" },
		"no size":                   func(c *signer.Config) { c.MaxDocument = 0 },
		"missing viewer, allowed":   func(c *signer.Config) { c.AllowMissingViewer = true },
		"an app without its script": func(c *signer.Config) { delete(c.Files.(fstest.MapFS), "app.js") },
	} {
		cfg := goodConfig(t)
		change(&cfg)
		if _, err := signer.New(cfg); !errors.Is(err, signer.ErrConfig) {
			t.Errorf("%s: got %v, want ErrConfig", name, err)
		}
	}
	cfg := goodConfig(t)
	cfg.Files = oursOnly(t)
	if _, err := signer.New(cfg); !errors.Is(err, signer.ErrNoViewer) {
		t.Errorf("missing viewer: got %v, want ErrNoViewer", err)
	}
	cfg.Profile, cfg.AllowMissingViewer = signer.ProfileDemo, true
	if _, err := signer.New(cfg); err != nil {
		t.Errorf("missing viewer in the demo, allowed: %v", err)
	}
}

// T40: what is committed and served is exactly what the source makes.
func TestDistIsReproducible(t *testing.T) {
	files, err := bundle.App(sources(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files.Names() {
		have, err := os.ReadFile(filepath.Join(here(), "dist", name))
		if err != nil || !bytes.Equal(have, files[name]) {
			t.Errorf("dist/%s is not what the source makes; run: go run ./signapp/signer/build -ours (%v)", name, err)
		}
	}
	err = fs.WalkDir(signer.Assets(), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(name, "pdfjs/") && files[name] == nil {
			t.Errorf("dist/%s comes from nowhere", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The pages hold no inline script or style, and no file fetches from elsewhere.
func TestPagesAreStatic(t *testing.T) {
	for _, name := range []string{"index.html", "viewer.html"} {
		b, err := fs.ReadFile(signer.Assets(), name)
		if err != nil {
			t.Fatal(err)
		}
		s := string(b)
		for _, bad := range []string{"<style", "style=", " onload", " onclick", " onerror", "javascript:", "http://", "https://", "<script>"} {
			if strings.Contains(s, bad) {
				t.Errorf("%s contains %q", name, bad)
			}
		}
	}
}

// The lock file pins the content of every package by hash and names no address;
// there is no entry that is not pinned. pdf.js's optional native canvas is left
// out of it by hand: a lock file that npm writes anew has it, and fails here.
func TestLockFileHasNoAddresses(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(here(), "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]map[string]any `json:"packages"`
	}
	if err := json.Unmarshal(b, &lock); err != nil {
		t.Fatal(err)
	}
	for name, p := range lock.Packages {
		if name == "" {
			continue // the project itself
		}
		hash, _ := p["integrity"].(string)
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(hash, "sha512-"))
		if !strings.HasPrefix(hash, "sha512-") || err != nil || len(sum) != sha512.Size {
			t.Errorf("%s: integrity %q", name, hash)
		}
		if _, there := p["resolved"]; there {
			t.Errorf("%s names where it comes from: %v", name, p["resolved"])
		}
	}
	if bytes.Contains(b, []byte("://")) {
		t.Error("the lock file names addresses")
	}
	if names := slices.Sorted(maps.Keys(lock.Packages)); !slices.Equal(names, []string{"", "node_modules/pdfjs-dist", "node_modules/typescript"}) {
		t.Errorf("locked are %q, want pdf.js and TypeScript alone", names)
	}
}
