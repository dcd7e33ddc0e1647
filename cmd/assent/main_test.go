package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/assent-sign/assent/cmd/assent/internal/sample"
	"github.com/assent-sign/assent/cryptotoken/pkcs11"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/freeport"
	"github.com/assent-sign/assent/internal/testenv"
)

// asProgram in the environment makes the tests' program assent itself.
const asProgram = "ASSENT_TESTS_RUN_ASSENT"

func TestMain(m *testing.M) {
	if pkcs11.RunChildIfAsked() {
		return
	}
	if os.Getenv(asProgram) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){"assent": main})
}

// TestScripts runs the command line as people do; each script names what it
// proves.
func TestScripts(t *testing.T) {
	testenv.Need(t, "softhsm2-util")
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			ca, err := certs.NewDemoCA(certs.DemoConfig{})
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(filepath.Join(e.WorkDir, "contract.pdf"), sample.Contract(), 0o600),
				os.WriteFile(filepath.Join(e.WorkDir, "root.pem"), certs.EncodePEM(ca.Root.Raw), 0o600))
		},
	})
}

// programs compiles the service once for all tests that need it as processes.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "assent-programs")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "-C", testenv.Root(), "build", "-o", dir+"/", "./cmd/samd", "./cmd/sicd", "./cmd/ssad", "./cmd/assent", "./conformance/cmd/pdfsignjudge")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return dir, nil
})

func needPrograms(t *testing.T) string {
	t.Helper()
	for _, p := range []string{"go", "softhsm2-util", "pdfsig", "qpdf", "openssl", "bash", "curl"} {
		testenv.Need(t, p)
	}
	testenv.BuiltFrom(t, "./cmd/samd", "./cmd/sicd", "./cmd/ssad", "./cmd/assent", "./conformance/cmd/pdfsignjudge")
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// freePorts gives ports for a whole service.
func freePorts(t *testing.T) []int {
	t.Helper()
	p, err := freeport.Find(4)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every command has an example, says its exit codes, and fails with 2 on a flag
// that does not exist.
func TestEveryCommandExplainsItself(t *testing.T) {
	walk := func(path []string) {
		var out, stderr bytes.Buffer
		if code := run(t.Context(), append(path[1:], "-h"), &out, &stderr); code != 0 {
			t.Errorf("%v -h: exit %d: %s", path, code, stderr.String())
		}
		for _, want := range []string{"Examples:", "Exit codes: 0"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%v -h lacks %q", path, want)
			}
		}
		if code := run(t.Context(), append(path[1:], "--no-such-flag"), &out, &stderr); code != exitUsage {
			t.Errorf("%v --no-such-flag: exit %d, want %d", path, code, exitUsage)
		}
	}
	var all func(path []string)
	all = func(path []string) {
		walk(path)
		c, _, err := newRoot().Find(path[1:])
		if err != nil {
			t.Fatal(err)
		}
		for _, sub := range c.Commands() {
			if sub.Name() != "help" && sub.Name() != "completion" {
				all(append(append([]string{}, path...), sub.Name()))
			}
		}
	}
	all([]string{"assent"})
}
