package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"testing"

	"github.com/assent-sign/assent/sam"
)

// AUD-09: under systemd each line carries its priority, and an alarm the one of an
// alert.
func TestAUD09JournalPriority(t *testing.T) {
	var b bytes.Buffer
	plain := &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	log := slog.New(newJournal(&b, func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, plain) }))
	log.Debug("a")
	log.Info("b")
	log.With("k", "v").Warn("c")
	log.WithGroup("g").Error("d", "k", 1)
	log.Log(context.Background(), sam.LevelAlarm, "e", "alarm", "clock_step")
	want := "<7>level=DEBUG msg=a\n<6>level=INFO msg=b\n<4>level=WARN msg=c k=v\n<3>level=ERROR msg=d g.k=1\n<1>level=ERROR+4 msg=e alarm=clock_step\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
