package fakehsm_test

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/conformance/fakehsm"
	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/cryptotoken/pkcs11"
	"github.com/assent-sign/assent/cryptotoken/pkcs11/softhsm"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/testenv"
)

func TestMain(m *testing.M) {
	if pkcs11.RunChildIfAsked() {
		return
	}
	os.Exit(m.Run())
}

// rig is the driver of samd before the interposer before SoftHSM.
type rig struct {
	t   *testing.T
	hsm *fakehsm.HSM
	cfg pkcs11.Config
	log string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	testenv.Need(t, "softhsm2-util")
	testenv.Need(t, "gcc")
	dir, err := os.MkdirTemp("", "hsm") // short: names of sockets have 108 octets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	env, real, err := softhsm.Provision(dir, "fake", "123456", "so123456")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, log: filepath.Join(dir, "token.log")}
	r.hsm, err = fakehsm.Start(fakehsm.Config{
		Socket: filepath.Join(dir, "s"), Control: filepath.Join(dir, "c"), Log: r.log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.hsm.Close() })
	module := filepath.Join(dir, "shim.so")
	if err := fakehsm.Build(t.Context(), module); err != nil {
		t.Fatal(err)
	}
	r.cfg = pkcs11.Config{
		Name: "hsm", Module: module, TokenLabel: "fake", PIN: []byte("123456"), Children: 1, Watchdog: 5 * time.Second,
		Env: []string{env, "FAKEHSM_MODULE=" + real, "FAKEHSM_SOCKET=" + filepath.Join(dir, "s")}, Profile: "development", Development: true, Log: slog.New(slog.DiscardHandler),
	}
	if err := pkcs11.Init(t.Context(), r.cfg); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) open() *pkcs11.Token {
	r.t.Helper()
	tok, err := pkcs11.Open(r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = tok.Close() })
	return tok
}

func (r *rig) do(command string) {
	r.t.Helper()
	if _, err := r.hsm.Do(command); err != nil {
		r.t.Fatalf("%s: %v", command, err)
	}
}

type line struct {
	Ev, Key, Mech, In, Out, Err string
}

// uses are the lines of the log since a count, of signers' keys and new ones.
func (r *rig) uses(since int) (out []line, n int) {
	r.t.Helper()
	text, err := os.ReadFile(r.log)
	if err != nil {
		r.t.Fatal(err)
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, l := range all[since:] {
		text, _, _ := strings.Cut(l, "\t")
		var v line
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			r.t.Fatal(err)
		}
		if v.Ev != "start" && !strings.HasPrefix(v.Key, "label:") {
			out = append(out, v)
		}
	}
	return out, len(all)
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func digests(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = make([]byte, 32)
		out[i][0] = byte(i + 1)
	}
	return out
}

// Fault plan 4.2: the log knows every signature, with the key by its blob, the
// mechanism and the digest, whoever made it: the oracle of the auditor.
func TestEverySignatureIsInTheLog(t *testing.T) {
	r := newRig(t)
	tok := r.open()
	_, since := r.uses(0)
	w, err := tok.GenerateWrapped(t.Context(), algo.P256)
	if err != nil {
		t.Fatal(err)
	}
	made, n := r.uses(since)
	if len(made) != 2 || made[0].Ev != "sign" || made[1].Ev != "signed" || !strings.HasPrefix(made[0].Key, "new:") {
		t.Fatalf("generation test: %+v", made)
	}
	_, test := cryptotoken.GenerationTest(algo.P256, w.Public)
	if made[0].In != b64(test) {
		t.Errorf("generation test over %s, want %s", made[0].In, b64(test))
	}
	list := digests(3)
	sigs, err := tok.SignWrapped(t.Context(), w, algo.ES256, list)
	if err != nil || len(sigs) != 3 {
		t.Fatal(err)
	}
	got, _ := r.uses(n)
	if len(got) != 6 {
		t.Fatalf("%d lines for three signatures: %+v", len(got), got)
	}
	for i, d := range list {
		if s := got[2*i]; s.Ev != "sign" || s.In != b64(d) || !strings.HasPrefix(s.Key, "blob:") || s.Mech != "0x1041" {
			t.Errorf("line %d: %+v", 2*i, s)
		}
		if s := got[2*i+1]; s.Ev != "signed" || s.In != b64(d) || s.Out == "" || s.Key != got[0].Key {
			t.Errorf("line %d: %+v", 2*i+1, s)
		}
	}
}

// F10 to F16, T31, T32: what hardware does on a bad day, and what the driver
// makes of it.
func TestFaults(t *testing.T) {
	r := newRig(t)
	tok := r.open()
	w, err := tok.GenerateWrapped(t.Context(), algo.P256)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParsePKIXPublicKey(w.Public)
	if err != nil {
		t.Fatal(err)
	}
	d := digests(1)
	sign := func() ([]byte, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		sigs, err := tok.SignWrapped(ctx, w, algo.ES256, d)
		if err != nil {
			return nil, err
		}
		return sigs[0], nil
	}
	good := func(what string) {
		t.Helper()
		var err error
		for range 50 { // a worker is replaced behind the call that failed
			var sig []byte
			if sig, err = sign(); err == nil {
				err = algo.Verify(parsed, algo.ES256, d[0], sig)
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if err != nil {
			t.Fatalf("after %s: %v", what, err)
		}
	}
	good("nothing")

	r.do("flip-bit 1")
	if sig, err := sign(); err == nil && algo.Verify(parsed, algo.ES256, d[0], sig) == nil {
		t.Error("a turned bit was not noticed")
	}
	good("flip-bit")

	r.do("short-signature 1")
	if _, err := sign(); err == nil || errors.Is(err, cryptotoken.ErrNotStarted) {
		t.Errorf("short signature: %v", err)
	}
	good("short-signature")

	r.do("fail 0x30 1") // CKR_DEVICE_ERROR from C_Sign: the key may have been used
	if _, err := sign(); err == nil || errors.Is(err, cryptotoken.ErrNotStarted) {
		t.Errorf("device error: %v", err)
	}
	good("fail")

	r.do("hang 1")
	start := time.Now()
	if _, err := sign(); !errors.Is(err, cryptotoken.ErrTimeout) || errors.Is(err, cryptotoken.ErrNotStarted) {
		t.Errorf("hang: %v", err)
	}
	if took := time.Since(start); took > time.Duration(testenv.Slowdown)*30*time.Second {
		t.Errorf("the watchdog took %s", took)
	}
	good("hang")

	r.do("latency 300ms")
	start = time.Now()
	if _, err := sign(); err != nil || time.Since(start) < 300*time.Millisecond {
		t.Errorf("latency: %v after %s", err, time.Since(start))
	}
	r.do("latency 0s")

	r.do("remove")
	if _, err := sign(); err == nil {
		t.Error("signed with a removed token")
	}
	r.do("insert")
	good("insert")
}

// KPR-01, T30: each step of the self-test at the start finds the module that fails it, also where the
// operator says that the token is for development: one that cannot wrap, that signs wrongly, that takes a
// changed blob, that makes an unwrapped key readable although nobody asked. Made right, it opens.
func TestSelfTestOfTheTokenAtStart(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		command, mechanism string
		want               error
		says               string
	}{
		{"strict", "0x210B", cryptotoken.ErrUnsupported, "does not wrap"}, // SoftHSM has it under another number
		{"flip-bit 1", "", cryptotoken.ErrSelfTest, "verify: "},
		{"tolerant", "", cryptotoken.ErrSelfTest, "tamper: "},
		{"open", "", cryptotoken.ErrSelfTest, "CKA_"},
	} {
		cfg := r.cfg
		cfg.WrapMechanism = c.mechanism
		r.do(c.command)
		tok, err := pkcs11.Open(cfg)
		if err == nil {
			_ = tok.Close()
		}
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v at %q", c.command, err, c.want, c.says)
		}
		r.do("strict")
		r.do("flip-bit 0")
	}
	tok := r.open()
	w, err := tok.GenerateWrapped(t.Context(), algo.P256)
	if err == nil {
		_, err = tok.SignWrapped(t.Context(), w, algo.ES256, digests(1))
	}
	if err != nil {
		t.Errorf("the same module, strict: %v", err)
	}
}

// F15, T32: a wrong PIN is tried once, whatever happens after.
func TestWrongPINIsTriedOnce(t *testing.T) {
	r := newRig(t)
	r.do("pin-limit 2")
	cfg := r.cfg
	cfg.PIN = []byte("654321")
	if tok, err := pkcs11.Open(cfg); !errors.Is(err, cryptotoken.ErrLocked) {
		t.Errorf("wrong PIN: %v", err)
		if err == nil {
			_ = tok.Close()
		}
	}
	// One try of two: the right PIN still opens the token.
	r.open()
}

// The commands are there for other processes too.
func TestControlSocket(t *testing.T) {
	r := newRig(t)
	c, err := net.Dial("unix", filepath.Join(filepath.Dir(r.log), "c"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	answers := bufio.NewScanner(c)
	for command, want := range map[string]string{"latency 1ms": "", "dance": "error: ", "hang x": "error: ", "flip-bit 0": ""} {
		_, _ = fmt.Fprintln(c, command)
		if !answers.Scan() || !strings.HasPrefix(answers.Text(), want) || (want == "" && answers.Text() != "") {
			t.Errorf("%s: %q", command, answers.Text())
		}
	}
	_, _ = fmt.Fprintln(c, "log")
	_, lines := r.uses(0)
	if !answers.Scan() || answers.Text() != fmt.Sprint(lines) {
		t.Errorf("log: %q, want %d", answers.Text(), lines)
	}
}
