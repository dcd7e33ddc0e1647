package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// EncryptPDF encrypts a PDF file with qpdf by AES-256. options are those of its --encrypt
// for 256 bits.
func EncryptPDF(t testing.TB, in []byte, user, owner string, options ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	from, to := filepath.Join(dir, "in.pdf"), filepath.Join(dir, "out.pdf")
	if err := os.WriteFile(from, in, 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--encrypt", user, owner, "256"}, options...)
	if out, err := exec.CommandContext(t.Context(), Need(t, "qpdf"), append(args, "--", from, to)...).CombinedOutput(); err != nil {
		t.Fatalf("qpdf: %v\n%s", err, out)
	}
	b, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
