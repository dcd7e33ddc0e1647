package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/internal/ends"
	"github.com/assent-sign/assent/sam"
)

// endings are the certificates that this process uses. Its keys for statements and for
// sealing have none.
func (c *Config) endings(now time.Time) ([]ends.Certificate, error) {
	own, err := ends.Load("tls", "", c.TLS.Cert, "assent ceremony certificate NAME --server HOST, put both files in the place of tls in samd.yaml, and restart samd")
	if err != nil {
		return nil, fmt.Errorf("%w: tls.cert: %w", errConfig, err)
	}
	callers, err := ends.Anchors("caller_ca", c.TLS.CA, "make the next CA, put it beside this one in tls.ca, and renew every caller's certificate", now)
	if err != nil {
		return nil, fmt.Errorf("%w: tls.ca: %w", errConfig, err)
	}
	return append([]ends.Certificate{own}, callers...), nil
}

// wireEnds are endings as the module reports them.
func wireEnds(list []ends.Certificate) []sam.CertificateEnd {
	var out []sam.CertificateEnd
	for _, c := range list {
		out = append(out, sam.CertificateEnd{Use: c.Use, Subject: c.Subject, End: c.End.Unix()})
	}
	return out
}

// watchEnds warns until ctx ends.
func watchEnds(ctx context.Context, cfg Config, log *slog.Logger) {
	list, err := cfg.endings(time.Now())
	if err != nil {
		log.Error("samd: nobody will be told when certificates end", "err", err)
		return
	}
	ends.NewWatch(log, clock.System{}, func() []ends.Certificate { return list }).Run(ctx)
}
