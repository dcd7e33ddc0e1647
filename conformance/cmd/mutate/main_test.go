package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const door = "./testdata/door"

func mutateDoor(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out, stderr bytes.Buffer
	code := run(context.Background(), append(append([]string{"-spare", "1s", "-v"}, args...), door), &out, &stderr)
	if code == 2 {
		t.Fatalf("%s%s", out.String(), stderr.String())
	}
	return code, out.String()
}

func entries(t *testing.T, progress string) map[string]entry {
	t.Helper()
	b, err := os.ReadFile(progress)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]entry{}
	for l := range strings.Lines(string(b)) {
		var r entry
		if err := json.Unmarshal([]byte(l), &r); err != nil {
			t.Fatal(err)
		}
		id := r.ID[strings.LastIndex(r.ID, "door.go:")+len("door.go:"):]
		if _, twice := all[id]; twice {
			t.Errorf("%s was run twice", id)
		}
		all[id] = r
	}
	return all
}

// Each change of a small package gets the status that its tests deserve: noticed,
// not noticed, never evaluated, never ending; and what does not compile is no mutant.
func TestKnownMutants(t *testing.T) {
	progress := filepath.Join(t.TempDir(), "door.jsonl")
	_, out := mutateDoor(t, "-progress", progress)
	got := entries(t, progress)
	want := map[string]string{
		"Check:drop:1":       "killed TestCheck", // age < MinAge
		"Check:boundary:1":   "killed TestCheck",
		"Check:negate:1":     "killed TestCheck",
		"Check:more:1":       "killed TestCheck",
		"Check:less:1":       "killed TestCheck",
		"Check:nilerr:1":     "killed TestCheck",
		"Check:drop:2":       "survived", // !member
		"Check:negate:2":     "killed TestCheck",
		"Check:nilerr:2":     "unreached",
		"Late:boundary:1":    "survived",
		"Late:negate:1":      "killed TestLate",
		"Late:more:1":        "survived",
		"Late:less:1":        "survived",
		"Count:boundary:1":   "killed TestCount",
		"Count:negate:1":     "killed TestCount",
		"Count:more:1":       "killed TestCount",
		"Count:less:1":       "killed TestCount",
		"Count:more:2":       "killed TestCount", // rounds := 0
		"Count:less:2":       "killed TestCount",
		"Count:arithmetic:1": "timeout",
		"Count:arithmetic:2": "killed TestCount",
		"Bell:remove:1":      "unreached",
		"Bell:more:1":        "unreached",
		"Bell:less:1":        "unreached",
		"Full:negate:1":      "killed TestFull",
		"Full:less:1":        "killed TestFull",
	}
	for id, status := range want {
		name, by, _ := strings.Cut(status, " ")
		r, ok := got[id]
		switch {
		case !ok:
			t.Errorf("%s is missing", id)
		case r.Status != name || by != "" && r.By != "door."+by:
			t.Errorf("%s (%s): %s by %s, want %s", id, r.Change, r.Status, r.By, status)
		}
	}
	for id, r := range got {
		if _, ok := want[id]; !ok {
			t.Errorf("%s (%s) was not expected: %s", id, r.Change, r.Status)
		}
	}
	if !strings.Contains(out, "(1 more do not compile)") { // byte(255) + 1
		t.Errorf("the mutant that does not compile is not told:\n%s", out)
	}
}

// An interrupted run goes on where it stopped, even if its last line is torn; what
// is asked for again is run again.
func TestRunsGoOn(t *testing.T) {
	progress := filepath.Join(t.TempDir(), "door.jsonl")
	mutateDoor(t, "-progress", progress, "-only", ":Late:")
	b, err := os.ReadFile(progress)
	if err != nil {
		t.Fatal(err)
	}
	torn := bytes.TrimRight(b, "\n")
	if err := os.WriteFile(progress, torn[:len(torn)-9], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args  []string
		known string
	}{
		{[]string{"-only", ":Late:"}, "4 mutants chosen, 3 known from before, 1 to run"},
		{[]string{"-only", ":Late:"}, "4 mutants chosen, 4 known from before, 0 to run"},
		{[]string{"-only", ":Late:", "-again", "survived,unreached", "-run", "TestCheck"}, "4 mutants chosen, 4 known from before, 3 to run"},
		{[]string{"-only", ":Late:|:Full:", "-run", "TestFull"}, "6 mutants chosen, 4 known from before, 0 to run"},
		{[]string{"-only", ":Late:", "-again", "survived,unreached"}, "4 mutants chosen, 4 known from before, 3 to run"},
	} {
		if _, out := mutateDoor(t, append(c.args, "-progress", progress)...); !strings.Contains(out, c.known) {
			t.Errorf("%v: want %q in\n%s", c.args, c.known, out)
		}
	}
}

// The percentage counts equivalent mutants neither way, a share that is too low
// fails, and so does a reviewed file that is not true any more.
func TestVerdict(t *testing.T) {
	reviewed := filepath.Join(t.TempDir(), "reviewed.tsv")
	write := func(lines ...string) {
		if err := os.WriteFile(reviewed, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const late = "conformance/cmd/mutate/testdata/door/door.go:Late:"
	survivor := late + "more:1\t22 => 22 + 1\tequivalent\tno clock is asked at 23"
	for _, c := range []struct {
		what  string
		lines []string
		min   string
		code  int
		want  string
	}{
		{"one of four", nil, "25", 0, "1 of 4 killed: 25.0 %"},
		{"too few", nil, "26", 1, "FAIL: 25.0 % killed, 26.0 wanted"},
		{"one is equivalent", []string{"# why", survivor}, "33", 0, "1 of 3 killed: 33.3 %"},
		{"one is harmless", []string{strings.Replace(survivor, "equivalent", "harmless", 1)}, "25", 0, "1 of 4 killed: 25.0 %"},
		{"of another text", []string{strings.Replace(survivor, "22 +", "23 +", 1)}, "0", 1, "FAIL: reviewed, line 1:"},
		{"of no mutant", []string{strings.Replace(survivor, "more:1", "more:7", 1)}, "0", 1, "there is no mutant"},
		{"killed", []string{late + "negate:1\thour > 22 => hour <= 22\tequivalent\tnobody knows"}, "0", 1, "is killed by door.TestLate"},
		{"of another package", []string{strings.Replace(survivor, "door/", "window/", 1)}, "0", 0, "1 of 4"},
	} {
		write(c.lines...)
		code, out := mutateDoor(t, "-only", ":Late:", "-reviewed", reviewed, "-min", c.min)
		if code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit code %d, want %d and %q in\n%s", c.what, code, c.code, c.want, out)
		}
	}
	for _, bad := range []string{late + "more:1\tx\tequivalent", late + "more:1\tx\tfine\tno reason at all", survivor + "\n" + survivor, late + "more:1\tx\tequivalent\tso"} {
		write(bad)
		if _, err := readReviewed(reviewed); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// The same seed chooses the same mutants, another seed others, and a mutant that is
// added or taken away changes nothing about the choice between the others.
func TestSampleIsStable(t *testing.T) {
	p, err := load(t.Context(), door)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.find(); err != nil {
		t.Fatal(err)
	}
	every := regexp.MustCompile("")
	ids := func(all []*mutant, n int, seed uint64) (out []string) {
		for _, m := range choose(all, options{only: every, sample: n, seed: seed}) {
			out = append(out, m.ID)
		}
		return out
	}
	first := ids(p.mutants, 8, 1)
	if len(first) != 8 || !slices.Equal(first, ids(p.mutants, 8, 1)) {
		t.Errorf("seed 1: %v, then %v", first, ids(p.mutants, 8, 1))
	}
	if slices.Equal(first, ids(p.mutants, 8, 2)) {
		t.Error("seed 2 chooses what seed 1 does")
	}
	gone := slices.IndexFunc(p.mutants, func(m *mutant) bool { return !slices.Contains(first, m.ID) })
	if less := slices.Delete(slices.Clone(p.mutants), gone, gone+1); !slices.Equal(first, ids(less, 8, 1)) {
		t.Errorf("without %s the choice is %v", p.mutants[gone].ID, ids(less, 8, 1))
	}
	if len(ids(p.mutants, 0, 1)) != len(p.mutants) {
		t.Error("0 is not all")
	}
}

// The interval of 160 killed of 200 in a package of 5,000, by hand: p = 0.8,
// z = 1.96 * sqrt(4800/4999).
func TestConfidence(t *testing.T) {
	low, high := wilson(160, 200, 5000)
	if math.Abs(low-74.05) > 0.1 || math.Abs(high-84.87) > 0.1 {
		t.Errorf("%.2f to %.2f", low, high)
	}
	if low, high = wilson(4, 5, 5); low != 80 || high != 80 {
		t.Errorf("the whole has no error: %.2f to %.2f", low, high)
	}
}

// The reviewed file of the project is in its form and names files that exist, each
// mutant once. That the mutants exist and survive is for make mutate to say: an edit
// of the function next to one must not fail the tests of who makes it.
func TestReviewedFileIsInItsForm(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	all, err := readReviewed(filepath.Join(root, "conformance", "testdata", "mutants.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	for id := range all {
		c := strings.Split(id, ":")
		if len(c) != 4 || ops[c[2]] == "" {
			t.Errorf("%q is no id: file:function:operator:n", id)
			continue
		}
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(c[0]))); err != nil {
			t.Error(err)
		}
	}
}
