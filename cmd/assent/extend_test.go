package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/cmd/assent/internal/sample"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/secret"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/xades"
	"github.com/assent-sign/assent/workers/workertest"
)

// ADE-03: the command raises a file and renews it; the first of two time-stamp
// authorities fails, is named, and lowers nothing; an output that exists stays.
func TestADE03ExtendCommand(t *testing.T) {
	a := workertest.NewAuthority(t)
	dir := t.TempDir()
	in, lta, renewed := filepath.Join(dir, "in.pdf"), filepath.Join(dir, "lta.pdf"), filepath.Join(dir, "renewed.pdf")
	signedForExtension(t, a, in)
	good, bad := stamper(t, a), httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(bad.Close)
	run := func(args ...string) (string, string, error) {
		var out, errs bytes.Buffer
		c := newRoot()
		c.SetArgs(append(args, "--anchor", a.Root, "--tsa", bad.URL, "--tsa", good, "--revocation-addresses", "127.0.0.0/8"))
		c.SetOut(&out)
		c.SetErr(&errs)
		err := c.ExecuteContext(t.Context())
		return out.String(), errs.String(), err
	}
	out, errs, err := run("extend", in, "-o", lta, "--level", "LTA")
	if err != nil || !strings.Contains(out, "valid TOTAL-PASSED") || !strings.Contains(errs, bad.URL) {
		t.Fatalf("%s %s %v", out, errs, err)
	}
	if out, errs, err = run("extend", lta, "-o", renewed, "--format", "json"); err != nil || strings.Count(out, `"kind": "document time-stamp"`) != 2 {
		t.Errorf("%s %s %v", out, errs, err)
	}
	if _, _, err = run("extend", in, "-o", renewed); err == nil {
		t.Error("a file was overwritten")
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".assent-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func stamper(t *testing.T, a *workertest.Authority) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	chain, _ := a.Certify(t, "tsa", key.Public(), certs.TSAProfile)
	r := &tsp.Responder{Signer: key, Alg: algo.ES256, Chain: chain, Policy: []int{1, 3, 6, 1, 4, 1, 99999, 1}}
	s := httptest.NewServer(tsp.Handler(r, nil))
	t.Cleanup(s.Close)
	return s.URL
}

func signedForExtension(t *testing.T, a *workertest.Authority, path string) {
	t.Helper()
	signedWith(t, a, path, sample.Contract(), "")
}

func signedWith(t *testing.T, a *workertest.Authority, path string, doc []byte, password string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	chain, _ := a.Certify(t, "anna", key.Public(), certs.SignerProfile)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	p, err := pdf.Prepare(t.Context(), bytes.NewReader(doc), int64(len(doc)), f, pdf.SignOptions{Time: time.Now(), Hash: crypto.SHA256, Reserve: 16 << 10, Password: secret.New([]byte(password))})
	if err != nil {
		t.Fatal(err)
	}
	attrs, err := sap.PAdESSignedAttributes(p.Digest, chain[0])
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(attrs)
	sig, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	der, err := cms.Assemble(cms.Input{SignedAttrs: attrs, Alg: algo.ES256, Signature: sig, Chain: chain})
	if err != nil {
		t.Fatal(err)
	}
	if err := pdf.Embed(f, p, der); err != nil {
		t.Fatal(err)
	}
}

// ADE-03: --tsa-anchor vouches for time-stamp authorities only. Were it for signers too, whoever gets a
// certificate of the authority's CA would have signatures that are extended as valid.
func TestADE03ExtendTrustsStampAnchorsForStampsOnly(t *testing.T) {
	signers, stampers := workertest.NewAuthority(t), workertest.NewAuthority(t)
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.pdf"), filepath.Join(dir, "out.pdf")
	signedForExtension(t, signers, in)
	run := func(anchor, stampAnchor, url string) (string, error) {
		var text bytes.Buffer
		c := newRoot()
		c.SetArgs([]string{"extend", in, "-o", out, "--anchor", anchor, "--tsa-anchor", stampAnchor, "--tsa", url, "--revocation-addresses", "127.0.0.0/8"})
		c.SetOut(&text)
		c.SetErr(&text)
		err := c.ExecuteContext(t.Context())
		return text.String(), err
	}
	var exit *exitError
	if text, err := run(stampers.Root, signers.Root, stamper(t, signers)); !errors.As(err, &exit) || exit.code != exitNotValid {
		t.Errorf("the signer's CA as that of authorities: %s %v", text, err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a file was written")
	}
	if text, err := run(signers.Root, stampers.Root, stamper(t, stampers)); err != nil || !strings.Contains(text, "valid TOTAL-PASSED") {
		t.Errorf("each its own: %s %v", text, err)
	}
}

// xmlFor is a document with XAdES signatures by xades: enveloped in the form for several signers, or detached.
func xmlFor(t *testing.T, a *workertest.Authority, doc, detached string, ids ...string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	chain, _ := a.Certify(t, "anna", key.Public(), certs.SignerProfile)
	digest := sha256.Sum256([]byte(doc)) // it is its own canonical form
	object := xades.Object{Enveloped: true, Parallel: true, Hash: crypto.SHA256, Digest: digest[:], MimeType: "text/xml"}
	if detached != "" {
		object = xades.Object{URI: detached, Hash: crypto.SHA256, Digest: digest[:], MimeType: "text/plain"}
	}
	var elements string
	for _, id := range ids {
		p := &xades.Parameters{ID: id, Algorithm: algo.ES256, Certificate: chain[0], Time: time.Now().Unix(), Objects: []xades.Object{object}}
		info, err := xades.SignedInfo(p)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(info)
		value, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		e, err := xades.Signature(p, value, chain)
		if err != nil {
			t.Fatal(err)
		}
		elements += string(e)
	}
	if detached != "" {
		return elements
	}
	return strings.Replace(doc, "</", elements+"</", 1)
}

// ADE-03: the command raises and renews XML signatures too: all of a document or those that are named, and detached ones with
// the file that they are over; what is refused leaves no file, and says what, where, and what may help.
func TestADE03ExtendCommandXML(t *testing.T) {
	a := workertest.NewAuthority(t)
	dir, url := t.TempDir(), stamper(t, a)
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"in.xml": xmlFor(t, a, "<a>240</a>", "", "s1", "s2"), "terms.txt": "240", "terms.xades": xmlFor(t, a, "240", "terms.txt", "s1")} {
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(in, out string, more ...string) (string, error) {
		var text bytes.Buffer
		c := newRoot()
		c.SetArgs(append([]string{"extend", path(in), "-o", path(out), "--anchor", a.Root, "--tsa", url, "--revocation-addresses", "127.0.0.0/8"}, more...))
		c.SetOut(&text)
		c.SetErr(&text)
		err := c.ExecuteContext(t.Context())
		return text.String(), err
	}
	for _, c := range []struct {
		in, out string
		args    []string
		want    []string
	}{
		{"in.xml", "one.xml", []string{"--signature", "s2"}, []string{`archive time-stamp over "s2"`, "valid TOTAL-PASSED"}},
		{"in.xml", "lta.xml", nil, []string{`archive time-stamp over "s1"`, `archive time-stamp over "s2"`, "valid TOTAL-PASSED"}},
		{"lta.xml", "renewed.xml", nil, []string{`further archive time-stamp over "s1"`, `further archive time-stamp over "s2"`}},
		{"terms.xades", "terms-lta.xades", []string{"--detached", path("terms.txt")}, []string{`archive time-stamp over "s1"`, "valid TOTAL-PASSED"}},
	} {
		out, err := run(c.in, c.out, c.args...)
		for _, w := range c.want {
			if err != nil || !strings.Contains(out, w) {
				t.Errorf("%s to %s: %v\n%s", c.in, c.out, err, out)
			}
		}
	}
	for _, c := range []struct {
		in, out string
		args    []string
		code    int
		words   string
	}{
		{"in.xml", "x.xml", []string{"--signature", "s3"}, exitUsage, `there are ["s1" "s2"]`},
		{"terms.xades", "x.xades", nil, exitNotValid, "give the files that it names"},
		{"in.xml", "lta.xml", nil, exitFailed, "lta.xml is there already"},
	} {
		was, _ := os.ReadFile(path(c.out))
		_, err := run(c.in, c.out, c.args...)
		code := exitFailed
		if e := (*exitError)(nil); errors.As(err, &e) {
			code = e.code
		}
		if now, _ := os.ReadFile(path(c.out)); err == nil || code != c.code || !strings.Contains(err.Error(), c.words) || !bytes.Equal(was, now) {
			t.Errorf("%s to %s: %d %v", c.in, c.out, code, err)
		}
	}
}

// ADE-03, D6: --password-file opens an encrypted file for extend and verify; without it the
// commands say that one is needed, and never which.
func TestADE03PasswordFile(t *testing.T) {
	a := workertest.NewAuthority(t)
	dir := t.TempDir()
	in, out, password := filepath.Join(dir, "in.pdf"), filepath.Join(dir, "out.pdf"), filepath.Join(dir, "password")
	signedWith(t, a, in, testenv.EncryptPDF(t, sample.Contract(), "open sesame", "owner"), "open sesame")
	if err := os.WriteFile(password, []byte("open sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		var text bytes.Buffer
		c := newRoot()
		c.SetArgs(args)
		c.SetOut(&text)
		c.SetErr(&text)
		err := c.ExecuteContext(t.Context())
		return text.String(), err
	}
	extend := []string{"extend", in, "-o", out, "--anchor", a.Root, "--tsa", stamper(t, a), "--revocation-addresses", "127.0.0.0/8"}
	if text, err := run(extend...); err == nil || !strings.Contains(err.Error(), "password") || strings.Contains(text+err.Error(), "sesame") {
		t.Errorf("%s %v", text, err)
	}
	if text, err := run(append(extend, "--password-file", password)...); err != nil || !strings.Contains(text, "valid TOTAL-PASSED") {
		t.Errorf("%s %v", text, err)
	}
	if text, err := run("verify", out, "--trust", a.Root); err == nil || strings.Contains(text+err.Error(), "sesame") {
		t.Errorf("%s %v", text, err)
	}
	if text, err := run("verify", out, "--trust", a.Root, "--password-file", password); err != nil || !strings.Contains(text, "B-LTA") {
		t.Errorf("%s %v", text, err)
	}
}
