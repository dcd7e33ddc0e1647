package failpoint_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/internal/testenv"
)

// Threat: a way to end the module from outside, or a delivered binary that
// differs from the tested one. Without the tag the calls are nothing: not even
// the names of the points are in the programs. The build with the tag has them,
// so that the test would notice.
func TestProgramsHaveNoFailpoints(t *testing.T) {
	dir := t.TempDir()
	build := func(out string, args ...string) {
		t.Helper()
		testenv.BuiltFrom(t, args...)
		cmd := exec.CommandContext(t.Context(), testenv.Need(t, "go"), append([]string{"-C", testenv.Root(), "build", "-o", filepath.Join(dir, out) + "/"}, args...)...)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	build("normal", "./cmd/samd", "./cmd/ssad")
	build("armed", "-tags", "failpoint", "./cmd/samd", "./cmd/ssad")
	for _, program := range []string{"samd", "ssad"} {
		normal, armed := read(t, filepath.Join(dir, "normal", program)), read(t, filepath.Join(dir, "armed", program))
		if bytes.Contains(normal, []byte("ASSENT_FAILPOINT")) || !bytes.Contains(armed, []byte("ASSENT_FAILPOINT")) {
			t.Errorf("%s: the variable is in the normal binary, or not in the one for tests", program)
		}
		for _, p := range failpoint.Points() {
			if p.Name == "" {
				continue
			}
			if bytes.Contains(normal, []byte(p.Name)) {
				t.Errorf("%s contains %s", program, p.Name)
			}
			if !bytes.Contains(armed, []byte(p.Name)) {
				t.Errorf("%s for tests has no %s: this test could not fail", program, p.Name)
			}
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// F21: the table is the truth about the source: every named point has a place
// before and one after its step, no call names a point that is not in the table,
// and every number of the plan is there once, with a name or with a reason.
func TestTableAndSourceAgree(t *testing.T) {
	calls := map[string][]string{}
	root := testenv.Root()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{"node_modules", "testdata", ".git", "failpoint"}, d.Name()) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		return collect(path, calls)
	})
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[int]bool{}
	for _, p := range failpoint.Points() {
		if p.No != 0 && numbers[p.No] {
			t.Errorf("point %d is there twice", p.No)
		}
		numbers[p.No] = true
		if p.Name == "" {
			if p.Why == "" {
				t.Errorf("point %d (%s) has neither a name nor a reason", p.No, p.Step)
			}
			continue
		}
		kinds := calls[p.Name]
		if !slices.Contains(kinds, "Hit") && !(slices.Contains(kinds, "Before") && slices.Contains(kinds, "After")) {
			t.Errorf("%s is called as %v, want Before and After, or Hit", p.Name, kinds)
		}
		delete(calls, p.Name)
	}
	for n := 1; n <= 48; n++ {
		if !numbers[n] {
			t.Errorf("point %d of the plan is not in the table", n)
		}
	}
	for name, kinds := range calls {
		t.Errorf("%v(%q) is not in the table", kinds, name)
	}
}

func collect(path string, calls map[string][]string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := sel.X.(*ast.Ident)
		lit, ok2 := call.Args[0].(*ast.BasicLit)
		if ok && ok2 && pkg.Name == "failpoint" {
			name, err := strconv.Unquote(lit.Value)
			if err == nil {
				calls[name] = append(calls[name], sel.Sel.Name)
			}
		}
		return true
	})
	return nil
}
