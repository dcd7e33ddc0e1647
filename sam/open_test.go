package sam_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samsqlite"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// closeAll ends the module in order.
func closeAll(t *testing.T, w *samtest.World) {
	t.Helper()
	if err := w.M.Close(); err != nil {
		t.Fatal(err)
	}
	w.M = nil
}

func stays(t *testing.T, w *samtest.World, say string) {
	t.Helper()
	err := w.Open()
	if !errors.Is(err, sam.ErrOpen) || !strings.Contains(err.Error(), say) {
		t.Errorf("got %v, want ErrOpen that says %q", err, say)
	}
	if err == nil {
		closeAll(t, w)
	}
}

// waitsFor opens the module, which must be closed but for the decision.
func waitsFor(t *testing.T, w *samtest.World, kind, say string) {
	t.Helper()
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	st, err := w.M.Status(context.Background(), samtest.Officer)
	if err != nil || st.State != "closed" || !strings.Contains(st.Why, say) || len(st.Waiting) != 1 || st.Waiting[0].Kind != kind {
		t.Errorf("got %s, %s, %+v, %v; want it closed, waiting for %s and saying %q", st.State, st.Why, st.Waiting, err, kind, say)
	}
	refused(t, w, sap.ReasonClosed, func() error {
		_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: "alice", Key: "k", N: 1})
		return err
	})
}

// FPT-01, T34: every doubtful state keeps the module closed, with a sentence.
func TestDoubtfulStateStaysClosed(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, w *samtest.World)
		say   string
		waits bool // for two officers, closed
	}{
		"anchor is missing": {func(t *testing.T, w *samtest.World) { remove(t, w.Cfg.AnchorPath) }, "anchor", false},
		"anchor is empty":   {func(t *testing.T, w *samtest.World) { write(t, w.Cfg.AnchorPath, "") }, "anchor", false},
		"anchor is edited":  {func(t *testing.T, w *samtest.World) { edit(t, w.Cfg.AnchorPath, `"epoch":1`, `"epoch":2`) }, "not made with this token", false},
		"database is gone": {func(t *testing.T, w *samtest.World) {
			remove(t, w.DB())
			remove(t, w.DB()+"-wal")
			remove(t, w.DB()+"-shm")
		}, "empty", false},
		"other cluster name": {func(_ *testing.T, w *samtest.World) { w.Cfg.Cluster = "other" }, "not made with this token and cluster", false},
		"own record edited": {func(t *testing.T, w *samtest.World) {
			exec(t, dba(t, w), "UPDATE meta SET epoch = 5")
		}, "seal", false},
		"last record cut off": {func(t *testing.T, w *samtest.World) {
			db := dba(t, w)
			_, _ = db.Exec("DROP TRIGGER audit_no_delete")
			exec(t, db, "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)")
		}, "older", true},
		"record edited": {func(t *testing.T, w *samtest.World) {
			db := dba(t, w)
			_, _ = db.Exec("DROP TRIGGER audit_no_update")
			exec(t, db, "UPDATE audit SET actor = 'officer:eve' WHERE seq = 3")
		}, "record 3", false},
		"record in the middle cut out": {func(t *testing.T, w *samtest.World) {
			db := dba(t, w)
			_, _ = db.Exec("DROP TRIGGER audit_no_delete")
			exec(t, db, "DELETE FROM audit WHERE seq = 4")
		}, "record 4", false},
		"statement key replaced": {func(_ *testing.T, w *samtest.World) { w.Cfg.StatementKey = "another" }, "statement key", false},
		"development token in production": {func(_ *testing.T, w *samtest.World) {
			w.Cfg.Production, w.Cfg.TimeSources = true, []clock.Source{w.Time}
		}, "development", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := samtest.New(t)
			w.NewSigner("alice", algo.P256)
			closeAll(t, w)
			c.spoil(t, w)
			if c.waits {
				waitsFor(t, w, sam.DecideRestore, c.say)
				return
			}
			stays(t, w, c.say)
		})
	}
}

// FPT-01: a token that fails its self-test keeps the module closed.
func TestTokenSelfTestAtStart(t *testing.T) {
	w := samtest.New(t)
	closeAll(t, w)
	w.Cfg.Token = probing{w.Token}
	if err := w.Open(); !errors.Is(err, sam.ErrOpen) || !errors.Is(err, cryptotoken.ErrSelfTest) {
		t.Errorf("got %v", err)
	}
}

type probing struct{ *samtest.Token }

func (probing) Probe(context.Context) error { return fmt.Errorf("%w: no", cryptotoken.ErrSelfTest) }

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func edit(t *testing.T, path, old, with string) {
	t.Helper()
	text := readFile(t, path)
	if !strings.Contains(text, old) {
		t.Fatalf("%s does not hold %q", path, old)
	}
	write(t, path, strings.Replace(text, old, with, 1))
}

// SAP-04, BKP-03, KPR-08: an old copy of the database is refused; accepted by an
// officer it opens a new epoch in which no session, SAD or destroyed key of
// before lives.
func TestRestore(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	gone := w.NewSigner("bob", algo.P256)
	sad, proof := w.Approve(s, 1)
	openSAD, openProof := w.Approve(s, 1)
	closeAll(t, w)
	old := filepath.Join(w.Dir, "old.db")
	samtest.CopyFile(t, w.DB(), old)
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Fatal(err)
	}
	if err := w.Destroy(gone.Key); err != nil {
		t.Fatal(err)
	}
	closeAll(t, w)

	samtest.CopyFile(t, old, w.DB())
	remove(t, w.DB()+"-wal")
	remove(t, w.DB()+"-shm")
	w.Token.Forget() // the intent of the redemption went with the newer database
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonClosed, func() error { _, err := w.Redeem(sad, proof); return err })
	if _, err := w.Accept(sam.DecideRestore); err != nil {
		t.Fatal(err)
	}
	uses := w.Token.Uses()
	for _, x := range [][2][]byte{{sad, proof}, {openSAD, openProof}} {
		refused(t, w, sap.ReasonAudience, func() error { _, err := w.Redeem(x[0], x[1]); return err })
	}
	refused(t, w, sap.ReasonKeyState, func() error {
		_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: gone.ID, Key: gone.Key, N: 1})
		return err
	})
	if w.Token.Uses() != uses || count(w, sam.EventRestore) != 1 {
		t.Error("a key was used, or the restore is not in the record")
	}
	info, err := w.M.Info(context.Background(), samtest.SSPU)
	if err != nil || info.Audience != samtest.Cluster+"#2" {
		t.Errorf("%+v, %v", info, err)
	}
	fresh, freshProof := w.Approve(s, 1)
	if _, err := w.Redeem(fresh, freshProof); err != nil {
		t.Errorf("new approval in the new epoch: %v", err)
	}
	closeAll(t, w)
	if err := w.Open(); err != nil { // and it opens without a word from now on
		t.Fatal(err)
	}
	w.Check()
}

// SAP-04, T34: a second process on the same database is refused.
func TestOneProcess(t *testing.T) {
	w := samtest.New(t)
	if _, err := samsqlite.Open(samsqlite.Config{Path: w.DB()}); err == nil {
		t.Error("the database was opened twice")
	}
}

// AUD-06, F: a full disk. Nothing is signed, nothing is half written, and with
// room again everything goes on.
func TestDiskFull(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	closeAll(t, w)
	st, err := os.Stat(w.DB())
	if err != nil {
		t.Fatal(err)
	}
	pages := int(st.Size()/4096) + 20
	db, err := samsqlite.Open(samsqlite.Config{Path: w.DB(), MaxPages: pages})
	if err != nil {
		t.Fatal(err)
	}
	w.Store = &samtest.Store{Store: db}
	w.Cfg.Store = w.Store
	if w.M, err = sam.Open(context.Background(), w.Cfg); err != nil {
		t.Fatal(err)
	}
	full, signed := false, 0
	for range 100 {
		in := sam.Ask{Signer: s.ID, Key: s.Key, N: 1}
		signedReq, err := w.M.Request(context.Background(), samtest.SSPU, in)
		if err != nil {
			if !errors.Is(err, sap.ReasonStore) {
				t.Fatal(err)
			}
			full = true
			break
		}
		req, err := sap.OpenActivationRequest(w.StatementKey(), signedReq)
		if err != nil {
			t.Fatal(err)
		}
		sd, err := s.Device.SAD(req, s.Items(t, req, 1))
		if err != nil {
			t.Fatal(err)
		}
		sad, proof, err := s.Device.Sign(sd)
		if err != nil {
			t.Fatal(err)
		}
		uses := w.Token.Uses()
		answer, err := w.Redeem(sad, proof)
		if err == nil {
			signed++
			w.Decode(answer)
			continue
		}
		full = true
		if !errors.Is(err, sap.ReasonStore) || answer != nil {
			t.Errorf("on a full disk: %v", err)
		}
		if got := w.Token.Uses() - uses; got != 0 && count(w, sam.EventReserved) != signed+1 {
			t.Error("the key was used without a durable reservation")
		}
		break
	}
	if !full || signed == 0 {
		t.Fatalf("disk full: %v after %d signatures", full, signed)
	}
	w.Check()
	w.Crash() // with room again
	sad, proof := w.Approve(s, 1)
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Errorf("with room again: %v", err)
	}
	w.Check()
}

// AUD-01, AUD-03, AUD-04: the events of a life, each once, without names.
func TestEventsOfALife(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	sad, proof := w.Approve(s, 2)
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Fatal(err)
	}
	if err := w.Destroy(s.Key); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range w.Records() {
		got = append(got, r.Type)
		if r.Outcome != audit.OK || r.Time == 0 || r.Actor == "" {
			t.Errorf("%+v", r)
		}
		for _, personal := range []string{"Signer alice", "contract.pdf", "Example Ltd"} {
			if strings.Contains(r.Data, personal) {
				t.Errorf("%s tells %q", r.Type, personal)
			}
		}
	}
	want := []string{audit.TypeStart, sam.EventCondition}
	for _, names := range samtest.People() {
		want = append(want, slices.Repeat([]string{sam.EventGranted}, len(names))...)
	}
	want = append(want, sam.EventCeremony,
		sam.EventStart, sam.EventSigner, sam.EventEnrolOpened, sam.EventEnrolBegun,
		sam.EventEnrolled, sam.EventEnrolDone, sam.EventKeyIntent, sam.EventKey, sam.EventLinked, sam.EventRequested, sam.EventReserved,
		sam.EventSigned, sam.EventProposed, sam.EventDestroyed, sam.EventApproved,
	)
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// KPR-08, BKP-03: the list of destroyed keys beside the anchor: a torn last line is
// written again, a removed or foreign line keeps the module closed, and a
// database older than the key itself still learns of it.
func TestTombstonesOutsideTheDatabase(t *testing.T) {
	w := samtest.New(t)
	list := w.Cfg.AnchorPath + ".tombstones"
	early := filepath.Join(w.Dir, "early.db")
	w.Enrol(&samtest.Signer{ID: "zoe", Device: samtest.NewDevice(samtest.Origin, samtest.RPID)})
	closeAll(t, w)
	samtest.CopyFile(t, w.DB(), early)
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"alice", "bob"} {
		s := w.NewSigner(id, algo.P256)
		if err := w.Destroy(s.Key); err != nil {
			t.Fatal(err)
		}
	}
	w.Crash() // no orderly stop: the list was written with the destruction
	closeAll(t, w)
	text := readFile(t, list)
	if strings.Count(text, "\n") != 2 {
		t.Fatalf("list is %q", text)
	}
	write(t, list, text[:len(text)-5])
	stays(t, w, "lists 1 destroyed keys")
	write(t, list, text+"k-torn")
	if err := w.Open(); err != nil {
		t.Errorf("torn line: %v", err)
	} else {
		closeAll(t, w)
	}
	write(t, list, text+"k-foreign AAAA\n")
	stays(t, w, "line 3")
	write(t, list, text)
	samtest.CopyFile(t, early, w.DB())
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Accept(sam.DecideRestore); err != nil {
		t.Fatal(err)
	}
	closeAll(t, w)
	if err := w.Open(); err != nil {
		t.Errorf("after the restore: %v", err)
	}
}
