package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/assent-sign/assent/internal/mtls"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samrpc"
	"github.com/assent-sign/assent/sam/samsqlite"
)

// open opens token, store and module.
func open(ctx context.Context, cfg Config, log *slog.Logger) (*sam.Module, func() error, error) {
	document, cas, err := cfg.setUp()
	if err != nil {
		return nil, nil, err
	}
	endings, err := cfg.endings(time.Now())
	if err != nil {
		return nil, nil, err
	}
	token, err := openToken(cfg, log)
	if err != nil {
		return nil, nil, err
	}
	store, err := samsqlite.Open(samsqlite.Config{Path: cfg.Database})
	if err != nil {
		return nil, nil, errors.Join(err, token.Close())
	}
	mc := cfg.module()
	if mc.Alarms, err = cfg.Alarms.alarms(); err != nil {
		return nil, nil, errors.Join(err, store.Close(), token.Close())
	}
	if mc.CAs, err = cfg.authorities(); err != nil {
		return nil, nil, errors.Join(err, store.Close(), token.Close())
	}
	if mc.Models.Metadata, err = cfg.Authenticators.metadata(time.Now()); err != nil {
		return nil, nil, errors.Join(err, store.Close(), token.Close())
	}
	mc.Store, mc.Token, mc.Log = store, token, log
	mc.Version = version
	mc.Ceremony, mc.CeremonyFile, mc.CallerCAs = document, cfg.Ceremony, cas
	mc.Certificates = wireEnds(endings)
	module, err := sam.Open(ctx, mc)
	if err != nil {
		return nil, nil, errors.Join(err, token.Close())
	}
	return module, token.Close, nil
}

// serve answers until ctx ends, then finishes what is under way.
func serve(ctx context.Context, cfg Config, module *sam.Module, log *slog.Logger) error {
	tlsConf, err := mtls.Server(cfg.TLS)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return err
	}
	rpc := samrpc.New(module, log).InSteps(samrpc.RefusalStep)
	srv := rpc.HTTPServer(tlsConf)
	done := make(chan error, 1)
	go func() { done <- rpc.Serve(srv, listener) }()
	watched, stop := context.WithCancel(ctx)
	defer stop()
	go watchEnds(watched, cfg, log)
	log.Info("samd: open", "listen", listener.Addr().String(), "cluster", cfg.Cluster, "profile", cfg.Profile, "version", version)
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	log.Info("samd: stopping")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	err = srv.Shutdown(grace)
	if serveErr := <-done; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}
