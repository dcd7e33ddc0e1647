package samrpc_test

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/assent-sign/assent/internal/mtls"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samrpc"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap/sapclient"
)

// httpClient is a caller with the given end of a connection.
func httpClient(conf *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: conf}, Timeout: 20 * time.Second}
}

// ask calls a route with a body that decodes and names nothing; the status is 0
// when there was no answer.
func (r *rig) ask(c *http.Client, rt samrpc.Route) (int, string) {
	r.T.Helper()
	body := io.Reader(bytes.NewReader([]byte("{}")))
	if rt.Method == "GET" {
		body = http.NoBody
	}
	req, err := http.NewRequest(rt.Method, r.url+rt.Path+"?from=0&limit=1&ref=0", body)
	if err != nil {
		r.T.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.T.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// IAM-01: every route, without a certificate, with one of another CA, one that
// has expired or is not valid yet, of a name that was never granted anything, of
// a revoked identity, and of a known identity in another role: nothing is done.
func TestIAM01EveryRouteRefusesStrangers(t *testing.T) {
	r := newRig(t)
	foreign := samtest.NewPKI(t, t.TempDir())
	end := func(p *samtest.PKI, name, role string, from, to time.Duration) *http.Client {
		conf, err := mtls.Client(p.IssueFor(name, role, elliptic.P256(), time.Now().Add(from), time.Now().Add(to)), "localhost")
		if err != nil {
			t.Fatal(err)
		}
		conf.RootCAs = r.tls("olga", "officer").RootCAs
		return httpClient(conf)
	}
	r.Grant("leaver", sam.RoleOfficer)
	r.Decide(sam.DecideRevoke, sam.Revoke{Name: "leaver", Why: "left"})
	const hour = time.Hour
	strangers := map[string]struct {
		c      *http.Client
		status int
	}{
		"no certificate":         {httpClient(&tls.Config{RootCAs: r.tls("olga", "officer").RootCAs, ServerName: "localhost", MinVersion: tls.VersionTLS13}), 0},
		"unknown CA":             {end(foreign, "olga", "officer", -hour, hour), 0},
		"expired":                {end(r.pki, "olga", "officer", -2*hour, -hour), 0},
		"not yet valid":          {end(r.pki, "olga", "officer", hour, 2*hour), 0},
		"never granted":          {end(r.pki, "stranger", "officer", -hour, hour), 403},
		"revoked":                {end(r.pki, "leaver", "officer", -hour, hour), 403},
		"known in another role":  {end(r.pki, "arne", "officer", -hour, hour), 403},
		"role that does not be":  {end(r.pki, "olga", "root", -hour, hour), 403},
		"no role":                {end(r.pki, "olga", "", -hour, hour), 403},
		"name in capital":        {end(r.pki, "OLGA", "officer", -hour, hour), 403},
		"sspu, never granted":    {end(r.pki, "ssad-x", "sspu", -hour, hour), 403},
		"auditor, never granted": {end(r.pki, "aud-x", "auditor", -hour, hour), 403},
	}
	calls := 0
	for name, s := range strangers {
		for _, rt := range samrpc.Routes() {
			calls++
			if got, body := r.ask(s.c, rt); got != s.status {
				t.Errorf("%s, %s %s: status %d, want %d (%s)", name, rt.Method, rt.Path, got, s.status, body)
			}
		}
	}
	if calls != len(strangers)*len(sam.Ops()) {
		t.Errorf("%d calls", calls)
	}
}

// IAM-04: a revocation counts on a connection that is open.
func TestIAM04RevocationOnALiveConnection(t *testing.T) {
	r := newRig(t)
	c := httpClient(r.tls("nina", "auditor"))
	get := func() (int, bool) {
		reused := false
		ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
		req, err := http.NewRequestWithContext(ctx, "GET", r.url+sapclient.PathInfo, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		return res.StatusCode, reused
	}
	if status, _ := get(); status != 200 {
		t.Fatal(status)
	}
	r.Decide(sam.DecideRevoke, sam.Revoke{Name: "nina", Why: "left"})
	if status, reused := get(); status != 403 || !reused {
		t.Errorf("status %d, same connection %v", status, reused)
	}
	r.Decide(sam.DecideGrant, sam.Grant{Name: "nina", Person: "nina", Role: sam.RoleAuditor})
	if status, reused := get(); status != 200 || !reused {
		t.Errorf("granted again: status %d, same connection %v", status, reused)
	}
}

// IAM-04: generated requests over the wire, any name with any role at any route,
// against a model: it is answered only if the name has the role and the role the
// operation.
func TestIAM04WireAgainstAModel(t *testing.T) {
	r := newRig(t)
	has := map[string]sam.Role{"w-sspu": sam.RoleSSPU, "w-off": sam.RoleOfficer, "w-aud": sam.RoleAuditor, "w-ra": sam.RoleRA, "w-adm": sam.RoleAdmin, "w-op": sam.RoleOperator}
	for name, role := range has {
		r.Grant(name, role)
	}
	names := []string{"w-sspu", "w-off", "w-aud", "w-ra", "w-adm", "w-op", "w-nobody"}
	roles := append(sam.Roles(), "", "root")
	clients := map[string]*http.Client{}
	client := func(name string, role sam.Role) *http.Client {
		key := name + "/" + string(role)
		if clients[key] == nil {
			conf, err := mtls.Client(r.pki.Issue(name, string(role), elliptic.P256()), "localhost")
			if err != nil {
				t.Fatal(err)
			}
			clients[key] = httpClient(conf)
		}
		return clients[key]
	}
	routes := samrpc.Routes()
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.SampledFrom(names).Draw(rt, "name")
		role := rapid.SampledFrom(roles).Draw(rt, "role")
		if own, ok := has[name]; ok && rapid.Bool().Draw(rt, "own") {
			role = own
		}
		route := rapid.SampledFrom(routes).Draw(rt, "route")
		want := role != "" && has[name] == role && sam.Allowed(role, route.Op)
		status, body := r.ask(client(name, role), route)
		if got := status != 403; got != want || status == 0 {
			rt.Errorf("%s as %q, %s %s: status %d, the model says %v (%s)", name, role, route.Method, route.Path, status, want, body)
		}
	})
}

// ROL-06: before the ceremony every route says so, to everyone.
func TestROL06EveryRouteBeforeTheCeremony(t *testing.T) {
	r := newRig(t, func(c *sam.Config) { c.Ceremony = nil })
	for _, role := range sam.Roles() {
		conf, err := mtls.Client(r.pki.Issue("first", string(role), elliptic.P256()), "localhost")
		if err != nil {
			t.Fatal(err)
		}
		c := httpClient(conf)
		for _, rt := range samrpc.Routes() {
			want := 403
			if sam.Allowed(role, rt.Op) {
				want = 503
			}
			if got, body := r.ask(c, rt); got != want || want == 503 && !bytes.Contains([]byte(body), []byte(sapclient.CodeCeremony)) {
				t.Errorf("%s %s as %s: %d %s", rt.Method, rt.Path, role, got, body)
			}
		}
	}
	conf, err := mtls.Client(r.pki.Issue("watch", "operator", elliptic.P256()), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	a, err := sapclient.NewAdmin(sapclient.Config{URL: r.url, TLS: conf})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Health(context.Background()); !errors.Is(err, sapclient.ErrCeremony) {
		t.Errorf("health: %v", err)
	}
}

// ROL-04: a decision over the wire, with the client that the command line uses.
func TestROL04OverTheWire(t *testing.T) {
	r := newRig(t)
	ctx := context.Background()
	first, second, auditor := r.admin("olga", "officer"), r.admin("otto", "officer"), r.admin("arne", "auditor")
	args := sam.Grant{Name: "new", Person: "new", Role: sam.RoleAuditor}
	p, err := first.Propose(ctx, sam.DecideGrant, args)
	if err != nil || p.State != sam.ProposalPending || p.By != "olga" {
		t.Fatalf("%+v, %v", p, err)
	}
	if _, err := first.Approve(ctx, p.ID); !errors.Is(err, sapclient.ErrRefused) {
		t.Errorf("the proposer approved: %v", err)
	}
	if _, err := auditor.Approve(ctx, p.ID); !errors.Is(err, sapclient.ErrForbidden) {
		t.Errorf("an auditor approved: %v", err)
	}
	list, err := auditor.Proposals(ctx, sam.ProposalPending)
	if err != nil || len(list) != 1 || list[0].ID != p.ID {
		t.Fatalf("%+v, %v", list, err)
	}
	if p, err = second.Approve(ctx, p.ID); err != nil || p.State != sam.ProposalApproved || p.Second != "otto" {
		t.Fatalf("%+v, %v", p, err)
	}
	roles, err := auditor.Roles(ctx)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, g := range roles {
		found = found || g.Name == "new" && g.State == sam.IdentityActive && g.Role == "auditor"
	}
	if !found {
		t.Errorf("%+v", roles)
	}
	q, err := second.Propose(ctx, sam.DecideRevoke, sam.Revoke{Name: "new", Why: "left"})
	if err != nil {
		t.Fatal(err)
	}
	if q, err = first.Withdraw(ctx, q.ID); err != nil || q.State != sam.ProposalWithdrawn {
		t.Errorf("%+v, %v", q, err)
	}
}
