package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/assent-sign/assent/sam"
)

// journal writes each record as a line behind the priority that systemd's journal
// reads there (sd-daemon(3)), so that alarms can be told from the rest
// ("journalctl -p alert") and hooked (AUD-09).
type journal struct {
	out   *output
	inner slog.Handler // writes to out.line
}

type output struct {
	mu   sync.Mutex
	to   io.Writer
	line bytes.Buffer
}

// newJournal wraps a handler that make builds.
func newJournal(to io.Writer, build func(io.Writer) slog.Handler) slog.Handler {
	out := &output{to: to}
	return &journal{out, build(&out.line)}
}

// priority is a level as syslog's severity.
func priority(l slog.Level) int {
	switch {
	case l >= sam.LevelAlarm:
		return 1
	case l >= slog.LevelError:
		return 3
	case l >= slog.LevelWarn:
		return 4
	case l >= slog.LevelInfo:
		return 6
	}
	return 7
}

// Enabled implements slog.Handler.
func (j *journal) Enabled(ctx context.Context, l slog.Level) bool { return j.inner.Enabled(ctx, l) }

// Handle implements slog.Handler.
func (j *journal) Handle(ctx context.Context, r slog.Record) error {
	j.out.mu.Lock()
	defer j.out.mu.Unlock()
	j.out.line.Reset()
	fmt.Fprintf(&j.out.line, "<%d>", priority(r.Level))
	if err := j.inner.Handle(ctx, r); err != nil {
		return err
	}
	_, err := j.out.to.Write(j.out.line.Bytes())
	return err
}

// WithAttrs implements slog.Handler.
func (j *journal) WithAttrs(a []slog.Attr) slog.Handler { return &journal{j.out, j.inner.WithAttrs(a)} }

// WithGroup implements slog.Handler.
func (j *journal) WithGroup(name string) slog.Handler {
	return &journal{j.out, j.inner.WithGroup(name)}
}
