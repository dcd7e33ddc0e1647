//go:build foreign

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

// pyhanko is the Python that .ci/pyhanko installs with the pinned pyHanko.
func pyhanko(t testing.TB) string {
	t.Helper()
	python := filepath.Join(testenv.Root(), "var", "pyhanko", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("%v: make conformance installs it (.ci/pyhanko)", err)
	}
	return python
}

const pyhankoSecret = "a-secret-of-the-pyhanko-test-0123456789"

// integrator lets the configuration have a client that may ask for signatures
// over digests, and policies for them.
func integrator(callback string) func(*system) {
	sum := sha256.Sum256([]byte(pyhankoSecret))
	client := fmt.Sprintf(`clients:
  - id: pyhanko
    name: pyHanko Ltd
    secret_sha256: %s
    redirect_uris: [%q]
    scopes: [service, credential]
    workers: ["*", raw]
    signers: [anna]
`, hex.EncodeToString(sum[:]), callback)
	return func(s *system) {
		s.edit("samd/samd.yaml", "policies:\n", "policies:\n  - {id: bulk, max_items: 100, lifetime: 5m, raw: true}\n")
		s.edit("samd/samd.yaml", "  - {id: standard, max_items: 100, lifetime: 5m}\n", "")
		s.edit("ssad/ssad.yaml", "  wait: 1m\n", "  raw_policy: bulk\n  wait: 1m\n")
		s.edit("ssad/ssad.yaml", "clients:\n", client)
	}
}

// CSC 8.4, 11.4, 11.5, 11.10: pyHanko, which others wrote from the specification,
// signs three PDFs with one approval: it reads the credential, asks for the
// authorization bound to its digests, the signer approves in a browser, and
// signatures/signHash answers in pyHanko's order. pyHanko's own validator, poppler
// and ours find the files valid. The spent SAD is refused.
func TestCSCClientOfOthers(t *testing.T) {
	python := pyhanko(t)
	callback := fmt.Sprintf("http://127.0.0.1:%d/back", freePorts(t, 1)[0])
	s := newSystemWith(t, integrator(callback))
	p := s.person(browsertest.New(t), "anna", "Anna Example")
	s.allowDigests("anna")
	dir := t.TempDir()
	args := []string{filepath.Join(testenv.Root(), "conformance/e2e/testdata/pyhanko_sign.py"), s.app, "anna", "pyhanko", pyhankoSecret, callback, filepath.Join(s.dir, "pki/root.pem")}
	var originals [][]byte
	for i, words := range []string{"First of three", "Second of three", "Third of three"} {
		_, text := document(t, words)
		name := filepath.Join(dir, fmt.Sprintf("%d.pdf", i))
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		args, originals = append(args, name), append(originals, text)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	before := s.uses()
	var said []string
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		said = append(said, lines.Text())
		if url, ok := strings.CutPrefix(lines.Text(), "APPROVE "); ok {
			if s.uses() != before {
				t.Error("a key was used before the approval")
			}
			s.approveDigests(p, url)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, strings.Join(said, "\n"), errs.String())
	}
	out := strings.Join(said, "\n")
	if !strings.Contains(out, "CREDENTIAL True") || strings.Count(out, "VALID ENTIRE_FILE") != 3 || !strings.Contains(out, "REFUSED another digest with the same SAD 400") {
		t.Errorf("pyHanko said:\n%s", out)
	}
	for i, original := range originals {
		signed, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%d-signed.pdf", i)))
		if err != nil || !bytes.HasPrefix(signed, original) {
			t.Fatalf("signed file %d: %v", i, err)
		}
		s.judge(signed)
	}
}

// allowDigests lets a signer's one key sign digests of unseen content.
func (s *system) allowDigests(signer string) {
	s.t.Helper()
	keys, err := s.attacker().sspu.Credentials(s.t.Context(), signer)
	if err != nil || len(keys) != 1 {
		s.t.Fatalf("keys of %s: %d, %v", signer, len(keys), err)
	}
	id := strings.TrimSpace(s.stdout("credential", "raw", "--key", keys[0].Key, "--allow=true", "--dir", s.dir))
	s.run("officer", "approve", id, "--as", "second_officer", "--dir", s.dir)
}

// approveDigests is the signer, who is logged in and follows the integrator's
// address to the signing page and back.
func (s *system) approveDigests(p *browsertest.Page, url string) {
	s.t.Helper()
	p.Go(url)
	p.WaitFor("location.origin === '" + s.signing + "'")
	p.WaitFor(canSign)
	p.WaitText("pyHanko Ltd")
	p.Screenshot("e2e-digests")
	p.Click("#sign")
	p.WaitFor("document.querySelector('#signed')")
	p.Click("#continue")
	p.WaitText("Back at the integrator.")
}
