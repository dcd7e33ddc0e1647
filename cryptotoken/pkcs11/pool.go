package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
)

// pool keeps Config.Children workers alive and hands them out.
//
// A worker is idle (in the channel), busy (held by a caller) or being replaced.
// Only the keeper starts processes, one at a time: a wrong PIN then costs one
// try, whatever happens at the same moment.
type pool struct {
	cfg   *Config
	start func() (*worker, error) // starts a child and says hello

	idle   chan *worker
	jobs   chan *worker // to the keeper: replace this one
	closed chan struct{}
	wg     sync.WaitGroup // keeper and watchers

	mu      sync.Mutex
	workers map[*worker]struct{} // all that run
	busy    int
	drained *sync.Cond    // busy fell
	failing error         // why the last start failed, nil when it did not
	down    chan struct{} // closed while no child lives and none can be started
	isDown  bool
	locked  error // a PIN was refused: nothing is ever started again
	starts  int   // children started since Open

	breaker breaker
}

func newPool(cfg *Config, start func() (*worker, error)) *pool {
	p := &pool{
		cfg: cfg, start: start,
		idle:   make(chan *worker, 4*cfg.Children+4),
		jobs:   make(chan *worker, 4*cfg.Children+4),
		closed: make(chan struct{}), down: make(chan struct{}),
		workers: map[*worker]struct{}{},
		breaker: breaker{limit: 2*cfg.Children + 1, pause: 2 * time.Second},
	}
	p.drained = sync.NewCond(&p.mu)
	return p
}

// run starts the keeper, which starts the first worker; its error is Open's.
func (p *pool) run() error {
	first := make(chan error, 1)
	p.wg.Add(1)
	go p.keep(first)
	return <-first
}

// renew has every worker that runs now replaced. Each serves until its successor does.
func (p *pool) renew() {
	p.mu.Lock()
	var all []*worker
	for w := range p.workers {
		if !w.asked.Swap(true) {
			all = append(all, w)
		}
	}
	p.mu.Unlock()
	for _, w := range all {
		p.jobs <- w
	}
}

// grow asks for a further worker.
func (p *pool) grow() { p.jobs <- nil }

// keep is the keeper. It owns its thread: the kernel kills a child when the
// thread that started it ends.
func (p *pool) keep(first chan<- error) {
	defer p.wg.Done()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.startOne()
	first <- err
	if err != nil {
		return
	}
	for {
		select {
		case <-p.closed:
			return
		case old := <-p.jobs:
			p.replace(old)
		}
	}
}

// replace starts a worker in the place of old (nil: of one that has gone). While
// starts fail a healthy old one stays in service and will ask again.
func (p *pool) replace(old *worker) {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := p.startOne()
		if err == nil {
			if old != nil {
				old.retire.Store(true)
				p.mu.Lock()
				p.sweep()
				p.mu.Unlock()
			}
			return
		}
		if errors.Is(err, cryptotoken.ErrLocked) {
			p.lock(err)
			return
		}
		p.cfg.Log.Warn("pkcs11: child did not start", "token", p.cfg.Name, "err", err)
		if old != nil {
			old.asked.Store(false)
			if !old.dead() || old.asked.Swap(true) {
				return // it serves on, or its watcher asked for another
			}
			old = nil
		}
		p.mu.Lock()
		p.failing = err
		p.updateDown()
		p.mu.Unlock()
		select {
		case <-p.closed:
			return
		case <-time.After(wait):
		}
	}
}

func (p *pool) startOne() error {
	select {
	case <-p.closed:
		return fmt.Errorf("pkcs11 %s: %w: closed", p.cfg.Name, cryptotoken.ErrUnavailable)
	default:
	}
	p.mu.Lock()
	p.starts++
	locked := p.locked
	p.mu.Unlock()
	if locked != nil {
		return locked
	}
	w, err := p.start()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closed: // close has collected the workers that it will end
		w.kill()
		<-w.gone
		return nil
	default:
	}
	p.workers[w] = struct{}{}
	p.failing = nil
	p.updateDown()
	p.wg.Add(1)
	go p.watch(w)
	p.idle <- w
	return nil
}

// watch waits for the end of a worker and asks for another, unless there is one.
func (p *pool) watch(w *worker) {
	defer p.wg.Done()
	<-w.gone
	p.mu.Lock()
	delete(p.workers, w)
	p.sweep()
	p.updateDown()
	p.mu.Unlock()
	select {
	case <-p.closed:
		return
	default:
	}
	if w.asked.Swap(true) {
		return // replaced already, or the keeper is at it
	}
	p.cfg.Log.Warn("pkcs11: child ended", "token", p.cfg.Name, "printed", w.stderr.String())
	p.jobs <- nil
}

// sweep takes dead and replaced workers out of the idle ones. Called with mu held.
func (p *pool) sweep() {
	for range len(p.idle) {
		select {
		case w := <-p.idle:
			switch {
			case w.dead():
			case w.retire.Load():
				p.stopLocked(w)
			default:
				p.idle <- w
			}
		default:
			return
		}
	}
}

// updateDown lets waiting callers fail at once while nobody can serve them.
// Called with mu held.
func (p *pool) updateDown() {
	down := p.failing != nil && len(p.workers) == 0
	switch {
	case down && !p.isDown:
		close(p.down)
	case !down && p.isDown:
		p.down = make(chan struct{})
	}
	p.isDown = down
}

// lock stops the starting of children for good; those that are logged in serve on.
func (p *pool) lock(err error) {
	p.cfg.Log.Error("pkcs11: the token refused the PIN; it is not tried again", "token", p.cfg.Name, "err", err)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.locked, p.failing = err, err
	p.updateDown()
}

// acquire returns a free worker. All its errors prove that nothing started.
func (p *pool) acquire(ctx context.Context) (*worker, error) {
	if err := cryptotoken.Cancelled(ctx); err != nil {
		return nil, err
	}
	if !p.breaker.allow(time.Now()) {
		return nil, p.unavailable("too many calls failed in a row; the next try comes in a moment")
	}
	return p.wait(ctx)
}

func (p *pool) unavailable(why string) error {
	return cryptotoken.NotStarted(fmt.Errorf("pkcs11 %s: %w: %s", p.cfg.Name, cryptotoken.ErrUnavailable, why))
}

// wait is acquire for a call that the breaker has let through.
func (p *pool) wait(ctx context.Context) (*worker, error) {
	p.mu.Lock()
	down := p.down
	p.mu.Unlock()
	select { // the usual case costs no timer
	case <-p.closed:
		return nil, p.unavailable("it is closed")
	case w := <-p.idle:
		return p.take(ctx, w)
	default:
	}
	timer := time.NewTimer(p.cfg.QueueWait)
	defer timer.Stop()
	select {
	case <-p.closed:
		return nil, p.unavailable("it is closed")
	case w := <-p.idle:
		return p.take(ctx, w)
	case <-down:
		p.mu.Lock()
		err := p.failing
		p.mu.Unlock()
		if err == nil {
			return p.wait(ctx) // it came back this very moment
		}
		return nil, cryptotoken.NotStarted(fmt.Errorf("pkcs11 %s: %w: no child can be started: %w", p.cfg.Name, cryptotoken.ErrUnavailable, err))
	case <-ctx.Done():
		return nil, cryptotoken.Cancelled(ctx)
	case <-timer.C:
		return nil, p.unavailable(fmt.Sprintf("all %d children are busy", p.cfg.Children))
	}
}

// take makes an idle worker busy, or finds another when it is of no more use.
func (p *pool) take(ctx context.Context, w *worker) (*worker, error) {
	if w.dead() {
		return p.wait(ctx)
	}
	if w.retire.Load() {
		p.stopSoon(w)
		return p.wait(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closed:
		p.idle <- w
		return nil, p.unavailable("it is closed")
	default:
	}
	p.busy++
	return w, nil
}

// release gives a healthy worker back after a call of n key operations.
func (p *pool) release(w *worker, n int, retire bool) {
	p.breaker.success()
	defer p.settle()
	w.ops += uint64(n)
	if w.retire.Load() {
		p.stopSoon(w)
		return
	}
	if (retire || w.ops >= p.cfg.RecycleAfter) && !w.asked.Swap(true) {
		p.jobs <- w
	}
	p.idle <- w
}

// discard kills a worker that cannot be trusted any more.
func (p *pool) discard(w *worker, timeout bool) {
	if timeout {
		p.breaker.failure(time.Now())
	}
	w.kill()
	p.settle()
}

func (p *pool) settle() {
	p.mu.Lock()
	p.busy--
	p.drained.Broadcast()
	p.mu.Unlock()
}

// stopSoon ends a replaced worker in the background.
func (p *pool) stopSoon(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopLocked(w)
}

func (p *pool) stopLocked(w *worker) {
	select {
	case <-p.closed:
		return // close ends it
	default:
	}
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		w.stop(time.Second)
	}()
}

// close refuses new calls, waits for running ones (the watchdog bounds them),
// and ends all children. It returns when they are gone.
func (p *pool) close() error {
	p.mu.Lock()
	select {
	case <-p.closed:
		p.mu.Unlock()
		return nil
	default:
	}
	close(p.closed)
	for p.busy > 0 {
		p.drained.Wait()
	}
	var left []*worker
	for w := range p.workers {
		left = append(left, w)
	}
	p.mu.Unlock()
	var stops sync.WaitGroup
	for _, w := range left {
		stops.Add(1)
		go func() {
			defer stops.Done()
			w.stop(time.Second)
		}()
	}
	stops.Wait()
	done := make(chan struct{})
	go func() {
		p.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-time.After(5*time.Second + p.cfg.StartWait):
		return fmt.Errorf("pkcs11 %s: %w: a child could not be ended", p.cfg.Name, cryptotoken.ErrUnavailable)
	}
}

// breaker refuses calls for a while after limit calls in a row timed out or
// lost their child, so that a dead module does not hold every caller for the
// full time. After the pause one call is let through to try.
type breaker struct {
	limit int
	pause time.Duration

	mu     sync.Mutex
	failed int
	until  time.Time
}

func (b *breaker) allow(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed < b.limit {
		return true
	}
	if now.Before(b.until) {
		return false
	}
	b.until = now.Add(b.pause)
	return true
}

func (b *breaker) success() {
	b.mu.Lock()
	b.failed = 0
	b.mu.Unlock()
}

func (b *breaker) failure(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed++; b.failed >= b.limit {
		b.until = now.Add(b.pause)
	}
}
