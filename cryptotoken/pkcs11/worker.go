package pkcs11

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
)

// worker is the parent's side of one child. One goroutine at a time uses it.
type worker struct {
	cmd      *exec.Cmd
	in       *os.File // requests
	out      *os.File // replies
	lifeline *os.File // the child ends when this closes
	r        *bufio.Reader
	buf      []byte
	seq      uint32
	ops      uint64 // key operations so far
	stderr   *tail

	retire atomic.Bool   // a replacement is there: stop it at the next occasion
	asked  atomic.Bool   // a replacement was asked for
	gone   chan struct{} // closed when the process has ended and was reaped
	once   sync.Once     // of stop
}

// errNotSent: the request was not wholly written, so that the child cannot have
// acted on it.
var errNotSent = errors.New("pkcs11: the request did not reach the child")

// startWorker starts a child. It must be called from the keeper's thread.
func startWorker(cfg *Config) (*worker, error) {
	path, args, env, err := cfg.childCommand()
	if err != nil {
		return nil, err
	}
	w := &worker{gone: make(chan struct{}), stderr: &tail{}}
	w.cmd = &exec.Cmd{
		Path: path, Args: args, Env: env, Dir: "/", SysProcAttr: childAttr(),
		Stdout: w.stderr, Stderr: w.stderr, WaitDelay: time.Second,
	}
	var theirs [3]*os.File
	var ours [3]*os.File
	for i := range theirs {
		r, pw, err := os.Pipe()
		if err != nil {
			closeAll(theirs[:i])
			closeAll(ours[:i])
			return nil, fmt.Errorf("pkcs11 %s: %w: %w", cfg.Name, cryptotoken.ErrUnavailable, err)
		}
		if i == 1 { // replies flow to us
			r, pw = pw, r
		}
		theirs[i], ours[i] = r, pw
	}
	w.cmd.ExtraFiles = theirs[:] // descriptors 3, 4, 5
	err = w.cmd.Start()
	closeAll(theirs[:])
	if err != nil {
		closeAll(ours[:])
		return nil, fmt.Errorf("pkcs11 %s: %w: start of child: %w", cfg.Name, cryptotoken.ErrUnavailable, err)
	}
	w.in, w.out, w.lifeline = ours[0], ours[1], ours[2]
	w.r = bufio.NewReaderSize(w.out, 32<<10)
	go func() {
		_ = w.cmd.Wait() // how it ended shows in what the calls return
		close(w.gone)
	}()
	return w, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// call sends one request and waits for its reply, at most budget. After an
// error the worker must be killed. errNotSent proves that the child did not get
// the request; every other error leaves open what it did.
func (w *worker) call(req message, budget time.Duration) (message, error) {
	w.seq++
	req.seq = w.seq
	var err error
	if w.buf, err = appendFrame(w.buf[:0], req); err != nil {
		return message{}, fmt.Errorf("%w: %w", errNotSent, err)
	}
	defer clear(w.buf)
	deadline := time.Now().Add(budget)
	if err := errors.Join(w.in.SetWriteDeadline(deadline), w.out.SetReadDeadline(deadline)); err != nil {
		return message{}, fmt.Errorf("%w: %w", errNotSent, err)
	}
	if n, err := w.in.Write(w.buf); n < len(w.buf) {
		return message{}, fmt.Errorf("%w: %w", errNotSent, err)
	}
	rep, err := readFrame(w.r)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return message{}, fmt.Errorf("%w: no answer within %v", cryptotoken.ErrTimeout, budget)
	case err != nil:
		return message{}, fmt.Errorf("%w: child ended during the call: %w", cryptotoken.ErrUnavailable, err)
	case rep.seq != req.seq:
		return message{}, fmt.Errorf("%w: child answered another request", cryptotoken.ErrUnavailable)
	}
	return rep, nil
}

// dead tells whether the process has ended.
func (w *worker) dead() bool {
	select {
	case <-w.gone:
		return true
	default:
		return false
	}
}

// kill ends the process now.
func (w *worker) kill() {
	w.once.Do(func() {
		_ = w.cmd.Process.Kill()
		closeAll([]*os.File{w.in, w.out, w.lifeline})
	})
}

// stop lets the child finalise its module, and kills it when that takes long.
func (w *worker) stop(grace time.Duration) {
	w.once.Do(func() {
		_ = w.in.Close()
		select {
		case <-w.gone:
		case <-time.After(grace):
			_ = w.cmd.Process.Kill()
		}
		closeAll([]*os.File{w.out, w.lifeline})
	})
}

// tail keeps the end of what a child printed, for the log when it died.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 2 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p[max(0, len(p)-tailSize):]...)
	if over := len(t.b) - tailSize; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
