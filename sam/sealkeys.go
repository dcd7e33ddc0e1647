package sam

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
)

// The keys of seals have epochs (KPR-06). Those of the first are derived as they were
// before there were epochs. From the second on, an epoch is made in the token: a named
// key, its mark, whose public half is part of what the epoch's keys are derived for.
// Nobody can derive them before the mark is made, who once could derive the others
// neither, and nothing of the database says what they are. The end of an epoch is in
// the token too: its mark is destroyed; for the first, which has none, a mark of its
// end is made. A database with its anchor, both put back from before that, find no
// keys.

func sealMark(cluster string, epoch int64) cryptotoken.KeyRef {
	label := "assent-seal-epoch/" + cluster + "/" + strconv.FormatInt(epoch, 10)
	if epoch == 1 {
		label += "-ended"
	}
	return cryptotoken.KeyRef{Label: label}
}

// errSealGone: the token does not have an epoch, or has ended it.
var errSealGone = errors.New("sam: the token has no such epoch of the sealing key: two officers destroyed it, or it was never made there")

// sealOf derives the keys of an epoch that the token has.
func sealOf(ctx context.Context, token cryptotoken.Token, cluster string, epoch int64) (*epochSeal, error) {
	before, err := sealLabels(ctx, token, cluster, epoch)
	if err != nil {
		return nil, err
	}
	return newEpochSeal(ctx, token.(cryptotoken.Sealer), cluster, epoch, before)
}

// sealLabels is what stands before the purposes of an epoch that the token has.
func sealLabels(ctx context.Context, token cryptotoken.Token, cluster string, epoch int64) (string, error) {
	if _, ok := token.(cryptotoken.Sealer); !ok {
		return "", fmt.Errorf("%w: the token cannot derive seals", ErrOpen)
	}
	key, err := token.Signer(ctx, sealMark(cluster, epoch))
	missing := errors.Is(err, cryptotoken.ErrKeyNotFound)
	switch {
	case err != nil && !missing:
		return "", fmt.Errorf("%w: epoch %d of the sealing key: %w", ErrOpen, epoch, err)
	case missing != (epoch == 1):
		return "", fmt.Errorf("%w: epoch %d: %w", ErrOpen, epoch, errSealGone)
	case missing:
		return "", nil
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return "", fmt.Errorf("%w: epoch %d of the sealing key: %w", ErrOpen, epoch, err)
	}
	sum := sha256.Sum256(spki)
	return fmt.Sprintf(sealEpoch, epoch, b64(sum[:])), nil
}

// makeSeal makes the next epoch in the token. One that is there already belongs to a
// rotation that was never committed, or to a database that was put back together with its
// anchor: it is neither taken nor destroyed, its number is passed over.
func (m *Module) makeSeal(ctx context.Context, after int64) (*epochSeal, error) {
	named, err := m.named()
	if err != nil {
		return nil, err
	}
	for epoch := after + 1; epoch <= maxSealEpochs; epoch++ {
		_, err := named.CreateKey(ctx, sealMark(m.cfg.Cluster, epoch), algo.P256)
		if errors.Is(err, cryptotoken.ErrKeyExists) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return sealOf(ctx, m.token, m.cfg.Cluster, epoch)
	}
	return nil, fmt.Errorf("the token has %d epochs of the sealing key, which is the most", maxSealEpochs)
}

// endSeal ends an epoch in the token; false when it was ended before.
func (m *Module) endSeal(ctx context.Context, epoch int64) (bool, error) {
	named, err := m.named()
	if err != nil {
		return false, err
	}
	ref := sealMark(m.cfg.Cluster, epoch)
	if epoch == 1 {
		_, err = named.CreateKey(ctx, ref, algo.P256)
	} else {
		err = named.DestroyKey(ctx, ref)
	}
	if errors.Is(err, cryptotoken.ErrKeyExists) || errors.Is(err, cryptotoken.ErrKeyNotFound) {
		return false, nil
	}
	return err == nil, err
}

// firstSeal is the epoch of a new module: the first, unless an earlier module of this
// name has ended it.
func (m *Module) firstSeal(ctx context.Context) (*epochSeal, error) {
	for epoch := int64(1); ; epoch++ {
		k, err := sealOf(ctx, m.token, m.cfg.Cluster, epoch)
		if err == nil || !errors.Is(err, errSealGone) || epoch > maxSealEpochs {
			return k, err
		}
	}
}

// peekAnchor tells under which epoch the anchor says to be sealed, and which is the
// first of the files beside it; 0 when there is no anchor. Nothing of it is proven yet.
func peekAnchor(path string) (epoch, low int64) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, 0
	}
	var f anchorFile
	if err == nil && len(text) <= maxAnchor {
		err = jcs.Unmarshal(bytes.TrimSuffix(text, []byte("\n")), &f)
	}
	mac, macErr := decodeMAC(f.MAC)
	if err != nil || macErr != nil || epochOf(mac) == 0 {
		return 1, 1 // who reads it says what is wrong
	}
	epoch = epochOf(mac)
	return epoch, min(max(f.Anchor.SealLow, 1), epoch)
}

// openSeal finds out which epochs of seals count (KPR-06), before anything sealed is read: those
// that the database names, and that of the anchor. What it goes by is verified as soon
// as there are keys to do it with.
func (m *Module) openSeal(ctx context.Context) error {
	file, fileLow := peekAnchor(m.cfg.AnchorPath)
	meta, err := m.metaAsItIs(ctx)
	switch {
	case err != nil:
		return err
	case meta == nil && file == 0:
		k, err := m.firstSeal(ctx)
		if err == nil {
			m.seal.now.Store(alone(k))
		}
		return err
	case meta == nil: // and an anchor: openState says what that means
		return m.useSeals(ctx, file, file, file, fileLow)
	}
	own, low := epochOf(meta.MAC), meta.SealLow
	if own == 0 || own != meta.SealEpoch || low < 1 || low > own {
		return fmt.Errorf("%w: the database does not say under which epochs it is sealed: the module's own record was changed", ErrOpen)
	}
	switch {
	case file == 0: // lost: the newest epoch that the token has after the database's
		for file, fileLow = own, low; ; file++ {
			if _, err := sealOf(ctx, m.token, m.cfg.Cluster, file+1); errors.Is(err, errSealGone) {
				break
			} else if err != nil {
				return err
			}
		}
	case file < low:
		return fmt.Errorf("%w: the anchor %s is sealed under epoch %d and the database under epoch %d: it was put back from before the change of the sealing key; put the last one back",
			ErrOpen, m.cfg.AnchorPath, file, own)
	case file < own: // a crash between the change and its anchor
		file, fileLow = own, low
	case file == own:
		fileLow = max(low, fileLow)
	}
	return m.useSeals(ctx, own, low, file, fileLow)
}

func (m *Module) metaAsItIs(ctx context.Context) (meta *Meta, err error) {
	err = m.store.View(ctx, func(tx *Tx) error {
		var err error
		if meta, err = tx.Meta.Get(); isNotFound(err) {
			meta = nil
			return nil
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrOpen, err)
	}
	return meta, err
}

// useSeals derives the keys of all epochs that count. own and low are the database's;
// file, which is not before own, and fileLow those of the anchor and what is beside it.
func (m *Module) useSeals(ctx context.Context, own, low, file, fileLow int64) error {
	w := &window{low: low, high: file, fileLow: fileLow, all: map[int64]*epochSeal{}}
	for e := min(low, fileLow); e <= file; e++ {
		k, err := sealOf(ctx, m.token, m.cfg.Cluster, e)
		switch {
		case errors.Is(err, errSealGone) && e <= own:
			return fmt.Errorf("%w; the database needs it, so it is from before the change of the sealing key: restore a backup that was made after it", err)
		case errors.Is(err, errSealGone):
			return fmt.Errorf("%w; the anchor %s was not made with this token and cluster name", err, m.cfg.AnchorPath)
		case err != nil:
			return err
		}
		w.all[e] = k
	}
	w.records, w.files = w.all[own], w.all[file]
	m.seal.now.Store(w)
	return nil
}

// change replaces the window. Only one goroutine does at a time: it holds rotateMu, or
// opens the module.
func (s *sealer) change(f func(*window)) {
	w := *s.now.Load()
	w.all = maps.Clone(w.all)
	f(&w)
	s.now.Store(&w)
}

// admit believes an epoch beside the others, and seals nothing under it yet: readers
// may see what is committed before the committing call returns.
func (s *sealer) admit(k *epochSeal) {
	s.change(func(w *window) { w.all[k.epoch], w.high = k, k.epoch })
}

// use seals everything new under an epoch that counts.
func (s *sealer) use(epoch int64) {
	s.change(func(w *window) { w.records, w.files = w.all[epoch], w.all[epoch] })
}

// withdraw forgets an epoch that was admitted and never used.
func (s *sealer) withdraw() {
	s.change(func(w *window) { delete(w.all, w.high); w.high = w.records.epoch })
}

// end stops believing what is older than the present epoch.
func (s *sealer) end() {
	s.change(func(w *window) { *w = *alone(w.records) })
}

// laterEpoch is an epoch as it is written where the first says nothing.
func laterEpoch(epoch int64) int64 {
	if epoch == 1 {
		return 0
	}
	return epoch
}
