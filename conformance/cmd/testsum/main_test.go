package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	passes  = `{"Action":"pass","Package":"m/a","Test":"TestA","Elapsed":0.1}` + "\n" + `{"Action":"pass","Package":"m/a","Elapsed":0.2}` + "\n"
	fails   = `{"Action":"output","Package":"m/b","Test":"TestB","Output":"    b_test.go:1: why\n"}` + "\n" + `{"Action":"fail","Package":"m/b","Test":"TestB"}` + "\n" + `{"Action":"fail","Package":"m/b"}` + "\n"
	skips   = `{"Action":"output","Package":"m/c","Test":"TestC","Output":"    c_test.go:1: no tool\n"}` + "\n" + `{"Action":"skip","Package":"m/c","Test":"TestC"}` + "\n"
	noBuild = `{"ImportPath":"m/d","Action":"build-output","Output":"d.go:1: undefined: x\n"}` + "\n" + `{"Action":"fail","Package":"m/d","FailedBuild":"m/d"}` + "\n"
)

// A run counts as good only if something passed, nothing failed and nothing was
// skipped without having been reviewed.
func TestExitCodeAndTotals(t *testing.T) {
	list := filepath.Join(t.TempDir(), "skips")
	if err := os.WriteFile(list, []byte("# reviewed\nm/c.TestC # the tool does not exist\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, in string
		args     []string
		code     int
		say      string
	}{
		{"good", passes, nil, 0, "1 passed, 0 failed, 0 skipped"},
		{"failed", passes + fails, nil, 1, "1 passed, 1 failed, 0 skipped"},
		{"why it failed", passes + fails, nil, 1, "b_test.go:1: why"},
		{"skipped", passes + skips, nil, 1, "SKIPPED m/c.TestC (c_test.go:1: no tool)"},
		{"skip reviewed", passes + skips, []string{"-skips", list}, 0, "1 passed, 0 failed, 1 skipped"},
		{"skip on a developer's machine", passes + skips, []string{"-any-skip"}, 0, "1 skipped"},
		{"does not build", passes + noBuild, nil, 1, "d.go:1: undefined: x"},
		{"does not build, counted", passes + noBuild, nil, 1, "1 passed, 1 failed"},
		{"nothing ran", "", nil, 1, "0 passed"},
		{"no JSON", "go: cannot find main module\n", nil, 1, "go: cannot find main module"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, stderr bytes.Buffer
			if code := run(c.args, strings.NewReader(c.in), &out, &stderr); code != c.code || !strings.Contains(out.String(), c.say) {
				t.Errorf("exit %d, want %d; output lacks %q:\n%s%s", code, c.code, c.say, out.String(), stderr.String())
			}
		})
	}
}

// A list that cannot be read is an error, not an empty list.
func TestMissingSkipListIsAnError(t *testing.T) {
	var out bytes.Buffer
	if code := run([]string{"-skips", filepath.Join(t.TempDir(), "none")}, strings.NewReader(passes), &out, &out); code != 2 {
		t.Errorf("exit %d, want 2", code)
	}
}
