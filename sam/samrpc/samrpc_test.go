package samrpc_test

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/mtls"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samrpc"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

type rig struct {
	*samtest.World
	pki *samtest.PKI
	url string
}

func newRig(t testing.TB, change ...func(*sam.Config)) *rig {
	t.Helper()
	w := samtest.New(t, change...)
	r := &rig{World: w, pki: samtest.NewPKI(t, t.TempDir())}
	conf, err := mtls.Server(r.pki.Issue("samd", "samd", elliptic.P256()))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rpc := samrpc.New(w.M, slog.New(slog.NewTextHandler(io.Discard, nil)))
	srv := rpc.HTTPServer(conf)
	done := make(chan error, 1)
	go func() { done <- rpc.Serve(srv, l) }()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	r.url = "https://" + l.Addr().String()
	return r
}

// tls is the end of a caller who was granted the role, if there is such a role
// and the name has no other.
func (r *rig) tls(name, role string) *tls.Config {
	r.T.Helper()
	if slices.Contains(sam.Roles(), sam.Role(role)) {
		r.Grant(name, sam.Role(role))
	}
	conf, err := mtls.Client(r.pki.Issue(name, role, elliptic.P256()), "localhost")
	if err != nil {
		r.T.Fatal(err)
	}
	return conf
}

func (r *rig) client(name string) *sapclient.Client {
	r.T.Helper()
	c, err := sapclient.New(sapclient.Config{URL: r.url, TLS: r.tls(name, "sspu")})
	if err != nil {
		r.T.Fatal(err)
	}
	return c
}

func (r *rig) admin(name, role string) *sapclient.Admin {
	r.T.Helper()
	c, err := sapclient.NewAdmin(sapclient.Config{URL: r.url, TLS: r.tls(name, role)})
	if err != nil {
		r.T.Fatal(err)
	}
	return c
}

// CHN-02, IAM-01: the whole way over mutual TLS, with the clients that ssad and
// assent use.
func TestWholeWayOverMutualTLS(t *testing.T) {
	r := newRig(t)
	ctx := context.Background()
	ssa, officer, auditor := r.client("ssad"), r.admin("olga", "officer"), r.admin("arne", "auditor")
	if err := ssa.Health(ctx); err != nil {
		t.Fatal(err)
	}
	info, err := ssa.Info(ctx)
	if err != nil || info.Audience != "test#1" || info.Assurance != sap.AssuranceDevelopment {
		t.Fatalf("info %+v, %v", info, err)
	}
	if _, err := r.admin("rosa", "ra").CreateSigner(ctx, sapclient.SignerIn{ID: "anna", Name: "Anna Example", Proof: "p-1"}); err != nil {
		t.Fatal(err)
	}
	code, err := officer.EnrolCode(ctx, "anna")
	if err != nil {
		t.Fatal(err)
	}
	dev := samtest.NewDevice(samtest.Origin, samtest.RPID)
	req, err := ssa.EnrolBegin(ctx, code.ID)
	if err != nil {
		t.Fatal(err)
	}
	reg, err := dev.Register(r.StatementKey(), req, code.Code)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ssa.EnrolFinish(ctx, code.ID, reg); err != nil {
		t.Fatal(err)
	}
	cred, err := officer.Generate(ctx, sapclient.GenerateIn{Signer: "anna", KeyType: "P-256", Subject: "CN=Anna Example,O=Example\\, Ltd,C=AT"})
	if err != nil || cred.State != sam.KeyGenerated || len(cred.CSR) == 0 {
		t.Fatalf("%+v, %v", cred, err)
	}
	cert := r.CA.Issue(t, cred.CSR, r.Clock.Now(), nil)
	if cred, err = officer.LinkCertificate(ctx, cred.Key, [][]byte{cert.Raw, r.CA.Cert.Raw}); err != nil || cred.State != sam.KeyActive {
		t.Fatalf("%+v, %v", cred, err)
	}
	list, err := ssa.Credentials(ctx, "anna")
	if err != nil || len(list) != 1 || len(list[0].Chain) != 2 || list[0].Algs[0] != "ES256" {
		t.Fatalf("%+v, %v", list, err)
	}
	signed, err := ssa.Request(ctx, sapclient.ActivationRequestIn{Signer: "anna", Key: cred.Key, N: 2})
	if err != nil {
		t.Fatal(err)
	}
	ar, err := sap.OpenActivationRequest(r.StatementKey(), signed)
	if err != nil {
		t.Fatal(err)
	}
	s := &samtest.Signer{ID: "anna", Device: dev, Key: cred.Key, Cert: cert}
	full, err := dev.SAD(ar, s.Items(t, ar, 2))
	if err != nil {
		t.Fatal(err)
	}
	sad, proof, err := dev.Sign(full)
	if err != nil {
		t.Fatal(err)
	}
	out, err := ssa.Redeem(ctx, sapclient.RedeemIn{SAD: sad, Proof: proof})
	if err != nil || len(out.Signatures) != 2 {
		t.Fatalf("%+v, %v", out, err)
	}
	receipt, err := sap.OpenReceipt(r.StatementKey(), out.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := receipt.VerifyEvidence(); err != nil {
		t.Fatal(err)
	}
	if st, err := officer.Status(ctx); err != nil || st.State != "open" {
		t.Errorf("status %+v, %v", st, err)
	}
	recs, err := auditor.Audit(ctx, 0, 1000)
	if err != nil || len(recs) < 10 {
		t.Fatalf("%d records, %v", len(recs), err)
	}
	if got, err := auditor.Explain(ctx, fmt.Sprint(receipt.AuditSeq)); err != nil || got.Type != sam.EventSigned || sap.B64(got.Hash) != receipt.AuditHash {
		t.Errorf("explain %+v, %v", got, err)
	}
}

// AFL-03: refusals are opaque; their reference explains them to those who may.
func TestRefusalsAreOpaque(t *testing.T) {
	r := newRig(t)
	ctx := context.Background()
	s := r.NewSigner("bob", algo.P256)
	ssa, auditor := r.client("ssad-1"), r.admin("arne", "auditor")
	for name, in := range map[string]sapclient.ActivationRequestIn{
		"unknown signer": {Signer: "nobody", Key: s.Key, N: 1},
		"unknown key":    {Signer: "bob", Key: "k-none", N: 1},
		"too many":       {Signer: "bob", Key: s.Key, N: 11},
		"bad algorithm":  {Signer: "bob", Key: s.Key, N: 1, Alg: "none"},
	} {
		_, err := ssa.Request(ctx, in)
		var e *sapclient.Error
		if !errors.As(err, &e) || !errors.Is(err, sapclient.ErrRefused) || e.Ref == "" || e.Status != http.StatusUnprocessableEntity || e.Retry != sapclient.RetryNever {
			t.Errorf("%s: %v", name, err)
			continue
		}
		rec, err := auditor.Explain(ctx, e.Ref)
		if err != nil || rec.Reason == "" || strings.Contains(e.Error(), rec.Reason) {
			t.Errorf("%s: explained as %+v, %v", name, rec, err)
		}
	}
}

// IAM-04, ROL-01: each route has exactly the roles of its operation, through the
// wire, and each operation has exactly one route.
func TestIAM04RouteRoles(t *testing.T) {
	r := newRig(t)
	clients := map[sam.Role]*http.Client{}
	for role, name := range map[sam.Role]string{
		sam.RoleSSPU: "x-sspu", sam.RoleOfficer: "x-officer", sam.RoleAuditor: "x-auditor", sam.RoleAdmin: "x-admin",
		sam.RoleOperator: "x-operator", sam.RoleRA: "x-ra", "root": "x-root",
	} {
		clients[role] = &http.Client{Transport: &http.Transport{TLSClientConfig: r.tls(name, string(role))}}
	}
	seen := map[sam.Op]bool{}
	for _, rt := range samrpc.Routes() {
		seen[rt.Op] = true
		for role, c := range clients {
			// Bodies that decode for every call but name nothing that exists.
			req, err := http.NewRequest(rt.Method, r.url+rt.Path+"?from=0&limit=1&ref=0", bytes.NewReader([]byte("{}")))
			if err != nil {
				t.Fatal(err)
			}
			if rt.Method == "GET" {
				req.Body, req.ContentLength = http.NoBody, 0
			}
			res, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if forbidden := res.StatusCode == http.StatusForbidden; forbidden == sam.Allowed(role, rt.Op) {
				t.Errorf("%s %s as %s: status %d, allowed %v", rt.Method, rt.Path, role, res.StatusCode, sam.Allowed(role, rt.Op))
			}
		}
	}
	if len(seen) != len(samrpc.Routes()) || len(seen) != len(sam.Ops()) {
		t.Errorf("%d routes serve %d operations, the module has %d: each has exactly one", len(samrpc.Routes()), len(seen), len(sam.Ops()))
	}
}

// CHN-02, IAM-01, SAP-15: no certificate, a foreign CA, no role, two roles, TLS 1.2, a
// key that is not on P-256: nothing is served.
func TestConnectionsThatAreRefused(t *testing.T) {
	r := newRig(t)
	foreign := samtest.NewPKI(t, t.TempDir())
	good := r.tls("ssad", "sspu")
	strange, err := mtls.Client(foreign.Issue("ssad", "sspu", elliptic.P256()), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	strange.RootCAs = good.RootCAs
	none := &tls.Config{RootCAs: good.RootCAs, ServerName: "localhost", MinVersion: tls.VersionTLS13}
	old := good.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	p384 := r.pki.Issue("big", "sspu", elliptic.P384())
	pair, err := tls.LoadX509KeyPair(p384.Cert, p384.Key)
	if err != nil {
		t.Fatal(err)
	}
	big := good.Clone()
	big.Certificates = []tls.Certificate{pair}
	for name, conf := range map[string]*tls.Config{"none": none, "foreign CA": strange, "TLS 1.2": old, "P-384": big} {
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: conf}}
		if res, err := c.Get(r.url + sapclient.PathInfo); err == nil {
			_ = res.Body.Close()
			t.Errorf("%s: status %d", name, res.StatusCode)
		}
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: r.tls("norole", "")}}
	res, err := c.Get(r.url + sapclient.PathInfo)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("no role: status %d", res.StatusCode)
	}
	if _, err := mtls.Client(p384, "localhost"); !errors.Is(err, mtls.ErrFiles) {
		t.Errorf("own P-384 key: %v", err)
	}
}

// ROL-02: an identity that was seen in one role never gets another.
func TestIdentityHasOneRole(t *testing.T) {
	r := newRig(t)
	ctx := context.Background()
	if _, err := r.admin("eve", "auditor").Info(ctx); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := r.admin("eve", "officer").Info(ctx); !errors.Is(err, sapclient.ErrForbidden) {
			t.Errorf("second role: %v", err)
		}
	}
}

// I9: bodies over the limit, unknown members, trailing bytes and other media are
// refused as such, to a caller who may ask.
func TestBodiesAreStrict(t *testing.T) {
	r := newRig(t)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: r.tls("ssad-1", "sspu")}}
	for name, body := range map[string]string{
		"unknown member": `{"signer":"a","key":"b","n":1,"admin":true}`,
		"two values":     `{"signer":"a"}{}`,
		"not JSON":       `signer=a`,
		"null":           `nul`,
		"not UTF-8":      "{\"signer\":\"\xff\"}",
		"too large":      `{"signer":"` + strings.Repeat("a", 20<<10) + `"}`,
		"empty":          ``,
	} {
		res, err := c.Post(r.url+sapclient.PathRequest, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: status %d", name, res.StatusCode)
		}
	}
	// A body without a length is bounded too.
	req, err := http.NewRequest("POST", r.url+sapclient.PathRequest, io.MultiReader(strings.NewReader(strings.Repeat(" ", 64<<10))))
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("chunked: status %d", res.StatusCode)
	}
}

func p256() elliptic.Curve { return elliptic.P256() }
