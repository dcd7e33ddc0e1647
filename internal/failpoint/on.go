//go:build failpoint

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// Enabled tells whether this binary can kill itself.
const Enabled = true

// Modes of ASSENT_FAILPOINT.
const (
	modeBefore = "before"
	modeAfter  = "after"
	modeTwice  = "twice"
)

// trap is what the environment asked for.
type trap struct {
	name, mode string
	n          int64
	lives      string // file that counts deaths, for modeTwice
	hits       atomic.Int64
}

// armed reads the environment once. A setting that cannot be read ends the
// process: a crash test that kills nothing would prove nothing.
var armed = sync.OnceValue(func() *trap {
	t, err := parse(os.Getenv("ASSENT_FAILPOINT"))
	if err == nil && t != nil && t.mode == modeTwice {
		t.lives = os.Getenv("ASSENT_FAILPOINT_LIVES")
		err = t.next()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "failpoint:", err)
		os.Exit(2)
	}
	return t
})

func parse(text string) (*trap, error) {
	if text == "" {
		return nil, nil
	}
	name, rest, _ := strings.Cut(text, "=")
	mode, count, counted := strings.Cut(rest, ":")
	t := &trap{name: name, mode: mode, n: 1}
	if counted {
		n, err := strconv.ParseInt(count, 10, 32)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("ASSENT_FAILPOINT %q: the count is a number from 1", text)
		}
		t.n = n
	}
	if mode != modeBefore && mode != modeAfter && mode != modeTwice {
		return nil, fmt.Errorf("ASSENT_FAILPOINT %q: want name=before|after|twice[:n]", text)
	}
	for _, p := range Points() {
		if p.Name == name {
			return t, nil
		}
	}
	return nil, fmt.Errorf("ASSENT_FAILPOINT %q: no point has this name", text)
}

// next turns twice into what this life of the process is to do.
func (t *trap) next() error {
	if t.lives == "" {
		return fmt.Errorf("ASSENT_FAILPOINT=%s=twice needs ASSENT_FAILPOINT_LIVES", t.name)
	}
	deaths := int64(0)
	if st, err := os.Stat(t.lives); err == nil {
		deaths = st.Size()
	}
	switch deaths {
	case 0:
		t.mode = modeBefore
	case 1:
		t.mode, t.n = modeAfter, 1
	default:
		t.name = ""
	}
	return nil
}

// Before marks the place before a step.
func Before(name string) { hit(name, modeBefore) }

// After marks the place after a step.
func After(name string) { hit(name, modeAfter) }

// Hit marks a place that is before one step and after another.
func Hit(name string) {
	if t := armed(); t != nil && t.name == name {
		hit(name, t.mode)
	}
}

func hit(name, mode string) {
	t := armed()
	if t == nil || t.name != name || t.mode != mode || t.hits.Add(1) != t.n {
		return
	}
	if t.lives != "" {
		f, err := os.OpenFile(t.lives, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.Write([]byte{'x'})
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "failpoint:", err)
		}
	}
	if parent := os.Getenv("ASSENT_FAILPOINT_PARENT"); parent != "" {
		// A worker process of the one that is meant to die.
		if pid, err := strconv.Atoi(parent); err == nil && pid == os.Getppid() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal is on its way
}

// ChildEnv is what a worker process gets so that its death at a point is the
// death of this process too.
func ChildEnv() []string {
	return []string{"ASSENT_FAILPOINT_PARENT=" + strconv.Itoa(os.Getpid())}
}
