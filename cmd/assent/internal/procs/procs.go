// Package procs starts the service's programs as child processes, waits until
// they answer, and leaves none behind: each child is ended when this process
// asks for it, and by the kernel when this process dies.
package procs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// ErrProgram means that a program is not there or ended by itself.
var ErrProgram = errors.New("program")

// patience is how long a child may take to answer and to end.
const patience = 20 * time.Second

// Group is the running children.
type Group struct {
	bin  string // folder of the programs
	logs string // folder of their logs
	mu   sync.Mutex
	all  []*Process
	end  chan *Process
}

// Process is one running child.
type Process struct {
	Name string
	Log  string // path of its log
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // valid once done is closed
}

// New returns a group whose programs lie beside this one.
func New(logs string) (*Group, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if exe, err = filepath.EvalSymlinks(exe); err != nil {
		return nil, err
	}
	return &Group{bin: filepath.Dir(exe), logs: logs, end: make(chan *Process, 64)}, os.MkdirAll(logs, 0o700)
}

// Find returns the path of a program, and says how to build it if it is not
// there.
func (g *Group) Find(program string) (string, error) {
	path := filepath.Join(g.bin, program)
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return "", fmt.Errorf("%w %s is not in %s: build it with make build", ErrProgram, program, g.bin)
	}
	return path, nil
}

// Start runs a program; name tells several children of one program apart.
func (g *Group) Start(name, program string, args ...string) (*Process, error) {
	path, err := g.Find(program)
	if err != nil {
		return nil, err
	}
	p := &Process{Name: name, Log: filepath.Join(g.logs, name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	p.cmd = exec.Command(path, args...) //nolint:noctx // Stop ends it in order; a context would kill it in the middle of something
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = childAttributes()
	started := make(chan error)
	go func() {
		// The kernel ends the child when the thread that started it ends, so this
		// thread stays until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
		}
		_ = log.Close()
		close(p.done)
		select {
		case g.end <- p:
		default: // nobody looks at so many ends
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrProgram, program, err)
	}
	g.mu.Lock()
	g.all = append(g.all, p)
	g.mu.Unlock()
	return p, nil
}

// Ready waits until ask succeeds, and fails early when the child ends.
func (p *Process) Ready(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%w %s ended at its start: %w\n%s", ErrProgram, p.Name, p.err, p.Tail())
		case <-ctx.Done():
			return fmt.Errorf("%w %s does not answer: %w\n%s", ErrProgram, p.Name, err, p.Tail())
		case <-time.After(30 * time.Millisecond):
		}
	}
}

// Tail returns the end of the child's log.
func (p *Process) Tail() string {
	b, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	const last = 2000
	return string(b[max(0, len(b)-last):])
}

// Ended gives each child that has ended, whatever the reason.
func (g *Group) Ended() <-chan *Process { return g.end }

// PID is the child's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop asks a child to end and, if it does not, ends it. It returns what the
// child left as its exit.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return p.err
	case <-time.After(patience):
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return fmt.Errorf("%w %s did not end in %v and was killed", ErrProgram, p.Name, patience)
}

// StopAll ends the children, the last one started first.
func (g *Group) StopAll() error {
	g.mu.Lock()
	all := g.all
	g.all = nil
	g.mu.Unlock()
	var errs []error
	for i := len(all) - 1; i >= 0; i-- {
		select {
		case <-all[i].done:
			errs = append(errs, fmt.Errorf("%w %s had ended by itself: %w", ErrProgram, all[i].Name, errOf(all[i])))
			continue
		default:
		}
		if err := all[i].Stop(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", all[i].Name, err))
		}
	}
	return errors.Join(errs...)
}

func errOf(p *Process) error {
	if p.err != nil {
		return p.err
	}
	return errors.New("exit 0")
}
