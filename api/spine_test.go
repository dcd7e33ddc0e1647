package api_test

import (
	"crypto/x509"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/assent-sign/assent/api"
	"github.com/assent-sign/assent/api/apisqlite"
	"github.com/assent-sign/assent/api/csc"
	"github.com/assent-sign/assent/api/oauth"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/appsqlite"
	"github.com/assent-sign/assent/signapp/apptest"
	"github.com/assent-sign/assent/signapp/portal"
	"github.com/assent-sign/assent/signapp/relay"
)

// The application fits what the front doors ask for.
var (
	_ api.Documents   = (*signapp.Service)(nil)
	_ api.Operations  = (*signapp.Service)(nil)
	_ api.Credentials = (*signapp.Service)(nil)
	_ oauth.Portal    = (*portal.Portal)(nil)
)

// spine is the front doors over the real application, portal and relay, with
// the application's fake module and devices.
type spine struct {
	*world
	rig *apptest.Rig
	por *portal.Portal
}

func newSpine(t *testing.T) *spine {
	t.Helper()
	rig := apptest.NewRig(t, func(p string) (signapp.Store, error) { return appsqlite.Open(p, appsqlite.Options{}) }, nil)
	por, err := portal.New(portal.Config{Service: rig.Service, Store: rig.Store, AppOrigin: apptest.AppOrigin, SigningOrigin: apptest.SigningOrigin, Name: "Assent test", Clock: rig.Clock})
	if err != nil {
		t.Fatal(err)
	}
	rel, err := relay.New(relay.Config{Service: rig.Service, Enroller: rig.Module, Keeper: rig.Module, Sessions: por, SigningOrigin: apptest.SigningOrigin})
	if err != nil {
		t.Fatal(err)
	}
	store, err := apisqlite.Open(filepath.Join(t.TempDir(), "api.db"), clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	clients, err := oauth.LoadClients(clientConfigs())
	if err != nil {
		t.Fatal(err)
	}
	a, err := api.New(api.Config{BaseURL: apptest.AppOrigin, Profile: "demo", Clients: clients, Store: store, Portal: por,
		Documents: rig.Service, Deletion: rig.Service, Operations: rig.Service, Credentials: rig.Service, SignDoc: api.SignDoc{Worker: "paper", Levels: []string{"B-B"}}})
	if err != nil {
		t.Fatal(err)
	}
	s := &spine{world: &world{t: t, api: a, router: chi.NewRouter(), log: &lockedBuffer{}}, rig: rig, por: por}
	a.Mount(s.router)
	por.Mount(s.router)
	rel.Mount(s.router)
	return s
}

// anna returns a browser in which anna has registered and is logged in.
func (s *spine) anna() *apptest.Browser {
	s.t.Helper()
	link, _, err := s.por.Invite(s.t.Context(), "anna", "Anna Example")
	if err != nil {
		s.t.Fatal(err)
	}
	b := apptest.NewBrowser(s.t, s.router)
	if res := b.Register(link); res.StatusCode != 200 {
		s.t.Fatalf("register: %d", res.StatusCode)
	}
	return b
}

// approve does at the signing origin what the signer's app does.
func (s *spine) approve(b *apptest.Browser, handOver string) string {
	s.t.Helper()
	op, token, view := b.OpenApp(handOver)
	var out struct {
		Request sap.Signed `json:"request"`
	}
	if res := b.App("/sap/v1/operations/"+op+"/request", token, map[string]any{}, &out); res.StatusCode != 200 {
		s.t.Fatalf("request: %d %s", res.StatusCode, apptest.Body(s.t, res))
	}
	sad, proof := s.rig.Module.Device("anna").Approve(s.t, view, out.Request)
	if res := b.App("/sap/v1/operations/"+op+"/redeem", token, map[string]string{"sad": sap.B64(sad), "proof": sap.B64(proof)}, nil); res.StatusCode != 200 {
		s.t.Fatalf("redeem: %d %s", res.StatusCode, apptest.Body(s.t, res))
	}
	return op
}

func next(t *testing.T, res *http.Response) string {
	t.Helper()
	loc := res.Header.Get("Location")
	if res.StatusCode/100 != 3 || loc == "" {
		body, _ := io.ReadAll(res.Body)
		t.Fatalf("no redirect: %d %s", res.StatusCode, body)
	}
	return loc
}

// (c) and (e) of the issue: signHash from the pushed request to the signature,
// with the real application behind it.
func TestSpineSignHash(t *testing.T) {
	s := newSpine(t)
	cred, err := s.rig.Service.Credentials(t.Context(), "anna")
	if err != nil || len(cred) != 1 {
		t.Fatal(err, cred)
	}
	anna := &person{id: "anna", cred: cred[0]}
	h1, h2 := hashOf("one"), hashOf("two")
	uri := s.push("shop", ask("shop", anna, h1, h2))

	b := s.anna()
	stranger := apptest.NewBrowser(t, s.router)
	handOver := next(t, b.Get(authorizeURL("shop", uri)))
	op, _, view := b.OpenApp(handOver)
	if view.Asker != "Shop & Söhne" || view.Purpose != "Shop & Söhne: Order 17" || len(view.Items) != 2 || view.Items[0].Kind != sap.KindRaw || view.Items[0].Name != "digest 1 of 2" {
		t.Errorf("the signer sees %+v", view)
	}
	back := strings.TrimPrefix(view.ReturnURL, apptest.AppOrigin)
	if res := stranger.Get(back); res.StatusCode != 403 {
		t.Errorf("a stranger at the session: %d", res.StatusCode)
	}
	if res := b.Get(back); res.StatusCode != 200 { // undecided
		t.Errorf("undecided: %d", res.StatusCode)
	}
	if got := s.approve(b, next(t, b.Get(back+"?open=1"))); got != op {
		t.Errorf("another operation: %s", got)
	}
	u, err := url.Parse(next(t, b.Get(back)))
	if err != nil || u.Query().Get("code") == "" || u.Query().Get("iss") != apptest.AppOrigin {
		t.Fatalf("%v %s", err, u)
	}
	token := s.must(s.form("/csc/v2/oauth2/token", "shop", exchange("shop", u.Query().Get("code"))), 200).field("access_token")
	s.refused(s.call("POST", signHashPath, token, signHashBody(anna, h2, h1)), 400, "invalid_request", "Hash is not authorized by the SAD")
	body := signHashBody(anna, h1, h2)
	first := s.must(s.call("POST", signHashPath, token, body), 200)
	if again := s.must(s.call("POST", signHashPath, token, body), 200); string(again.body) != string(first.body) {
		t.Error("the repetition differs")
	}
	var out csc.Signatures
	first.json(t, &out)
	leaf := leafKey(t, cred[0])
	for i, h := range [][]byte{h1, h2} {
		sig, err := base64.StdEncoding.DecodeString(out.Signatures[i])
		if err != nil || algo.Verify(leaf, algo.ES256, h, sig) != nil {
			t.Errorf("signature %d does not verify: %v", i, err)
		}
	}
	if keys, _ := s.rig.Module.Uses(); keys != 2 {
		t.Errorf("%d key uses, want one for each digest", keys)
	}
}

// The native walk and signDoc with the real application behind them.
func TestSpineDocuments(t *testing.T) {
	s := newSpine(t)
	b := s.anna()
	token := s.serviceToken("shop")
	doc := s.upload(token)
	op := s.must(s.call("POST", "/api/v1/operations", token, map[string]any{"signer": "anna", "purpose": "Contract", "items": []any{map[string]any{"document": doc, "worker": "paper"}}}, "Idempotency-Key", "k"), 201)
	link := strings.TrimPrefix(op.field("approval_url"), apptest.AppOrigin)
	s.approve(b, handOver(t, b, link))
	id := op.field("id")
	if a := s.must(s.call("GET", "/api/v1/operations/"+id+"?wait=10", token, nil), 200); a.field("state") != "finished" {
		t.Fatalf("%s", a.body)
	}
	if a := s.must(s.call("GET", "/api/v1/operations/"+id+"/items/0/document", token, nil), 200); len(a.body) == 0 {
		t.Error("empty document")
	}
	s.must(s.call("GET", "/api/v1/operations/"+id+"/receipt", token, nil), 200)
	s.problemAt(apptest.AppOrigin, s.call("GET", "/api/v1/operations/"+id, s.serviceToken("bank"), nil), 404, "not_found")
	// What is no longer wanted goes before its time; the receipt stays.
	s.must(s.call("DELETE", "/api/v1/documents/"+doc, token, nil), 204)
	s.must(s.call("DELETE", "/api/v1/operations/"+id+"/documents", token, nil), 204)
	s.problemAt(apptest.AppOrigin, s.call("GET", "/api/v1/operations/"+id+"/items/0/document", token, nil), 410, "expired")
	s.must(s.call("GET", "/api/v1/operations/"+id+"/receipt", token, nil), 200)

	cred, err := s.rig.Service.Credentials(t.Context(), "anna")
	if err != nil {
		t.Fatal(err)
	}
	body := docBody(&person{id: "anna", cred: cred[0]}, map[string]any{"operationMode": "A"})
	a := s.must(s.call("POST", signDocPath, token, body), 200)
	s.approve(b, handOver(t, b, strings.TrimPrefix(a.field("approval_url"), apptest.AppOrigin)))
	s.must(s.call("GET", "/api/v1/operations/"+a.field("responseID")+"?wait=10", token, nil), 200)
	a = s.must(s.call("POST", pollPath, token, map[string]any{"requestID": a.field("responseID")}), 200)
	if !strings.HasPrefix(string(a.body), `{"DocumentWithSignature":["`) {
		t.Errorf("%.100s", a.body)
	}
}

// handOver follows an approval link to the signing origin.
func handOver(t *testing.T, b *apptest.Browser, link string) string {
	t.Helper()
	for range 4 {
		res := b.Get(link)
		if res.StatusCode == 200 {
			res = b.Post(link, "application/x-www-form-urlencoded", "")
		}
		loc := next(t, res)
		if strings.HasPrefix(loc, apptest.SigningOrigin) {
			return loc
		}
		link = strings.TrimPrefix(loc, apptest.AppOrigin)
	}
	t.Fatal("the approval link leads nowhere")
	return ""
}

func leafKey(t *testing.T, c sapclient.Credential) any {
	t.Helper()
	leaf, err := x509.ParseCertificate(c.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf.PublicKey
}
