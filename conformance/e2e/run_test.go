package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

// said collects what a running program prints.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// asAProgram pastes the curl that assent run prints into a shell, with a file of the
// person's own in the place of FILE.pdf: what comes back is the link for the signer.
func asAProgram(t *testing.T, printed string, file []byte) {
	t.Helper()
	_, rest, found := strings.Cut(printed, "docs/integrators.md):\n")
	commands, _, ended := strings.Cut(rest, "verify with:")
	if !found || !ended || strings.Count(commands, "curl ") != 3 {
		t.Fatalf("no curl for programs:\n%s", printed)
	}
	path := filepath.Join(t.TempDir(), "FILE.pdf")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	commands = strings.Replace(commands, "@FILE.pdf", "@"+path, 1)
	answer, err := exec.CommandContext(t.Context(), testenv.Need(t, "bash"), "-c", "set -eu\n"+commands).CombinedOutput()
	if err != nil || !strings.Contains(string(answer), `"approval_url":"http://localhost:`) || !strings.Contains(string(answer), "FILE.pdf") {
		t.Errorf("the printed curl: %v\n%s\n%s", err, commands, answer)
	}
}

// What "make run" leaves up is usable by a person with a browser and nothing
// else: the printed links enrol and log in, the automatic officer makes key and
// certificate, an own PDF is signed, the printed curl asks for one more. Ctrl-C ends all of it.
func TestRunIsUsableByAPerson(t *testing.T) {
	b := browsertest.New(t)
	port := freePorts(t, 4)
	dir := filepath.Join(t.TempDir(), "run")
	var out said
	cmd := exec.Command(filepath.Join(programs, "assent"), "run", "--dir", dir, "--app-port", strconv.Itoa(port[0]),
		"--signing-port", strconv.Itoa(port[1]), "--samd-port", strconv.Itoa(port[2]), "--admin-port", strconv.Itoa(port[3]))
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stopped := false
	defer func() {
		if !stopped {
			_ = cmd.Process.Kill()
			t.Logf("killed: %v", <-ended)
		}
	}()
	find := func(part string) string {
		t.Helper()
		for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			for _, url := range link.FindAllString(out.String(), -1) {
				if strings.Contains(url, part) {
					return url
				}
			}
		}
		t.Fatalf("assent run printed no link with %s:\n%s", part, out.String())
		return ""
	}
	enrol, join := find("/enrol#"), find("/join/")
	p := b.Person(t)
	p.Go(enrol)
	p.Click("#create")
	p.WaitFor("document.querySelector('#enrolled')")
	p.Go(join)
	p.Click("[data-ceremony=join]")
	p.WaitFor("location.pathname === '/'")
	_, original := document(t, "My own contract")
	app := "http://localhost:" + strconv.Itoa(port[0])
	// The officer of the demo is a program that looks every now and then.
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(500 * time.Millisecond) {
		p.Go(app + "/upload")
		choose(p, "mine.pdf", original)
		p.ClickText("Upload and go to the signing page")
		p.WaitFor("document.readyState === 'complete'")
		if browsertest.Eval[string](p, "location.origin") != app || time.Now().After(end) {
			break
		}
	}
	p.WaitFor(canSign)
	files := p.Downloads()
	p.Click("#sign")
	p.WaitFor("document.querySelector('#signed')")
	p.ClickText("Download signed “mine.pdf”")
	signed := p.Downloaded(files, "mine-signed.pdf")
	s := &system{t: t, dir: dir}
	s.judge(signed)
	asAProgram(t, out.String(), original)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		stopped = true
		if err != nil {
			t.Errorf("Ctrl-C: %v\n%s", err, out.String())
		}
	case <-time.After(30 * time.Second):
		t.Fatal("assent run does not end")
	}
	if get(app+"/livez") == nil {
		t.Error("the application still answers after Ctrl-C")
	}
}
