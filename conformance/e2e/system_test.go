package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/freeport"
	"github.com/assent-sign/assent/internal/testenv"
)

// programs is where TestMain puts the four programs.
var programs string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "assent-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		programs = dir
		build := exec.Command("go", "-C", testenv.Root(), "build", "-o", dir+"/", "./cmd/samd", "./cmd/sicd", "./cmd/ssad", "./cmd/assent")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// system is one installation with its three running programs.
type system struct {
	t            testing.TB
	dir          string
	app, signing string // origins
	running      map[string]*exec.Cmd
}

// newSystem sets an installation up with the operator's own commands.
func newSystem(t testing.TB, initFlags ...string) *system {
	t.Helper()
	return newSystemWith(t, func(*system) {}, initFlags...)
}

// newSystemWith is newSystem with the configuration files changed before the
// programs start.
func newSystemWith(t testing.TB, configure func(*system), initFlags ...string) *system {
	t.Helper()
	testenv.BuiltFrom(t, "./cmd/samd", "./cmd/sicd", "./cmd/ssad", "./cmd/assent")
	port := freePorts(t, 4)
	s := &system{
		t: t, dir: filepath.Join(t.TempDir(), "site"), running: map[string]*exec.Cmd{},
		signing: fmt.Sprintf("http://localhost:%d", port[1]), app: fmt.Sprintf("http://localhost:%d", port[2]),
	}
	at := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", port[i]) }
	s.run(append([]string{"init", s.dir, "--profile", "development", "--samd", at(0), "--sicd", at(1), "--ssad", at(2), "--admin", at(3),
		"--signing-origin", s.signing, "--app-origin", s.app}, initFlags...)...)
	configure(s)
	t.Cleanup(s.stopAll)
	s.start("samd")
	s.eventually("samd", func() error {
		_, err := s.try("status", "--save-key", filepath.Join(s.dir, "sicd/sam-statement.pem"), "--dir", s.dir)
		return err
	})
	s.start("ssad")
	s.start("sicd")
	for _, url := range []string{s.app + "/livez", s.signing + "/config.json"} {
		s.eventually(url, func() error { return get(url) })
	}
	return s
}

// text is a file of the installation.
func (s *system) text(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// edit replaces the one place in a configuration file that reads old.
func (s *system) edit(name, old, new string) {
	s.t.Helper()
	text := s.text(name)
	if strings.Count(text, old) != 1 {
		s.t.Fatalf("%s does not read %q once", name, old)
	}
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(strings.Replace(text, old, new, 1)), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func freePorts(t testing.TB, n int) []int {
	t.Helper()
	out, err := freeport.Find(n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func get(url string) error {
	res, err := http.Get(url)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, res.Status)
	}
	return nil
}

func (s *system) eventually(what string, f func() error) {
	s.t.Helper()
	var err error
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	s.t.Fatalf("%s: %v\n%s", what, err, s.logs())
}

// start runs one of the programs with the configuration that init wrote.
func (s *system) start(program string) {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, program+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(filepath.Join(programs, program), "-config", filepath.Join(s.dir, program, program+".yaml"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.running[program] = cmd
}

// kill ends a program without notice, as a crash does.
func (s *system) kill(program string) {
	s.t.Helper()
	cmd := s.running[program]
	if err := cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	_ = cmd.Wait()
	delete(s.running, program)
}

func (s *system) stopAll() {
	for name, cmd := range s.running {
		_ = cmd.Process.Signal(os.Interrupt)
		done := make(chan struct{})
		go func() {
			_ = cmd.Wait()
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			s.t.Errorf("%s does not stop", name)
			_ = cmd.Process.Kill()
			<-done
		}
	}
	if s.t.Failed() {
		s.t.Log(s.logs())
	}
}

func (s *system) logs() string {
	var out strings.Builder
	files, _ := filepath.Glob(filepath.Join(s.dir, "*.log"))
	for _, f := range files {
		text, _ := os.ReadFile(f)
		lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
		fmt.Fprintf(&out, "== %s\n%s\n", filepath.Base(f), bytes.Join(lines[max(0, len(lines)-15):], []byte("\n")))
	}
	return out.String()
}

// try runs an assent command in the installation.
func (s *system) try(args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(programs, "assent"), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("assent %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), nil
}

func (s *system) run(args ...string) string {
	s.t.Helper()
	out, err := s.try(args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// in runs a command that takes --dir.
func (s *system) in(args ...string) string {
	s.t.Helper()
	return s.run(append(args, "--dir", s.dir)...)
}

var link = regexp.MustCompile(`https?://\S+`)

// links records a signer and returns the enrolment link and the invitation.
func (s *system) links(id, name string) (enrol, join string) {
	s.t.Helper()
	out := s.in("signer", "add", id, "--name", name, "--proof", "test")
	found := link.FindAllString(out, -1)
	if len(found) != 2 {
		s.t.Fatalf("signer add printed no two links:\n%s", out)
	}
	return found[0], found[1]
}

// certify gives an enrolled signer a key with a certificate of the demo CA.
func (s *system) certify(id string) (key string) {
	s.t.Helper()
	csr, pem := filepath.Join(s.dir, id+".csr"), filepath.Join(s.dir, id+".pem")
	s.in("credential", "create", "--signer", id, "--csr", csr)
	s.in("demo-ca", "issue", csr, pem)
	var list []struct {
		Key string `json:"key"`
	}
	if err := json.Unmarshal([]byte(s.in("credential", "list", "--signer", id, "-o", "json")), &list); err != nil || len(list) == 0 {
		s.t.Fatalf("credential list: %v", err)
	}
	key = list[len(list)-1].Key
	s.in("cert", "import", "--key", key, "--chain", pem)
	return key
}

// robot adds a software signer with a key.
func (s *system) robot(id string) (key string) {
	s.t.Helper()
	s.in("signer", "add", id, "--name", "Robot "+id, "--proof", "test", "--software")
	return s.certify(id)
}

var keyUses = regexp.MustCompile(`since its start, (\d+) of them`)

// uses is how often the token used signers' keys since samd's start.
func (s *system) uses() string {
	s.t.Helper()
	m := keyUses.FindStringSubmatch(s.in("status"))
	if m == nil {
		s.t.Fatal("status tells no key uses")
	}
	return m[1]
}

// judge asks the tools of others and our own verifier about a signed file.
func (s *system) judge(signed []byte) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "signed.pdf")
	if err := os.WriteFile(file, signed, 0o600); err != nil {
		s.t.Fatal(err)
	}
	out, err := exec.Command(testenv.Need(s.t, "pdfsig"), "-nocert", file).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("Signature is Valid")) || !bytes.Contains(out, []byte("Total document signed")) {
		s.t.Errorf("pdfsig: %v\n%s", err, out)
	}
	if out, err := exec.Command(testenv.Need(s.t, "qpdf"), "--check", file).CombinedOutput(); err != nil {
		s.t.Errorf("qpdf: %v\n%s", err, out)
	}
	s.run("verify", file, "--trust", filepath.Join(s.dir, "pki/root.pem"))
}
