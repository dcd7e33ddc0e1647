package sam

import (
	"context"
	"encoding/hex"
	"io"
	"os"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
)

// BackupOfBefore writes a backup in whatever state the module is, as releases did that
// made one while records were sealed anew.
func (m *Module) BackupOfBefore(ctx context.Context, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return m.store.(Snapshotter).Snapshot(ctx, func(db io.Reader, size int64, last audit.Head) error {
		h := BackupHeader{
			Cluster: m.cfg.Cluster, Chain: m.instance, Epoch: m.epoch, Seq: last.Seq, Head: hex.EncodeToString(last.Hash),
			Created: m.clock.Now().Unix(), Program: m.cfg.Version, Size: size, Seal: laterEpoch(m.seal.now.Load().records.epoch),
		}
		return writeBackup(ctx, m.token, h, BackupMaker{"officer-1", "officer-2", "nightly"}, db, f)
	})
}

// ActBackup is what follows from an approved decision of a backup.
func (m *Module) ActBackup(ctx context.Context, p *Proposal) error { return makeBackup(ctx, m, p) }

// Judged is the number of assertions that were verified.
func (m *Module) Judged() uint64 { return m.judged.Load() }

// SubjectNames is names for a subject in its text form.
func SubjectNames(subject, name string, production bool) error {
	der, err := parseName(subject)
	if err != nil {
		return err
	}
	return (&Module{cfg: Config{Production: production}}).names(der, &Signer{Name: name})
}

// Kept tells whether a one-time key is in the module's memory.
func (m *Module) Kept(key string) bool {
	_, ok := m.onceKeys.peek(key, m.clock.Now())
	return ok
}

// Pooled is how many unused one-time keys the module has.
func (m *Module) Pooled(kt string) int { return m.onceKeys.pooled(algo.KeyType(kt)) }

// CloseForUse closes the module for use, as a failure does.
func (m *Module) CloseForUse(why string) { m.shut(context.Background(), why) }
