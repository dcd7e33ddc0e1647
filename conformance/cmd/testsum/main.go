// Command testsum reads the output of "go test -json" and says how it went: the
// output of what failed, and a last line "N passed, N failed, N skipped". It
// exits with 1 if anything failed, if nothing ran, or if a test was skipped that
// is not in the list of allowed skips: in CI a test that did not run must never
// look like one that passed.
//
//	go test -json ./... | go run ./conformance/cmd/testsum -skips conformance/testdata/skips
//
// With -results it keeps what it read, for "assent conformance report", which holds
// the requirement matrix against it.
//
// The list has one "package.Test" a line; # begins a comment that says why.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, in io.Reader, out, stderr io.Writer) int {
	flags := flag.NewFlagSet("testsum", flag.ContinueOnError)
	flags.SetOutput(stderr)
	skips := flags.String("skips", "", "file with the tests that may be skipped; without it none may")
	anySkip := flags.Bool("any-skip", false, "skips are no failure: for developers' machines")
	results := flags.String("results", "", "file that keeps what was read, for assent conformance report")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	allowed, err := readAllowed(*skips)
	if err != nil {
		fmt.Fprintln(stderr, "testsum:", err)
		return 2
	}
	s := newSum()
	if err := s.keeping(*results, in, out); err != nil {
		fmt.Fprintln(stderr, "testsum:", err)
		return 2
	}
	return s.report(out, allowed, *anySkip)
}

// keeping reads and, if a file is named, keeps what it read there.
func (s *sum) keeping(path string, in io.Reader, out io.Writer) error {
	if path == "" {
		return s.read(in, out)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	return errors.Join(s.read(io.TeeReader(in, w), out), w.Flush(), f.Close())
}

func readAllowed(path string) (map[string]bool, error) {
	allowed := map[string]bool{}
	if path == "" {
		return allowed, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for _, l := range strings.Split(string(b), "\n") {
		l, _, _ = strings.Cut(l, "#")
		if l = strings.TrimSpace(l); l != "" {
			allowed[l] = true
		}
	}
	return allowed, nil
}

// event is one line of go test -json (see "go doc test2json").
type event struct {
	Action, Package, Test, Output string
	ImportPath                    string // of build output
	Elapsed                       float64
}

type sum struct {
	passed, failed int
	skipped        []string
	failedIn       map[string]bool     // packages with a failed test
	output         map[string][]string // of tests that have not ended, and of packages
	slow           map[string]float64  // seconds by package
}

func newSum() *sum {
	return &sum{failedIn: map[string]bool{}, output: map[string][]string{}, slow: map[string]float64{}}
}

// keep bounds the lines remembered for one test.
const keep = 400

func (s *sum) read(in io.Reader, out io.Writer) error {
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, 16<<20)
	for sc.Scan() {
		line := sc.Bytes()
		var e event
		if len(line) == 0 || line[0] != '{' || json.Unmarshal(line, &e) != nil {
			fmt.Fprintf(out, "%s\n", line) // what go itself has to say, such as a broken build
			continue
		}
		s.event(e, out)
	}
	return sc.Err()
}

func (s *sum) event(e event, out io.Writer) {
	name := e.Package + "." + e.Test
	switch e.Action {
	case "build-output":
		fmt.Fprint(out, e.Output)
	case "output":
		if len(s.output[name]) < keep {
			s.output[name] = append(s.output[name], e.Output)
		}
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.endPackage(e, out)
		} else {
			s.endTest(e, name, out)
		}
		delete(s.output, name)
	}
}

func (s *sum) endTest(e event, name string, out io.Writer) {
	switch e.Action {
	case "pass":
		s.passed++
	case "skip":
		s.skipped = append(s.skipped, name+": "+reason(s.output[name]))
	case "fail":
		s.failed++
		s.failedIn[e.Package] = true
		fmt.Fprintf(out, "FAILED %s\n%s", name, strings.Join(s.output[name], ""))
	}
}

// endPackage counts a package that failed without a failed test (a build error,
// a panic, a time-out) as one failure.
func (s *sum) endPackage(e event, out io.Writer) {
	s.slow[e.Package] = e.Elapsed
	if e.Action == "pass" {
		fmt.Fprintf(out, "ok    %6.1f s  %s\n", e.Elapsed, e.Package)
	}
	if e.Action == "fail" && !s.failedIn[e.Package] {
		s.failed++
		fmt.Fprintf(out, "FAILED package %s\n%s", e.Package, strings.Join(s.output[e.Package+"."], ""))
		for name, lines := range s.output {
			if strings.HasPrefix(name, e.Package+".") && !strings.HasSuffix(name, ".") {
				fmt.Fprintf(out, "not ended: %s\n%s", name, strings.Join(lines, ""))
			}
		}
	}
}

func reason(lines []string) string {
	for _, l := range lines {
		if strings.HasPrefix(l, "    ") {
			return strings.TrimSpace(l)
		}
	}
	return "no reason given"
}

func (s *sum) report(out io.Writer, allowed map[string]bool, anySkip bool) int {
	bad := 0
	for _, sk := range s.skipped {
		name, why, _ := strings.Cut(sk, ": ")
		if allowed[name] {
			fmt.Fprintf(out, "skipped, as reviewed: %s (%s)\n", name, why)
			continue
		}
		fmt.Fprintf(out, "SKIPPED %s (%s)\n", name, why)
		bad++
	}
	s.printSlow(out)
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", s.passed, s.failed, len(s.skipped))
	if s.failed > 0 || s.passed == 0 || (bad > 0 && !anySkip) {
		return 1
	}
	return 0
}

// printSlow names the five packages that took longest.
func (s *sum) printSlow(out io.Writer) {
	names := make([]string, 0, len(s.slow))
	for n := range s.slow {
		names = append(names, n)
	}
	sort.Slice(names, func(i, j int) bool { return s.slow[names[i]] > s.slow[names[j]] })
	for _, n := range names[:min(5, len(names))] {
		fmt.Fprintf(out, "%8s  %s\n", time.Duration(s.slow[n]*float64(time.Second)).Round(100*time.Millisecond), n)
	}
}
