package matrix

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// ErrResults is returned for results that cannot be read or hold no test.
var ErrResults = errors.New("matrix: test results")

// Outcome is how a test ended.
type Outcome string

// Outcomes. A test that began and never ended has none.
const (
	Passed  Outcome = "pass"
	Failed  Outcome = "fail"
	Skipped Outcome = "skip"
)

// Result is what the runs say of one test. The worst outcome counts.
type Result struct {
	Outcome Outcome
	Took    time.Duration // of the last time it ran
	Cached  bool          // the go tool repeated an earlier result of equal inputs
}

// Results is what one or more runs of "go test -json" said.
type Results struct {
	tests   map[string]Result // by "import/path.TestName/sub"
	cached  map[string]bool   // packages
	Begin   time.Time
	End     time.Time
	Passed  int
	Failed  int
	Skipped int
}

// NewResults holds nothing yet.
func NewResults() *Results {
	return &Results{tests: map[string]Result{}, cached: map[string]bool{}}
}

// maxLine bounds a line of a test's output, in bytes.
const maxLine = 16 << 20

// Read adds the output of a run. Lines that are no JSON objects are what go
// itself has to say; they prove nothing and are passed over.
func (r *Results) Read(in io.Reader) error {
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, maxLine)
	n, open := 0, map[string]bool{}
	for sc.Scan() {
		var e struct {
			Time                  time.Time
			Action, Package, Test string
			Output                string
			Elapsed               float64
		}
		if b := sc.Bytes(); len(b) == 0 || b[0] != '{' || json.Unmarshal(b, &e) != nil {
			continue
		}
		n++
		r.time(e.Time)
		if e.Action == "output" && e.Test == "" && strings.HasSuffix(e.Output, "\t(cached)\n") {
			r.cached[e.Package] = true
		}
		if e.Test == "" {
			continue
		}
		name := e.Package + "." + e.Test
		switch o := Outcome(e.Action); o {
		case "run":
			open[name] = true
		case Passed, Failed, Skipped:
			delete(open, name)
			r.ended(name, o, time.Duration(e.Elapsed*float64(time.Second)))
		}
	}
	for name := range open { // a panic or a kill took it
		r.tests[name] = Result{}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrResults, err)
	}
	if n == 0 {
		return fmt.Errorf("%w: no line is an event of go test -json", ErrResults)
	}
	return nil
}

func (r *Results) time(t time.Time) {
	if t.IsZero() {
		return
	}
	if r.Begin.IsZero() || t.Before(r.Begin) {
		r.Begin = t
	}
	if t.After(r.End) {
		r.End = t
	}
}

func (r *Results) ended(name string, o Outcome, took time.Duration) {
	switch o {
	case Passed:
		r.Passed++
	case Failed:
		r.Failed++
	case Skipped:
		r.Skipped++
	}
	if old, ok := r.tests[name]; ok && badness(old.Outcome) > badness(o) {
		return
	}
	r.tests[name] = Result{Outcome: o, Took: took}
}

// badness orders outcomes; not to have ended is worst.
func badness(o Outcome) int {
	switch o {
	case Passed:
		return 0
	case Skipped:
		return 1
	case Failed:
		return 2
	}
	return 3
}

// Cached names how many packages' results the go tool repeated.
func (r *Results) Cached() int { return len(r.cached) }

// Test says how a test of a package of the module ended; false when it did not
// run. Whether anything below it was skipped or failed counts too.
func (r *Results) Test(module string, t Test) (Result, bool) {
	path := module + "/" + t.Package
	name := path + "." + t.Name
	res, ok := r.tests[name]
	if !ok {
		return Result{}, false
	}
	for other, o := range r.tests {
		if strings.HasPrefix(other, name+"/") && badness(o.Outcome) > badness(res.Outcome) {
			res.Outcome = o.Outcome
		}
	}
	res.Cached = r.cached[path]
	return res, true
}
