package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
