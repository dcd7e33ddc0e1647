// Command samd is the signature activation module: its own process, with its own
// OS user, database, anchor and token. See samd.example.yaml for what it can be
// told and docs/operators.md for how it is run.
//
// Exit codes: 0 ended as asked, 1 could not open or serve, 2 the command line or the
// configuration is wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/assent-sign/assent/cryptotoken/pkcs11"
	"github.com/assent-sign/assent/internal/config"
	"github.com/assent-sign/assent/internal/secret"
	"github.com/assent-sign/assent/sam"
)

// version is set by the linker.
var version = "dev"

func main() {
	// A worker of the PKCS #11 driver is this same program: nothing comes before,
	// except that its memory is nobody's to read either.
	if err := secret.NoDump(); err != nil {
		fmt.Fprintf(os.Stderr, "samd: %v\n", err)
		os.Exit(1)
	}
	if pkcs11.RunChildIfAsked() {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "samd: %v\n", err)
		stop()
		os.Exit(exitCode(err))
	}
}

// errUsage says that the command line makes no sense.
var errUsage = errors.New("wrong command line")

// exitCode tells a supervisor whether to try again (1) or to wait for a person (2).
func exitCode(err error) int {
	for _, wrong := range []error{errUsage, errConfig, sam.ErrConfig, sam.ErrCeremonyDocument, config.ErrSyntax, config.ErrSecret} {
		if errors.Is(err, wrong) {
			return 2
		}
	}
	return 1
}

func run(ctx context.Context, args []string, logTo io.Writer) error {
	flags := flag.NewFlagSet("samd", flag.ContinueOnError)
	flags.SetOutput(logTo)
	path := flags.String("config", "samd.yaml", "configuration file")
	check := flags.Bool("check", false, "check the configuration file and exit")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if flags.NArg() > 0 && (flags.Arg(0) != "restore" || flags.NArg() != 2) {
		return fmt.Errorf("%w: %q: samd takes no words but: samd -config FILE restore BACKUP", errUsage, flags.Args())
	}
	cfg := defaults()
	if err := config.Load(*path, &cfg); err != nil {
		return err
	}
	if err := cfg.check(); err != nil {
		return fmt.Errorf("%s: %w", *path, err)
	}
	if *check {
		fmt.Fprintln(logTo, "samd: the configuration is good")
		return nil
	}
	// A core dump would hold key material, and so would swap.
	if err := secret.NoDump(); err != nil {
		return err
	}
	if cfg.LockMemory {
		if err := secret.NoSwap(); err != nil {
			return err
		}
	}
	// Little is alive at any time, so the collector would run all the time.
	debug.SetGCPercent(400)
	log := cfg.logger(logTo)
	slog.SetDefault(log)
	if flags.NArg() == 2 {
		return restore(ctx, cfg, flags.Arg(1), log)
	}
	module, closeToken, err := open(ctx, cfg, log)
	if err != nil {
		return err
	}
	err = serve(ctx, cfg, module, log)
	return errors.Join(err, module.Close(), closeToken())
}
