package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/assent-sign/assent/api"
	"github.com/assent-sign/assent/api/apisqlite"
	"github.com/assent-sign/assent/api/oauth"
	"github.com/assent-sign/assent/api/state"
	"github.com/assent-sign/assent/internal/clock"
)

const baseURL = "http://app.test"

var secrets = map[string]string{
	"shop":  "shop-secret-" + strings.Repeat("s", 32),
	"bank":  "bank-secret-" + strings.Repeat("b", 32),
	"small": "small-secret-" + strings.Repeat("t", 32),
}

// world is the front doors over fakes.
type world struct {
	t      testing.TB
	api    *api.API
	app    *app
	portal *fakePortal
	store  *flaky
	router chi.Router
	clock  *shiftClock
	alice  *person
	bob    *person
	log    *lockedBuffer
}

// shiftClock is the system's clock moved by an offset: go-oidc reads the
// system's clock, so tests start at the present.
type shiftClock struct {
	mu sync.Mutex
	by time.Duration
}

func (c *shiftClock) Now() time.Time          { c.mu.Lock(); defer c.mu.Unlock(); return time.Now().Add(c.by) }
func (c *shiftClock) Advance(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.by += d }

var _ clock.Clock = (*shiftClock)(nil)

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *lockedBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// flaky is a store that fails when it is told to.
type flaky struct {
	state.Store
	mu   sync.Mutex
	fail func(op, kind string) bool
	seen []string
}

// written returns all data that was ever written.
func (f *flaky) written() []string { f.mu.Lock(); defer f.mu.Unlock(); return f.seen }

func (f *flaky) see(r state.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, r.ID+string(r.Data))
}

var errDisk = errors.New("disk full")

func (f *flaky) broken(op, kind string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil && f.fail(op, kind) {
		return errDisk
	}
	return nil
}

func (f *flaky) breakWhen(fail func(op, kind string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

func (f *flaky) Get(ctx context.Context, kind, id string) (state.Record, error) {
	if err := f.broken("get", kind); err != nil {
		return state.Record{}, err
	}
	return f.Store.Get(ctx, kind, id)
}

func (f *flaky) Insert(ctx context.Context, r state.Record) error {
	if err := f.broken("insert", r.Kind); err != nil {
		return err
	}
	f.see(r)
	return f.Store.Insert(ctx, r)
}

func (f *flaky) Swap(ctx context.Context, r state.Record) error {
	if err := f.broken("swap", r.Kind); err != nil {
		return err
	}
	f.see(r)
	return f.Store.Swap(ctx, r)
}

func secretHash(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }

func clientConfigs() []oauth.ClientConfig {
	return []oauth.ClientConfig{
		{ID: "shop", Name: "Shop & Söhne", SecretSHA256: secretHash(secrets["shop"]), RedirectURIs: []string{"https://shop.example/cb"},
			Scopes: []string{"service", "credential"}, Workers: []string{"*", "raw"}},
		{ID: "bank", Name: "Bank", Auth: oauth.AuthSecretPost, SecretSHA256: secretHash(secrets["bank"]), RedirectURIs: []string{"https://bank.example/cb"},
			Scopes: []string{"service", "credential"}, Workers: []string{"*", "raw"}},
		{ID: "small", Name: "Small", SecretSHA256: secretHash(secrets["small"]), Scopes: []string{"service"}, Workers: []string{"none"}, Signers: []string{"bob"}},
	}
}

func newWorld(t testing.TB, change ...func(*api.Config)) *world {
	t.Helper()
	w := &world{t: t, clock: &shiftClock{}, portal: &fakePortal{}, log: &lockedBuffer{}}
	store, err := apisqlite.Open(filepath.Join(t.TempDir(), "api.db"), w.clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	w.store = &flaky{Store: store}
	w.alice, w.bob = newPerson(t, "alice", w.clock.Now()), newPerson(t, "bob", w.clock.Now())
	w.app = newApp(w.clock, w.alice, w.bob)
	clients, err := oauth.LoadClients(clientConfigs())
	if err != nil {
		t.Fatal(err)
	}
	cfg := api.Config{BaseURL: baseURL, Profile: "demo", Clients: clients, Store: w.store, Portal: w.portal, Documents: w.app, Deletion: w.app, Operations: w.app, Credentials: w.app,
		SignDoc: api.SignDoc{Worker: "pades", Levels: []string{"B-B", "B-T"}}, Clock: w.clock, Log: slog.New(slog.NewTextHandler(w.log, nil)),
		Ready:  []api.Check{{Name: "database", Do: store.Ping}},
		Limits: api.Limits{PerIP: 1e6, PerClient: 1e6, SignDocWait: 50 * time.Millisecond, Wait: time.Minute, Document: 1 << 20}}
	for _, f := range change {
		f(&cfg)
	}
	if w.api, err = api.New(cfg); err != nil {
		t.Fatal(err)
	}
	w.router = chi.NewRouter()
	w.api.Mount(w.router)
	w.api.Started()
	return w
}

// answer is a response.
type answer struct {
	*http.Response
	body []byte
}

func (a answer) json(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("answer is not JSON: %v: %s", err, a.body)
	}
}

func (a answer) field(name string) string {
	var m map[string]any
	_ = json.Unmarshal(a.body, &m)
	s, _ := m[name].(string)
	return s
}

func (w *world) do(r *http.Request) answer {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.router.ServeHTTP(rec, r)
	res := rec.Result()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{res, body}
}

// call sends a request with a bearer token; body is a string, []byte, a value
// to encode, or nil.
func (w *world) call(method, path, token string, body any, headers ...string) answer {
	w.t.Helper()
	var rd io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		rd = strings.NewReader(b)
	case []byte:
		rd = bytes.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		rd = bytes.NewReader(text)
	}
	r := httptest.NewRequest(method, path, rd)
	if rd != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return w.do(r)
}

// form posts an OAuth form as a client.
func (w *world) form(path, client string, f url.Values) answer {
	w.t.Helper()
	if client == "bank" {
		f.Set("client_id", client)
		f.Set("client_secret", secrets[client])
	}
	r := httptest.NewRequest("POST", path, strings.NewReader(f.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if client != "" && client != "bank" {
		r.SetBasicAuth(client, secrets[client])
	}
	return w.do(r)
}

func (w *world) serviceToken(client string) string {
	w.t.Helper()
	a := w.form("/oauth2/token", client, url.Values{"grant_type": {"client_credentials"}, "scope": {"service"}})
	var out struct {
		Token string `json:"access_token"`
		Type  string `json:"token_type"`
		In    int    `json:"expires_in"`
	}
	a.json(w.t, &out)
	if a.StatusCode != 200 || out.Token == "" || out.Type != "Bearer" || out.In != 3600 {
		w.t.Fatalf("token: %d %s", a.StatusCode, a.body)
	}
	return out.Token
}

// must checks a status.
func (w *world) must(a answer, status int) answer {
	w.t.Helper()
	if a.StatusCode != status {
		w.t.Fatalf("status %d, want %d: %s", a.StatusCode, status, a.body)
	}
	return a
}

// refused checks a CSC or OAuth error.
func (w *world) refused(a answer, status int, code, text string) {
	w.t.Helper()
	if a.StatusCode != status || a.field("error") != code || text != "" && a.field("error_description") != text {
		w.t.Errorf("got %d %s; want %d %s %q", a.StatusCode, bytes.TrimSpace(a.body), status, code, text)
	}
}

// problem checks a native error.
func (w *world) problem(a answer, status int, code string) {
	w.t.Helper()
	w.problemAt(baseURL, a, status, code)
}

func (w *world) problemAt(base string, a answer, status int, code string) {
	w.t.Helper()
	if a.StatusCode != status || a.field("code") != code || a.Header.Get("Content-Type") != "application/problem+json" ||
		a.field("type") != base+"/api/problems/"+code || !strings.HasPrefix(a.field("request_id"), "req_") || a.field("retry") == "" {
		w.t.Errorf("got %d %s; want %d %s", a.StatusCode, bytes.TrimSpace(a.body), status, code)
	}
}

func (w *world) upload(token string) string {
	w.t.Helper()
	return w.must(w.call("POST", "/api/v1/documents?name=contract.pdf", token, "%PDF-1.7 text", "Content-Type", "application/pdf"), 201).field("id")
}

func (w *world) operation(token, doc string) string {
	w.t.Helper()
	body := map[string]any{"signer": "alice", "purpose": "Contract", "items": []any{map[string]any{"document": doc, "worker": "pades"}}}
	return w.must(w.call("POST", "/api/v1/operations", token, body), 201).field("id")
}

type contextType = context.Context

func (w *world) adminGet(path string) answer {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.api.Admin().ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
	return answer{rec.Result(), rec.Body.Bytes()}
}
