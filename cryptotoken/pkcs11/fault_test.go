package pkcs11

import (
	"context"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/testenv"
)

// openFake opens a token of fakes and makes a key.
func openFake(t *testing.T, change func(*Config)) (*Token, cryptotoken.Wrapped, string) {
	t.Helper()
	dir := t.TempDir()
	cfg := fakeConfig(dir)
	if change != nil {
		change(&cfg)
	}
	tok := mustOpen(t, cfg)
	w, err := tok.GenerateWrapped(t.Context(), algo.P256)
	if err != nil {
		t.Fatal(err)
	}
	return tok, w, dir
}

func signOne(tok *Token, w cryptotoken.Wrapped) ([]byte, error) {
	sigs, err := tok.SignWrapped(context.Background(), w, algo.ES256, [][]byte{make([]byte, 32)})
	if err != nil {
		return nil, err
	}
	return sigs[0], nil
}

func wantSign(t *testing.T, tok *Token, w cryptotoken.Wrapped) {
	t.Helper()
	sig, err := signOne(tok, w)
	if err != nil {
		t.Fatalf("the token did not heal: %v", err)
	}
	pub, err := x509.ParsePKIXPublicKey(w.Public)
	if err != nil {
		t.Fatal(err)
	}
	if err := algo.Verify(pub, algo.ES256, make([]byte, 32), sig); err != nil {
		t.Error(err)
	}
}

func keyUses(t *testing.T, tok *Token) uint64 {
	t.Helper()
	info, err := tok.Info(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return info.KeyUses
}

// F10, F11, F16: whatever a child does after it got the request, the outcome is
// open: the error never claims that nothing started, the use is counted, the
// child is replaced and the next call works. In each case the fake did sign.
func TestOutcomeIsOpenOnceAChildHasTheRequest(t *testing.T) {
	for fault, want := range map[string]error{
		"hang": cryptotoken.ErrTimeout, "stop": cryptotoken.ErrTimeout, "drip": cryptotoken.ErrTimeout,
		"die": cryptotoken.ErrUnavailable, "half": cryptotoken.ErrUnavailable, "garbage": cryptotoken.ErrUnavailable,
		"huge": cryptotoken.ErrUnavailable, "other-request": cryptotoken.ErrUnavailable,
		"device-after": cryptotoken.ErrUnavailable, "failed-after": errFailed, "too-few": cryptotoken.ErrUnavailable,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			tok, w, dir := openFake(t, nil)
			before := keyUses(t, tok)
			inject(t, dir, fault, 1)
			_, err := signOne(tok, w) // the faulty child would hold it for ever
			if !errors.Is(err, want) || errors.Is(err, cryptotoken.ErrNotStarted) {
				t.Errorf("%v: want %v and no ErrNotStarted", err, want)
			}
			if n := noted(t, dir, "signed"); n != 1 {
				t.Errorf("%d signatures exist, want 1: the request must not be repeated", n)
			}
			if got := keyUses(t, tok) - before; got != 1 {
				t.Errorf("%d key uses counted, want 1", got)
			}
			wantSign(t, tok, w)
		})
	}
}

// F14: a fault that is provably from before C_Sign costs the caller nothing.
func TestProvenNotStartedIsRepeated(t *testing.T) {
	tok, w, dir := openFake(t, func(c *Config) { c.Children = 2 })
	inject(t, dir, "device-before", 2)
	wantSign(t, tok, w)
	if n := noted(t, dir, "signed"); n != 1 {
		t.Errorf("%d signatures for one request, want 1", n)
	}
	inject(t, dir, "device-before", 20)
	if _, err := signOne(tok, w); !errors.Is(err, cryptotoken.ErrNotStarted) || !errors.Is(err, cryptotoken.ErrUnavailable) {
		t.Errorf("a session that never comes back: %v, want ErrUnavailable and ErrNotStarted", err)
	}
	if n := noted(t, dir, "signed"); n != 1 {
		t.Errorf("%d signatures, want still 1", n)
	}
}

// F16: the driver passes faulty signatures on, as its contract says; the caller
// verifies.
func TestFaultySignaturePassesThrough(t *testing.T) {
	tok, w, dir := openFake(t, nil)
	pub, err := x509.ParsePKIXPublicKey(w.Public)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range []string{"short-signature", "flip-bit"} {
		inject(t, dir, fault, 1)
		sig, err := signOne(tok, w)
		if err != nil {
			t.Errorf("%s: %v", fault, err)
		} else if algo.Verify(pub, algo.ES256, make([]byte, 32), sig) == nil {
			t.Errorf("%s: the signature verifies, the fake did not spoil it", fault)
		}
	}
	wantSign(t, tok, w)
}

// F10: children that die while idle are replaced before anybody notices.
func TestIdleDeath(t *testing.T) {
	tok, w, _ := openFake(t, func(c *Config) { c.Children = 2 })
	for range 3 {
		for _, pid := range childPIDs(t) {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			// Until the last thread is gone and reaped, a request may still be
			// written to it, and its outcome is then rightly open.
			eventually(t, "the reaping", func() bool { _, err := os.Stat("/proc/" + strconv.Itoa(pid)); return err != nil })
		}
		eventually(t, "a live child", func() bool { return liveWorkers(tok) > 0 })
		wantSign(t, tok, w)
	}
}

// F15: a PIN that is refused later (changed while the service runs) is tried
// once; children that are logged in serve on; then the token is locked for good.
func TestRefusedPINIsNeverTriedAgain(t *testing.T) {
	tok, w, dir := openFake(t, func(c *Config) { c.Children = 2 })
	eventually(t, "two children", func() bool { return liveWorkers(tok) == 2 })
	inject(t, dir, "hello-locked", 1)
	inject(t, dir, "die", 1)
	if _, err := signOne(tok, w); err == nil {
		t.Fatal("the fake did not die")
	}
	eventually(t, "the third login", func() bool { return noted(t, dir, "logins") == 3 })
	wantSign(t, tok, w)
	inject(t, dir, "die", 1)
	if _, err := signOne(tok, w); err == nil {
		t.Fatal("the fake did not die")
	}
	eventually(t, "the last child's end", func() bool { return liveWorkers(tok) == 0 })
	for range 3 {
		if _, err := signOne(tok, w); !errors.Is(err, cryptotoken.ErrLocked) || !errors.Is(err, cryptotoken.ErrNotStarted) {
			t.Errorf("locked token: %v, want ErrLocked and ErrNotStarted", err)
		}
	}
	if n := noted(t, dir, "logins"); n != 3 {
		t.Errorf("%d logins, want 3: a refused PIN was tried again", n)
	}
}

// F13: while no child starts, calls fail at once; when the token is back the
// pool heals within 5 s, without a restart of the service.
func TestTokenAwayAndBack(t *testing.T) {
	tok, w, dir := openFake(t, nil)
	inject(t, dir, "hello-device", 200)
	inject(t, dir, "die", 1)
	if _, err := signOne(tok, w); err == nil {
		t.Fatal("the fake did not die")
	}
	if _, err := signOne(tok, w); !errors.Is(err, cryptotoken.ErrUnavailable) || !errors.Is(err, cryptotoken.ErrNotStarted) {
		t.Errorf("token away: %v, want ErrUnavailable and ErrNotStarted", err)
	}
	testenv.Within(t, "20 refusals, which come at once,", time.Second, func() {
		for range 20 {
			if _, err := signOne(tok, w); !errors.Is(err, cryptotoken.ErrNotStarted) {
				t.Errorf("token away: %v, want ErrNotStarted", err)
			}
		}
	})
	disarm(t, dir, "hello-device")
	eventually(t, "the token's return", func() bool { _, err := signOne(tok, w); return err == nil })
}

func TestOpenFails(t *testing.T) {
	for fault, want := range map[string]error{
		"hello-hang": cryptotoken.ErrTimeout, "hello-die": cryptotoken.ErrUnavailable,
		"hello-locked": cryptotoken.ErrLocked, "hello-device": cryptotoken.ErrUnavailable,
	} {
		t.Run(fault, func(t *testing.T) {
			dir := t.TempDir()
			inject(t, dir, fault, 1)
			cfg := fakeConfig(dir)
			cfg.StartWait = time.Second
			tok, err := Open(cfg)
			if err == nil {
				_ = tok.Close()
			}
			if !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
			if n := noted(t, dir, "logins"); n != 1 {
				t.Errorf("%d logins, want 1", n)
			}
		})
	}
	wantNoChildren(t)
}

// F12: when all children are busy a call waits a bounded time, and what it
// returns then proves that it did not start.
func TestQueueIsBounded(t *testing.T) {
	tok, w, dir := openFake(t, func(c *Config) { c.QueueWait = 60 * time.Millisecond })
	inject(t, dir, "slow", 2)
	var wg sync.WaitGroup
	busy := func() {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, err := signOne(tok, w); err != nil {
				t.Errorf("slow call: %v", err)
			}
		}()
		eventually(t, "a busy child", func() bool { tok.pool.mu.Lock(); defer tok.pool.mu.Unlock(); return tok.pool.busy == 1 })
	}
	busy()
	if _, err := signOne(tok, w); !errors.Is(err, cryptotoken.ErrUnavailable) || !errors.Is(err, cryptotoken.ErrNotStarted) {
		t.Errorf("full queue: %v, want ErrUnavailable and ErrNotStarted", err)
	}
	wg.Wait()
	busy()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := tok.SignWrapped(ctx, w, algo.ES256, [][]byte{make([]byte, 32)})
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, cryptotoken.ErrNotStarted) {
		t.Errorf("given up while waiting: %v, want DeadlineExceeded and ErrNotStarted", err)
	}
	wg.Wait()
	if n := noted(t, dir, "signed"); n != 2 {
		t.Errorf("%d signatures, want 2: a refused call must leave none", n)
	}
}

// A module that hangs for good does not hold every caller for the watchdog's
// time: after a few losses calls are refused at once, and one probes later.
func TestBreaker(t *testing.T) {
	tok, w, dir := openFake(t, func(c *Config) { c.Watchdog = 50 * time.Millisecond; c.PerDigest = time.Millisecond })
	inject(t, dir, "hang", 50)
	refused := 0
	for range 10 {
		if _, err := signOne(tok, w); errors.Is(err, cryptotoken.ErrNotStarted) {
			refused++
		}
	}
	if refused < 6 {
		t.Errorf("%d of 10 calls to a dead module were refused at once, want 6 or more", refused)
	}
	disarm(t, dir, "hang")
	eventually(t, "the module's return", func() bool { _, err := signOne(tok, w); return err == nil })

	b, now := breaker{limit: 2, pause: time.Second}, time.Now()
	b.failure(now)
	if !b.allow(now) {
		t.Error("open after one failure, limit is 2")
	}
	b.failure(now)
	if b.allow(now) || b.allow(now.Add(999*time.Millisecond)) {
		t.Error("closed during the pause")
	}
	if !b.allow(now.Add(time.Second)) || b.allow(now.Add(time.Second)) {
		t.Error("after the pause exactly one call must pass")
	}
	b.success()
	if !b.allow(now.Add(time.Second)) {
		t.Error("open after a success")
	}
}

// A recycled child hands over without a lost or repeated request.
func TestRecycleUnderLoadLosesNothing(t *testing.T) {
	tok, w, dir := openFake(t, func(c *Config) {
		c.Children = 2
		c.RecycleAfter = 10
		c.Watchdog = 5 * time.Second
		c.QueueWait = 20 * time.Second
	})
	before := keyUses(t, tok)
	inject(t, dir, "retire", 3)
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 50 {
				if _, err := signOne(tok, w); err != nil {
					t.Errorf("lost: %v", err)
					return
				}
			}
		}()
	}
	wg.Wait()
	if n := noted(t, dir, "signed"); n != 400 {
		t.Errorf("%d signatures for 400 requests", n)
	}
	if n := keyUses(t, tok) - before; n != 400 {
		t.Errorf("%d key uses counted for 400", n)
	}
	if n := noted(t, dir, "logins"); n < 5 {
		t.Errorf("%d children for 400 operations: nothing was recycled", n)
	}
	eventually(t, "the old children's end", func() bool { return len(childPIDs(t)) <= 2 })
}

// I7: Close ends every child, finalises its module and leaves no process.
func TestCloseLeavesNoProcess(t *testing.T) {
	dir := t.TempDir()
	cfg := fakeConfig(dir)
	cfg.Children = 3
	tok, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "three children", func() bool { return liveWorkers(tok) == 3 })
	inject(t, dir, "hang", 1)
	w, err := tok.GenerateWrapped(t.Context(), algo.P256)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { _, err := signOne(tok, w); done <- err }()
	eventually(t, "the hanging call", func() bool { return noted(t, dir, "signed") == 1 })
	if err := tok.Close(); err != nil { // the module would hold it for ever
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, cryptotoken.ErrTimeout) {
		t.Errorf("the hanging call: %v, want ErrTimeout", err)
	}
	wantNoChildren(t)
	if n := noted(t, dir, "closed"); n != 2 {
		t.Errorf("%d of 2 healthy children finalised their module", n)
	}
}

// runParentIfAsked: a process that opens a token, lets one child hang in a
// signature and waits to be killed.
func runParentIfAsked() bool {
	dir := os.Getenv(parentEnv)
	if dir == "" {
		return false
	}
	cfg := fakeConfig(dir)
	cfg.Children, cfg.Watchdog = 2, time.Hour
	tok, err := Open(cfg)
	if err != nil {
		os.Exit(4)
	}
	w, err := tok.GenerateWrapped(context.Background(), algo.P256)
	if err != nil {
		os.Exit(5)
	}
	_, _ = signOne(tok, w)
	os.Exit(6)
	return true
}

// Children end with their parent, however it ends, also while they hang in the
// module: an orphan would keep a logged-in session.
func TestChildrenDieWithTheirParent(t *testing.T) {
	dir := t.TempDir()
	inject(t, dir, "hang", 1)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	proc, err := os.StartProcess(exe, []string{exe}, &os.ProcAttr{Env: append(os.Environ(), parentEnv+"="+dir)})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the hanging call", func() bool { return noted(t, dir, "signed") == 1 })
	var pids []int
	eventually(t, "two grandchildren", func() bool { pids = childrenOf(t, proc.Pid); return len(pids) == 2 })
	if err := proc.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := proc.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		waitGone(t, pid)
	}
}

// --- processes, by /proc ---

func childPIDs(t *testing.T) []int { return childrenOf(t, os.Getpid()) }

// childrenOf lists live children (not zombies) of a process.
func childrenOf(t *testing.T, parent int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		t.Fatal("this test reads /proc, and there is none")
	}
	var out []int
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		rest := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if len(rest) > 1 && rest[1] == strconv.Itoa(parent) && rest[0] != "Z" {
			out = append(out, pid)
		}
	}
	return out
}

func wantNoChildren(t *testing.T) {
	t.Helper()
	eventually(t, "the end of all children", func() bool { return len(childPIDs(t)) == 0 })
}

func waitGone(t *testing.T, pid int) {
	t.Helper()
	eventually(t, "the end of process "+strconv.Itoa(pid), func() bool {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return err != nil || strings.Contains(string(b), ") Z ")
	})
}

func liveWorkers(tok *Token) int {
	tok.pool.mu.Lock()
	defer tok.pool.mu.Unlock()
	return len(tok.pool.workers)
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain for %s", what)
}
