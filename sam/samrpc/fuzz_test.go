package samrpc_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samrpc"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap/sapclient"
)

// state is the TLS state of a verified caller.
func state(t testing.TB, pki *samtest.PKI, name, role string) *tls.ConnectionState {
	t.Helper()
	text, err := os.ReadFile(pki.Issue(name, role, elliptic.P256()).Cert)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	chain := []*x509.Certificate{cert}
	return &tls.ConnectionState{HandshakeComplete: true, Version: tls.VersionTLS13, PeerCertificates: chain, VerifiedChains: [][]*x509.Certificate{chain}}
}

// FuzzBodies: every route, every role, any body and query: the answer is JSON
// with one of the stated codes, refusals say nothing, and no key is used.
func FuzzBodies(f *testing.F) {
	w := samtest.New(f)
	s := w.NewSigner("alice", algo.P256)
	pki := samtest.NewPKI(f, f.TempDir())
	callers := []*tls.ConnectionState{state(f, pki, "ssad", "sspu"), state(f, pki, "olga", "officer"), state(f, pki, "arne", "auditor"), state(f, pki, "rosa", "ra"), nil}
	h := samrpc.New(w.M, slog.New(slog.NewTextHandler(io.Discard, nil))).Handler()
	routes := samrpc.Routes()
	for i := range routes {
		for c := range callers {
			f.Add(uint8(i), uint8(c), []byte(`{"signer":"alice","key":"`+s.Key+`","n":1}`), "signer=alice")
			f.Add(uint8(i), uint8(c), []byte(`{"id":"x","sad":"e30=","proof":"e30=","evidence":"W10="}`), "from=0&limit=10&ref=1")
		}
	}
	uses := w.Token.Uses()
	status := map[string]int{
		sapclient.CodeRefused: 422, sapclient.CodeInvalid: 400, sapclient.CodeForbidden: 403, sapclient.CodeNotFound: 404, sapclient.CodeUnavailable: 503, sapclient.CodeClock: 503, sapclient.CodeClosed: 503,
	}
	f.Fuzz(func(t *testing.T, route, who uint8, body []byte, query string) {
		rt := routes[int(route)%len(routes)]
		if rt.Op == sam.OpGenerate {
			return // it may use a key, and says so in its own test
		}
		req := httptest.NewRequest(rt.Method, rt.Path, bytes.NewReader(body))
		req.URL.RawQuery, req.TLS = query, callers[int(who)%len(callers)]
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if rec.Header().Get("Content-Type") != "application/json" || rec.Header().Get("Cache-Control") != "no-store" || !json.Valid(rec.Body.Bytes()) {
			t.Errorf("%s: %v %q", rt.Path, rec.Header(), rec.Body)
		}
		if rec.Code == http.StatusOK {
			if req.TLS == nil {
				t.Errorf("%s answers without a certificate", rt.Path)
			}
			return
		}
		var e sapclient.ErrorBody
		if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil || status[e.Code] != rec.Code || e.Retry == "" || rec.Body.Len() > 100 {
			t.Errorf("%s: status %d, %s", rt.Path, rec.Code, rec.Body)
		}
		if w.Token.Uses() != uses {
			t.Error("a key was used")
		}
	})
}
