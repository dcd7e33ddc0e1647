package demopki_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/demopki"
	"github.com/assent-sign/assent/internal/pkix"
	"github.com/assent-sign/assent/internal/revocation"
	"github.com/assent-sign/assent/internal/testenv"
)

// demo is a demo CA with its authority behind HTTP on this machine.
type demo struct {
	t        *testing.T
	ca       *certs.DemoCA
	a        *demopki.Authority
	path     string
	url      string
	now      time.Time
	listOnly atomic.Bool // the responder is down
}

func newDemo(t *testing.T, now time.Time) *demo {
	d := &demo{t: t, path: filepath.Join(t.TempDir(), "issued.jsonl"), now: now}
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.listOnly.Load() && r.Method == http.MethodPost {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	d.url = server.URL
	var err error
	if d.ca, err = certs.NewDemoCA(certs.DemoConfig{Clock: d.clock, Base: server.URL}); err != nil {
		t.Fatal(err)
	}
	d.a = d.open(d.ca)
	handler = d.a.Handler()
	return d
}

func (d *demo) clock() time.Time { return d.now }

func (d *demo) open(ca *certs.DemoCA) *demopki.Authority {
	d.t.Helper()
	a, err := demopki.New(ca, demopki.Config{Path: d.path, Clock: d.clock})
	if err != nil {
		d.t.Fatal(err)
	}
	return a
}

func (d *demo) issue(p certs.Profile, name string) [][]byte {
	d.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		d.t.Fatal(err)
	}
	chain, err := d.ca.IssueKey(key, certs.DemoRequest{Profile: p, CommonName: name})
	if err != nil {
		d.t.Fatal(err)
	}
	return chain
}

// check validates a chain as a stranger would: the anchor is given, everything about
// revocation is fetched from where the certificates say.
func (d *demo) check(chain [][]byte) ([]revocation.Finding, error) {
	d.t.Helper()
	certificates, err := pkix.ParseAll(append(chain, d.ca.Root.Raw)...)
	if err != nil {
		d.t.Fatal(err)
	}
	f := &revocation.Fetcher{Guard: revocation.Guard{Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}
	k, err := revocation.New(revocation.Config{At: d.now, Fetcher: f})
	if err != nil {
		d.t.Fatal(err)
	}
	var findings []revocation.Finding
	_, err = pkix.Build(d.t.Context(), certificates[0], pkix.Config{
		At: d.now, Anchors: certificates[2:], Pool: certificates[1:2],
		Check: func(ctx context.Context, p *pkix.Path) (err error) {
			findings, err = k.Check(ctx, p)
			return err
		},
	})
	return findings, err
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// What the demo CA issued is good by OCSP and by list, and is not once it was
// revoked, at either level and for either kind of certificate.
func TestTheDemoCAAnswersForWhatItIssued(t *testing.T) {
	d := newDemo(t, start)
	for _, listOnly := range []bool{false, true} {
		d.listOnly.Store(listOnly)
		for _, p := range []certs.Profile{certs.SignerProfile, certs.TSAProfile} {
			chain := d.issue(p, "Somebody")
			findings, err := d.check(chain)
			if err != nil || len(findings) != 2 {
				t.Fatalf("lists only %v, profile %d: %v, %v", listOnly, p, findings, err)
			}
			for _, f := range findings {
				if e := f.Evidence[0]; (e.CRL != nil) != listOnly || !strings.HasPrefix(e.Source, d.url) {
					t.Errorf("lists only %v: evidence from %s", listOnly, e.Source)
				}
			}
			other := d.issue(p, "Somebody else")
			if err := d.a.Revoke(chain[0], revocation.KeyCompromise); err != nil {
				t.Fatal(err)
			}
			var revoked *revocation.RevokedError
			if _, err := d.check(chain); !errors.As(err, &revoked) || revoked.Reason != revocation.KeyCompromise || !revoked.At.Equal(start) {
				t.Errorf("lists only %v: %v", listOnly, err)
			}
			if _, err := d.check(other); err != nil {
				t.Errorf("lists only %v: another certificate: %v", listOnly, err)
			}
		}
	}
	chain := d.issue(certs.SignerProfile, "Last")
	if err := d.a.Revoke(d.ca.Issuing.Raw, revocation.Unspecified); err != nil {
		t.Fatal(err)
	}
	for _, listOnly := range []bool{false, true} {
		d.listOnly.Store(listOnly)
		if _, err := d.check(chain); !errors.Is(err, revocation.ErrRevoked) {
			t.Errorf("lists only %v: below a revoked authority: %v", listOnly, err)
		}
	}
}

// A number that was never given is unknown to the responder: a certificate that was
// made with the CA's stolen key beside its database is not good.
func TestACertificateBesideTheDatabaseIsNotGood(t *testing.T) {
	d := newDemo(t, start)
	record := d.ca.Issued
	d.ca.Issued = nil
	chain := d.issue(certs.SignerProfile, "Nobody")
	d.ca.Issued = record
	forged, err := pkix.Parse(chain[0])
	if err != nil {
		t.Fatal(err)
	}
	f := &revocation.Fetcher{Guard: revocation.Guard{Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}
	k, err := revocation.New(revocation.Config{At: d.now, Fetcher: f})
	if err != nil {
		t.Fatal(err)
	}
	issuing, err := pkix.Parse(d.ca.Issuing.Raw)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Check(t.Context(), &pkix.Path{Chain: []*pkix.Certificate{forged, issuing}}); !errors.Is(err, revocation.ErrNotGood) {
		t.Error(err)
	}
	if err := d.a.Revoke(chain[0], 0); !errors.Is(err, demopki.ErrUnknownCertificate) {
		t.Error(err)
	}
}

// The records survive a restart, and a file that is not whole is not used: the
// missing line could be a revocation.
func TestTheDatabaseSurvives(t *testing.T) {
	d := newDemo(t, start)
	good, bad := d.issue(certs.SignerProfile, "Good"), d.issue(certs.SignerProfile, "Bad")
	if err := d.a.Revoke(bad[0], revocation.KeyCompromise); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := d.ca.Save(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(d.path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := certs.LoadDemoCA(dir, d.clock)
	if err != nil || again.Base() != d.url {
		t.Fatalf("base %q, %v", again.Base(), err)
	}
	a := d.open(again)
	d.now = start.Add(time.Minute)
	if err := a.Revoke(bad[0], revocation.Unspecified); err != nil { // no second time and reason
		t.Fatal(err)
	}
	raw, err := a.List(false)
	if err != nil {
		t.Fatal(err)
	}
	for name, chain := range map[string][][]byte{"good": good, "bad": bad} {
		certificates, err := pkix.ParseAll(chain...)
		if err != nil {
			t.Fatal(err)
		}
		list, err := revocation.ParseCRL(raw)
		if err != nil {
			t.Fatal(err)
		}
		k, err := revocation.New(revocation.Config{At: d.now, CRLs: []*revocation.CRL{list}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = k.Check(t.Context(), &pkix.Path{Chain: certificates})
		var revoked *revocation.RevokedError
		if got := errors.As(err, &revoked); got != (name == "bad") || (got && (!revoked.At.Equal(start) || revoked.Reason != revocation.KeyCompromise)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, content := range map[string]string{
		"half a line": string(text[:len(text)-5]), "no end": string(text[:len(text)-1]), "other things": string(text) + "{}\n", "more than one": strings.Replace(string(text), "\n", "", 1),
	} {
		if err := os.WriteFile(d.path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		fresh, err := certs.LoadDemoCA(dir, d.clock)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := demopki.New(fresh, demopki.Config{Path: d.path}); !errors.Is(err, demopki.ErrDatabase) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A CA without a base URL says in no certificate where to ask, as before, and no
// authority answers for it.
func TestACAWithoutBaseStaysAsItWas(t *testing.T) {
	ca, err := certs.NewDemoCA(certs.DemoConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(ca.Issuing.OCSPServer) + len(ca.Issuing.CRLDistributionPoints); n != 0 {
		t.Errorf("%d addresses", n)
	}
	if _, err := demopki.New(ca, demopki.Config{}); !errors.Is(err, demopki.ErrConfig) {
		t.Error(err)
	}
}

func pemCRL(raw []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: raw}) }

// OpenSSL takes the responses and the lists, and sees what is revoked.
func TestOpenSSLTakesTheAnswers(t *testing.T) {
	openssl := testenv.Need(t, "openssl")
	d := newDemo(t, time.Now())
	good, bad := d.issue(certs.SignerProfile, "Good"), d.issue(certs.SignerProfile, "Bad")
	if err := d.a.Revoke(bad[0], revocation.KeyCompromise); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	root, issuing := write("root.pem", certs.EncodePEM(d.ca.Root.Raw)), write("issuing.pem", certs.EncodePEM(d.ca.Issuing.Raw))
	for name, c := range map[string]struct {
		chain [][]byte
		want  string
	}{"good": {good, ": good"}, "bad": {bad, "keyCompromise"}} {
		cert := write(name+".pem", certs.EncodePEM(c.chain[0]))
		out, err := exec.CommandContext(t.Context(), openssl, "ocsp", "-issuer", issuing, "-cert", cert, "-url", d.url+certs.DemoOCSPIssuing, "-CAfile", root, "-no_proxy", "*").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Response verify OK") || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		var lists []byte
		for _, ofRoot := range []bool{true, false} {
			raw, err := d.a.List(ofRoot)
			if err != nil {
				t.Fatal(err)
			}
			lists = append(lists, pemCRL(raw)...)
		}
		out, err = exec.CommandContext(t.Context(), openssl, "verify", "-crl_check_all", "-CAfile", root, "-untrusted", issuing, "-CRLfile", write("lists.pem", lists), cert).CombinedOutput()
		if (err == nil) != (name == "good") || (name == "bad" && !strings.Contains(string(out), "certificate revoked")) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
