package main

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"os"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
)

// review is a line of the reviewed file: a survivor that may survive.
type review struct {
	ID, Change, Status, Reason string
	line                       int
}

// equivalent mutants mean the same as the source; harmless ones do not, but no
// requirement is about the difference; the difference of unproven ones matters, and no
// test of this machine can reach it. Only the first leave the count.
var statuses = []string{"equivalent", "harmless", "unproven"}

// readReviewed reads "id, change, status, reason", with tabs; # begins a comment.
func readReviewed(name string) (map[string]review, error) {
	all := map[string]review{}
	if name == "" {
		return all, nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	n := 0
	for l := range bytesLines(b) {
		n++
		if len(bytes.TrimSpace(l)) == 0 || l[0] == '#' {
			continue
		}
		c := strings.Split(string(l), "\t")
		if len(c) != 4 || c[0] == "" || c[1] == "" || len(c[3]) < 10 || !slices.Contains(statuses, c[2]) {
			return nil, fmt.Errorf("%s:%d: want id, change, one of %v and a reason, with tabs between", name, n, statuses)
		}
		if _, twice := all[c[0]]; twice {
			return nil, fmt.Errorf("%s:%d: %s a second time", name, n, c[0])
		}
		all[c[0]] = review{ID: c[0], Change: c[1], Status: c[2], Reason: c[3], line: n}
	}
	return all, nil
}

func bytesLines(b []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for l := range bytes.Lines(b) {
			if !yield(bytes.TrimRight(l, "\n")) {
				return
			}
		}
	}
}

// tally counts results.
type tally struct{ killed, timeout, survived, unreached, equivalent, accepted int }

func (t *tally) add(r entry, reviewed map[string]review) {
	known := reviewed[r.ID]
	switch r.Status {
	case killed:
		t.killed++
	case timeout:
		t.timeout++
	case survived, open, unreached:
		if known.Change == r.Change && known.Status == "equivalent" {
			t.equivalent++
			return
		}
		if known.Change == r.Change {
			t.accepted++
		}
		if r.Status == unreached {
			t.unreached++
		} else {
			t.survived++
		}
	}
}

// run is how many count: all but equivalent ones.
func (t *tally) run() int   { return t.killed + t.timeout + t.survived + t.unreached }
func (t *tally) dead() int  { return t.killed + t.timeout }
func (t *tally) whole() int { return t.run() + t.equivalent }

func percent(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return 100 * float64(n) / float64(of)
}

// wilson is the 95 % confidence interval of a share, in percent, with the
// correction for a sample that is a good part of a finite whole.
func wilson(n, of, whole int) (low, high float64) {
	if of == 0 {
		return 0, 100
	}
	if of >= whole {
		return percent(n, of), percent(n, of)
	}
	finite := math.Sqrt(float64(whole-of) / float64(whole-1))
	z := 1.959964 * finite
	p, k := float64(n)/float64(of), float64(of)
	mid := (p + z*z/(2*k)) / (1 + z*z/k)
	half := z / (1 + z*z/k) * math.Sqrt(p*(1-p)/k+z*z/(4*k*k))
	return 100 * (mid - half), 100 * (mid + half)
}

// report prints the table and what is wrong, and returns the exit code.
func report(out io.Writer, o options, p *pack, chosen []*mutant, results map[string]entry, reviewed map[string]review) int {
	files, whole := map[string]*tally{}, map[string]int{}
	for _, m := range p.mutants {
		whole[m.File]++
	}
	sum := &tally{}
	for _, m := range chosen {
		r, ok := results[m.ID]
		if !ok {
			continue
		}
		if files[m.File] == nil {
			files[m.File] = &tally{}
		}
		files[m.File].add(r, reviewed)
		sum.add(r, reviewed)
	}
	w := tabwriter.NewWriter(out, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "file\tmutants\trun\tkilled\ttimeout\tsurvived\tunreached\tequivalent\tkilled %\t\n")
	row := func(name string, mutants int, t *tally) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f\t\n", name, mutants, t.whole(), t.killed, t.timeout, t.survived, t.unreached, t.equivalent, percent(t.dead(), t.run()))
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		row(path.Base(name), whole[name], files[name])
	}
	row("all", len(p.mutants), sum)
	if w.Flush() != nil {
		return 2
	}
	low, high := wilson(sum.dead(), sum.run(), len(p.mutants)-sum.equivalent)
	fmt.Fprintf(out, "%d of %d killed: %.1f %% of those that are not equivalent (95 %% confidence for the whole package: %.1f to %.1f %%); %.1f %% of all; %d survivors reviewed as harmless or unproven\n",
		sum.dead(), sum.run(), percent(sum.dead(), sum.run()), low, high, percent(sum.dead(), sum.whole()), sum.accepted)
	if missing := len(chosen) - len(results); missing > 0 {
		fmt.Fprintf(out, "%d were not run (the time was over): call again with the same -progress\n", missing)
	}
	return verdict(out, o, p, sum, results, reviewed)
}

// verdict: the share must be reached, and the reviewed file must be true.
func verdict(out io.Writer, o options, p *pack, sum *tally, results map[string]entry, reviewed map[string]review) int {
	code := 0
	if got := percent(sum.dead(), sum.run()); got < o.min {
		fmt.Fprintf(out, "FAIL: %.1f %% killed, %.1f wanted\n", got, o.min)
		code = 1
	}
	for _, problem := range stale(p, results, reviewed) {
		fmt.Fprintln(out, "FAIL:", problem)
		code = 1
	}
	return code
}

// stale lists what the reviewed file says of this package and is not so any more.
func stale(p *pack, results map[string]entry, reviewed map[string]review) (problems []string) {
	now := map[string]*mutant{}
	for _, m := range p.mutants {
		now[m.ID] = m
	}
	dir := relative(p.root, p.dir) + "/"
	for _, id := range slices.Sorted(maps.Keys(reviewed)) {
		r := reviewed[id]
		file, _, _ := strings.Cut(id, ":")
		if path.Dir(file)+"/" != dir {
			continue
		}
		m := now[id]
		switch {
		case m == nil:
			problems = append(problems, fmt.Sprintf("reviewed, line %d: there is no mutant %s", r.line, id))
		case m.Change != r.Change:
			problems = append(problems, fmt.Sprintf("reviewed, line %d: %s is now %q", r.line, id, m.Change))
		case results[id].Status == killed:
			problems = append(problems, fmt.Sprintf("reviewed, line %d: %s is killed by %s", r.line, id, results[id].By))
		}
	}
	return problems
}
