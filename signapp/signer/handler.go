package signer

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/assent-sign/assent/sap"
)

// Profiles.
const (
	ProfileDemo       = "demo"
	ProfileProduction = "production"
)

// Config says where the app is and whom it trusts. All of it is public.
type Config struct {
	SAMKey      []byte // SubjectPublicKeyInfo of the SAM's statement key, P-256
	Audience    string // cluster "#" epoch of the SAM
	RPID        string // relying party id of signing passkeys: the signing origin's host or a parent of it
	Origin      string // the signing origin, exactly as samd is told
	API         string // the app origin, where the relay is
	Profile     string // ProfileDemo or ProfileProduction
	Attestation string // "none" (default) or "direct"
	MaxDocument int64  // bytes of one document that the app accepts
	// AllowMissingViewer lets the app start without the document viewer. Documents
	// then cannot be approved in a browser. Demo only.
	AllowMissingViewer bool
	// Files are the assets; nil for the embedded ones.
	Files fs.FS
}

// ErrConfig wraps everything that is wrong with a Config.
var ErrConfig = errors.New("signer: configuration is wrong")

// publicConfig is /config.json.
type publicConfig struct {
	SAMKey      string `json:"sam_key"`
	SAMKeyID    string `json:"sam_key_id"`
	Audience    string `json:"aud"`
	RPID        string `json:"rp_id"`
	Origin      string `json:"origin"`
	API         string `json:"api"`
	Profile     string `json:"profile"`
	MaxDocument int64  `json:"max_document"`
	Viewer      bool   `json:"viewer"`
	Attestation string `json:"attestation"`
}

// asset is one answer, complete with its headers.
type asset struct {
	body   []byte
	header http.Header
	etag   string
}

// handler answers from a table that is made at start.
type handler struct {
	assets map[string]asset
}

// New checks the configuration and returns the handler of the signing origin.
// Every answer is fixed at start: GET and HEAD of the listed paths, nothing else.
func New(cfg Config) (http.Handler, error) {
	if cfg.Files == nil {
		cfg.Files = Assets()
	}
	if cfg.Attestation == "" {
		cfg.Attestation = "none"
	}
	public, err := cfg.check()
	if err != nil {
		return nil, err
	}
	h := &handler{assets: map[string]asset{}}
	if err := h.load(cfg); err != nil {
		return nil, err
	}
	text, err := json.Marshal(public)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	h.add(cfg, "/config.json", "config.json", text)
	return h, nil
}

func (c Config) check() (publicConfig, error) {
	bad := func(what string, args ...any) (publicConfig, error) {
		return publicConfig{}, fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(what, args...))
	}
	pub, err := x509.ParsePKIXPublicKey(c.SAMKey)
	if err != nil {
		return bad("sam key: %v", err)
	}
	key, ok := pub.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return bad("sam key: want a P-256 key")
	}
	id, err := sap.KeyID(key)
	if err != nil {
		return bad("sam key: %v", err)
	}
	for _, o := range []struct{ key, origin string }{{"origin", c.Origin}, {"api", c.API}} {
		if err := checkOrigin(o.origin); err != nil {
			return bad("%s: %v", o.key, err)
		}
	}
	if c.Origin == c.API {
		return bad("origin and api are the same: the signer's app needs an origin that the application cannot write")
	}
	if err := checkRPID(c.Origin, c.RPID); err != nil {
		return bad("rp_id: %v", err)
	}
	if !sap.ValidID(c.Audience) {
		return bad("aud: %q is not cluster#epoch", c.Audience)
	}
	if c.Profile != ProfileDemo && c.Profile != ProfileProduction {
		return bad("profile: %q is neither demo nor production", c.Profile)
	}
	if c.Attestation != "none" && c.Attestation != "direct" {
		return bad("attestation: %q is neither none nor direct", c.Attestation)
	}
	if c.MaxDocument < 1 || c.MaxDocument > 1<<31 {
		return bad("max_document: want 1 byte to 2 GiB")
	}
	if c.AllowMissingViewer && c.Profile != ProfileDemo {
		return bad("allow_missing_viewer is for the demo profile only")
	}
	viewer := HasViewer(c.Files)
	if !viewer && !c.AllowMissingViewer {
		return publicConfig{}, ErrNoViewer
	}
	return publicConfig{
		SAMKey: sap.B64(c.SAMKey), SAMKeyID: id, Audience: c.Audience, RPID: c.RPID, Origin: c.Origin, API: c.API,
		Profile: c.Profile, MaxDocument: c.MaxDocument, Viewer: viewer, Attestation: c.Attestation,
	}, nil
}

// checkOrigin accepts scheme://host[:port] in the form that browsers serialise;
// plain http only on loopback names, which browsers hold for secure.
func checkOrigin(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != s || strings.ToLower(s) != s {
		return fmt.Errorf("%q is no origin (want https://host or https://host:port, lower case, no path)", s)
	}
	host := u.Hostname()
	switch u.Scheme {
	case "https":
		if u.Port() == "443" {
			return fmt.Errorf("%q: leave the default port out", s)
		}
		return nil
	case "http":
		if host == "localhost" || strings.HasSuffix(host, ".localhost") {
			return nil
		}
		return fmt.Errorf("%q: http is for localhost only; passkeys need https", s)
	}
	return fmt.Errorf("%q: unknown scheme", s)
}

func checkRPID(origin, rpID string) error {
	u, err := url.Parse(origin)
	if err != nil {
		return err
	}
	host := u.Hostname()
	if rpID == "" || rpID != host && !(strings.HasSuffix(host, "."+rpID) && strings.Contains(rpID, ".")) {
		return fmt.Errorf("%q is neither the host of %s nor a parent domain of it", rpID, origin)
	}
	return nil
}

// load reads all assets into the table.
func (h *handler) load(cfg Config) error {
	if err := complete(cfg.Files, ours); err != nil {
		return fmt.Errorf("%w: the binary lacks %w", ErrConfig, err)
	}
	return fs.WalkDir(cfg.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(cfg.Files, name)
		if err != nil {
			return err
		}
		if name == "index.html" {
			h.add(cfg, "/", name, body)
			h.add(cfg, "/enrol", name, body)
			h.add(cfg, "/passkeys", name, body)
			return nil
		}
		h.add(cfg, "/"+name, name, body)
		return nil
	})
}

func (h *handler) add(cfg Config, urlPath, name string, body []byte) {
	sum := sha256.Sum256(body)
	hd := http.Header{}
	hd.Set("Content-Type", contentType(name))
	security(hd, cfg, name)
	h.assets[urlPath] = asset{body: body, header: hd, etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`}
}

// contentType is fixed here: the tables of the host must not decide it.
func contentType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".json":
		return "application/json"
	case ".svg":
		return "image/svg+xml"
	case ".wasm":
		return "application/wasm"
	case ".ttf":
		return "font/ttf"
	case "", ".bcmap", ".pfb":
		if strings.HasPrefix(path.Base(name), "LICENSE") {
			return "text/plain; charset=utf-8"
		}
		return "application/octet-stream"
	default:
		if t := mime.TypeByExtension(ext); strings.HasPrefix(t, "image/") {
			return t
		}
		return "application/octet-stream"
	}
}

// ServeHTTP answers GET and HEAD of known paths.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuse(w, http.StatusMethodNotAllowed)
		return
	}
	a, ok := h.assets[r.URL.Path]
	if !ok {
		refuse(w, http.StatusNotFound)
		return
	}
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.Header().Set("ETag", a.etag)
	// The zero time leaves Last-Modified out: the entity tag is exact.
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}

func refuse(w http.ResponseWriter, status int) {
	baseline(w.Header())
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	w.Header().Set("Cache-Control", "no-store")
	if status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", "GET, HEAD")
	}
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, http.StatusText(status))
}
