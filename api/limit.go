package api

import (
	"net/netip"
	"time"

	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/internal/ration"
)

// Limits bound what callers may use. Zero fields take the defaults.
type Limits struct {
	PerIP          float64       // requests per second of one address (IPv6: of one /64); default 50, burst 4x
	PerClient      float64       // requests per second of one client; default 100, burst 4x
	Document       int64         // bytes of an uploaded document; default 100 MiB
	SignDoc        int64         // bytes of a signDoc body, which is JSON and held whole; default 16 MiB
	SignDocAtOnce  int           // signDoc calls that hold their body at one time; default 4
	Hashes         int           // digests of one CSC authorization (multisign); default 100, the module's limit
	Wait           time.Duration // longest wait=; default 60 s
	Waits          int           // calls that wait at one time; default 1024
	SignDocWait    time.Duration // how long a synchronous signDoc waits for the signer; default 50 s
	UploadStall    time.Duration // each read of an upload must bring something within it; default 30 s
	IdempotencyTTL time.Duration // how long an Idempotency-Key is remembered; default 24 h
}

func (l *Limits) defaults() {
	orElse(&l.PerIP, 50)
	orElse(&l.PerClient, 100)
	orElse(&l.Document, 100<<20)
	orElse(&l.SignDoc, 16<<20)
	orElse(&l.SignDocAtOnce, 4)
	orElse(&l.Hashes, 100)
	orElse(&l.Wait, time.Minute)
	orElse(&l.Waits, 1024)
	orElse(&l.SignDocWait, 50*time.Second)
	orElse(&l.UploadStall, 30*time.Second)
	orElse(&l.IdempotencyTTL, 24*time.Hour)
}

func orElse[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// limiters are the two that every request passes.
type limiters struct{ ips, clients *ration.Shares }

func newLimiters(l Limits, c clock.Clock) limiters {
	return limiters{ips: ration.New(l.PerIP, int(4*l.PerIP), c), clients: ration.New(l.PerClient, int(4*l.PerClient), c)}
}

func (l *limiters) ip(a netip.Addr) time.Duration { return l.ips.Take(ration.Place(a)) }

func (l *limiters) client(id string) time.Duration { return l.clients.Take(id) }
