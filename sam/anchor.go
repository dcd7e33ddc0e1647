package sam

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
)

// anchor is what is kept outside the database, so that an older copy of it put
// back by anyone shows at the next start (T34, KPR-03, BKP-03). It is at most
// AnchorEvery older than the last commit.
type anchor struct {
	Cluster    string `json:"cluster"`
	Instance   string `json:"instance"`
	Epoch      int64  `json:"epoch"`
	Seq        int64  `json:"seq"`                // audit record that must be there
	Head       string `json:"head"`               // its hash, hex
	Tombstones int64  `json:"tombstones"`         // destroyed keys
	Listed     int64  `json:"listed,omitempty"`   // lines of the list of failures
	SealLow    int64  `json:"seal_low,omitempty"` // first epoch of seals in the files beside it; 0: the first there is
}

// lockAnchor keeps the anchor for this process alone, until the file is closed or
// the process ends. Two modules on one anchor, each with its own copy of the
// database, would each take an approval that the other has consumed (SAP-04).
func lockAnchor(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: anchor: %w", ErrOpen, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%w: the anchor %s is in use by another samd; one database and one samd belong to it", ErrOpen, path)
	}
	return f, nil
}

type anchorFile struct {
	Anchor anchor `json:"anchor"`
	MAC    string `json:"mac"`
}

const maxAnchor = 4096 // octets

func decodeMAC(text string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(text) }

// readAnchor returns nil when there is none.
func readAnchor(path string, s *sealer) (*anchor, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: anchor: %w", ErrOpen, err)
	}
	var f anchorFile
	if len(text) > maxAnchor {
		return nil, fmt.Errorf("%w: anchor %s is too large", ErrOpen, path)
	}
	if err := jcs.Unmarshal(bytes.TrimSuffix(text, []byte("\n")), &f); err != nil {
		return nil, fmt.Errorf("%w: anchor %s: %w", ErrOpen, path, err)
	}
	body, err := jcs.Marshal(f.Anchor)
	if err != nil {
		return nil, fmt.Errorf("%w: anchor %s: %w", ErrOpen, path, err)
	}
	mac, err := decodeMAC(f.MAC)
	if err != nil || !s.anchorOK(body, mac) {
		return nil, fmt.Errorf("%w: anchor %s was not made with this token and cluster name", ErrOpen, path)
	}
	return &f.Anchor, nil
}

// writeAnchor replaces the file by one that fits the committed state.
func (m *Module) writeAnchor(ctx context.Context) error {
	if m.waitsFor(DecideRestore) != nil && !m.accepted.Load() {
		return nil // what the anchor knows stays, until two officers give it up
	}
	m.anchorMu.Lock()
	defer m.anchorMu.Unlock()
	a := anchor{Cluster: m.cfg.Cluster, Instance: m.instance, Epoch: m.epoch}
	a.SealLow = laterEpoch(m.seal.now.Load().fileLow)
	err := m.view(ctx, func(tx *Tx) error {
		head, err := tx.Audit.Last()
		if err != nil {
			return err
		}
		if err := follows(tx, m.anchored, head); err != nil {
			return err
		}
		a.Seq, a.Head = head.Seq, hex.EncodeToString(head.Hash)
		a.Tombstones, err = tx.Tombstones.Count()
		return err
	})
	if errors.Is(err, errTakenBack) {
		m.shut(ctx, err.Error())
	}
	if err != nil {
		return err
	}
	if err := m.graves.follow(ctx, m); err != nil {
		return err
	}
	a.Listed = m.ledger.count()
	body, err := jcs.Marshal(a)
	if err != nil {
		return err
	}
	text, err := jcs.Marshal(anchorFile{Anchor: a, MAC: b64(m.seal.anchorMAC(body))})
	if err != nil {
		return err
	}
	failpoint.Before("samd/anchor-replaced")
	if err := replaceFile(m.cfg.AnchorPath, append(text, '\n')); err != nil {
		return err
	}
	failpoint.After("samd/anchor-replaced")
	m.anchored = a
	return nil
}

// keepAnchor writes the anchor, tries again with the next turn when that fails, and
// records when it begins to fail and when it works again (AUD-09): as long as the
// file is old, so is what it can prove. Nothing else stops: the database is the
// authority on what is consumed, the anchor only says whether it is the right one.
func (m *Module) keepAnchor(ctx context.Context) {
	err := m.writeAnchor(ctx)
	if err != nil {
		m.dirty.Store(true)
		m.logger.Error("samd: anchor could not be written", "err", err)
	}
	if m.unkept == (err != nil) || errors.Is(err, errTakenBack) {
		return
	}
	logErr := m.update(ctx, self(), func(w *work) error {
		if err == nil {
			_, err := w.log(EventAnchorKept, audit.OK, "", audit.Data{})
			return err
		}
		_, logErr := w.log(EventAnchorLost, audit.Error, sap.ReasonStore, audit.Data{"detail": detail(err)})
		return logErr
	})
	if logErr != nil {
		m.logger.Error("samd: the state of the anchor could not be recorded yet", "err", logErr)
		return
	}
	m.unkept = err != nil
}

// errTakenBack: the chain in the database does not go on from the anchor. Someone
// put an older database in place of the one that is open; an anchor written now
// would make that state the right one.
var errTakenBack = errors.New("sam: the database was put back while the module was running: its audit chain does not continue the anchored one")

// follows checks that the chain that ends at head contains the anchored record.
func follows(tx *Tx, a anchor, head audit.Head) error {
	if a.Head == "" {
		return nil // a new module: nothing is anchored yet
	}
	if head.Seq < a.Seq {
		return fmt.Errorf("%w (it ends at record %d, record %d was there)", errTakenBack, head.Seq, a.Seq)
	}
	rec, err := tx.Audit.Page(a.Seq, 1)
	if err != nil {
		return err
	}
	if len(rec) != 1 || rec[0].Seq != a.Seq || hex.EncodeToString(rec[0].Hash) != a.Head {
		return fmt.Errorf("%w (record %d is another one)", errTakenBack, a.Seq)
	}
	return nil
}

// replaceFile writes beside, flushes, renames and flushes the directory: after a
// crash the file is the old or the new one.
func replaceFile(path string, text []byte) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(path)
}

// syncDir makes the names in the folder of path durable.
func syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// tail is how many records before the head are verified at every start: in
// practice the whole chain, at about 200 000 a second. The history of a record
// (LastOf) is taken from the chain, so an edited record would let an older row be
// put back (T33). What is older still is verified off line ("assent audit verify").
const tail = 1_000_000

// checkState compares the database with the anchor. One that is older, or that was
// written by a restore, waits for two officers (restore.go). a is nil when the
// anchor is lost and a restore was begun.
func (m *Module) checkState(ctx context.Context, meta *Meta, a *anchor) (*Meta, error) {
	if err := m.seal.check(meta); err != nil {
		return nil, fmt.Errorf("%w: %w (is this the token that the database belongs to?)", ErrOpen, err)
	}
	p := restorePoint{lost: []string{}}
	if a == nil {
		p.lost = m.missing()
		a = &anchor{Cluster: meta.Cluster, Instance: meta.Instance, Epoch: meta.Epoch, Seq: -1}
	}
	p.anchor = *a
	if meta.Cluster != m.cfg.Cluster || a.Cluster != m.cfg.Cluster || a.Instance != meta.Instance {
		return nil, fmt.Errorf("%w: database is of %s (%s), anchor of %s (%s), configured is %s",
			ErrOpen, meta.Cluster, meta.Instance, a.Cluster, a.Instance, m.cfg.Cluster)
	}
	older, err := m.compareAnchor(ctx, meta, a)
	if err != nil {
		return nil, err
	}
	if err := m.openStatementKey(ctx, meta); err != nil { // what is written next may be a checkpoint
		return nil, err
	}
	if older == "" {
		if older, err = m.noticeOfRestore().read(); err != nil {
			return nil, err
		}
	}
	if older != "" {
		return meta, m.waitRestore(ctx, meta, p, older)
	}
	return meta, nil
}

// compareAnchor verifies the end of the chain and says in what the database is
// behind the anchor; "" when it is not.
func (m *Module) compareAnchor(ctx context.Context, meta *Meta, a *anchor) (older string, err error) {
	seals := m.seal.now.Load()
	err = m.store.View(ctx, func(tx *Tx) error {
		head, err := tx.Audit.Last()
		if err != nil {
			return err
		}
		last, err := tx.Audit.LastOf(meta.object())
		if err != nil {
			return err
		}
		if n := m.ledger.count(); n < a.Listed {
			return fmt.Errorf("%w: %s has %d lines, the anchor knows %d", ErrOpen, m.ledger.path, n, a.Listed)
		}
		if int64(m.graves.len()) < a.Tombstones {
			return fmt.Errorf("%w: %s lists %d destroyed keys, the anchor knows %d", ErrOpen, m.graves.path, m.graves.len(), a.Tombstones)
		}
		if err := verifyTail(tx, meta.Instance, min(a.Seq, head.Seq-tail), head); err != nil {
			return fmt.Errorf("%w: %w", ErrOpen, err)
		}
		stones, err := tx.Tombstones.Count()
		if err != nil {
			return err
		}
		switch {
		case last != meta.Seq:
			return fmt.Errorf("%w: the module's own record is not the last one that was written", ErrOpen)
		case a.Seq < 0:
			older = "there is no anchor"
		case seals.records.epoch < seals.files.epoch:
			older = fmt.Sprintf("it is sealed under epoch %d, the anchor under epoch %d", seals.records.epoch, seals.files.epoch)
		case meta.Epoch > a.Epoch: // accepted by two officers, and a crash before its anchor was written
			return nil
		case head.Seq < a.Seq:
			older = fmt.Sprintf("it ends at audit record %d, the anchor knows %d", head.Seq, a.Seq)
		case meta.Epoch != a.Epoch:
			older = fmt.Sprintf("its epoch is %d, the anchor's %d", meta.Epoch, a.Epoch)
		case stones < max(a.Tombstones, int64(m.graves.len())):
			older = fmt.Sprintf("it knows %d destroyed keys, the anchor %d", stones, max(a.Tombstones, int64(m.graves.len())))
		}
		if older != "" {
			return nil
		}
		rec, err := tx.Audit.Page(a.Seq, 1)
		if err != nil {
			return err
		}
		if len(rec) != 1 || rec[0].Seq != a.Seq || hex.EncodeToString(rec[0].Hash) != a.Head {
			older = "audit record " + strconv.FormatInt(a.Seq, 10) + " is not the anchored one"
		}
		return nil
	})
	return older, err
}

// verifyTail checks the chain after record from, which is taken as it stands,
// up to the head; from below 0 means all of it.
func verifyTail(tx *Tx, chain string, from int64, head audit.Head) error {
	start := audit.Checkpoint{Seq: -1}
	if from >= 0 {
		rec, err := tx.Audit.Page(from, 1)
		if err != nil {
			return err
		}
		if len(rec) != 1 || rec[0].Seq != from {
			return &audit.BadRecord{Index: from, Why: "missing"}
		}
		start = audit.Checkpoint{Chain: chain, Seq: from, Hash: rec[0].Hash}
	}
	_, err := audit.VerifyFrom(start, pages(tx, start.Seq+1), audit.Checkpoint{Chain: chain, Seq: head.Seq, Hash: head.Hash})
	return err
}

// pages walks the chain from a record on.
func pages(tx *Tx, from int64) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for {
			page, err := tx.Audit.Page(from, 500)
			if err != nil {
				yield(audit.Record{}, err)
				return
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
			}
			if len(page) == 0 {
				return
			}
			from = page[len(page)-1].Seq + 1
		}
	}
}
