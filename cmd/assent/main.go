// Command assent is the command line of the signing service: it sets a service up,
// enrols signers and links certificates, signs through the service, judges signed
// files and receipts off line, and proves the whole path with "assent demo".
//
// It talks to samd as officer or auditor and to ssad as any client does; it links
// no code of package sam.
//
// Exit codes, the same for every command:
//
//	0  it worked; for verify: every signature is valid
//	1  it failed or was refused
//	2  the command line is wrong or something that is needed is not there
//	3  verify: a signature is not valid or cannot be decided; receipt, audit: does not hold
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/assent-sign/assent/cryptotoken/pkcs11"
)

// Exit codes.
const (
	exitOK       = 0
	exitFailed   = 1
	exitUsage    = 2
	exitNotValid = 3
)

func main() {
	if pkcs11.RunChildIfAsked() {
		return // this process is a worker of the PKCS #11 driver
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes one command line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	var e *exitError
	if !errors.As(err, &e) {
		// Only cobra itself returns other errors: what was typed makes no sense.
		fmt.Fprintf(stderr, "assent: %v\nusage: %s\n%q explains it with an example\n", err, cmd.UseLine(), cmd.CommandPath()+" -h")
		return exitUsage
	}
	if e.err != nil {
		fmt.Fprintln(stderr, "assent:", e.err)
	}
	return e.code
}

// exitError is an error with the exit code that it means. A nil err says nothing
// more: the command has printed its verdict.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func failed(err error) error {
	var e *exitError
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &exitError{exitFailed, err}
}

func missing(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}
