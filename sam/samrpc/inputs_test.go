package samrpc_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samrpc"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap/sapclient"
)

// fuzzed is every input of samd: each route with the fuzz targets that reach
// what its body and query carry. FuzzBodies sends any octets to every route but
// those that may use or end a key; FuzzKeyActs has these.
var fuzzed = map[string][]string{
	"GET /v1/info":                     {"sam/samrpc.FuzzBodies"},
	"GET /v1/health":                   {"sam/samrpc.FuzzBodies"},
	"GET /v1/status":                   {"sam/samrpc.FuzzBodies"},
	"POST /v1/activation/request":      {"sam/samrpc.FuzzBodies"},
	"POST /v1/activation/redeem":       {"sam/samrpc.FuzzBodies", "sam/samrpc.FuzzPlainRedeem", "sam.FuzzRedeem", "sap.FuzzDecodeSAD", "sap.FuzzAssertion", "sap.FuzzClientData", "internal/jcs.FuzzUnmarshal"},
	"GET /v1/credentials":              {"sam/samrpc.FuzzBodies"},
	"POST /v1/credentials":             {"sam/samrpc.FuzzKeyActs", "sam.FuzzName"},
	"POST /v1/credentials/certificate": {"sam/samrpc.FuzzBodies", "sam/samrpc.FuzzCertificate"},
	"POST /v1/credentials/permission":  {"sam/samrpc.FuzzBodies"},
	"POST /v1/enrolment/begin":         {"sam/samrpc.FuzzBodies"},
	"POST /v1/enrolment/finish":        {"sam/samrpc.FuzzBodies", "sam.FuzzRegistration", "internal/attestation.FuzzVerify"},
	"POST /v1/authenticators/change":   {"sam/samrpc.FuzzBodies"},
	"POST /v1/authenticators/finish":   {"sam/samrpc.FuzzBodies", "sam.FuzzChange", "sap.FuzzAssertion", "sap.FuzzClientData", "internal/attestation.FuzzVerify"},
	"POST /v1/authenticators/list":     {"sam/samrpc.FuzzBodies"},
	"POST /v1/authenticators/revoke":   {"sam/samrpc.FuzzBodies"},
	"POST /v1/recovery/half":           {"sam/samrpc.FuzzBodies"},
	"GET /v1/signers":                  {"sam/samrpc.FuzzBodies"},
	"POST /v1/signers":                 {"sam/samrpc.FuzzBodies"},
	"POST /v1/enrolment/code":          {"sam/samrpc.FuzzBodies"},
	"POST /v1/lockout/lift":            {"sam/samrpc.FuzzBodies"},
	"GET /v1/audit":                    {"sam/samrpc.FuzzBodies"},
	"GET /v1/explain":                  {"sam/samrpc.FuzzBodies"},
	"POST " + sapclient.PathDecisions:  {"sam/samrpc.FuzzBodies", "sam/samrpc.FuzzKeyActs"},
	"POST " + sapclient.PathApprove:    {"sam/samrpc.FuzzBodies", "sam/samrpc.FuzzKeyActs"},
	"POST " + sapclient.PathWithdraw:   {"sam/samrpc.FuzzBodies"},
	"GET " + sapclient.PathDecisions:   {"sam/samrpc.FuzzBodies"},
	"POST /v1/selftest":                {"sam/samrpc.FuzzBodies"},
	"POST /v1/credentials/status":      {"sam/samrpc.FuzzBodies"},
	"POST /v1/onetime/request":         {"sam/samrpc.FuzzBodies"},
	"POST /v1/onetime/approve":         {"sam/samrpc.FuzzBodies", "sap.FuzzDecodeSAD", "sap.FuzzAssertion", "sap.FuzzClientData"},
	"POST " + sapclient.PathOnceEnd:    {"sam/samrpc.FuzzBodies"},
	"POST /v1/reopen":                  {"sam/samrpc.FuzzBodies"},
	"GET " + sapclient.PathRoles:       {"sam/samrpc.FuzzBodies"},
}

// I9: every route of samd has a fuzz target, and every target that the table
// names exists. A new route fails here until its input is fuzzed.
func TestEveryInputIsFuzzed(t *testing.T) {
	left := map[string]bool{}
	for route := range fuzzed {
		left[route] = true
	}
	for _, rt := range samrpc.Routes() {
		route := rt.Method + " " + rt.Path
		if len(fuzzed[route]) == 0 {
			t.Errorf("%s has no fuzz target: write one, or name the one that reaches it, in the table fuzzed", route)
		}
		delete(left, route)
	}
	for route := range left {
		t.Errorf("%s is in the table and is not served", route)
	}
	for route, targets := range fuzzed {
		for _, name := range targets {
			dir, target, _ := strings.Cut(name, ".")
			if !hasTarget(t, filepath.Join(testenv.Root(), dir), target) {
				t.Errorf("%s: there is no %s", route, name)
			}
		}
	}
}

func hasTarget(t *testing.T, dir, target string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == target && f.Recv == nil {
				return true
			}
		}
	}
	return false
}

// post sends a body to a route as an officer.
func post(h http.Handler, who *tls.ConnectionState, path string, body []byte) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	req.TLS = who
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec
}

// FuzzKeyActs: any body of an officer to the routes that may make, use or end a
// key: an answer other than 200 used no key, a key that was made was used for
// its proof of possession and for nothing else, and no other route uses one (I1).
func FuzzKeyActs(f *testing.F) {
	w := samtest.New(f)
	s := w.NewSigner("alice", algo.P256)
	officer := state(f, samtest.NewPKI(f, f.TempDir()), "olga", "officer")
	h := samrpc.New(w.M, slog.New(slog.NewTextHandler(io.Discard, nil))).Handler()
	paths := []string{sapclient.PathCredentials, sapclient.PathDecisions, sapclient.PathApprove, sapclient.PathKeyStatus}
	for i := range paths {
		f.Add(uint8(i), []byte(`{"signer":"alice","key_type":"P-256","subject":"CN=Alice"}`))
		f.Add(uint8(i), []byte(`{"signer":"alice","key_type":"P-257","subject":""}`))
		f.Add(uint8(i), []byte(`{"key":"`+s.Key+`"}`))
		f.Add(uint8(i), []byte(`{"key":"k-0"}`))
		f.Add(uint8(i), []byte(`{"kind":"raw","args":"e30="}`))
		f.Add(uint8(i), []byte(`{"id":"d-0"}`))
		f.Add(uint8(i), []byte(`{"key":"`+s.Key+`","status":"on_hold","why":"x"}`))
		f.Add(uint8(i), []byte(`{"kind":"key_destroy","args":"`+base64.StdEncoding.EncodeToString(w.Args(w.Destruction(s.Key)))+`"}`))
		f.Add(uint8(i), []byte(`{"kind":"signer_end","args":"`+base64.StdEncoding.EncodeToString(w.Args(w.End("alice", sam.CauseSigner, "x")))+`"}`))
	}
	f.Fuzz(func(t *testing.T, route uint8, body []byte) {
		path := paths[int(route)%len(paths)]
		before := w.Token.Uses()
		rec := post(h, officer, path, body)
		if !json.Valid(rec.Body.Bytes()) {
			t.Errorf("%s: %q", path, rec.Body)
		}
		allowed := int64(0)
		if path == sapclient.PathCredentials && rec.Code == http.StatusOK {
			allowed = 1
		}
		if used := w.Token.Uses() - before; used != allowed {
			t.Errorf("%s: status %d, %d key uses, want %d", path, rec.Code, used, allowed)
		}
	})
}

// FuzzCertificate: any octets as the certificate of a key: what is linked parses
// and is for that key.
func FuzzCertificate(f *testing.F) {
	w := samtest.New(f)
	s := &samtest.Signer{ID: "alice", Device: samtest.NewDevice(samtest.Origin, samtest.RPID)}
	w.Enrol(s)
	cred, err := w.M.Generate(f.Context(), samtest.Officer, s.ID, string(algo.P256), "")
	if err != nil {
		f.Fatal(err)
	}
	officer := state(f, samtest.NewPKI(f, f.TempDir()), samtest.Officer.Identity, "officer")
	h := samrpc.New(w.M, slog.New(slog.NewTextHandler(io.Discard, nil))).Handler()
	good := w.CA.Issue(f, cred.CSR, w.Clock.Now(), nil)
	wrong := w.CA.Issue(f, cred.CSR, w.Clock.Now(), func(c *x509.Certificate) { c.NotAfter = c.NotBefore })
	for _, c := range [][]byte{wrong.Raw, good.Raw[:len(good.Raw)-1], {}, {0x30, 0x80}} {
		f.Add(c, w.CA.Cert.Raw)
	}
	f.Fuzz(func(t *testing.T, leaf, issuer []byte) {
		body, err := json.Marshal(sapclient.CertificateIn{Key: cred.Key, Chain: [][]byte{leaf, issuer}})
		if err != nil {
			t.Fatal(err)
		}
		rec := post(h, officer, sapclient.PathCertificate, body)
		if rec.Code != http.StatusOK {
			return
		}
		c, err := x509.ParseCertificate(leaf)
		if err != nil || !bytes.Equal(c.RawSubjectPublicKeyInfo, good.RawSubjectPublicKeyInfo) {
			t.Errorf("linked a certificate of another key (%v)", err)
		}
	})
}
