package main

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/cryptotoken/softtoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/internal/freeport"
	"github.com/assent-sign/assent/internal/mtls"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samrpc"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/device"
	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/apptest"
)

// world is a module over mutual TLS and an ssad beside it, as processes would be.
type world struct {
	*testing.T
	sam    *samtest.World
	pki    *samtest.PKI
	samURL string
	dir    string
	origin string
	admin  string
	log    *buffer
	stop   func()
	apart  atomic.Int64 // nanoseconds that samd's machine's clock is ahead

	signdoc string // more of the part "uses"
	samKeys string // more of the configuration's part "sam"
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

const (
	adminToken   = "operator-token-of-the-test-0123456789abcdef"
	clientSecret = "client-secret-of-the-test-0123456789abcdef0123456789"
)

func newWorld(t *testing.T, change ...func(*sam.Config)) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir(), log: &buffer{}}
	w.sam = samtest.New(t, append([]func(*sam.Config){func(c *sam.Config) { c.Clock.(*clock.Fake).Set(time.Now()) }}, change...)...)
	w.pki = samtest.NewPKI(t, t.TempDir())
	conf, err := mtls.Server(w.pki.Issue("samd", "samd", elliptic.P256()))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rpc := samrpc.New(w.sam.M, slog.New(slog.DiscardHandler))
	srv := rpc.HTTPServer(conf)
	inner := srv.Handler
	srv.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Date", time.Now().Add(time.Duration(w.apart.Load())).UTC().Format(http.TimeFormat))
		inner.ServeHTTP(rw, r)
	})
	go func() { _ = rpc.Serve(srv, l) }()
	t.Cleanup(func() { _ = srv.Close() })
	w.samURL = "https://" + l.Addr().String()
	w.origin, w.admin = "http://localhost:"+freePort(t), "127.0.0.1:"+freePort(t)
	w.write("admin.token", adminToken)
	w.write("acme.secret", clientSecret)
	w.makeTSA()
	return w
}

func freePort(t *testing.T) string {
	t.Helper()
	ports, err := freeport.Find(1)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(ports[0])
}

func (w *world) write(name, text string) string {
	w.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	return path
}

// makeTSA makes ssad's own token with a time-stamp authority's key.
func (w *world) makeTSA() {
	w.Helper()
	w.write("pin", "test-pin-1234")
	tok, err := softtoken.Open(softtoken.Config{Dir: filepath.Join(w.dir, "token"), PINFile: filepath.Join(w.dir, "pin"), Profile: "demo", Create: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = tok.Close() }()
	key, err := tok.CreateKey(context.Background(), cryptotoken.KeyRef{Label: "tsa"}, algo.P256)
	if err != nil {
		w.Fatal(err)
	}
	ca, err := certs.NewDemoCA(certs.DemoConfig{})
	if err != nil {
		w.Fatal(err)
	}
	chain, err := ca.IssueKey(key, certs.DemoRequest{Profile: certs.TSAProfile, CommonName: "TSA"})
	if err != nil {
		w.Fatal(err)
	}
	w.write("tsa.pem", string(certs.EncodePEM(append(chain, ca.Root.Raw)...)))
	w.write("root.pem", string(certs.EncodePEM(ca.Root.Raw)))
}

// config is a demo configuration of this world.
func (w *world) config() string {
	w.Helper()
	f := w.pki.Issue("ssad", "sspu", elliptic.P256())
	return w.write("ssad.yaml", fmt.Sprintf(`
profile: demo
listen: %s
app_origin: %s
signing_origin: %s
name: Test Sign
data: data
sam:
  url: %s
  server_name: localhost
  tls: {cert: %s, key: %s, ca: %s}
  raw_policy: bulk
  wait: 5s
%stokens:
  - {name: own, driver: softtoken, dir: token, pin_file: pin}
workers:
  - {name: tsa, kind: tsa, token: own, key: tsa, chain: tsa.pem, properties: {policy: 1.3.6.1.4.1.99999.1.1}}
  - {name: pades, kind: pades, token: signers, properties: {level: B-B}}
  - {name: pades-t, kind: pades, token: signers, properties: {level: B-T, tsa: "worker:tsa"}}
  - {name: xades-t, kind: xades, token: signers, properties: {level: B-T, tsa: "worker:tsa"}}
  - {name: xades-policy, kind: xades, token: signers, properties: {level: B-T, tsa: "worker:tsa", policy_id: "urn:oid:1.2.3.4", policy_hash: "sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}
  - {name: xades-detached, kind: xades, token: signers, properties: {level: B-B, signature_packaging: DETACHED, tsa: "worker:tsa"}}
  - {name: xades-enveloping, kind: xades, token: signers, properties: {level: B-B, signature_packaging: ENVELOPING, tsa: "worker:tsa"}}
  - {name: xades-enveloping-base64, kind: xades, token: signers, properties: {level: B-B, signature_packaging: ENVELOPING, enveloping_content: BASE64, tsa: "worker:tsa"}}
  - {name: xades-internally-detached, kind: xades, token: signers, properties: {level: B-B, signature_packaging: INTERNALLY_DETACHED, tsa: "worker:tsa"}}
  - {name: judge, kind: validator, properties: {trust_anchors: %s}}
uses:
  upload: pades
  tsa: tsa
  signdoc: pades-t
  levels: [B-B, B-T]
%sclients:
  - {id: acme, name: Acme Ltd, secret_file: acme.secret, scopes: [service], workers: ["*"], signers: ["*"]}
admin: {listen: %s, token_file: admin.token}
`, strings.TrimPrefix(w.origin, "http://"), w.origin, samtest.Origin, w.samURL, f.Cert, f.Key, f.CA, w.samKeys, filepath.Join(w.dir, "root.pem"), w.signdoc, w.admin))
}

// start runs ssad as main does.
func (w *world) start() {
	w.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	path := w.config()
	go func() { done <- run(ctx, []string{"-config", path}, w.log) }()
	w.stop = func() {
		cancel()
		if code := <-done; code != 0 {
			w.Errorf("ssad ended with %d: %s", code, w.log)
		}
	}
	for range 200 {
		if res, err := http.Get("http://" + w.admin + "/readyz"); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(25 * time.Millisecond)
	}
	w.Fatalf("ssad is not ready: %s", w.log)
}

// browser speaks HTTP as a person's browser or a program does.
type browser struct {
	*world
	web *http.Client
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.Fatal(err)
	}
	return &browser{w, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// send makes a call and reads its answer.
func (b *browser) send(method, to string, head map[string]string, body io.Reader) (*http.Response, []byte) {
	b.Helper()
	req, err := http.NewRequest(method, to, body)
	if err != nil {
		b.Fatal(err)
	}
	for k, v := range head {
		req.Header.Set(k, v)
	}
	res, err := b.web.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	return res, out
}

func (b *browser) call(method, to string, head map[string]string, body io.Reader, want int) []byte {
	b.Helper()
	res, out := b.send(method, to, head, body)
	if res.StatusCode != want {
		b.Fatalf("%s %s: %d, want %d: %.400s", method, to, res.StatusCode, want, out)
	}
	if loc := res.Header.Get("Location"); want/100 == 3 {
		return []byte(loc)
	}
	return out
}

func (b *browser) json(method, to string, head map[string]string, in, out any) {
	b.Helper()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			b.Fatal(err)
		}
		body = bytes.NewReader(text)
		head["Content-Type"] = "application/json"
	}
	if text := b.call(method, to, head, body, http.StatusOK); out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			b.Fatalf("%s: %v in %.200s", to, err, text)
		}
	}
}

// invite makes an invitation through the operator's listener.
func (b *browser) invite(signer, name string) string {
	b.Helper()
	var out struct {
		URL string `json:"url"`
	}
	text := b.call("POST", "http://"+b.admin+"/admin/v1/invitations", map[string]string{"Authorization": "Bearer " + adminToken},
		strings.NewReader(fmt.Sprintf(`{"signer":%q,"name":%q}`, signer, name)), http.StatusCreated)
	if err := json.Unmarshal(text, &out); err != nil {
		b.Fatal(err)
	}
	return out.URL
}

// join registers a login passkey with an invitation.
func (b *browser) join(link string) {
	b.Helper()
	own := map[string]string{"Origin": b.origin}
	begin := b.call("POST", link+"/begin", own, nil, http.StatusOK)
	opt, err := virtualwebauthn.ParseAttestationOptions(string(begin))
	if err != nil {
		b.Fatal(err)
	}
	auth := virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: []byte(opt.UserID)})
	answer := virtualwebauthn.CreateAttestationResponse(virtualwebauthn.RelyingParty{Name: "x", ID: "localhost", Origin: b.origin},
		auth, apptest.NewPasskey(), *opt)
	b.call("POST", link+"/finish", own, strings.NewReader(answer), http.StatusOK)
}

// app is the signer's app: it opens a hand-over address and approves with a
// device that checks the documents themselves.
func (b *browser) approve(handOver string, dev *device.Software) string {
	b.Helper()
	u, err := url.Parse(handOver)
	if err != nil || !strings.HasPrefix(handOver, samtest.Origin+"/#") {
		b.Fatalf("hand-over to %q", handOver)
	}
	q, err := url.ParseQuery(u.Fragment)
	if err != nil {
		b.Fatal(err)
	}
	head := func(token string) map[string]string {
		h := map[string]string{"Origin": samtest.Origin}
		if token != "" {
			h["X-Assent-Operation-Token"] = token
		}
		return h
	}
	var s struct {
		Token     string       `json:"token"`
		Operation signapp.View `json:"operation"`
	}
	b.json("POST", b.origin+"/sap/v1/session", head(""), map[string]string{"ticket": q.Get("ticket")}, &s)
	v := s.Operation
	base := b.origin + "/sap/v1/operations/" + v.ID
	var r struct {
		Request sap.Signed `json:"request"`
	}
	if v.OneTime {
		b.json("POST", base+"/onetime", head(s.Token), nil, &r)
		statement, proof, err := dev.ApproveOneTime(r.Request, v.Signer.ID, v.Signer.Name)
		if err != nil {
			b.Fatal(err)
		}
		b.json("POST", base+"/onetime/approve", head(s.Token), map[string]string{"statement": sap.B64(statement), "proof": sap.B64(proof)}, &v)
	}
	b.json("POST", base+"/request", head(s.Token), nil, &r)
	offer := device.Offer{Request: r.Request, Chain: v.Chain, Ctx: sap.Context{Operation: v.ID, Asker: v.Asker, Purpose: v.Purpose, Level: v.Level}}
	for _, it := range v.Items {
		d, err := sap.UnB64(it.DTBSR)
		if err != nil {
			b.Fatal(err)
		}
		o := device.OfferItem{Kind: it.Kind, Name: it.Name, DTBSR: d}
		if it.Kind != sap.KindRaw {
			doc := b.call("GET", fmt.Sprintf("%s/items/%d/document", base, it.I), head(s.Token), nil, http.StatusOK)
			o.Document, o.Size, o.Sizes = bytes.NewReader(doc), int64(len(doc)), it.Sizes
			if len(it.XAdES) == 1 {
				o.XAdES = &it.XAdES[0]
			}
		}
		offer.Items = append(offer.Items, o)
	}
	sad, proof, err := dev.Approve(context.Background(), offer)
	if err != nil {
		b.Fatal(err)
	}
	b.json("POST", base+"/redeem", head(s.Token), map[string]string{"sad": sap.B64(sad), "proof": sap.B64(proof)}, nil)
	return v.ID
}

// signer enrols a software device for a new signer over the relay and gives the
// signer a key with a certificate.
func (b *browser) signer(id string) *device.Software {
	b.Helper()
	dev := b.keyless(id, "Anna Example")
	b.sam.NewKey(&samtest.Signer{ID: id}, algo.P256)
	return dev
}

// keyless is a signer without a key.
func (b *browser) keyless(id, name string) *device.Software {
	b.Helper()
	ctx := context.Background()
	if _, err := b.sam.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: id, Name: name, Proof: "p-1"}); err != nil {
		b.Fatal(err)
	}
	code, err := b.sam.M.OpenEnrolment(ctx, samtest.Officer, id)
	if err != nil {
		b.Fatal(err)
	}
	dev, err := device.New(b.sam.StatementKey(), samtest.Origin, samtest.RPID)
	if err != nil {
		b.Fatal(err)
	}
	var begin struct {
		Request sap.Signed `json:"request"`
	}
	b.json("POST", b.origin+"/sap/v1/enrolment/begin", map[string]string{"Origin": samtest.Origin}, map[string]string{"id": code.ID}, &begin)
	reg, err := dev.Register(begin.Request, code.Code)
	if err != nil {
		b.Fatal(err)
	}
	b.json("POST", b.origin+"/sap/v1/enrolment/finish", map[string]string{"Origin": samtest.Origin}, map[string]string{"id": code.ID, "registration": sap.B64(reg)}, nil)
	return dev
}

func (b *browser) token() string {
	b.Helper()
	req, err := http.NewRequest("POST", b.origin+"/oauth2/token", strings.NewReader("grant_type=client_credentials&scope=service"))
	if err != nil {
		b.Fatal(err)
	}
	req.SetBasicAuth("acme", clientSecret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := b.web.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var out struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil || out.Token == "" {
		b.Fatalf("token: %d %v", res.StatusCode, err)
	}
	return out.Token
}
