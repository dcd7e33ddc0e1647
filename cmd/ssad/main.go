// Command ssad is the signing application: everything public. It takes
// documents and requests, prepares what is to be signed, relays approvals to
// samd and finishes the documents. It can delay and drop; it cannot sign for
// anybody. See ssad.example.yaml for what it can be told.
//
//	ssad -config ssad.yaml          serve until SIGINT or SIGTERM
//	ssad -config ssad.yaml -check   read the configuration, say what is wrong, end
//
// Exit codes: 0 ended as asked, 1 could not serve, 2 the configuration is wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/assent-sign/assent/api/oauth"
	"github.com/assent-sign/assent/cryptotoken/pkcs11"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/internal/config"
	"github.com/assent-sign/assent/workers"
)

// version is set by the linker.
var version = "dev"

func main() {
	// A worker of the PKCS #11 driver is this same program: nothing comes before.
	if pkcs11.RunChildIfAsked() {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, logTo io.Writer) int {
	flags := flag.NewFlagSet("ssad", flag.ContinueOnError)
	flags.SetOutput(logTo)
	path := flags.String("config", "ssad.yaml", "configuration file (see ssad.example.yaml)")
	check := flags.Bool("check", false, "check the configuration file and end")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(logTo, "ssad: %q: ssad takes no words; the configuration is given by: ssad -config FILE\n", flags.Args())
		return 2
	}
	if *check {
		return checkOnly(ctx, *path, logTo)
	}
	cfg, err := load(*path)
	if err != nil {
		fmt.Fprintln(logTo, "ssad:", err)
		return 2
	}
	log := cfg.logger(logTo)
	slog.SetDefault(log)
	if err := serve(ctx, cfg, log); err != nil {
		fmt.Fprintln(logTo, "ssad:", err)
		if errors.Is(err, errConfig) || errors.Is(err, config.ErrSecret) {
			return 2
		}
		return 1
	}
	return 0
}

// checkOnly says all that is wrong with a file, its workers too, and starts nothing.
func checkOnly(ctx context.Context, path string, to io.Writer) int {
	cfg, err := read(path)
	if err == nil {
		warn := func(worker, text string) { fmt.Fprintf(to, "ssad: warning: worker %q: %s\n", worker, text) }
		_, clients := oauth.LoadClients(cfg.Clients)
		err = errors.Join(cfg.check(path), clients,
			workers.Check(ctx, cfg.Workers, workers.Options{Kinds: kinds(), Now: clock.System{}.Now, Warn: warn}))
	}
	if err != nil {
		fmt.Fprintln(to, "ssad:", err)
		return 2
	}
	fmt.Fprintln(to, "ssad: the configuration is good")
	return 0
}

// serve opens everything, answers until ctx ends, and lets running answers
// and background work finish.
func serve(ctx context.Context, cfg *Config, log *slog.Logger) error {
	tlsConf, err := cfg.tls()
	if err != nil {
		return err
	}
	a, err := assemble(ctx, cfg, log)
	if err != nil {
		return err
	}
	public := server(a.public, tlsConf, log)
	admin := server(a.admin, nil, log)
	failed := make(chan error, 2)
	for _, s := range []struct {
		srv    *http.Server
		listen string
	}{{public, cfg.Listen}, {admin, cfg.Admin.Listen}} {
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.listen)
		if err != nil {
			return errors.Join(err, public.Close(), a.close())
		}
		go func() { failed <- answer(s.srv, ln) }()
	}
	if cfg.Profile != profileProduction {
		log.Warn("profile " + cfg.Profile + ": software keys and self-made certificates are accepted, never for real signatures")
	}
	log.Info("ssad: open", "origin", cfg.AppOrigin, "listen", cfg.Listen, "admin", cfg.Admin.Listen, "profile", cfg.Profile, "version", version)
	var background sync.WaitGroup
	bctx, stop := context.WithCancel(ctx)
	background.Go(func() { _ = a.api.Run(bctx) })
	background.Go(func() { a.watchEnds(bctx) })
	background.Go(func() {
		if err := a.service.Resume(bctx); err != nil {
			log.Error("operations could not be resumed; they are retried", "error", err)
		}
		a.api.Started()
		_ = a.service.Run(bctx)
	})
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	log.Info("ssad: stopping")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	err = errors.Join(err, public.Shutdown(grace), admin.Shutdown(grace))
	stop()
	background.Wait()
	return errors.Join(err, a.close())
}
