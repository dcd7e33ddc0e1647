package conformance_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/assent-sign/assent/conformance/matrix"
	"github.com/assent-sign/assent/internal/testenv"
)

var (
	placeInText = regexp.MustCompile("`([a-z0-9_/]+\\.go):([A-Za-z.]+)`")
	rowInText   = regexp.MustCompile(`\b([A-Z]{3}-[0-9]{2})\b`)
	ruleLine    = regexp.MustCompile(`(?m)^\| R[0-9]+ \|.*$`)
)

// What docs/sam.md tells an evaluator is so: every place that it names exists,
// and the rows that it names as proof of a rule are in the matrix and marked
// proven there, or are the token's matter; behind "planned:" stand those that are
// not yet. (That they are proven is decided by each run of the tests.)
func TestSAMPageIsTrue(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(testenv.Root(), "docs", "sam.md"))
	if err != nil {
		t.Fatal(err)
	}
	src := matrix.NewSource(testenv.Root())
	places := placeInText.FindAllStringSubmatch(string(page), -1)
	for _, m := range places {
		if err := src.Has(matrix.Place{File: m[1], Symbol: m[2]}); err != nil {
			t.Errorf("docs/sam.md: %v", err)
		}
	}
	f, err := os.Open(filepath.Join(testenv.Root(), "conformance", "requirements.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := matrix.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	status := map[string]matrix.Status{}
	for _, r := range rows {
		status[r.ID] = r.Status
	}
	rules := ruleLine.FindAllString(string(page), -1)
	for _, line := range rules {
		claimed, planned, _ := strings.Cut(line, "planned: ")
		for _, m := range rowInText.FindAllStringSubmatch(claimed, -1) {
			if s := status[m[1]]; s != matrix.StatusProven && s != matrix.StatusToken {
				t.Errorf("docs/sam.md names %s as proof of a rule, the matrix says %q: %s", m[1], s, line[:60])
			}
		}
		for _, m := range rowInText.FindAllStringSubmatch(planned, -1) {
			if status[m[1]] == "" {
				t.Errorf("docs/sam.md names %s, which is no row", m[1])
			}
		}
	}
	if len(places) < 50 || len(rules) < 15 {
		t.Errorf("only %d places and %d rules were found: the patterns do not fit the page any more", len(places), len(rules))
	}
}
