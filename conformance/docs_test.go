package conformance_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

// documents are what people read and type from.
var documents = []string{"README.md", "ARCHITECTURE.md", "SECURITY.md", "CHANGELOG.md", "docs/operators.md", "docs/integrators.md", "docs/signers.md", "docs/practice.md", "docs/sam.md", "conformance/DIVERGENCES.md"}

var (
	code     = regexp.MustCompile("`([^`\n]+)`")
	block    = regexp.MustCompile("(?s)\n```[a-z]*\n(.*?)\n```")
	makeLine = regexp.MustCompile(`^make ([a-z]+)$`)
	cliLine  = regexp.MustCompile(`^(?:bin/)?assent ([a-z].*)$`)
	link     = regexp.MustCompile(`\]\(([^)#]+)\)`)
)

// typed are the commands that a document shows, in code spans and blocks.
func typed(t *testing.T, document string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testenv.Root(), document))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range code.FindAllStringSubmatch(string(b), -1) {
		out = append(out, strings.TrimSpace(m[1]))
	}
	for _, m := range block.FindAllStringSubmatch(string(b), -1) {
		for _, l := range strings.Split(strings.ReplaceAll(m[1], "\\\n", " "), "\n") {
			l = strings.TrimSuffix(strings.TrimSpace(l), " &")
			out = append(out, l)
		}
	}
	return out
}

// What the documents tell people to type exists: every make target, and every
// assent command with its flags.
func TestCommandsInDocumentsExist(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(testenv.Root(), "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	program := buildAssent(t)
	checked := 0
	for _, d := range documents {
		for _, line := range typed(t, d) {
			if m := makeLine.FindStringSubmatch(line); m != nil {
				checked++
				if !regexp.MustCompile(`(?m)^` + m[1] + `:`).Match(makefile) {
					t.Errorf("%s: %q: the Makefile has no such target", d, line)
				}
			}
			if m := cliLine.FindStringSubmatch(line); m != nil {
				checked++
				checkCommand(t, program, d, line, strings.Fields(m[1]))
			}
		}
	}
	if checked < 30 {
		t.Errorf("only %d commands were found: the patterns do not fit the documents any more", checked)
	}
}

func buildAssent(t *testing.T) string {
	t.Helper()
	testenv.BuiltFrom(t, "./cmd/assent")
	program := filepath.Join(t.TempDir(), "assent")
	cmd := exec.CommandContext(t.Context(), testenv.Need(t, "go"), "-C", testenv.Root(), "build", "-o", program, "./cmd/assent")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// checkCommand asks the program for help on the words and looks for the flags.
func checkCommand(t *testing.T, program, document, line string, words []string) {
	t.Helper()
	var path, flags []string
	for _, w := range words {
		name, _, _ := strings.Cut(w, "=")
		switch {
		case strings.HasPrefix(name, "-"):
			flags = append(flags, name)
		case len(flags) == 0 && regexp.MustCompile(`^[a-z-]+$`).MatchString(w):
			path = append(path, w)
		}
	}
	help, err := exec.CommandContext(t.Context(), program, append(path, "-h")...).CombinedOutput()
	// cobra answers -h of an unknown sub-command with the help of its parent.
	usage := regexp.MustCompile(`(?m)^  assent ` + regexp.QuoteMeta(strings.Join(path, " ")) + `( |$)`)
	for err == nil && len(path) > 1 && !usage.Match(help) {
		// The last word may be an argument in small letters, such as a signer id.
		path = path[:len(path)-1]
		help, err = exec.CommandContext(t.Context(), program, append(path, "-h")...).CombinedOutput()
		usage = regexp.MustCompile(`(?m)^  assent ` + regexp.QuoteMeta(strings.Join(path, " ")) + `( |$)`)
	}
	if err != nil || !usage.Match(help) {
		t.Errorf("%s: %q: there is no such command", document, line)
		return
	}
	for _, f := range flags {
		if f != "-h" && !regexp.MustCompile(`(?m)(^|[ ,])`+regexp.QuoteMeta(f)+`[ ,\n]`).Match(help) {
			t.Errorf("%s: %q: the command has no flag %s", document, line, f)
		}
	}
}

// Links between our documents lead somewhere.
func TestLinksInDocumentsLeadSomewhere(t *testing.T) {
	for _, d := range documents {
		b, err := os.ReadFile(filepath.Join(testenv.Root(), d))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(b), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(testenv.Root(), filepath.Dir(d), m[1])); err != nil {
				t.Errorf("%s: %v", d, err)
			}
		}
	}
}
