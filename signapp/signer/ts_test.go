package signer_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/signapp/signer/bundle"
)

func here() string { return filepath.Join(testenv.Root(), "signapp", "signer") }

// TestTypeScriptUnits runs the unit tests of the TypeScript modules, which hold
// them against the vectors shared with package sap. SAP-07, SGN-04.
func TestTypeScriptUnits(t *testing.T) {
	node := testenv.Need(t, "node")
	js, err := bundle.Tests(here())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "all.test.mjs")
	if err := os.WriteFile(file, js, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "--test", file)
	cmd.Env = append(os.Environ(), "SAP_VECTORS="+filepath.Join(testenv.Root(), "sap", "testdata", "vectors.json"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestTypeScriptTypes has the type checker read all modules, strictly.
func TestTypeScriptTypes(t *testing.T) {
	node := testenv.Need(t, "node")
	tsc := filepath.Join(here(), "node_modules", "typescript", "bin", "tsc")
	if _, err := os.Stat(tsc); err != nil {
		missing(t, "typescript is not installed (npm ci --ignore-scripts in signapp/signer)")
	}
	cmd := exec.CommandContext(t.Context(), node, tsc, "--noEmit", "-p", here())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
