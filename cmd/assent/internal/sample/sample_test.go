package sample_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/cmd/assent/internal/sample"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/testenv"
)

// The demo's document must be a file that a strict checker has nothing to say
// about, or every later verdict about the signed one would be worth less.
func TestContractIsACleanPDF(t *testing.T) {
	qpdf, pdftotext := testenv.Need(t, "qpdf"), testenv.Need(t, "pdftotext")
	path := filepath.Join(t.TempDir(), "contract.pdf")
	if err := os.WriteFile(path, sample.Contract(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(qpdf, "--check", path).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("WARNING")) {
		t.Errorf("qpdf --check: %v\n%s", err, out)
	}
	text, err := exec.Command(pdftotext, "-layout", path, "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Lease of a garden shed", "Owners' Association", "240 euros", "Page 1 of 2", "Page 2 of 2"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
}

// Our own reader opens it without a repair, and two runs give the same bytes.
func TestContractIsStable(t *testing.T) {
	b := sample.Contract()
	d, err := pdf.Open(bytes.NewReader(b), int64(len(b)), pdf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Repaired() {
		t.Error("our reader had to repair the cross-reference")
	}
	if !bytes.Equal(b, sample.Contract()) {
		t.Error("a second run gives other bytes")
	}
}
