package sam

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
)

// T34, KPR-03: an anchor is what this module wrote, or there is none, or the module
// stays closed and says which file it is about: a damaged anchor is never a lost one,
// for which a restore would do.
func TestKPR03AnchorFileInEveryState(t *testing.T) {
	s, _ := newTestSealer(t, "test")
	other, _ := newTestSealer(t, "other")
	made := func(s *sealer, a anchor) string {
		body, err := jcs.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		text, err := jcs.Marshal(anchorFile{Anchor: a, MAC: b64(s.anchorMAC(body))})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	want := anchor{Cluster: "test", Instance: "00ff", Epoch: 3, Seq: 77, Head: "aa", Tombstones: 2, Listed: 1}
	good := made(s, want)
	path := filepath.Join(t.TempDir(), "anchor")
	if a, err := readAnchor(path, s); a != nil || err != nil {
		t.Errorf("no file: %+v, %v", a, err)
	}
	for _, text := range []string{good, good + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if a, err := readAnchor(path, s); err != nil || *a != want {
			t.Errorf("%q: %+v, %v", text, a, err)
		}
	}
	for what, text := range map[string]string{
		"empty":              "",
		"half":               good[:len(good)/2],
		"two lines":          good + "\n\n",
		"another spelling":   strings.Replace(good, `{"anchor"`, `{ "anchor"`, 1),
		"a further member":   strings.Replace(good, `"epoch":3`, `"epoch":3,"from":1`, 1),
		"edited":             strings.Replace(good, `"seq":77`, `"seq":76`, 1),
		"without a MAC":      good[:strings.Index(good, `"mac":"`)+7] + `"}`,
		"a MAC of 31 octets": good[:strings.Index(good, `"mac":"`)+7] + b64(make([]byte, 31)) + `"}`,
		"a MAC of no octets": good[:strings.Index(good, `"mac":"`)+7] + `!"}`,
		"of another cluster": made(other, want),
		"larger than it is":  good + strings.Repeat(" ", 4097-len(good)),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if a, err := readAnchor(path, s); !errors.Is(err, ErrOpen) || a != nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %+v, %v", what, a, err)
		}
		if epoch, low := peekAnchor(path); epoch != 1 || low != 1 { // 0 would be a lost one
			t.Errorf("%s: epochs %d and %d", what, epoch, low)
		}
	}
	if a, err := readAnchor(filepath.Dir(path), s); !errors.Is(err, ErrOpen) || a != nil {
		t.Errorf("a folder: %+v, %v", a, err)
	}
}

// SAP-04, KPR-03: the lock of the anchor is taken by one; where there can be no lock,
// the message is not that somebody else has it; a file is replaced whole or the error
// is told.
func TestKPR03FilesOfTheAnchorThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "anchor")
	f, err := lockAnchor(path)
	if err != nil {
		t.Fatal(err)
	}
	if g, err := lockAnchor(path); !errors.Is(err, ErrOpen) || g != nil || !strings.Contains(err.Error(), "in use by another samd") {
		t.Errorf("a second time: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing", "anchor")
	if g, err := lockAnchor(missing); !errors.Is(err, ErrOpen) || g != nil || strings.Contains(err.Error(), "in use") {
		t.Errorf("without its folder: %v", err)
	}
	if err := replaceFile(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(path, []byte("another")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "another" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := os.Stat(path + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file beside it is left: %v", err)
	}
	if err := replaceFile(missing, []byte("x")); err == nil {
		t.Error("written into a folder that is not there")
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(filepath.Join(dir, "folder"), []byte("x")); err == nil {
		t.Error("written in place of a folder")
	}
	if err := syncDir(missing); err == nil {
		t.Error("a folder that is not there is durable")
	}
	if err := syncDir("/proc/self/status"); err == nil { // of a file system that keeps nothing
		t.Error("a folder that cannot be flushed is durable")
	}
}

// T34, KPR-03, AUD-05: an anchor is only followed by a chain that has the anchored
// record in its place; what cannot be read is not taken for the same.
func TestKPR03WhatFollowsAnAnchor(t *testing.T) {
	c := &chain{}
	for i := range 10 {
		e := audit.Entry{Type: "test", Actor: "a:b", Outcome: audit.OK, Data: audit.Data{"n": i}}
		if i == 0 {
			e.Type, e.Data = audit.TypeStart, audit.Data{"chain": "test"}
		}
		if _, err := audit.Append(c, time.Unix(1_800_000_000, 0), e); err != nil {
			t.Fatal(err)
		}
	}
	tx := &Tx{Audit: c}
	at := func(n int) anchor { return anchor{Seq: int64(n), Head: hex.EncodeToString(c.records[n].Hash)} }
	head := func(n int) audit.Head { return audit.Head{Seq: int64(n), Hash: c.records[n].Hash} }
	if err := follows(tx, anchor{}, head(9)); err != nil {
		t.Errorf("nothing anchored: %v", err)
	}
	for _, n := range []int{0, 1, 5, 9} {
		if err := follows(tx, at(n), head(9)); err != nil {
			t.Errorf("from record %d: %v", n, err)
		}
	}
	for what, err := range map[string]error{
		"a shorter chain": follows(tx, at(9), head(8)),
		"another record":  follows(tx, anchor{Seq: 5, Head: at(6).Head}, head(9)),
		"no such record":  follows(&Tx{Audit: &chain{records: c.records[:5]}}, at(5), head(9)),
		"cut out":         follows(&Tx{Audit: &chain{records: append(append([]audit.Record{}, c.records[:5]...), c.records[6:]...)}}, at(5), head(9)),
	} {
		if !errors.Is(err, errTakenBack) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := follows(&Tx{Audit: &chain{records: c.records, err: sap.ReasonStore}}, at(5), head(9)); !errors.Is(err, sap.ReasonStore) {
		t.Errorf("a store that fails: %v", err)
	}
}

// KPR-03, DAT-01: database, anchor and configuration name one cluster, each by itself,
// and the database and the anchor one module: whatever seals they have.
func TestKPR03DatabaseAndAnchorAreOfOneCluster(t *testing.T) {
	s, _ := newTestSealer(t, "test")
	m := &Module{seal: s, cfg: Config{Cluster: "test"}}
	for what, c := range map[string]struct{ meta, anchor, instance string }{
		"database of another": {"other", "test", "i"},
		"anchor of another":   {"test", "other", "i"},
		"both of another":     {"other", "other", "i"},
		"anchor of before":    {"test", "test", "j"},
	} {
		meta := &Meta{Cluster: c.meta, Instance: "i", Epoch: 1}
		s.stamp(meta, 1)
		got, err := m.checkState(t.Context(), meta, &anchor{Cluster: c.anchor, Instance: c.instance, Epoch: 1})
		if got != nil || !errors.Is(err, ErrOpen) || !strings.Contains(err.Error(), "configured is test") {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
}
