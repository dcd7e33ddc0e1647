//go:build foreign

package conformance_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/assent-sign/assent/conformance/judge"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/extend"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/testenv"
)

// ADE-03: a signature of the kind adbe.pkcs7.detached by OpenSSL, which signs no certificate, is passed by pyHanko with its
// demand for revocation data after it was extended to LT and LTA and renewed, and DSS names the levels of its own for it.
func TestADE03OthersJudgePKCS7Extensions(t *testing.T) {
	t.Parallel()
	_, r := longTermDesk(t)
	at := r.raise(t, pkcs7(t, r), extend.LevelT)
	lt := r.raise(t, at, extend.LevelLT)
	lta := r.raise(t, lt, extend.LevelLTA)
	again := r.raise(t, lta, extend.LevelLTA)
	asked(t, r.a.Root, true, map[string]int{at: 0}, "PASSED", "")
	asked(t, r.a.Root, false, map[string]int{lt: 0, lta: 1, again: 2}, "PASSED", "")
	asked(t, r.a.Root, false, map[string]int{changed(t, lt): 0}, "FAILED", "HASH_FAILURE")
	judged(t, judge.DSSQuestion{Anchor: r.a.Root}, map[string]wants{lt: {"PKCS7-LT", "TOTAL_PASSED", ""}, lta: {"PKCS7-LTA", "TOTAL_PASSED", ""}, again: {"PKCS7-LTA", "TOTAL_PASSED", ""}})
}

// pkcs7 is a file that OpenSSL signed, without a signed certificate.
func pkcs7(t *testing.T, r *raiser) string {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	chain, leaf := r.a.Certify(t, "openssl", key.Public(), certs.SignerProfile)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	must(os.WriteFile(path("key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	must(os.WriteFile(path("issuer.pem"), certs.EncodePEM(chain[1:]...), 0o600))
	f, err := os.Create(path("pkcs7.pdf"))
	must(err)
	defer func() { _ = f.Close() }()
	in := plainPDF(false)
	p, err := pdf.Prepare(t.Context(), bytes.NewReader(in), int64(len(in)), f, pdf.SignOptions{SubFilter: pdf.SubFilterPKCS7, Time: time.Now(), Hash: crypto.SHA256, Reserve: 32 << 10})
	must(err)
	b, err := os.ReadFile(f.Name())
	must(err)
	must(os.WriteFile(path("data"), append(bytes.Clone(b[:p.ByteRange[1]]), b[p.ByteRange[2]:]...), 0o600))
	out, err := exec.CommandContext(t.Context(), testenv.Need(t, "openssl"), "cms", "-sign", "-binary", "-md", "sha256", "-in", path("data"),
		"-signer", leaf, "-certfile", path("issuer.pem"), "-inkey", path("key.pem"), "-outform", "DER", "-out", path("message")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	message, err := os.ReadFile(path("message"))
	must(err)
	must(pdf.Embed(f, p, message))
	return f.Name()
}
