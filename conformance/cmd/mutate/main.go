// Command mutate tells how much the tests of a package would notice. It makes many
// small changes in the package, one at a time (a bound moved by one, a refusal
// dropped, an error returned as nil, a call left out; see ops), runs the tests that
// reach the change, and lists the changes that no test objects to: the survivors.
// Each survivor is a check that nobody tests, or a change that means the same; the
// second kind is kept, with the reason, in a reviewed file.
//
//	go run ./conformance/cmd/mutate -tests ./sam,./sam/samrpc -sample 200 -seed 7 ./sam
//
// All mutants of a package are compiled into one test program, each behind a switch
// that an environment variable throws (go test -overlay; no source file is written),
// so that a mutant costs the run of its tests and not a compilation. A first run of
// every test alone, with no mutant, records which mutants it evaluates: those tests
// are run, quickest first, until one fails. Constants are changed where they are
// used and not in their declaration.
//
// The sample is ordered by a hash of seed and id: the same seed gives the same
// mutants on every machine, and an edit elsewhere does not change the choice. With
// -progress the results are kept, and an interrupted run goes on; a function whose
// text changed is run anew.
//
// It exits with 1 if too few mutants were killed (-min), or if the reviewed file
// names a mutant that does not exist or is killed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// options is what the command line says.
type options struct {
	target   string // the package that is mutated
	tests    []string
	only     *regexp.Regexp // ids
	skip     *regexp.Regexp // tests
	run      *regexp.Regexp // tests; nil is all
	again    []string       // statuses that are run anew
	sample   int            // 0 is all
	seed     uint64
	progress string
	reviewed string
	min      float64 // percent
	budget   time.Duration
	spare    time.Duration
	quick    time.Duration // of tests for each mutant; 0 is no limit
	workers  int
	list     bool
	verbose  bool
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	tests := flags.String("tests", "", "packages whose tests are run, with commas; without it the mutated package's own")
	only := flags.String("only", "", "regular expression: only mutants whose id it fits")
	runs := flags.String("run", "", "regular expression: only tests that it fits are run, and only kills are kept: for new tests against known survivors (-again)")
	skip := flags.String("skip", "^$", "regular expression: tests that are not run")
	again := flags.String("again", "", "statuses of -progress that are run anew, with commas (open, survived, timeout, unreached)")
	flags.IntVar(&o.sample, "sample", 0, "how many mutants; 0 is all")
	flags.Uint64Var(&o.seed, "seed", 1, "chooses the sample")
	flags.StringVar(&o.progress, "progress", "", "file that keeps the results, so that an interrupted run goes on")
	flags.StringVar(&o.reviewed, "reviewed", "", "file with the reviewed survivors")
	flags.Float64Var(&o.min, "min", 0, "percent that must be killed")
	flags.DurationVar(&o.budget, "budget", 0, "stop after this time and report what was run; 0 is no limit")
	flags.DurationVar(&o.spare, "spare", 10*time.Second, "time of the processor that tests may take beyond a multiple of their usual time")
	flags.DurationVar(&o.quick, "quick", 0, "run no more than this time of tests for each mutant, the quickest; what they all pass stays \"open\" and counts as a survivor")
	flags.IntVar(&o.workers, "j", 1, "mutants at a time")
	flags.BoolVar(&o.list, "list", false, "only list the mutants")
	flags.BoolVar(&o.verbose, "v", false, "print every result")
	err := flags.Parse(args)
	if err != nil {
		return o, err
	}
	if flags.NArg() != 1 {
		return o, errors.New("name one package to mutate, such as ./sam")
	}
	o.target = flags.Arg(0)
	if o.tests = split(*tests); len(o.tests) == 0 {
		o.tests = []string{o.target}
	}
	o.again = split(*again)
	if o.only, err = regexp.Compile(*only); err != nil {
		return o, err
	}
	if *runs != "" {
		if o.run, err = regexp.Compile(*runs); err != nil {
			return o, err
		}
	}
	o.skip, err = regexp.Compile(*skip)
	return o, err
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func run(ctx context.Context, args []string, out, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "mutate:", err)
		return 2
	}
	code, err := mutate(ctx, o, out)
	if err != nil {
		fmt.Fprintln(stderr, "mutate:", err)
		return 2
	}
	return code
}

// mutate does the whole: find, choose, compile, run, report. It returns the exit code.
func mutate(ctx context.Context, o options, out io.Writer) (int, error) {
	p, err := load(ctx, o.target)
	if err != nil {
		return 0, err
	}
	if err := p.find(); err != nil {
		return 0, err
	}
	reviewed, err := readReviewed(o.reviewed)
	if err != nil {
		return 0, err
	}
	chosen := choose(p.mutants, o)
	if o.list {
		for _, m := range chosen {
			fmt.Fprintf(out, "%s\t%d\t%s\n", m.ID, m.Line, m.Change)
		}
		return 0, nil
	}
	tmp, err := os.MkdirTemp("", "assent-mutate")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	e := &engine{options: o, out: out, dir: tmp}
	if err := e.prepare(ctx, p); err != nil {
		return 0, err
	}
	results, err := e.runAll(ctx, chosen)
	if err != nil {
		return 0, err
	}
	return report(out, o, p, chosen, results, reviewed), nil
}

// relative is a path below the module's root, with slashes.
func relative(root, path string) string {
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return filepath.ToSlash(path)
	}
	return filepath.ToSlash(rel)
}
