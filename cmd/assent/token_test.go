package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/cryptotoken/pkcs11/softhsm"
	"github.com/assent-sign/assent/internal/testenv"
)

// FPT-01: an operator prepares a token and probes it; SoftHSM2 fails the
// downgrade test and is fit for development only; keys that exist are not
// touched; a wrong PIN is one refusal.
func TestFPT01TokenInitAndProbe(t *testing.T) {
	testenv.Need(t, "softhsm2-util")
	dir := t.TempDir()
	env, module, err := softhsm.Provision(filepath.Join(dir, "hsm"), "tok", "112233", "445566")
	if err != nil {
		t.Fatal(err)
	}
	pin, wrong := filepath.Join(dir, "pin"), filepath.Join(dir, "wrong")
	for file, text := range map[string]string{pin: "112233\n", wrong: "999999\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	call := func(args ...string) (int, string) {
		t.Helper()
		var out bytes.Buffer
		code := run(context.Background(), append(args, "--module", module, "--label", "tok", "--env", env), &out, &out)
		return code, out.String()
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"token", "probe", "--pin-file", pin}, exitFailed, "key not found"},
		{[]string{"token", "init", "--pin-file", wrong}, exitFailed, "PIN"},
		{[]string{"token", "init", "--pin-file", pin}, exitOK, "assent-kek"},
		{[]string{"token", "init", "--pin-file", pin}, exitFailed, "exists"},
		{[]string{"token", "probe", "--pin-file", pin}, exitFailed, "self-test"},
		{[]string{"token", "probe", "--pin-file", pin, "--development"}, exitOK, "FOR DEVELOPMENT ONLY"},
	} {
		if code, out := call(c.args...); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%v: exit %d, want %d with %q:\n%s", c.args, code, c.code, c.want, out)
		}
	}
}
