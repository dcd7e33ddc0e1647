// Command bench measures what Assent promises about speed. Every figure is a
// ratio between two things measured in this run, in turns, with CPU time (user
// and system) first, because operations per second move with the machine.
//
//	go run ./conformance/bench              # everything
//	go run ./conformance/bench -only pdf    # pdf, activation, approval
//	go run ./conformance/bench -short       # fewer rounds, smaller documents
//
// The floors are the bare operations that nobody can do without. Peers are
// programs or libraries by others; one that is not installed is named as not
// measured.
package main

import (
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
}

func main() {
	if pkcs11.RunChildIfAsked() {
		return
	}
	var c config
	flag.StringVar(&c.only, "only", "", "one section: pdf, activation, approval")
	flag.BoolVar(&c.short, "short", false, "fewer rounds and smaller documents")
	flag.IntVar(&c.rounds, "rounds", 5, "rounds of each comparison")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Printf("%s, %d CPUs. CPU = user + system time. Compare ratios only.\n", runtime.Version(), runtime.NumCPU())
	sections := []struct {
		name string
		run  func(context.Context, config) error
	}{{"pdf", benchPDF}, {"activation", benchActivation}, {"approval", benchApproval}}
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

// contender is one way to do a job.
type contender struct {
	name  string
	run   func() error
	reset func() // not measured; may be nil
}

type figure struct {
	cpu, wall []time.Duration
}

// compare runs the contenders in turns and prints each against the first.
func compare(title string, rounds int, cs []contender) (map[string]float64, error) {
	figs := make([]figure, len(cs))
	for r := -1; r < rounds; r++ {
		for i, c := range cs {
			if c.reset != nil {
				c.reset()
			}
			cpu0, t0 := cpuTime(), time.Now()
			if err := c.run(); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", title, c.name, err)
			}
			cpu, wall := cpuTime()-cpu0, time.Since(t0)
			if r >= 0 { // the first round warms up
				figs[i].cpu, figs[i].wall = append(figs[i].cpu, cpu), append(figs[i].wall, wall)
			}
		}
	}
	fmt.Printf("\n%s\n", title)
	ratios := map[string]float64{}
	for i, c := range cs {
		cpu, wall := median(figs[i].cpu), median(figs[i].wall)
		ratio := ratioOf(figs[i].cpu, figs[0].cpu)
		ratios[c.name] = ratio
		fmt.Printf("  %-28s CPU %10s  %6s of floor   wall %10s\n", c.name, round(cpu), fmt.Sprintf("%.2fx", ratio), round(wall))
	}
	return ratios, nil
}

// ratioOf is the median of the ratios round by round.
func ratioOf(a, b []time.Duration) float64 {
	var r []float64
	for i := range a {
		r = append(r, float64(a[i])/float64(max(b[i], 1)))
	}
	slices.Sort(r)
	return r[len(r)/2]
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
