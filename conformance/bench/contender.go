package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/algo"
)

// contenderEnv tells a copy of this program that it is a contender, and which.
const contenderEnv = "ASSENT_BENCH_CONTENDER"

// order is a line to a contender: sign In into Out, so many times.
type order struct {
	In    string `json:"in"`
	Out   string `json:"out"`
	Times int    `json:"times"`
}

// answer is its reply, the cost of one time.
type answer struct {
	sample
	Error string `json:"error,omitempty"`
}

// process is a contender in a process of its own: what it costs is what that
// process used, its collector included, and nothing of the others. It stays up
// from one order to the next, so that starting it is nobody's cost.
type process struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *json.Decoder
}

func startContender(ctx context.Context, name, dir string) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), contenderEnv+"="+name)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	return startProcess(name, cmd)
}

// startProcess starts a program that takes orders and answers them.
func startProcess(name string, cmd *exec.Cmd) (*process, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &process{name, cmd, in, json.NewDecoder(out)}, cmd.Start()
}

// contender is p with an order that it gets each time.
func (p *process) contender(o order) contender {
	return contender{name: p.name, measure: func() (sample, error) { return p.do(o) }}
}

func (p *process) do(o order) (sample, error) {
	if err := json.NewEncoder(p.in).Encode(o); err != nil {
		return sample{}, err
	}
	var a answer
	if err := p.out.Decode(&a); err != nil {
		return sample{}, err
	}
	if a.Error != "" {
		return sample{}, errors.New(a.Error)
	}
	return a.sample, nil
}

func (p *process) stop() {
	_ = p.in.Close() // it ends with its orders
	_ = p.cmd.Wait()
}

// runContenderIfAsked serves orders until there are no more; false in a process
// that is no contender.
func runContenderIfAsked() bool {
	name := os.Getenv(contenderEnv)
	if name == "" {
		return false
	}
	ctx := context.Background()
	job, err := contenderJob(ctx, name)
	if err != nil {
		fmt.Fprintf(os.Stderr, "contender %s: %v\n", name, err)
		os.Exit(1)
	}
	orders, out := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	for {
		var o order
		if err := orders.Decode(&o); err != nil {
			return true // end of orders
		}
		var a answer
		if a.sample, err = o.run(job); err != nil {
			a.Error = err.Error()
		}
		if err := out.Encode(a); err != nil {
			return true
		}
	}
}

func contenderJob(ctx context.Context, name string) (func(in, out string) error, error) {
	kind := algo.P256
	if name == floorRSA || name == oursRSA {
		kind = algo.RSA3072
	}
	s, err := newSigner(ctx, ".", kind)
	if err != nil {
		return nil, err
	}
	switch name {
	case floorOnce, floorVerified, floorTwice, floorRSA:
		b := bare{twoSteps: name == floorTwice, verified: name == floorVerified}
		return func(in, out string) error { return s.floor(b, in, out) }, nil
	case oursTwice:
		return func(in, out string) error { return s.inTwoSteps(ctx, s.entry, in, out) }, nil
	case "assent, canonical form":
		return canonicalDigest, nil
	case "assent, XAdES":
		return func(in, out string) error { return s.inTwoSteps(ctx, s.xml, in, out) }, nil
	case oursOnce, oursRSA:
		return func(in, out string) error { return s.atOnce(ctx, in, out) }, nil
	case pdfsign, pdfsignSynced:
		return func(in, out string) error { return s.pdfsign(in, out, name == pdfsignSynced) }, nil
	}
	return nil, fmt.Errorf("no contender %q", name)
}

// run does the job and measures it. Removing the output of the time before is
// not part of it: a file that is there would be truncated at someone's expense.
func (o order) run(job func(in, out string) error) (sample, error) {
	var total sample
	peak := restartPeak()
	for range o.Times {
		if err := os.Remove(o.Out); err != nil && !errors.Is(err, os.ErrNotExist) {
			return total, err
		}
		cpu, start := cpuTime(), time.Now()
		if err := job(o.In, o.Out); err != nil {
			return total, err
		}
		total.CPU += cpuTime() - cpu
		total.Wall += time.Since(start)
	}
	total.CPU /= time.Duration(o.Times)
	total.Wall /= time.Duration(o.Times)
	total.RSS = peak()
	return total, nil
}

// restartPeak makes the kernel forget the largest memory so far (proc(5),
// clear_refs) and returns a function that reads the largest since; 0 where the
// kernel does not tell.
func restartPeak() func() int64 {
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return func() int64 { return 0 }
	}
	return func() int64 {
		text, err := os.ReadFile("/proc/self/status")
		if err != nil {
			return 0
		}
		_, line, _ := strings.Cut(string(text), "VmHWM:")
		var kib int64
		if _, err := fmt.Sscanf(line, "%d kB", &kib); err != nil {
			return 0
		}
		return kib << 10
	}
}
