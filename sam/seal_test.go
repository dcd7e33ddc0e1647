package sam_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// sealsOf are the epochs of seals that the module says it believes.
func sealsOf(t *testing.T, w *samtest.World) (low, now int64) {
	t.Helper()
	st, err := w.M.Status(context.Background(), samtest.Officer)
	if err != nil {
		t.Fatal(err)
	}
	return st.SealLow, st.SealEpoch
}

// rotateSeal has both officers order the next epoch.
func rotateSeal(t *testing.T, w *samtest.World) {
	t.Helper()
	_, now := sealsOf(t, w)
	w.Decide(sam.DecideSeal, sam.RotateSeal{From: now, Why: "yearly"})
}

func reseal(t *testing.T, w *samtest.World) (more bool) {
	t.Helper()
	more, err := w.M.Reseal(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return more
}

func resealAll(t *testing.T, w *samtest.World) {
	t.Helper()
	for reseal(t, w) {
	}
}

func sealedUnder(mac []byte) int {
	if len(mac) == 32 {
		return 1
	}
	return int(binary.BigEndian.Uint16(mac))
}

// seals counts, past the module, the sealed records of all tables by the epoch of
// their seals.
func seals(t *testing.T, w *samtest.World) map[int]int {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+w.DB()+"?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }() // the database may be replaced next
	out := map[int]int{}
	for _, table := range sealedTables(t, db) {
		for _, mac := range macsOf(t, db, table) {
			out[sealedUnder(mac)]++
		}
	}
	return out
}

func macsOf(t *testing.T, db *sql.DB, table string) (list [][]byte) {
	t.Helper()
	rows, err := db.Query("SELECT mac FROM " + table)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var mac []byte
		if err := rows.Scan(&mac); err != nil {
			t.Fatal(err)
		}
		list = append(list, mac)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// sealedTables are the tables that have a seal, as the database says.
func sealedTables(t *testing.T, db *sql.DB) (list []string) {
	t.Helper()
	rows, err := db.Query("SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name = 'mac' WHERE m.type = 'table' AND m.name NOT LIKE 'old%' ORDER BY m.name")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		list = append(list, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// populate makes records of every kind.
func populate(t *testing.T, w *samtest.World) (alice, bob *samtest.Signer) {
	t.Helper()
	ctx := context.Background()
	alice, bob = w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256)
	if err := w.Destroy(w.NewSigner("gone", algo.P256).Key); err != nil { // a tombstone
		t.Fatal(err)
	}
	if _, err := w.Redeem(w.Approve(alice, 2)); err != nil {
		t.Fatal(err)
	}
	bad := failing(t, w, bob)
	if _, err := w.Redeem(bad.sad, bad.proof); err == nil {
		t.Fatal("accepted")
	}
	lost := w.NewSigner("lost", algo.P256) // a notice, and an open recovery with its halves
	if err := w.M.RevokeAuthenticator(ctx, samtest.Officer, "lost", sap.B64(lost.Device.ID), "lost"); err != nil {
		t.Fatal(err)
	}
	w.Decide(sam.DecideRecovery, sam.Recovery{Signer: "lost", Name: "Signer lost", Proof: "proof-2", Why: "lost it"})
	rotateKey(t, w, false) // a succession
	w.Decide(sam.DecideGrant, grantOf("left", "left", sam.RoleAuditor))
	w.Decide(sam.DecideRevoke, sam.Revoke{Name: "left", Why: "left"})
	return alice, bob
}

// KPR-06, ROL-04: two officers change the sealing key, and one alone does not; every record
// of every table, every hidden secret and every file beside the anchor is then sealed anew,
// what was asked for before goes on, counts and locks stay, the audit chain of before and
// after verifies, and it can be done again. The end of the old key takes two as well.
func TestKPR06SealByTwoOfficers(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	alice, bob := populate(t, w)
	held, proof := w.Approve(alice, 1)
	done, doneProof := w.Approve(alice, 1)
	answer, err := w.Redeem(done, doneProof)
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideSeal, w.Args(sam.RotateSeal{From: 1, Why: "yearly"}))
	if err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonSecond, func() error { _, err := w.M.Approve(ctx, samtest.Officer, p.ID); return err })
	if low, now := sealsOf(t, w); low != 1 || now != 1 || len(seals(t, w)) != 1 {
		t.Fatal("one officer was enough")
	}
	refused(t, w, sap.ReasonState, func() error {
		_, err := w.M.Propose(ctx, samtest.Officer, sam.DecideSealEnd, w.Args(sam.DestroySeal{Epoch: 1, Why: "x"}))
		return err
	})
	if _, err := w.M.Approve(ctx, samtest.Second, p.ID); err != nil {
		t.Fatal(err)
	}
	if r := last(w, sam.EventSealKey); count(w, sam.EventSealKey) != 1 || !contains(r.Data, `"second":"officer-2"`) || !contains(r.Data, `"seal_epoch":2`) {
		t.Errorf("%+v", r)
	}
	if low, now := sealsOf(t, w); low != 1 || now != 2 {
		t.Errorf("epochs %d to %d", low, now)
	}
	for _, kind := range []string{sam.DecideSeal, sam.DecideSealEnd} { // not while records are sealed anew
		var args any = sam.RotateSeal{From: 2, Why: "x"}
		if kind == sam.DecideSealEnd {
			args = sam.DestroySeal{Epoch: 1, Why: "x"}
		}
		if _, err := w.Try(kind, args); !errors.Is(err, sap.ReasonState) {
			t.Errorf("%s in the middle: %v", kind, err)
		}
	}
	resealAll(t, w)
	if got := seals(t, w); got[2] < 25 || len(got) != 1 {
		t.Errorf("records by epoch: %v", got)
	}
	if r := last(w, sam.EventResealed); count(w, sam.EventResealed) != 1 || !contains(r.Data, `"refused":0`) {
		t.Errorf("%+v", r)
	}
	if low, now := sealsOf(t, w); low != 2 || now != 2 {
		t.Errorf("epochs %d to %d", low, now)
	}
	for _, file := range []string{"", ".tombstones", ".failures", ".condition"} {
		for i, mac := range fileMACs(t, w.Cfg.AnchorPath+file) {
			if sealedUnder(mac) != 2 {
				t.Errorf("anchor%s, line %d: epoch %d", file, i+1, sealedUnder(mac))
			}
		}
	}
	for _, again := range []func(){func() {}, w.Crash} {
		again()
		if stored, err := w.Redeem(done, doneProof); err != nil || string(stored) != string(answer) {
			t.Errorf("stored answer: %v", err)
		}
	}
	if _, err := w.Redeem(held, proof); err != nil {
		t.Errorf("approved before the change: %v", err)
	}
	for range 2 { // the count of before goes on: the limit is three
		bad := failing(t, w, bob)
		_, _ = w.Redeem(bad.sad, bad.proof)
	}
	if !locked(t, w, bob) {
		t.Error("failures of before do not count")
	}
	if half, err := w.M.GiveHalf(ctx, samtest.Officer, "lost"); err != nil || half.No != 1 {
		t.Errorf("a secret that was hidden before: %v", err)
	}
	rotateSeal(t, w)
	resealAll(t, w)
	backUp(t, w)
	p, err = w.M.Propose(ctx, samtest.Officer, sam.DecideSealEnd, w.Args(sam.DestroySeal{Epoch: 2, Why: "backed up"}))
	if err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonSecond, func() error { _, err := w.M.Approve(ctx, samtest.Officer, p.ID); return err })
	if _, err := w.M.Approve(ctx, samtest.Second, p.ID); err != nil {
		t.Fatal(err)
	}
	if r := last(w, sam.EventSealKeyDestroyed); !contains(r.Data, `"epochs":["1","2"]`) {
		t.Errorf("%+v", r)
	}
	if _, err := w.Try(sam.DecideSealEnd, sam.DestroySeal{Epoch: 2, Why: "again"}); !errors.Is(err, sap.ReasonState) {
		t.Errorf("destroyed twice: %v", err)
	}
	w.Crash()
	if got := seals(t, w); len(got) != 1 || got[3] == 0 {
		t.Errorf("records by epoch: %v", got)
	}
	if half, err := w.M.GiveHalf(ctx, samtest.Second, "lost"); err != nil || half.No != 2 {
		t.Errorf("a secret that was hidden before: %v", err)
	}
	if _, err := w.Redeem(w.Approve(alice, 1)); err != nil {
		t.Error(err)
	}
	w.Check() // verifies the chain
}

// fileMACs are the seals in a file beside the anchor, or in the anchor.
func fileMACs(t *testing.T, path string) (list [][]byte) {
	t.Helper()
	text := readFile(t, path)
	if _, mac, ok := strings.Cut(text, `"mac":"`); ok {
		text = "x " + strings.TrimRight(mac, "\"}\n")
	}
	for _, line := range strings.Split(strings.TrimRight(text, " \n"), "\n") {
		_, mac, _ := strings.Cut(strings.TrimRight(line, " "), " ")
		raw, err := sap.UnB64(mac)
		if err != nil || len(raw) < 32 {
			t.Fatalf("%s: %q", path, line)
		}
		list = append(list, raw)
	}
	return list
}

// KPR-06: what is walked is every table that has a seal: a new table that the walk does
// not know would keep its old seals, and be refused at the end.
func TestKPR06SealWalksEveryTable(t *testing.T) {
	w := samtest.New(t)
	populate(t, w)
	db := dba(t, w)
	filled := 0
	for _, table := range sealedTables(t, db) {
		var n int
		if err := db.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == 0 && table != "onetime" { // its records are made by TestKPR06SealOfOneTimeKeys
			t.Errorf("no record in %s: populate makes none", table)
		}
		filled++
	}
	if filled != 15 {
		t.Errorf("%d sealed tables", filled)
	}
}

// KPR-06: records of one-time keys are sealed anew too.
func TestKPR06SealOfOneTimeKeys(t *testing.T) {
	o := newOnceWorld(t)
	o.ask()
	rotateSeal(t, o.World)
	resealAll(t, o.World)
	var mac []byte
	if err := dba(t, o.World).QueryRow("SELECT mac FROM onetime").Scan(&mac); err != nil || sealedUnder(mac) != 2 {
		t.Errorf("epoch %d, %v", sealedUnder(mac), err)
	}
	if r := last(o.World, sam.EventResealed); !contains(r.Data, `"refused":0`) {
		t.Errorf("%+v", r)
	}
}

// KPR-06: the module serves from the order to the end of the re-sealing and after it:
// everything that was approved before or in between is redeemed, once.
func TestKPR06SealWhileServing(t *testing.T) {
	w := samtest.New(t)
	alice, bob := w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256)
	type one struct{ sad, proof []byte }
	var list []one
	for i := range 120 { // more than one batch
		sad, proof := w.Approve([]*samtest.Signer{alice, bob}[i%2], 1)
		if i%5 == 0 {
			list = append(list, one{sad, proof})
		}
	}
	uses := w.Token.Uses()
	var wg sync.WaitGroup
	for half := range 2 {
		wg.Go(func() {
			for i := half; i < len(list); i += 2 {
				if _, err := w.Redeem(list[i].sad, list[i].proof); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		rotateSeal(t, w)
		resealAll(t, w)
	}
	wg.Wait()
	for _, x := range list { // the stored answers
		if _, err := w.Redeem(x.sad, x.proof); err != nil {
			t.Error(err)
		}
	}
	if n := w.Token.Uses() - uses; n != int64(len(list)) {
		t.Errorf("%d key uses for %d approvals", n, len(list))
	}
	if got := seals(t, w); len(got) != 1 || got[3] == 0 || count(w, sam.EventNotResealed) != 0 {
		t.Errorf("records by epoch: %v, %d refused", got, count(w, sam.EventNotResealed))
	}
	w.Check()
}

// KPR-06: nobody has to call for it: the module seals anew by itself, and goes on after a
// restart.
func TestKPR06SealGoesOnByItself(t *testing.T) {
	w := samtest.New(t)
	w.NewSigner("alice", algo.P256)
	rotateSeal(t, w)
	w.Cfg.ResealEvery = time.Microsecond
	w.Crash()
	for range 2 {
		for end := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Millisecond) {
			if low, now := sealsOf(t, w); low == now {
				break
			}
			if time.Now().After(end) {
				t.Fatal("not at its end")
			}
		}
		if got := seals(t, w); len(got) != 1 {
			t.Errorf("records by epoch: %v", got)
		}
		rotateSeal(t, w)
	}
}

// KPR-06, FPT-05: a kill after any number of batches: every record counts, whichever
// epoch it is of, a crash in the files' turn too, and the next run ends it.
func TestKPR06SealKilledBetweenBatches(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.OpenSessions = 1000 })
	alice, bob := populate(t, w)
	for range 205 { // three batches of one kind
		w.Ask(alice, 1)
	}
	rotateSeal(t, w)
	var steps int
	for n := 0; ; n++ {
		w.Crash()
		more := true
		for i := 0; i < n && more; i++ {
			more = reseal(t, w)
		}
		steps = n
		if !more {
			break
		}
		if n%4 == 0 {
			if _, err := w.Redeem(w.Approve(alice, 1)); err != nil {
				t.Fatalf("after %d batches: %v", n, err)
			}
		}
	}
	if low, now := sealsOf(t, w); low != 2 || now != 2 || steps < 18 {
		t.Errorf("epochs %d to %d after %d batches", low, now, steps)
	}
	if got := seals(t, w); len(got) != 1 || count(w, sam.EventNotResealed) != 0 || count(w, sam.EventResealed) != 1 {
		t.Errorf("records by epoch: %v, %d refused", got, count(w, sam.EventNotResealed))
	}
	w.Crash()
	if _, err := w.Redeem(w.Approve(alice, 1)); err != nil || locked(t, w, bob) {
		t.Error(err)
	}
	w.Check()
}

// KPR-06, ROL-04: nobody but an officer proposes it, and arguments that say nothing or
// something else are refused.
func TestKPR06SealOnlyByOfficers(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	for _, kind := range []string{sam.DecideSeal, sam.DecideSealEnd} {
		for _, c := range []sam.Caller{samtest.SSPU, samtest.RA, samtest.Admin, samtest.Watch, samtest.Auditor} {
			refused(t, w, sap.ReasonRole, func() error {
				_, err := w.M.Propose(ctx, c, kind, w.Args(sam.RotateSeal{From: 1, Why: "x"}))
				return err
			})
		}
	}
	for name, c := range map[string]struct {
		kind string
		in   any
	}{
		"another epoch":         {sam.DecideSeal, sam.RotateSeal{From: 2, Why: "x"}},
		"no reason":             {sam.DecideSeal, sam.RotateSeal{From: 1}},
		"unknown member":        {sam.DecideSeal, map[string]any{"from": 1, "why": "x", "to": 5}},
		"nothing":               {sam.DecideSeal, map[string]any{}},
		"end of none":           {sam.DecideSealEnd, sam.DestroySeal{Epoch: 0, Why: "x"}},
		"end of one to come":    {sam.DecideSealEnd, sam.DestroySeal{Epoch: 2, Why: "x"}},
		"end without a reason":  {sam.DecideSealEnd, sam.DestroySeal{Epoch: 1}},
		"end, a member unknown": {sam.DecideSealEnd, map[string]any{"epoch": 1, "why": "x", "all": true}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, w, sap.ReasonInvalid, func() error { _, err := w.M.Propose(ctx, samtest.Officer, c.kind, w.Args(c.in)); return err })
		})
	}
	if low, now := sealsOf(t, w); low != 1 || now != 1 {
		t.Error("changed")
	}
}
