// Package softhsm provisions SoftHSM2 tokens for tests and for the demo. It is no
// way to run a service: SoftHSM keeps keys in files, and the PIN is passed to its
// tool as an argument, which other users of the machine can see.
package softhsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// ErrMissing means that SoftHSM2 is not installed. On Debian: apt install softhsm2.
var ErrMissing = errors.New("softhsm: SoftHSM2 is not installed (Debian: apt install softhsm2)")

// Module returns the path of the module: ASSENT_SOFTHSM_MODULE, or where Debian
// and its relatives put it. ErrMissing.
func Module() (string, error) {
	triplet := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[runtime.GOARCH]
	for _, path := range []string{
		os.Getenv("ASSENT_SOFTHSM_MODULE"),
		"/usr/lib/softhsm/libsofthsm2.so",
		"/usr/lib/" + triplet + "/softhsm/libsofthsm2.so",
		"/usr/lib64/softhsm/libsofthsm2.so",
		"/usr/lib64/pkcs11/libsofthsm2.so",
		"/usr/local/lib/softhsm/libsofthsm2.so",
		"/opt/homebrew/lib/softhsm/libsofthsm2.so",
	} {
		if path == "" {
			continue
		}
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", ErrMissing
}

// Provision writes softhsm2.conf and a token store into dir and initialises a
// token. env ("SOFTHSM2_CONF=...") goes into Config.Env of the pkcs11 driver,
// module into Config.Module; pkcs11.Init then makes the token's keys.
// Further tokens can be made in the same dir.
func Provision(dir, label, pin, soPIN string) (env, module string, err error) {
	if module, err = Module(); err != nil {
		return "", "", err
	}
	tool, err := exec.LookPath("softhsm2-util")
	if err != nil {
		return "", "", ErrMissing
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", "", fmt.Errorf("softhsm: %w", err)
	}
	if strings.ContainsAny(dir, "=#\n") { // its configuration has no way to quote
		return "", "", fmt.Errorf("softhsm: SoftHSM2 cannot use a directory with '=' or '#' in its path: %s", dir)
	}
	tokens, conf := filepath.Join(dir, "tokens"), filepath.Join(dir, "softhsm2.conf")
	if err := os.MkdirAll(tokens, 0o700); err != nil {
		return "", "", fmt.Errorf("softhsm: %w", err)
	}
	text := "directories.tokendir = " + tokens + "\nobjectstore.backend = file\nobjectstore.umask = 0077\nlog.level = ERROR\nslots.removable = false\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return "", "", fmt.Errorf("softhsm: %w", err)
	}
	env = "SOFTHSM2_CONF=" + conf
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for try := 1; ; try++ {
		cmd := exec.CommandContext(ctx, tool, "--init-token", "--free", "--module", module,
			"--label", label, "--pin", pin, "--so-pin", soPIN)
		cmd.Env = append(os.Environ(), env)
		out, err := cmd.CombinedOutput()
		if err == nil {
			return env, module, nil
		}
		if try == looks || !bytes.Contains(out, []byte(notSeen)) {
			return "", "", fmt.Errorf("softhsm: softhsm2-util --init-token in %s: %w: %.300s", dir, err, out)
		}
	}
}

// notSeen is what softhsm2-util says when a token cannot be read while it looks for a
// free slot, because another process writes into the same directory. It has made
// nothing then, so that it may look again.
const (
	notSeen = "Could not get info about the token"
	looks   = 10
)
