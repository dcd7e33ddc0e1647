package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Bounds of one run of tests. Time of the processor is what counts; the long one by
// the clock is for what waits for ever.
const (
	clock    = 3 // times the time of the processor
	slower   = 8 // times as long as without a mutant
	memoryKB = 6 << 20
)

// engine compiles and runs.
type engine struct {
	options
	out      io.Writer
	dir      string // for what is made
	programs []*program
	reach    map[int][]*test // by the number of the mutant
	mu       sync.Mutex
	kills    map[string]map[*test]int    // by function: what is likely to kill there again
	records  map[string]map[*test]record // by file
}

// program is a compiled test program of one package.
type program struct {
	path, dir, name string
	sum             string // SHA-256 of the file
	flags           []string
}

// test is one test function.
type test struct {
	*program
	name string
	took time.Duration // alone, without a mutant
}

func (t *test) String() string { return t.program.name + "." + t.name }

// prepare compiles the test programs with all switches and records what each test
// reaches.
func (e *engine) prepare(ctx context.Context, p *pack) error {
	e.reach, e.kills, e.records = map[int][]*test{}, map[string]map[*test]int{}, map[string]map[*test]record{}
	overlay, err := e.overlay(p)
	if err != nil {
		return err
	}
	var all []*test
	for i, pkg := range e.tests {
		out, err := output(ctx, "", "go", "list", "-f", "{{.Dir}}\t{{.Name}}", pkg)
		if err != nil {
			return err
		}
		dir, name, _ := strings.Cut(strings.TrimSpace(out), "\t")
		prog := &program{path: filepath.Join(e.dir, fmt.Sprintf("tests%d", i)), dir: dir, name: name}
		if _, err := output(ctx, "", "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", prog.path, pkg); err != nil {
			return err
		}
		if _, err := os.Stat(prog.path); errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s has no tests", pkg)
		}
		if prog.sum, err = sumOf(prog.path); err != nil {
			return err
		}
		// Package rapid would write what fails into the tree.
		if _, err := output(ctx, prog.dir, prog.path, noFailFile, "-test.list", "^$"); err == nil {
			prog.flags = []string{noFailFile}
		}
		tests, err := e.listTests(ctx, prog)
		if err != nil {
			return err
		}
		e.programs = append(e.programs, prog)
		all = append(all, tests...)
	}
	return e.traceAll(ctx, p, all)
}

func sumOf(path string) (string, error) {
	b, err := os.ReadFile(path)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), err
}

const noFailFile = "-rapid.nofailfile"

// overlay writes the package with its switches and says where.
func (e *engine) overlay(p *pack) (string, error) {
	replace := map[string]string{}
	write := func(original string, text []byte) error {
		to := filepath.Join(e.dir, filepath.Base(original))
		replace[original] = to
		return os.WriteFile(to, text, 0o600)
	}
	for _, s := range p.files {
		if err := write(s.name, s.render(func(*mutant) bool { return true })); err != nil {
			return "", err
		}
	}
	if err := write(filepath.Join(p.dir, "mutant_switch.go"), p.switchSource()); err != nil {
		return "", err
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(e.dir, "overlay.json")
	return path, os.WriteFile(path, b, 0o600)
}

func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return string(out), nil
}

func (e *engine) listTests(ctx context.Context, p *program) ([]*test, error) {
	out, err := output(ctx, p.dir, p.path, "-test.list", ".")
	if err != nil {
		return nil, err
	}
	var all []*test
	for _, name := range strings.Fields(out) {
		if !strings.HasPrefix(name, "Benchmark") && !e.skip.MatchString(name) && (e.run == nil || e.run.MatchString(name)) {
			all = append(all, &test{program: p, name: name})
		}
	}
	return all, nil
}

// traceAll runs each test alone, without a mutant; it must pass. With -progress what
// it reached is kept, for as long as the test program is the same.
func (e *engine) traceAll(ctx context.Context, p *pack, all []*test) error {
	start := time.Now()
	known, err := e.readTraces()
	if err != nil {
		return err
	}
	for _, t := range all {
		tr, ok := known[t.sum+t.name]
		if !ok {
			if tr, err = e.trace(ctx, t); err != nil {
				return err
			}
			if err := e.keepLine(e.progress+traces, tr); err != nil {
				return err
			}
		}
		t.took = tr.Took
		for _, n := range tr.Reached {
			if !slices.Contains(e.reach[n], t) {
				e.reach[n] = append(e.reach[n], t)
			}
		}
	}
	fmt.Fprintf(e.out, "%s: %d mutants (%d more do not compile), %d tests recorded in %s\n",
		p.path, len(p.mutants), p.broken, len(all), time.Since(start).Round(time.Second))
	return nil
}

// traces ends the name of the file with what each test reached.
const traces = ".traces"

// trace is a line of it.
type trace struct {
	Program string        `json:"program"` // SHA-256 of the compiled tests
	Test    string        `json:"test"`
	Took    time.Duration `json:"took"`
	Reached []int         `json:"reached"` // mutants, by their numbers in the program
}

func (e *engine) readTraces() (map[string]trace, error) {
	known := map[string]trace{}
	err := e.readLines(e.progress+traces, func(l []byte) error {
		var t trace
		err := json.Unmarshal(l, &t)
		known[t.Program+t.Test] = t
		return err
	})
	return known, err
}

// trace runs one test.
func (e *engine) trace(ctx context.Context, t *test) (trace, error) {
	tr := trace{Program: t.sum, Test: t.name}
	reach := filepath.Join(e.dir, "reached")
	if err := os.WriteFile(reach, nil, 0o600); err != nil {
		return tr, err
	}
	began := time.Now()
	o, err := e.exec(ctx, t.program, []string{t.name}, 10*time.Minute, 0, reach)
	if err != nil {
		return tr, err
	}
	if o.failed || o.timeout {
		return tr, fmt.Errorf("%s fails without a mutant:\n%s", t, o.tail)
	}
	tr.Took = time.Since(began)
	b, err := os.ReadFile(reach)
	if err != nil {
		return tr, err
	}
	for _, l := range strings.Fields(string(b)) {
		n, err := strconv.Atoi(l)
		if err != nil {
			return tr, fmt.Errorf("%s: record of what was reached: %w", t, err)
		}
		tr.Reached = append(tr.Reached, n)
	}
	return tr, nil
}

// outcome of one process.
type outcome struct {
	failed, timeout bool
	test            string // the one that failed, as far as it can be told
	tail            string
}

// exec runs some tests of a program with a mutant on.
func (e *engine) exec(ctx context.Context, p *program, names []string, expected time.Duration, number int, reach string) (outcome, error) {
	tmp, err := os.MkdirTemp(e.dir, "run")
	if err != nil {
		return outcome{}, err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	ctx, cancel := context.WithTimeout(ctx, clock*e.spare+slower*expected)
	defer cancel()
	// The shell sets the bounds of a mutant that never ends or takes all memory.
	bounds := fmt.Sprintf(`ulimit -t %d; ulimit -v %d; exec "$0" "$@"`, int((e.spare+slower*expected)/time.Second)+1, memoryKB)
	args := append([]string{"-c", bounds, p.path, "-test.v", "-test.failfast", "-test.timeout=0", "-test.run=^(" + strings.Join(names, "|") + ")$"}, p.flags...)
	cmd := exec.CommandContext(ctx, "sh", args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp, envMutant+"="+strconv.Itoa(number), envReach+"="+reach)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var tail tail
	cmd.Stdout, cmd.Stderr = &tail, &tail
	err = cmd.Run()
	if err == nil {
		return outcome{}, nil
	}
	o := outcome{failed: true, tail: tail.String()}
	o.test = failing(o.tail)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
			o.timeout = s.Signal() == syscall.SIGKILL || s.Signal() == syscall.SIGXCPU
		}
		o.timeout = o.timeout || strings.Contains(o.tail, "SIGXCPU")
	} else if ctx.Err() == nil {
		return o, err // it did not start
	}
	o.timeout = o.timeout || errors.Is(ctx.Err(), context.DeadlineExceeded)
	return o, nil
}

// failing is the test that was named as failing, or else the last that began.
func failing(out string) string {
	last := ""
	for line := range strings.Lines(out) {
		if name, ok := strings.CutPrefix(line, "--- FAIL: "); ok {
			return strings.Fields(name + " ?")[0]
		}
		if name, ok := strings.CutPrefix(line, "=== RUN   "); ok {
			last, _, _ = strings.Cut(strings.TrimSpace(name), "/")
		}
	}
	return last
}

// tail keeps the end of what is written to it, and counts on there being enough.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 256 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > 2*tailSize {
		t.b = slices.Clone(t.b[len(t.b)-tailSize:])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
