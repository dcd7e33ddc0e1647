package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"sync/atomic"
	"time"

	"github.com/assent-sign/assent/internal/ends"
)

// endings are the certificates that this process uses and when they end.
type endings struct {
	own    []ends.Certificate
	module atomic.Pointer[ends.Certificate] // samd's, as it was last shown
}

// list returns all of them.
func (e *endings) list() []ends.Certificate {
	out := append([]ends.Certificate{}, e.own...)
	if c := e.module.Load(); c != nil {
		out = append(out, *c)
	}
	return out
}

// watchModule notes samd's certificate at each handshake that succeeds.
func (e *endings) watchModule(conf *tls.Config) {
	verify := conf.VerifyConnection
	conf.VerifyConnection = func(cs tls.ConnectionState) error {
		if err := verify(cs); err != nil {
			return err
		}
		c := ends.Of("samd_tls", "", cs.PeerCertificates)
		c.Do = "assent ceremony certificate NAME --server HOST, then tls in samd.yaml, and restart samd"
		e.module.Store(&c)
		return nil
	}
}

// endings reads the certificates that the configuration names.
func (c *Config) endings(now time.Time) (*endings, error) {
	e := &endings{}
	for _, f := range []struct{ use, file, do string }{
		{"tls", c.TLS.Cert, "renew it in the place of tls.cert, and restart ssad"},
		{"sam_tls", c.SAM.TLS.Cert, "assent ceremony certificate NAME --role sspu, assent role grant, then sam.tls, and restart ssad"},
	} {
		if f.file == "" {
			continue
		}
		one, err := ends.Load(f.use, "", f.file, f.do)
		if err != nil {
			return nil, err
		}
		e.own = append(e.own, one)
	}
	for _, f := range []struct{ use, file, do string }{
		{"sam_ca", c.SAM.TLS.CA, "put the next CA beside it in sam.tls.ca, in tls.ca of samd.yaml, and renew what it issued"},
		{"tsa_anchor", c.TSAAnchors, "put the authority's next root into tsa_anchors"},
	} {
		if f.file == "" {
			continue
		}
		list, err := ends.Anchors(f.use, f.file, f.do, now)
		if err != nil {
			return nil, err
		}
		e.own = append(e.own, list...)
	}
	return e, nil
}

// addWorkers adds the chains of workers with keys of their own: time-stamps, seals.
func (a *app) addWorkers() {
	for _, info := range a.set.List() {
		entry, err := a.set.Get(info.Name)
		if err != nil || len(entry.Chain) == 0 {
			continue
		}
		var chain []*x509.Certificate
		for _, der := range entry.Chain {
			if cert, err := x509.ParseCertificate(der); err == nil { // the worker has parsed it before
				chain = append(chain, cert)
			}
		}
		c := ends.Of("worker", info.Name, chain)
		c.Do = "renew it for the worker's key, put the chain into the file of the worker in ssad.yaml, and restart ssad"
		a.ends.own = append(a.ends.own, c)
	}
}

// watchEnds warns until ctx ends.
func (a *app) watchEnds(ctx context.Context) {
	ends.NewWatch(a.log, a.clock, a.ends.list).Run(ctx)
}
