package sam_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// dba opens the database as its administrator would, beside the module.
func dba(t *testing.T, w *samtest.World) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+w.DB()+"?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func exec(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	res, err := db.Exec(query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		t.Fatalf("%s: no row changed (%v)", query, err)
	}
}

// KEY-06, KPR-01, SAP-11, T33: each protected column of each record that decides about a key
// use, changed in the database, makes the use fail with the seal's reason.
func TestEachProtectedColumn(t *testing.T) {
	w := samtest.New(t)
	alice := w.NewSigner("alice", algo.P256)
	w.NewSigner("bob", algo.P256)
	sad, proof := w.Approve(alice, 1)
	db := dba(t, w)
	session, err := sap.DecodeSAD(sad)
	if err != nil {
		t.Fatal(err)
	}
	sid, err := sap.UnB64(session.Bind.Session)
	if err != nil {
		t.Fatal(err)
	}
	tested := 0
	for table, key := range map[string]any{
		"signer": alice.ID, "authenticator": alice.Device.ID, "guard": alice.Device.ID, "credential": alice.Key, "activation": sid,
	} {
		for _, col := range columns(t, db, table) {
			if col.pk {
				continue // the key finds the row; moving it is tested by swapping
			}
			t.Run(table+"."+col.name, func(t *testing.T) {
				tested++
				where := fmt.Sprintf(" WHERE %s = ?", col.key)
				var old any
				if err := db.QueryRow("SELECT "+col.name+" FROM "+table+where, key).Scan(&old); err != nil {
					t.Fatal(err)
				}
				exec(t, db, "UPDATE "+table+" SET "+col.name+" = ?"+where, changed(col.kind, old), key)
				refused(t, w, sap.ReasonSeal, func() error { _, err := w.Redeem(sad, proof); return err })
				exec(t, db, "UPDATE "+table+" SET "+col.name+" = ?"+where, old, key)
			})
		}
	}
	if tested < 45 {
		t.Errorf("only %d columns were tested", tested)
	}
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Errorf("everything put back: %v", err)
	}
}

type column struct {
	name, kind, key string
	pk              bool
}

func columns(t *testing.T, db *sql.DB, table string) []column {
	t.Helper()
	rows, err := db.Query("SELECT name, type, pk FROM pragma_table_info(?)", table)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var out []column
	key := ""
	for rows.Next() {
		var c column
		if err := rows.Scan(&c.name, &c.kind, &c.pk); err != nil {
			t.Fatal(err)
		}
		if c.pk {
			key = c.name
		}
		out = append(out, c)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for i := range out {
		out[i].key = key
	}
	return out
}

// changed is another value of the column's type; references stay valid, so that
// only the seal stands in the way.
func changed(kind string, old any) any {
	switch v := old.(type) {
	case int64:
		return v + 1
	case string:
		if v == "alice" {
			return "bob"
		}
		return v + "x"
	case []byte:
		if kind == "TEXT" {
			return string(v) + "x"
		}
		b := slices.Clone(v)
		if len(b) == 0 {
			return []byte{1}
		}
		b[len(b)-1] ^= 1
		return b
	}
	return nil
}

// KPR-02: two signers' wrapped keys swapped, alone and together with everything
// that belongs to them except the name.
func TestSwappedKeys(t *testing.T) {
	for name, cols := range map[string][]string{
		"blob":                         {"blob"},
		"blob and public key":          {"blob", "public"},
		"the whole row but its owner":  {"blob", "public", "csr", "chain", "cert_hash", "subject", "auth_hash", "seq", "version", "mac"},
		"the whole row with its owner": {"signer", "blob", "public", "csr", "chain", "cert_hash", "subject", "auth_hash", "created", "seq", "version", "mac"},
	} {
		t.Run(name, func(t *testing.T) {
			w := samtest.New(t)
			alice, bob := w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256)
			sad, proof := w.Approve(alice, 1)
			db := dba(t, w)
			read := func(key string) []any {
				vals, ptrs := make([]any, len(cols)), make([]any, len(cols))
				for i := range vals {
					ptrs[i] = &vals[i]
				}
				if err := db.QueryRow("SELECT "+strings.Join(cols, ", ")+" FROM credential WHERE key = ?", key).Scan(ptrs...); err != nil {
					t.Fatal(err)
				}
				return vals
			}
			a, b := read(alice.Key), read(bob.Key)
			set := "UPDATE credential SET " + strings.Join(cols, " = ?, ") + " = ? WHERE key = ?"
			if slices.Contains(cols, "public") { // UNIQUE: out of the way first
				exec(t, db, "UPDATE credential SET public = x'00' WHERE key = ?", bob.Key)
			}
			exec(t, db, set, append(b, alice.Key)...)
			exec(t, db, set, append(a, bob.Key)...)
			refused(t, w, sap.ReasonSeal, func() error { _, err := w.Redeem(sad, proof); return err })
		})
	}
}

// PRV-02, T21: the administrator puts an own authenticator in place of, or
// beside, the signer's, and even copies a genuine row of another signer.
func TestReplacedAuthenticator(t *testing.T) {
	w := samtest.New(t)
	alice, bob := w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256)
	sad, proof := w.Approve(alice, 1)
	db := dba(t, w)
	redeem := func() error { _, err := w.Redeem(sad, proof); return err }

	exec(t, db, "UPDATE authenticator SET signer = 'alice' WHERE credential = ?", bob.Device.ID)
	refused(t, w, sap.ReasonSeal, redeem)
	exec(t, db, "UPDATE authenticator SET signer = 'bob' WHERE credential = ?", bob.Device.ID)

	var pub, mac []byte
	if err := db.QueryRow("SELECT public, mac FROM authenticator WHERE credential = ?", bob.Device.ID).Scan(&pub, &mac); err != nil {
		t.Fatal(err)
	}
	exec(t, db, "INSERT INTO authenticator (credential, signer, public, aaguid, backup_eligible, attestation, carrier, created, tier, metadata, usable_from, via, seq, version, mac) SELECT x'0102030405060708090a0b0c0d0e0f10', 'alice', ?, aaguid, backup_eligible, attestation, carrier, created, tier, metadata, usable_from, via, seq, version, ? FROM authenticator WHERE credential = ?", pub, mac, bob.Device.ID)
	refused(t, w, sap.ReasonSeal, redeem)
	exec(t, db, "DELETE FROM authenticator WHERE credential = x'0102030405060708090a0b0c0d0e0f10'")

	exec(t, db, "PRAGMA foreign_keys = OFF; UPDATE authenticator SET public = ?, mac = ? WHERE credential = ?", pub, mac, alice.Device.ID)
	refused(t, w, sap.ReasonSeal, redeem)
}

// KPR-03, T33: rows that were sealed in their time, put back later: a consumed
// session made open again, a destroyed key made active, a lockout forgotten. The
// seals fit; the audit chain knows better.
func TestOldRowsPutBack(t *testing.T) {
	type world struct {
		*samtest.World
		alice      *samtest.Signer
		sad, proof []byte
	}
	for name, c := range map[string]struct {
		table string
		act   func(t *testing.T, w *world)
	}{
		"consumed session": {"activation", func(t *testing.T, w *world) {
			if _, err := w.Redeem(w.sad, w.proof); err != nil {
				t.Fatal(err)
			}
		}},
		"destroyed key": {"credential", func(t *testing.T, w *world) {
			if err := w.Destroy(w.alice.Key); err != nil {
				t.Fatal(err)
			}
		}},
		"raw permission": {"credential", func(t *testing.T, w *world) {
			w.Decide(sam.DecideRaw, sam.RawPermission{Key: w.alice.Key, Raw: true})
		}},
		"failure counter": {"guard", func(t *testing.T, w *world) {
			d := *w.alice.Device
			d.Flags = samtest.UP
			s := *w.alice
			s.Device = &d
			x := sign(t, w.World, &s, 1, nil)
			if _, err := w.Redeem(x.sad, x.proof); err == nil {
				t.Fatal("UV=0 was accepted")
			}
		}},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/restart=%v", name, restart), func(t *testing.T) {
				w := &world{World: samtest.New(t)}
				w.alice = w.NewSigner("alice", algo.P256)
				w.sad, w.proof = w.Approve(w.alice, 1)
				db := dba(t, w.World)
				if _, err := db.Exec("CREATE TABLE old AS SELECT * FROM " + c.table); err != nil {
					t.Fatal(err)
				}
				c.act(t, w)
				exec(t, db, "INSERT OR REPLACE INTO "+c.table+" SELECT * FROM old")
				if restart { // nothing is remembered then
					w.Stop()
					if err := w.Open(); errors.Is(err, sam.ErrOpen) && errors.Is(err, sap.ReasonSeal) {
						return // the sample of the self-test was lucky
					} else if err != nil {
						t.Fatal(err)
					}
				}
				refused(t, w.World, sap.ReasonSeal, func() error { _, err := w.Redeem(w.sad, w.proof); return err })
			})
		}
	}
}

// AUD-05, AUD-06: not even SQL that the module itself could send changes or
// deletes an audit record.
func TestAuditTableRefusesChanges(t *testing.T) {
	w := samtest.New(t)
	w.NewSigner("alice", algo.P256)
	db := dba(t, w)
	for _, q := range []string{"UPDATE audit SET reason = 'x'", "DELETE FROM audit WHERE seq = 3", "UPDATE tombstone SET key = 'x'"} {
		if res, err := db.Exec(q); err == nil {
			if n, _ := res.RowsAffected(); n > 0 {
				t.Errorf("%s was accepted", q)
			}
		}
	}
	w.Check()
}

// IAM-06, KPR-11: what must not be read by any API or found in the database in
// the clear: enrolment codes and what verifies them, private keys.
func TestSecretsAreNotInTheDatabase(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	if _, err := w.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "carol", Name: "Carol", Proof: "p"}); err != nil {
		t.Fatal(err)
	}
	code, err := w.M.OpenEnrolment(ctx, samtest.Officer, "carol")
	if err != nil {
		t.Fatal(err)
	}
	key, err := sap.CodeKey(code.Code)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := sap.UnB64(code.Code)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(w.DB() + "*")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range append(files, w.Cfg.AnchorPath) {
		text := readFile(t, f)
		for _, canary := range []string{code.Code, string(key), string(raw), sap.B64(key)} {
			if strings.Contains(text, canary) {
				t.Errorf("%s holds the enrolment code or its key", f)
			}
		}
	}
}
