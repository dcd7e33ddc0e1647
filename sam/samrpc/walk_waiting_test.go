package samrpc_test

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samrpc"
	"github.com/assent-sign/assent/sam/samtest"
)

// restart is what whoever runs the host can do to a module in the middle of a walk:
// start it with another configuration, or with an older copy of its database. The
// walk goes on while it waits for two officers, and after they have accepted.
func (k *walker) restart(old string, change func(*sam.Config)) {
	if err := k.M.Close(); err != nil {
		k.t.Fatal(err)
	}
	k.M = nil
	if old != "" {
		samtest.CopyFile(k.t, old, k.DB())
		_, _ = os.Remove(k.DB()+"-wal"), os.Remove(k.DB()+"-shm")
	}
	change(&k.Cfg)
	if err := k.Open(); err != nil {
		k.t.Fatal(err)
	}
	k.handler = samrpc.New(k.M, slog.New(slog.NewTextHandler(io.Discard, nil))).Handler()
}

// copyDB copies the database as of now.
func (k *walker) copyDB() string {
	path := k.DB() + ".copy"
	k.restart("", func(*sam.Config) {
		samtest.CopyFile(k.t, k.DB(), path)
	})
	return path
}

// waits tells whether the module waits for two officers.
func (k *walker) waits() bool {
	return k.Waits(sam.DecidePolicy) != nil || k.Waits(sam.DecideRestore) != nil
}

// accept has the honest officers accept what the module waits for; it may fail,
// since the walk may have taken their roles.
func (k *walker) accept() bool {
	for _, kind := range []string{sam.DecideRestore, sam.DecidePolicy} {
		if in := k.Waits(kind); in != nil {
			if _, err := k.Try(kind, in); err != nil {
				return false
			}
		}
	}
	return k.M.Health(context.Background(), samtest.Watch) == nil
}
