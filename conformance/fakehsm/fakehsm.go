package fakehsm

import (
	"bufio"
	"context"
	"crypto/sha256"
	_ "embed" // for shim/shim.c
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Config says what stands between.
type Config struct {
	Socket  string // where shim/shim.c asks: FAKEHSM_SOCKET
	Control string // a second socket for commands; none when ""
	Log     string // file of the token log, appended to
}

// Build compiles the module that an application loads, into a file. It needs a C
// compiler; FAKEHSM_MODULE then names the real module.
func Build(ctx context.Context, out string) error {
	source := out + ".c"
	if err := os.WriteFile(source, []byte(shim), 0o600); err != nil {
		return fmt.Errorf("fakehsm: %w", err)
	}
	text, err := exec.CommandContext(ctx, "gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", out, source, "-ldl", "-lpthread").CombinedOutput()
	if err != nil {
		return fmt.Errorf("fakehsm: gcc: %w: %s", err, text)
	}
	return nil
}

//go:embed shim/shim.c
var shim string

// HSM is the running interposer.
type HSM struct {
	cfg      Config
	listener net.Listener
	control  net.Listener
	wg       sync.WaitGroup
	stop     context.CancelFunc

	mu       sync.Mutex
	conns    map[net.Conn]bool
	log      *os.File
	prev     string
	lines    int64
	calls    int64
	latency  time.Duration
	hang     int
	fail     []uint64 // codes that the next C_Sign calls get
	flip     int
	short    int
	removed  bool
	lies     uint64 // of C_UnwrapKey
	pinLimit int
	pinWrong int
}

// use is one line of the log (docs/audit-format.md, 5).
type use struct {
	N    int64  `json:"n"`
	Time int64  `json:"t"`
	Ev   string `json:"ev"`
	Call int64  `json:"call"`
	Key  string `json:"key,omitempty"`
	Mech string `json:"mech,omitempty"`
	In   string `json:"in,omitempty"`
	Out  string `json:"out,omitempty"`
	Err  string `json:"err,omitempty"`
}

// Start begins to listen.
func Start(cfg Config) (*HSM, error) {
	log, err := os.OpenFile(cfg.Log, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("fakehsm: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	h := &HSM{cfg: cfg, log: log, stop: stop, conns: map[net.Conn]bool{}}
	old := bufio.NewScanner(log)
	old.Buffer(nil, maxLine)
	for old.Scan() {
		_, sum, _ := strings.Cut(old.Text(), "\t")
		h.prev = sum
		h.lines++
	}
	h.calls = h.lines << 20
	var listen net.ListenConfig
	if h.listener, err = listen.Listen(context.Background(), "unix", cfg.Socket); err == nil && cfg.Control != "" {
		h.control, err = listen.Listen(context.Background(), "unix", cfg.Control)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("fakehsm: %w", err), h.Close())
	}
	h.write(use{Ev: "start"})
	h.serve(h.listener, func(c net.Conn) { h.connection(ctx, c) })
	if h.control != nil {
		h.serve(h.control, h.commands)
	}
	return h, nil
}

func (h *HSM) serve(l net.Listener, each func(net.Conn)) {
	h.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			h.mu.Lock()
			h.conns[c] = true
			h.mu.Unlock()
			h.wg.Go(func() {
				each(c)
				_ = c.Close()
				h.mu.Lock()
				defer h.mu.Unlock()
				delete(h.conns, c)
			})
		}
	})
}

// Close ends everything.
func (h *HSM) Close() error {
	h.stop()
	for _, l := range []net.Listener{h.listener, h.control} {
		if l != nil {
			_ = l.Close()
		}
	}
	h.mu.Lock()
	for c := range h.conns {
		_ = c.Close()
	}
	h.mu.Unlock()
	h.wg.Wait()
	return h.log.Close()
}

func (h *HSM) write(u use) {
	h.mu.Lock()
	defer h.mu.Unlock()
	u.N, u.Time = h.lines, time.Now().UnixMicro()
	text, err := json.Marshal(u)
	if err != nil {
		return
	}
	sum := sha256.Sum256(append([]byte(h.prev), text...))
	h.prev = hex.EncodeToString(sum[:])
	h.lines++
	_, _ = fmt.Fprintf(h.log, "%s\t%s\n", text, h.prev)
}

// link is one application process.
type link struct {
	h     *HSM
	keys  map[string]string // handle -> name of the key
	find  string            // label that is being looked for
	inits map[string]begun  // by session
}

// begun is a C_SignInit.
type begun struct {
	key, mech, in string
	call          int64
}

// Values that the module understands.
const (
	ckrDeviceError = 0x30
	ckrPINWrong    = 0xA0
	ckrPINLocked   = 0xA4
	ckrNotPresent  = 0xE0
	callLogin      = "18"
	answerFlip     = 1
	answerShort    = 2
	lieTolerant    = 1
	lieOpen        = 2
)

// maxLine bounds a line; the longest honest ones are a few KiB of a wrapped key.
const maxLine = 1 << 20

// connection answers one application process, line by line.
func (h *HSM) connection(ctx context.Context, app net.Conn) {
	l := &link{h: h, keys: map[string]string{}, inits: map[string]begun{}}
	lines := bufio.NewScanner(app)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		answer, err := l.answer(ctx, strings.Fields(lines.Text()))
		if err != nil {
			return
		}
		if _, err := fmt.Fprintln(app, answer); err != nil {
			return
		}
	}
}

// answer is what one line means: what to note, and what is to go wrong.
func (l *link) answer(ctx context.Context, word []string) (uint64, error) {
	word = append(word, "", "", "", "")
	switch word[0] {
	case "call":
		return l.h.refuses(word[1]), nil
	case "unwrapping":
		return l.h.unwrapping(), nil
	case "login":
		l.h.login(word[1])
	case "find":
		label, _ := hex.DecodeString(word[1])
		l.find = string(label)
	case "found":
		for _, handle := range word[1:] {
			if handle != "" && l.find != "" {
				l.keys[handle] = "label:" + l.find
			}
		}
	case "generated":
		l.keys[word[1]] = fmt.Sprintf("new:%d", l.h.next())
	case "unwrapped":
		l.keys[word[1]] = "blob:" + hashOf(word[2])
	case "wrapped":
		l.wrapped(l.keys[word[1]], hashOf(word[2]))
	case "init":
		key := l.keys[word[3]]
		if key == "" {
			key = "new:" + word[3]
		}
		mech, _ := strconv.ParseUint(word[2], 10, 64)
		l.inits[word[1]] = begun{key: key, mech: fmt.Sprintf("%#x", mech)}
	case "sign":
		return l.sign(ctx, word[1], word[2])
	case "signed":
		return l.signed(word[1], word[2], word[3]), nil
	default:
		return ckrDeviceError, nil
	}
	return 0, nil
}

// wrapped notes that a key which came in one blob went out in another: from then on
// it has both names.
func (l *link) wrapped(key, out string) {
	if strings.HasPrefix(key, "blob:") && key != "blob:"+out {
		l.h.write(use{Ev: "wrapped", Key: key, Out: out})
	}
}

func hashOf(text string) string {
	blob, _ := hex.DecodeString(text)
	sum := sha256.Sum256(blob)
	return b64(sum[:])
}

// sign notes that a key is about to be used.
func (l *link) sign(ctx context.Context, session, input string) (uint64, error) {
	if code := l.h.refuses("43"); code != 0 {
		return code, nil
	}
	b := l.inits[session]
	in, _ := hex.DecodeString(input)
	b.in, b.call = b64(in), l.h.next()
	l.inits[session] = b
	l.h.write(use{Ev: "sign", Call: b.call, Key: b.key, Mech: b.mech, In: b.in})
	if err := l.h.misbehave(ctx); err != nil {
		return 0, err
	}
	code := l.h.nextFailure()
	if code != 0 {
		l.h.write(use{Ev: "unused", Call: b.call, Key: b.key, Mech: b.mech, In: b.in, Err: fmt.Sprintf("%#x", code)})
	}
	return code, nil
}

// signed notes what came out, and tells how it is to be spoilt.
func (l *link) signed(session, rv, output string) uint64 {
	b := l.inits[session]
	u := use{Ev: "signed", Call: b.call, Key: b.key, Mech: b.mech, In: b.in}
	if rv != "0" {
		u.Ev, u.Err = "failed", rv
		l.h.write(u)
		return 0
	}
	sig, _ := hex.DecodeString(output)
	sum := sha256.Sum256(sig)
	u.Out = b64(sum[:])
	l.h.write(u)
	return l.h.spoil()
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
