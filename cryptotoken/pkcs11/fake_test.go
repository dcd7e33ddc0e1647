package pkcs11

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
)

// The fake child speaks the protocol through the plumbing of a real child, with
// software keys instead of a module. It is strict: a request of wrong form ends
// it with status 9. Faults are files in a directory that all its instances
// share; each is taken once, by whoever removes it. Every signature that it
// makes is one line of the file "signed", which is the tests' oracle.
type fake struct {
	dir   string
	hello bool
}

const (
	fakeEnv   = "ASSENT_TEST_FAKE_CHILD"
	parentEnv = "ASSENT_TEST_PARENT"
)

func runFakeIfAsked() bool {
	dir := os.Getenv(fakeEnv)
	if dir == "" || os.Getenv(parentEnv) != "" {
		return false
	}
	runChild(&fake{dir: dir})
	os.Exit(0)
	return true
}

// fakeConfig configures a token whose children are fakes.
func fakeConfig(dir string) Config {
	return Config{
		Name: "fake", Module: "/fake", TokenLabel: "fake", PIN: []byte(testPIN), Children: 1,
		Watchdog: time.Second, QueueWait: 2 * time.Second, StartWait: 5 * time.Second,
		Log: slog.New(slog.DiscardHandler),
		command: func() (string, []string, []string) {
			exe, err := os.Executable()
			if err != nil {
				panic(err)
			}
			return exe, []string{exe}, append(os.Environ(), fakeEnv+"="+dir, parentEnv+"=")
		},
	}
}

// inject arms a fault for n calls.
func inject(t testing.TB, dir, fault string, n int) {
	t.Helper()
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s.%d", fault, i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func disarm(t testing.TB, dir, fault string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, fault+".*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		_ = os.Remove(f)
	}
}

// take tells whether a fault is armed, and uses it up.
func (f *fake) take(fault string) bool {
	files, _ := filepath.Glob(filepath.Join(f.dir, fault+".*"))
	for _, file := range files {
		if os.Remove(file) == nil {
			return true
		}
	}
	return false
}

func (f *fake) note(file, line string) {
	w, err := os.OpenFile(filepath.Join(f.dir, file), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		os.Exit(8)
	}
	_, _ = w.WriteString(line + "\n")
	_ = w.Close()
}

func noted(t testing.TB, dir, file string) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	n := 0
	for _, c := range b {
		if c == '\n' {
			n++
		}
	}
	return n
}

func (f *fake) close() { f.note("closed", "1") }

func strict(ok bool) {
	if !ok {
		os.Exit(9)
	}
}

func (f *fake) handle(req message) message {
	strict(f.hello == (req.kind != opHello))
	switch req.kind {
	case opHello:
		return f.sayHello(req)
	case opSelfTest, opPing:
		strict(len(req.fields) == 0)
		return message{}
	case opGenerate:
		return f.generate(req)
	case opNextKEK:
		return f.nextKEK(req)
	case opRewrap:
		return f.rewrap(req)
	case opDestroyKEK:
		return f.destroyKEK(req)
	case opSign:
		return f.sign(req)
	}
	strict(false)
	return message{}
}

func (f *fake) sayHello(req message) message {
	f.note("logins", "1")
	strict(len(req.fields) == 6 && string(req.field(3)) == testPIN)
	switch {
	case f.take("hello-hang"):
		select {}
	case f.take("hello-die"):
		os.Exit(7)
	case f.take("hello-locked"):
		return faultf(statusLocked, "C_Login: CKR_PIN_INCORRECT").reply(req.seq, 0)
	case f.take("hello-device"):
		return faultf(statusDevice, "no token").reply(req.seq, 0)
	}
	f.hello = true
	rep := message{fields: [][]byte{[]byte("Assent"), []byte("fake"), []byte("1"), []byte("0.0")}}
	for _, n := range f.keks() {
		rep.fields = append(rep.fields, []byte(epochLabel("assent-kek", n)))
	}
	return rep
}

func (f *fake) generate(req message) message {
	strict(len(req.fields) == 2 && string(req.field(0)) == string(algo.P256) && f.hasKEK(req.field(1)))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	strict(err == nil)
	raw, err := key.Bytes()
	strict(err == nil)
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	strict(err == nil)
	return message{num: 1, fields: [][]byte{spki, wrapFake(req.field(1), raw)}}
}

func (f *fake) sign(req message) message {
	strict(len(req.fields) >= 4 && algo.Algorithm(req.num) == algo.ES256 &&
		cryptotoken.CheckSign(algo.P256, algo.ES256, req.fields[3:]) == nil)
	raw, ok := f.openFake(req.field(1), req.field(2))
	if !ok {
		return faultf(statusBadBlob, "blob").reply(req.seq, 0)
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	strict(err == nil)
	if f.take("device-before") {
		return faultf(statusDevice, "CKR_SESSION_HANDLE_INVALID").reply(req.seq, 0)
	}
	rep := message{num: uint32(len(req.fields) - 3)}
	for _, d := range req.fields[3:] {
		sig, err := ecdsa.SignASN1(rand.Reader, key, d)
		strict(err == nil)
		f.note("signed", fmt.Sprintf("%x", d))
		rep.fields = append(rep.fields, sig)
	}
	return f.spoil(req, rep)
}

// spoil applies the faults that come after the signature exists.
func (f *fake) spoil(req, rep message) message {
	raw := func(b []byte) { _, _ = rawFile(fdReplies).Write(b) }
	switch {
	case f.take("hang"):
		select {}
	case f.take("slow"):
		time.Sleep(250 * time.Millisecond)
	case f.take("stop"):
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case f.take("die"):
		os.Exit(7)
	case f.take("garbage"):
		raw([]byte("Vendor library v1.2 initialised\n"))
		select {}
	case f.take("huge"):
		raw([]byte{0xff, 0xff, 0xff, 0xff})
		select {}
	case f.take("half"):
		raw([]byte{0, 0, 0, 200, 0, 0})
		os.Exit(7)
	case f.take("drip"):
		raw([]byte{0, 0, 0, 200})
		select {}
	case f.take("other-request"):
		rep.seq = req.seq + 1
		b, err := appendFrame(nil, rep)
		strict(err == nil)
		raw(b)
		select {}
	case f.take("device-after"):
		return (&fault{status: statusDevice, started: true, text: "C_Sign: CKR_DEVICE_REMOVED"}).reply(req.seq, 1)
	case f.take("failed-after"):
		return (&fault{status: statusFailed, started: true, text: "C_Sign: CKR_DATA_INVALID"}).reply(req.seq, 1)
	case f.take("too-few"):
		rep.fields = rep.fields[:len(rep.fields)-1]
	case f.take("short-signature"):
		rep.fields[0] = rep.fields[0][:8]
	case f.take("flip-bit"):
		rep.fields[0][len(rep.fields[0])-1] ^= 1
	case f.take("retire"):
		rep.flags |= flagRetire
	}
	return rep
}
