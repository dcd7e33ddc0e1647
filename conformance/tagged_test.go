package conformance

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

// A row of the matrix is proven by what every run of the tests runs: the tests
// that ask judges from Maven Central and PyPI are none of these. Those of them that
// are in a package with others are run by their name.
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
			if filepath.Base(filepath.Dir(file)) != "conformance" && !strings.Contains(string(m[1]), "ClientOfOthers") {
				t.Errorf("%s in %s is not run by .ci/judges", m[1], file)
			}
			if regexp.MustCompile(`\b` + string(m[1]) + `\b`).Match(table) {
				t.Errorf("%s in %s proves a row, and runs only where the judges of others are installed", m[1], filepath.Base(file))
			}
		}
	}
	if tagged < 20 {
		t.Errorf("only %d tests ask judges of others", tagged)
	}
}

// "go test" may answer with the kept result of a test that starts programs made of our sources only if it knows these:
// who has Go build something in a test says so. What this package builds is run each time anew.
func TestKeptResultsKnowWhatWasBuilt(t *testing.T) {
	var building []string
	err := filepath.WalkDir(testenv.Root(), func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (e.Name() == "node_modules" || e.Name() == "var" || e.Name() == ".git") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil && builds.Match(text) {
			building = append(building, path)
			if !bytes.Contains(text, []byte("testenv.BuiltFrom(t, ")) {
				t.Errorf("%s has Go build a program and does not say from what (testenv.BuiltFrom)", path)
			}
			if bytes.Contains(text, []byte(".Dir = testenv.Root()")) && filepath.Base(filepath.Dir(path)) != "conformance" {
				t.Errorf("%s starts Go in the module's root, and whatever comes to it makes the kept result old: go -C", path)
			}
		}
		return err
	})
	if err != nil || len(building) < 6 {
		t.Errorf("%q, %v", building, err)
	}
}

var builds = regexp.MustCompile(`\bexec\.Command(Context)?\(.*"build", `)
