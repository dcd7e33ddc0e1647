// Command bench measures what Assent promises about speed. Every figure is a
// ratio between two things measured in this run, in turns, with CPU time (user
// and system) first, because operations per second move with the machine.
//
//	go run ./conformance/bench              # everything
//	go run ./conformance/bench -only pdf    # pdf, xml, activation, approval
//	go run ./conformance/bench -short       # fewer rounds, smaller documents
//
// A ratio is the median over the rounds, with the quartiles beside it: where they
// lie far apart the machine was busy and the figure says little. Contenders that
// leave garbage behind run in processes of their own (see pdf.go), because one
// process's CPU time does not say whose memory its collector tidied.
//
// The floors are the bare operations that nobody can do without. Peers are
// programs or libraries by others; one that is not installed is named as not
// measured.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/assent-sign/assent/cryptotoken/pkcs11"
)

type config struct {
	only   string
	short  bool
	rounds int
	dir    string
}

func main() {
	if pkcs11.RunChildIfAsked() || runContenderIfAsked() {
		return
	}
	var c config
	flag.StringVar(&c.only, "only", "", "one section: pdf, xml, activation, approval")
	flag.BoolVar(&c.short, "short", false, "fewer rounds and smaller documents")
	flag.IntVar(&c.rounds, "rounds", 9, "rounds of each comparison")
	flag.StringVar(&c.dir, "dir", "", "where the documents are written; empty: the system's folder for temporary files")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Printf("%s, %d CPUs. CPU = user + system time. Compare ratios only.\n", runtime.Version(), runtime.NumCPU())
	sections := []struct {
		name string
		run  func(context.Context, config) error
	}{{"pdf", benchPDF}, {"xml", benchXML}, {"activation", benchActivation}, {"approval", benchApproval}}
	for _, s := range sections {
		if c.only != "" && c.only != s.name {
			continue
		}
		if err := s.run(ctx, c); err != nil {
			fmt.Fprintf(os.Stderr, "bench %s: %v\n", s.name, err)
			os.Exit(1)
		}
	}
}

// contender is one way to do a job. It has either run or measure.
type contender struct {
	name  string
	run   func() error
	reset func() // not measured; may be nil
	// measure does the job elsewhere and reports what it cost there.
	measure func() (sample, error)
	// of names the contender that its cost is compared with; empty: the first.
	of string
}

// sample is the cost of one job.
type sample struct {
	CPU  time.Duration `json:"cpu"`
	Wall time.Duration `json:"wall"`
	// RSS is the most memory that the process held meanwhile, in bytes; 0 where
	// it was not looked at.
	RSS int64 `json:"rss"`
}

func (c contender) once() (sample, error) {
	if c.measure != nil {
		return c.measure()
	}
	if c.reset != nil {
		c.reset()
	}
	cpu, start := cpuTime(), time.Now()
	err := c.run()
	return sample{CPU: cpuTime() - cpu, Wall: time.Since(start)}, err
}

// compare runs the contenders in turns and prints each against the first, which of
// names, or against the one that it names itself. Every other round goes backwards, so that nobody always comes after the same
// one.
func compare(title, of string, rounds int, cs []contender) error {
	figs := make([][]sample, len(cs))
	for r := -1; r < rounds; r++ {
		for i := range cs {
			if r%2 != 0 {
				i = len(cs) - 1 - i
			}
			s, err := cs[i].once()
			if err != nil {
				return fmt.Errorf("%s, %s: %w", title, cs[i].name, err)
			}
			if r >= 0 { // the first round warms up
				figs[i] = append(figs[i], s)
			}
		}
	}
	fmt.Printf("\n%s\n", title)
	for i, c := range cs {
		base, baseName := 0, of
		if c.of != "" {
			base, baseName = slices.IndexFunc(cs, func(o contender) bool { return o.name == c.of }), c.of
		}
		low, ratio, high := quartiles(ratios(figs[i], figs[base]))
		line := fmt.Sprintf("  %-28s CPU %10s  %6s of %s (%.2f to %.2f)   wall %10s", c.name,
			round(medianOf(figs[i], func(s sample) time.Duration { return s.CPU })), fmt.Sprintf("%.2fx", ratio), baseName, low, high,
			round(medianOf(figs[i], func(s sample) time.Duration { return s.Wall })))
		if rss := medianOf(figs[i], func(s sample) int64 { return s.RSS }); rss > 0 {
			line += fmt.Sprintf("   peak RSS %3d MiB", rss>>20)
		}
		fmt.Println(line)
	}
	return nil
}

// ratios are those of the CPU times round by round.
func ratios(a, b []sample) []float64 {
	r := make([]float64, len(a))
	for i := range a {
		r[i] = float64(a[i].CPU) / float64(max(b[i].CPU, 1))
	}
	return r
}

func quartiles(r []float64) (low, mid, high float64) {
	s := slices.Sorted(slices.Values(r))
	return s[len(s)/4], s[len(s)/2], s[len(s)*3/4]
}

func medianOf[T cmp.Ordered](all []sample, what func(sample) T) T {
	var of []T
	for _, s := range all {
		of = append(of, what(s))
	}
	slices.Sort(of)
	return of[len(of)/2]
}

func median(d []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[len(s)/2]
}

func round(d time.Duration) string {
	switch {
	case d > time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d > time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(100 * time.Nanosecond).String()
}

// cpuTime is the CPU time of this process so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heading(s string) { fmt.Printf("\n== %s\n%s\n", s, strings.Repeat("-", len(s)+3)) }
