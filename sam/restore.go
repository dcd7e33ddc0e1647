package sam

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/sap"
)

// DecideRestore accepts a database that is older than its anchor.
const DecideRestore = "restore"

// AcceptRestore is the argument of the decision restore. It names the database by
// a record of its audit chain and the state that is given up by the anchored one.
type AcceptRestore struct {
	Seq        int64  `json:"seq"`         // last audit record of the database when it was found
	Head       string `json:"head"`        // its hash, hex
	AnchorSeq  int64  `json:"anchor_seq"`  // record that the anchor knows; -1 when there is no anchor
	AnchorHead string `json:"anchor_head"` // its hash, hex
	// Lost names what is missing beside the database and what goes with it: "anchor"
	// (how new the database ought to be), "tombstones" (keys destroyed since),
	// "failures" (lockouts and revoked officers since). The officers acknowledge it by
	// these very words.
	Lost []string `json:"lost"`
	Why  string   `json:"why"`
}

// Words of AcceptRestore.Lost.
const (
	LostAnchor     = "anchor"
	LostTombstones = "tombstones"
	LostFailures   = "failures"
)

// EventKept is a count of failures, or a lock, that the restored database did not
// know.
const EventKept = "lockout_kept"

// restorePoint is what a start found of an older database.
type restorePoint struct {
	anchor anchor
	epoch  int64
	lost   []string
}

// waitRestore closes the module until two officers accept the older database. Who
// was revoked since does not count, and what is on the list beside the anchor is
// believed at once, since it only takes power away.
func (m *Module) waitRestore(ctx context.Context, meta *Meta, p restorePoint, older string) error {
	if meta.Ceremony == "" {
		return fmt.Errorf("%w: the database is from before the ceremony: nobody could accept it, and whoever holds another ceremony would be an officer", ErrOpen)
	}
	p.epoch = meta.Epoch
	m.restoring = &p
	var head audit.Head
	err := m.view(ctx, func(tx *Tx) error {
		var err error
		head, err = tx.Audit.Last()
		return err
	})
	if err == nil {
		err = m.update(ctx, self(), m.ledger.revoke)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOpen, err)
	}
	if len(p.lost) > 0 {
		older += fmt.Sprintf("; lost: %v", p.lost)
	}
	return m.wait(Waiting{
		Kind: DecideRestore,
		Why:  fmt.Sprintf("the database is older than the anchor: %s; if it is a wanted restore, two officers accept it: assent restore accept", older),
		Args: mustArgs(AcceptRestore{Seq: head.Seq, Head: hex.EncodeToString(head.Hash), AnchorSeq: p.anchor.Seq, AnchorHead: p.anchor.Head, Lost: p.lost}),
	})
}

// restoreWanted checks the arguments of the decision against what was found.
func (w *work) restoreWanted(args []byte) (*AcceptRestore, error) {
	in, err := decodeArgs[AcceptRestore](args)
	if err != nil {
		return nil, err
	}
	p := w.m.restoring
	switch {
	case w.m.waitsFor(DecideRestore) == nil || p == nil:
		return nil, fmt.Errorf("%w: the database is as new as its anchor", sap.ReasonState)
	case in.Why == "" || len(in.Why) > 200 || !sap.Displayable(in.Why):
		return nil, fmt.Errorf("%w: say why, in at most 200 octets", sap.ReasonInvalid)
	case in.AnchorSeq != p.anchor.Seq || in.AnchorHead != p.anchor.Head:
		return nil, fmt.Errorf("%w: the anchor is another one", sap.ReasonInvalid)
	case !slices.Equal(in.Lost, p.lost):
		return nil, fmt.Errorf("%w: what is lost is %q, acknowledged is %q", sap.ReasonInvalid, p.lost, in.Lost)
	}
	rec, err := w.Audit.Page(in.Seq, 1)
	if err != nil {
		return nil, err
	}
	if len(rec) != 1 || rec[0].Seq != in.Seq || hex.EncodeToString(rec[0].Hash) != in.Head {
		return nil, fmt.Errorf("%w: the database is another one: record %d is not the named one", sap.ReasonInvalid, in.Seq)
	}
	return &in, nil
}

func checkRestore(w *work, args []byte) error {
	_, err := w.restoreWanted(args)
	return err
}

// applyRestore opens a new epoch (SAP-04, BKP-03): aud changes, and what was asked
// for, approved, proposed or opened before is void. What must not go back does
// not: destroyed keys, keys on hold, counts of failures and locks (ROL-04, KPR-05, BKP-02).
func applyRestore(w *work, by [2]Caller, args []byte) (audit.Data, error) {
	in, err := w.restoreWanted(args)
	if err != nil {
		return nil, err
	}
	meta, err := w.Meta.Get()
	if err != nil {
		return nil, err
	}
	if err := w.m.verified(w.Tx, meta, false); err != nil {
		return nil, err
	}
	notice, err := w.m.noticeOfRestore().read()
	if err != nil {
		return nil, err
	}
	p := w.m.restoring
	if meta.Epoch != p.epoch {
		return nil, fmt.Errorf("%w: it is accepted already", sap.ReasonState)
	}
	meta.Epoch = max(meta.Epoch, p.anchor.Epoch) + 1
	files := w.m.seal.now.Load().files // of a later epoch, when the sealing key was changed since (KPR-06)
	meta.SealEpoch = files.epoch
	failpoint.Before("samd/45-epoch-bumped")
	defer failpoint.After("samd/45-epoch-bumped")
	seq, err := w.log(EventRestore, audit.OK, "", audit.Data{
		"obj": meta.object(), "epoch": meta.Epoch, "seq": in.Seq, "head": in.Head, "anchor_seq": p.anchor.Seq, "anchor_head": p.anchor.Head,
		"seal_epoch": meta.SealEpoch, "seal_low": meta.SealLow, "anchor_tombstones": p.anchor.Tombstones, "lost": p.lost, "notice": notice, "first": by[0].Identity, "second": by[1].Identity, "why": in.Why,
	})
	if err != nil {
		return nil, err
	}
	w.stampUnder(files, meta, seq)
	if err := w.Meta.Update(meta); err != nil {
		return nil, err
	}
	for _, step := range []func() error{
		func() error { return w.m.graves.bury(w) },
		func() error { return w.m.ledger.keep(w) },
		w.withdrawOld,
		func() error { return w.voidBefore(len(p.lost) > 0) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return audit.Data{"epoch": meta.Epoch}, nil
}

// voidBefore makes everything void that was asked for until now: sessions and
// enrolments. strict: the counts of failures are lost, so that every authenticator
// has one try left (AFL-01).
func (w *work) voidBefore(strict bool) error {
	cond, err := w.condition()
	if err != nil {
		return err
	}
	seq, err := w.log(EventCondition, audit.OK, "", audit.Data{"obj": cond.object(), "config": cond.Config, "strict": strict})
	if err != nil {
		return err
	}
	cond.VoidBefore, cond.Restored = seq, seq
	if strict {
		cond.StrictBefore = seq
	}
	w.stamp(cond, seq)
	return w.Condition.Update(cond)
}

// withdrawOld ends proposals that the old database believes to wait: they may have
// been withdrawn since.
func (w *work) withdrawOld() error {
	list, err := w.Proposals.List(ProposalPending, maxPending)
	if err != nil {
		return err
	}
	who := w.caller
	w.caller = self()
	defer func() { w.caller = who }()
	for _, p := range list {
		if p.Kind == DecideRestore || p.Kind == DecidePolicy {
			continue // of this waiting, or about nothing any more
		}
		if err := w.m.verified(w.Tx, p, false); err != nil {
			return err
		}
		if err := w.decide(p, ProposalWithdrawn, EventWithdrawn, audit.Data{}); err != nil {
			return err
		}
	}
	return nil
}

// afterRestore does what a start does with a database that it may believe.
func (m *Module) afterRestore(ctx context.Context) error {
	m.accepted.Store(true)
	m.forget()
	m.beginReseal()
	if err := m.steps(ctx, m.reconcile, m.noteMetadata, m.endOrphans, m.followLedger, m.finishRotation, m.finishReplacement); err != nil {
		return err
	}
	if _, err := m.testNow(ctx, self(), testAtStart); err != nil {
		return err
	}
	return errors.Join(m.writeAnchor(ctx), m.noticeOfRestore().remove())
}
