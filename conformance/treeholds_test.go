package conformance_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

// top is what the tree has at its top.
var top = []string{
	".ci", ".gitignore", ".golangci.yml", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "SECURITY.md",
	"api", "cmd", "conformance", "cryptotoken", "docs", "go.mod", "go.sum", "internal", "sam", "sap", "signapp", "workers",
}

// The tree holds sources and small test data: a program that "go build" left at the top is committed with "git add" unseen.
func TestTreeHoldsSources(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), testenv.Need(t, "git"), "-C", testenv.Root(), "ls-files", "-z").Output()
	if err != nil {
		t.Fatal(err)
	}
	const most = 1 << 20
	seen := map[string]bool{}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		first, _, _ := strings.Cut(name, "/")
		seen[first] = true
		if !slices.Contains(top, first) {
			t.Errorf("%s: the top of the tree is a reviewed list", name)
		}
		st, err := os.Stat(filepath.Join(testenv.Root(), name))
		if os.IsNotExist(err) {
			continue // deleted here
		}
		if err != nil || st.Size() > most {
			t.Errorf("%s: %d bytes, %v; a source has at most %d", name, st.Size(), err, most)
		}
	}
	if len(seen) != len(top) {
		t.Errorf("%d entries at the top, %d listed", len(seen), len(top))
	}
}
