// Command auditor compares a token's log, a module's database, its audit chain
// and its clients' logs after a fault run. Its exit code is the number of
// violated invariants (I1 to I9), 99 when a witness cannot be read. It imports
// nothing of this project: see package evidence.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/assent-sign/assent/conformance/auditor/evidence"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout)) }

const unreadable = 99

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ", ") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

func run(args []string, out io.Writer) int {
	var c evidence.Case
	var tokens, clients, checkpoints, canaries, scan list
	f := flag.NewFlagSet("auditor", flag.ContinueOnError)
	f.SetOutput(out)
	seed := f.String("seed", "", "seed of the run, to be printed with what is found")
	now := f.Int64("now", 0, "Unix seconds to judge by; 0: the clock")
	f.StringVar(&c.DB, "db", "", "database of the module")
	f.StringVar(&c.Anchor, "anchor", "", "anchor file of the module")
	f.StringVar(&c.Key, "key", "", "the module's first statement key, base64url SubjectPublicKeyInfo: receipts and checkpoints are judged")
	f.StringVar(&c.Samples, "samples", "", "log of process measurements")
	f.DurationVar(&c.Open, "open", 30*time.Second, "longest time a reservation may stay unsettled")
	f.DurationVar(&c.Skew, "skew", 50*time.Millisecond, "allowed difference of clocks")
	f.Int64Var(&c.MaxRSS, "max-rss", 0, "bound on memory, KiB")
	f.Int64Var(&c.MaxCPU, "max-cpu", 0, "bound on processor time, ms")
	f.Var(&tokens, "token", "log of a token; several in order")
	f.Var(&clients, "client", "log of a client; several in order")
	f.Var(&checkpoints, "checkpoint", "chain:seq:hash that somebody kept")
	f.Var(&canaries, "canary", "secret that must be nowhere in what -scan names")
	f.Var(&scan, "scan", "file or folder to search for secrets")
	if err := f.Parse(args); err != nil {
		return unreadable
	}
	c.TokenLogs, c.ClientLogs, c.Checkpoints, c.Canaries, c.Scan = tokens, clients, checkpoints, canaries, scan
	if *now > 0 {
		c.Now = time.Unix(*now, 0)
	}
	report, err := evidence.Check(c)
	if err != nil {
		_, _ = fmt.Fprintln(out, "auditor:", err)
		return unreadable
	}
	return tell(out, report, *seed)
}

// tell prints the first findings of each invariant.
func tell(out io.Writer, r evidence.Report, seed string) int {
	const first = 5
	printed := map[string]int{}
	for _, f := range r.Findings {
		if printed[f.Invariant]++; printed[f.Invariant] <= first {
			_, _ = fmt.Fprintf(out, "%s (comparison %d) %s: %s\n", f.Invariant, f.Comparison, f.ID, f.Text)
		}
	}
	for inv, n := range printed {
		if n > first {
			_, _ = fmt.Fprintf(out, "%s: %d more\n", inv, n-first)
		}
	}
	bad := r.Violated()
	_, _ = fmt.Fprintf(out, "%d invariants violated %v; seed %q; compared: %s\n", len(bad), bad, seed, r.Heard)
	return len(bad)
}
