package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

// briefLife is the life of an activation request in this test.
const briefLife = 10 * time.Second

// brief has the module offer a policy with a very short life, and the
// application ask for it.
func brief(s *system) {
	s.edit("samd/samd.yaml", "policies:\n", "policies:\n  - {id: brief, max_items: 1, lifetime: 10s}\n")
	s.edit("ssad/ssad.yaml", "  wait: 1m\n", "  policy: brief\n  wait: 1m\n")
}

// refusals lists the reasons of samd's refusals so far.
func (s *system) refusals() (reasons []string) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "audit.jsonl")
	s.in("audit", "export", file)
	text, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var rec struct{ Outcome, Reason string }
		if err := json.Unmarshal(line, &rec); err != nil {
			s.t.Fatal(err)
		}
		if rec.Outcome == "refused" {
			reasons = append(reasons, rec.Reason)
		}
	}
	return reasons
}

func (s *system) signal(program string, sig syscall.Signal) {
	s.t.Helper()
	if err := s.running[program].Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// SAP-06: an activation request ends. A signer who waits too long is told, gets
// no passkey dialog, and one button later has more time. An approval that was
// given in time but arrives too late, because the application held it back, is
// refused by samd itself with its own audited reason and without a key use; the
// page says that nothing was signed.
func TestSAP06ExpiredInTheBrowser(t *testing.T) {
	s := newSystemWith(t, brief)
	p := s.person(browsertest.New(t), "anna", "Anna Example")
	file, original := document(t, "Offer until noon")
	out := filepath.Join(t.TempDir(), "signed.pdf")
	url, wait := s.request("anna", file, out)
	before := s.uses()
	p.Go(url)
	p.WaitText("The time to decide is over.")
	p.Screenshot("e2e-time-over")
	p.Click("#sign")
	if gets, _ := p.Ceremonies(); gets != 0 {
		t.Error("a request that is over opened the passkey dialog")
	}
	p.Click("#more-time")
	p.WaitText("You have more time now")
	p.WaitFor(canSign)
	p.Click("#sign")
	p.WaitFor("document.querySelector('#signed')")
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	signed, err := os.ReadFile(out)
	if err != nil || !bytes.HasPrefix(signed, original) {
		t.Fatalf("signed file: %v", err)
	}
	s.judge(signed)
	if s.uses() == before {
		t.Error("signed without a key use")
	}

	file, _ = document(t, "Offer held back")
	out = filepath.Join(t.TempDir(), "late.pdf")
	url, wait = s.request("anna", file, out)
	before = s.uses()
	p.Go(url)
	p.WaitFor(canSign)
	s.signal("ssad", syscall.SIGSTOP)
	p.Click("#sign")
	p.WaitFor("__watch.gets === 1")
	time.Sleep(briefLife + time.Second) // what is waited for is the clock itself
	s.signal("ssad", syscall.SIGCONT)
	p.WaitText("othing was signed")
	p.Screenshot("e2e-expired")
	if err := wait(); err == nil {
		t.Error("the asker was told that it is signed")
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a late approval left a file")
	}
	if s.uses() != before {
		t.Error("a key was used")
	}
	if got := strings.Join(s.refusals(), " "); got != "expired" {
		t.Errorf("samd refused for %q, want expired", got)
	}
}
