package crash

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken/pkcs11"
	"github.com/assent-sign/assent/internal/freeport"
	"github.com/assent-sign/assent/internal/mtls"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap/sapclient"
)

// programs is where TestMain puts samd, built to kill itself, and the auditor.
var programs string

func TestMain(m *testing.M) {
	if pkcs11.RunChildIfAsked() { // of the driver, when a test initialises a token
		return
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "assent-crash-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		programs = dir
		build := exec.Command("go", "-C", testenv.Root(), "build", "-tags", "failpoint", "-o", dir+"/", "./cmd/samd", "./conformance/auditor")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

const canary = "canary-pin-77120"

// site is one installation of samd: its files, its callers, its one signer.
type site struct {
	t      testing.TB
	dir    string
	addr   string
	pki    *samtest.PKI
	ca     *samtest.CA
	signer *samtest.Signer
	pub    *ecdsa.PublicKey // of the module's statements
	codes  []string         // enrolment codes: secrets that no log may show
	files  map[string]mtls.Files
	token  string // the configuration's token; a software token when ""
	more   string // of the configuration
	proc   *process
}

// newSite makes the files of an installation that was never started.
func newSite(t testing.TB, dir string) *site {
	t.Helper()
	testenv.BuiltFrom(t, "-tags", "failpoint", "./cmd/samd", "./conformance/auditor")
	s := &site{t: t, dir: dir, ca: samtest.NewCA(t), files: map[string]mtls.Files{}}
	s.pki = samtest.NewPKI(t, dir)
	for name, role := range map[string]string{"samd": "samd", "ssad": "sspu", "olga": "officer", "otto": "officer", "arne": "auditor", "rosa": "ra"} {
		s.files[name] = s.pki.Issue(name, role, elliptic.P256())
	}
	must(t, os.WriteFile(filepath.Join(dir, "pin"), []byte(canary+"\n"), 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "data"), 0o700))
	must(t, os.Mkdir(filepath.Join(dir, "backups"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "ceremony.json"), s.pki.Ceremony("crash"), 0o600))
	s.configure()
	return s
}

// configure writes the configuration for the folder, with a port of its own.
func (s *site) configure() {
	s.t.Helper()
	ports, err := freeport.Find(1)
	must(s.t, err)
	s.addr = fmt.Sprintf("127.0.0.1:%d", ports[0])
	token := s.token
	if token == "" {
		token = fmt.Sprintf("{driver: softtoken, dir: %[1]s/token, pin_file: %[1]s/pin, create: true}", s.dir)
	}
	text := fmt.Sprintf(`profile: development
cluster: crash
listen: %s
tls: {cert: %[2]s/samd-samd.crt, key: %[2]s/samd-samd.key, ca: %[2]s/ca.crt}
ceremony: %[2]s/ceremony.json
database: %[2]s/data/sam.db
anchor: %[2]s/data/anchor
backups: %[2]s/backups
token: %[3]s
origin: http://localhost:8441
rp_id: localhost
policies: [{id: standard, max_items: 10, lifetime: 5m}]
%[4]s`, s.addr, s.dir, token, s.more)
	must(s.t, os.WriteFile(filepath.Join(s.dir, "samd.yaml"), []byte(text), 0o600))
}

// copySite is another installation in the same state.
func (s *site) copySite(t testing.TB) *site {
	t.Helper()
	c := *s
	c.t, c.dir, c.proc = t, t.TempDir(), nil
	must(t, os.CopyFS(c.dir, os.DirFS(s.dir)))
	for _, secret := range []string{"pin", "samd-samd.key"} {
		must(t, os.Chmod(filepath.Join(c.dir, secret), 0o600))
	}
	for _, name := range []string{"data", "token", "backups"} {
		must(t, chmodAll(filepath.Join(c.dir, name)))
	}
	c.configure()
	return &c
}

func chmodAll(root string) error {
	return filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o600)
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// process is one life of samd.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error
}

func (p *process) dead() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

var errDied = errors.New("samd has died")

// start starts samd, armed or not, and returns when it answers; errDied when it
// ends before.
func (s *site) start(failpoint string, args ...string) error {
	s.t.Helper()
	log, err := os.OpenFile(s.path("samd.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(s.t, err)
	defer func() { _ = log.Close() }()
	cmd := exec.Command(filepath.Join(programs, "samd"), append([]string{"-config", s.path("samd.yaml")}, args...)...)
	cmd.Dir = s.dir // a copy's paths are the configuration that its officers accepted
	cmd.Env = append(os.Environ(), "ASSENT_FAILPOINT="+failpoint, "ASSENT_FAILPOINT_LIVES="+s.path("lives"), "ASSENT_TOKEN_LOG="+s.path("token.log"),
		"ASSENT_CA_LOG="+s.path("ca.log"))
	cmd.Stdout, cmd.Stderr = log, log
	must(s.t, cmd.Start())
	p := &process{cmd: cmd, done: make(chan struct{})}
	s.proc = p
	go func() { p.err = cmd.Wait(); close(p.done) }()
	s.t.Cleanup(func() { _ = cmd.Process.Kill(); <-p.done })
	probe := s.admin("arne")
	defer probe.Close()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		_, err := probe.Info(ctx) // it may wait for officers
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return errDied
		case <-time.After(10 * time.Millisecond):
		}
	}
	s.t.Fatalf("samd does not answer\n%s", s.log())
	return nil
}

// killed checks that the process ended by its own SIGKILL and nothing else.
func (s *site) killed() {
	s.t.Helper()
	select {
	case <-s.proc.done:
	case <-time.After(30 * time.Second):
		s.t.Fatalf("samd is alive, and was to die\n%s", s.log())
	}
	var exit *exec.ExitError
	if !errors.As(s.proc.err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		s.t.Fatalf("samd ended with %v\n%s", s.proc.err, s.log())
	}
}

// stop ends samd in order.
func (s *site) stop() {
	s.t.Helper()
	must(s.t, s.proc.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-s.proc.done:
		if s.proc.err != nil {
			s.t.Errorf("samd ended with %v\n%s", s.proc.err, s.log())
		}
	case <-time.After(60 * time.Second):
		s.t.Fatalf("samd does not stop\n%s", s.log())
	}
}

func (s *site) log() string {
	text, _ := os.ReadFile(s.path("samd.log"))
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-20):], []byte("\n")))
}

func (s *site) admin(name string) *sapclient.Admin {
	s.t.Helper()
	conf, err := mtls.Client(s.files[name], "localhost")
	must(s.t, err)
	a, err := sapclient.NewAdmin(sapclient.Config{URL: "https://" + s.addr, TLS: conf})
	must(s.t, err)
	return a
}

func (s *site) ssa() *sapclient.Client {
	s.t.Helper()
	conf, err := mtls.Client(s.files["ssad"], "localhost")
	must(s.t, err)
	c, err := sapclient.New(sapclient.Config{URL: "https://" + s.addr, TLS: conf})
	must(s.t, err)
	return c
}

// enrol makes the one signer with an active key.
func (s *site) enrol() {
	s.t.Helper()
	ctx := context.Background()
	officer, ssa := s.admin("olga"), s.ssa()
	defer officer.Close()
	info, err := ssa.Info(ctx)
	must(s.t, err)
	parsed, err := x509.ParsePKIXPublicKey(info.StatementKey)
	must(s.t, err)
	s.pub = parsed.(*ecdsa.PublicKey)
	ra := s.admin("rosa")
	defer ra.Close()
	_, err = ra.CreateSigner(ctx, sapclient.SignerIn{ID: "anna", Name: "Anna", Proof: "p"})
	must(s.t, err)
	code, err := officer.EnrolCode(ctx, "anna")
	must(s.t, err)
	s.codes = append(s.codes, code.Code)
	req, err := ssa.EnrolBegin(ctx, code.ID)
	must(s.t, err)
	s.signer = &samtest.Signer{ID: "anna", Device: samtest.NewDevice("http://localhost:8441", "localhost")}
	reg, err := s.signer.Device.Register(s.pub, req, code.Code)
	must(s.t, err)
	_, err = ssa.EnrolFinish(ctx, code.ID, reg)
	must(s.t, err)
	cred, err := officer.Generate(ctx, sapclient.GenerateIn{Signer: "anna", KeyType: "P-256"})
	must(s.t, err)
	s.signer.Key, s.signer.Cert = cred.Key, s.ca.Issue(s.t, cred.CSR, time.Now(), nil)
	_, err = officer.LinkCertificate(ctx, s.signer.Key, [][]byte{s.signer.Cert.Raw, s.ca.Cert.Raw})
	must(s.t, err)
}

// template is an installation with an enrolled signer, stopped in order; each
// cell of the matrix begins with a copy.
func template(t testing.TB) *site {
	t.Helper()
	ready.Do(func() {
		dir := filepath.Join(programs, "template")
		must(t, os.Mkdir(dir, 0o700))
		s := newSite(t, dir)
		must(t, s.start(""))
		s.enrol()
		s.stop()
		ready.site = s
	})
	if ready.site == nil {
		t.Fatal("there is no template")
	}
	return ready.site
}

var ready struct {
	sync.Once
	site *site
}

// pinned is the module's first statement key as the auditor takes it.
func (s *site) pinned() string {
	s.t.Helper()
	der, err := x509.MarshalPKIXPublicKey(s.pub)
	must(s.t, err)
	return base64.RawURLEncoding.EncodeToString(der)
}

// audit has the independent auditor judge the site.
func (s *site) audit(seed string, more ...string) {
	s.t.Helper()
	args := append([]string{
		"-db", s.path("data/sam.db"), "-anchor", s.path("data/anchor"), "-token", s.path("token.log"), "-seed", seed, "-open", "1s",
		"-canary", canary, "-scan", s.path("data"), "-scan", s.path("samd.log"),
	}, more...)
	if s.pub != nil { // the key that was pinned at the enrolment: what follows it is found in the chain
		args = append(args, "-key", s.pinned())
	}
	for _, code := range s.codes {
		args = append(args, "-canary", code)
	}
	if _, err := os.Stat(s.path("client.log")); err == nil {
		args = append(args, "-client", s.path("client.log"))
	}
	out, err := exec.Command(filepath.Join(programs, "auditor"), args...).CombinedOutput()
	if err != nil {
		s.t.Errorf("auditor: %v\n%s", err, out)
	}
	if strings.Contains(string(out), "panic") {
		s.t.Fatalf("auditor:\n%s", out)
	}
}
