package judge

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// DSSVerdict is what the Commission's DSS library says of one signature.
type DSSVerdict struct {
	File       string `json:"file"`
	Level      string `json:"level"`      // "PAdES-BASELINE-T", as DSS recognises it
	Indication string `json:"indication"` // of EN 319 102-1: "TOTAL_PASSED", "INDETERMINATE", "TOTAL_FAILED"
	Sub        string `json:"sub"`        // sub-indication, empty for a pass
	Digest     string `json:"digest"`
	Stamps     string `json:"stamps"` // its time-stamps in order: kind, and whether the imprint is intact and the token valid
	Claims     string `json:"claims"` // what it says besides the document: roles, commitments, place, policy
	Words      string `json:"words"`  // its errors and warnings
	Error      string `json:"error"`  // the file could not be judged
}

// DSSQuestion says how DSS is to judge.
type DSSQuestion struct {
	Anchor       string   // PEM file of the trust anchors
	NoRevocation bool     // the level carries no revocation data: do not demand any
	Detached     []string // the signed documents of detached signatures
}

// DSS asks the Commission's DSS library about files, all in one run, off line.
// root is the repository, where .ci/javajudges installs it. One verdict for each
// signature of each file. ErrMissing.
func DSS(ctx context.Context, root string, q DSSQuestion, files ...string) ([]DSSVerdict, error) {
	args := []string{"DSSJudge"}
	if q.NoRevocation {
		args = append(args, "-no-revocation")
	}
	for _, file := range q.Detached {
		args = append(args, "-detached", file)
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

// JDKVerdict is what the JDK's own XML Signature says of one signature.
type JDKVerdict struct {
	File  string `json:"file"`
	ID    string `json:"id"`
	Valid bool   `json:"valid,string"` // value, every reference, one of them over SignedProperties, and the way to the anchor
	Words string `json:"words"`
	Error string `json:"error"` // the file could not be judged
}

// JDK asks the JDK (javax.xml.crypto, secure validation) about XML files, all in one run. detached are the
// signed documents of detached signatures. ErrMissing.
func JDK(ctx context.Context, root, anchor string, detached []string, files ...string) ([]JDKVerdict, error) {
	args := []string{"JDKJudge"}
	for _, file := range detached {
		args = append(args, "-detached", file)
	}
	return java[JDKVerdict](ctx, root, append(append(args, anchor), files...))
}

// javaJudges is the process that all judges in Java share: to start one costs more than
// most of its answers. It ends with this process, whose end it sees on its input.
var javaJudges struct {
	sync.Mutex
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
	why *tail
}

// tail keeps the last words of a process.
type tail struct {
	sync.Mutex
	text []byte
}

func (w *tail) Write(p []byte) (int, error) {
	w.Lock()
	defer w.Unlock()
	w.text = append(w.text, p...)
	w.text = w.text[max(0, len(w.text)-4<<10):]
	return len(p), nil
}

func (w *tail) String() string {
	w.Lock()
	defer w.Unlock()
	return string(w.text)
}

// java asks one of the programs of conformance/judges and reads a line of JSON
// for each answer. When ctx ends, so do the judges; the next question starts others.
func java[T any](ctx context.Context, root string, args []string) ([]T, error) {
	j := &javaJudges
	j.Lock()
	defer j.Unlock()
	if err := startJava(ctx, root); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = j.cmd.Process.Kill() })()
	all, err := askJava[T](args)
	if err == nil {
		return all, nil
	}
	err = fmt.Errorf("judge: %s: %w\n%s", args[0], errors.Join(ctx.Err(), err), j.why)
	if !errors.Is(err, errAsked) {
		_, _ = j.in.Close(), j.cmd.Process.Kill()
		_ = j.cmd.Wait() // killed
		j.cmd = nil
	}
	return nil, err
}

// errAsked is what a judge says instead of an answer.
var errAsked = errors.New("cannot be asked")

// javaFlags are for a minute of work: the better compiler costs twice the time that it saves here, and with little
// room for the young the collector is a tenth of all.
var javaFlags = []string{"-Xms512m", "-Xmn300m", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}

func startJava(ctx context.Context, root string) error {
	j := &javaJudges
	if j.cmd != nil {
		return nil
	}
	dir := filepath.Join(root, "var", "judges")
	t, err := Find(ctx, "java", "-version")
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "classes", "Judges.class")); err != nil {
		return fmt.Errorf("%w: the judges in Java below %s (.ci/javajudges installs them)", ErrMissing, dir)
	}
	path := filepath.Join(dir, "classes") + ":" + filepath.Join(dir, "lib", "*")
	cmd := exec.CommandContext(context.WithoutCancel(ctx), t.path, append(slices.Clone(javaFlags), "-cp", path, "Judges")...)
	cmd.Dir = dir
	j.why = &tail{}
	cmd.Stderr = j.why
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	j.cmd, j.in, j.out = cmd, in, bufio.NewScanner(out)
	j.out.Buffer(nil, maxOutput)
	return nil
}

func askJava[T any](args []string) (all []T, err error) {
	for _, a := range args {
		if strings.ContainsAny(a, "\t\r\n") {
			return nil, fmt.Errorf("%w: %q", errAsked, a)
		}
	}
	if _, err := io.WriteString(javaJudges.in, strings.Join(args, "\t")+"\n"); err != nil {
		return nil, err
	}
	for javaJudges.out.Scan() {
		line := javaJudges.out.Text()
		switch {
		case line == "." && len(all) == 0:
			return nil, fmt.Errorf("%w: it said nothing", errAsked)
		case line == ".":
			return all, nil
		case strings.HasPrefix(line, "!"):
			return nil, fmt.Errorf("%w: %s", errAsked, line[1:])
		}
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			return nil, fmt.Errorf("%w: %q", err, line)
		}
		all = append(all, v)
	}
	return nil, errors.Join(io.ErrUnexpectedEOF, javaJudges.out.Err())
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
	scan.Buffer(nil, 64*maxOutput) // drawings are long
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
