package relay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/appsqlite"
	"github.com/assent-sign/assent/signapp/apptest"
	"github.com/assent-sign/assent/signapp/relay"
)

// cookies stands in for the portal: the cookie's value names signer and login.
type cookies struct{}

func (cookies) Session(r *http.Request) (signapp.Session, bool) {
	c, err := r.Cookie("who")
	if err != nil {
		return signapp.Session{}, false
	}
	signer, login, _ := strings.Cut(c.Value, "/")
	return apptest.Login(signer, login), true
}

type site struct {
	*apptest.Rig
	h http.Handler
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{Rig: apptest.NewRig(t, func(p string) (signapp.Store, error) { return appsqlite.Open(p, appsqlite.Options{}) }, nil)}
	rel, err := relay.New(relay.Config{Service: s.Service, Enroller: s.Module, Keeper: s.Module, Sessions: cookies{}, SigningOrigin: apptest.SigningOrigin})
	if err != nil {
		t.Fatal(err)
	}
	r := chi.NewRouter()
	rel.Mount(r)
	s.h = r
	return s
}

type call struct {
	method, path, who, token, origin, typ, body string

	from string // address and port
}

func (s *site) do(c call) *httptest.ResponseRecorder {
	if c.method == "" {
		c.method = http.MethodPost
	}
	req := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
	if c.from != "" {
		req.RemoteAddr = c.from
	}
	if c.who != "" {
		req.AddCookie(&http.Cookie{Name: "who", Value: c.who})
	}
	if c.token != "" {
		req.Header.Set(relay.Header, c.token)
	}
	if c.origin == "" {
		c.origin = apptest.SigningOrigin
	}
	if c.origin != "none" {
		req.Header.Set("Origin", c.origin)
	}
	if c.typ == "" && c.body != "" {
		c.typ = "application/json"
	}
	if c.typ != "" {
		req.Header.Set("Content-Type", c.typ)
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, req)
	return w
}

// checkError wants the one error form, with words for a person.
func checkError(t *testing.T, name string, w *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	var body map[string]string
	err := json.Unmarshal(w.Body.Bytes(), &body)
	if w.Code != status || err != nil || body["error"] != code || len(body["message"]) < 20 || len(body) != 3 {
		t.Errorf("%s: %d %s, want %d %s", name, w.Code, w.Body, status, code)
	}
	switch body["retry"] {
	case "never", "later", "same":
	default:
		t.Errorf("%s: retry %q", name, body["retry"])
	}
}

// The whole way of the signer's app over the wire, as CONTRACTS has it.
func TestWholeWay(t *testing.T) {
	s := newSite(t)
	op := s.Create("anna", "text")
	ticket, err := s.Service.Ticket(context.Background(), apptest.Login("anna", "1"), op.ID)
	if err != nil {
		t.Fatal(err)
	}
	var opened struct {
		Token     string        `json:"token"`
		Operation *signapp.View `json:"operation"`
	}
	w := s.do(call{path: "/sap/v1/session", who: "anna/1", body: fmt.Sprintf(`{"ticket":%q}`, ticket)})
	if err := json.Unmarshal(w.Body.Bytes(), &opened); err != nil || w.Code != 200 {
		t.Fatal(w.Code, w.Body)
	}
	base := "/sap/v1/operations/" + op.ID
	at := func(c call) *httptest.ResponseRecorder {
		c.path, c.who, c.token = base+c.path, "anna/1", opened.Token
		return s.do(c)
	}
	var members map[string]any
	w = at(call{method: "GET"})
	if err := json.Unmarshal(w.Body.Bytes(), &members); err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{"id", "state", "reason", "signer", "asker", "purpose", "level", "key", "alg", "chain", "expires", "return_url", "items"} {
		if _, ok := members[m]; !ok {
			t.Errorf("the view has no %s", m)
		}
	}
	item := members["items"].([]any)[0].(map[string]any)
	for _, m := range []string{"i", "kind", "name", "size", "hash", "signed_attributes", "dtbsr"} {
		if _, ok := item[m]; !ok {
			t.Errorf("the item has no %s", m)
		}
	}
	var req struct {
		Request sap.Signed `json:"request"`
	}
	w = at(call{path: "/request"})
	if err := json.Unmarshal(w.Body.Bytes(), &req); err != nil || w.Code != 200 {
		t.Fatal(w.Code, w.Body)
	}
	if _, err := sap.OpenActivationRequest(&s.Module.Statement.PublicKey, req.Request); err != nil {
		t.Error(err)
	}
	w = at(call{method: "GET", path: "/items/0/document"})
	if w.Code != 200 || !strings.HasPrefix(w.Body.String(), "text") || w.Header().Get("Content-Type") != "application/pdf" || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment") {
		t.Errorf("document: %d %v", w.Code, w.Header())
	}
	checkError(t, "result before signing", at(call{method: "GET", path: "/items/0/result"}), 409, "state")
	checkError(t, "receipt before signing", at(call{method: "GET", path: "/receipt"}), 409, "state")
	sad, proof := s.Module.Device("anna").Approve(t, opened.Operation, req.Request)
	body := fmt.Sprintf(`{"sad":%q,"proof":%q}`, sap.B64(sad), sap.B64(proof))
	var done struct {
		State   string             `json:"state"`
		Receipt *sap.SignedReceipt `json:"receipt"`
	}
	w = at(call{path: "/redeem", body: body})
	if err := json.Unmarshal(w.Body.Bytes(), &done); err != nil || w.Code != 200 || done.Receipt == nil {
		t.Fatal(w.Code, w.Body)
	}
	s.Await(op.ID)
	if w = at(call{path: "/redeem", body: body}); w.Code != 200 || !strings.Contains(w.Body.String(), `"finished"`) {
		t.Errorf("repetition: %d %s", w.Code, w.Body)
	}
	if w = at(call{method: "GET", path: "/items/0/result"}); w.Code != 200 || w.Body.Len() != 4+apptest.Hole {
		t.Errorf("result: %d, %d bytes", w.Code, w.Body.Len())
	}
	if w = at(call{method: "GET", path: "/receipt"}); w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("receipt: %d", w.Code)
	}
	checkError(t, "document after signing", at(call{method: "GET", path: "/items/0/document"}), 409, "state")
	checkError(t, "decline after signing", at(call{path: "/decline", body: `{"reason":""}`}), 409, "state")
	checkError(t, "request after signing", at(call{path: "/request"}), 409, "state")
}

// What is refused at the wire, each with its own code, and for nothing.
func TestRefusals(t *testing.T) {
	s := newSite(t)
	op := s.Create("anna", "text")
	g, _ := s.Open(apptest.Login("anna", "1"), op.ID)
	base := "/sap/v1/operations/" + op.ID
	big := `{"reason":"` + strings.Repeat("x", 5000) + `"}`
	deep := strings.Repeat("[", 100000)
	for name, c := range map[string]struct {
		call
		status int
		code   string
	}{
		"no cookie":            {call{method: "GET", path: base, token: g.Token}, 401, "login_required"},
		"no token":             {call{method: "GET", path: base, who: "anna/1"}, 401, "token_required"},
		"wrong token":          {call{method: "GET", path: base, who: "anna/1", token: "x"}, 404, "not_found"},
		"other login":          {call{method: "GET", path: base, who: "anna/2", token: g.Token}, 404, "not_found"},
		"other signer":         {call{method: "GET", path: base, who: "ben/1", token: g.Token}, 404, "not_found"},
		"other operation":      {call{method: "GET", path: base + "x", who: "anna/1", token: g.Token}, 404, "not_found"},
		"foreign origin":       {call{method: "GET", path: base, who: "anna/1", token: g.Token, origin: "http://evil.example"}, 403, "origin_not_allowed"},
		"app origin":           {call{method: "GET", path: base, who: "anna/1", token: g.Token, origin: apptest.AppOrigin}, 403, "origin_not_allowed"},
		"opaque origin":        {call{method: "GET", path: base, who: "anna/1", token: g.Token, origin: "null"}, 403, "origin_not_allowed"},
		"origin with a suffix": {call{method: "GET", path: base, who: "anna/1", token: g.Token, origin: apptest.SigningOrigin + ".evil.example"}, 403, "origin_not_allowed"},
		"form":                 {call{path: base + "/decline", who: "anna/1", token: g.Token, typ: "application/x-www-form-urlencoded", body: `{"reason":""}`}, 415, "media_type"},
		"plain text":           {call{path: base + "/decline", who: "anna/1", token: g.Token, typ: "text/plain", body: `{"reason":""}`}, 415, "media_type"},
		"no body":              {call{path: base + "/decline", who: "anna/1", token: g.Token, typ: "application/json"}, 400, "invalid"},
		"unknown member":       {call{path: base + "/decline", who: "anna/1", token: g.Token, body: `{"reason":"","x":1}`}, 400, "invalid"},
		"missing member":       {call{path: base + "/decline", who: "anna/1", token: g.Token, body: `{}`}, 400, "invalid"},
		"member twice":         {call{path: base + "/decline", who: "anna/1", token: g.Token, body: `{"reason":"a","reason":"b"}`}, 400, "invalid"},
		"member misspelt":      {call{path: base + "/decline", who: "anna/1", token: g.Token, body: `{"Reason":"a"}`}, 400, "invalid"},
		"two objects":          {call{path: base + "/decline", who: "anna/1", token: g.Token, body: `{"reason":"a"}{}`}, 400, "invalid"},
		"invalid UTF-8":        {call{path: base + "/decline", who: "anna/1", token: g.Token, body: "{\"reason\":\"\xff\"}"}, 400, "invalid"},
		"direction override":   {call{path: base + "/decline", who: "anna/1", token: g.Token, body: "{\"reason\":\"\u202e\"}"}, 400, "invalid"},
		"too large":            {call{path: base + "/decline", who: "anna/1", token: g.Token, body: big}, 413, "too_large"},
		"too deep":             {call{path: base + "/redeem", who: "anna/1", token: g.Token, body: deep}, 400, "invalid"},
		"body where none is":   {call{path: base + "/request", who: "anna/1", token: g.Token, body: `{"x":1}`}, 400, "invalid"},
		"sad not base64url":    {call{path: base + "/redeem", who: "anna/1", token: g.Token, body: `{"sad":"+/=","proof":"AA"}`}, 400, "invalid"},
		"sad empty":            {call{path: base + "/redeem", who: "anna/1", token: g.Token, body: `{"sad":"","proof":"AA"}`}, 400, "invalid"},
		"item out of range":    {call{method: "GET", path: base + "/items/1/document", who: "anna/1", token: g.Token}, 404, "not_found"},
		"item negative":        {call{method: "GET", path: base + "/items/-1/document", who: "anna/1", token: g.Token}, 404, "not_found"},
		"item spelt otherwise": {call{method: "GET", path: base + "/items/00/document", who: "anna/1", token: g.Token}, 404, "not_found"},
		"unknown route":        {call{method: "GET", path: "/sap/v1/none", who: "anna/1"}, 404, "not_found"},
		"method":               {call{method: "DELETE", path: base, who: "anna/1", token: g.Token}, 405, "method"},
		"unknown ticket":       {call{path: "/sap/v1/session", who: "anna/1", body: `{"ticket":"x"}`}, 403, "link_invalid"},
		"ticket without login": {call{path: "/sap/v1/session", body: `{"ticket":"x"}`}, 401, "login_required"},
		"enrol: not base64url": {call{path: "/sap/v1/enrolment/finish", body: `{"id":"a","registration":"="}`}, 400, "invalid"},
	} {
		checkError(t, name, s.do(c.call), c.status, c.code)
	}
	if o, err := s.Service.Get(context.Background(), apptest.Acme, op.ID); err != nil || o.State != signapp.StateShown {
		t.Errorf("a refused call changed the operation: %v, %v", o, err)
	}
	if keys, redeems := s.Module.Uses(); keys+redeems != 0 {
		t.Error("the module was asked")
	}
	s.Module.Set(apptest.Vice{Down: true})
	w := s.do(call{path: base + "/request", who: "anna/1", token: g.Token})
	checkError(t, "module away", w, 503, "unavailable")
	if w.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	s.Module.Set(apptest.Vice{Refuse: true})
	checkError(t, "module refuses", s.do(call{path: base + "/request", who: "anna/1", token: g.Token}), 403, "refused")
	checkError(t, "a device's reason that nobody knows", s.do(call{path: base + "/stopped", who: "anna/1", token: g.Token, body: `{"code":"<b>"}`}), 400, "invalid")
	if w := s.do(call{path: base + "/stopped", who: "anna/1", token: g.Token, body: `{"code":"hole"}`}); w.Code != 200 || w.Body.String() != "{}" {
		t.Errorf("stopped: %d %s", w.Code, w.Body)
	}
	if o, err := s.Service.Get(context.Background(), apptest.Acme, op.ID); err != nil || o.State != signapp.StateShown || o.Stopped != "hole" {
		t.Errorf("the client learns nothing of the device's refusal: %+v, %v", o, err)
	}
	w = s.do(call{path: base + "/decline", who: "anna/1", token: g.Token, body: `{"reason":"not mine"}`})
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"declined: not mine"`) {
		t.Errorf("decline: %d %s", w.Code, w.Body)
	}
}

// Every answer, good or bad, may be read by the signing origin only, is not
// stored and is not interpreted.
func TestHeaders(t *testing.T) {
	s := newSite(t)
	op := s.Create("anna", "text")
	g, _ := s.Open(apptest.Login("anna", "1"), op.ID)
	for name, c := range map[string]call{
		"view":     {method: "GET", path: "/sap/v1/operations/" + op.ID, who: "anna/1", token: g.Token},
		"document": {method: "GET", path: "/sap/v1/operations/" + op.ID + "/items/0/document", who: "anna/1", token: g.Token},
		"error":    {method: "GET", path: "/sap/v1/operations/" + op.ID},
		"unknown":  {method: "GET", path: "/sap/v1/nothing"},
		"enrol":    {path: "/sap/v1/enrolment/begin", body: `{"id":"e1"}`},
	} {
		h := s.do(c).Header()
		for k, want := range map[string]string{
			"Access-Control-Allow-Origin": apptest.SigningOrigin, "Access-Control-Allow-Credentials": "true", "Vary": "Origin",
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		} {
			if h.Get(k) != want {
				t.Errorf("%s: %s is %q", name, k, h.Get(k))
			}
		}
		if !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: a document could run as a page", name)
		}
	}
	for _, origin := range []string{"http://evil.example", apptest.AppOrigin, "null"} {
		w := s.do(call{method: "OPTIONS", path: "/sap/v1/session", origin: origin})
		if w.Code != 403 || w.Header().Get("Access-Control-Allow-Origin") != "" || w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("preflight from %s: %d %v", origin, w.Code, w.Header())
		}
	}
	w := s.do(call{method: "OPTIONS", path: "/sap/v1/operations/x/redeem"})
	if w.Code != 204 || !strings.Contains(w.Header().Get("Access-Control-Allow-Headers"), relay.Header) || w.Header().Get("Access-Control-Allow-Methods") != "GET, POST" {
		t.Errorf("preflight: %d %v", w.Code, w.Header())
	}
	// A program without an origin gets no CORS headers, and the same checks.
	w = s.do(call{method: "GET", path: "/sap/v1/operations/" + op.ID, origin: "none", who: "anna/1", token: g.Token})
	if w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("program: %d %v", w.Code, w.Header())
	}
}

// Enrolment is passed through unchanged, needs no login, and is rationed.
func TestEnrolment(t *testing.T) {
	s := newSite(t)
	w := s.do(call{path: "/sap/v1/enrolment/begin", body: `{"id":"enrol-1"}`})
	if w.Code != 200 || !strings.Contains(w.Body.String(), sap.B64([]byte("enrol-1"))) {
		t.Errorf("begin: %d %s", w.Code, w.Body)
	}
	w = s.do(call{path: "/sap/v1/enrolment/finish", body: `{"id":"enrol-1","registration":"` + sap.B64([]byte(`{"a":1}`)) + `"}`})
	var out sapclient.EnrolFinishOut
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || out.Signer != "enrol-1" || out.Credential != sap.B64([]byte(`{"a":1}`)) {
		t.Errorf("finish: %d %s", w.Code, w.Body)
	}
	s.Module.Set(apptest.Vice{Refuse: true})
	checkError(t, "refused", s.do(call{path: "/sap/v1/enrolment/begin", body: `{"id":"enrol-1"}`}), 403, "refused")
	s.Module.Set(apptest.Vice{})
	busy := 0
	for range 100 {
		if s.do(call{path: "/sap/v1/enrolment/begin", body: `{"id":"x"}`}).Code == 429 {
			busy++
		}
	}
	if busy < 50 {
		t.Errorf("only %d of 100 calls were put off", busy)
	}
}

// ENR-04: whose passkeys are listed and changed comes from the login session and
// from nothing that a page sends; without one, or from another origin, nothing is
// asked of the module.
func TestENR04RelayOfPasskeys(t *testing.T) {
	s := newSite(t)
	const base = "/sap/v1/passkeys/"
	bodies := map[string]string{
		"list": `{"after":3,"nonce":"bm9uY2U"}`, "change": `{"action":"add","target":""}`, "finish": `{"change":"` + sap.B64([]byte("{}")) + `","id":"c-1"}`,
	}
	wants := map[string]string{"list": "list of anna", "change": "add for anna", "finish": sap.B64([]byte("{}"))}
	for name, body := range bodies {
		if w := s.do(call{path: base + name, who: "anna/1", body: body}); w.Code != 200 || !strings.Contains(w.Body.String(), wants[name]) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		checkError(t, name+" without login", s.do(call{path: base + name, body: body}), 401, "login_required")
		checkError(t, name+" from elsewhere", s.do(call{path: base + name, who: "anna/1", body: body, origin: "http://evil.example"}), 403, "origin_not_allowed")
		checkError(t, name+" as a form", s.do(call{path: base + name, who: "anna/1", body: body, typ: "text/plain"}), 415, "media_type")
		more := strings.Replace(body, "{", `{"signer":"bob",`, 1)
		checkError(t, name+" for bob", s.do(call{path: base + name, who: "anna/1", body: more}), 400, "invalid")
	}
	checkError(t, "no base64url", s.do(call{path: base + "finish", who: "anna/1", body: `{"change":"=","id":"c-1"}`}), 400, "invalid")
	busy := 0
	for range 100 {
		if s.do(call{path: base + "change", who: "anna/1", body: bodies["change"]}).Code == 429 {
			busy++
		}
	}
	if busy < 50 {
		t.Errorf("only %d of 100 calls were put off", busy)
	}
}

// ENR-04, T18, T27: a stranger who asks for enrolments without end keeps nobody from registering, and no signer from
// looking at their passkeys, removing one that was stolen, or stopping one that was added: nor does another signer.
func TestENR04StrangersDoNotHoldUpSigners(t *testing.T) {
	s := newSite(t)
	change := func(who string) int {
		return s.do(call{path: "/sap/v1/passkeys/change", who: who, body: `{"action":"remove","target":""}`}).Code
	}
	for range 200 {
		s.do(call{path: "/sap/v1/enrolment/begin", body: `{"id":"x"}`, from: "198.51.100.1:80"})
		change("mallory/1")
	}
	if code := change("anna/1"); code != 200 {
		t.Errorf("a signer cannot remove a passkey: %d", code)
	}
	if code := s.do(call{path: "/sap/v1/enrolment/begin", body: `{"id":"x"}`, from: "198.51.100.2:80"}).Code; code != 200 {
		t.Errorf("a person cannot register: %d", code)
	}
	if code := s.do(call{path: "/sap/v1/enrolment/begin", body: `{"id":"x"}`, from: "198.51.100.1:81"}).Code; code != 429 {
		t.Errorf("the stranger is not put off: %d", code)
	}
}

// FuzzBodies: no body makes a call panic, succeed with a forged approval, or
// answer outside the one error form.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{`{"sad":"AA","proof":"AA"}`, `{"reason":"x"}`, `{"ticket":"x"}`, `{}`, `[`, `{"sad":1e999}`, `{"a":{"a":{"a":[]}}}`, "{\"reason\":\"\u202e\"}", `null`, `{"reason":null}`, `{"action":"add","target":""}`, `{"id":"x","change":"AA"}`} {
		for i := range 5 {
			f.Add(i, []byte(seed))
		}
	}
	s := newSite(f)
	op := s.Create("anna", "text")
	g, _ := s.Open(apptest.Login("anna", "1"), op.ID)
	base := "/sap/v1/operations/" + op.ID
	paths := []string{base + "/redeem", "/sap/v1/session", base + "/request", "/sap/v1/enrolment/begin", "/sap/v1/enrolment/finish"}
	f.Fuzz(func(t *testing.T, which int, body []byte) {
		path := paths[(which%len(paths)+len(paths))%len(paths)]
		req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(string(body)))
		req.Header.Set("Content-Type", "application/json")
		req.AddCookie(&http.Cookie{Name: "who", Value: "anna/1"})
		req.Header.Set(relay.Header, g.Token)
		w := httptest.NewRecorder()
		s.h.ServeHTTP(w, req)
		out, err := io.ReadAll(w.Body)
		if err != nil || !json.Valid(out) {
			t.Fatalf("answer %q", out)
		}
		if strings.HasSuffix(path, "/redeem") && w.Code == 200 {
			t.Fatalf("forged approval was taken: %q", body)
		}
		if w.Code >= 500 {
			t.Fatalf("%d for %q: %s", w.Code, body, out)
		}
	})
}

// teller is a module that tells a chain, or cannot be asked.
type teller struct {
	chain []sap.SignedSuccession
	err   error
}

func (m teller) Info(context.Context) (*sapclient.Info, error) {
	return &sapclient.Info{Successions: m.chain}, m.err
}

// KPR-06: how the module's keys follow one another is passed on to whoever asks, without a
// login, unchanged, and rationed.
func TestKPR06SuccessionsAreRelayed(t *testing.T) {
	s := newSite(t)
	ask := func(m signapp.Teller) *httptest.ResponseRecorder {
		t.Helper()
		rel, err := relay.New(relay.Config{Service: s.Service, Enroller: s.Module, Keeper: s.Module, Teller: m, Sessions: cookies{}, SigningOrigin: apptest.SigningOrigin})
		if err != nil {
			t.Fatal(err)
		}
		r := chi.NewRouter()
		rel.Mount(r)
		s.h = r
		return s.do(call{method: "GET", path: "/sap/v1/successions"})
	}
	for want, m := range map[string]signapp.Teller{
		`{"successions":[]}`: nil,
		`{"successions":[{"statement":"a","signature":"b","proof":"c"}]}`: teller{chain: []sap.SignedSuccession{{Statement: "a", Signature: "b", Proof: "c"}}},
	} {
		if w := ask(m); w.Code != 200 || strings.TrimSpace(w.Body.String()) != want || w.Header().Get("Access-Control-Allow-Origin") != apptest.SigningOrigin {
			t.Errorf("%d %s, want %s", w.Code, w.Body, want)
		}
	}
	checkError(t, "away", ask(teller{err: errors.New("away")}), 503, "unavailable")
	busy := 0
	for range 100 {
		if s.do(call{method: "GET", path: "/sap/v1/successions"}).Code == 429 {
			busy++
		}
	}
	if busy < 50 {
		t.Errorf("only %d of 100 calls were put off", busy)
	}
}
