package sam

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/sap"
)

// DecideBackup writes a backup of the database into the configured folder.
const DecideBackup = "backup"

// MakeBackup is the argument of the decision backup. Where it is written to is
// configured, so that no officer chooses a place.
type MakeBackup struct {
	Why string `json:"why"`
}

// EventBackup is a backup that is on disk, whole.
const EventBackup = "backup_made"

// objectBackup names, in the audit data, the records that tell of backups.
const objectBackup = "backup"

// Snapshotter is what a Store can do that backups are made of.
type Snapshotter interface {
	// Snapshot hands a consistent copy of the database to use, with its size and its
	// last audit record; the copy is removed afterwards. Others go on reading and
	// writing meanwhile.
	Snapshot(ctx context.Context, use func(db io.Reader, size int64, last audit.Head) error) error
}

// BackupReport is the last backup of this run.
type BackupReport struct {
	Name    string // of the file
	Size    int64
	Seq     int64 // last audit record in it
	Created int64
}

func checkBackup(w *work, args []byte) error {
	in, err := decodeArgs[MakeBackup](args)
	if err != nil {
		return err
	}
	if in.Why == "" || len(in.Why) > 200 || !sap.Displayable(in.Why) {
		return fmt.Errorf("%w: say why, in at most 200 octets", sap.ReasonInvalid)
	}
	if _, ok := w.m.store.(Snapshotter); !ok || w.m.cfg.Backups == "" {
		return fmt.Errorf("%w: no folder for backups is configured", sap.ReasonState)
	}
	if err := w.m.mayBackup(); err != nil {
		return err
	}
	now, err := w.m.currentKEK(context.Background())
	if err != nil {
		return err
	}
	return rewrapped(w.Tx, now)
}

// mayBackup refuses while records of two epochs of the sealing key are in the database
// (KPR-06, BKP-01): a file made then is worth nothing once the older epoch is destroyed, and the
// officers who rely on it learn that when they need it. rewrapped is the same for the
// wrapping key.
func (m *Module) mayBackup() error {
	if w := m.seal.now.Load(); w.low != w.high {
		return fmt.Errorf("%w: records of epoch %d are still being sealed anew under epoch %d: order the backup again when status shows one epoch (records_resealed in the audit chain)",
			sap.ReasonResealing, w.low, w.high)
	}
	return nil
}

// rewrapped refuses while keys of the database are wrapped under another wrapping key
// than the present one (KPR-06, BKP-01): in a backup they would open with that one only.
func rewrapped(tx *Tx, now string) error {
	if now == "" {
		return nil
	}
	left, err := tx.OtherKEK.After(now, "", 1)
	if err != nil || len(left) == 0 {
		return err
	}
	return fmt.Errorf("%w: key %s is under %s, not %s: finish the rotation (decision %s), or destroy that key, and order the backup again",
		sap.ReasonRewrapping, clip(left[0].Key, sap.MaxIDLen), clip(left[0].KEK, 80), now, DecideRotate)
}

// applyBackup changes nothing: the approval is on record, and the file is written
// after its transaction (makeBackup), since it holds it (KPR-05).
func applyBackup(w *work, _ [2]Caller, args []byte) (audit.Data, error) {
	return audit.Data{}, checkBackup(w, args)
}

// makeBackup writes the file (BKP-01): whole or not at all. It holds the wrapped keys,
// of which nobody but the token makes anything (KPR-05, ROL-04).
func makeBackup(ctx context.Context, m *Module, p *Proposal) error {
	m.backupMu.Lock()
	defer m.backupMu.Unlock()
	m.rotateMu.Lock() // what it is sealed under and what is in it are of one epoch
	defer m.rotateMu.Unlock()
	in, err := decodeArgs[MakeBackup](p.Args)
	if err != nil {
		return err
	}
	if err := m.mayBackup(); err != nil { // a change of the sealing key came in between
		return err
	}
	made := madeWith{SealEpoch: m.seal.now.Load().records.epoch, Statement: m.key().id}
	if made.KEK, err = m.currentKEK(ctx); err != nil {
		return err
	}
	report := &BackupReport{}
	err = m.store.(Snapshotter).Snapshot(ctx, func(db io.Reader, size int64, last audit.Head) error {
		// Only now: a key that was made under the old wrapping key, and recorded when all
		// others had been wrapped anew, is in the copy. It stays so while rotateMu is held.
		if err := m.view(ctx, func(tx *Tx) error { return rewrapped(tx, made.KEK) }); err != nil {
			return err
		}
		h := BackupHeader{
			Cluster: m.cfg.Cluster, Chain: m.instance, Epoch: m.epoch, Seq: last.Seq, Head: hex.EncodeToString(last.Hash),
			Created: m.clock.Now().Unix(), Program: m.cfg.Version, Size: size, Seal: laterEpoch(made.SealEpoch),
		}
		*report = BackupReport{Name: fmt.Sprintf("%s-%d-%d.backup", h.Cluster, h.Epoch, h.Seq), Seq: h.Seq, Created: h.Created}
		report.Size, err = m.writeBackupFile(report.Name, func(w io.Writer) error {
			return writeBackup(ctx, m.token, h, BackupMaker{p.By, p.Second, in.Why}, db, w)
		})
		return err
	})
	if errors.Is(err, sap.ReasonRewrapping) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: backup: %w", sap.ReasonStore, err)
	}
	err = m.update(ctx, self(), func(w *work) error {
		_, err := w.log(EventBackup, audit.OK, "", audit.Data{
			"obj": objectBackup, "name": report.Name, "size": report.Size, "seq": report.Seq,
			"seal_epoch": made.SealEpoch, "kek": made.KEK, "statement_key": made.Statement,
			"first": p.By, "second": p.Second, "proposal": p.ID,
		})
		return err
	})
	m.backup.Store(report)
	return err
}

// madeWith is what a backup needs of the token to be restored, as its audit record says.
type madeWith struct {
	SealEpoch int64  `json:"seal_epoch"`
	KEK       string `json:"kek"` // "" when the token's wrapping key has no epochs
	Statement string `json:"statement_key"`
}

// backedUpSince refuses unless the last backup on record was made with the wrapping key and
// the statement key that are in use now, and wholly under a later epoch of the sealing key
// than the given one (KPR-06). Keys in use are not destroyed, so that such a backup can be
// restored whatever is destroyed next, or was before. It goes by the audit chain: whether
// the file is still there, and elsewhere too, only its keepers know.
func (w *work) backedUpSince(seal int64) error {
	label, err := w.m.currentKEK(context.Background())
	if err != nil {
		return err
	}
	last, err := w.lastBackup()
	if err != nil {
		return err
	}
	if last == nil || last.SealEpoch <= seal || last.KEK != label || last.Statement != w.m.key().id {
		return fmt.Errorf("%w: no backup was made since the last change of the wrapping key, the statement key and the sealing key: make one first (decision %s)",
			sap.ReasonNoBackup, DecideBackup)
	}
	return nil
}

// lastBackup reads the last record of a backup; nil when there is none.
func (w *work) lastBackup() (*madeWith, error) {
	last, err := w.Audit.LastOf(objectBackup)
	if err != nil || last < 0 {
		return nil, err
	}
	page, err := w.Audit.Page(last, 1)
	if err != nil {
		return nil, err
	}
	if len(page) != 1 || page[0].Seq != last {
		return nil, fmt.Errorf("%w: audit record %d is missing", sap.ReasonStore, last)
	}
	var d madeWith
	if err := json.Unmarshal([]byte(page[0].Data), &d); err != nil {
		return nil, fmt.Errorf("%w: audit record %d: %w", sap.ReasonStore, last, err)
	}
	return &d, nil
}

// writeBackupFile writes beside, flushes and renames: there is no half a file under
// the name, and after an error nothing at all.
func (m *Module) writeBackupFile(name string, fill func(io.Writer) error) (size int64, err error) {
	path := filepath.Join(m.cfg.Backups, name)
	part := path + ".part"
	if err := m.removeParts(); err != nil {
		return 0, err
	}
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	failpoint.Before("samd/47-backup-taken")
	err = fill(m.disk(f))
	if err == nil {
		size, err = f.Seek(0, io.SeekCurrent)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return 0, errors.Join(err, os.Remove(part))
	}
	failpoint.After("samd/47-backup-taken")
	return size, syncDir(path)
}

// removeParts removes what backups that were killed have left.
func (m *Module) removeParts() error {
	left, err := filepath.Glob(filepath.Join(m.cfg.Backups, "*.backup.part"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// disk is where a backup is written to; Config.Fault, which only tests set, makes
// it full.
func (m *Module) disk(f io.Writer) io.Writer {
	if m.cfg.Fault != nil && m.cfg.Fault("backup-disk") {
		return fullDisk{}
	}
	return f
}

// RestoreConfig says what RestoreBackup needs.
type RestoreConfig struct {
	Cluster    string
	Token      cryptotoken.Token // the one that made the backup
	AnchorPath string
	Database   string // file that does not exist
	From       io.Reader
	Now        time.Time
}

// RestoreBackup writes the database of a backup into an empty place. It accepts
// nothing: the module that is started with it waits, closed, for two officers
// (BKP-02). ErrBackup for a file that is not whole or not of this token; then, and
// after every other error, there is no database.
func RestoreBackup(ctx context.Context, c RestoreConfig) (*BackupHeader, *BackupMaker, error) {
	lock, err := lockAnchor(c.AnchorPath)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = lock.Close() }()
	for _, end := range []string{"", "-wal", "-shm", "-journal"} {
		if _, err := os.Lstat(c.Database + end); !errors.Is(err, os.ErrNotExist) {
			return nil, nil, fmt.Errorf("%w: %s is in the way: a backup is restored into an empty place only; move it away", ErrOpen, c.Database+end)
		}
	}
	part := c.Database + ".part"
	_ = os.Remove(part)
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	h, by, err := readBackup(ctx, c.Token, c.Cluster, c.From, f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, nil, errors.Join(err, os.Remove(part))
	}
	k, err := sealOf(ctx, c.Token, c.Cluster, max(h.Seal, 1))
	if err != nil {
		return nil, nil, errors.Join(err, os.Remove(part))
	}
	seal := &sealer{}
	seal.now.Store(alone(k))
	notice := restoreNotice{c.AnchorPath + ".restored", seal}
	text := fmt.Sprintf("it was restored at %s from the backup of %s, which ends at audit record %d",
		c.Now.UTC().Format(time.RFC3339), time.Unix(h.Created, 0).UTC().Format(time.RFC3339), h.Seq)
	failpoint.Before("samd/restore-placed")
	if err = notice.write(text); err == nil {
		err = os.Rename(part, c.Database)
	}
	if err != nil {
		return nil, nil, errors.Join(err, os.Remove(part))
	}
	failpoint.After("samd/restore-placed")
	return h, by, syncDir(c.Database)
}
