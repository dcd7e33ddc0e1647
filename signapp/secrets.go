package signapp

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// bearer is a value that opens something for whoever holds it: 32 random bytes
// as text, and the hash under which it is stored.
type bearer struct {
	text string
	hash []byte
}

func newSecret() bearer {
	b := make([]byte, 32)
	rand.Read(b) // never fails (crypto/rand)
	t := base64.RawURLEncoding.EncodeToString(b)
	return bearer{t, HashSecret(t)}
}

// NewSecret makes a bearer value and its hash, for the portal's own secrets.
func NewSecret() (text string, hash []byte) {
	b := newSecret()
	return b.text, b.hash
}

// HashSecret is the form in which a bearer value is stored. The values have
// 256 random bits, so a plain hash cannot be searched.
func HashSecret(text string) []byte {
	sum := sha256.Sum256([]byte("assent/bearer/v1\x00" + text))
	return sum[:]
}

// Session is a login at the app origin: who, and which login. It comes from the
// portal, never from a request body.
type Session struct {
	Signer string
	ID     []byte // hash of the cookie's value
}

func (s Session) valid() bool { return s.Signer != "" && len(s.ID) != 0 }

// Grant is what the signer's app shows with every call: its login session and
// the token of one operation. The token works only in the session that opened
// the operation (T8: an approval begun in one browser is worth nothing in
// another).
type Grant struct {
	Session   Session
	Token     string
	Operation string
}

// ticketLife is how long a ticket waits to be used.
const ticketLife = 60 * time.Second

// UseLink consumes an approval link for the logged-in signer and returns the
// operation's id. A link that is not this signer's stays as it is: somebody
// else's click must not void it. ErrLink.
func (s *Service) UseLink(ctx context.Context, sess Session, link string) (string, error) {
	if !sess.valid() {
		return "", ErrLink
	}
	var op string
	err := s.store.Update(ctx, func(tx Tx) error {
		row, err := tx.Secrets().Get(SecretApproval, HashSecret(link))
		if err != nil {
			return linkError(err)
		}
		if row.Signer != sess.Signer || row.Expires <= millis(s.now()) {
			return ErrLink
		}
		op = row.Operation
		_, err = tx.Secrets().Take(SecretApproval, row.Hash)
		return linkError(err)
	})
	return op, err
}

func linkError(err error) error {
	if isNotFound(err) {
		return ErrLink
	}
	return err
}

// Ticket makes a ticket with which the signer's app at the signing origin opens
// one operation of the session's signer: single use, 60 seconds, worth nothing
// without the same login session. ErrNotFound, ErrState.
func (s *Service) Ticket(ctx context.Context, sess Session, operation string) (string, error) {
	if !sess.valid() {
		return "", ErrNotFound
	}
	t := newSecret()
	err := s.store.Update(ctx, func(tx Tx) error {
		r, err := getRecord(tx, OfSigner(sess.Signer), operation)
		if err != nil {
			return err
		}
		if r.state.Terminal() && r.state != StateFinished {
			return fmt.Errorf("%w: the operation is %s", ErrState, r.state)
		}
		return tx.Secrets().Put(SecretRow{Kind: SecretTicket, Hash: t.hash, Signer: sess.Signer, Operation: operation,
			Session: sess.ID, Expires: millis(s.now().Add(ticketLife))})
	})
	return t.text, err
}

// OpenSession exchanges a ticket for the token of its operation. The ticket is
// consumed even when it is shown in another session than its own: then it has
// leaked. The first opening moves the operation to shown. ErrLink.
func (s *Service) OpenSession(ctx context.Context, sess Session, ticket string) (string, *View, error) {
	if !sess.valid() {
		return "", nil, ErrLink
	}
	var (
		r     *record
		stale bool
	)
	token := newSecret()
	err := s.store.Update(ctx, func(tx Tx) error {
		r, stale = nil, false
		row, err := tx.Secrets().Take(SecretTicket, HashSecret(ticket))
		if err != nil {
			return linkError(err)
		}
		if row.Signer != sess.Signer || string(row.Session) != string(sess.ID) || row.Expires <= millis(s.now()) {
			stale = true
			return nil // commit the taking
		}
		if r, err = getRecord(tx, OfSigner(sess.Signer), row.Operation); err != nil {
			return linkError(err)
		}
		if r.state == StatePrepared && s.now().Before(r.expires) {
			r.state = StateShown
			if err := putRecord(tx, r); err != nil {
				return err
			}
		}
		return tx.Secrets().Put(SecretRow{Kind: SecretToken, Hash: token.hash, Signer: sess.Signer, Operation: r.id,
			Session: sess.ID, Expires: millis(s.tokenEnd(r))})
	})
	if err == nil && stale {
		err = ErrLink
	}
	if err != nil {
		return "", nil, err
	}
	s.changes.publish(r.id)
	v, err := s.view(r)
	return token.text, v, err
}

// tokenEnd is the end of a token's life: it lets the signer fetch the result
// of an operation that was approved at the last moment. The login session
// usually ends first.
func (s *Service) tokenEnd(r *record) time.Time {
	end := r.expires
	if n := s.now(); n.After(end) {
		end = n
	}
	return end.Add(s.cfg.Retention.Finish)
}

// granted finds the operation of a grant. Whatever is wrong (no such token,
// another's session, another operation's token) looks the same: ErrNotFound.
func (s *Service) granted(ctx context.Context, g Grant) (*record, error) {
	if !g.Session.valid() {
		return nil, ErrNotFound
	}
	var r *record
	err := s.store.View(ctx, func(tx Tx) error {
		row, err := tx.Secrets().Get(SecretToken, HashSecret(g.Token))
		if err != nil {
			return err
		}
		if row.Signer != g.Session.Signer || string(row.Session) != string(g.Session.ID) ||
			row.Operation != g.Operation || row.Expires <= millis(s.now()) {
			return ErrNotFound
		}
		r, err = getRecord(tx, OfSigner(row.Signer), row.Operation)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.fresh(ctx, r)
}

// fresh expires an operation whose time is over before anybody sees it.
func (s *Service) fresh(ctx context.Context, r *record) (*record, error) {
	if !r.waiting() || s.now().Before(r.expires) {
		return r, nil
	}
	return s.expire(ctx, r.id)
}

// waiting tells whether the signer's decision is still open.
func (r *record) waiting() bool { return r.state == StatePrepared || r.state == StateShown }

// errUnchanged ends a change that found nothing to do.
var errUnchanged = errors.New("signapp: nothing to change")

// change moves an operation in one transaction and wakes whoever waits for it.
// f may return errUnchanged.
func (s *Service) change(ctx context.Context, sc Scope, id string, f func(Tx, *record) error) (*record, error) {
	var out *record
	err := s.store.Update(ctx, func(tx Tx) error {
		out = nil
		r, err := getRecord(tx, sc, id)
		if err != nil {
			return err
		}
		switch err := f(tx, r); {
		case errors.Is(err, errUnchanged):
			out = r
			return nil
		case err != nil:
			return err
		}
		out = r
		return putRecord(tx, r)
	})
	if err != nil {
		return nil, err
	}
	s.changes.publish(id)
	return out, nil
}
