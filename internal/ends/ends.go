// Package ends tells operators in time that a certificate of a running process ends:
// in its log once a day from 30 days before, and as a list for metrics and status.
// What has no certificate, such as the module's statement and sealing keys, has no
// end here; algorithms end by their own table.
package ends

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/clock"
)

// When warnings begin, and when they become urgent and errors.
const (
	Soon   = 30 * 24 * time.Hour
	Urgent = 7 * 24 * time.Hour
	Last   = 24 * time.Hour
)

// every is between two looks at the certificates.
const every = time.Hour

// Certificate is one in use, with what is around it.
type Certificate struct {
	Use     string    // what for: a fixed word, a label of the metric
	Name    string    // which of several of one use; "" for a single one
	Subject string    // of the one that ends first
	File    string    // it came from; "" when it came from a peer
	Do      string    // what the operator has to do before its end
	End     time.Time // notAfter: not valid after it; of a chain, the first
}

// Of describes a certificate with its chain; the zero value for none.
func Of(use, name string, chain []*x509.Certificate) Certificate {
	if len(chain) == 0 {
		return Certificate{}
	}
	first := slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	return Certificate{Use: use, Name: name, Subject: first.Subject.String(), End: first.NotAfter.UTC()}
}

// Load describes the chain in a PEM file.
func Load(use, name, file, do string) (Certificate, error) {
	chain, err := certs.LoadPEM(file)
	if err != nil {
		return Certificate{}, fmt.Errorf("%s: %w", use, err)
	}
	c := Of(use, name, chain)
	c.File, c.Do = file, do
	return c, nil
}

// Anchors describes the CA certificates in a PEM file, each by its subject. Those
// that have ended are left out: they may stay for what is older than their end.
func Anchors(use, file, do string, now time.Time) ([]Certificate, error) {
	list, err := certs.LoadPEM(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", use, err)
	}
	var out []Certificate
	for _, cert := range list {
		if c := Of(use, cert.Subject.String(), []*x509.Certificate{cert}); c.End.After(now) {
			c.Do = do
			out = append(out, c)
		}
	}
	return out, nil
}

// Days are the whole days that are left, below zero after the end.
func (c Certificate) Days(now time.Time) int {
	left := c.End.Sub(now)
	days := int(left / (24 * time.Hour))
	if left < 0 {
		days--
	}
	return days
}

// Watch warns of what ends. Its methods are for one goroutine.
type Watch struct {
	clock clock.Clock
	log   *slog.Logger
	list  func() []Certificate
	said  map[string]string // by use and name: the day and the stage of the last warning
}

// NewWatch makes a Watch of what list returns at each look.
func NewWatch(log *slog.Logger, c clock.Clock, list func() []Certificate) *Watch {
	return &Watch{clock: c, log: log, list: list, said: map[string]string{}}
}

// Run looks at once and then every hour, until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		w.Look()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Look warns once a day of each certificate that ends within 30 days, and again
// when 7 days, one day, and nothing is left. From the last day on it is an error.
func (w *Watch) Look() {
	now := w.clock.Now()
	for _, c := range w.list() {
		left := c.End.Sub(now)
		if c.End.IsZero() || left > Soon {
			continue
		}
		level, words, stage := slog.LevelWarn, "a certificate ends soon", "30"
		switch {
		case left < 0:
			level, words, stage = slog.LevelError, "a certificate has ended", "0"
		case left <= Last:
			level, words, stage = slog.LevelError, "a certificate ends within a day", "1"
		case left <= Urgent:
			words, stage = "a certificate ends within a week", "7"
		}
		today := now.UTC().Format(time.DateOnly) + " " + stage
		if w.said[c.Use+" "+c.Name] == today {
			continue
		}
		w.said[c.Use+" "+c.Name] = today
		w.log.Log(context.Background(), level, words, "use", c.Use, "name", c.Name, "subject", c.Subject, "ends", c.End.Format(time.RFC3339), "days", c.Days(now), "file", c.File, "do", c.todo())
	}
}

// todo is what to do, which is less when it was done by half: the file holds the next
// certificate and the process still has the old one.
func (c Certificate) todo() string {
	if c.File == "" {
		return c.Do
	}
	if next, err := certs.LoadPEM(c.File); err == nil && Of("", "", next).End.After(c.End) {
		return "the file holds a later one: restart this process"
	}
	return c.Do
}
