package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/assent-sign/assent/sam"
)

// restore writes the database of a backup into its empty place. It accepts
// nothing: samd, started with it, waits for two officers (BKP-02).
func restore(ctx context.Context, cfg Config, path string, log *slog.Logger) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	token, err := openToken(cfg, log)
	if err != nil {
		return err
	}
	h, by, err := sam.RestoreBackup(ctx, sam.RestoreConfig{
		Cluster: cfg.Cluster, Token: token, AnchorPath: cfg.Anchor, Database: cfg.Database, From: f, Now: time.Now(),
	})
	if err = errors.Join(err, token.Close()); err != nil {
		return err
	}
	log.Warn("samd: restored; start samd, and two officers accept it: assent restore accept", "database", cfg.Database,
		"made", time.Unix(h.Created, 0).UTC(), "by", by.First, "and", by.Second, "epoch", h.Epoch, "seq", h.Seq, "head", h.Head)
	return nil
}
