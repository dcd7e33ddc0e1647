package sam_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// sealed reads a row's seal, past the module.
func sealed(t *testing.T, w *samtest.World, table, where string, args ...any) (mac []byte) {
	t.Helper()
	if err := dba(t, w).QueryRow("SELECT mac FROM "+table+" WHERE "+where, args...).Scan(&mac); err != nil {
		t.Fatalf("%s: %v", table, err)
	}
	return mac
}

// quick changes the database and lets go of it.
func quick(t *testing.T, w *samtest.World, query string) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+w.DB()+"?_busy_timeout=5000")
	if err == nil {
		_, err = db.Exec(query)
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// KPR-06, KPR-03, T33: a record that was changed, or replaced by an older one, before the
// order or during the re-sealing is found and not laundered: it keeps its seal, is on
// record by its name, is refused as before and afterwards, and does not hold up the others.
func TestKPR06SealLaundersNothing(t *testing.T) {
	alice := "signer = 'alice'"
	for name, c := range map[string]struct {
		table, where string
		spoil        func(t *testing.T, w *samtest.World)
		record       string // in the audit record
		refused      int
	}{
		"edited key": {"credential", alice, func(t *testing.T, w *samtest.World) {
			exec(t, dba(t, w), "UPDATE credential SET raw = 1 WHERE signer = 'alice'")
		}, `"key:k-`, 1},
		"edited name": {"signer", "id = 'alice'", func(t *testing.T, w *samtest.World) {
			exec(t, dba(t, w), "UPDATE signer SET name = 'Mallory' WHERE id = 'alice'")
		}, `"signer:alice"`, 1},
		"older row": {"guard", alice, func(t *testing.T, w *samtest.World) {
			exec(t, dba(t, w), "INSERT OR REPLACE INTO guard SELECT * FROM oldguard WHERE signer = 'alice'")
		}, `"guard:`, 2}, // and the authenticator that it belongs to
		"authenticator without its guard": {"authenticator", alice, func(t *testing.T, w *samtest.World) {
			exec(t, dba(t, w), "PRAGMA foreign_keys = OFF; DELETE FROM guard WHERE signer = 'alice'")
		}, `"authenticator:`, 1},
		"removed authenticator": {"authenticator", "signer = 'carol'", func(t *testing.T, w *samtest.World) {
			exec(t, dba(t, w), "PRAGMA foreign_keys = OFF; INSERT INTO authenticator SELECT * FROM oldauth WHERE signer = 'carol'; INSERT INTO guard SELECT * FROM oldguard WHERE signer = 'carol'")
		}, `"authenticator:`, 2},
		"another's secret": {"enrolment", "signer = 'dora'", func(t *testing.T, w *samtest.World) {
			exec(t, dba(t, w), "UPDATE enrolment SET code = (SELECT code FROM enrolment WHERE signer = 'emil') WHERE signer = 'dora'")
		}, `"enrolment:`, 1},
		"seal of another row": {"tombstone", "key = (SELECT min(key) FROM tombstone)", func(t *testing.T, w *samtest.World) {
			db := dba(t, w)
			exec(t, db, "UPDATE tombstone SET mac = (SELECT mac FROM tombstone ORDER BY key DESC LIMIT 1) WHERE key = (SELECT min(key) FROM tombstone)")
		}, `"tombstone:`, 1},
	} {
		for _, when := range []string{"before", "during"} {
			t.Run(name+" "+when, func(t *testing.T) {
				w := samtest.New(t)
				launder(t, w)
				if when == "before" {
					c.spoil(t, w)
				}
				rotateSeal(t, w)
				if when == "during" {
					c.spoil(t, w)
				}
				was := sealed(t, w, c.table, c.where)
				resealAll(t, w)
				if now := sealed(t, w, c.table, c.where); string(now) != string(was) || sealedUnder(now) != 1 {
					t.Errorf("sealed under epoch %d", sealedUnder(now))
				}
				if n := count(w, sam.EventNotResealed); n != c.refused {
					t.Errorf("%d records of refusals, want %d", n, c.refused)
				}
				found := false
				for _, r := range w.Records() {
					found = found || r.Type == sam.EventNotResealed && contains(r.Data, `"record":`+c.record) && r.Reason == string(sap.ReasonSeal)
				}
				if !found {
					t.Errorf("no record names %s", c.record)
				}
				if low, now := sealsOf(t, w); low != 2 || now != 2 {
					t.Errorf("epochs %d to %d", low, now)
				}
				if got := seals(t, w); got[1] != c.refused {
					t.Errorf("records by epoch: %v", got)
				}
				bob := &samtest.Signer{ID: "bob"}
				if _, err := w.M.Signer(context.Background(), samtest.Officer, bob.ID); err != nil {
					t.Errorf("who has nothing to do with it: %v", err)
				}
			})
		}
	}
}

// launder makes what TestKPR06SealLaundersNothing spoils.
func launder(t *testing.T, w *samtest.World) {
	t.Helper()
	ctx := context.Background()
	alice := w.NewSigner("alice", algo.P256)
	carol := &samtest.Signer{ID: "carol", Device: samtest.NewDevice(samtest.Origin, samtest.RPID)}
	w.Enrol(carol)
	w.NewSigner("bob", algo.P256)
	for _, id := range []string{"one", "two"} {
		if err := w.Destroy(w.NewSigner(id, algo.P256).Key); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"dora", "emil"} {
		if _, err := w.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: id, Name: id, Proof: "p"}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.M.OpenEnrolment(ctx, samtest.Officer, id); err != nil {
			t.Fatal(err)
		}
	}
	db := dba(t, w)
	for _, q := range []string{"CREATE TABLE oldguard AS SELECT * FROM guard", "CREATE TABLE oldauth AS SELECT * FROM authenticator"} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	bad := failing(t, w, alice)
	if _, err := w.Redeem(bad.sad, bad.proof); err == nil {
		t.Fatal("accepted")
	}
	if err := w.M.RevokeAuthenticator(ctx, samtest.Officer, "carol", sap.B64(carol.Device.ID), "lost"); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"DELETE FROM oldguard WHERE signer = 'bob'"} {
		exec(t, db, q)
	}
}

// KPR-06, KPR-03: a row of before the change, put back after its end, is refused even
// when nothing in it was changed since, and the reason says why; put back before the end
// it is the record that it is.
func TestKPR06SealOldRowPutBack(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	db := dba(t, w)
	if _, err := db.Exec("CREATE TABLE old AS SELECT * FROM credential"); err != nil {
		t.Fatal(err)
	}
	rotateSeal(t, w)
	for i := 0; reseal(t, w); i++ {
		if i == 12 { // all but the last kinds
			exec(t, db, "INSERT OR REPLACE INTO credential SELECT * FROM old")
			if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
				t.Errorf("while both epochs count: %v", err)
			}
		}
	}
	sad := func() error {
		_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
		return err
	}
	if mac := sealed(t, w, "credential", "signer = 'alice'"); sealedUnder(mac) != 1 {
		t.Fatal("not the state that this test is about")
	}
	w.Stop()
	if err := w.Open(); err != nil && !errors.Is(err, sap.ReasonSeal) { // the sample of the self-test may find it
		t.Fatal(err)
	} else if err == nil {
		r := refused(t, w, sap.ReasonSeal, sad)
		if !contains(r.Data, "it is sealed under epoch 1, and epochs 2 to 2 count") {
			t.Errorf("%s", r.Data)
		}
	}
}

// KPR-06: a seal under a number that it does not belong to is refused, the number raised
// or lowered, while two epochs count and afterwards.
func TestKPR06SealNumbersInTheDatabase(t *testing.T) {
	under := func(number ...byte) func(mac []byte) []byte {
		return func(mac []byte) []byte { return append(number, mac[len(mac)-32:]...) }
	}
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	db := dba(t, w)
	put := func(mac []byte) { exec(t, db, "UPDATE credential SET mac = ? WHERE key = ?", mac, s.Key) }
	ask := func() error {
		_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
		return err
	}
	old := sealed(t, w, "credential", "key = ?", s.Key)
	rotateSeal(t, w)
	for _, done := range []bool{false, true} {
		if done {
			resealAll(t, w)
		}
		now := sealed(t, w, "credential", "key = ?", s.Key)
		cases := map[string][]byte{
			"new number": under(0, 2)(old), "next number": under(0, 3)(old), "number one": under(0, 1)(old), "number zero": under(0, 0)(old),
			"largest number": under(255, 255)(old), "no seal": {}, "number alone": {0, 2}, "one octet more": under(0, 0, 2)(old),
		}
		if done {
			cases["its own number"] = old
			cases["new seal, no number"], cases["new seal, number one"], cases["new seal, next number"] = under()(now), under(0, 1)(now), under(0, 3)(now)
		}
		for name, mac := range cases {
			t.Run(fmt.Sprintf("%s, at the end %v", name, done), func(t *testing.T) {
				put(mac)
				refused(t, w, sap.ReasonSeal, ask)
			})
		}
		put(now)
		if err := ask(); err != nil {
			t.Errorf("the seal that belongs there: %v", err)
		}
	}
}

// KPR-06: who writes the database and the anchor does not bring an old epoch back: not by
// the module's own record with other numbers in it, nor by its row of before, nor by an
// anchor or a list of before. Each is refused with its reason; what is true opens again.
func TestKPR06SealIsNotPutBack(t *testing.T) {
	update := func(set string) func(*testing.T, *samtest.World, string) {
		return func(t *testing.T, w *samtest.World, _ string) { quick(t, w, "UPDATE meta SET "+set) }
	}
	file := func(end string) func(*testing.T, *samtest.World, string) {
		return func(t *testing.T, w *samtest.World, old string) {
			samtest.CopyFile(t, filepath.Join(old, "anchor"+end), w.Cfg.AnchorPath+end)
		}
	}
	for name, c := range map[string]struct {
		spoil func(t *testing.T, w *samtest.World, old string)
		say   string
	}{
		"lowest epoch lowered":      {update("seal_low = 1"), "seal"},
		"lowest epoch raised":       {update("seal_low = 3"), "own record was changed"},
		"no lowest epoch":           {update("seal_low = 0"), "own record was changed"},
		"epoch lowered":             {update("seal_epoch = 1"), "own record was changed"},
		"epoch raised":              {update("seal_epoch = 3"), "own record was changed"},
		"both lowered":              {update("seal_epoch = 1, seal_low = 1"), "own record was changed"},
		"and the seal's number too": {update("seal_epoch = 1, seal_low = 1, mac = substr(mac, 3)"), "seal"},
		"a number to come":          {update("seal_epoch = 3, seal_low = 2, mac = CAST(x'0003' || substr(mac, 3) AS BLOB)"), "no such epoch"},
		"no number":                 {update("mac = x''"), "own record was changed"},
		"own record of before": {func(t *testing.T, w *samtest.World, _ string) {
			quick(t, w, "INSERT OR REPLACE INTO meta SELECT * FROM old")
		}, "not the last one"},
		"anchor of before":     {file(""), "put back from before the change of the sealing key"},
		"tombstones of before": {file(".tombstones"), "was not written by this module"},
		"failures of before":   {file(".failures"), "was not written by this module"},
	} {
		t.Run(name, func(t *testing.T) {
			w := samtest.New(t)
			alice, _ := populate(t, w)
			closeAll(t, w) // writes the anchor
			old := t.TempDir()
			for _, end := range []string{"", ".tombstones", ".failures"} {
				samtest.CopyFile(t, w.Cfg.AnchorPath+end, filepath.Join(old, "anchor"+end))
			}
			if err := w.Open(); err != nil {
				t.Fatal(err)
			}
			quick(t, w, "CREATE TABLE old AS SELECT * FROM meta")
			rotateSeal(t, w)
			resealAll(t, w)
			closeAll(t, w)
			true1 := t.TempDir()
			db := filepath.Join(true1, "sam.db")
			samtest.CopyFile(t, w.DB(), db)
			for _, end := range []string{"", ".tombstones", ".failures"} {
				samtest.CopyFile(t, w.Cfg.AnchorPath+end, filepath.Join(true1, "anchor"+end))
			}
			c.spoil(t, w, old)
			stays(t, w, c.say)
			for _, end := range []string{"-wal", "-shm"} {
				remove(t, w.DB()+end)
			}
			samtest.CopyFile(t, db, w.DB())
			for _, end := range []string{"", ".tombstones", ".failures"} {
				samtest.CopyFile(t, filepath.Join(true1, "anchor"+end), w.Cfg.AnchorPath+end)
			}
			if err := w.Open(); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Redeem(w.Approve(alice, 1)); err != nil {
				t.Error(err)
			}
		})
	}
}

// KPR-06, FPT-03: the mark of the secure state is sealed anew too: the one of before says
// that the module is closed.
func TestKPR06SealOfTheMark(t *testing.T) {
	w := samtest.New(t)
	w.NewSigner("alice", algo.P256)
	old := filepath.Join(t.TempDir(), "mark")
	samtest.CopyFile(t, w.Cfg.AnchorPath+".condition", old)
	rotateSeal(t, w)
	resealAll(t, w)
	w.Stop()
	samtest.CopyFile(t, old, w.Cfg.AnchorPath+".condition")
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	if st, err := w.M.Status(context.Background(), samtest.Officer); err != nil || st.State != "closed" || !contains(st.Why, "damaged or not of this module") {
		t.Errorf("%s %s, %v", st.State, st.Why, err)
	}
}

// KPR-06, AFL-01: a list of failures that somebody changes while records are sealed anew
// is not sealed anew: the module closes, as the next start would have kept it shut.
func TestKPR06SealOfAChangedList(t *testing.T) {
	for name, change := range map[string]func(text string) string{
		"line cut off": func(text string) string { return text[:strings.LastIndexByte(strings.TrimSuffix(text, "\n"), '\n')+1] },
		"line edited":  func(text string) string { return "x" + text[1:] },
		"lines swapped": func(text string) string {
			l := strings.SplitAfter(text, "\n")
			return l[1] + l[0] + strings.Join(l[2:], "")
		},
		"emptied": func(string) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			w := samtest.New(t)
			s := w.NewSigner("alice", algo.P256)
			for range 2 {
				bad := failing(t, w, s)
				_, _ = w.Redeem(bad.sad, bad.proof)
			}
			rotateSeal(t, w)
			for range 15 {
				reseal(t, w)
			}
			path := w.Cfg.AnchorPath + ".failures"
			text := readFile(t, path)
			bad := change(text)
			write(t, path, bad)
			if _, err := w.M.Reseal(context.Background()); !errors.Is(err, sap.ReasonStore) {
				t.Errorf("%v", err)
			}
			if st, err := w.M.Status(context.Background(), samtest.Officer); err != nil || st.State != "closed" || !contains(st.Why, "changed from outside") {
				t.Errorf("%s %s, %v", st.State, st.Why, err)
			}
			if readFile(t, path) != bad || !strings.Contains(text, " ") {
				t.Error("sealed anew")
			}
		})
	}
}

// KPR-06: lines of two epochs stand in the lists while both count, over a restart, and in
// one chain.
func TestKPR06SealListsOfTwoEpochs(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	fail := func() {
		bad := failing(t, w, s)
		_, _ = w.Redeem(bad.sad, bad.proof)
	}
	fail()
	rotateSeal(t, w)
	fail()
	if err := w.Destroy(w.NewSigner("gone", algo.P256).Key); err != nil {
		t.Fatal(err)
	}
	w.Crash()
	var got []int
	for _, mac := range fileMACs(t, w.Cfg.AnchorPath+".failures") {
		got = append(got, sealedUnder(mac))
	}
	if fmt.Sprint(got) != "[1 2]" {
		t.Errorf("epochs of the lines: %v", got)
	}
	resealAll(t, w)
	fail()
	w.Crash()
	if got := fileMACs(t, w.Cfg.AnchorPath+".failures"); len(got) != 3 || !locked(t, w, s) {
		t.Errorf("%d lines, locked %v", len(got), locked(t, w, s))
	}
}
