package sam_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// ENR-04, KEY-06, T33: no column of the records of a change is free: the offer, the
// halves of a recovery, the cooling time, the notices.
func TestENR04EditedRecords(t *testing.T) {
	c := newChangeWorld(t)
	db := dba(t, c.World)
	signed, req := c.Offer("alice", sap.ActionRemove, c.cooling)
	answer, err := c.alice.Device.Change(c.StatementKey(), signed, nil)
	if err != nil {
		t.Fatal(err)
	}
	finish := func() error { _, err := c.Finish(req.ID, answer); return err }
	list := func() error {
		_, err := c.M.Authenticators(context.Background(), samtest.SSPU, sam.AskList{Signer: "alice", Nonce: req.Nonce})
		return err
	}
	before, tested := reference(c.World, "alice"), 0
	for _, table := range []struct {
		name, where string
		key         any
		use         func() error
	}{
		{"enrolment", "id = ?", req.ID, finish},
		{"authenticator", "credential = ?", c.cooling.ID, finish},
		{"notice", "signer = ?", "alice", list},
		{"guard", "credential = ?", c.cooling.ID, list},
	} {
		for _, col := range columns(t, db, table.name) {
			if col.pk || table.name == "notice" && col.name == "signer" {
				continue
			}
			t.Run(table.name+"."+col.name, func(t *testing.T) {
				tested++
				var old any
				if err := db.QueryRow("SELECT "+col.name+" FROM "+table.name+" WHERE "+table.where, table.key).Scan(&old); err != nil {
					t.Fatal(err)
				}
				set := "UPDATE " + table.name + " SET " + col.name + " = ? WHERE " + table.where
				exec(t, db, set, changed(col.kind, old), table.key)
				refused(t, c.World, sap.ReasonSeal, table.use)
				exec(t, db, set, old, table.key)
				if reference(c.World, "alice") != before {
					t.Error("the reference data changed")
				}
			})
		}
	}
	if tested < 35 {
		t.Errorf("only %d columns were tested", tested)
	}
	if err := finish(); err != nil {
		t.Errorf("everything put back: %v", err)
	}
}

// ENR-04, PRV-02: who can write to the database cannot have a change launder what
// he put there: an added, removed or returned authenticator shows before the keys
// are bound anew, for signers with keys and without.
func TestENR04ChangesLaunderNothing(t *testing.T) {
	for _, keys := range []bool{true, false} {
		for name, edit := range map[string]struct {
			keyless bool // shows without keys too
			do      func(t *testing.T, c *changeWorld, exec func(string, ...any))
		}{
			"a cooling time ended": {true, func(_ *testing.T, c *changeWorld, exec func(string, ...any)) {
				exec("UPDATE authenticator SET usable_from = 0 WHERE credential = ?", c.cooling.ID)
			}},
			"another's authenticator": {true, func(_ *testing.T, c *changeWorld, exec func(string, ...any)) {
				exec("UPDATE authenticator SET signer = 'alice' WHERE credential = ?", c.bob.Device.ID)
			}},
			"one deleted": {false, func(_ *testing.T, c *changeWorld, exec func(string, ...any)) {
				exec("DELETE FROM guard WHERE credential = ?", c.cooling.ID)
				exec("DELETE FROM authenticator WHERE credential = ?", c.cooling.ID)
			}},
			"a removed one put back": {true, func(t *testing.T, c *changeWorld, exec func(string, ...any)) {
				exec("CREATE TABLE olda AS SELECT * FROM authenticator")
				exec("CREATE TABLE oldg AS SELECT * FROM guard")
				if _, err := c.Remove("alice", c.alice.Device, c.cooling); err != nil {
					t.Fatal(err)
				}
				exec("INSERT INTO authenticator SELECT * FROM olda WHERE credential = ?", c.cooling.ID)
				exec("INSERT INTO guard SELECT * FROM oldg WHERE credential = ?", c.cooling.ID)
			}},
		} {
			if !keys && !edit.keyless {
				continue
			}
			t.Run(fmt.Sprintf("%s, with keys %v", name, keys), func(t *testing.T) {
				c := newChangeWorld(t)
				if !keys {
					if err := c.Destroy(c.alice.Key); err != nil {
						t.Fatal(err)
					}
				}
				db := dba(t, c.World)
				edit.do(t, c, func(q string, args ...any) {
					if _, err := db.Exec(q, args...); err != nil {
						t.Fatal(err)
					}
				})
				refused(t, c.World, sap.ReasonSeal, func() error {
					_, err := c.M.BeginChange(context.Background(), samtest.SSPU, sam.AskChange{Signer: "alice", Action: sap.ActionAdd})
					return err
				})
				refused(t, c.World, sap.ReasonSeal, func() error {
					_, err := c.M.Generate(context.Background(), samtest.Officer, "alice", "P-256", "")
					return err
				})
				refused(t, c.World, sap.ReasonSeal, func() error {
					return c.M.RevokeAuthenticator(context.Background(), samtest.Officer, "alice", sap.B64(c.alice.Device.ID), "x")
				})
				in := reproofed
				refused(t, c.World, sap.ReasonSeal, func() error {
					_, err := c.M.Propose(context.Background(), samtest.Officer, sam.DecideRecovery, c.Args(in))
					return err
				})
			})
		}
	}
}

// ENR-06, KPR-11: neither code, halves nor what verifies them is in the database in
// the clear; a half that was given is not there at all.
func TestENR06HalvesAreNotInTheDatabase(t *testing.T) {
	l := newLost(t)
	l.Decide(sam.DecideRecovery, reproofed)
	_, first, second := l.halves()
	key, err := sap.CodeKey(first + second)
	if err != nil {
		t.Fatal(err)
	}
	text := readFile(t, l.DB()) + readFile(t, l.DB()+"-wal")
	for name, canary := range map[string]string{"first": first, "second": second, "key": string(key)} {
		if raw, err := sap.UnB64(canary); err == nil && bytes.Contains([]byte(text), raw) || bytes.Contains([]byte(text), []byte(canary)) {
			t.Errorf("the %s is in the database", name)
		}
	}
}

// ENR-04: what was done to a signer's authenticators is told to him by the module,
// signed, for his own question; the relay can leave out, edit and repeat nothing,
// and no operation deletes it.
func TestENR04NoticesCannotBeSuppressed(t *testing.T) {
	c := newChangeWorld(t)
	ctx := context.Background()
	for range sap.MaxNotices + 5 {
		if _, err := c.Remove("alice", c.alice.Device, c.cooling); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Add("alice", c.alice.Device, c.cooling); err != nil {
			t.Fatal(err)
		}
	}
	var all []sap.NoticeEntry
	after, pages := int64(0), 0
	for more := true; more; pages++ {
		page := c.List("alice", after)
		if len(page.Notices) == 0 {
			t.Fatal("an empty page")
		}
		all = append(all, page.Notices...)
		after, more = page.Notices[len(page.Notices)-1].Seq, page.More
	}
	if want := 2*(sap.MaxNotices+5) + 1; len(all) != want || pages != 3 {
		t.Errorf("%d notices on %d pages, want %d", len(all), pages, want)
	}
	if !slices.IsSortedFunc(all, func(a, b sap.NoticeEntry) int { return int(a.Seq - b.Seq) }) {
		t.Error("notices out of order")
	}
	nonce := sap.B64(bytes.Repeat([]byte{1}, sap.NonceLen))
	signed, err := c.M.Authenticators(ctx, samtest.SSPU, sam.AskList{Signer: "alice", Nonce: nonce})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sap.OpenAuthenticatorList(c.StatementKey(), signed, sap.B64(make([]byte, sap.NonceLen))); !errors.Is(err, sap.ReasonBinding) {
		t.Errorf("an older list: %v", err)
	}
	l, err := sap.OpenAuthenticatorList(c.StatementKey(), signed, nonce)
	if err != nil {
		t.Fatal(err)
	}
	l.Notices = l.Notices[1:]
	text, err := jcs.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	edited := signed
	edited.Statement = sap.B64(text)
	if _, err := sap.OpenAuthenticatorList(c.StatementKey(), edited, nonce); !errors.Is(err, sap.ReasonSAMSignature) {
		t.Errorf("a list without its first notice: %v", err)
	}
	bobs, err := c.M.Authenticators(ctx, samtest.Officer, sam.AskList{Signer: "bob", Nonce: nonce})
	if err != nil {
		t.Fatal(err)
	}
	if l, err := sap.OpenAuthenticatorList(c.StatementKey(), bobs, nonce); err != nil || l.Signer != "bob" || len(l.Notices) != 0 {
		t.Errorf("%+v, %v", l, err)
	}
	for name, in := range map[string]sam.AskList{
		"no nonce": {Signer: "alice"}, "a short nonce": {Signer: "alice", Nonce: "AAAA"}, "before the first": {Signer: "alice", Nonce: nonce, After: -1},
	} {
		refused(t, c.World, sap.ReasonInvalid, func() error { _, err := c.M.Authenticators(ctx, samtest.SSPU, in); return err })
		_ = name
	}
	refused(t, c.World, sap.ReasonSignerUnknown, func() error {
		_, err := c.M.Authenticators(ctx, samtest.SSPU, sam.AskList{Signer: "nobody", Nonce: nonce})
		return err
	})
	for _, who := range []sam.Caller{samtest.Auditor, samtest.RA, samtest.Admin, samtest.Watch} {
		refused(t, c.World, sap.ReasonRole, func() error {
			_, err := c.M.Authenticators(ctx, who, sam.AskList{Signer: "alice", Nonce: nonce})
			return err
		})
	}
}

// ENR-02: the subject of a certification request names the signer as he was
// proofed, whoever asks for another: an officer for a key, the signing application
// for a one-time key. Outside production a mark may stand before the name.
func TestENR02SubjectIsTheProofedPerson(t *testing.T) {
	ctx := context.Background()
	w := newOnceWorld(t)
	for subject, ok := range map[string]bool{
		"CN=Signer alice": true,
		"C=AT,O=Example\\, Ltd,CN=Signer alice,SERIALNUMBER=4711": true,
		"CN=Signer alice,GN=Signer,SN=alice":                      true,
		"CN=Signer alice,GN=alice,SN=Signer":                      true,
		"CN=DEMO Signer alice":                                    true,
		"CN=Signer bob":                                           false,
		"CN=signer alice":                                         false,
		"CN=Signer  alice":                                        false,
		"CN=Signer":                                               false,
		"O=Signer alice":                                          false,
		"CN=Signer alice,CN=Signer bob":                           false,
		"CN=Signer bob,CN=Signer alice":                           false,
		"CN=Signer alice,GN=Signer":                               false,
		"CN=Signer alice,SN=bob":                                  false,
		"CN=Signer alice,GN=Signer,SN=bob":                        false,
		"CN=Signer alice,GN=Signer,SN=alice,SN=bob":               false,
		"CN=DEMO Signer bob":                                      false,
		"CN=DEMO DEMO Signer alice":                               false,
	} {
		t.Run(subject, func(t *testing.T) {
			calls := map[string]func() error{
				"key": func() error { _, err := w.M.Generate(ctx, samtest.Officer, "alice", "P-256", subject); return err },
				"one-time": func() error {
					_, err := w.M.RequestOneTime(ctx, samtest.SSPU, sam.AskOnce{Signer: "alice", Subject: subject})
					return err
				},
			}
			for name, call := range calls {
				if !ok {
					refused(t, w.World, sap.ReasonName, call)
				} else if err := call(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			w.Clock.Advance(time.Hour) // a signer has few one-time requests at a time
			if err := w.M.EndOneTime(ctx); err != nil {
				t.Fatal(err)
			}
			if err := sam.SubjectNames(subject, "Signer alice", true); (err == nil) != (ok && !strings.Contains(subject, "DEMO")) {
				t.Errorf("in production: %v", err)
			}
		})
	}
}

// FuzzChange: any octets as the answer to an offer: only the genuine one changes
// something.
func FuzzChange(f *testing.F) {
	w := samtest.New(f, func(c *sam.Config) { c.LockoutLimit = 1 << 30 })
	s := &samtest.Signer{ID: "alice", Device: newDevice()}
	w.Enrol(s)
	signed, req := w.Offer("alice", sap.ActionAdd, nil)
	answer, err := s.Device.Change(w.StatementKey(), signed, newDevice())
	if err != nil {
		f.Fatal(err)
	}
	text, err := jcs.Marshal(answer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text[:len(text)-1])
	f.Add(bytes.Replace(text, []byte(`"proof"`), []byte(`"Proof"`), 1))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, octets []byte) {
		if bytes.Equal(octets, text) {
			return
		}
		if _, err := w.M.FinishChange(context.Background(), samtest.SSPU, req.ID, octets); err == nil {
			t.Error("changed")
		}
	})
}

// ENR-04, BKP-03: a removed authenticator does not come back with an older
// database, however it is accepted; who still has one signs on.
func TestENR04RemovedStaysRemovedAfterARestore(t *testing.T) {
	c := newChangeWorld(t)
	c.Clock.Advance(25 * time.Hour)
	old := takeCopy(t, c.World)
	if _, err := c.Remove("alice", c.cooling, c.alice.Device); err != nil {
		t.Fatal(err)
	}
	putCopy(t, c.World, old)
	accept(t, c.World, sam.DecideRestore)
	list := c.List("alice", 0)
	if len(list.Authenticators) != 1 || list.Authenticators[0].Credential != sap.B64(c.cooling.ID) {
		t.Errorf("after the restore: %+v", list.Authenticators)
	}
	refusedIn(t, c.World, sap.ReasonAuthenticator, 1, func() error { return signWith(c.World, c.alice, c.alice.Device) })
	if err := signWith(c.World, c.alice, c.cooling); err != nil {
		t.Error(err)
	}
}
