package revocation

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/pkix"
	. "github.com/assent-sign/assent/internal/pkix/pkixtest"
)

// world is an authority with an OCSP responder and a list behind HTTP, and a
// certificate that says where they are. What they answer is for each test to say.
type world struct {
	t                        testing.TB
	root, ca, end, responder *Entity
	url                      string
	ocsp                     http.HandlerFunc
	crl                      http.HandlerFunc

	mu    sync.Mutex
	paths []string // methods and paths that were asked, in order
}

func newWorld(t testing.TB) *world {
	w := &world{t: t}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.paths = append(w.paths, r.Method+" "+r.URL.Path)
		w.mu.Unlock()
		body, _ := io.ReadAll(r.Body) // until then the server does not notice that the client has gone
		r.Body = io.NopCloser(bytes.NewReader(body))
		switch {
		case r.URL.Path == "/ocsp" && w.ocsp != nil:
			w.ocsp(rw, r)
		case r.URL.Path == "/a.crl" && w.crl != nil:
			w.crl(rw, r)
		default:
			http.NotFound(rw, r)
		}
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	w.root = Make(t, "root", nil, CA)
	w.ca = Make(t, "issuing", w.root, CA)
	w.end = Make(t, "end", w.ca, w.places)
	w.responder = Make(t, "responder", w.ca, delegate)
	return w
}

func (w *world) places(c *x509.Certificate) {
	c.OCSPServer, c.CRLDistributionPoints = []string{w.url + "/ocsp"}, []string{w.url + "/a.crl"}
}

// delegate makes a certificate that of a responder without revocation check.
func delegate(c *x509.Certificate) {
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
	c.ExtraExtensions = append(c.ExtraExtensions, noCheck())
}

// chain is the path of the end certificate below its authority alone, so that tests
// are about one certificate.
func (w *world) chain() *pkix.Path {
	return &pkix.Path{Chain: []*pkix.Certificate{w.end.Certificate, w.ca.Certificate}}
}

func (w *world) fetcher() *Fetcher {
	return &Fetcher{Guard: Guard{Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}
}

func (w *world) check(cfg Config) ([]Finding, error) {
	w.t.Helper()
	if cfg.At.IsZero() {
		cfg.At = Now
	}
	k, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return k.Check(w.t.Context(), w.chain())
}

// good is an answer about the end certificate, made a minute ago.
func (w *world) good(nonce []byte) *answer {
	made := Now.Add(-time.Minute)
	return &answer{responder: w.responder.Certificate, producedAt: made, nonce: nonce, certs: [][]byte{w.responder.Raw}, singles: []single{{
		id: idOf(w.end.Certificate, w.ca.Certificate, crypto.SHA1), thisUpdate: made, nextUpdate: Now.Add(time.Hour),
	}}}
}

func (w *world) sign(a *answer, key crypto.Signer) []byte {
	w.t.Helper()
	out, err := a.sign(key)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) response(a *answer, key crypto.Signer) *Response {
	w.t.Helper()
	r, err := ParseResponse(w.sign(a, key))
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// answerWith serves what make returns for the nonce of the request.
func (w *world) answerWith(make func(nonce []byte) []byte) {
	w.ocsp = func(rw http.ResponseWriter, r *http.Request) {
		in, _ := io.ReadAll(r.Body)
		_, nonce, err := parseRequest(in)
		if err != nil {
			w.t.Errorf("request: %v", err)
		}
		rw.Header().Set("Content-Type", ocspResponseType)
		_, _ = rw.Write(make(nonce))
	}
}

// list makes a CRL of the authority that was made a minute ago.
func (w *world) list(issuer *Entity, edit func(*x509.RevocationList), revoked ...*Entity) *CRL {
	w.t.Helper()
	template := &x509.RevocationList{Number: big.NewInt(5), ThisUpdate: Now.Add(-time.Minute), NextUpdate: Now.Add(time.Hour)}
	for _, e := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: e.X509.SerialNumber, RevocationTime: Now.AddDate(0, 0, -1), ReasonCode: 1})
	}
	if edit != nil {
		edit(template)
	}
	signer := *issuer.X509
	signer.KeyUsage |= x509.KeyUsageCRLSign // the standard library would not let a liar sign
	if len(signer.SubjectKeyId) == 0 {      // nor one without
		signer.SubjectKeyId = []byte{1}
	}
	raw, err := x509.CreateRevocationList(rand.Reader, template, &signer, issuer.Key)
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := ParseCRL(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) serveList(c *CRL) {
	w.crl = func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(c.Raw) }
}

func sources(f []Finding) []string {
	var out []string
	for _, x := range f {
		for _, e := range x.Evidence {
			out = append(out, e.Source)
		}
	}
	slices.Sort(out)
	return out
}

// asked returns what was asked since the last call.
func (w *world) asked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.paths
	w.paths = nil
	return out
}
