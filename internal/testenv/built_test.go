package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What "go test" writes down of a test that says what its program is built from has the sources of the program, of the
// packages linked into it and of what is embedded there, and their folders, to which files may come.
func TestBuiltFromTellsGoTestOfEverySource(t *testing.T) {
	const child = "ASSENT_BUILT_FROM"
	if os.Getenv(child) != "" {
		BuiltFrom(t, "-tags", "failpoint", "./cmd/sicd", "./cmd/ssad")
		return
	}
	log := filepath.Join(t.TempDir(), "log")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.testlogfile="+log)
	cmd.Env = append(os.Environ(), child+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "stat "); ok {
			told[filepath.Clean(path)] = true
		}
	}
	for _, name := range []string{"go.mod", "go.sum", "cmd/ssad", "cmd/ssad/main.go", "internal/failpoint/on.go", "signapp/signer/dist/app.js"} {
		path := filepath.Join(Root(), name)
		if _, err := os.Stat(path); err != nil || !told[filepath.Clean(path)] {
			t.Errorf("%s: %v; go test is told of it: %t", name, err, told[filepath.Clean(path)])
		}
	}
	if told[filepath.Clean(Root())] {
		t.Error("go test is told of the module's root: whatever comes to it, var for one, makes all results old")
	}
	if len(told) < 300 || told[filepath.Clean(filepath.Join(Root(), "cmd/samd/main.go"))] {
		t.Errorf("%d paths, or some of a program that is not built", len(told))
	}
}
