// Package testenv finds what tests need outside the module: programs that judge
// our output and corpora made by others. On a developer's machine an absent one
// skips the test and says so; in CI (environment CI=true) it fails the test,
// because a judge that did not run must never look like a judge that agreed.
package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Need returns the path of a program.
func Need(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, "program "+program+" is not installed (make deps installs it)")
	}
	return path
}

// Corpora returns a folder of the shared test data: ASSENT_CORPORA, or
// ../shared/corpora beside the project root.
func Corpora(t testing.TB, folder string) string {
	t.Helper()
	root := os.Getenv("ASSENT_CORPORA")
	if root == "" {
		root = filepath.Join(Root(), "..", "shared", "corpora")
	}
	dir := filepath.Join(root, filepath.FromSlash(folder))
	if _, err := os.Stat(dir); err != nil {
		missing(t, "corpus "+folder+" is not there (set ASSENT_CORPORA)")
	}
	return dir
}

// Root returns the module's root folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI must run this test: %s", what)
	}
	t.Skipf("skipped: %s", what)
}
