package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/appsqlite"
	"github.com/assent-sign/assent/signapp/apptest"
	"github.com/assent-sign/assent/signapp/relay"
	"github.com/assent-sign/assent/signapp/signer"
	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

// direct is the module as the relay calls it, without the wire between.
type direct struct{ m *sam.Module }

func (d direct) EnrolBegin(ctx context.Context, id string) (sap.Signed, error) {
	return d.m.BeginEnrolment(ctx, samtest.SSPU, id)
}

func (d direct) EnrolFinish(ctx context.Context, id string, registration []byte) (*sapclient.EnrolFinishOut, error) {
	out, err := d.m.FinishEnrolment(ctx, samtest.SSPU, id, registration)
	if err != nil {
		return nil, err
	}
	return &sapclient.EnrolFinishOut{Signer: out.Signer, Credential: out.Credential}, nil
}

func (d direct) Authenticators(ctx context.Context, in sapclient.AuthListIn) (sap.Signed, error) {
	return d.m.Authenticators(ctx, samtest.SSPU, sam.AskList(in))
}

func (d direct) ChangeBegin(ctx context.Context, in sapclient.ChangeBeginIn) (sap.Signed, error) {
	return d.m.BeginChange(ctx, samtest.SSPU, sam.AskChange(in))
}

func (d direct) ChangeFinish(ctx context.Context, id string, change []byte) (*sapclient.ChangeFinishOut, error) {
	out, err := d.m.FinishChange(ctx, samtest.SSPU, id, change)
	if err != nil {
		return nil, err
	}
	return (*sapclient.ChangeFinishOut)(out), nil
}

// always is alice, logged in, wherever the cookie of /login has come.
type always struct{}

func (always) Session(r *http.Request) (signapp.Session, bool) {
	if _, err := r.Cookie("who"); err != nil {
		return signapp.Session{}, false
	}
	return apptest.Login("alice", "1"), true
}

// passkeySite is the module with a clock that the test moves, the signing origin,
// and the application's relay at another origin.
type passkeySite struct {
	*samtest.World
	signing, app string
}

func newPasskeySite(t *testing.T) *passkeySite {
	t.Helper()
	listen := func() (net.Listener, string) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l, "http://localhost" + l.Addr().String()[strings.LastIndexByte(l.Addr().String(), ':'):]
	}
	serve := func(l net.Listener, h http.Handler) {
		srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
		go func() { _ = srv.Serve(l) }()
		t.Cleanup(func() { _ = srv.Close() })
	}
	signLn, signing := listen()
	appLn, app := listen()
	s := &passkeySite{World: samtest.New(t, func(c *sam.Config) { c.Origin = signing }), signing: signing, app: app}
	info, err := s.M.Info(t.Context(), samtest.SSPU)
	if err != nil {
		t.Fatal(err)
	}
	page, err := signer.New(signer.Config{
		SAMKey: info.StatementKey, Audience: info.Audience, RPID: samtest.RPID, Origin: signing, API: app, Profile: signer.ProfileDemo,
		MaxDocument: 1 << 20, AllowMissingViewer: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	serve(signLn, page)
	rig := apptest.NewRig(t, func(p string) (signapp.Store, error) { return appsqlite.Open(p, appsqlite.Options{}) }, nil)
	rel, err := relay.New(relay.Config{Service: rig.Service, Enroller: direct{s.M}, Keeper: direct{s.M}, Sessions: always{}, SigningOrigin: signing})
	if err != nil {
		t.Fatal(err)
	}
	r := chi.NewRouter()
	r.Get("/login", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "who", Value: "alice", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		_, _ = w.Write([]byte("logged in"))
	})
	rel.Mount(r)
	serve(appLn, r)
	return s
}

// taken is the passkey that a virtual device made, in the test's hands.
func (s *passkeySite) taken(t *testing.T, a *browsertest.Authenticator) *samtest.Device {
	t.Helper()
	list := a.Credentials()
	if len(list) != 1 {
		t.Fatalf("%d passkeys", len(list))
	}
	key, err := x509.ParsePKCS8PrivateKey(list[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	d := samtest.NewDevice(s.signing, samtest.RPID)
	d.Key, d.ID, d.Count = key.(*ecdsa.PrivateKey), list[0].CredentialID, uint32(list[0].SignCount)+1
	return d
}

// sign signs one document with a passkey of alice's.
func (s *passkeySite) sign(alice *samtest.Signer, d *samtest.Device) error {
	req := s.Ask(alice, 1)
	full, err := d.SAD(req, alice.Items(s.T, req, 1))
	if err != nil {
		return err
	}
	sad, proof, err := d.Sign(full)
	if err != nil {
		return err
	}
	_, err = s.Redeem(sad, proof)
	return err
}

// ENR-04: in a real browser, with two passkey devices: alice enrols one, adds the
// other with it, cannot sign with that before its cooling time is over, signs with
// it then, and removes the first with it. The page tells each step, from the
// module's signed list.
func TestENR04PasskeysInTheBrowser(t *testing.T) {
	s := newPasskeySite(t)
	if _, err := s.M.CreateSigner(t.Context(), samtest.RA, sam.NewSigner{ID: "alice", Name: "Signer alice", Proof: "proof-1"}); err != nil {
		t.Fatal(err)
	}
	code, err := s.M.OpenEnrolment(t.Context(), samtest.Officer, "alice")
	if err != nil {
		t.Fatal(err)
	}
	p := browsertest.New(t).Person(t)
	first := p.Authenticator()
	p.Go(s.signing + "/enrol#id=" + code.ID + "&code=" + code.Code)
	p.Click("#create")
	p.WaitFor("document.querySelector('#enrolled')")
	alice := &samtest.Signer{ID: "alice"}
	s.NewKey(alice, algo.P256)

	p.Go(s.signing + "/passkeys")
	p.WaitText("Log in at the application first")
	p.Go(s.app + "/login")
	p.Go(s.signing + "/passkeys")
	p.WaitFor("document.querySelectorAll('#keys > li').length === 1")
	if row := browsertest.Eval[string](p, "document.querySelector('#keys > li').innerText"); !regexp.MustCompile(`set up \d{1,2} [A-Z][a-z]+ \d{4}, \d\d:\d\d:\d\d [A-Z]`).MatchString(row) {
		t.Errorf("a date that can be mistaken: %s", row)
	}
	if browsertest.Eval[bool](p, "document.querySelector('#keys button') !== null") {
		t.Error("the only passkey can be removed")
	}
	second := p.AddAuthenticator()
	first.Present(false)
	p.Click("#add")
	p.WaitFor("document.querySelector('#create')")
	p.Click("#create")
	p.WaitFor("document.querySelector('#approve')")
	first.Present(true)
	second.Present(false)
	p.Screenshot("passkeys-approve")
	p.Click("#approve")
	p.WaitFor("document.querySelectorAll('#keys > li').length === 2")
	p.WaitFor("document.querySelector('#notices > li[data-kind=authenticator_added]')")
	p.Screenshot("passkeys-added")

	d := s.taken(t, second)
	if err := s.sign(alice, d); !errors.Is(err, sap.ReasonCooling) {
		t.Errorf("while it cools: %v", err)
	}
	s.Clock.Advance(25 * time.Hour)
	if err := s.sign(alice, d); err != nil {
		t.Errorf("the second passkey: %v", err)
	}
	kept := second.Credentials()[0] // its counter goes on from what the test used
	kept.SignCount = 10
	second.Clear()
	second.Add(kept)

	p.Reload()
	p.WaitFor("document.querySelectorAll('#keys > li[data-usable=true]').length === 2")
	first.Present(false)
	second.Present(true)
	old := s.taken(t, first)
	p.Click("#keys > li[data-credential='" + sap.B64(old.ID) + "'] button")
	p.WaitFor("document.querySelector('#approve')")
	p.Click("#approve")
	p.WaitFor("document.querySelectorAll('#keys > li').length === 1")
	p.WaitFor("document.querySelector('#notices > li[data-kind=authenticator_removed]')")
	p.Screenshot("passkeys-removed")
	if err := s.sign(alice, old); !errors.Is(err, sap.ReasonAuthenticator) {
		t.Errorf("the removed passkey: %v", err)
	}
	d.Count = 20
	if err := s.sign(alice, d); err != nil {
		t.Errorf("the one that is left: %v", err)
	}
	if bad := p.Problems(); len(bad) != 0 {
		text, _ := json.Marshal(bad)
		t.Errorf("the browser complains: %s", text)
	}
	s.Check()
}

// ENR-06: in a real browser: recovery with the two halves of the code, entered on
// the enrolment page.
func TestENR06RecoveryInTheBrowser(t *testing.T) {
	s := newPasskeySite(t)
	alice := &samtest.Signer{ID: "alice", Device: samtest.NewDevice(s.signing, samtest.RPID)}
	s.Enrol(alice)
	if err := s.M.RevokeAuthenticator(t.Context(), samtest.Officer, "alice", sap.B64(alice.Device.ID), "lost"); err != nil {
		t.Fatal(err)
	}
	s.Decide(sam.DecideRecovery, sam.Recovery{Signer: "alice", Name: "Signer alice", Proof: "proof-2", Why: "came in person"})
	var half [2]*sam.Half
	for i, who := range []sam.Caller{samtest.Officer, samtest.Second} {
		h, err := s.M.GiveHalf(t.Context(), who, "alice")
		if err != nil {
			t.Fatal(err)
		}
		half[i] = h
	}
	p := browsertest.New(t).Person(t)
	p.Go(s.signing + "/enrol#id=" + half[0].ID + "&halves=1")
	for i, id := range []string{"#half1", "#half2"} {
		p.Click(id)
		p.Keys(half[i].Half)
	}
	p.Click("#continue")
	p.WaitFor("document.querySelector('#create')")
	p.Click("#create")
	p.WaitFor("document.querySelector('#enrolled')")
	if l := s.List("alice", 0); len(l.Authenticators) != 1 || l.Authenticators[0].Usable || l.Authenticators[0].Via != sam.ViaProofing {
		t.Errorf("%+v", l.Authenticators)
	}
}
