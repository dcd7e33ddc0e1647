package extend_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/extend"
	"github.com/assent-sign/assent/internal/longterm"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/revocation"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/internal/validate"
)

// bare leaves the issuing certificate out of signatures and of time-stamps.
func (d *desk) bare(t *testing.T) (issuing *x509.Certificate) {
	t.Helper()
	issuing, err := x509.ParseCertificate(d.chain[1])
	must(t, err)
	d.chain = d.chain[:1]
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	stamps, _ := d.a.Certify(t, "bare tsa", key.Public(), certs.TSAProfile)
	r := &tsp.Responder{Signer: key, Alg: algo.ES256, Chain: stamps[:1], Policy: []int{1, 3, 6, 1, 4, 1, 99999, 1}}
	server := httptest.NewServer(tsp.Handler(r, nil))
	t.Cleanup(server.Close)
	d.cfg.Stamper = &tsp.Client{URL: server.URL, Anchors: d.cfg.Anchors, Pool: []*x509.Certificate{issuing}}
	return issuing
}

// collector is one with the pool, which fetches issuers by a guard.
func (d *desk) collector(t *testing.T, fetch *revocation.Issuers, pool ...[]byte) *longterm.Collector {
	t.Helper()
	fetcher := &revocation.Fetcher{Guard: revocation.Guard{Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, Nonce: revocation.NonceIfAnswered}
	c, err := longterm.New(longterm.Config{Anchors: [][]byte{d.cfg.Anchors[0].Raw}, Pool: pool, Issuers: fetch, Now: time.Now, Fetcher: fetcher, Fresh: fetcher, Past: true})
	must(t, err)
	return c
}

// alone judges a file with nothing but the anchors.
func (d *desk) alone(t *testing.T, file []byte) *validate.Report {
	t.Helper()
	rep, err := validate.File(t.Context(), "out", bytes.NewReader(file), int64(len(file)), validate.Options{Anchors: d.cfg.Anchors, Revocation: validate.RevocationRequired})
	must(t, err)
	return rep
}

// ADE-03: the certificates that the paths of a signature and of its time-stamps lack come from what is configured, from
// the file's own validation data, or are fetched; the file then carries them. Without any it is refused.
func TestADE03PathsOfFurtherCertificates(t *testing.T) {
	d := newDesk(t)
	issuing := d.bare(t)
	open := &revocation.Fetcher{Guard: revocation.Guard{Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}
	in := d.signed(t, contract(), 20_000, 0)
	former := newDesk(t).chain[1] // of the issuer's name, with another key
	for name, c := range map[string]struct {
		pool    []*x509.Certificate
		collect *longterm.Collector
		in      []byte
		why     string
	}{
		"nothing":     {nil, d.collector(t, nil), in, "does not lead to a trusted one"},
		"configured":  {[]*x509.Certificate{issuing}, d.collector(t, nil, issuing.Raw), in, ""},
		"of the file": {nil, d.collector(t, nil), carrying(t, in, issuing.Raw), ""},
		"fetched":     {nil, d.collector(t, &revocation.Issuers{Fetcher: open}), in, ""},
		"fetched, though one of its name is there": {nil, d.collector(t, &revocation.Issuers{Fetcher: open}), carrying(t, in, former), ""},
		"fetched, guarded":                         {nil, d.collector(t, &revocation.Issuers{Fetcher: &revocation.Fetcher{}}), in, "address is not allowed"},
	} {
		d.cfg.Pool, d.cfg.Collector = c.pool, c.collect
		asked := d.a.Asked
		out, res, err := d.extend(t, c.in, extend.LevelLTA)
		if c.why != "" {
			if !errors.Is(err, extend.ErrNotValid) || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%s: %v", name, err)
			}
		} else if err != nil || res.Report.Verdict != validate.Valid {
			t.Errorf("%s: %v", name, err)
		} else if rep := d.alone(t, out); rep.Verdict != validate.Valid {
			t.Errorf("%s, for who has the file only: %s %+v", name, rep.Words(), rep.Signatures)
		}
		if got := d.a.Asked - asked; got != map[bool]int{true: 1}[c.why == "" && strings.HasPrefix(name, "fetched")] {
			t.Errorf("%s: the issuer was fetched %d times", name, got)
		}
	}
}

// carrying is a file with a document security store that has a certificate.
func carrying(t *testing.T, in, cert []byte) []byte {
	t.Helper()
	doc, err := pdf.Open(bytes.NewReader(in), int64(len(in)), pdf.Limits{})
	must(t, err)
	tail, err := doc.PlanDSS(pdf.ValidationData{Certs: [][]byte{cert}})
	must(t, err)
	return append(bytes.Clone(in), tail...)
}

// ADE-03: what is fetched and is no part of a path that leads to an anchor does not get into the file, whatever name it bears.
func TestADE03FetchedCertificatesAreCandidatesOnly(t *testing.T) {
	d := newDesk(t)
	issuing := d.bare(t)
	in := d.signed(t, contract(), 20_000, 0)
	other := newDesk(t) // the names are the same, the keys are not
	evil := other.chain[1]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(evil) }))
	t.Cleanup(server.Close)
	to := server.Listener.Addr().String()
	client := &http.Client{Transport: rewrite{to}}
	d.cfg.Collector = d.collector(t, &revocation.Issuers{Fetcher: &revocation.Fetcher{Client: client}})
	if _, _, err := d.extend(t, in, extend.LevelLTA); !errors.Is(err, extend.ErrNotValid) {
		t.Errorf("a false issuer: %v", err)
	}
	d.cfg.Pool = []*x509.Certificate{issuing}
	d.cfg.Collector = d.collector(t, &revocation.Issuers{Fetcher: &revocation.Fetcher{Client: client}}, issuing.Raw)
	out, _, err := d.extend(t, in, extend.LevelLTA)
	if err != nil || bytes.Contains(out, evil) || d.alone(t, out).Verdict != validate.Valid {
		t.Errorf("beside the right one: %v", err)
	}
}

// rewrite sends every request to one server.
type rewrite struct{ to string }

func (r rewrite) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Host = r.to
	return http.DefaultTransport.RoundTrip(req)
}

// ADE-03: the same of an XML document.
func TestADE03XMLPathsOfFurtherCertificates(t *testing.T) {
	d := newDesk(t)
	issuing := d.bare(t)
	open := &revocation.Fetcher{Guard: revocation.Guard{Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}
	in := string(d.enveloped(t, []byte(invoice), "s1", false))
	if strings.Contains(in, base64.StdEncoding.EncodeToString(issuing.Raw)) {
		t.Fatal("the signature has its issuer")
	}
	for name, c := range map[string]struct {
		pool    []*x509.Certificate
		collect *longterm.Collector
		good    bool
	}{
		"nothing":    {nil, d.collector(t, nil), false},
		"configured": {[]*x509.Certificate{issuing}, d.collector(t, nil, issuing.Raw), true},
		"fetched":    {nil, d.collector(t, &revocation.Issuers{Fetcher: open}), true},
	} {
		d.cfg.Pool, d.cfg.Collector = c.pool, c.collect
		var out memory
		_, err := extend.XML(t.Context(), "a.xml", strings.NewReader(in), int64(len(in)), &out, extend.LevelLTA, d.cfg)
		if (err == nil) != c.good || c.good && d.alone(t, out).Verdict != validate.Valid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
