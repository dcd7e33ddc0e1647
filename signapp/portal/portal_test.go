package portal_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/appsqlite"
	"github.com/assent-sign/assent/signapp/apptest"
	"github.com/assent-sign/assent/signapp/portal"
	"github.com/assent-sign/assent/signapp/relay"
)

type site struct {
	*apptest.Rig
	portal  *portal.Portal
	handler http.Handler
}

func newSite(t *testing.T, change func(*portal.Config)) *site {
	t.Helper()
	s := &site{Rig: apptest.NewRig(t, func(p string) (signapp.Store, error) { return appsqlite.Open(p, appsqlite.Options{}) }, nil)}
	cfg := portal.Config{Service: s.Service, Store: s.Store, AppOrigin: apptest.AppOrigin, SigningOrigin: apptest.SigningOrigin,
		Name: "Assent test", Demo: true, UploadWorker: "paper", MaxDocument: 1 << 20, Clock: s.Clock}
	if change != nil {
		change(&cfg)
	}
	var err error
	if s.portal, err = portal.New(cfg); err != nil {
		t.Fatal(err)
	}
	rel, err := relay.New(relay.Config{Service: s.Service, Enroller: s.Module, Keeper: s.Module, Sessions: s.portal, SigningOrigin: apptest.SigningOrigin})
	if err != nil {
		t.Fatal(err)
	}
	r := chi.NewRouter()
	s.portal.Mount(r)
	rel.Mount(r)
	s.handler = r
	return s
}

// person invites a signer and registers a login passkey in a new browser.
func (s *site) person(signer string) *apptest.Browser {
	s.T.Helper()
	link, _, err := s.portal.Invite(context.Background(), signer, "Person "+signer)
	if err != nil {
		s.T.Fatal(err)
	}
	b := apptest.NewBrowser(s.T, s.handler)
	status(s.T, b.Register(link), http.StatusOK)
	return b
}

func status(t testing.TB, res *http.Response, want int) string {
	t.Helper()
	body := apptest.Body(t, res)
	if res.StatusCode != want {
		t.Fatalf("status %d, want %d: %.300s", res.StatusCode, want, body)
	}
	return body
}

func location(t testing.TB, res *http.Response) string {
	t.Helper()
	status(t, res, http.StatusSeeOther)
	return res.Header.Get("Location")
}

func cookieValue(b *apptest.Browser) string {
	u, _ := url.Parse(apptest.AppOrigin)
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == "assent_session" {
			return c.Value
		}
	}
	return ""
}

// A person joins once by invitation, logs out, logs in again and sees the list.
func TestJoinLoginLogout(t *testing.T) {
	s := newSite(t, nil)
	link, expires, err := s.portal.Invite(context.Background(), "anna", "Anna Example")
	if err != nil || !expires.After(s.Clock.Now()) {
		t.Fatal(err)
	}
	b := apptest.NewBrowser(t, s.handler)
	if page := status(t, b.Get(strings.TrimPrefix(link, apptest.AppOrigin)), http.StatusOK); !strings.Contains(page, "Welcome, Anna Example") {
		t.Error("the invitation does not greet")
	}
	status(t, b.Register(link), http.StatusOK)
	if page := status(t, b.Get("/"), http.StatusOK); !strings.Contains(page, "Waiting for you") || !strings.Contains(page, "Log out Anna Example") {
		t.Errorf("no list after joining: %s", page)
	}
	first := cookieValue(b)
	if got := location(t, b.Post("/logout", "application/x-www-form-urlencoded", "")); got != "/" {
		t.Errorf("logout leads to %s", got)
	}
	if page := status(t, b.Get("/"), http.StatusOK); !strings.Contains(page, "New here?") || cookieValue(b) != "" {
		t.Error("still logged in after logout")
	}
	// A copy of the old cookie is worthless.
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	req.AddCookie(&http.Cookie{Name: "assent_session", Value: first})
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, req)
	if !strings.Contains(w.Body.String(), "New here?") {
		t.Error("a logged-out cookie still works")
	}
	if got := status(t, b.LogIn("/history", apptest.Assertion{}), http.StatusOK); got != `{"next":"/history"}` {
		t.Errorf("login answers %s", got)
	}
	if cookieValue(b) == first || cookieValue(b) == "" {
		t.Error("the session was not renewed")
	}
	// The invitation worked once.
	other := apptest.NewBrowser(t, s.handler)
	status(t, other.Register(link), http.StatusForbidden)
	status(t, other.Get(strings.TrimPrefix(link, apptest.AppOrigin)), http.StatusForbidden)
}

// ENR-07: what a login refuses, an assertion of the signing origin among it; each
// leaves nobody logged in.
func TestLoginRefusals(t *testing.T) {
	s := newSite(t, nil)
	anna, ben := s.person("anna"), s.person("ben")
	for name, a := range map[string]apptest.Assertion{
		"assertion made at the signing origin": {Origin: apptest.SigningOrigin},
		"foreign origin":                       {Origin: "http://localhost:9999"},
		"user not verified":                    {Unverified: true},
		"another signer's handle":              {Handle: []byte("somebody else")},
	} {
		b := anna.SameDevice()
		status(t, b.LogIn("/", a), http.StatusForbidden)
		if cookieValue(b) != "" {
			t.Errorf("%s: logged in", name)
		}
	}
	stranger := apptest.NewBrowser(t, s.handler)
	status(t, stranger.LogIn("/", apptest.Assertion{}), http.StatusForbidden)

	// A challenge is answered once, in the browser that asked, in time.
	b := anna.SameDevice()
	options := status(t, b.Post("/login/begin", "application/json", ""), http.StatusOK)
	status(t, ben.SameDevice().FinishLogIn(options, "/", apptest.Assertion{}), http.StatusBadRequest)
	s.Clock.Advance(6 * time.Minute)
	status(t, b.FinishLogIn(options, "/", apptest.Assertion{}), http.StatusBadRequest)
	options = status(t, b.Post("/login/begin", "application/json", ""), http.StatusOK)
	jar := *b
	status(t, b.FinishLogIn(options, "/", apptest.Assertion{}), http.StatusOK)
	status(t, jar.FinishLogIn(options, "/", apptest.Assertion{}), http.StatusBadRequest)

	// A counter that goes back shows a copy.
	b.SetCounter(100)
	status(t, b.LogIn("/", apptest.Assertion{}), http.StatusOK)
	b.SetCounter(5)
	status(t, b.LogIn("/", apptest.Assertion{}), http.StatusForbidden)

	// A login ceremony does not answer for a registration and the reverse.
	link, _, err := s.portal.Invite(context.Background(), "anna", "Anna")
	if err != nil {
		t.Fatal(err)
	}
	c := anna.SameDevice()
	status(t, c.Post("/login/begin", "application/json", ""), http.StatusOK)
	status(t, c.Post(strings.TrimPrefix(link, apptest.AppOrigin)+"/finish", "application/json", "{}"), http.StatusBadRequest)
}

// T8: a session planted before the login is not the session after it, and the
// browser's former session dies.
func TestSessionRotation(t *testing.T) {
	s := newSite(t, nil)
	b := s.person("anna")
	old := cookieValue(b)
	planted := "planted-by-the-attacker"
	u, _ := url.Parse(apptest.AppOrigin)
	victim := b.SameDevice()
	victim.Jar.SetCookies(u, []*http.Cookie{{Name: "assent_session", Value: planted, Path: "/"}})
	status(t, victim.LogIn("/", apptest.Assertion{}), http.StatusOK)
	if v := cookieValue(victim); v == planted || v == old {
		t.Fatal("session was not renewed")
	}
	status(t, b.LogIn("/", apptest.Assertion{}), http.StatusOK)
	req := httptest.NewRequest(http.MethodGet, "/history", nil)
	req.AddCookie(&http.Cookie{Name: "assent_session", Value: old})
	if _, ok := s.portal.SignerOf(req); ok {
		t.Error("the former session lives on")
	}
	// Two cookies of the name: somebody tossed one in; neither counts.
	req = httptest.NewRequest(http.MethodGet, "/history", nil)
	req.AddCookie(&http.Cookie{Name: "assent_session", Value: cookieValue(b)})
	if _, ok := s.portal.SignerOf(req); !ok {
		t.Fatal("the session does not work")
	}
	req.AddCookie(&http.Cookie{Name: "assent_session", Value: planted})
	if _, ok := s.portal.SignerOf(req); ok {
		t.Error("an ambiguous cookie was believed")
	}
	s.Clock.Advance(9 * time.Hour)
	if !strings.HasPrefix(location(t, b.Get("/history")), apptest.AppOrigin+"/login?next=%2Fhistory") {
		t.Error("a session outlives its time")
	}
}

// T8, in all orders: ticket, token, link and approval of one session are worth
// nothing in another session, of another signer or of the same one.
func TestSessionFixation(t *testing.T) {
	s := newSite(t, nil)
	anna, ben := s.person("anna"), s.person("ben")
	annaToo := anna.SameDevice()
	status(t, annaToo.LogIn("/", apptest.Assertion{}), http.StatusOK)

	op := s.Create("anna", "text")
	link := strings.TrimPrefix(op.ApprovalURL, apptest.AppOrigin)
	// Nobody: asked to log in, and the link is kept.
	if to := location(t, apptest.NewBrowser(t, s.handler).Get(link)); to != s.portal.LoginURL(link) {
		t.Errorf("link leads to %s", to)
	}
	// Another signer: refused, and the link is kept.
	status(t, ben.Get(link), http.StatusForbidden)
	// A prefetch uses nothing.
	req := httptest.NewRequest(http.MethodGet, link, nil)
	req.Header.Set("Sec-Purpose", "prefetch")
	status(t, anna.Do(req), http.StatusServiceUnavailable)
	to := location(t, anna.Get(link))
	// Used: refused even to its signer.
	status(t, anna.Get(link), http.StatusForbidden)

	// The ticket: with Ben's cookie, with none, with Anna's other session.
	hand := func() string {
		return location(t, anna.Post("/operations/"+op.ID+"/open", "application/x-www-form-urlencoded", ""))
	}
	for name, b := range map[string]*apptest.Browser{"ben": ben, "anna elsewhere": annaToo} {
		stolen := hand()
		_, ticket := apptest.Hash(t, stolen)
		status(t, b.App("/sap/v1/session", "", map[string]string{"ticket": ticket}, nil), http.StatusForbidden)
		// It has leaked: now its owner cannot use it either.
		if res := anna.App("/sap/v1/session", "", map[string]string{"ticket": ticket}, nil); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: a leaked ticket still works", name)
		}
	}
	_, ticket := apptest.Hash(t, to)
	status(t, apptest.NewBrowser(t, s.handler).App("/sap/v1/session", "", map[string]string{"ticket": ticket}, nil), http.StatusUnauthorized)
	id, token, view := anna.OpenApp(to)
	status(t, anna.App("/sap/v1/session", "", map[string]string{"ticket": ticket}, nil), http.StatusForbidden) // single use

	// A ticket is over after 60 seconds.
	late := hand()
	s.Clock.Advance(61 * time.Second)
	_, lateTicket := apptest.Hash(t, late)
	status(t, anna.App("/sap/v1/session", "", map[string]string{"ticket": lateTicket}, nil), http.StatusForbidden)

	// The approval made in Anna's session.
	var ro struct {
		Request sap.Signed `json:"request"`
	}
	status(t, anna.App("/sap/v1/operations/"+id+"/request", token, struct{}{}, &ro), http.StatusOK)
	sad, proof := s.Module.Device("anna").Approve(t, view, ro.Request)
	in := map[string]string{"sad": sap.B64(sad), "proof": sap.B64(proof)}
	path := "/sap/v1/operations/" + id + "/redeem"

	benOp := s.Create("ben", "ben's text")
	_, benToken, _ := ben.OpenApp(location(t, ben.Post("/operations/"+benOp.ID+"/open", "application/x-www-form-urlencoded", "")))
	for name, c := range map[string]struct {
		b     *apptest.Browser
		path  string
		token string
		want  int
	}{
		"ben's cookie, anna's token":             {ben, path, token, http.StatusNotFound},
		"ben's cookie and token":                 {ben, path, benToken, http.StatusNotFound},
		"ben redeems it for his own operation":   {ben, "/sap/v1/operations/" + benOp.ID + "/redeem", benToken, http.StatusBadRequest},
		"anna's other session, anna's token":     {annaToo, path, token, http.StatusNotFound},
		"no login":                               {apptest.NewBrowser(t, s.handler), path, token, http.StatusUnauthorized},
		"anna without token":                     {anna, path, "", http.StatusUnauthorized},
		"anna with ben's token":                  {anna, path, benToken, http.StatusNotFound},
		"anna's token for another operation":     {anna, "/sap/v1/operations/" + benOp.ID + "/redeem", token, http.StatusNotFound},
		"anna's cookie as the operation's token": {anna, path, cookieValue(anna), http.StatusNotFound},
	} {
		if res := c.b.App(c.path, c.token, in, nil); res.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", name, res.StatusCode, c.want)
		}
	}
	if keys, redeems := s.Module.Uses(); keys+redeems != 0 {
		t.Fatalf("the module was asked %d times", redeems)
	}
	// And where it belongs.
	var out struct {
		State   string             `json:"state"`
		Receipt *sap.SignedReceipt `json:"receipt"`
	}
	status(t, anna.App(path, token, in, &out), http.StatusOK)
	if out.Receipt == nil {
		t.Fatal("no receipt")
	}
	if o := s.Await(op.ID); o.State != signapp.StateFinished {
		t.Fatalf("state %s", o.State)
	}
	// A logout voids the app's token.
	status(t, anna.App("/sap/v1/operations/"+id, token, nil, nil), http.StatusOK)
	location(t, anna.Post("/logout", "application/x-www-form-urlencoded", ""))
	status(t, anna.LogIn("/", apptest.Assertion{}), http.StatusOK)
	status(t, anna.App("/sap/v1/operations/"+id, token, nil, nil), http.StatusNotFound)
}

// T7, T8: every page has the headers, whatever its outcome; nothing is inline;
// forms of other origins are refused.
func TestHeadersAndForeignForms(t *testing.T) {
	s := newSite(t, nil)
	anna := s.person("anna")
	s.Create("anna", "text")
	inline := regexp.MustCompile(`(?i)<script[^>]*>[^<]|\son[a-z]+=|style=|<style|javascript:`)
	for _, path := range []string{"/", "/login", "/login?next=/history", "/history", "/upload", "/join/nothing", "/approve/nothing",
		"/operations/none", "/operations/none/items/0", "/operations/none/receipt", "/assets/portal.js", "/assets/portal.css", "/assets/none.js"} {
		for who, b := range map[string]*apptest.Browser{"anna": anna, "nobody": apptest.NewBrowser(t, s.handler)} {
			res := b.Get(path)
			h := res.Header
			csp := h.Get("Content-Security-Policy")
			for _, need := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"} {
				if !strings.Contains(csp, need) {
					t.Errorf("%s as %s: CSP lacks %s", path, who, need)
				}
			}
			if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
				t.Errorf("%s: CSP %s", path, csp)
			}
			for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
				"Cross-Origin-Opener-Policy": "same-origin", "X-Frame-Options": "DENY"} {
				if h.Get(name) != want {
					t.Errorf("%s as %s: %s is %q", path, who, name, h.Get(name))
				}
			}
			body := apptest.Body(t, res)
			if strings.HasPrefix(h.Get("Content-Type"), "text/html") && res.StatusCode != http.StatusSeeOther {
				if m := inline.FindString(body); m != "" {
					t.Errorf("%s: inline code %q", path, m)
				}
				if !strings.Contains(body, `<html lang="en">`) || !strings.Contains(body, "<h1>") || !strings.Contains(body, "Demonstration") || !strings.Contains(body, `name="viewport"`) {
					t.Errorf("%s: page lacks language, heading, ribbon or viewport", path)
				}
			}
		}
	}
	for _, path := range []string{"/logout", "/upload", "/login/begin", "/login/finish", "/operations/none/open"} {
		for name, head := range map[string][2]string{
			"cross-site":     {"Sec-Fetch-Site", "cross-site"},
			"same-site":      {"Sec-Fetch-Site", "same-site"},
			"foreign origin": {"Origin", "http://evil.example"},
			"signing origin": {"Origin", apptest.SigningOrigin},
		} {
			req := httptest.NewRequest(http.MethodPost, path, nil)
			req.Header.Set(head[0], head[1])
			if res := anna.Do(req); res.StatusCode != http.StatusForbidden {
				t.Errorf("POST %s %s: %d", path, name, res.StatusCode)
			}
		}
	}
	if cookieValue(anna) == "" {
		t.Error("a foreign form logged Anna out")
	}
}

// T18, T27: one address that begins logins without end keeps nobody else from logging in, and is put off itself.
func TestT18OneAddressDoesNotHoldUpLogins(t *testing.T) {
	s := newSite(t, nil)
	begin := func(from string) int {
		req := httptest.NewRequest(http.MethodPost, "/login/begin", nil)
		req.RemoteAddr = from
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, req)
		return w.Code
	}
	for range 200 {
		begin("198.51.100.1:80")
	}
	if code := begin("198.51.100.2:80"); code != http.StatusOK {
		t.Errorf("another address: %d", code)
	}
	if code := begin("198.51.100.1:81"); code != http.StatusTooManyRequests {
		t.Errorf("the same address: %d", code)
	}
}

// Cookies are bound to the origin as tightly as it allows.
func TestCookieAttributes(t *testing.T) {
	for origin, want := range map[string]string{
		"http://localhost:8440": "assent_ceremony=; HttpOnly; SameSite=Strict; Path=/",
		"https://sign.example":  "__Host-assent_ceremony=; HttpOnly; SameSite=Strict; Path=/; Secure",
	} {
		s := newSite(t, func(c *portal.Config) { c.AppOrigin = origin })
		res := apptest.NewBrowser(t, s.handler).Post("/login/begin", "application/json", "")
		if origin != apptest.AppOrigin {
			req := httptest.NewRequest(http.MethodPost, "/login/begin", nil)
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, req)
			res = w.Result()
		}
		got := res.Header.Get("Set-Cookie")
		parts := strings.Split(want, "; ")
		if !strings.HasPrefix(got, parts[0]) {
			t.Errorf("%s: cookie %q", origin, got)
		}
		for _, p := range parts[1:] {
			if !strings.Contains(got, "; "+p) {
				t.Errorf("%s: cookie lacks %s", origin, p)
			}
		}
		if strings.Contains(got, "Domain") || strings.Contains(got, "Secure") != strings.HasPrefix(origin, "https") {
			t.Errorf("%s: cookie %q", origin, got)
		}
	}
}

// No open redirect: next is a local path or nothing.
func TestLoginNextStaysLocal(t *testing.T) {
	s := newSite(t, nil)
	anna := s.person("anna")
	for next, want := range map[string]string{
		"/approve/abc":                  "/approve/abc",
		"/oauth2/authorize?a=b&c=d%20e": "/oauth2/authorize?a=b&c=d%20e",
		"":                              "/",
		"//evil.example":                "/",
		"/\\evil.example":               "/",
		"https://evil.example/":         "/",
		"javascript:alert(1)":           "/",
		"evil":                          "/",
		"/\t/evil.example":              "/",
		"/%5cevil":                      "/%5cevil",
		"/" + strings.Repeat("a", 9000): "/",
	} {
		if got := location(t, anna.Get("/login?next="+url.QueryEscape(next))); got != want {
			t.Errorf("%q leads to %q", next, got)
		}
		if got := status(t, anna.LogIn(next, apptest.Assertion{}), http.StatusOK); !strings.Contains(strings.ReplaceAll(got, `\u0026`, "&"), fmt.Sprintf(`"next":%q`, want)) {
			t.Errorf("%q: login answers %.60s", next, got)
		}
	}
}

// T5: text from outside is text on every page.
func TestMarkupInTextStaysText(t *testing.T) {
	s := newSite(t, nil)
	const evil = `<img src=x onerror=alert(1)>"'`
	link, _, err := s.portal.Invite(context.Background(), "anna", "Anna "+evil)
	if err != nil {
		t.Fatal(err)
	}
	b := apptest.NewBrowser(t, s.handler)
	pages := []string{status(t, b.Get(strings.TrimPrefix(link, apptest.AppOrigin)), 200)}
	status(t, b.Register(link), 200)
	c := signapp.Client{ID: "evil", Name: "Evil " + evil}
	d, err := s.Service.Upload(context.Background(), c, evil+".pdf", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	op, err := s.Service.Create(context.Background(), c, signapp.NewOperation{Signer: "anna", Purpose: "Why " + evil, Items: []signapp.NewItem{{Document: d.ID, Worker: "paper"}}})
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, status(t, b.Get("/"), 200), status(t, b.Get("/operations/"+op.ID), 200))
	_, token, _ := b.OpenApp(location(t, b.Post("/operations/"+op.ID+"/open", "application/x-www-form-urlencoded", "")))
	status(t, b.App("/sap/v1/operations/"+op.ID+"/decline", token, map[string]string{"reason": evil}, nil), 200)
	pages = append(pages, status(t, b.Get("/history"), 200))
	for i, p := range pages {
		if strings.Contains(p, "<img") || !strings.Contains(p, "&lt;img") {
			t.Errorf("page %d: markup of a caller came through or its text is missing", i)
		}
	}
	for _, bad := range []string{"", "Anna\nX", "\u202eAnna"} {
		if _, _, err := s.portal.Invite(context.Background(), "anna", bad); err == nil {
			t.Errorf("invited %q", bad)
		}
	}
}

// An approval link of an operation that has ended shows how it ended.
func TestLinkOfEndedOperation(t *testing.T) {
	s := newSite(t, nil)
	anna := s.person("anna")
	op := s.Create("anna", "text")
	if _, err := s.Service.Cancel(context.Background(), apptest.Acme, op.ID); err != nil {
		t.Fatal(err)
	}
	to := location(t, anna.Get(strings.TrimPrefix(op.ApprovalURL, apptest.AppOrigin)))
	if to != "/operations/"+op.ID {
		t.Fatalf("leads to %s", to)
	}
	if page := status(t, anna.Get(to), 200); !strings.Contains(page, "withdrawn by the sender") {
		t.Error("does not say how it ended")
	}
	status(t, anna.Post("/operations/"+op.ID+"/open", "application/x-www-form-urlencoded", ""), http.StatusConflict)
}
