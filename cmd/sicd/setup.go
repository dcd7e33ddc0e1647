package main

import (
	"crypto/tls"
	"fmt"
	"net/http"

	"github.com/assent-sign/assent/internal/ends"
	"github.com/assent-sign/assent/signapp/signer"
)

// load reads the configuration and builds the handler from it.
func load(path string) (*setup, error) {
	cfg, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	app, err := cfg.app()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	h, err := signer.New(app)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	tc, err := cfg.tls()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var end []ends.Certificate
	if tc != nil {
		one, err := ends.Load("tls", "", cfg.TLS.Cert, "renew it in the place of tls.cert, and restart sicd")
		if err != nil {
			return nil, fmt.Errorf("%s: %w: tls.cert: %w", path, errConfig, err)
		}
		end = append(end, one)
	}
	return &setup{ends: end, listen: cfg.Listen, handler: h, tls: tc, demo: app.Profile == signer.ProfileDemo, origin: app.Origin}, nil
}

// setup is all that serve needs.
type setup struct {
	listen  string
	origin  string
	handler http.Handler
	tls     *tls.Config // nil: plain HTTP on loopback, or behind a TLS front
	demo    bool
	ends    []ends.Certificate // told in the log when they end
}
