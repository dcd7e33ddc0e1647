package conformance

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

// A row of the matrix is proven by what every run of the tests runs: the tests
// that ask judges from Maven Central and PyPI are none of these.
func TestRowsAreProvenByWhatAlwaysRuns(t *testing.T) {
	table, err := os.ReadFile(filepath.Join(testenv.Root(), "conformance", "requirements.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(testenv.Root(), "conformance", "*", "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(testenv.Root(), "conformance", "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	name, tagged := regexp.MustCompile(`(?m)^func (Test\w+)\(`), 0
	for _, file := range append(files, more...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(text, []byte("//go:build foreign")) {
			continue
		}
		for _, m := range name.FindAllSubmatch(text, -1) {
			tagged++
			if regexp.MustCompile(`\b` + string(m[1]) + `\b`).Match(table) {
				t.Errorf("%s in %s proves a row, and runs only where the judges of others are installed", m[1], filepath.Base(file))
			}
		}
	}
	if tagged < 10 {
		t.Errorf("only %d tests ask judges of others", tagged)
	}
}
