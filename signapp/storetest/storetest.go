// Package storetest is the suite that every driver of signapp.Store passes.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/assent-sign/assent/signapp"
)

// Run runs the suite. open opens the store in a directory; opening the same
// directory again after Close gives the same data.
func Run(t *testing.T, open func(t *testing.T, dir string) signapp.Store) {
	for name, f := range map[string]func(*testing.T, *suite){
		"documents": documents, "operations": operations, "scopes": scopes, "queries": queries, "secrets": secrets,
		"take once": takeOnce, "passkeys": passkeys, "kept": kept, "atomic": atomic, "durable": durable, "serialised": serialised, "view refuses changes": readOnly,
	} {
		t.Run(name, func(t *testing.T) {
			s := &suite{T: t, dir: t.TempDir(), open: open}
			s.store = open(t, s.dir)
			t.Cleanup(func() { _ = s.store.Close() })
			f(t, s)
		})
	}
}

type suite struct {
	*testing.T
	dir   string
	open  func(t *testing.T, dir string) signapp.Store
	store signapp.Store
}

var bg = context.Background()

func (s *suite) update(f func(signapp.Tx) error) {
	s.Helper()
	if err := s.store.Update(bg, f); err != nil {
		s.Fatal(err)
	}
}

func (s *suite) view(f func(signapp.Tx) error) {
	s.Helper()
	if err := s.store.View(bg, f); err != nil {
		s.Fatal(err)
	}
}

func same(got, want any) error {
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("got %+v, want %+v", got, want)
	}
	return nil
}

func is(err, target error) error {
	if !errors.Is(err, target) {
		return fmt.Errorf("got error %q, want %q", fmt.Sprint(err), target.Error())
	}
	return nil
}

func doc(id, client string, expires int64) signapp.DocumentRow {
	return signapp.DocumentRow{ID: id, Client: client, Name: "n\u00e4me.pdf", Size: 7, SHA256: []byte{1, 2}, Created: 1, Expires: expires}
}

func documents(_ *testing.T, s *suite) {
	a := doc("d1", "acme", 10)
	s.update(func(tx signapp.Tx) error {
		return errors.Join(tx.Documents().Put(a), tx.Documents().Put(doc("d2", "other", 30)), tx.Documents().Put(doc("d3", "acme", 20)))
	})
	if err := is(s.store.Update(bg, func(tx signapp.Tx) error { return tx.Documents().Put(a) }), signapp.ErrExists); err != nil {
		s.Error(err)
	}
	s.view(func(tx signapp.Tx) error {
		got, err := tx.Documents().Get(signapp.OfClient("acme"), "d1")
		if err != nil {
			return err
		}
		_, foreign := tx.Documents().Get(signapp.OfClient("other"), "d1")
		_, none := tx.Documents().Get(signapp.Scope{}, "d1")
		_, signer := tx.Documents().Get(signapp.OfSigner("acme"), "d1")
		_, empty := tx.Documents().Get(signapp.OfClient(""), "d1")
		all, err := tx.Documents().Get(signapp.Everything(), "d2")
		if err != nil {
			return err
		}
		return errors.Join(same(*got, a), is(foreign, signapp.ErrNotFound), is(none, signapp.ErrNotFound), is(signer, signapp.ErrNotFound), is(empty, signapp.ErrNotFound), same(all.Client, "other"))
	})
	s.view(func(tx signapp.Tx) error {
		due, err := tx.Documents().List(20, 10)
		if err != nil {
			return err
		}
		one, err := tx.Documents().List(100, 1)
		if err != nil {
			return err
		}
		return errors.Join(same(len(due), 2), same(due[0].ID, "d1"), same(len(one), 1))
	})
	s.update(func(tx signapp.Tx) error {
		return errors.Join(tx.Documents().Delete("d1"), tx.Documents().Delete("d1"))
	})
	s.view(func(tx signapp.Tx) error {
		_, err := tx.Documents().Get(signapp.Everything(), "d1")
		return is(err, signapp.ErrNotFound)
	})
}

// T18: the books follow every change of what they count, and only that.
func kept(_ *testing.T, s *suite) {
	has := func(client string, bytes, operations int64) {
		s.Helper()
		s.view(func(tx signapp.Tx) error {
			got, err := tx.Kept(client)
			if err != nil {
				return err
			}
			return same(got, signapp.Kept{Client: client, Bytes: bytes, Operations: operations})
		})
	}
	const file, row = 4096, 2048
	has("acme", 0, 0)
	a := op("o1", "acme", "anna", signapp.StatePrepared, 1, 5) // 7 and 2 octets
	a.Files = 1000
	s.update(func(tx signapp.Tx) error {
		return errors.Join(tx.Documents().Put(doc("d1", "acme", 10)), tx.Documents().Put(doc("d2", "other", 10)), tx.Operations().Put(a))
	})
	has("acme", file+7+row+9+1000, 1)
	has("other", file+7, 0)
	_ = s.store.Update(bg, func(tx signapp.Tx) error { return tx.Documents().Put(doc("d1", "acme", 10)) }) // taken
	a.Progress, a.Files = []byte(`{"b":2}`), 50
	s.update(func(tx signapp.Tx) error { return errors.Join(tx.Operations().Put(a), tx.Operations().Put(a)) })
	has("acme", file+7+row+14+50, 1)
	s.update(func(tx signapp.Tx) error {
		return errors.Join(tx.Documents().Delete("d1"), tx.Documents().Delete("d1"))
	})
	has("acme", row+14+50, 1)
	s.view(func(tx signapp.Tx) error {
		got, err := tx.KeptBy()
		if err != nil {
			return err
		}
		return same(got, []signapp.Kept{{Client: "acme", Bytes: row + 14 + 50, Operations: 1}, {Client: "other", Bytes: file + 7}})
	})
	s.update(func(tx signapp.Tx) error {
		return errors.Join(tx.Operations().Delete("o1"), tx.Documents().Delete("d2"))
	})
	has("acme", 0, 0)
	s.view(func(tx signapp.Tx) error {
		got, err := tx.KeptBy()
		if len(got) != 0 {
			return fmt.Errorf("%+v is left", got)
		}
		return err
	})
}

func op(id, client, signer string, st signapp.State, created, due int64) signapp.OperationRow {
	return signapp.OperationRow{ID: id, Client: client, Signer: signer, State: st, Created: created, Expires: 100, Due: due, Fixed: []byte(`{"a":1}`), Progress: []byte(`{}`)}
}

func operations(_ *testing.T, s *suite) {
	a := op("o1", "acme", "anna", signapp.StatePrepared, 1, 5)
	s.update(func(tx signapp.Tx) error { return tx.Operations().Put(a) })
	changed := op("o1", "acme", "anna", signapp.StateShown, 99, 7)
	changed.Fixed, changed.Progress, changed.Expires = []byte("other"), []byte(`{"b":2}`), 1
	s.update(func(tx signapp.Tx) error { return tx.Operations().Put(changed) })
	s.view(func(tx signapp.Tx) error {
		got, err := tx.Operations().Get(signapp.OfClient("acme"), "o1")
		if err != nil {
			return err
		}
		w := a // what the first Put fixed stays
		w.State, w.Due, w.Progress = signapp.StateShown, 7, []byte(`{"b":2}`)
		return same(*got, w)
	})
	for _, thief := range []signapp.OperationRow{op("o1", "other", "anna", signapp.StateFailed, 1, 1), op("o1", "acme", "ben", signapp.StateFailed, 1, 1)} {
		if err := s.store.Update(bg, func(tx signapp.Tx) error { return tx.Operations().Put(thief) }); !errors.Is(err, signapp.ErrExists) {
			s.Errorf("an operation changed its owner: %v", err)
		}
	}
	s.update(func(tx signapp.Tx) error {
		return errors.Join(tx.Operations().Delete("o1"), tx.Operations().Delete("o1"))
	})
	s.view(func(tx signapp.Tx) error {
		_, err := tx.Operations().Get(signapp.Everything(), "o1")
		return is(err, signapp.ErrNotFound)
	})
}

// T10: the owner is part of every query.
func scopes(_ *testing.T, s *suite) {
	s.update(func(tx signapp.Tx) error {
		return tx.Operations().Put(op("o1", "acme", "anna", signapp.StatePrepared, 1, 1))
	})
	for _, c := range []struct {
		name  string
		scope signapp.Scope
		found bool
	}{
		{"client", signapp.OfClient("acme"), true}, {"signer", signapp.OfSigner("anna"), true}, {"everything", signapp.Everything(), true},
		{"other client", signapp.OfClient("other"), false}, {"other signer", signapp.OfSigner("ben"), false},
		{"client named as the signer", signapp.OfClient("anna"), false}, {"signer named as the client", signapp.OfSigner("acme"), false},
		{"zero", signapp.Scope{}, false}, {"empty client", signapp.OfClient(""), false}, {"empty signer", signapp.OfSigner(""), false},
		{"wildcard", signapp.OfClient("%"), false}, {"case", signapp.OfClient("ACME"), false},
	} {
		s.view(func(tx signapp.Tx) error {
			_, err := tx.Operations().Get(c.scope, "o1")
			list, lerr := tx.Operations().List(c.scope, signapp.Query{})
			if (err == nil) != c.found || (len(list) == 1) != c.found || lerr != nil {
				s.Errorf("%s: %v, %d listed, %v", c.name, err, len(list), lerr)
			}
			return nil
		})
	}
}

func queries(_ *testing.T, s *suite) {
	s.update(func(tx signapp.Tx) error {
		for i := range 10 {
			st := signapp.StatePrepared
			if i%2 == 1 {
				st = signapp.StateFinished
			}
			if err := tx.Operations().Put(op(fmt.Sprintf("o%d", i), "acme", "anna", st, int64(i), int64(100-i))); err != nil {
				return err
			}
		}
		return nil
	})
	ids := func(q signapp.Query) (out []string) {
		s.view(func(tx signapp.Tx) error {
			rows, err := tx.Operations().List(signapp.Everything(), q)
			for _, r := range rows {
				out = append(out, r.ID)
			}
			return err
		})
		return out
	}
	for _, c := range []struct {
		q    signapp.Query
		want []string
	}{
		{signapp.Query{Limit: 3}, []string{"o9", "o8", "o7"}},
		{signapp.Query{DueBy: 92}, []string{"o9", "o8"}},
		{signapp.Query{DueBy: 100, Limit: 1}, []string{"o9"}},
		{signapp.Query{DueBy: 1}, nil},
		{signapp.Query{States: []signapp.State{signapp.StateFinished}, Limit: 2}, []string{"o9", "o7"}},
		{signapp.Query{States: []signapp.State{signapp.StateFinished, signapp.StatePrepared}, Limit: 2}, []string{"o9", "o8"}},
		{signapp.Query{States: []signapp.State{signapp.StateExpired}}, nil},
		{signapp.Query{States: []signapp.State{signapp.StatePrepared}, DueBy: 94}, []string{"o8", "o6"}},
	} {
		if err := same(ids(c.q), c.want); err != nil {
			s.Errorf("%+v: %v", c.q, err)
		}
	}
}

func sec(kind, hash string, expires int64, op string, session string) signapp.SecretRow {
	return signapp.SecretRow{Kind: kind, Hash: []byte(hash), Signer: "anna", Operation: op, Session: []byte(session), Expires: expires, Data: []byte("{}")}
}

func secrets(_ *testing.T, s *suite) {
	a := sec(signapp.SecretTicket, "h1", 10, "o1", "s1")
	s.update(func(tx signapp.Tx) error {
		return errors.Join(tx.Secrets().Put(a), tx.Secrets().Put(sec(signapp.SecretToken, "h1", 20, "o1", "s2")),
			tx.Secrets().Put(sec(signapp.SecretToken, "h2", 30, "o2", "s1")), tx.Secrets().Put(sec(signapp.SecretToken, "h3", 40, "", "")))
	})
	if err := is(s.store.Update(bg, func(tx signapp.Tx) error { return tx.Secrets().Put(a) }), signapp.ErrExists); err != nil {
		s.Error(err)
	}
	exist := func(kind, hash string) (ok bool) {
		s.view(func(tx signapp.Tx) error {
			r, err := tx.Secrets().Get(kind, []byte(hash))
			if ok = err == nil; ok && r.Kind != kind {
				return fmt.Errorf("kind %s for %s", r.Kind, kind)
			}
			if !ok {
				return is(err, signapp.ErrNotFound)
			}
			return nil
		})
		return ok
	}
	s.view(func(tx signapp.Tx) error {
		got, err := tx.Secrets().Get(signapp.SecretTicket, []byte("h1"))
		if err != nil {
			return err
		}
		return same(*got, a)
	})
	if exist(signapp.SecretTicket, "h2") || exist(signapp.SecretSession, "h1") || exist(signapp.SecretTicket, "") {
		s.Error("a secret of one kind serves as another")
	}
	if err := s.store.Update(bg, func(tx signapp.Tx) error { return tx.Secrets().Drop(signapp.SecretMatch{}) }); err == nil {
		s.Error("an empty match dropped everything")
	}
	drop := func(m signapp.SecretMatch) { s.update(func(tx signapp.Tx) error { return tx.Secrets().Drop(m) }) }
	drop(signapp.SecretMatch{Session: []byte("s2"), Operation: "o2"}) // both must match
	if !exist(signapp.SecretToken, "h1") || !exist(signapp.SecretToken, "h2") {
		s.Error("dropped what matched in one field only")
	}
	drop(signapp.SecretMatch{Session: []byte("s1")})
	if exist(signapp.SecretTicket, "h1") || exist(signapp.SecretToken, "h2") || !exist(signapp.SecretToken, "h1") {
		s.Error("drop by session")
	}
	drop(signapp.SecretMatch{ExpiredBy: 20})
	if exist(signapp.SecretToken, "h1") || !exist(signapp.SecretToken, "h3") {
		s.Error("drop by time")
	}
	s.update(func(tx signapp.Tx) error { return tx.Secrets().Put(sec(signapp.SecretToken, "h4", 90, "o4", "")) })
	drop(signapp.SecretMatch{Operation: "o4"})
	if exist(signapp.SecretToken, "h4") || !exist(signapp.SecretToken, "h3") {
		s.Error("drop by operation")
	}
}

// One of many takers gets a secret.
func takeOnce(_ *testing.T, s *suite) {
	s.update(func(tx signapp.Tx) error { return tx.Secrets().Put(sec(signapp.SecretTicket, "h", 10, "o", "s")) })
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		wins int
	)
	for range 50 {
		wg.Go(func() {
			err := s.store.Update(bg, func(tx signapp.Tx) error {
				_, err := tx.Secrets().Take(signapp.SecretTicket, []byte("h"))
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				wins++
			} else if !errors.Is(err, signapp.ErrNotFound) {
				s.Error(err)
			}
		})
	}
	wg.Wait()
	if wins != 1 {
		s.Errorf("%d takers got the ticket", wins)
	}
}

func passkeys(_ *testing.T, s *suite) {
	a := signapp.PasskeyRow{ID: []byte{0, 1}, Signer: "anna", Name: "Anna", Handle: []byte("ha"), Credential: []byte("c1"), Created: 1, Used: 1}
	b := signapp.PasskeyRow{ID: []byte{0, 2}, Signer: "anna", Name: "Anna", Handle: []byte("ha"), Credential: []byte("c2"), Created: 2, Used: 2}
	s.update(func(tx signapp.Tx) error { return errors.Join(tx.Passkeys().Put(b), tx.Passkeys().Put(a)) })
	a.Credential, a.Used = []byte("c1'"), 9
	s.update(func(tx signapp.Tx) error { return tx.Passkeys().Put(a) })
	thief := a
	thief.Signer = "ben"
	if err := is(s.store.Update(bg, func(tx signapp.Tx) error { return tx.Passkeys().Put(thief) }), signapp.ErrExists); err != nil {
		s.Errorf("a passkey changed its owner: %v", err)
	}
	s.view(func(tx signapp.Tx) error {
		got, err := tx.Passkeys().Get(a.ID)
		if err != nil {
			return err
		}
		list, err := tx.Passkeys().OfSigner("anna")
		if err != nil {
			return err
		}
		none, err := tx.Passkeys().OfSigner("ben")
		if err != nil {
			return err
		}
		_, missing := tx.Passkeys().Get([]byte{9})
		return errors.Join(same(*got, a), same(list, []signapp.PasskeyRow{a, b}), same(len(none), 0), is(missing, signapp.ErrNotFound))
	})
	if err := is(s.store.Update(bg, func(tx signapp.Tx) error { return tx.Passkeys().Delete("ben", a.ID) }), signapp.ErrNotFound); err != nil {
		s.Error(err)
	}
	s.update(func(tx signapp.Tx) error { return tx.Passkeys().Delete("anna", a.ID) })
}

// An error undoes everything of its function and nothing of others.
func atomic(_ *testing.T, s *suite) {
	boom := errors.New("boom")
	err := s.store.Update(bg, func(tx signapp.Tx) error {
		if err := tx.Documents().Put(doc("d1", "acme", 1)); err != nil {
			return err
		}
		if err := tx.Secrets().Put(sec(signapp.SecretToken, "h", 1, "", "")); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		s.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			err := s.store.Update(bg, func(tx signapp.Tx) error {
				if err := tx.Documents().Put(doc(fmt.Sprintf("x%d", i), "acme", 1)); err != nil {
					return err
				}
				if i%2 == 0 {
					return boom
				}
				return nil
			})
			if (i%2 == 0) != errors.Is(err, boom) {
				s.Errorf("%d: %v", i, err)
			}
		})
	}
	wg.Wait()
	s.view(func(tx signapp.Tx) error {
		rows, err := tx.Documents().List(100, 100)
		if err != nil {
			return err
		}
		for _, r := range rows {
			var i int
			if _, err := fmt.Sscanf(r.ID, "x%d", &i); err != nil || i%2 == 0 {
				return fmt.Errorf("%s was undone and is there", r.ID)
			}
		}
		return same(len(rows), 20)
	})
}

func durable(t *testing.T, s *suite) {
	s.update(func(tx signapp.Tx) error {
		return tx.Operations().Put(op("o1", "acme", "anna", signapp.StateApproved, 1, 1))
	})
	if err := s.store.Close(); err != nil {
		s.Fatal(err)
	}
	if err := s.store.Update(bg, func(tx signapp.Tx) error { return tx.Operations().Delete("o1") }); err == nil {
		s.Error("a closed store took a change")
	}
	s.store = s.open(t, s.dir)
	s.view(func(tx signapp.Tx) error {
		got, err := tx.Operations().Get(signapp.Everything(), "o1")
		if err != nil {
			return err
		}
		return same(got.State, signapp.StateApproved)
	})
}

// Read, decide, write: no update is lost.
func serialised(_ *testing.T, s *suite) {
	s.update(func(tx signapp.Tx) error {
		return tx.Operations().Put(op("o1", "acme", "anna", signapp.StatePrepared, 1, 0))
	})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 5 {
				err := s.store.Update(bg, func(tx signapp.Tx) error {
					r, err := tx.Operations().Get(signapp.Everything(), "o1")
					if err != nil {
						return err
					}
					r.Due++
					return tx.Operations().Put(*r)
				})
				if err != nil {
					s.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s.view(func(tx signapp.Tx) error {
		r, err := tx.Operations().Get(signapp.Everything(), "o1")
		if err != nil {
			return err
		}
		return same(r.Due, int64(100))
	})
}

func readOnly(_ *testing.T, s *suite) {
	if err := s.store.View(bg, func(tx signapp.Tx) error { return tx.Documents().Put(doc("d1", "acme", 1)) }); err == nil {
		s.Error("a view changed something")
	}
}
