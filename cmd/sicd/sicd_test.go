package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/config"
	"github.com/assent-sign/assent/sap"
)

type files struct {
	dir string
	key string // base64url SubjectPublicKeyInfo
}

// folder writes the files that configurations name: the SAM's key, a TLS pair.
func folder(t *testing.T) files {
	t.Helper()
	f := files{dir: t.TempDir()}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	f.key = sap.B64(spki)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	f.write(t, "sam.pem", "PUBLIC KEY", spki, 0o644)
	f.write(t, "cert.pem", "CERTIFICATE", cert, 0o644)
	f.write(t, "key.pem", "PRIVATE KEY", pkcs8, 0o600)
	f.write(t, "open-key.pem", "PRIVATE KEY", pkcs8, 0o644)
	return f
}

func (f files) write(t *testing.T, name, kind string, der []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		t.Fatal(err)
	}
}

func (f files) config(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(f.dir, "sicd.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const good = `profile: demo
listen: 127.0.0.1:0
origin: http://localhost:8441
api: http://localhost:8440
rp_id: localhost
aud: demo#1
allow_missing_viewer: true
`

// start runs the program and returns the address it listens on.
func start(t *testing.T, path string) net.Addr {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	addr, code := make(chan net.Addr, 1), make(chan int, 1)
	go func() { code <- run(ctx, []string{"-config", path}, func(a net.Addr) { addr <- a }) }()
	t.Cleanup(func() {
		stop()
		if c := <-code; c != 0 {
			t.Errorf("exit code %d", c)
		}
	})
	select {
	case a := <-addr:
		return a
	case c := <-code:
		code <- c
		t.Fatalf("ended with %d", c)
	case <-time.After(20 * time.Second):
		t.Fatal("does not start")
	}
	return nil
}

func TestServesAndStops(t *testing.T) {
	f := folder(t)
	a := start(t, f.config(t, good+"sam_key_file: sam.pem\n"))
	res, err := http.Get("http://" + a.String() + "/config.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var c map[string]any
	if err := json.NewDecoder(res.Body).Decode(&c); err != nil {
		t.Fatal(err)
	}
	if c["sam_key"] != f.key || c["profile"] != "demo" || c["max_document"] != float64(100<<20) {
		t.Errorf("configuration served: %v", c)
	}
}

// CHN-01: the signing origin speaks TLS 1.3 and nothing older.
func TestServesTLS(t *testing.T) {
	f := folder(t)
	text := strings.ReplaceAll(good, "http://localhost:8441", "https://localhost:8441") + "sam_key: " + f.key + "\ntls:\n  cert: cert.pem\n  key: key.pem\n"
	path := f.config(t, text)
	if s, err := load(path); err != nil || len(s.ends) != 1 || s.ends[0].Use != "tls" || s.ends[0].Do == "" || time.Until(s.ends[0].End) > time.Hour {
		t.Errorf("the end of its certificate will not be told: %+v, %v", s, err)
	}
	a := start(t, path)
	pool := x509.NewCertPool()
	chain, err := os.ReadFile(filepath.Join(f.dir, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool.AppendCertsFromPEM(chain)
	get := func(max uint16) (*http.Response, error) {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: max}}
		defer tr.CloseIdleConnections()
		return (&http.Client{Transport: tr, Timeout: 10 * time.Second}).Get("https://" + a.String() + "/")
	}
	res, err := get(tls.VersionTLS13)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 200 || res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%d, HSTS %q", res.StatusCode, res.Header.Get("Strict-Transport-Security"))
	}
	for _, old := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12} {
		if res, err := get(old); err == nil {
			_ = res.Body.Close()
			t.Errorf("speaks %s", tls.VersionName(old))
		}
	}
}

// OPS: every configuration that is wrong ends with code 2 before anything listens.
func TestWrongConfigurationEndsWith2(t *testing.T) {
	f := folder(t)
	withKey := good + "sam_key: " + f.key + "\n"
	for name, text := range map[string]string{
		"unknown key":                     withKey + "listn: x\n",
		"no SAM key":                      good,
		"two SAM keys":                    withKey + "sam_key_file: sam.pem\n",
		"SAM key not base64url":           good + "sam_key: '+/+/'\n",
		"SAM key file absent":             good + "sam_key_file: nothing.pem\n",
		"SAM key file of another kind":    good + "sam_key_file: cert.pem\n",
		"one origin for both":             strings.ReplaceAll(withKey, ":8440", ":8441"),
		"missing viewer in production":    strings.Replace(withKey, "profile: demo", "profile: production", 1),
		"half of TLS":                     withKey + "tls:\n  cert: cert.pem\n",
		"TLS key that others can read":    withKey + "tls:\n  cert: cert.pem\n  key: open-key.pem\n",
		"TLS key that is no key":          withKey + "tls:\n  cert: key.pem\n  key: key.pem\n",
		"production in clear, not local":  strings.NewReplacer("profile: demo", "profile: production", "127.0.0.1:0", "0.0.0.0:0", "allow_missing_viewer: true", "").Replace(withKey),
		"empty":                           "",
		"an origin that browsers rewrite": strings.ReplaceAll(withKey, "http://localhost:8441", "http://LOCALHOST:8441"),
	} {
		if code := run(t.Context(), []string{"-config", f.config(t, text)}, func(net.Addr) { t.Errorf("%s: listens", name) }); code != 2 {
			t.Errorf("%s: exit code %d, want 2", name, code)
		}
	}
	if code := run(t.Context(), []string{"-config", filepath.Join(f.dir, "absent.yaml")}, nil); code != 2 {
		t.Errorf("absent file: exit code %d", code)
	}
	if code := run(t.Context(), []string{"-nonsense"}, nil); code != 2 {
		t.Errorf("unknown flag: exit code %d", code)
	}
	if code := run(t.Context(), []string{f.config(t, withKey)}, func(net.Addr) { t.Error("a word in the place of -config: listens") }); code != 2 {
		t.Errorf("a word: exit code %d", code)
	}
	if _, err := load(f.config(t, good+"sam_key_file: nothing.pem\n")); err == nil || !strings.Contains(err.Error(), "assent status --save-key") {
		t.Errorf("absent key: %v does not say where it comes from", err)
	}
	if code := run(t.Context(), []string{"-h"}, nil); code != 0 {
		t.Errorf("help: exit code %d", code)
	}
	if code := run(t.Context(), []string{"-check", "-config", f.config(t, withKey)}, nil); code != 0 {
		t.Errorf("-check of a good file: exit code %d", code)
	}
	taken := start(t, f.config(t, withKey))
	if code := run(t.Context(), []string{"-config", f.config(t, strings.Replace(withKey, "127.0.0.1:0", taken.String(), 1))}, nil); code != 1 {
		t.Errorf("address in use: exit code %d, want 1", code)
	}
}

// The three daemons know the same profiles: development shows the demo's ribbon,
// because nothing that is made there counts. Any other word is refused with a list.
func TestProfiles(t *testing.T) {
	f := folder(t)
	withKey := good + "sam_key: " + f.key + "\n"
	a := start(t, f.config(t, strings.Replace(withKey, "profile: demo", "profile: development", 1)))
	res, err := http.Get("http://" + a.String() + "/config.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var c map[string]any
	if err := json.NewDecoder(res.Body).Decode(&c); err != nil || c["profile"] != "demo" {
		t.Errorf("development is served as %v, %v", c["profile"], err)
	}
	for _, word := range []string{"test", "Production", "prod", "''"} {
		path := f.config(t, strings.Replace(withKey, "profile: demo", "profile: "+word, 1))
		if _, err := load(path); err == nil || !strings.Contains(err.Error(), "demo, development or production") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", word, err)
		}
	}
	if _, err := load(f.config(t, strings.Replace(withKey, "profile: demo\n", "", 1))); err == nil || !strings.Contains(err.Error(), "profile is missing") {
		t.Errorf("no profile: %v", err)
	}
}

// The sample says every key that there is, and each with a value that is read.
func TestSampleIsComplete(t *testing.T) {
	text, err := os.ReadFile("sicd.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var c fileConfig
	if err := config.Decode("sicd.example.yaml", text, &c); err != nil {
		t.Fatal(err)
	}
	if c.Profile != "production" || c.TLS.Key == "" || c.SAMKeyFile == "" {
		t.Errorf("sample: %+v", c)
	}
	for _, key := range []string{"profile", "listen", "origin", "api", "rp_id", "aud", "sam_key", "sam_key_file", "max_document", "attestation", "allow_missing_viewer", "tls", "cert", "key"} {
		if !strings.Contains(string(text), key+":") {
			t.Errorf("the sample does not name %s", key)
		}
	}
}
