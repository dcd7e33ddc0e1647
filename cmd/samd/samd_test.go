package main

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken/pkcs11"
	"github.com/assent-sign/assent/internal/config"
	"github.com/assent-sign/assent/internal/freeport"
	"github.com/assent-sign/assent/internal/mtls"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap/sapclient"
)

func TestMain(m *testing.M) {
	if pkcs11.RunChildIfAsked() {
		return
	}
	if path := os.Getenv("SAMD_TEST_CONFIG"); path != "" { // as the process itself, for kill tests
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if err := run(ctx, []string{"-config", path}, os.Stderr); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

type site struct {
	dir, config, addr string
	pki               *samtest.PKI
}

func newSite(t *testing.T, extra string) *site {
	t.Helper()
	s := &site{dir: t.TempDir()}
	s.pki = samtest.NewPKI(t, s.dir)
	ports, err := freeport.Find(1)
	if err != nil {
		t.Fatal(err)
	}
	s.addr = fmt.Sprintf("127.0.0.1:%d", ports[0])
	f := s.pki.Issue("samd", "samd", elliptic.P256())
	if err := os.WriteFile(filepath.Join(s.dir, "pin"), []byte("canary-pin-5521\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "ceremony.json"), s.pki.Ceremony("t1"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.config = filepath.Join(s.dir, "samd.yaml")
	text := fmt.Sprintf(`profile: development
cluster: t1
listen: %s
tls: {cert: %s, key: %s, ca: %s}
ceremony: %[5]s/ceremony.json
database: %[5]s/sam.db
anchor: %[5]s/anchor
token: {driver: softtoken, dir: %[5]s/token, pin_file: %[5]s/pin, create: true}
origin: http://localhost:8441
rp_id: localhost
%[6]s`, s.addr, f.Cert, f.Key, f.CA, s.dir, extra)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) admin(t *testing.T, name, role string) *sapclient.Admin {
	t.Helper()
	conf, err := mtls.Client(s.pki.Issue(name, role, elliptic.P256()), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	a, err := sapclient.NewAdmin(sapclient.Config{URL: "https://" + s.addr, TLS: conf})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// start runs samd until the returned function is called.
func (s *site) start(t *testing.T, args ...string) (log *buffer, stop func()) {
	t.Helper()
	log = &buffer{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx, append([]string{"-config", s.config}, args...), log) }()
	a := s.admin(t, "probe", "auditor")
	for range 100 {
		if _, err := a.Info(ctx); err == nil {
			break
		}
		select {
		case err := <-done:
			t.Fatalf("samd ended: %v\n%s", err, log)
		case <-time.After(50 * time.Millisecond):
		}
	}
	a.Close()
	return log, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stop: %v\n%s", err, log)
		}
	}
}

// The process starts, serves, stops, starts again with the same state, and no
// secret is in its log (I6, AUD-04).
func TestProcessStartStopStart(t *testing.T) {
	s := newSite(t, "")
	log, stop := s.start(t)
	officer := s.admin(t, "olga", "officer")
	ctx := context.Background()
	ra := s.admin(t, "rosa", "ra")
	defer ra.Close()
	if _, err := ra.CreateSigner(ctx, sapclient.SignerIn{ID: "anna", Name: "Anna", Proof: "p"}); err != nil {
		t.Fatal(err)
	}
	code, err := officer.EnrolCode(ctx, "anna")
	if err != nil {
		t.Fatal(err)
	}
	officer.Close()
	stop()
	log2, stop2 := s.start(t)
	officer = s.admin(t, "olga", "officer")
	if sg, err := officer.Signer(ctx, "anna"); err != nil || sg.Name != "Anna" {
		t.Errorf("after restart: %+v, %v", sg, err)
	}
	info, err := officer.Info(ctx)
	if err != nil || info.Audience != "t1#1" {
		t.Errorf("%+v, %v", info, err)
	}
	officer.Close()
	stop2()
	for _, canary := range []string{"canary-pin-5521", code.Code} {
		if strings.Contains(log.String()+log2.String(), canary) {
			t.Errorf("the log shows a secret:\n%s", log)
		}
	}
	if !strings.Contains(log.String(), "software keys") {
		t.Error("the log does not warn of the softtoken")
	}
}

// PRV-03, BKP-02: no flag makes samd take another configuration or an older
// database: the process serves, closed, until two officers have accepted it over
// the wire.
func TestPRV03NoFlagAcceptsAnything(t *testing.T) {
	s := newSite(t, "")
	_, stop := s.start(t)
	stop()
	old, err := os.ReadFile(filepath.Join(s.dir, "sam.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, stop = s.start(t)
	stop()
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	write := func(path string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(s.config, append(text, "lockout: {limit: 50}\n"...))
	write(filepath.Join(s.dir, "sam.db"), old)
	for _, flag := range []string{"-accept-restore", "-accept-config"} {
		if err := run(context.Background(), []string{"-config", s.config, flag}, &buffer{}); err == nil || !strings.Contains(err.Error(), "flag") {
			t.Errorf("%s: %v", flag, err)
		}
	}
	_, stop = s.start(t)
	defer stop()
	ctx := context.Background()
	first, second := s.admin(t, "olga", "officer"), s.admin(t, "otto", "officer")
	defer first.Close()
	defer second.Close()
	for _, kind := range []string{"restore", "policy"} {
		if err := first.Health(ctx); err == nil {
			t.Fatalf("open before %s", kind)
		}
		st, err := first.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var args map[string]any
		for _, w := range st.Waiting {
			if w.Kind == kind {
				if err := json.Unmarshal(w.Args, &args); err != nil {
					t.Fatal(err)
				}
			}
		}
		args["why"] = "a test"
		p, err := first.Propose(ctx, kind, args)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := first.Approve(ctx, p.ID); err == nil {
			t.Fatalf("%s by one officer", kind)
		}
		if _, err := second.Approve(ctx, p.ID); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := first.Info(ctx); err != nil || info.Audience != "t1#2" || first.Health(ctx) != nil {
		t.Errorf("%+v, %v", info, err)
	}
}

// SAP-12, CHN-02: configurations that must not start, with a clear sentence.
func TestConfigurationsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(string) string
		want error
		say  string
	}{
		"production with softtoken": {func(s string) string { return strings.Replace(s, "profile: development", "profile: production", 1) }, errConfig, "softtoken"},
		"unknown profile":           {func(s string) string { return strings.Replace(s, "profile: development", "profile: test", 1) }, errConfig, "profile"},
		"unknown key":               {func(s string) string { return s + "trust_all: true\n" }, config.ErrSyntax, "trust_all"},
		"http origin":               {func(s string) string { return strings.Replace(s, "http://localhost:8441", "http://evil.example", 1) }, sam.ErrConfig, "origin"},
		"origin with a path":        {func(s string) string { return strings.Replace(s, ":8441\n", ":8441/\n", 1) }, sam.ErrConfig, "origin"},
		"foreign rp id":             {func(s string) string { return strings.Replace(s, "rp_id: localhost", "rp_id: other", 1) }, sam.ErrConfig, "rp_id"},
		"raw under qualified": {func(s string) string {
			return s + "policies: [{id: qualified, max_items: 1, lifetime: 1m, raw: true}]\n"
		}, sam.ErrConfig, "qualified"},
		"long lifetime":       {func(s string) string { return s + "policies: [{id: a, max_items: 1, lifetime: 16m}]\n" }, sam.ErrConfig, "lifetime"},
		"cluster with a hash": {func(s string) string { return strings.Replace(s, "cluster: t1", "cluster: 't1#9'", 1) }, sam.ErrConfig, "cluster"},
		"no anchor":           {func(s string) string { return strings.Replace(s, "anchor:", "# anchor:", 1) }, errConfig, "anchor"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "")
			text, err := os.ReadFile(s.config)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(s.config, []byte(c.edit(string(text))), 0o600); err != nil {
				t.Fatal(err)
			}
			err = run(context.Background(), []string{"-config", s.config}, &buffer{})
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.say) || exitCode(err) != 2 {
				t.Errorf("got %v, want %v that names %s, and exit code 2", err, c.want, c.say)
			}
		})
	}
}

// ROL-06: a ceremony's document that is not there, cannot be read, is none or is
// another module's: which file it is, what is wrong with it, and what makes one.
func TestCeremonyFilesThatDoNotDo(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, s *site, file string)
		say   []string
	}{
		"a folder": {func(t *testing.T, _ *site, file string) {
			if err := errors.Join(os.Remove(file), os.Mkdir(file, 0o700)); err != nil {
				t.Fatal(err)
			}
		}, []string{"cannot be read", "is a directory"}},
		"not for its user": {func(t *testing.T, _ *site, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(file, file); err != nil { // as root, modes keep nobody out
				t.Fatal(err)
			}
		}, []string{"cannot be read", "chmod"}},
		"no document": {func(t *testing.T, _ *site, file string) {
			if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{"assent ceremony show", "assent ceremony init"}},
		"another module's": {func(t *testing.T, s *site, file string) {
			if err := os.WriteFile(file, s.pki.Ceremony("t2"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{`"t2"`, `"t1"`, "cluster", "assent ceremony init"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "")
			file := filepath.Join(s.dir, "ceremony.json")
			c.spoil(t, s, file)
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			err := run(ctx, []string{"-config", s.config}, &buffer{})
			if err == nil || exitCode(err) != 2 {
				t.Fatalf("%v, exit code %d; a restart mends nothing: want 2", err, exitCode(err))
			}
			for _, word := range append(c.say, file) {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("the message does not say %s: %v", word, err)
				}
			}
		})
	}
	t.Run("absent", func(t *testing.T) {
		s := newSite(t, "")
		file := filepath.Join(s.dir, "ceremony.json")
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		log, done := &buffer{}, make(chan error, 1)
		go func() { done <- run(ctx, []string{"-config", s.config}, log) }()
		for range 400 {
			if strings.Contains(log.String(), "samd: open") {
				break
			}
			time.Sleep(25 * time.Millisecond)
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{file + " is not there", "assent ceremony init", "restart"} {
			if !strings.Contains(log.String(), word) {
				t.Errorf("the log does not say %q:\n%s", word, log)
			}
		}
	})
}

// samd tells in its log and in its status when its own certificate, and the CA of its
// callers, end. This site's certificates last one day.
func TestCertificatesThatEndAreTold(t *testing.T) {
	s := newSite(t, "")
	log, stop := s.start(t)
	defer stop()
	for range 100 {
		if strings.Contains(log.String(), "a certificate ends within a day") {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	for _, want := range []string{`msg="a certificate ends within a day" use=tls`, "assent ceremony certificate", "days=0"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, log)
		}
	}
	st, err := s.admin(t, "probe", "auditor").Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c := st.Certificates; len(c) != 2 || c[0].Use != "tls" || c[1].Use != "caller_ca" || c[0].End < time.Now().Unix() {
		t.Errorf("%+v", st.Certificates)
	}
}

// All that is wrong is said at once, each time in the same order.
func TestAllThatIsWrongIsSaidAtOnce(t *testing.T) {
	c := defaults()
	c.Profile, c.Log = "test", "xml"
	first := c.check()
	at := -1
	for _, want := range []string{"cluster is missing", "database is missing", "tls.cert is missing", "token.driver is missing", "token.pin_file is missing", `profile "test"`, `log "xml"`} {
		i := strings.Index(first.Error(), want)
		if i <= at {
			t.Errorf("%q is missing or not in order:\n%v", want, first)
		}
		at = max(at, i)
	}
	for range 20 {
		if err := c.check(); err.Error() != first.Error() {
			t.Fatalf("another order: %v", err)
		}
	}
}

// The sample is the manual: it loads, and it holds every key there is.
func TestSampleConfigurationIsComplete(t *testing.T) {
	cfg := defaults()
	if err := config.Load("samd.example.yaml", &cfg); err != nil {
		t.Fatal(err)
	}
	if err := cfg.check(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("samd.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range yamlKeys(Config{}) {
		if !strings.Contains(string(text), key+":") {
			t.Errorf("samd.example.yaml does not show %s", key)
		}
	}
}

// yamlKeys lists the yaml names of a struct's fields, at all depths.
func yamlKeys(v any) []string {
	var out []string
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		if t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return
		}
		for i := range t.NumField() {
			out = append(out, t.Field(i).Tag.Get("yaml"))
			walk(t.Field(i).Type)
		}
	}
	walk(reflect.TypeOf(v))
	return out
}

// Supervisors and people can tell a wrong command line or file (2) from what may
// pass by itself (1); asking for help, and a good file, are no failures.
func TestExitCodesAndHelp(t *testing.T) {
	s := newSite(t, "")
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"help":         {[]string{"-h"}, 0, "-check"},
		"check":        {[]string{"-config", s.config, "-check"}, 0, "good"},
		"unknown flag": {[]string{"-nonsense"}, 2, "-nonsense"},
		"stray word":   {[]string{"-config", s.config, "resotre"}, 2, "resotre"},
		"no -config":   {[]string{s.config}, 2, "-config FILE"},
		"no file":      {[]string{"-config", filepath.Join(s.dir, "none.yaml")}, 2, "none.yaml"},
	} {
		var log buffer
		code, said := 0, ""
		if err := run(t.Context(), c.args, &log); err != nil {
			code, said = exitCode(err), err.Error()
		}
		if said += log.String(); code != c.code || !strings.Contains(said, c.want) {
			t.Errorf("%s: exit %d, want %d: %s", name, code, c.code, said)
		}
	}
	if code := exitCode(net.ErrClosed); code != 1 {
		t.Errorf("what is no configuration: exit %d", code)
	}
}
