package conformance_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

// The Debian packages of each target, by the program that shows that they are there.
var (
	demoNeeds = map[string]string{"gcc": "gcc", "softhsm2-util": "softhsm2", "pdfsig": "poppler-utils", "qpdf": "qpdf", "openssl": "openssl",
		"xmllint": "libxml2-utils", "xmlsec1": "xmlsec1"}
	runNeeds  = map[string]string{"gcc": "gcc", "node": "nodejs", "npm": "npm"}
	testNeeds = map[string]string{"chromium": "chromium", "mutool": "mupdf-tools", "curl": "curl", "node": "nodejs", "npm": "npm"}
)

// debian is a machine whose programs are chosen by the test.
type debian struct {
	t   *testing.T
	bin string
}

// newDebian has Go, the given programs, and apt-get, which succeeds; the user is root
// or not.
func newDebian(t *testing.T, programs map[string]string, uid int) *debian {
	d := &debian{t, t.TempDir()}
	for _, real := range []string{"dirname", "sed", "ls", "mktemp", "rm", "tail"} {
		if err := os.Symlink(testenv.Need(t, real), filepath.Join(d.bin, real)); err != nil {
			t.Fatal(err)
		}
	}
	for p := range programs {
		d.program(p, "exit 0")
	}
	if _, ok := programs["gcc"]; ok {
		d.program("gcc", "while read -r _; do :; done") // it reads what it is given, to the end
	}
	d.program("go", "exit 0")
	d.program("id", fmt.Sprintf("echo %d", uid))
	d.program("apt-get", `echo "$@" >>"$APT_LOG"`)
	return d
}

func (d *debian) program(name, does string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.bin, name), []byte("#!"+testenv.Need(d.t, "bash")+"\n"+does+"\n"), 0o700); err != nil {
		d.t.Fatal(err)
	}
}

func (d *debian) without(name string) {
	d.t.Helper()
	if err := os.Remove(filepath.Join(d.bin, name)); err != nil {
		d.t.Fatal(err)
	}
}

// deps runs .ci/deps and returns what it printed, what apt-get was asked, and the
// exit code.
func (d *debian) deps(target string) (said, apt string, code int) {
	d.t.Helper()
	log := filepath.Join(d.t.TempDir(), "apt")
	cmd := exec.CommandContext(d.t.Context(), testenv.Need(d.t, "bash"), filepath.Join(testenv.Root(), ".ci", "deps"), target)
	cmd.Env = []string{"PATH=" + d.bin, "APT_LOG=" + log, "SSL_CERT_FILE=/given", "TMPDIR=" + d.t.TempDir()}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		d.t.Fatal(err)
	}
	asked, err := os.ReadFile(log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		d.t.Fatal(err)
	}
	return string(out), string(asked), cmd.ProcessState.ExitCode()
}

// "make demo" needs Go, a C compiler and Debian packages: no browser, no Node. Where
// all is there, nothing is said and nothing installed.
func TestDemoNeedsNeitherBrowserNorNode(t *testing.T) {
	if said, apt, code := newDebian(t, demoNeeds, 1000).deps("demo"); said != "" || apt != "" || code != 0 {
		t.Errorf("exit %d, said %q, apt-get %q", code, said, apt)
	}
}

// Each missing package is installed when root; anybody else gets the exact command
// and exit code 2, and nothing is touched.
func TestMissingPackagesAreInstalledOrNamed(t *testing.T) {
	for target, needs := range map[string]map[string]string{"demo": demoNeeds, "run": runNeeds, "test": testNeeds} {
		for program, name := range needs {
			t.Run(target+" without "+program, func(t *testing.T) {
				all := map[string]string{}
				for _, m := range []map[string]string{demoNeeds, runNeeds, testNeeds, {"pkcs11-tool": "opensc"}} {
					for k, v := range m {
						all[k] = v
					}
				}
				// Without a compiler nobody can tell whether its headers are there.
				packages := regexp.QuoteMeta(name)
				if program == "gcc" {
					packages += " libc6-dev"
				}
				command := "apt-get install -y --no-install-recommends " + packages
				user := newDebian(t, all, 1000)
				user.without(program)
				if said, apt, code := user.deps(target); code != 2 || apt != "" || !regexp.MustCompile(`(?m)^    sudo `+command+`( opensc-pkcs11)?$`).MatchString(said) {
					t.Errorf("user: exit %d, apt-get %q, said %q", code, apt, said)
				}
				root := newDebian(t, all, 0)
				root.without(program)
				if said, apt, code := root.deps(target); code != 0 || !regexp.MustCompile("^update -q\n"+strings.TrimPrefix(command, "apt-get ")+"( opensc-pkcs11)?\n$").MatchString(apt) || !strings.Contains(said, name) {
					t.Errorf("root: exit %d, apt-get %q, said %q", code, apt, said)
				}
			})
		}
	}
}

// What cannot be installed ends with 2 and says why: apt-get's own words, the command
// where there is no apt-get, the version where there is no Go.
func TestPackagesThatCannotBeInstalled(t *testing.T) {
	d := newDebian(t, demoNeeds, 0)
	d.without("qpdf")
	d.program("apt-get", "echo E: Unable to locate package; exit 100")
	if said, _, code := d.deps("demo"); code != 2 || !strings.Contains(said, "Unable to locate package") {
		t.Errorf("apt-get fails: exit %d, said %q", code, said)
	}
	d.without("apt-get")
	if said, _, code := d.deps("demo"); code != 2 || !strings.Contains(said, "install -y --no-install-recommends qpdf") {
		t.Errorf("no apt-get: exit %d, said %q", code, said)
	}
	d.without("go")
	if said, _, code := d.deps("demo"); code != 2 || !regexp.MustCompile(`Go is not installed; version 1\.\d+`).MatchString(said) {
		t.Errorf("no Go: exit %d, said %q", code, said)
	}
}

// "make help" names every target, and the targets that people are promised exist.
func TestMakeHelpNamesEveryTarget(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), testenv.Need(t, "make"), "--no-print-directory", "help")
	cmd.Dir = testenv.Root()
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var shown []string
	for l := range bytes.Lines(out) {
		m := regexp.MustCompile(`^  make ([a-z]+) +\S`).FindSubmatch(l)
		if m == nil {
			t.Fatalf("a line that is no target and its meaning: %q", l)
		}
		shown = append(shown, string(m[1]))
	}
	makefile, err := os.ReadFile(filepath.Join(testenv.Root(), "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	targets := strings.Fields(string(regexp.MustCompile(`(?m)^\.PHONY:(.*)$`).FindSubmatch(makefile)[1]))
	slices.Sort(shown)
	slices.Sort(targets)
	if !slices.Equal(shown, targets) {
		t.Errorf("shown %v\ntargets %v", shown, targets)
	}
	for _, promised := range strings.Fields("help demo run test race lint fuzz bench conformance assets") {
		if !slices.Contains(targets, promised) {
			t.Errorf("no target %s", promised)
		}
	}
}
