package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const testSecret = "0123456789abcdef0123456789abcdef"

// strictSsad is ssad as docs/integrators.md describes it, for one request, and takes
// nothing else. answers replaces what it says to a call.
func strictSsad(t *testing.T, answers map[string]http.HandlerFunc) http.Handler {
	t.Helper()
	polls := 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := r.Method + " " + r.URL.Path
		if h := answers[call]; h != nil {
			h(w, r)
			return
		}
		if call != "POST /oauth2/token" && r.Header.Get("Authorization") != "Bearer tok" {
			t.Errorf("%s without its token", call)
		}
		body, _ := io.ReadAll(r.Body)
		switch call {
		case "POST /oauth2/token":
			if id, secret, _ := r.BasicAuth(); id != "cli" || secret != testSecret || string(body) != "grant_type=client_credentials&scope=service" {
				t.Errorf("token request: %s, %s", id, body)
			}
			fmt.Fprint(w, `{"access_token":"tok","token_type":"Bearer","expires_in":3600}`)
		case "POST /api/v1/documents":
			if r.URL.Query().Get("name") != "in.pdf" || string(body) != "%PDF" || r.Header.Get("Content-Type") != "application/pdf" {
				t.Errorf("upload: %s, %q", r.URL, body)
			}
			w.WriteHeader(201)
			fmt.Fprint(w, `{"id":"doc_1"}`)
		case "POST /api/v1/operations":
			var op map[string]any
			if err := json.Unmarshal(body, &op); err != nil || op["signer"] != "anna" || op["level"] != "B-B" {
				t.Errorf("operation: %s, %v", body, err)
			}
			w.WriteHeader(201)
			fmt.Fprint(w, `{"id":"op_1","state":"waiting","approval_url":"http://localhost/op_1"}`)
		case "GET /api/v1/operations/op_1":
			if polls++; polls == 1 {
				fmt.Fprint(w, `{"id":"op_1","state":"waiting"}`)
				return
			}
			fmt.Fprint(w, `{"id":"op_1","state":"finished"}`)
		case "GET /api/v1/operations/op_1/items/0/document":
			fmt.Fprint(w, "%PDF signed")
		default:
			t.Errorf("an unexpected call: %s", call)
			w.WriteHeader(404)
		}
	})
}

// signAt runs "assent sign" against the service at origin.
func signAt(t *testing.T, origin string, flags ...string) (code int, said, out string) {
	t.Helper()
	dir := folderFor(t, origin)
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), append(signLine(dir), flags...), &stdout, &stderr)
	signed, err := os.ReadFile(filepath.Join(dir, "out.pdf"))
	if (code == exitOK) != (err == nil) {
		t.Errorf("exit code %d, output file: %v", code, err)
	}
	return code, stderr.String(), string(signed)
}

func signLine(dir string) []string {
	return []string{"sign", filepath.Join(dir, "in.pdf"), "-o", filepath.Join(dir, "out.pdf"), "--signer", "anna", "--dir", dir}
}

// folderFor holds what "assent sign" reads.
func folderFor(t *testing.T, origin string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"assent.yaml": "app_origin: " + origin + "\nclient: {id: cli, secret: secret}\n", "secret": testSecret, "in.pdf": "%PDF",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func says(status int, header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if k, v, ok := strings.Cut(header, ": "); ok {
			w.Header().Set(k, v)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func problemOf(status int, code, title, detail string) http.HandlerFunc {
	text, _ := json.Marshal(map[string]any{"type": "https://app.example.org/problems/" + code, "title": title, "status": status, "detail": detail, "code": code, "request_id": "req_7", "retry": "never"})
	return says(status, "Content-Type: application/problem+json", string(text))
}

func later(h http.HandlerFunc, after string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", after)
		h(w, r)
	}
}

// Each answer that is not the signed file is one plain sentence that says whose it is
// and what to do, with the exit code that the help documents.
func TestSignSaysWhatIsWrong(t *testing.T) {
	const token, documents, operations, poll = "POST /oauth2/token", "POST /api/v1/documents", "POST /api/v1/operations", "GET /api/v1/operations/op_1"
	html := "<html><body>nginx</body></html>"
	for _, c := range []struct {
		name, call string
		answer     http.HandlerFunc
		code       int
		want       []string
	}{
		{"worker", operations, problemOf(400, "no_such_worker", "There is no such worker", ""), exitUsage, []string{`no worker "pades"`, "assent worker list", "--worker", "req_7"}},
		{"signer", operations, problemOf(422, "cannot_be_served", "The request cannot be served", "the signer has no such key that is active"), exitFailed, []string{`signer "anna"`, `worker "pades"`, "no such key that is active", "assent signer show anna"}},
		{"signer not found", operations, problemOf(404, "not_found", "There is no such thing, or it is not yours", ""), exitUsage, []string{`signer "anna"`, "assent signer show anna"}},
		{"not allowed", operations, problemOf(403, "not_allowed", "The client is not allowed to do this", "the client may not deal with this signer"), exitFailed, []string{"may not deal with this signer", "clients of ssad.yaml"}},
		{"another program", token, says(404, "Content-Type: text/html", html), exitUsage, []string{"is not ssad", "app_origin", "POST /oauth2/token"}},
		{"another API", documents, says(404, "Content-Type: application/json", `{"error":"not found"}`), exitUsage, []string{"is not ssad", "app_origin"}},
		{"a page for everything", token, says(200, "Content-Type: text/html", html), exitUsage, []string{"is not ssad", "app_origin"}},
		{"a front without this path", documents, says(404, "", "not found"), exitUsage, []string{"is not ssad", "POST /api/v1/documents", "front"}},
		{"a path too much", documents, problemOf(404, "no_such_endpoint", "There is no such endpoint", ""), exitUsage, []string{"has no POST /api/v1/documents", "app_origin", "version"}},
		{"sent on", token, says(301, "Location: https://app.example/oauth2/token", ""), exitUsage, []string{"https://app.example/oauth2/token", "app_origin"}},
		{"secret", token, says(401, "Content-Type: application/json", `{"error":"invalid_client","error_description":"client authentication failed"}`), exitUsage, []string{`client id "cli"`, "assent.yaml", "ssad.yaml"}},
		{"scope", token, says(400, "", `{"error":"invalid_scope"}`), exitUsage, []string{"scope service", "ssad.yaml"}},
		{"token", documents, problemOf(401, "token_invalid", "The token is unknown or revoked", ""), exitFailed, []string{"its own token", "try again"}},
		{"a login of a front", documents, says(401, "WWW-Authenticate: Basic", html), exitUsage, []string{"before ssad", "login"}},
		{"size", documents, problemOf(413, "too_large", "Over a size limit", ""), exitFailed, []string{"too large", "limits.document"}},
		{"size at a front", documents, says(413, "", html), exitFailed, []string{"front", "413", "limits.document"}},
		{"rate", documents, later(problemOf(429, "rate_limited", "Too many requests", ""), "17"), exitFailed, []string{"Too many requests", "again in 17s"}},
		{"rate at a front", documents, later(says(429, "", html), "61"), exitFailed, []string{"front", "again in 1m1s"}},
		{"signer pauses", operations, later(problemOf(429, "signer_paused", "The signer has declined several requests in a row; ask again later", ""), "900"), exitFailed, []string{"declined several", "again in 15m0s"}},
		{"full", documents, later(problemOf(507, "storage_full", "The service cannot store more now", ""), "5"), exitFailed, []string{"cannot store more", "again in 5s"}},
		{"module away", operations, later(problemOf(503, "unavailable", "The service cannot answer now", ""), "9"), exitFailed, []string{"cannot answer now", "again in 9s", "req_7"}},
		{"failed", operations, problemOf(500, "internal", "The service failed", ""), exitFailed, []string{"ssad failed", "log", "req_7"}},
		{"behind a front", documents, says(502, "", html), exitFailed, []string{"front", "does not reach ssad", "502"}},
		{"teapot", documents, says(418, "", html), exitFailed, []string{"418", "no answer of ssad's"}},
		{"declined", poll, says(200, "", `{"id":"op_1","state":"declined","reason":"not_mine"}`), exitFailed, []string{"declined", "not_mine"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := httptest.NewServer(strictSsad(t, map[string]http.HandlerFunc{c.call: c.answer}))
			defer srv.Close()
			code, said, _ := signAt(t, srv.URL)
			plainly(t, code, c.code, said, c.want)
		})
	}
}

func plainly(t *testing.T, code, wantCode int, said string, want []string) {
	t.Helper()
	if code != wantCode {
		t.Errorf("exit code %d, want %d", code, wantCode)
	}
	for _, w := range want {
		if !strings.Contains(said, w) {
			t.Errorf("it does not say %q: %s", w, said)
		}
	}
	if strings.Count(strings.TrimSpace(said), "\n") > 0 || strings.Contains(said, "<html") || strings.Contains(said, testSecret) {
		t.Errorf("no plain sentence: %s", said)
	}
}

// A service that restarts while the signer reads is waited for.
func TestSignWaitsForAServiceThatRestarts(t *testing.T) {
	failed := 0
	inner := strictSsad(t, nil)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/operations/op_1" && failed < 2 {
			failed++
			later(says(502, "", "bad gateway"), "1")(w, r)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	defer srv.Close()
	if code, said, out := signAt(t, srv.URL); code != exitOK || out != "%PDF signed" || failed != 2 {
		t.Errorf("%d, %s, %q, %d failures", code, said, out, failed)
	}
}

// Where there is no answer at all: nobody listens, another protocol, a certificate
// that is of another CA, of another name, or over.
func TestSignSaysWhyThereIsNoAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	plain := httptest.NewServer(strictSsad(t, nil))
	defer plain.Close()
	secure := httptest.NewUnstartedServer(strictSsad(t, nil))
	secure.Config.ErrorLog = quiet(t)
	secure.StartTLS()
	defer secure.Close()
	slow := httptest.NewServer(strictSsad(t, map[string]http.HandlerFunc{"POST /oauth2/token": func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}}))
	defer slow.Close()
	for _, c := range []struct {
		name, origin string
		code         int
		want         []string
	}{
		{"nobody listens", "http://" + l.Addr().String(), exitFailed, []string{"nothing listens at http://" + l.Addr().String(), "start ssad", "app_origin"}},
		{"no such host", "http://nowhere.test", exitUsage, []string{"nowhere.test", "no address", "app_origin"}},
		{"another CA", secure.URL, exitUsage, []string{"not from a CA that this machine trusts", "SSL_CERT_FILE"}},
		{"https to http", strings.Replace(plain.URL, "http:", "https:", 1), exitUsage, []string{"does not speak TLS", "app_origin"}},
		{"http to https", strings.Replace(secure.URL, "https:", "http:", 1), exitUsage, []string{"speaks TLS", "app_origin", "https://"}},
		{"slow", slow.URL, exitFailed, []string{"within the time given", "--wait"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var flags []string
			if c.name == "slow" {
				flags = []string{"--wait", "300ms"}
			}
			code, said, _ := signAt(t, c.origin, flags...)
			plainly(t, code, c.code, said, c.want)
		})
	}
}

// The certificate is of a CA that is trusted, and still does not do.
func TestSignSaysWhatCertificatesLack(t *testing.T) {
	for _, c := range []struct {
		name, host string
		life       time.Duration
		code       int
		want       []string
	}{
		{"good", "127.0.0.1", time.Hour, exitOK, nil},
		{"another name", "sign.example.org", time.Hour, exitUsage, []string{"for other names (sign.example.org)", "app_origin"}},
		{"over", "127.0.0.1", -time.Minute, exitUsage, []string{"valid from", "clock says", "renew"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cert := selfSigned(t, c.host, c.life)
			srv := httptest.NewUnstartedServer(strictSsad(t, nil))
			srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}
			srv.Config.ErrorLog = quiet(t)
			srv.StartTLS()
			defer srv.Close()
			pemFile := filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(pemFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600); err != nil {
				t.Fatal(err)
			}
			said, code := signApart(t, srv.URL, pemFile)
			if c.code == exitOK {
				if code != exitOK {
					t.Errorf("%d: %s", code, said)
				}
				return
			}
			plainly(t, code, c.code, said, c.want)
		})
	}
}

func quiet(t *testing.T) *log.Logger {
	t.Helper()
	return log.New(io.Discard, "", 0)
}

// selfSigned is a server's certificate that is its own CA.
func selfSigned(t *testing.T, host string, life time.Duration) tls.Certificate {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(life), IsCA: true, BasicConstraintsValid: true}
	if ip := net.ParseIP(host); ip != nil {
		tmpl.IPAddresses = []net.IP{ip}
	} else {
		tmpl.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k}
}

// signApart is signAt in a process of its own, which trusts one CA.
func signApart(t *testing.T, origin, ca string) (said string, code int) {
	t.Helper()
	dir := folderFor(t, origin)
	cmd := exec.Command(os.Args[0], signLine(dir)...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "SSL_CERT_FILE="+ca, "SSL_CERT_DIR=/nonexistent")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}
