package sam_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// tables of the module, children before parents.
var tables = []string{"activation", "tombstone", "guard", "authenticator", "enrolment", "credential", "signer", "identity", "meta", "audit"}

// keepAll copies every table, as an administrator who plans to go back would.
func keepAll(t *testing.T, db *sql.DB) {
	t.Helper()
	for _, name := range tables {
		if _, err := db.Exec(fmt.Sprintf("CREATE TABLE kept_%s AS SELECT * FROM %s", name, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// putBackAll replaces every table by its copy in one transaction.
func putBackAll(t *testing.T, db *sql.DB) {
	t.Helper()
	query := "PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE;" +
		"DROP TRIGGER IF EXISTS audit_no_delete; DROP TRIGGER IF EXISTS tombstone_no_delete;"
	for _, name := range tables {
		query += fmt.Sprintf("DELETE FROM %s; INSERT INTO %s SELECT * FROM kept_%s;", name, name, name)
	}
	if _, err := db.Exec(query + "COMMIT"); err != nil {
		t.Fatal(err)
	}
}

// T34, T33, KPR-03, AUD-05 (promise 3): the administrator puts the whole database
// back while the module runs, so that the module itself writes an anchor that
// fits the old state. The anchor never goes back: not while running, and not at
// the next start.
func TestReviewDatabasePutBackWhileRunning(t *testing.T) {
	for _, grown := range []bool{false, true} {
		t.Run(fmt.Sprintf("grown=%v", grown), func(t *testing.T) {
			w := samtest.New(t)
			ctx := context.Background()
			alice := w.NewSigner("alice", algo.P256)
			w.Decide(sam.DecideRaw, sam.RawPermission{Key: alice.Key, Raw: true})
			db := dba(t, w)
			keepAll(t, db)
			if _, err := w.M.SetRaw(ctx, samtest.Officer, alice.Key, false); err != nil {
				t.Fatal(err)
			}
			sad, proof := w.Approve(alice, 1)
			if _, err := w.Redeem(sad, proof); err != nil {
				t.Fatal(err)
			}
			if err := w.M.Close(); err != nil { // the anchor knows of all this
				t.Fatal(err)
			}
			if err := w.Open(); err != nil {
				t.Fatal(err)
			}
			putBackAll(t, db)
			// A failed change makes the module read the end of the chain again.
			_, _ = w.M.BeginEnrolment(ctx, samtest.SSPU, "none")
			if grown { // until the old chain is longer than the anchored one
				for range 60 {
					_, _ = w.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: "nobody", Key: "none", N: 1})
				}
			}
			_ = w.M.Close()
			w.M = nil
			w.Token.Forget() // what was signed is not in this chain
			waitsFor(t, w, sam.DecideRestore, "older than the anchor")
			refused(t, w, sap.ReasonClosed, func() error { _, err := w.M.Credentials(ctx, samtest.Officer, alice.ID, ""); return err })
		})
	}
}

// KPR-07, KPR-08, T33: a destroyed key is put back, and the audit record of its
// destruction, older than what a start verifies, is made to tell of something
// else. The list of destroyed keys beside the anchor still knows it.
func TestReviewDestroyedKeyWithForgedHistory(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	alice := w.NewSigner("alice", algo.P256)
	db := dba(t, w)
	if _, err := db.Exec("CREATE TABLE old AS SELECT * FROM credential"); err != nil {
		t.Fatal(err)
	}
	if err := w.Destroy(alice.Key); err != nil {
		t.Fatal(err)
	}
	for range 1100 {
		_, _ = w.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: "nobody", Key: "none", N: 1})
	}
	if err := w.M.Close(); err != nil {
		t.Fatal(err)
	}
	w.M = nil
	exec(t, db, "INSERT OR REPLACE INTO credential SELECT * FROM old")
	if _, err := db.Exec("DROP TRIGGER audit_no_update"); err != nil {
		t.Fatal(err)
	}
	exec(t, db, "UPDATE audit SET data = replace(data, '\"obj\":\"key:', '\"obj\":\"kez:') WHERE type = ?", sam.EventDestroyed)
	if err := w.Open(); err != nil {
		if !errors.Is(err, sam.ErrOpen) {
			t.Fatal(err)
		}
		return // closed: as good
	}
	_, err := w.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: alice.ID, Key: alice.Key, N: 1})
	var r *sam.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("a destroyed key may be used again: %v", err)
	}
	if r.Reason != sap.ReasonKeyState && r.Reason != sap.ReasonSeal {
		t.Errorf("reason %s (%s)", r.Reason, strings.TrimSpace(err.Error()))
	}
}

// KEY-07, T33: the same with the permission for raw digests: taken away by an
// officer, put back by the administrator together with an edited history.
func TestReviewRawPermissionWithForgedHistory(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	alice := w.NewSigner("alice", algo.P256)
	w.Decide(sam.DecideRaw, sam.RawPermission{Key: alice.Key, Raw: true})
	db := dba(t, w)
	if _, err := db.Exec("CREATE TABLE old AS SELECT * FROM credential"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.M.SetRaw(ctx, samtest.Officer, alice.Key, false); err != nil {
		t.Fatal(err)
	}
	for range 1100 {
		_, _ = w.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: "nobody", Key: "none", N: 1})
	}
	if err := w.M.Close(); err != nil {
		t.Fatal(err)
	}
	w.M = nil
	exec(t, db, "INSERT OR REPLACE INTO credential SELECT * FROM old")
	if _, err := db.Exec("DROP TRIGGER audit_no_update"); err != nil {
		t.Fatal(err)
	}
	exec(t, db, "UPDATE audit SET data = replace(data, '\"obj\":\"key:', '\"obj\":\"kez:') WHERE type = ? AND data LIKE '%\"raw\":false%'", sam.EventPermission)
	if err := w.Open(); err != nil {
		if !errors.Is(err, sam.ErrOpen) {
			t.Fatal(err)
		}
		return
	}
	if list, err := w.M.Credentials(ctx, samtest.Officer, alice.ID, ""); err == nil && len(list) == 1 && list[0].Raw {
		t.Error("a permission that was taken away is there again")
	}
}
