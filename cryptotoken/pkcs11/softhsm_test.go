package pkcs11

import (
	"bytes"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/cryptotoken/pkcs11/softhsm"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/testenv"
)

// spied puts OpenSC's pkcs11-spy between the driver and SoftHSM: a log of every
// call that the module got, written by code that is not ours.
func spied(t *testing.T, cfg Config) (Config, func(call string) int) {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/*/pkcs11/pkcs11-spy.so")
	if err != nil || len(found) == 0 {
		testenv.Need(t, "pkcs11-spy.so") // fails or skips: Debian package opensc-pkcs11
		t.FailNow()
	}
	spy := found[0]
	log := filepath.Join(t.TempDir(), "spy.log")
	cfg.Env = append(slices.Clone(cfg.Env), "PKCS11SPY="+cfg.Module, "PKCS11SPY_OUTPUT="+log)
	cfg.Module = spy
	return cfg, func(call string) int {
		b, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for line := range strings.Lines(string(b)) {
			if strings.HasSuffix(strings.TrimSpace(line), ": "+call) {
				n++
			}
		}
		return n
	}
}

// F15: a wrong PIN reaches the module exactly once, with any number of children.
func TestWrongPINIsTriedOnce(t *testing.T) {
	cfg, calls := spied(t, provision(t))
	cfg.PIN, cfg.Children = []byte("000000"), 4
	tok, err := Open(cfg)
	if err == nil {
		_ = tok.Close()
	}
	if !errors.Is(err, cryptotoken.ErrLocked) || strings.Contains(err.Error(), "000000") {
		t.Errorf("wrong PIN: %v, want ErrLocked without the PIN", err)
	}
	if n := calls("C_Login"); n != 1 {
		t.Errorf("the module saw %d calls of C_Login, want 1", n)
	}
	wantNoChildren(t)
}

// ErrNotStarted is the truth: the module saw no C_Sign. And every signature is
// one C_SignInit, which is what Info counts.
func TestModuleSeesWhatTheDriverClaims(t *testing.T) {
	cfg, calls := spied(t, provision(t))
	cfg.Children = 1
	tok := mustOpen(t, cfg)
	w, err := tok.GenerateWrapped(t.Context(), algo.P256)
	if err != nil {
		t.Fatal(err)
	}
	before, usesBefore, logins := calls("C_SignInit"), keyUses(t, tok), calls("C_Login")
	bad := w
	bad.Blob = bytes.Clone(w.Blob)
	bad.Blob[20] ^= 1
	for range 3 {
		if _, err := signOne(tok, bad); !errors.Is(err, cryptotoken.ErrNotStarted) {
			t.Errorf("damaged blob: %v, want ErrNotStarted", err)
		}
	}
	if n := calls("C_SignInit") - before; n != 0 {
		t.Errorf("the module saw %d C_SignInit of calls that claim not to have started", n)
	}
	if _, err := tok.SignWrapped(t.Context(), w, algo.ES256, [][]byte{make([]byte, 32), make([]byte, 32), make([]byte, 32)}); err != nil {
		t.Fatal(err)
	}
	if n, counted := calls("C_SignInit")-before, keyUses(t, tok)-usesBefore; n != 3 || counted != 3 {
		t.Errorf("3 signatures: the module saw %d C_SignInit, the driver counted %d", n, counted)
	}
	if unwraps := calls("C_UnwrapKey"); unwraps == 0 || calls("C_DestroyObject") < unwraps/2 {
		t.Errorf("%d unwraps, %d objects destroyed", unwraps, calls("C_DestroyObject"))
	}
	if n := calls("C_Login"); n != logins || n != 1 {
		t.Errorf("%d logins, want 1", n)
	}
}

// Threat 1.6: SoftHSM lets a wrapped key be unwrapped as readable. The self-test
// finds it, and the token opens only where the flag is set by intent, in a
// profile that may set it, and says what it is.
func TestDowngradeNeedsTheDevelopmentFlag(t *testing.T) {
	cfg := provision(t)
	cfg.Development = false
	tok, err := Open(cfg)
	if err == nil {
		_ = tok.Close()
	}
	if !errors.Is(err, cryptotoken.ErrSelfTest) || !errors.Is(err, cryptotoken.ErrDevelopment) || !strings.Contains(err.Error(), "can be read") {
		t.Errorf("SoftHSM without the flag: %v, want ErrSelfTest and ErrDevelopment with the reason", err)
	}
	for _, profile := range []string{"", "qualified", "production"} {
		cfg.Development, cfg.Profile = true, profile
		if _, err := Open(cfg); !errors.Is(err, cryptotoken.ErrDevelopment) {
			t.Errorf("flag in profile %q: %v, want ErrDevelopment", profile, err)
		}
	}
	var log bytes.Buffer
	cfg.Profile, cfg.Log = "demo", slog.New(slog.NewTextHandler(&log, nil))
	tok = mustOpen(t, cfg)
	info, err := tok.Info(t.Context())
	if err != nil || !info.Development || !strings.Contains(info.Reason, "EXTRACTABLE=true") {
		t.Errorf("Info: %+v, %v", info, err)
	}
	if !strings.Contains(info.Model, "SoftHSM") {
		t.Errorf("model %q", info.Model)
	}
	if !strings.Contains(log.String(), "level=WARN") || strings.Contains(log.String(), testPIN) {
		t.Errorf("log: %s", log.String())
	}
}

// F11: a stopped child costs one call the watchdog's time and nobody else more.
func TestStoppedChild(t *testing.T) {
	cfg := provision(t)
	cfg.Watchdog, cfg.PerDigest, cfg.Children = 700*time.Millisecond, time.Millisecond, 2
	tok := mustOpen(t, cfg)
	w, err := tok.GenerateWrapped(t.Context(), algo.P256)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "two children", func() bool { return liveWorkers(tok) == 2 })
	victim := childPIDs(t)[0]
	if err := syscall.Kill(victim, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	timeouts := 0
	for range 6 {
		_, err := signOne(tok, w) // a stopped child would hold it for ever
		switch {
		case err == nil:
		case errors.Is(err, cryptotoken.ErrTimeout) && !errors.Is(err, cryptotoken.ErrNotStarted):
			timeouts++
		default:
			t.Errorf("stopped child: %v, want ErrTimeout", err)
		}
	}
	if timeouts != 1 {
		t.Errorf("%d calls timed out, want 1", timeouts)
	}
	waitGone(t, victim)
	eventually(t, "a replacement", func() bool { return liveWorkers(tok) == 2 })
	wantSign(t, tok, w)
}

// Killing the module's processes under load never gives a false "not started",
// a wrong signature or a token that stays away (F10).
func TestKillUnderLoad(t *testing.T) {
	cfg, calls := spied(t, provision(t))
	cfg.RecycleAfter, cfg.QueueWait = 40, 10*time.Second
	tok := mustOpen(t, cfg)
	w, err := tok.GenerateWrapped(t.Context(), algo.P256)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := x509.ParsePKIXPublicKey(w.Public)
	if err != nil {
		t.Fatal(err)
	}
	before := calls("C_SignInit")
	var made, open atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				select {
				case <-stop:
					return
				default:
				}
				sig, err := signOne(tok, w)
				switch {
				case err == nil:
					made.Add(1)
					if err := algo.Verify(pub, algo.ES256, make([]byte, 32), sig); err != nil {
						t.Errorf("a wrong signature: %v", err)
					}
				case !errors.Is(err, cryptotoken.ErrUnavailable):
					t.Errorf("under kills: %v", err)
				case !errors.Is(err, cryptotoken.ErrNotStarted):
					open.Add(1)
				}
			}
		}()
	}
	for range 4 {
		time.Sleep(80 * time.Millisecond)
		if pids := childPIDs(t); len(pids) > 0 {
			_ = syscall.Kill(pids[0], syscall.SIGKILL)
		}
	}
	close(stop)
	wg.Wait()
	if n := int64(calls("C_SignInit") - before); n > made.Load()+open.Load() || made.Load() < 10 {
		t.Errorf("the module began %d signatures; %d were made, the outcome of %d is said to be open", n, made.Load(), open.Load())
	}
	eventually(t, "healing", func() bool { _, err := signOne(tok, w); return err == nil })
}

// A service manager sends SIGTERM to the whole group: the parent decides when
// the children end, so that no signature is cut in two.
func TestChildIgnoresTermination(t *testing.T) {
	cfg := provision(t)
	cfg.Children = 1
	tok := mustOpen(t, cfg)
	w, err := tok.GenerateWrapped(t.Context(), algo.P256)
	if err != nil {
		t.Fatal(err)
	}
	before := childPIDs(t)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		if err := syscall.Kill(before[0], sig); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(50 * time.Millisecond)
	wantSign(t, tok, w)
	if after := childPIDs(t); len(after) != 1 || after[0] != before[0] {
		t.Errorf("children %v became %v", before, after)
	}
}

// I6: the PIN is in no argument and no environment.
func TestPINIsNotVisible(t *testing.T) {
	tok := mustOpen(t, provision(t))
	for _, pid := range childPIDs(t) {
		for _, file := range []string{"cmdline", "environ"} {
			b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + file)
			if err != nil {
				continue // not dumpable: even better
			}
			if bytes.Contains(b, []byte(testPIN)) {
				t.Errorf("the PIN is in %s of a child", file)
			}
		}
	}
	if tok.cfg.PIN != nil {
		t.Error("the configuration still holds the PIN")
	}
}

func TestProvisioning(t *testing.T) {
	cfg := provisionEmpty(t)
	if _, err := Open(cfg); !errors.Is(err, cryptotoken.ErrKeyNotFound) {
		t.Errorf("token without keys: %v, want ErrKeyNotFound", err)
	}
	if err := Init(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if err := Init(t.Context(), cfg); !errors.Is(err, cryptotoken.ErrKeyExists) {
		t.Errorf("second Init: %v, want ErrKeyExists", err)
	}
	for name, c := range map[string]struct {
		change func(*Config)
		want   error
	}{
		"other label":    {func(c *Config) { c.TokenLabel = "other" }, cryptotoken.ErrUnavailable},
		"other serial":   {func(c *Config) { c.Serial = "0000" }, cryptotoken.ErrUnavailable},
		"no module":      {func(c *Config) { c.Module = "/nonexistent.so" }, cryptotoken.ErrUnavailable},
		"no PKCS #11":    {func(c *Config) { c.Module = "/etc/passwd" }, cryptotoken.ErrUnavailable},
		"relative path":  {func(c *Config) { c.Module = "libsofthsm2.so" }, cryptotoken.ErrInvalidInput},
		"no token named": {func(c *Config) { c.TokenLabel = "" }, cryptotoken.ErrInvalidInput},
		"0x210B":         {func(c *Config) { c.WrapMechanism = "0x210B" }, cryptotoken.ErrUnsupported},
		"0x2109":         {func(c *Config) { c.WrapMechanism = "0x2109" }, cryptotoken.ErrInvalidInput},
		"no PIN":         {func(c *Config) { c.PIN = nil }, cryptotoken.ErrLocked},
		"other KEK":      {func(c *Config) { c.KEKLabel = "kek2" }, cryptotoken.ErrKeyNotFound},
		"children":       {func(c *Config) { c.Children = 100 }, cryptotoken.ErrInvalidInput},
	} {
		bad := cfg
		c.change(&bad)
		tok, err := Open(bad)
		if err == nil {
			_ = tok.Close()
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	cfg.WrapMechanism = "0x210A"
	mustOpen(t, cfg)
}

// F13: two tokens of one label are told apart by serial number; which slot a
// token is in does not matter.
func TestSerialDecides(t *testing.T) {
	cfg := provision(t)
	first := mustOpen(t, cfg)
	serial := first.model()[strings.Index(first.model(), "serial ")+7:]
	serial = serial[:strings.IndexByte(serial, ',')]
	conf := strings.TrimPrefix(cfg.Env[0], "SOFTHSM2_CONF=")
	if _, _, err := softhsm.Provision(filepath.Dir(conf), cfg.TokenLabel, testPIN, "so"+testPIN); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); !errors.Is(err, cryptotoken.ErrInvalidInput) {
		t.Errorf("two tokens of one label: %v, want ErrInvalidInput", err)
	}
	cfg.Serial = serial
	again := mustOpen(t, cfg)
	a, err := first.DeriveSeal(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	b, err := again.DeriveSeal(t.Context(), "x")
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("another token was opened (%v)", err)
	}
}

// A wrapping key that could decrypt would give all keys away; one that somebody
// else may know is no better. The self-test refuses both, with or without the
// development flag.
func TestSelfTestRefusesWeakTokenKeys(t *testing.T) {
	tool := testenv.Need(t, "pkcs11-tool")
	for name, args := range map[string][]string{
		"can decrypt": {"--keygen", "--key-type", "AES:32", "--sensitive", "--usage-decrypt", "--usage-wrap"},
		"extractable": {"--keygen", "--key-type", "AES:32", "--sensitive", "--extractable", "--usage-wrap"},
	} {
		cfg := provisionEmpty(t)
		if err := Init(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--module", cfg.Module, "--token-label", cfg.TokenLabel, "--login", "--pin", testPIN, "--label", "weak")
		cmd := exec.Command(tool, args...)
		cmd.Env = append(os.Environ(), cfg.Env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("pkcs11-tool: %v: %s", err, out)
		}
		cfg.KEKLabel = "weak"
		tok, err := Open(cfg)
		if err == nil {
			_ = tok.Close()
		}
		if !errors.Is(err, cryptotoken.ErrSelfTest) || !strings.Contains(err.Error(), "CKA_") {
			t.Errorf("%s: %v, want ErrSelfTest that names the attribute", name, err)
		}
	}
}

// Measured with SoftHSM: processes that initialise at the same time may not see
// the token at first. The driver tries again.
func TestManyStartsAtOnce(t *testing.T) {
	cfg := provision(t)
	cfg.Children = 2
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			tok, err := Open(cfg)
			if err != nil {
				t.Errorf("start beside others: %v", err)
				return
			}
			if err := tok.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	wantNoChildren(t)
}
