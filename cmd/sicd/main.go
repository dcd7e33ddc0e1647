// Command sicd serves the static signer's app on the signing origin: the page
// on which signers read, approve and check. It has its own TLS key and its own
// system user, no state and no other function. Whoever controls it controls what
// signers see, so keep it apart from everything that takes uploads.
//
//	sicd -config sicd.yaml     serve until SIGINT or SIGTERM
//	sicd -config sicd.yaml -check   read the configuration, say what is wrong, end
//
// Exit codes: 0 ended as asked, 1 could not serve, 2 the configuration is wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/internal/ends"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], nil)
	stop()
	os.Exit(code)
}

// run is main with its surroundings as arguments. ready, if not nil, gets the
// address once connections are accepted.
func run(ctx context.Context, args []string, ready func(net.Addr)) int {
	flags := flag.NewFlagSet("sicd", flag.ContinueOnError)
	path := flags.String("config", "sicd.yaml", "configuration file (see sicd.example.yaml)")
	check := flags.Bool("check", false, "check the configuration and end")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "sicd: %q: sicd takes no words; the configuration is given by: sicd -config FILE\n", flags.Args())
		return 2
	}
	cfg, err := load(*path)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sicd:", err)
		return 2
	}
	if *check {
		fmt.Println("sicd: the configuration is good")
		return 0
	}
	if err := serve(ctx, cfg, ready); err != nil {
		fmt.Fprintln(os.Stderr, "sicd:", err)
		return 1
	}
	return 0
}

// serve answers until ctx ends, then lets running answers finish.
func serve(ctx context.Context, s *setup, ready func(net.Addr)) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	srv := &http.Server{
		Handler:           s.handler,
		TLSConfig:         s.tls,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	if s.demo {
		log.Warn("demo profile: software keys and self-made certificates, never for real signatures")
	}
	log.Info("serving the signer's app", "origin", s.origin, "listen", ln.Addr().String(), "tls", s.tls != nil)
	if ready != nil {
		ready(ln.Addr())
	}
	watched, stop := context.WithCancel(ctx)
	defer stop()
	go ends.NewWatch(log, clock.System{}, func() []ends.Certificate { return s.ends }).Run(watched)
	done := make(chan error, 1)
	go func() {
		if s.tls != nil {
			done <- srv.ServeTLS(ln, "", "")
			return
		}
		done <- srv.Serve(ln)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := srv.Shutdown(end); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
