package sam

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
)

// ledger is the list beside the anchor of what takes power away and must not come
// back with an older database (AFL-01, BKP-03): counts of failures and locks of
// authenticators, those that were removed, officers and other callers whose role was
// revoked, keys on hold and keys whose certificates were revoked.
// The latest line about something counts. A line is written and flushed inside the
// transaction of its act, before the commit: a crash in between leaves the list
// stricter than the database, never the other way round. What gives power back, a
// lift, is written after the commit, for the same reason. Successful approvals
// write nothing: a count that a success ended stays on the list, and a restore
// keeps the stricter of both.
//
// Each line's MAC covers the line before it, and the anchor knows how many there
// are: lines can neither be changed, taken out nor cut off.
type ledger struct {
	path   string
	seal   *sealer
	mu     sync.Mutex
	size   int64
	lines  int64
	last   []byte // MAC of the last line
	latest map[string]note
	absent bool // there was no file
}

// note is one line.
type note struct {
	Kind     string `json:"kind"`
	ID       string `json:"id"`
	Signer   string `json:"signer,omitempty"`
	Failures int64  `json:"failures,omitempty"`
	Until    int64  `json:"until,omitempty"` // Unix seconds; endless is for ever
	Alarm    string `json:"alarm,omitempty"`
	Off      bool   `json:"off,omitempty"` // role revoked, key on hold, authenticator removed
}

// Kinds of notes.
const (
	noteGuard = "guard" // ID: credential id, base64url
	noteRole  = "role"  // ID: name of the caller
	noteKey   = "key"   // ID: key id
	// noteRevoked is a key whose certificate was revoked; ID: key id. It is never taken
	// back.
	noteRevoked = "revoked"
	noteGone    = "gone" // ID: credential id of an authenticator that was removed or revoked, base64url
)

// endless stands for forever, which JSON has no number for.
const endless = 1<<53 - 1

// maxNoteLine bounds a line: a credential id has at most 1023 octets.
const maxNoteLine = 4096

func (n note) name() string { return n.Kind + ":" + n.ID }

func openLedger(path string, s *sealer) (*ledger, error) {
	l := &ledger{path: path, seal: s, latest: map[string]note{}}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		l.absent = true
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: list of failures: %w", ErrOpen, err)
	}
	defer func() { _ = f.Close() }()
	if err := dropTornLine(f, maxNoteLine); err != nil {
		return nil, fmt.Errorf("%w: list of failures: %w", ErrOpen, err)
	}
	text := bufio.NewScanner(f)
	text.Buffer(make([]byte, 0, maxNoteLine), maxNoteLine)
	for text.Scan() {
		if err := l.read(text.Text()); err != nil {
			return nil, fmt.Errorf("%w: %s, line %d, was not written by this module there", ErrOpen, path, l.lines+1)
		}
	}
	if err := text.Err(); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrOpen, path, err)
	}
	return l, nil
}

var errLine = errors.New("sam: not a line of this list")

// read takes one line over.
func (l *ledger) read(line string) error {
	body, mac, ok := strings.Cut(line, " ")
	raw, err := base64.RawURLEncoding.DecodeString(mac)
	if !ok || err != nil || !l.seal.anchorOK(noteBody(l.last, body), raw) {
		return errLine
	}
	var n note
	text, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return errLine
	}
	if err := jcs.Unmarshal(text, &n); err != nil {
		return errLine
	}
	l.latest[n.name()], l.last = n, raw
	l.lines++
	l.size += int64(len(line)) + 1
	return nil
}

// noteBody is what the MAC of a line covers: the line and, through the MAC before, all
// lines before it.
func noteBody(last []byte, body string) []byte {
	return []byte("ledger\x00" + b64(last) + "\x00" + body)
}

// count is how many lines there are.
func (l *ledger) count() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines
}

// add writes a line, durably. What a failed write left is overwritten by the next.
func (l *ledger) add(n note) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.latest[n.name()] == n {
		return nil
	}
	text, err := jcs.Marshal(n)
	if err != nil {
		return err
	}
	body := b64(text)
	mac := l.seal.anchorMAC(noteBody(l.last, body))
	line := body + " " + b64(mac) + "\n"
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = f.Truncate(l.size)
	if err == nil {
		_, err = f.WriteAt([]byte(line), l.size)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if l.absent { // the name of a new file is durable with its folder only
		if err := syncDir(l.path); err != nil {
			return err
		}
	}
	l.absent, l.last, l.latest[n.name()] = false, mac, n
	l.lines++
	l.size += int64(len(line))
	return nil
}

// reseal writes all lines anew under the present epoch of seals (KPR-06), after it has
// verified each under its old one. errLine when the file is not what was written.
func (l *ledger) reseal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.absent {
		return nil
	}
	text, err := os.ReadFile(l.path)
	if err != nil {
		return err
	}
	if int64(len(text)) < l.size {
		return errLine
	}
	again := &ledger{seal: l.seal, latest: map[string]note{}}
	var out bytes.Buffer
	var last []byte
	for line := range strings.Lines(string(text[:l.size])) {
		line = strings.TrimSuffix(line, "\n")
		if err := again.read(line); err != nil {
			return err
		}
		body, _, _ := strings.Cut(line, " ")
		last = l.seal.anchorMAC(noteBody(last, body))
		out.WriteString(body + " " + b64(last) + "\n")
	}
	if again.lines != l.lines || !bytes.Equal(again.last, l.last) {
		return errLine
	}
	err = replaceFile(l.path, out.Bytes())
	// An error may come after the new file was put in place: what is there counts.
	if now, readErr := os.ReadFile(l.path); readErr == nil && bytes.Equal(now, out.Bytes()) {
		l.last, l.size = last, int64(out.Len())
	}
	return err
}

// note writes what takes power away, inside the transaction of the act. When that
// cannot be written the act does not happen and the module closes: a failure that
// is not counted could be repeated.
func (w *work) note(n note) error {
	if err := w.m.ledger.add(n); err != nil {
		w.m.stopUse("the list of failures cannot be written: " + detail(err))
		return fmt.Errorf("%w: list of failures: %w", sap.ReasonStore, err)
	}
	return nil
}

// noteLater writes what gives power back once the transaction is durable. When it
// cannot be written the list stays stricter.
func (w *work) noteLater(n note) { w.later = append(w.later, n) }

func (m *Module) writeNotes(list []note) {
	for _, n := range list {
		if err := m.ledger.add(n); err != nil {
			m.logger.Error("samd: the list of failures could not be written; it stays stricter", "err", err)
		}
	}
}

// of is the note of a guard.
func noteOf(g *Guard) note {
	return note{Kind: noteGuard, ID: b64(g.Credential), Signer: g.Signer, Failures: g.Failures, Until: min(g.LockedUntil, endless), Alarm: g.Alarm}
}

// revoked tells whether the list has a caller as revoked.
func (l *ledger) revoked(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latest[note{Kind: noteRole, ID: name}.name()].Off
}

// gone tells whether the list has an authenticator as removed.
func (l *ledger) gone(credential []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latest[note{Kind: noteGone, ID: b64(credential)}.name()].Off
}

// held tells whether the list has a key on hold. A database that is older than the
// key's certificate cannot say so itself: there is no hold of a key that has none (BKP-03).
func (l *ledger) held(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latest[note{Kind: noteKey, ID: key}.name()].Off
}

// back takes a note of a removed authenticator away when the same one is enrolled
// anew, once that is durable.
func (l *ledger) back(w *work, a *Authenticator) {
	if l.gone(a.Credential) {
		w.noteLater(note{Kind: noteGone, ID: b64(a.Credential), Signer: a.Signer})
	}
}

// all returns the latest notes of a kind, in order.
func (l *ledger) all(kind string) []note {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []note
	for _, n := range l.latest {
		if n.Kind == kind {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b note) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// revoke takes the role of everyone again to whom the list denies it: two officers
// who were revoked since must not accept the database that knows them still.
func (l *ledger) revoke(w *work) error {
	for _, n := range l.all(noteRole) {
		if !n.Off {
			continue
		}
		r, err := w.identity(n.ID)
		if errors.Is(err, sap.ReasonRole) {
			continue
		}
		if err != nil {
			return err
		}
		if r.State != IdentityActive {
			continue
		}
		r.State = IdentityRevoked
		seq, err := w.log(EventRevoked, audit.OK, "", audit.Data{"obj": r.object(), "identity": r.Name, "person": r.Person, "role": string(r.Role), "restored": true})
		if err != nil {
			return err
		}
		w.m.grants.Add(1)
		w.stamp(r, seq)
		if err := w.Identities.Update(r); err != nil {
			return err
		}
	}
	return nil
}

// keep makes counters, locks and holds of the database as strict as the list.
func (l *ledger) keep(w *work) error {
	for _, n := range l.all(noteGuard) {
		if err := w.keepGuard(n); err != nil {
			return err
		}
	}
	for _, n := range l.all(noteGone) {
		if err := w.keepGone(n); err != nil {
			return err
		}
	}
	for _, n := range l.all(noteKey) {
		if err := w.keepKey(n, KeySuspended, EventSuspended); err != nil {
			return err
		}
	}
	for _, n := range l.all(noteRevoked) {
		if err := w.keepKey(n, KeyRevoked, EventRetired); err != nil {
			return err
		}
	}
	return nil
}

// keepKey takes a key out of use again that was so after the backup (BKP-03).
func (w *work) keepKey(n note, state, event string) error {
	cred, err := w.Credentials.Get(n.ID)
	if !n.Off || isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := w.m.verified(w.Tx, cred, false); err != nil {
		return err
	}
	if cred.State == state || !slices.Contains(keyMoves[cred.State], state) {
		return nil
	}
	data := audit.Data{"restored": true}
	if state == KeyRevoked {
		data["cause"], data["state"] = CauseRevoked, KeyRevoked
	}
	return w.changeState(cred, state, event, data)
}

func (w *work) keepGuard(n note) error {
	id, err := base64.RawURLEncoding.DecodeString(n.ID)
	if err != nil {
		return err
	}
	a, err := w.Authenticators.Get(id)
	if isNotFound(err) {
		return nil // enrolled after the backup: it is gone with the restore
	}
	if err != nil {
		return err
	}
	g, err := w.m.guard(w.Tx, a, false)
	if err != nil {
		return err
	}
	if n.Until == endless {
		n.Until = forever
	}
	strict := *g
	strict.Failures, strict.LockedUntil = max(g.Failures, n.Failures), max(g.LockedUntil, n.Until)
	if n.Alarm != "" {
		strict.Alarm = n.Alarm
	}
	if strict.Failures == g.Failures && strict.LockedUntil == g.LockedUntil && strict.Alarm == g.Alarm {
		return nil
	}
	seq, err := w.log(EventKept, audit.OK, "", audit.Data{"guard": g.object(), "signer": g.Signer, "failures": strict.Failures, "locked": strict.locked(w.now.Unix())})
	if err != nil {
		return err
	}
	w.stamp(&strict, seq)
	return w.Guards.Update(&strict)
}

// keepGone removes again what was removed after the backup (ENR-04): a lost or
// stolen authenticator does not come back with an older database.
func (w *work) keepGone(n note) error {
	id, err := base64.RawURLEncoding.DecodeString(n.ID)
	if err != nil || !n.Off {
		return err
	}
	a, err := w.Authenticators.Get(id)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := w.m.verified(w.Tx, a, false); err != nil {
		return err
	}
	return w.dropAuthenticator(a, EventAuthRevoked, NoticeLost, audit.Data{"restored": true})
}

// strictly is a guard as it counts: one of before a restore that lost the list has
// one failure left until it locks.
func (m *Module) strictly(g *Guard) {
	if g.Seq < m.strictBefore.Load() {
		g.Failures = max(g.Failures, int64(m.cfg.LockoutLimit)-1)
	}
}

// followLedger makes the list know the guards that an older program counted
// before there was a list.
func (m *Module) followLedger(ctx context.Context) error {
	if !m.ledger.absent {
		return nil
	}
	return m.view(ctx, func(tx *Tx) error {
		roles, err := tx.Identities.List(maxIdentities)
		if err != nil {
			return err
		}
		for _, r := range roles {
			if err := m.verified(tx, r, true); err != nil {
				return err
			}
			if r.State == IdentityActive {
				continue
			}
			if err := m.ledger.add(note{Kind: noteRole, ID: r.Name, Off: true}); err != nil {
				return err
			}
		}
		return m.listFailed(tx)
	})
}

func (m *Module) listFailed(tx *Tx) error {
	for after := []byte{}; ; {
		list, err := tx.FailedGuards.After(after, 500)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, g := range list {
			if err := m.verified(tx, g, true); err != nil {
				return err
			}
			if err := m.ledger.add(noteOf(g)); err != nil {
				return err
			}
		}
		after = list[len(list)-1].Credential
	}
}
