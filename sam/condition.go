package sam

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// The secure state (FPT-03). A failure takes the module out of service: no key is
// used, nothing is administered; only diagnosis, the self-test and Reopen answer.
// It ends by an officer's Reopen after a passed self-test, and by nothing else: it
// is written in two places, so that neither a crash, a restart nor a failing disk
// forgets it. The sealed condition record is in the database and under the
// anchor's protection; the mark is a file beside the anchor, of fixed size and
// made beforehand, so that closing needs no room on a full disk. Closed in one of
// them is closed. Reopening clears the record first, then the mark: a crash in
// between leaves the module closed.

// condition returns the present condition; it is not changed by the caller.
func (m *Module) condition() *Condition { return m.cond.Load() }

// openCondition reads the condition, or makes it for a database that has none,
// and closes the module when it was closed before.
func (m *Module) openCondition(ctx context.Context) error {
	var cond *Condition
	err := m.view(ctx, func(tx *Tx) error {
		var err error
		if cond, err = tx.Condition.Get(); err == nil {
			return m.verified(tx, cond, true)
		}
		if !isNotFound(err) {
			return err
		}
		last, err := tx.Audit.LastOf((&Condition{}).object())
		if err == nil && last >= 0 {
			return fmt.Errorf("%w: the condition record is missing", sap.ReasonSeal)
		}
		cond = nil
		return err
	})
	if err == nil && cond == nil {
		cond, err = m.newCondition(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOpen, err)
	}
	m.cond.Store(cond)
	m.voidBefore.Store(cond.VoidBefore)
	m.strictBefore.Store(cond.StrictBefore)
	if cond.Closed != "" {
		m.stopUse(cond.Closed)
		return m.markAtStart(cond.Closed)
	}
	why, err := m.mark.read()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOpen, err)
	}
	if why != "" { // the mark was written, the record not
		m.shut(ctx, why)
	}
	return m.markAtStart(m.failedWhy())
}

func (m *Module) markAtStart(why string) error {
	if err := m.mark.write(why); err != nil {
		return fmt.Errorf("%w: %w", ErrOpen, err)
	}
	return nil
}

func (m *Module) newCondition(ctx context.Context) (*Condition, error) {
	cond := &Condition{}
	return cond, m.update(ctx, self(), func(w *work) error {
		if err := w.keepConfiguration(cond, EventCondition, [2]string{}, "first start"); err != nil {
			return err
		}
		return w.Condition.Insert(cond)
	})
}

// stopUse closes the module in memory: from here on no key is used. It is what
// code inside a transaction may call; housekeeping makes it durable.
func (m *Module) stopUse(why string) {
	m.closeMu.Lock()
	defer m.closeMu.Unlock()
	m.failures++
	if m.closed.Load() != nil {
		return
	}
	m.closed.Store(&why)
	m.onceKeys.forgetAll() // none of them can be used any more (onceHolding)
	m.logger.Error("samd: closed", "why", why)
	select {
	case m.unsaved <- struct{}{}:
	default:
	}
}

// shut brings the module into its secure state, durably (FPT-03). When that
// cannot be written, housekeeping tries again; in memory the module is closed at
// once.
func (m *Module) shut(ctx context.Context, why string) {
	m.stopUse(why)
	m.condMu.Lock()
	defer m.condMu.Unlock()
	m.saveOrLater(ctx)
}

// saveOrLater makes a closing durable, or asks housekeeping to. The caller holds
// condMu.
func (m *Module) saveOrLater(ctx context.Context) {
	if err := m.saveClosedLocked(ctx); err != nil {
		m.logger.Error("samd: closing could not be recorded yet", "err", err)
		select {
		case m.unsaved <- struct{}{}:
		default:
		}
	}
}

// saveClosed makes mark and record say that the module is closed, and ends every
// open session: an approval that was given before may not be used afterwards
// (FPT-04).
func (m *Module) saveClosed(ctx context.Context) error {
	m.condMu.Lock()
	defer m.condMu.Unlock()
	return m.saveClosedLocked(ctx)
}

// saveClosedLocked is saveClosed for a caller that holds condMu.
func (m *Module) saveClosedLocked(ctx context.Context) error {
	why := m.failedWhy()
	cond := *m.condition()
	if why == "" || cond.Closed != "" {
		return nil
	}
	markErr := m.mark.write(why)
	err := m.update(context.WithoutCancel(ctx), self(), func(w *work) error {
		cond.Closed, cond.Since = clip(why, 500), w.now.Unix()
		seq, err := w.log(EventClosed, audit.Error, sap.ReasonClosed, audit.Data{"obj": cond.object(), "detail": cond.Closed})
		if err != nil {
			return err
		}
		cond.VoidBefore = seq
		w.stamp(&cond, seq)
		return w.Condition.Update(&cond)
	})
	if err == nil {
		m.cond.Store(&cond)
		m.voidBefore.Store(cond.VoidBefore)
	}
	return errors.Join(markErr, err)
}

// Reopen ends the secure state (officer): all self-tests run, and only when each
// passes is the module open again. why goes into the audit record. Sessions of
// before stay void.
func (m *Module) Reopen(ctx context.Context, c Caller, why string) (*SelfTestReport, error) {
	if err := m.admit(ctx, c, OpReopen); err != nil {
		return nil, err
	}
	report, err := m.reopen(context.WithoutCancel(ctx), c, why)
	if err != nil {
		return nil, m.refuse(ctx, c, string(OpReopen), err, audit.Data{"why": clip(why, 200)})
	}
	return report, nil
}

func (m *Module) reopen(ctx context.Context, c Caller, why string) (*SelfTestReport, error) {
	if why == "" || len(why) > 200 || !sap.Displayable(why) {
		return nil, fmt.Errorf("%w: say why it is safe, in at most 200 octets", sap.ReasonInvalid)
	}
	if m.failedWhy() == "" {
		return nil, fmt.Errorf("%w: the module is open", sap.ReasonState)
	}
	before := m.failureCount()
	if err := m.saveClosed(ctx); err != nil { // what is ended is on record first
		return nil, err
	}
	if err := m.settleTime(ctx, c); err != nil {
		return nil, err
	}
	m.testMu.Lock()
	defer m.testMu.Unlock()
	report, err := m.runTests(ctx, testReopen, func(selfTest) bool { return true })
	m.lastTest.Store(report)
	if logErr := m.logTests(ctx, c, report); logErr != nil {
		return nil, logErr
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sap.ReasonSelfTest, err)
	}
	if err := m.openAgain(ctx, c, why, before); err != nil {
		return nil, err
	}
	m.logger.Warn("samd: opened again", "by", c.actor(), "why", why)
	return report, nil
}

func (m *Module) failureCount() int {
	m.closeMu.Lock()
	defer m.closeMu.Unlock()
	return m.failures
}

// openAgain opens the records and then the memory, in one turn of condMu:
// housekeeping that comes between the two would find a closed module with open
// records, and close those again under a module that is about to be open.
// failures is how many there were before the tests: after one more nothing is opened,
// and what was written before it came is closed again before the officer hears of it.
func (m *Module) openAgain(ctx context.Context, c Caller, why string, failures int) error {
	m.condMu.Lock()
	defer m.condMu.Unlock()
	if m.failureCount() != failures {
		return errFailedAgain
	}
	if err := m.saveOpen(ctx, c, why); err != nil {
		return err
	}
	if !m.openUse(failures) {
		m.saveOrLater(ctx)
		return errFailedAgain
	}
	return nil
}

var errFailedAgain = fmt.Errorf("%w: another failure came while the tests ran", sap.ReasonClosed)

// openUse ends stopUse, unless something failed meanwhile.
func (m *Module) openUse(failures int) bool {
	m.closeMu.Lock()
	defer m.closeMu.Unlock()
	if m.failures != failures {
		return false
	}
	m.closed.Store(nil)
	return true
}

// saveOpen makes record and mark say that the module is open. The caller holds
// condMu.
func (m *Module) saveOpen(ctx context.Context, c Caller, why string) error {
	cond := *m.condition()
	err := m.update(ctx, c, func(w *work) error {
		was := cond.Closed
		cond.Closed, cond.Since = "", w.now.Unix()
		seq, err := w.log(EventReopened, audit.OK, "", audit.Data{"obj": cond.object(), "why": why, "was": was})
		if err != nil {
			return err
		}
		w.stamp(&cond, seq)
		return w.Condition.Update(&cond)
	})
	if err != nil {
		return err
	}
	m.cond.Store(&cond)
	return m.mark.write("")
}

// gate stands between the module and signers' keys: none is used or made while
// the module is closed, whoever asks (FPT-03), and a token that reports tampering
// closes it (FPT-04).
type gate struct {
	cryptotoken.Wrapper
	m *Module
}

func (g gate) shutWhy() error {
	if why := g.m.closedWhy(); why != "" {
		return cryptotoken.NotStarted(fmt.Errorf("%w: %w: %s", sap.ReasonClosed, ErrClosed, why))
	}
	return nil
}

// GenerateWrapped implements cryptotoken.Wrapper.
func (g gate) GenerateWrapped(ctx context.Context, kt algo.KeyType) (cryptotoken.Wrapped, error) {
	if err := g.shutWhy(); err != nil {
		return cryptotoken.Wrapped{}, err
	}
	w, err := g.Wrapper.GenerateWrapped(ctx, kt)
	g.m.heed(err)
	return w, err
}

// SignWrapped implements cryptotoken.Wrapper.
func (g gate) SignWrapped(ctx context.Context, w cryptotoken.Wrapped, a algo.Algorithm, digests [][]byte) ([][]byte, error) {
	if err := g.shutWhy(); err != nil {
		return nil, err
	}
	sigs, err := g.Wrapper.SignWrapped(ctx, w, a, digests)
	g.m.heed(err)
	return sigs, err
}

// CheckWrapped implements cryptotoken.Wrapper.
func (g gate) CheckWrapped(ctx context.Context, w cryptotoken.Wrapped) error {
	if err := g.shutWhy(); err != nil {
		return err
	}
	err := g.Wrapper.CheckWrapped(ctx, w)
	g.m.heed(err)
	return err
}

// heed closes the module when an error of the token says that it was tampered
// with.
func (m *Module) heed(err error) {
	if errors.Is(err, cryptotoken.ErrTamper) {
		m.stopUse("the token reports tampering: " + detail(err))
	}
}

// mark is the file beside the anchor that says whether the module is closed.
type mark struct {
	path string
	seal *sealer
}

// markSize is the size of the file, always; reasons are cut to fit.
const (
	markSize = 1024
	maxWhy   = 500
)

func markBody(why string) []byte { return []byte("condition\x00" + why) }

// write replaces the contents in place and flushes them. A torn write reads as
// closed.
func (k mark) write(why string) error {
	why = base64.RawURLEncoding.EncodeToString([]byte(clip(why, maxWhy)))
	text := bytes.Repeat([]byte{' '}, markSize)
	copy(text, why+" "+b64(k.seal.anchorMAC(markBody(why))))
	text[markSize-1] = '\n'
	f, err := os.OpenFile(k.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("sam: condition mark: %w", err)
	}
	_, err = f.WriteAt(text, 0)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sam: condition mark: %w", err)
	}
	return nil
}

// read returns why the module is closed, "" when it is not. A missing file says
// nothing: the sealed record decides. One that was not written by this module, or
// only half, means closed.
func (k mark) read() (string, error) {
	f, err := os.Open(k.path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("sam: condition mark: %w", err)
	}
	defer func() { _ = f.Close() }()
	text := make([]byte, markSize)
	n, err := f.Read(text)
	if err != nil && n > 0 {
		return "", fmt.Errorf("sam: condition mark: %w", err)
	}
	why, mac, _ := strings.Cut(strings.TrimRight(string(text[:n]), " \n\x00"), " ")
	raw, err := base64.RawURLEncoding.DecodeString(why)
	sum, err2 := base64.RawURLEncoding.DecodeString(mac)
	if err != nil || err2 != nil || n != markSize || !k.seal.anchorOK(markBody(why), sum) {
		return "the condition mark " + k.path + " is damaged or not of this module", nil
	}
	return string(raw), nil
}
