package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/workers/workertest"
)

// ADE-05: --policy is read, and a document that is not there is the caller's mistake.
func TestADE05VerifyPolicy(t *testing.T) {
	a := workertest.NewAuthority(t)
	dir := t.TempDir()
	in, rules := filepath.Join(dir, "in.pdf"), filepath.Join(dir, "rules.txt")
	signedForExtension(t, a, in)
	if err := os.WriteFile(rules, []byte("rules"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(policy string) (string, error) {
		var text bytes.Buffer
		c := newRoot()
		c.SetArgs([]string{"verify", in, "--trust", a.Root, "-o", "json", "--policy", policy})
		c.SetOut(&text)
		c.SetErr(&text)
		err := c.ExecuteContext(t.Context())
		return text.String(), err
	}
	if out, err := run("1.2.3=" + rules); err != nil || !strings.Contains(out, `"signature_policies": 1`) {
		t.Errorf("%v %s", err, out)
	}
	var exit *exitError
	if _, err := run(rules + ".none"); !errors.As(err, &exit) || exit.code != exitUsage || !strings.Contains(err.Error(), "--policy") {
		t.Errorf("%v", err)
	}
}

// I9: judging a file ends when its time is over, with a report that decides nothing and the exit code of such a one.
func TestI9VerifyEndsInTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.xml")
	if err := os.WriteFile(path, []byte("<a/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		timeout string
		code    int
		says    string
	}{
		{"1ns", exitNotValid, "CANNOT BE DECIDED"},
		{"1m", exitNotValid, "NOT SIGNED"},
		{"0", exitNotValid, "NOT SIGNED"},
		{"-1s", exitUsage, "--timeout"},
	} {
		var out, stderr bytes.Buffer
		if code := run(t.Context(), []string{"verify", path, "--timeout", c.timeout}, &out, &stderr); code != c.code || !strings.Contains(out.String()+stderr.String(), c.says) {
			t.Errorf("%s: exit %d\n%s%s", c.timeout, code, out.String(), stderr.String())
		}
	}
	if got := patience(1<<30, []validate.Detached{{Size: 1 << 30}}); got != 42*time.Second {
		t.Errorf("two files of a GiB: %s", got)
	}
}
