package judge

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// DSSVerdict is what the Commission's DSS library says of one signature.
type DSSVerdict struct {
	File       string `json:"file"`
	Level      string `json:"level"`      // "PAdES-BASELINE-T", as DSS recognises it
	Indication string `json:"indication"` // of EN 319 102-1: "TOTAL_PASSED", "INDETERMINATE", "TOTAL_FAILED"
	Sub        string `json:"sub"`        // sub-indication, empty for a pass
	Digest     string `json:"digest"`
	Stamps     string `json:"stamps"` // its time-stamps in order: kind, and whether the imprint is intact and the token valid
	Words      string `json:"words"`  // its errors and warnings
	Error      string `json:"error"`  // the file could not be judged
}

// DSSQuestion says how DSS is to judge.
type DSSQuestion struct {
	Anchor       string // PEM file of the trust anchors
	NoRevocation bool   // the level carries no revocation data: do not demand any
	Detached     string // the signed document of detached signatures
}

// DSS asks the Commission's DSS library about files, all in one run, off line.
// root is the repository, where .ci/javajudges installs it. One verdict for each
// signature of each file. ErrMissing.
func DSS(ctx context.Context, root string, q DSSQuestion, files ...string) ([]DSSVerdict, error) {
	args := []string{"DSSJudge"}
	if q.NoRevocation {
		args = append(args, "-no-revocation")
	}
	if q.Detached != "" {
		args = append(args, "-detached", q.Detached)
	}
	return java[DSSVerdict](ctx, root, append(append(args, q.Anchor), files...))
}

// VeraVerdict is what veraPDF says of one file.
type VeraVerdict struct {
	File      string `json:"file"`
	Flavour   string `json:"flavour"` // "2b": as declared, or what veraPDF falls back to
	Compliant bool   `json:"compliant,string"`
	Rules     string `json:"rules"` // broken: "clause-test", separated by spaces
	Error     string `json:"error"`
}

// VeraPDF asks veraPDF about files, all in one run. ErrMissing.
func VeraPDF(ctx context.Context, root string, files ...string) ([]VeraVerdict, error) {
	return java[VeraVerdict](ctx, root, append([]string{"VeraJudge"}, files...))
}

// java runs one of the programs of conformance/judges and reads a line of JSON
// for each answer.
func java[T any](ctx context.Context, root string, args []string) ([]T, error) {
	dir := filepath.Join(root, "var", "judges")
	t, err := Find(ctx, "java", "-version")
	if err != nil {
		return nil, err
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "classes", args[0]+".class")); len(found) == 0 {
		return nil, fmt.Errorf("%w: %s below %s (.ci/javajudges installs it)", ErrMissing, args[0], dir)
	}
	path := filepath.Join(dir, "classes") + ":" + filepath.Join(dir, "lib", "*")
	return lines[T](ctx, args[0], dir, t.path, append([]string{"-Xmx1g", "-cp", path}, args...)...)
}

// lines runs a program in a directory and reads a line of JSON for each answer.
func lines[T any](ctx context.Context, name, dir, program string, args ...string) ([]T, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	var words strings.Builder
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("judge: %s: %w\n%s", name, err, words.String())
	}
	var all []T
	scan := bufio.NewScanner(strings.NewReader(string(out)))
	scan.Buffer(nil, maxOutput)
	for scan.Scan() {
		var v T
		if err := json.Unmarshal(scan.Bytes(), &v); err != nil {
			return nil, fmt.Errorf("judge: %s: %w: %q", name, err, scan.Text())
		}
		all = append(all, v)
	}
	if len(all) == 0 {
		return nil, errors.New("judge: " + name + " said nothing: " + words.String())
	}
	return all, scan.Err()
}
