package pkcs11

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/assent-sign/assent/cryptotoken"
)

// Wrapping keys have epochs (KPR-06). The first has the label Config.KEKLabel, each
// further one this label, a slash and its number. The highest that the token holds is
// the current one, so that its number is the token's own record of what was made: it
// is never destroyed, and no number comes back. While it is made and tested it has
// another name, which no process takes for a wrapping key.

const (
	maxKEKs     = 1000 // epochs of one token
	maxLiveKEKs = 16   // at the same time; each is tested at every start

	unfinished = ".new" // end of the label of one that is being made
)

// epochLabel names the wrapping key of an epoch.
func epochLabel(base string, n int) string {
	if n == 1 {
		return base
	}
	return base + "/" + strconv.Itoa(n)
}

// epochOf is its inverse; false for everything that epochLabel does not make.
func epochOf(base, label string) (int, bool) {
	if label == base {
		return 1, true
	}
	digits, ok := strings.CutPrefix(label, base+"/")
	if !ok || len(digits) > len(strconv.Itoa(maxKEKs)) {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil && n >= 2 && n <= maxKEKs && epochLabel(base, n) == label
}

// epochs is what the parent knows of the token's wrapping keys: what children saw and
// made, without what was destroyed.
type epochs struct {
	mu   sync.RWMutex
	live map[int]bool
	gone map[int]bool // destroyed by this process: an answer from before may still list them
	top  int
}

func (e *epochs) learn(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone[n] {
		return
	}
	e.live[n] = true
	e.top = max(e.top, n)
}

func (e *epochs) forget(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.live, n)
	e.gone[n] = true
}

func (e *epochs) has(n int) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.live[n]
}

// current is the highest epoch; the first, before a child has found any.
func (e *epochs) current() int {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return max(e.top, 1)
}

// learnEpochs takes the list of a child that started.
func (t *Token) learnEpochs(labels [][]byte) error {
	if len(labels) > maxLiveKEKs {
		return t.malformed("list of wrapping keys")
	}
	for _, l := range labels {
		n, ok := epochOf(t.cfg.KEKLabel, string(l))
		if !ok {
			return t.malformed("list of wrapping keys")
		}
		t.epochs.learn(n)
	}
	return nil
}

func (t *Token) currentKEK() string { return epochLabel(t.cfg.KEKLabel, t.epochs.current()) }

// CurrentKEK implements cryptotoken.Rotator.
func (t *Token) CurrentKEK(ctx context.Context) (string, error) {
	if err := t.alive(ctx); err != nil {
		return "", err
	}
	return t.currentKEK(), nil
}

// NextKEK implements cryptotoken.Rotator. A wrapping key that an earlier call made, and
// whose answer was lost, is the next one. ErrUnsupported, and nothing is made, when
// the module does not let keys be wrapped anew.
func (t *Token) NextKEK(ctx context.Context) (string, error) {
	if err := t.alive(ctx); err != nil {
		return "", err
	}
	t.kekMu.Lock()
	defer t.kekMu.Unlock()
	now := t.epochs.current()
	rep, err := t.do(ctx, call{
		req: message{kind: opNextKEK, fields: [][]byte{[]byte(epochLabel(t.cfg.KEKLabel, now))}}, extra: 2 * t.cfg.Watchdog, repeat: true,
	})
	if err != nil {
		return "", err
	}
	n, ok := epochOf(t.cfg.KEKLabel, string(rep.field(0)))
	if !ok || n <= now {
		return "", t.malformed("wrapping key")
	}
	t.epochs.learn(n)
	return t.currentKEK(), nil
}

// Rewrap implements cryptotoken.Rotator. Whether an elliptic private key belongs to the
// public one no module tells without using it: that binding is the caller's record
// seal, here as for SignWrapped. What comes out is, provably, the key that went in.
func (t *Token) Rewrap(ctx context.Context, w cryptotoken.Wrapped) (cryptotoken.Wrapped, error) {
	if err := t.checkWrapped(ctx, w); err != nil {
		return cryptotoken.Wrapped{}, err
	}
	to := t.currentKEK()
	rep, err := t.do(ctx, call{
		req:   message{kind: opRewrap, fields: [][]byte{[]byte(w.KeyType), []byte(w.KEK), []byte(to), w.Blob, w.Public}},
		extra: t.cfg.Watchdog, repeat: true,
	})
	if err != nil {
		return cryptotoken.Wrapped{}, err
	}
	n := cryptotoken.Wrapped{KeyType: w.KeyType, Public: bytes.Clone(w.Public), Blob: bytes.Clone(rep.field(0)), KEK: to}
	if _, err := cryptotoken.CheckWrappedForm(n); err != nil {
		return cryptotoken.Wrapped{}, t.malformed("wrapped key")
	}
	return n, nil
}

// DestroyKEK implements cryptotoken.Rotator. When the token has destroyed the key, no
// blob of that epoch gets to a child any more, and every child is replaced by one that
// never saw it: a module made of software may hold a copy in the process (KPR-08).
func (t *Token) DestroyKEK(ctx context.Context, kek string) error {
	if err := t.alive(ctx); err != nil {
		return err
	}
	t.kekMu.Lock()
	defer t.kekMu.Unlock()
	n, ok := epochOf(t.cfg.KEKLabel, kek)
	if !ok || !t.epochs.has(n) {
		return fmt.Errorf("pkcs11 %s: %w: wrapping key %.80q", t.cfg.Name, cryptotoken.ErrKeyNotFound, kek)
	}
	if n == t.epochs.current() {
		return fmt.Errorf("pkcs11 %s: %w: it is the current wrapping key", t.cfg.Name, cryptotoken.ErrInvalidInput)
	}
	_, err := t.do(ctx, call{req: message{kind: opDestroyKEK, fields: [][]byte{[]byte(kek)}}, repeat: true})
	if err != nil && !errors.Is(err, cryptotoken.ErrKeyNotFound) { // not found: by a call whose answer was lost
		return err
	}
	t.epochs.forget(n)
	t.pool.renew()
	return nil
}

// checkKEK refuses, before any child is asked, a blob of an epoch that is no more.
func (t *Token) checkKEK(w cryptotoken.Wrapped) error {
	if n, ok := epochOf(t.cfg.KEKLabel, w.KEK); ok && t.epochs.has(n) {
		return nil
	}
	return cryptotoken.NotStarted(fmt.Errorf("pkcs11 %s: %w: it was wrapped under %.80q, which this token has not; it wraps under %q",
		t.cfg.Name, cryptotoken.ErrBadBlob, cmp.Or(w.KEK, "nothing"), t.currentKEK()))
}
