package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// accept has both officers accept what samd waits for.
func (s *system) accept(kind string) {
	s.t.Helper()
	id := strings.TrimSpace(s.stdout(kind, "accept", "--why", "a test", "--dir", s.dir))
	if out, err := s.try("officer", "approve", id, "--dir", s.dir); err == nil {
		s.t.Fatalf("%s by one officer alone:\n%s", kind, out)
	}
	s.run("officer", "approve", id, "--as", "second_officer", "--dir", s.dir)
}

// stdout is what a command prints, without what it says beside.
func (s *system) stdout(args ...string) string {
	s.t.Helper()
	out, err := s.command(args...).Output()
	if err != nil {
		s.t.Fatalf("assent %v: %v", args, err)
	}
	return string(out)
}

func (s *system) command(args ...string) *exec.Cmd {
	return exec.Command(filepath.Join(programs, "assent"), args...)
}

// sign signs a document with a software signer.
func (s *system) sign(signer, words string) (string, error) {
	file, _ := document(s.t, words)
	out := filepath.Join(s.t.TempDir(), "signed.pdf")
	_, err := s.try("sign", file, "-o", out, "--signer", signer, "--level", "B-T", "--demo-approve", "--receipt", out+".json", "--wait", "1m", "--dir", s.dir)
	return out, err
}

// FPT-05, I3: samd and ssad are killed between signatures and start again with
// the same state; what was signed before still verifies, the audit chain holds,
// and signing goes on.
func TestFPT05KilledAndStartedAgain(t *testing.T) {
	s := newSystem(t)
	s.robot("robot")
	for round, victims := range [][]string{{"samd"}, {"ssad"}, {"samd", "ssad", "sicd"}} {
		out, err := s.sign("robot", "Round "+string(rune('a'+round)))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range victims {
			s.kill(v)
		}
		for _, v := range victims {
			s.start(v)
		}
		s.eventually("samd", func() error { _, err := s.try("status", "--dir", s.dir); return err })
		s.eventually("ssad", func() error { return get(s.app + "/readyz") })
		s.eventually("sicd", func() error { return get(s.signing + "/config.json") })
		signed, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		s.judge(signed)
		s.run("receipt", "verify", out+".json", out, "--sam-key", filepath.Join(s.dir, "sicd/sam-statement.pem"))
	}
	chain := filepath.Join(t.TempDir(), "audit.jsonl")
	s.in("audit", "export", chain)
	s.run("audit", "verify", chain)
	text, err := os.ReadFile(chain)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	// AUD-05: an edited, a missing and a swapped record are found.
	for name, bad := range map[string][][]byte{
		"edited":  append(append([][]byte{}, lines[:3]...), append([][]byte{bytes.Replace(lines[3], []byte(`"time":1`), []byte(`"time":2`), 1)}, lines[4:]...)...),
		"missing": append(append([][]byte{}, lines[:3]...), lines[4:]...),
		"swapped": append(append([][]byte{}, lines[:3]...), append([][]byte{lines[4], lines[3]}, lines[5:]...)...),
	} {
		if err := os.WriteFile(chain, append(bytes.Join(bad, []byte("\n")), '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := s.try("audit", "verify", chain); err == nil {
			t.Errorf("%s record: the chain is said to hold:\n%s", name, out)
		}
	}
}

// While samd is away nothing is signed and nothing is lost: the caller gets an
// error that says to try again, and afterwards it works.
func TestSamdAwayIsAnErrorNotASignature(t *testing.T) {
	s := newSystem(t)
	s.robot("robot")
	s.kill("samd")
	if _, err := s.sign("robot", "Nobody there"); err == nil {
		t.Fatal("signed without samd")
	}
	s.start("samd")
	s.eventually("ssad is ready again", func() error { return get(s.app + "/readyz") })
	out, err := s.sign("robot", "Back again")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	s.judge(signed)
}

// T34, KPR-03: yesterday's database put back under a running installation's
// anchor keeps samd closed, and it says what to do.
func TestT34OldDatabaseKeepsSamdClosed(t *testing.T) {
	s := newSystem(t)
	s.robot("robot")
	s.kill("samd")
	files, err := filepath.Glob(filepath.Join(s.dir, "samd/db/*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no database found: %v", err)
	}
	old := map[string][]byte{}
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, ".lock") })
	for _, f := range files {
		if old[f], err = os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
	s.start("samd")
	s.eventually("samd", func() error { _, err := s.try("status", "--dir", s.dir); return err })
	if _, err := s.sign("robot", "After the backup"); err != nil {
		t.Fatal(err)
	}
	_ = s.running["samd"].Process.Signal(os.Interrupt)
	_ = s.running["samd"].Wait()
	delete(s.running, "samd")
	for _, f := range files {
		if err := os.WriteFile(f, old[f], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.start("samd")
	var out string
	s.eventually("samd, closed", func() error { out, err = s.try("status", "--dir", s.dir); return err })
	if !strings.Contains(out, "older than the anchor") || !strings.Contains(out, "assent restore accept") {
		t.Errorf("samd with an old database:\n%s", out)
	}
	if _, err := s.sign("robot", "With the old database"); err == nil {
		t.Error("signed with an old database that nobody has accepted")
	}
	s.accept("restore")
	if out, err = s.try("status", "--dir", s.dir); err != nil || !strings.Contains(out, "#2, open") {
		t.Errorf("accepted by two officers: %v\n%s", err, out)
	}
}
