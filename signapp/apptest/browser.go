package apptest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/descope/virtualwebauthn"

	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/relay"
)

// Browser is a person's browser with its own cookies and login passkey. It
// speaks to a handler as if that were the app origin.
type Browser struct {
	T       testing.TB
	Handler http.Handler
	Jar     *cookiejar.Jar
	auth    virtualwebauthn.Authenticator
	cred    *virtualwebauthn.Credential // shared by the browsers of one device, as its counter is
}

// NewBrowser returns a browser without cookies and passkeys.
func NewBrowser(t testing.TB, h http.Handler) *Browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	cred := NewPasskey()
	return &Browser{T: t, Handler: h, Jar: jar, auth: virtualwebauthn.NewAuthenticator(), cred: &cred}
}

// NewPasskey makes a login passkey. virtualwebauthn writes a P-256 coordinate
// that begins with a zero byte in fewer than 32 bytes, which COSE forbids (RFC
// 9053 section 7.1.1) and go-webauthn refuses; one key in 128 is such a one.
func NewPasskey() virtualwebauthn.Credential {
	const whole = 77 // bytes of a COSE key with two coordinates of 32
	for {
		if c := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2); len(c.Key.AttestationData()) == whole {
			return c
		}
	}
}

// SameDevice returns another browser of the same person: no cookies, the same
// passkey.
func (b *Browser) SameDevice() *Browser {
	o := NewBrowser(b.T, b.Handler)
	o.auth, o.cred = b.auth, b.cred
	return o
}

var appURL = func() *url.URL {
	u, err := url.Parse(AppOrigin)
	if err != nil {
		panic(err) // a constant
	}
	return u
}()

// Do sends a request and keeps the cookies of the answer. Redirects are not
// followed.
func (b *Browser) Do(req *http.Request) *http.Response {
	b.T.Helper()
	req.Host = appURL.Host
	for _, c := range b.Jar.Cookies(appURL) {
		req.AddCookie(c)
	}
	w := httptest.NewRecorder()
	b.Handler.ServeHTTP(w, req)
	res := w.Result()
	b.Jar.SetCookies(appURL, res.Cookies())
	return res
}

// Get opens a page.
func (b *Browser) Get(path string) *http.Response {
	b.T.Helper()
	return b.Do(httptest.NewRequestWithContext(b.T.Context(), http.MethodGet, path, nil))
}

// Post submits a form of the app origin's own pages.
func (b *Browser) Post(path, typ, body string) *http.Response {
	b.T.Helper()
	req := httptest.NewRequestWithContext(b.T.Context(), http.MethodPost, path, strings.NewReader(body))
	req.Header.Set("Content-Type", typ)
	req.Header.Set("Origin", AppOrigin)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.Do(req)
}

// App calls the relay as the signer's app at the signing origin does. in nil:
// GET.
func (b *Browser) App(path, token string, in, out any) *http.Response {
	b.T.Helper()
	method, body := http.MethodGet, io.Reader(nil)
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			b.T.Fatal(err)
		}
		method, body = http.MethodPost, bytes.NewReader(text)
	}
	req := httptest.NewRequestWithContext(b.T.Context(), method, path, body)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Origin", SigningOrigin)
	if token != "" {
		req.Header.Set(relay.Header, token)
	}
	res := b.Do(req)
	if out != nil && res.StatusCode == http.StatusOK {
		if err := json.NewDecoder(res.Body).Decode(out); err != nil {
			b.T.Fatal(err)
		}
	}
	return res
}

// Body reads an answer.
func Body(t testing.TB, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (b *Browser) rp(origin string) virtualwebauthn.RelyingParty {
	return virtualwebauthn.RelyingParty{Name: "Test", ID: RPID, Origin: origin}
}

// Register begins and ends a registration under an invitation link.
func (b *Browser) Register(link string) *http.Response {
	b.T.Helper()
	path := strings.TrimPrefix(link, AppOrigin)
	begin := b.Post(path+"/begin", "application/json", "")
	if begin.StatusCode != http.StatusOK {
		return begin
	}
	opt, err := virtualwebauthn.ParseAttestationOptions(Body(b.T, begin))
	if err != nil {
		b.T.Fatal(err)
	}
	b.auth.Options.UserHandle = []byte(opt.UserID)
	return b.Post(path+"/finish", "application/json", virtualwebauthn.CreateAttestationResponse(b.rp(AppOrigin), b.auth, *b.cred, *opt))
}

// Assertion is what an authenticator is told to do differently.
type Assertion struct {
	Origin     string // "" for the app origin
	Unverified bool
	Handle     []byte
}

// LogIn begins and ends a login that goes on to next.
func (b *Browser) LogIn(next string, a Assertion) *http.Response {
	b.T.Helper()
	begin := b.Post("/login/begin", "application/json", "")
	if begin.StatusCode != http.StatusOK {
		return begin
	}
	return b.FinishLogIn(Body(b.T, begin), next, a)
}

// FinishLogIn answers login options.
func (b *Browser) FinishLogIn(options, next string, a Assertion) *http.Response {
	b.T.Helper()
	opt, err := virtualwebauthn.ParseAssertionOptions(options)
	if err != nil {
		b.T.Fatal(err)
	}
	if a.Origin == "" {
		a.Origin = AppOrigin
	}
	auth := b.auth
	auth.Options.UserNotVerified = a.Unverified
	if a.Handle != nil {
		auth.Options.UserHandle = a.Handle
	}
	b.cred.Counter++
	return b.Post("/login/finish?next="+url.QueryEscape(next), "application/json",
		virtualwebauthn.CreateAssertionResponse(b.rp(a.Origin), auth, *b.cred, *opt))
}

// SetCounter sets the passkey's signature counter.
func (b *Browser) SetCounter(n uint32) { b.cred.Counter = n }

// Hash reads the parts of a hand-over address: #op=…&ticket=….
func Hash(t testing.TB, location string) (op, ticket string) {
	t.Helper()
	rest, ok := strings.CutPrefix(location, SigningOrigin+"/#")
	if !ok {
		t.Fatalf("%q is not at the signing origin", location)
	}
	v, err := url.ParseQuery(rest)
	if err != nil {
		t.Fatal(err)
	}
	return v.Get("op"), v.Get("ticket")
}

// OpenApp exchanges the ticket of a hand-over address.
func (b *Browser) OpenApp(location string) (op, token string, v *signapp.View) {
	b.T.Helper()
	op, ticket := Hash(b.T, location)
	var out struct {
		Token     string        `json:"token"`
		Operation *signapp.View `json:"operation"`
	}
	if res := b.App("/sap/v1/session", "", map[string]string{"ticket": ticket}, &out); res.StatusCode != http.StatusOK {
		b.T.Fatalf("session: %d %s", res.StatusCode, Body(b.T, res))
	}
	return op, out.Token, out.Operation
}
