package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Statuses.
const (
	killed    = "killed"    // a test failed
	timeout   = "timeout"   // killed: its tests did not end within a multiple of their time
	survived  = "survived"  // every test that evaluates it passed
	open      = "open"      // the quickest tests that evaluate it passed (-quick): a survivor until the others are run
	unreached = "unreached" // no test evaluates it: a survivor, too
)

// entry is one line of the progress file.
type entry struct {
	ID     string `json:"id"`
	Print  string `json:"print"`  // the function's text; another text makes the entry void
	Change string `json:"change"` // the mutant
	Status string `json:"status"`
	By     string `json:"by,omitempty"` // the test that killed it
	Tests  int    `json:"tests"`        // how many evaluate it
	MS     int64  `json:"ms"`
}

// choose orders the mutants by a hash of seed and id and takes the first of them. They
// are run in that order: what an interrupted run has done is a sample, too. All of them
// are in the order of the sources.
func choose(all []*mutant, o options) []*mutant {
	var fit []*mutant
	for _, m := range all {
		if o.only.MatchString(m.ID) {
			fit = append(fit, m)
		}
	}
	if o.sample > 0 {
		rank := map[*mutant]uint64{}
		for _, m := range fit {
			sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", o.seed, m.ID))
			rank[m] = binary.BigEndian.Uint64(sum[:])
		}
		slices.SortFunc(fit, func(a, b *mutant) int { return cmp.Compare(rank[a], rank[b]) })
		fit = fit[:min(o.sample, len(fit))]
	}
	return fit
}

// runAll runs what is not in the progress file yet.
func (e *engine) runAll(ctx context.Context, chosen []*mutant) (map[string]entry, error) {
	known, err := e.readProgress()
	if err != nil {
		return nil, err
	}
	results := map[string]entry{}
	var todo []*mutant
	for _, m := range chosen {
		k, ok := known[m.ID]
		ok = ok && k.Print == m.Print && k.Change == m.Change
		if ok {
			results[m.ID] = k
		}
		if !ok && e.run == nil || ok && slices.Contains(e.again, k.Status) {
			todo = append(todo, m)
		}
	}
	fmt.Fprintf(e.out, "%d mutants chosen, %d known from before, %d to run\n", len(chosen), len(results), len(todo))
	if e.budget > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.budget)
		defer cancel()
	}
	work := make(chan *mutant)
	var failure error
	var wg sync.WaitGroup
	for range max(e.workers, 1) {
		wg.Go(func() {
			for m := range work {
				r, err := e.runOne(ctx, m)
				partial := e.run != nil && r.Status != killed && r.Status != timeout
				if ctx.Err() == nil && err == nil && !partial {
					err = e.keep(r)
				}
				e.mu.Lock()
				switch {
				case err != nil && ctx.Err() == nil:
					failure = errors.Join(failure, fmt.Errorf("%s: %w", m.ID, err))
				case ctx.Err() == nil && !partial:
					results[m.ID] = r
				}
				e.mu.Unlock()
			}
		})
	}
	for _, m := range todo {
		if ctx.Err() != nil {
			break
		}
		work <- m
	}
	close(work)
	wg.Wait()
	return results, failure
}

// record is what a test did so far with the mutants of one file.
type record struct{ runs, kills int }

// promise is how likely a test is to notice a mutant of this file, for each second of
// its time: by what it did so far, and by half a kill before anything is known.
func (r record) promise(t *test) float64 {
	return (float64(r.kills) + 0.5) / float64(r.runs+1) / max(t.took.Seconds(), 0.001)
}

// order puts the tests first that noticed another mutant of the same function, then
// those that promise most.
func (e *engine) order(m *mutant) []*test {
	tests := slices.Clone(e.reach[m.number])
	e.mu.Lock()
	defer e.mu.Unlock()
	first, promise := map[*test]int{}, map[*test]float64{}
	for _, t := range tests {
		if e.kills[m.File+m.Func][t] > 0 {
			first[t] = -1
		}
		promise[t] = e.records[m.File][t].promise(t)
	}
	slices.SortStableFunc(tests, func(a, b *test) int {
		return cmp.Or(cmp.Compare(first[a], first[b]), cmp.Compare(promise[b], promise[a]))
	})
	return tests
}

// runOne runs the tests that evaluate a mutant, in their order; the first processes
// take few tests.
func (e *engine) runOne(ctx context.Context, m *mutant) (entry, error) {
	start := time.Now()
	tests := e.order(m)
	r := entry{ID: m.ID, Print: m.Print, Change: m.Change, Status: survived, Tests: len(tests)}
	if len(tests) == 0 {
		r.Status = unreached
	}
	var spent time.Duration
	for share := time.Second; len(tests) > 0 && ctx.Err() == nil; share *= 2 {
		if e.quick > 0 && spent > e.quick {
			r.Status = open
			break
		}
		part, names, expected := nextPart(&tests, share)
		spent += expected
		o, err := e.exec(ctx, part[0].program, names, expected, m.number, "")
		if err != nil {
			return r, err
		}
		e.credit(m, part, o)
		if o.failed {
			r.Status, r.By = killed, part[0].program.name+"."+o.test
			if o.timeout {
				r.Status = timeout
			}
			break
		}
	}
	r.MS = time.Since(start).Milliseconds()
	return r, nil
}

// nextPart takes tests of one program that together take about a share of time.
func nextPart(tests *[]*test, share time.Duration) (part []*test, names []string, expected time.Duration) {
	all := *tests
	for len(part) < len(all) && all[len(part)].program == all[0].program && (len(part) == 0 || expected+all[len(part)].took <= share) {
		t := all[len(part)]
		part, names, expected = append(part, t), append(names, t.name), expected+t.took
	}
	*tests = all[len(part):]
	return part, names, expected
}

// credit notes which tests were run, and which of them noticed the mutant.
func (e *engine) credit(m *mutant, part []*test, o outcome) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.records[m.File] == nil {
		e.records[m.File] = map[*test]record{}
	}
	for _, t := range part {
		r := e.records[m.File][t]
		r.runs++
		noticed := o.failed && t.name == o.test
		if noticed {
			r.kills++
			if e.kills[m.File+m.Func] == nil {
				e.kills[m.File+m.Func] = map[*test]int{}
			}
			e.kills[m.File+m.Func][t]++
		}
		e.records[m.File][t] = r
		if noticed {
			return // those after it were not run
		}
	}
}

func (e *engine) readProgress() (map[string]entry, error) {
	known := map[string]entry{}
	err := e.readLines(e.progress, func(l []byte) error {
		var r entry
		err := json.Unmarshal(l, &r)
		known[r.ID] = r
		return err
	})
	return known, err
}

// readLines reads a file that keeps what was done; a line that was torn by an
// interruption is cut off.
func (e *engine) readLines(name string, each func([]byte) error) error {
	if e.progress == "" {
		return nil
	}
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return os.MkdirAll(filepath.Dir(name), 0o755)
	}
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(b, '\n') + 1
	if whole < len(b) {
		if err := os.Truncate(name, int64(whole)); err != nil {
			return err
		}
	}
	for l := range bytesLines(b[:whole]) {
		if err := each(l); err != nil {
			return fmt.Errorf("%s: %q: %w", name, l, err)
		}
	}
	return nil
}

func (e *engine) keep(r entry) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.verbose || r.Status == survived || r.Status == open || r.Status == unreached {
		fmt.Fprintf(e.out, "%-9s %s\t%s\t%s\n", r.Status, r.ID, r.Change, r.By)
	}
	return e.keepLine(e.progress, r)
}

// keepLine adds a line to a file that keeps what was done.
func (e *engine) keepLine(name string, v any) error {
	if e.progress == "" {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	return errors.Join(err, f.Close())
}
