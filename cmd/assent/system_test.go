package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assent-sign/assent/cmd/assent/internal/person"
	"github.com/assent-sign/assent/cmd/assent/internal/sample"
	"github.com/assent-sign/assent/internal/testenv"
)

// TestExitCodes: the codes are a promise to scripts.
func TestExitCodes(t *testing.T) {
	contract := filepath.Join(t.TempDir(), "contract.pdf")
	if err := os.WriteFile(contract, sample.Contract(), 0o600); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "text.pdf")
	if err := os.WriteFile(text, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{"--version"}, exitOK},
		{[]string{"verify", text}, exitFailed},
		{[]string{"verify", "none.pdf"}, exitUsage},
		{[]string{"nonsense"}, exitUsage},
		{[]string{"verify", contract}, exitNotValid},
		{[]string{"audit", "verify", text}, exitNotValid},
		{[]string{"sign", contract, "-o", "x", "--signer", "a", "--dir", t.TempDir()}, exitUsage},
	} {
		var out, stderr bytes.Buffer
		if got := run(t.Context(), c.args, &out, &stderr); got != c.want {
			t.Errorf("%v: exit %d, want %d\n%s%s", c.args, got, c.want, out.String(), stderr.String())
		}
	}
}

// "assent worker check" ends as ssad's own check does: 2 where the file is wrong or
// is not there, with ssad's words.
func TestWorkerCheckEndsAsTheServiceDoes(t *testing.T) {
	bin := needPrograms(t)
	wrong := filepath.Join(t.TempDir(), "wrong.yaml")
	if err := os.WriteFile(wrong, []byte("lisen: here\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{wrong: "lisen", filepath.Join(t.TempDir(), "none.yaml"): "none.yaml"} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "assent"), "worker", "check", file)
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

// A missing judge ends the demo with 2 and the exact command, before anything is
// made.
func TestDemoNamesMissingPackages(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	dir := filepath.Join(t.TempDir(), "demo")
	var out, stderr bytes.Buffer
	if code := run(t.Context(), []string{"demo", "--dir", dir}, &out, &stderr); code != exitUsage {
		t.Errorf("exit %d, want %d", code, exitUsage)
	}
	if !strings.Contains(stderr.String(), "sudo apt-get install -y --no-install-recommends softhsm2 poppler-utils qpdf openssl") {
		t.Errorf("no command: %s", stderr.String())
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the folder was made")
	}
}

// The demo deletes only what a demo made.
func TestDemoLeavesForeignFoldersAlone(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "precious")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := freshDir(dir); err == nil {
		t.Error("a foreign folder was accepted")
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

// The whole proof: every step, judge and cheat of the demo holds, and no process
// is left.
func TestDemoHolds(t *testing.T) {
	bin := needPrograms(t)
	dir := filepath.Join(t.TempDir(), "demo")
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "assent"), "demo", "--dir", dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var rep report
	b, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &rep); err != nil {
		t.Fatal(err)
	}
	if !rep.Held || len(rep.Steps) != 14 || len(rep.Judges) < 47 || len(rep.Cheats) < 34 || len(rep.Prints) != 7 {
		t.Errorf("held %v, %d steps, %d judgements, %d cheats, %d fingerprints", rep.Held, len(rep.Steps), len(rep.Judges), len(rep.Cheats), len(rep.Prints))
	}
	for _, c := range rep.Cheats {
		if !c.OK || c.Uses != 0 || c.Ref == "" || c.Got != c.Want {
			t.Errorf("%+v", c)
		}
	}
	readmeShows(t, strings.ReplaceAll(string(out), dir, "var/demo"))
	for _, name := range []string{"contract-signed.pdf", "contract-signed-hsm.pdf", "contract-lta.pdf", "invoice-signed.xml", "invoice-lta.xml", "terms-lta.xml", "contract-extended.pdf", "invoice-renewed.xml", "pki/root.pem", "report.html", "contract-signed.receipt.json"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if left := childrenOf(t, bin); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
}

// readmeShows demands that what README.md quotes of the demo is what it prints, but for
// times, ports and the width of columns.
func readmeShows(t *testing.T, printed string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Root(), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, quote, found := strings.Cut(string(text), "only if everything held:\n\n```\n")
	quote, _, ended := strings.Cut(quote, "\n```")
	varies := regexp.MustCompile(`\d+\.\d s|:\d+|\s+`)
	plain := func(s string) string { return varies.ReplaceAllString(s, " ") }
	printed, lines := plain(printed), strings.Split(quote, "\n")
	if !found || !ended || len(lines) < 8 {
		t.Fatalf("README.md quotes %d lines of the demo", len(lines))
	}
	for _, l := range lines {
		if l = plain(strings.TrimSpace(l)); l != "..." && !strings.Contains(printed, l) {
			t.Errorf("README.md quotes a line that the demo does not print: %s", l)
		}
	}
}

// childrenOf lists running processes whose program lies in bin.
func childrenOf(t *testing.T, bin string) []string {
	t.Helper()
	var out []string
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if exe, err := os.Readlink(l); err == nil && strings.HasPrefix(exe, bin+"/") {
			out = append(out, exe)
		}
	}
	return out
}

// assent run stays until it is interrupted, serves, and leaves no process; the
// next run goes on with the same data. Two starts show both.
func TestRunEndsInOrder(t *testing.T) {
	bin := needPrograms(t)
	dir := filepath.Join(t.TempDir(), "run")
	p := freePorts(t)
	for round := range 2 {
		cmd := exec.Command(filepath.Join(bin, "assent"), "run", "--dir", dir, "--app-port", fmt.Sprint(p[0]), "--signing-port", fmt.Sprint(p[1]),
			"--samd-port", fmt.Sprint(p[2]), "--admin-port", fmt.Sprint(p[3]))
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said := until(pipe, "Ctrl-C ends everything")
		if !strings.Contains(said, "/enrol#") {
			_ = cmd.Wait()
			t.Fatalf("round %d: %s%s", round, said, stderr.String())
		}
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		rest := until(pipe, "\x00")
		if err := cmd.Wait(); err != nil {
			t.Errorf("round %d: %v: %s%s", round, err, rest, stderr.String())
		}
		if left := childrenOf(t, bin); len(left) > 0 {
			t.Errorf("round %d: processes left: %v", round, left)
		}
	}
}

// until reads lines up to one that contains the mark, or the end.
func until(r interface{ Read([]byte) (int, error) }, mark string) string {
	var all strings.Builder
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		all.WriteString(sc.Text() + "\n")
		if strings.Contains(sc.Text(), mark) {
			break
		}
	}
	return all.String()
}

var shBlock = regexp.MustCompile("(?s)\n```sh\n(.*?)```")

// docs/operators.md: the commands are run as they stand; only the ports are
// others, so that the test disturbs nobody.
func TestOperatorsGuideWorks(t *testing.T) {
	bin := needPrograms(t)
	text, err := os.ReadFile(filepath.Join(testenv.Root(), "docs", "operators.md"))
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	script.WriteString("set -eu\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n")
	for _, b := range shBlock.FindAllStringSubmatch(string(text), -1) {
		script.WriteString(b[1])
	}
	const initLine = "assent init ./assent --profile development --hsm softhsm"
	if strings.Count(script.String(), initLine) != 1 {
		t.Fatalf("the guide does not begin with %q", initLine)
	}
	p := freePorts(t)
	ours := fmt.Sprintf("%s --no-viewer --app-origin http://localhost:%d --signing-origin http://localhost:%d --ssad 127.0.0.1:%d --sicd 127.0.0.1:%d --samd 127.0.0.1:%d --admin 127.0.0.1:%d",
		initLine, p[0], p[1], p[0], p[1], p[2], p[3])
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "contract.pdf"), sample.Contract(), 0o600); err != nil {
		t.Fatal(err)
	}
	out := bash(t, dir, bin, strings.Replace(script.String(), initLine, ours, 1), nil)
	for _, want := range []string{"pades-t ", "contract-signed.pdf: VALID", "proven by a time-stamp", "RECEIPT HOLDS", "the chain holds", "pkcs11"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	if left := childrenOf(t, bin); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
}

// bash runs a script with the programs on its path.
func bash(t *testing.T, dir, bin, script string, env []string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH")), env...)
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

var bashBlock = regexp.MustCompile("(?s)\n```bash\n(.*?)```")

// docs/integrators.md: the curl walk runs against a living service, while a
// software signer follows the link that it prints.
func TestIntegratorsWalkWorks(t *testing.T) {
	bin := needPrograms(t)
	text, err := os.ReadFile(filepath.Join(testenv.Root(), "docs", "integrators.md"))
	if err != nil {
		t.Fatal(err)
	}
	walk := bashBlock.FindStringSubmatch(string(text))
	if walk == nil {
		t.Fatal("the guide has no walk")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "contract.pdf"), sample.Contract(), 0o600); err != nil {
		t.Fatal(err)
	}
	demo := exec.Command(filepath.Join(bin, "assent"), "demo", "--dir", filepath.Join(dir, "demo"), "--keep-services")
	pipe, err := demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = demo.Process.Signal(syscall.SIGINT); _ = demo.Wait() })
	if said := until(pipe, "Ctrl-C ends them"); !strings.Contains(said, "Ctrl-C") {
		t.Fatal(said)
	}
	s, err := loadSettings(filepath.Join(dir, "demo", "soft"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := person.Load(s.personFile(annaID))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := os.ReadFile(s.path(s.Client.Secret))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", walk[1])
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "BASE="+s.AppOrigin, "CLIENT="+s.Client.ID, "SECRET="+strings.TrimSpace(string(secret)), "SIGNER="+annaID, "FILE=contract.pdf", "WORKER=pades-t")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	links, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	link := strings.TrimSpace(until(links, "/approve/"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := signer.Approve(ctx, link); err != nil {
		_ = cmd.Process.Kill() // it would wait for the signer
		_ = cmd.Wait()
		t.Fatalf("link %q: %v\n%s", link, err, stderr.String())
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	out := bash(t, dir, bin, "assent verify signed.pdf --trust demo/pki/root.pem && assent receipt verify receipt.json signed.pdf --sam-key demo/sam-key.pem", nil)
	if !strings.Contains(out, "signed.pdf: VALID") || !strings.Contains(out, "RECEIPT HOLDS") {
		t.Error(out)
	}
	// KPR-06: whoever pins another key is told what could lead from it.
	out = bash(t, dir, bin, "openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout -out other.pem && ! assent receipt verify receipt.json signed.pdf --sam-key other.pem 2>&1", nil)
	if !strings.Contains(out, "does not hold") || !strings.Contains(out, "--successions") {
		t.Error(out)
	}
}

// A port that is taken is named, and nothing is left running.
func TestTakenPortIsNamed(t *testing.T) {
	bin := needPrograms(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	p := freePorts(t)
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "assent"), "run", "--dir", filepath.Join(t.TempDir(), "run"), "--samd-port", fmt.Sprint(l.Addr().(*net.TCPAddr).Port),
		"--app-port", fmt.Sprint(p[0]), "--signing-port", fmt.Sprint(p[1]), "--admin-port", fmt.Sprint(p[3]))
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "address already in use") {
		t.Errorf("%v\n%s", err, out)
	}
}
