package signer_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/signapp/signer"
)

// fake plays the application's relay and the SAM behind it. As the SAM it is
// strict: it uses package sap for every check. As the application it lies where
// a test tells it to.
type fake struct {
	t             testing.TB
	sam           *ecdsa.PrivateKey
	samID         string
	key           *ecdsa.PrivateKey // the signer's
	cert          []byte
	app, sign     *httptest.Server
	origin        string
	cut           atomic.Int32 // answers of the signing origin that still get lost
	mu            sync.Mutex
	noFonts       atomic.Int32 // fonts of the viewer that still get lost
	code          string
	enrolment     sap.Signed
	authenticator *sap.Authenticator
	credential    string
	ops           map[string]*operation
	signatures    int    // key uses
	keysMade      int    // one-time keys
	onceName      string // in the certificate of a one-time key
	refusals      []string
	policy        string                 // activation policy; "": standard
	assurance     string                 // of the key; "": development
	lifetime      int64                  // seconds of an activation request
	lie           lies                   // what the application changes
	config        func(c *signer.Config) // what sicd is told differently
}

// lies are the ways in which the application may cheat.
type lies struct {
	view     func(v map[string]any)
	once     func(r *sap.OneTimeRequest)
	onceRaw  func(s *sap.Signed)
	onceSend func(w http.ResponseWriter, do func()) bool // true: answered already
	document func(b []byte) []byte
	request  func(s *sap.Signed)
	receipt  func(s *sap.SignedReceipt)
	redeem   func(w http.ResponseWriter, do func()) bool       // true: answered already
	fileSend func(w http.ResponseWriter, do func()) bool       // true: answered already
	enrol    func(w http.ResponseWriter, do func()) bool       // true: answered already
	session  func(w http.ResponseWriter, do func()) bool       // true: answered already
	any      func(w http.ResponseWriter, r *http.Request) bool // true: answered already
}

type operation struct {
	id, token, ticket, session string
	state                      string
	asker, purpose, returnURL  string
	items                      []*item
	expires                    time.Time
	bind                       sap.Binding // of the newest activation request
	answer                     []byte
	redeemed                   string
	reason                     string
	stopped                    string // what the device found wrong
	polls                      int
	keyless                    bool       // waits for a one-time key
	ended                      int        // one-time keys that were given up
	offer                      sap.Signed // of one
	keyID                      string
	made                       string // the approval that made the key
}

type item struct {
	kind, name string
	bytes      []byte
	prepared   *pdf.Prepared
	dtbsr      []byte
	attributes []byte
	properties []byte    // of kind xades
	of         *sap.Item // of kind xades
	sizes      []int     // of several data objects
}

// fill writes a signature value into the document's hole, where a CMS message would
// have it.
func (it *item) fill(sig []byte) {
	it.bytes = bytes.Clone(it.bytes)
	copy(it.bytes[it.prepared.ContentsOffset+1:], fmt.Sprintf("%x", sig))
}

func (it *item) xades() []sap.XAdES {
	if it.of == nil {
		return []sap.XAdES{}
	}
	return []sap.XAdES{*it.of.XAdES}
}

const testSigner = "anna"

func newFake(t testing.TB, change func(c *signer.Config)) *fake {
	t.Helper()
	f := &fake{t: t, ops: map[string]*operation{}, lifetime: 300, config: change, onceName: "Anna Example"}
	f.sam, f.key = newKey(t), newKey(t)
	var err error
	if f.samID, err = sap.KeyID(f.sam.Public()); err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Anna Example"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(8760 * time.Hour),
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Assent DEMO Issuing CA"}}
	if f.cert, err = x509.CreateCertificate(rand.Reader, tmpl, ca, f.key.Public(), newKey(t)); err != nil {
		t.Fatal(err)
	}
	f.app = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.app.Close)
	f.sign = httptest.NewUnstartedServer(nil)
	f.origin = "http://localhost:" + port(f.sign.Listener.Addr().String())
	f.sign.Config.Handler = f.losable(f.handler())
	f.sign.Start()
	t.Cleanup(f.sign.Close)
	return f
}

// losable is the signing origin, whose configuration and fonts get lost as often as f.cut and f.noFonts say.
func (f *fake) losable(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		font := strings.HasPrefix(r.URL.Path, "/pdfjs/standard_fonts/")
		if r.URL.Path == "/config.json" && f.cut.Add(-1) >= 0 || font && f.noFonts.Add(-1) >= 0 {
			panic(http.ErrAbortHandler)
		}
		h.ServeHTTP(w, r)
	})
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

func (f *fake) api() string { return "http://localhost:" + port(f.app.Listener.Addr().String()) }

func (f *fake) handler() http.Handler {
	spki, err := x509.MarshalPKIXPublicKey(f.sam.Public())
	if err != nil {
		f.t.Fatal(err)
	}
	cfg := signer.Config{
		SAMKey: spki, Audience: "demo#1", RPID: "localhost", Origin: f.origin, API: f.api(), Profile: signer.ProfileDemo, MaxDocument: 10 << 20,
	}
	if f.config != nil {
		f.config(&cfg)
	}
	h, err := signer.New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	return h
}

// add stores an operation with prepared documents and returns the link of the
// signing origin.
func (f *fake) add(names ...string) (*operation, string) {
	f.t.Helper()
	o := &operation{
		keyID: "key-0001", id: "op_" + random(8), token: random(32), ticket: random(32), state: "prepared", asker: "Example Lettings Ltd", purpose: "Sign the lease of 12 Harbour Street: 2 years, 900 € a month",
		expires: time.Now().Add(time.Hour), returnURL: f.api() + "/done",
	}
	for _, n := range names {
		b, p := preparePDF(f.t, makePDF("Lease: "+n, "House rules", "Inventory"))
		o.items = append(o.items, f.item(n, b, p))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ops[o.id] = o
	return o, f.link(o)
}

// set changes or reads what requests change and read too.
func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// uses counts key uses.
func (f *fake) uses() (n int) {
	f.set(func() { n = f.signatures })
	return n
}

// addBytes is add for one prepared file that a viewer cannot open although its
// place for the signature is in order.
func (f *fake) addBytes(name string, unshowable func(prepared []byte) []byte) (*operation, string) {
	f.t.Helper()
	o, link := f.add(name)
	b := unshowable(o.items[0].bytes)
	p := *o.items[0].prepared
	sum := sha256.Sum256(append(bytes.Clone(b[:p.ContentsOffset]), b[p.ContentsOffset+p.ContentsLength:]...))
	p.Digest = sum[:]
	f.set(func() { o.items[0] = f.item(name, b, &p) })
	return o, link
}

func (f *fake) item(name string, b []byte, p *pdf.Prepared) *item {
	f.t.Helper()
	attrs, err := sap.PAdESSignedAttributes(p.Digest, f.cert)
	if err != nil {
		f.t.Fatal(err)
	}
	sum := sha256.Sum256(attrs)
	return &item{kind: sap.KindPAdES, name: name, bytes: b, prepared: p, dtbsr: sum[:], attributes: attrs}
}

func (f *fake) link(o *operation) string {
	return fmt.Sprintf("%s/#op=%s&ticket=%s", f.origin, o.id, o.ticket)
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return sap.B64(bytes.ReplaceAll(b, []byte{0}, []byte{1}))
}

// openEnrolment plays the officer: a link with a one-time code.
func (f *fake) openEnrolment(name string) string {
	f.t.Helper()
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	code := make([]byte, 20)
	_, _ = rand.Read(code)
	nonce := make([]byte, sap.NonceLen)
	_, _ = rand.Read(nonce)
	now := time.Now().Unix()
	s, err := sap.SignStatement(f.sam, f.samID, sap.LabelRegistration, sap.RegistrationRequest{
		Type: sap.TypeRegistration, Audience: "demo#1", ID: sap.B64(id), Nonce: sap.B64(nonce), Signer: testSigner, Display: name,
		Origin: f.origin, RPID: "localhost", IssuedAt: now, Expires: now + 600,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.enrolment, f.code = s, sap.B64(code)
	return fmt.Sprintf("%s/enrol#id=%s&code=%s", f.origin, sap.B64(id), sap.B64(code))
}

// apiError is every refusal of the relay.
type apiError struct {
	status               int
	code, message, retry string
}

func refusal(status int, code, retry string) *apiError {
	return &apiError{status, code, "Refused for the test: " + code + ".", retry}
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !strings.HasPrefix(r.URL.Path, "/sap/v1/") {
		f.page(w, r)
		return
	}
	h := w.Header()
	if r.Header.Get("Origin") != f.origin {
		http.Error(w, "origin", http.StatusForbidden)
		f.refusals = append(f.refusals, "origin")
		return
	}
	h.Set("Access-Control-Allow-Origin", f.origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Headers", "Content-Type, X-Assent-Operation-Token")
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if f.lie.any != nil && f.lie.any(w, r) {
		return
	}
	out, e := f.dispatch(w, r)
	if e != nil {
		f.refusals = append(f.refusals, e.code)
		h.Set("Content-Type", "application/json")
		w.WriteHeader(e.status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": e.code, "message": e.message, "retry": e.retry})
		return
	}
	switch v := out.(type) {
	case nil:
	case []byte:
		h.Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(v)
	default:
		h.Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
}

// page is the application's own origin: a login that sets the session cookie.
func (f *fake) page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	switch r.URL.Path {
	case "/login":
		http.SetCookie(w, &http.Cookie{Name: "assent_session", Value: r.URL.Query().Get("s"), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		_, _ = fmt.Fprint(w, "<!doctype html><title>app</title>logged in")
	case "/frame":
		_, _ = fmt.Fprintf(w, "<!doctype html><title>evil</title><iframe id=victim width=600 height=600 src=%q></iframe>", r.URL.Query().Get("url"))
	default:
		_, _ = fmt.Fprint(w, "<!doctype html><title>app</title>the app origin")
	}
}

func (f *fake) dispatch(w http.ResponseWriter, r *http.Request) (any, *apiError) {
	path := strings.TrimPrefix(r.URL.Path, "/sap/v1/")
	var body map[string]string
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&body); err != nil {
			return nil, refusal(400, "invalid", "never")
		}
	}
	switch {
	case path == "enrolment/begin":
		return map[string]any{"request": f.enrolment}, nil
	case path == "enrolment/finish":
		if f.lie.enrol != nil && f.lie.enrol(w, func() { _, _ = f.enrolFinish(body) }) {
			return nil, nil
		}
		return f.enrolFinish(body)
	case path == "session":
		if f.lie.session != nil && f.lie.session(w, func() { _, _ = f.session(r, body) }) {
			return nil, nil
		}
		return f.session(r, body)
	case strings.HasPrefix(path, "operations/"):
		return f.operation(w, r, strings.Split(strings.TrimPrefix(path, "operations/"), "/"), body)
	}
	return nil, refusal(404, "not_found", "never")
}

func cookie(r *http.Request) string {
	c, err := r.Cookie("assent_session")
	if err != nil {
		return ""
	}
	return c.Value
}

func (f *fake) session(r *http.Request, body map[string]string) (any, *apiError) {
	for _, o := range f.ops {
		if o.ticket != "" && o.ticket == body["ticket"] {
			if cookie(r) == "" || (o.session != "" && cookie(r) != o.session) {
				return nil, refusal(403, "link_invalid", "never")
			}
			o.ticket, o.session = "", cookie(r)
			return map[string]any{"token": o.token, "operation": f.view(o)}, nil
		}
	}
	return nil, refusal(403, "link_invalid", "never")
}

func (f *fake) operation(w http.ResponseWriter, r *http.Request, parts []string, body map[string]string) (any, *apiError) {
	o := f.ops[parts[0]]
	if o == nil || o.session == "" || cookie(r) != o.session || r.Header.Get("X-Assent-Operation-Token") != o.token {
		return nil, refusal(401, "token_required", "never")
	}
	if time.Now().After(o.expires) && (o.state == "prepared" || o.state == "shown") {
		o.state = "expired"
	}
	waiting := o.state == "prepared" || o.state == "shown"
	switch what := strings.Join(parts[1:], "/"); {
	case what == "":
		if o.polls++; o.state == "signed" && o.polls > 1 {
			o.state = "finished"
		}
		return f.view(o), nil
	case what == "onetime" && waiting && o.keyless:
		return f.onceRequest(o)
	case what == "onetime/approve" && waiting:
		if f.lie.onceSend != nil && f.lie.onceSend(w, func() { _, _ = f.onceApprove(o, body) }) {
			return nil, nil
		}
		return f.onceApprove(o, body)
	case what == "onetime/end" && waiting:
		return f.onceEnd(o)
	case what == "request" && waiting && !o.keyless:
		return f.request(o)
	case what == "stopped":
		o.stopped = body["code"]
		return map[string]any{}, nil
	case what == "decline" && waiting:
		o.state, o.reason = "declined", body["reason"]
		return f.view(o), nil
	case what == "redeem":
		if f.lie.redeem != nil && f.lie.redeem(w, func() { _, _ = f.redeem(o, body) }) {
			return nil, nil
		}
		return f.redeem(o, body)
	case len(parts) == 4 && parts[1] == "items":
		if f.lie.fileSend != nil && f.lie.fileSend(w, func() {}) {
			return nil, nil
		}
		return f.file(o, parts[2], parts[3])
	}
	return nil, refusal(409, "state", "never")
}

func (f *fake) file(o *operation, index, what string) (any, *apiError) {
	i, err := strconv.Atoi(index)
	if err != nil || i < 0 || i >= len(o.items) || o.items[i].bytes == nil {
		return nil, refusal(404, "not_found", "never")
	}
	b := o.items[i].bytes
	if what == "document" {
		o.state = "shown"
		if f.lie.document != nil {
			b = f.lie.document(b)
		}
		return b, nil
	}
	if what == "result" && o.state == "finished" {
		if f.lie.document != nil {
			b = f.lie.document(b)
		}
		return b, nil
	}
	return nil, refusal(409, "state", "never")
}

func (f *fake) view(o *operation) map[string]any {
	items := []any{}
	for i, it := range o.items {
		items = append(items, map[string]any{
			"i": i, "kind": it.kind, "name": it.name, "size": len(it.bytes), "hash": "sha256",
			"signed_attributes": sap.B64(it.attributes), "dtbsr": sap.B64(it.dtbsr), "signed_properties": sap.B64(it.properties), "xades": it.xades(),
		})
		if it.sizes != nil {
			items[i].(map[string]any)["sizes"] = it.sizes
		}
	}
	v := map[string]any{
		"id": o.id, "state": o.state, "reason": o.reason, "signer": map[string]any{"id": testSigner, "name": "Anna Example"},
		"asker": o.asker, "purpose": o.purpose, "level": "B-T", "key": o.keyID, "alg": "ES256", "chain": [][]byte{f.cert}, "one_time": o.keyless,
		"expires": o.expires.Unix(), "return_url": o.returnURL, "items": items,
	}
	if o.keyless {
		v["key"], v["alg"], v["chain"] = "", "", []string{}
	}
	if f.lie.view != nil {
		f.lie.view(v)
	}
	return v
}
