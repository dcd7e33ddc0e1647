package pkcs11

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const replacedEnv = "ASSENT_TEST_REPLACED"

// runReplacedIfAsked: a process whose program file another one takes the place of, and
// which then starts a child. It ends as the child does.
func runReplacedIfAsked() bool {
	next := os.Getenv(replacedEnv)
	if next == "" {
		return false
	}
	exe, err := os.Executable()
	if err == nil {
		err = os.Rename(next, exe)
	}
	if err != nil {
		os.Exit(4)
	}
	path, args, env, err := (&Config{}).childCommand()
	if err != nil {
		os.Exit(5)
	}
	cmd := exec.Cmd{Path: path, Args: args, Env: env}
	var ended *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &ended) {
		os.Exit(6)
	}
	os.Exit(cmd.ProcessState.ExitCode())
	return true
}

// CHN-02, FPT-01: a child is the program that runs, not the file that has taken its place
// since: while an upgrade waits for the restart, no other version gets the PIN and the
// requests of this one.
func TestChildrenAreTheRunningProgram(t *testing.T) {
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	old, next := filepath.Join(dir, "samd"), filepath.Join(dir, "samd.new")
	copyFile(t, exe, old)
	if err := os.WriteFile(next, []byte("#!/bin/sh\nexit 77\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(old)
	cmd.Env = append(os.Environ(), replacedEnv+"="+next)
	var ended *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	// Without its pipes a child ends by itself, with 0 or 3.
	if code := cmd.ProcessState.ExitCode(); code != 0 && code != 3 {
		t.Errorf("it ended with %d; 77 is the file that took its place", code)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
}
