package testenv

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// sources is, of a package of this module, its folder and the files that a build reads.
const sources = `{{with .Module}}{{if .Main}}{{$.Dir}}{{range $.GoFiles}}
{{$.Dir}}/{{.}}{{end}}{{range $.CgoFiles}}
{{$.Dir}}/{{.}}{{end}}{{range $.EmbedFiles}}
{{$.Dir}}/{{.}}{{end}}{{end}}{{end}}`

var built sync.Map

// BuiltFrom says from which packages the programs are built that a test runs. "go test" keeps a result until
// something changes that it knows of, and of what a compiler reads that the test started it knows nothing: a program
// could change, and its tests count as passed by what they said before. args are flags of the build and packages.
//
// The compiler is started with -C and not in a folder of the module: os/exec looks whether the folder of a program is
// there, "go test" writes that down, and the result would be lost as soon as anything comes to or leaves the folder.
func BuiltFrom(t testing.TB, args ...string) {
	t.Helper()
	if _, told := built.LoadOrStore(strings.Join(args, " "), true); told {
		return
	}
	var words bytes.Buffer
	cmd := exec.CommandContext(t.Context(), Need(t, "go"), append([]string{"-C", Root(), "list", "-deps", "-f", sources}, args...)...)
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, words.String())
	}
	paths := append(strings.Split(strings.TrimSpace(string(out)), "\n"), filepath.Join(Root(), "go.mod"), filepath.Join(Root(), "go.sum"))
	for _, path := range paths {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); err != nil { // to look is to tell: "go test" has it written down
			t.Fatal(err)
		}
	}
}
