package tsa_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/tsa"
	"github.com/assent-sign/assent/workers/workertest"
)

func newTSA(t *testing.T, profile certs.Profile) (*workers.Entry, *workertest.PKI, error) {
	t.Helper()
	pki := workertest.NewPKI(t)
	_, _, chain := pki.Key(t, "tsa", algo.P256, profile)
	set, err := workers.NewSet(context.Background(), []workers.Config{{Name: "tsa", Kind: "tsa", Token: "local", Key: "tsa", Chain: chain,
		Properties: map[string]string{"policy": "1.3.6.1.4.1.99999.1.1", "accuracy": "1s"}}}, pki.Options(map[string]workers.Kind{"tsa": tsa.Kind()}, nil))
	if err != nil {
		return nil, pki, err
	}
	e, err := set.Get("tsa")
	return e, pki, err
}

// TIM-02: the authority answers over HTTP to openssl's own request, and openssl
// accepts the answer; our client accepts it too and a foreign root does not.
func TestTIM02OverHTTPJudgedByOpenSSL(t *testing.T) {
	openssl := testenv.Need(t, "openssl")
	e, pki, err := newTSA(t, certs.TSAProfile)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(e.Processor.(*tsa.Worker).Handler(nil))
	defer srv.Close()
	dir := t.TempDir()
	data, query, reply := filepath.Join(dir, "d"), filepath.Join(dir, "q"), filepath.Join(dir, "r")
	if err := os.WriteFile(data, []byte("some data"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(openssl, args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	run("ts", "-query", "-data", data, "-sha256", "-cert", "-out", query)
	q, err := os.ReadFile(query)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := srv.Client().Post(srv.URL, "application/timestamp-query", bytes.NewReader(q))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%d %v", resp.StatusCode, err)
	}
	if err := os.WriteFile(reply, body, 0o600); err != nil {
		t.Fatal(err)
	}
	run("ts", "-verify", "-queryfile", query, "-in", reply, "-CAfile", pki.Root)

	sum := sha256.Sum256([]byte("x"))
	good, err := tsa.NewRemote(srv.URL, []*x509.Certificate{pki.CA.Root}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, at, err := good.Stamp(context.Background(), crypto.SHA256, sum[:]); err != nil || at.IsZero() {
		t.Fatalf("own client: %v", err)
	}
	other, err := certs.NewDemoCA(certs.DemoConfig{})
	if err != nil {
		t.Fatal(err)
	}
	bad, err := tsa.NewRemote(srv.URL, []*x509.Certificate{other.Root}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := bad.Stamp(context.Background(), crypto.SHA256, sum[:]); err == nil {
		t.Fatal("a foreign authority's token was accepted")
	}
}

// A certificate that is not for time-stamping makes no authority.
func TestTSANeedsItsCertificate(t *testing.T) {
	if _, _, err := newTSA(t, certs.SignerProfile); err == nil {
		t.Fatal("accepted")
	}
}
