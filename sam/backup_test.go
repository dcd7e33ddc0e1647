package sam_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken/softtoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// backUp orders a backup and returns the path of its file.
func backUp(t *testing.T, w *samtest.World) string {
	t.Helper()
	w.Decide(sam.DecideBackup, sam.MakeBackup{Why: "nightly"})
	st, err := w.M.Status(context.Background(), samtest.Officer)
	if err != nil || st.Backup == nil {
		t.Fatalf("%+v, %v", st, err)
	}
	return filepath.Join(w.Cfg.Backups, st.Backup.Name)
}

// restoreFile restores a backup over a module that has stopped, whose database is
// gone.
func restoreFile(t *testing.T, w *samtest.World, file string) error {
	t.Helper()
	for _, end := range []string{"", "-wal", "-shm"} {
		remove(t, w.DB()+end)
	}
	return restoreInto(t, w, w.DB(), file)
}

func restoreInto(t *testing.T, w *samtest.World, db, file string) error {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	_, _, err = sam.RestoreBackup(context.Background(), sam.RestoreConfig{
		Cluster: w.Cfg.Cluster, Token: w.Token, AnchorPath: w.Cfg.AnchorPath, Database: db, From: f, Now: w.Clock.Now(),
	})
	return err
}

// BKP-01, KPR-05: a backup is ordered by two officers, never by one; it is one file
// with mode 0600, complete, and on record. Restored it is the database as it was (ROL-04, BKP-02).
func TestBKP01BackupAndRestore(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	s := w.NewSigner("alice", algo.P256)
	p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideBackup, w.Args(sam.MakeBackup{Why: "nightly"}))
	if err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonSecond, func() error { _, err := w.M.Approve(ctx, samtest.Officer, p.ID); return err })
	if list, _ := filepath.Glob(filepath.Join(w.Dir, "*.backup*")); len(list) != 0 {
		t.Fatalf("one officer made %v", list)
	}
	if _, err := w.M.Approve(ctx, samtest.Second, p.ID); err != nil {
		t.Fatal(err)
	}
	file := backUp(t, w)
	st, err := os.Stat(file)
	if err != nil || st.Mode() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	rec := last(w, sam.EventBackup)
	if count(w, sam.EventBackup) != 2 || !contains(rec.Data, filepath.Base(file)) || !contains(rec.Data, `"first":"officer-1"`) || !contains(rec.Data, `"second":"officer-2"`) {
		t.Errorf("%+v", rec)
	}
	if list, _ := filepath.Glob(filepath.Join(w.Dir, "*.part")); len(list) != 0 {
		t.Errorf("left behind: %v", list)
	}
	if list, _ := filepath.Glob(filepath.Join(w.Dir, "*.snapshot")); len(list) != 0 {
		t.Errorf("left behind: %v", list)
	}
	sad, proof := w.Approve(s, 1) // after the backup
	closeAll(t, w)
	if err := restoreFile(t, w, file); err != nil {
		t.Fatal(err)
	}
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	onlyDecidesAbout(t, w, sam.DecideRestore)
	refused(t, w, sap.ReasonClosed, func() error { _, err := w.Redeem(sad, proof); return err })
	accept(t, w, sam.DecideRestore)
	if rec := last(w, sam.EventRestore); !contains(rec.Data, "from the backup of") {
		t.Errorf("%+v", rec)
	}
	refused(t, w, sap.ReasonAudience, func() error { _, err := w.Redeem(sad, proof); return err })
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Error(err)
	}
	w.Crash()
	if w.Waits(sam.DecideRestore) != nil {
		t.Error("asked again")
	}
	w.Check()
}

// BKP-01: no clear secret and no personal data is in a backup; the same search
// finds the personal data in the database itself, so that it could find them.
func TestBKP01NothingIsReadable(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	s := w.NewSigner("anna-canary", algo.P256)
	if _, err := w.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "bert-canary", Name: "Bert Canary", Proof: "passport-canary-7"}); err != nil {
		t.Fatal(err)
	}
	code, err := w.M.OpenEnrolment(ctx, samtest.Officer, "bert-canary")
	if err != nil {
		t.Fatal(err)
	}
	file := backUp(t, w)
	closeAll(t, w)
	text, db := []byte(readFile(t, file)), []byte(readFile(t, w.DB()))
	inDB := []string{"anna-canary", "Bert Canary", "passport-canary-7", s.Key, string(s.Device.ID), string(s.Cert.Raw), samtest.Officer.Identity, "SQLite format"}
	for _, canary := range append(inDB, "test-pin", code.Code, "nightly") {
		if bytes.Contains(text, []byte(canary)) {
			t.Errorf("the backup shows %q", clipText(canary))
		}
	}
	for _, canary := range inDB {
		if !bytes.Contains(db, []byte(canary)) {
			t.Errorf("the database has no %q: the search proves nothing", clipText(canary))
		}
	}
	if bytes.Contains(db, []byte("test-pin")) || bytes.Contains(db, []byte(code.Code)) {
		t.Error("the database shows a secret")
	}
	// Not even as a pattern: what compresses is not encrypted.
	zeros := bytes.Count(text, make([]byte, 8))
	if zeros > 2 {
		t.Errorf("%d runs of zeros", zeros)
	}
}

func clipText(s string) string { return strings.ToValidUTF8(s[:min(len(s), 20)], "?") }

// BKP-01: a bit that flips anywhere, a cut, an addition, chunks that change places:
// nothing of it is restored, and no file is left.
func TestBKP01ChangedBackupsAreRefused(t *testing.T) {
	w := samtest.New(t)
	w.NewSigner("alice", algo.P256)
	file := backUp(t, w)
	closeAll(t, w)
	text := []byte(readFile(t, file))
	const chunk = 64<<10 + 16
	head := 25 + int(binary.BigEndian.Uint32(text[21:25])) // where the parts begin
	if len(text) < head+2*chunk {
		t.Fatalf("a backup of %d octets has too few parts for this test", len(text))
	}
	bad := filepath.Join(w.Dir, "bad.backup")
	into := filepath.Join(w.Dir, "into.db")
	try := func(name string, b []byte) {
		t.Helper()
		write(t, bad, string(b))
		if err := restoreInto(t, w, into, bad); !errors.Is(err, sam.ErrBackup) {
			t.Errorf("%s: %v", name, err)
		}
		for _, path := range []string{into, into + ".part", w.Cfg.AnchorPath + ".restored"} {
			if _, err := os.Stat(path); err == nil {
				t.Fatalf("%s: left %s", name, path)
			}
		}
	}
	for _, at := range []int{0, 5, 22, 24, 30, 200, head - 1, head, head + chunk, len(text) / 3, len(text) / 2, len(text) - 17, len(text) - 1} {
		b := bytes.Clone(text)
		b[at] ^= 1
		try("bit flip", b)
	}
	for _, n := range []int{0, 10, 30, 300, head, head + chunk, head + 2*chunk, len(text) - 16, len(text) - 1} {
		try("cut off", text[:n])
	}
	try("continued", append(bytes.Clone(text), 0))
	try("twice", append(bytes.Clone(text), text...))
	swapped := bytes.Clone(text)
	copy(swapped[head:], text[head+chunk:head+2*chunk])
	copy(swapped[head+chunk:], text[head:head+chunk])
	try("moved", swapped)
	try("a part less", append(bytes.Clone(text[:head]), text[head+chunk:]...))
	try("another kind of file", []byte(readFile(t, w.DB())))
	write(t, bad, string(text))
	if err := restoreInto(t, w, into, bad); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

// BKP-01, KPR-05: only the token that made it opens a backup, and only under the
// same name of the module.
func TestBKP01OtherTokenOpensNothing(t *testing.T) {
	w := samtest.New(t)
	file := backUp(t, w)
	closeAll(t, w)
	other, err := softtoken.Open(softtoken.Config{
		Dir: filepath.Join(t.TempDir(), "token"), PIN: []byte("test-pin"), Profile: "development", Create: true, Log: w.Cfg.Log,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	for name, change := range map[string]func(*sam.RestoreConfig){
		"another token":       func(c *sam.RestoreConfig) { c.Token = other },
		"another module name": func(c *sam.RestoreConfig) { c.Cluster = "elsewhere" },
	} {
		t.Run(name, func(t *testing.T) {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			c := sam.RestoreConfig{
				Cluster: w.Cfg.Cluster, Token: w.Token, AnchorPath: filepath.Join(t.TempDir(), "anchor"), Database: filepath.Join(t.TempDir(), "x.db"),
				From: f, Now: w.Clock.Now(),
			}
			change(&c)
			if _, _, err := sam.RestoreBackup(context.Background(), c); !errors.Is(err, sam.ErrBackup) {
				t.Errorf("%v", err)
			}
		})
	}
}

// BKP-01, FPT-05: a full disk is a clear error, and there is no half a file; with
// room again the next backup is made.
func TestBKP01FullDisk(t *testing.T) {
	full := true
	w := samtest.New(t, func(c *sam.Config) { c.Fault = func(what string) bool { return full && what == "backup-disk" } })
	w.NewSigner("alice", algo.P256)
	_, err := w.Try(sam.DecideBackup, sam.MakeBackup{Why: "nightly"})
	if !errors.Is(err, sap.ReasonStore) || !contains(err.Error(), "no space left") {
		t.Errorf("%v", err)
	}
	if list, _ := filepath.Glob(filepath.Join(w.Dir, "*.backup*")); len(list) != 0 || count(w, sam.EventBackup) != 0 {
		t.Errorf("left behind: %v", list)
	}
	full = false
	backUp(t, w)
	closeAll(t, w)
	w.Cfg.Backups = filepath.Join(w.Dir, "not", "there")
	if err := w.OpenAccepted(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Try(sam.DecideBackup, sam.MakeBackup{Why: "nightly"}); !errors.Is(err, sap.ReasonStore) {
		t.Errorf("no folder: %v", err)
	}
	closeAll(t, w)
	w.Cfg.Backups = ""
	if err := w.OpenAccepted(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Try(sam.DecideBackup, sam.MakeBackup{Why: "nightly"}); !errors.Is(err, sap.ReasonState) {
		t.Errorf("none configured: %v", err)
	}
}

// BKP-02: a backup is restored into an empty place only, and not beside a module
// that runs.
func TestBKP02RestoreOverwritesNothing(t *testing.T) {
	w := samtest.New(t)
	file := backUp(t, w)
	if err := restoreInto(t, w, filepath.Join(w.Dir, "x.db"), file); !errors.Is(err, sam.ErrOpen) || !contains(err.Error(), "another samd") {
		t.Errorf("beside a running module: %v", err)
	}
	closeAll(t, w)
	before := readFile(t, w.DB())
	if err := restoreInto(t, w, w.DB(), file); !errors.Is(err, sam.ErrOpen) || !contains(err.Error(), "in the way") {
		t.Errorf("over a database: %v", err)
	}
	if readFile(t, w.DB()) != before {
		t.Error("the database was changed")
	}
}

// BKP-02, BKP-03, AFL-01: everything but token and backup is lost: anchor, list of
// destroyed keys, list of failures. Two officers acknowledge that by its words;
// then every authenticator has one failure left, and a new epoch begins. Without
// the restore's notice, a database without its anchor stays refused.
func TestBKP03EverythingBesideIsLost(t *testing.T) {
	w := samtest.New(t) // limit 3
	ctx := context.Background()
	s := w.NewSigner("alice", algo.P256)
	sad, proof := w.Approve(s, 1)
	file := backUp(t, w)
	closeAll(t, w)
	lists := []string{w.Cfg.AnchorPath, w.Cfg.AnchorPath + ".tombstones", w.Cfg.AnchorPath + ".failures", w.Cfg.AnchorPath + ".condition"}
	for _, path := range lists {
		remove(t, path)
	}
	stays(t, w, "anchor")
	if err := restoreFile(t, w, file); err != nil {
		t.Fatal(err)
	}
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	onlyDecidesAbout(t, w, sam.DecideRestore)
	in := w.Waits(sam.DecideRestore).(sam.AcceptRestore)
	if strings.Join(in.Lost, " ") != "anchor tombstones failures" {
		t.Errorf("lost: %v", in.Lost)
	}
	silent := in
	silent.Lost = []string{}
	refused(t, w, sap.ReasonInvalid, func() error {
		_, err := w.M.Propose(ctx, samtest.Officer, sam.DecideRestore, w.Args(silent))
		return err
	})
	accept(t, w, sam.DecideRestore)
	if rec := last(w, sam.EventRestore); !contains(rec.Data, `"lost":["anchor","tombstones","failures"]`) {
		t.Errorf("%+v", rec)
	}
	refused(t, w, sap.ReasonAudience, func() error { _, err := w.Redeem(sad, proof); return err })
	if locked(t, w, s) {
		t.Error("locked without a failure")
	}
	bad := failing(t, w, s)
	refused(t, w, sap.ReasonUserVerified, func() error { _, err := w.Redeem(bad.sad, bad.proof); return err })
	if !locked(t, w, s) {
		t.Error("the counts are lost, and more than one failure is left")
	}
	w.Clock.Advance(16 * time.Minute)
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Error(err)
	}
	bad = failing(t, w, s) // a success began the count anew
	refused(t, w, sap.ReasonUserVerified, func() error { _, err := w.Redeem(bad.sad, bad.proof); return err })
	if locked(t, w, s) {
		t.Error("one failure after a success locks")
	}
	w.Crash()
	if w.Waits(sam.DecideRestore) != nil {
		t.Error("asked again")
	}
	w.Check()
}

// BKP-03, KPR-08: the backup knows a key as alive that was destroyed since, and an
// approval as open that was used: neither comes back.
func TestBKP03BackupRevivesNothing(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	s, gone := w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256)
	sad, proof := w.Approve(s, 1)
	file := backUp(t, w)
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Fatal(err)
	}
	if err := w.Destroy(gone.Key); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		bad := failing(t, w, s)
		_, _ = w.Redeem(bad.sad, bad.proof)
	}
	closeAll(t, w)
	w.Token.Forget()
	if err := restoreFile(t, w, file); err != nil {
		t.Fatal(err)
	}
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	accept(t, w, sam.DecideRestore)
	refused(t, w, sap.ReasonAudience, func() error { _, err := w.Redeem(sad, proof); return err })
	refused(t, w, sap.ReasonKeyState, func() error {
		_, err := w.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: gone.ID, Key: gone.Key, N: 1})
		return err
	})
	bad := failing(t, w, s)
	refused(t, w, sap.ReasonUserVerified, func() error { _, err := w.Redeem(bad.sad, bad.proof); return err })
	if !locked(t, w, s) {
		t.Error("the lockout was reset")
	}
}

// I9, BKP-01: memory stays bounded, however large the database is.
func TestBKP01MemoryIsBounded(t *testing.T) {
	w := samtest.New(t)
	db := dba(t, w)
	if _, err := db.Exec("CREATE TABLE ballast (b BLOB); INSERT INTO ballast SELECT randomblob(1000000) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 64) SELECT i FROM n)"); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	file := backUp(t, w)
	closeAll(t, w)
	if err := restoreFile(t, w, file); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n > 150 {
		t.Errorf("%d MB were allocated for 64 MB", n)
	}
	if st, err := os.Stat(file); err != nil || st.Size() < 64_000_000 {
		t.Errorf("%v, %v", st, err)
	}
}
