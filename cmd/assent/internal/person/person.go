// Package person is a signer made of software, for the demo and for scripts: a
// login passkey of the app origin, a signing authenticator (sap/device), and the
// steps that a person takes in a browser, over the same HTTP interfaces: join by
// invitation, enrol with the officer's code, log in, follow an approval link,
// read the document, approve, fetch receipt and result.
//
// It is no signer in any sense that counts. Whoever runs the program is "the
// user", and its keys lie in a file.
package person

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/device"
)

// ErrAnswer means that the service did not answer as expected; wrapped with what it said.
var ErrAnswer = errors.New("person: the service refused or did not answer as expected")

// tokenHeader carries the operation token on every call of the relay.
const tokenHeader = "X-Assent-Operation-Token"

// maxBody bounds every answer but documents, which go by MaxDocument.
const maxBody = 4 << 20

// MaxDocument bounds a document, in bytes: this signer holds it in memory.
const MaxDocument = 256 << 20

// Person is a signer made of software.
type Person struct {
	App, Signing string // origins
	Device       *device.Software

	login *passkey
	web   *http.Client
}

// New makes a person for a service. The login relying party is the host of the
// app origin.
func New(app, signing string, dev *device.Software) (*Person, error) {
	u, err := url.Parse(app)
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("person: app origin %q", app)
	}
	p := &Person{App: app, Signing: signing, Device: dev}
	if p.login, err = newPasskey(u.Hostname()); err != nil {
		return nil, err
	}
	return p, p.browser()
}

// browser gives the person an empty cookie jar and no habit of following
// redirects: where a link leads is looked at.
func (p *Person) browser() error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	p.web = &http.Client{Jar: jar, Timeout: 2 * time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return nil
}

// Join registers the login passkey with a one-time invitation and is then
// logged in.
func (p *Person) Join(ctx context.Context, invitation string) error {
	if !strings.HasPrefix(invitation, p.App+"/") {
		return fmt.Errorf("%w: the invitation %q is not of %s", ErrAnswer, invitation, p.App)
	}
	return p.ceremony(ctx, invitation+"/begin", invitation+"/finish", p.login.register)
}

// Login logs in with the login passkey.
func (p *Person) Login(ctx context.Context) error {
	return p.ceremony(ctx, p.App+"/login/begin", p.App+"/login/finish", p.login.login)
}

func (p *Person) ceremony(ctx context.Context, begin, finish string, act func([]byte, string) (answer, error)) error {
	var opts json.RawMessage
	if err := p.call(ctx, http.MethodPost, begin, p.App, "", nil, &opts); err != nil {
		return err
	}
	a, err := act(opts, p.App)
	if err != nil {
		return err
	}
	return p.call(ctx, http.MethodPost, finish, p.App, "", a, nil)
}

// Enrol registers the signing authenticator with the officer's link:
// {signing}/enrol#id=...&code=.... The code stays here.
func (p *Person) Enrol(ctx context.Context, link string) (credential string, err error) {
	u, err := url.Parse(link)
	if err != nil {
		return "", err
	}
	v, err := url.ParseQuery(u.Fragment)
	if err != nil || v.Get("id") == "" || v.Get("code") == "" || !strings.HasPrefix(link, p.Signing+"/") {
		return "", fmt.Errorf("%w: enrolment link of %s", ErrAnswer, p.Signing)
	}
	var begin struct {
		Request sap.Signed `json:"request"`
	}
	if err := p.relay(ctx, http.MethodPost, "/enrolment/begin", "", map[string]string{"id": v.Get("id")}, &begin); err != nil {
		return "", err
	}
	if err := p.learnKeys(ctx); err != nil {
		return "", err
	}
	reg, err := p.Device.Register(begin.Request, v.Get("code"))
	if err != nil {
		return "", err
	}
	var end struct {
		Signer, Credential string
	}
	err = p.relay(ctx, http.MethodPost, "/enrolment/finish", "", map[string]string{"id": v.Get("id"), "registration": sap.B64(reg)}, &end)
	return end.Credential, err
}

// View is what the relay says of an operation: its claims.
type View struct {
	ID      string   `json:"id"`
	State   string   `json:"state"`
	Reason  string   `json:"reason"`
	Asker   string   `json:"asker"`
	Purpose string   `json:"purpose"`
	Level   string   `json:"level"`
	Chain   [][]byte `json:"chain"`
	Items   []struct {
		I     int         `json:"i"`
		Kind  string      `json:"kind"`
		Name  string      `json:"name"`
		Size  int64       `json:"size"`
		DTBSR string      `json:"dtbsr"`
		XAdES []sap.XAdES `json:"xades"`
		Sizes []int64     `json:"sizes"`
	} `json:"items"`
}

// Opened is an operation opened by an approval link.
type Opened struct {
	View  View
	Token string
}

// Open follows an approval link as a browser does: log in if asked to, take the
// ticket to the signing origin, open the session there.
func (p *Person) Open(ctx context.Context, approval string) (*Opened, error) {
	to, err := p.redirect(ctx, approval)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(to, p.App+"/login") || strings.HasPrefix(to, "/login") {
		if err := p.Login(ctx); err != nil {
			return nil, err
		}
		if to, err = p.redirect(ctx, approval); err != nil {
			return nil, err
		}
	}
	u, err := url.Parse(to)
	if err != nil {
		return nil, err
	}
	v, err := url.ParseQuery(u.Fragment)
	if err != nil || v.Get("ticket") == "" || !strings.HasPrefix(to, p.Signing+"/") {
		return nil, fmt.Errorf("%w: the approval link leads to %q", ErrAnswer, to)
	}
	var s struct {
		Token     string `json:"token"`
		Operation View   `json:"operation"`
	}
	if err := p.relay(ctx, http.MethodPost, "/session", "", map[string]string{"ticket": v.Get("ticket")}, &s); err != nil {
		return nil, err
	}
	return &Opened{s.Operation, s.Token}, nil
}

func (p *Person) redirect(ctx context.Context, link string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return "", err
	}
	res, err := p.web.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode/100 != 3 {
		return "", fmt.Errorf("%w: %s of the link", ErrAnswer, res.Status)
	}
	return res.Header.Get("Location"), nil
}

// Offer fetches what is to be approved: a fresh activation request of the module
// and the prepared documents.
func (p *Person) Offer(ctx context.Context, o *Opened) (device.Offer, error) {
	var r struct {
		Request sap.Signed `json:"request"`
	}
	if err := p.relay(ctx, http.MethodPost, "/operations/"+o.View.ID+"/request", o.Token, struct{}{}, &r); err != nil {
		return device.Offer{}, err
	}
	offer := device.Offer{Request: r.Request, Chain: o.View.Chain,
		Ctx: sap.Context{Operation: o.View.ID, Asker: o.View.Asker, Purpose: o.View.Purpose, Level: o.View.Level}}
	for _, it := range o.View.Items {
		dtbsr, err := sap.UnB64(it.DTBSR)
		if err != nil {
			return device.Offer{}, fmt.Errorf("%w: item %d", ErrAnswer, it.I)
		}
		item := device.OfferItem{Kind: it.Kind, Name: it.Name, DTBSR: dtbsr, Sizes: it.Sizes}
		if it.Kind != sap.KindRaw {
			doc, err := p.fetch(ctx, fmt.Sprintf("/sap/v1/operations/%s/items/%d/document", o.View.ID, it.I), o.Token, MaxDocument)
			if err != nil {
				return device.Offer{}, err
			}
			item.Document, item.Size = bytes.NewReader(doc), int64(len(doc))
			if len(it.XAdES) == 1 {
				item.XAdES = &it.XAdES[0]
			}
		}
		offer.Items = append(offer.Items, item)
	}
	return offer, nil
}

// Redeem hands over an approval and waits until the documents are finished. It
// returns the last state.
func (p *Person) Redeem(ctx context.Context, o *Opened, sad, proof []byte) (string, error) {
	var out struct {
		State string `json:"state"`
	}
	err := p.relay(ctx, http.MethodPost, "/operations/"+o.View.ID+"/redeem", o.Token, map[string]string{"sad": sap.B64(sad), "proof": sap.B64(proof)}, &out)
	if err != nil {
		return "", err
	}
	for state := out.State; ; {
		switch state {
		case "finished":
			return state, nil
		case "failed", "declined", "cancelled", "expired":
			return state, fmt.Errorf("%w: the operation is %s", ErrAnswer, state)
		}
		select {
		case <-ctx.Done():
			return state, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
		var v View
		if err := p.relay(ctx, http.MethodGet, "/operations/"+o.View.ID, o.Token, nil, &v); err != nil {
			return state, err
		}
		state = v.State
	}
}

// Approve does it all: open, check as the signer's app does, approve, redeem.
func (p *Person) Approve(ctx context.Context, approval string) (*Opened, error) {
	o, err := p.Open(ctx, approval)
	if err != nil {
		return nil, err
	}
	offer, err := p.Offer(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := p.learnKeys(ctx); err != nil {
		return nil, err
	}
	sad, proof, err := p.Device.Approve(ctx, offer)
	if err != nil {
		return nil, err
	}
	_, err = p.Redeem(ctx, o, sad, proof)
	return o, err
}

func (p *Person) relay(ctx context.Context, method, path, token string, in, out any) error {
	return p.call(ctx, method, p.App+"/sap/v1"+path, p.Signing, token, in, out)
}

// call makes one JSON call as a script of the given origin would.
func (p *Person) call(ctx context.Context, method, to, origin, token string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, to, body)
	if err != nil {
		return err
	}
	req.Header.Set("Origin", origin)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set(tokenHeader, token)
	}
	text, err := p.do(req, maxBody)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrAnswer, req.URL.Path, err)
	}
	return nil
}

func (p *Person) fetch(ctx context.Context, path, token string, limit int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.App+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Origin", p.Signing)
	req.Header.Set(tokenHeader, token)
	return p.do(req, limit)
}

func (p *Person) do(req *http.Request, limit int64) ([]byte, error) {
	res, err := p.web.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%w: %s is over %d bytes", ErrAnswer, req.URL.Path, limit)
	}
	if res.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%w: %s %s: %s: %.300s", ErrAnswer, req.Method, req.URL.Path, res.Status, text)
	}
	return text, nil
}

// saved is the form of a person in a file. It holds private keys in clear.
type saved struct {
	Warning string          `json:"warning"`
	App     string          `json:"app"`
	Signing string          `json:"signing"`
	Login   savedPasskey    `json:"login"`
	Device  json.RawMessage `json:"device"`
}

// Save writes the person to a file that only its owner can read.
func (p *Person) Save(path string) error {
	dev, err := p.Device.Marshal()
	if err != nil {
		return err
	}
	login, err := p.login.save()
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(saved{"private keys of a DEMO signer in clear: for demonstrations only", p.App, p.Signing, login, dev}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o600)
}

// Load reads what Save wrote.
func Load(path string) (*Person, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var s saved
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, s.Device); err != nil {
		return nil, err
	}
	dev, err := device.Unmarshal(compact.Bytes())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	p := &Person{App: s.App, Signing: s.Signing, Device: dev}
	if p.login, err = s.Login.open(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, p.browser()
}
