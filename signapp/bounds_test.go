package signapp_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/appsqlite"
	"github.com/assent-sign/assent/signapp/apptest"
)

// T10: every method that takes an id, with the ids of another client or signer,
// in every state. Nothing is found, nothing changes.
func TestForeignIDs(t *testing.T) {
	r := newRig(t, nil)
	sign := func(stop signapp.State) (*signapp.Operation, signapp.Grant) {
		op := r.Create("anna", rand.Text())
		g, v := r.Open(apptest.Login("anna", "s"), op.ID)
		if stop == signapp.StateFinished {
			sad, proof := r.Approve(g, v)
			if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
				t.Fatal(err)
			}
			r.Await(op.ID)
		}
		return op, g
	}
	doc := r.Upload("acme's")
	for _, state := range []signapp.State{signapp.StateShown, signapp.StateFinished} {
		op, anna := sign(state)
		benOp := r.Create("ben", rand.Text())
		ben, _ := r.Open(apptest.Login("ben", "b"), benOp.ID)
		s := r.Service
		for name, call := range map[string]func() error{
			"Get":     func() error { _, err := s.Get(bg, apptest.Other, op.ID); return err },
			"Wait":    func() error { _, err := s.Wait(bg, apptest.Other, op.ID); return err },
			"Cancel":  func() error { _, err := s.Cancel(bg, apptest.Other, op.ID); return err },
			"Result":  func() error { _, _, err := s.Result(bg, apptest.Other, op.ID, 0); return err },
			"Receipt": func() error { _, err := s.Receipt(bg, apptest.Other, op.ID); return err },
			"client named as the signer": func() error {
				_, err := s.Get(bg, signapp.Client{ID: "anna"}, op.ID)
				return err
			},
			"no client":      func() error { _, err := s.Get(bg, signapp.Client{}, op.ID); return err },
			"DeleteResult":   func() error { return s.DeleteResult(bg, apptest.Other, op.ID) },
			"DeleteDocument": func() error { return s.DeleteDocument(bg, apptest.Other, doc.ID) },
			"OpenDocument":   func() error { _, _, err := s.OpenDocument(bg, apptest.Other, doc.ID); return err },
			"Ticket":         func() error { _, err := s.Ticket(bg, apptest.Login("ben", "b"), op.ID); return err },
			"SignerResult":   func() error { _, _, err := s.SignerResult(bg, "ben", op.ID, 0); return err },
			"SignerReceipt":  func() error { _, err := s.SignerReceipt(bg, "ben", op.ID); return err },
			"SignerOperation": func() error {
				_, err := s.SignerOperation(bg, "ben", op.ID)
				return err
			},
			"View, own token": func() error {
				_, err := s.View(bg, signapp.Grant{Session: ben.Session, Token: ben.Token, Operation: op.ID})
				return err
			},
			"View, stolen token": func() error {
				_, err := s.View(bg, signapp.Grant{Session: ben.Session, Token: anna.Token, Operation: op.ID})
				return err
			},
			"View, no session": func() error {
				_, err := s.View(bg, signapp.Grant{Token: anna.Token, Operation: op.ID})
				return err
			},
			"ItemDocument": func() error {
				_, _, err := s.ItemDocument(bg, signapp.Grant{Session: ben.Session, Token: ben.Token, Operation: op.ID}, 0)
				return err
			},
			"ItemResult": func() error {
				_, _, err := s.ItemResult(bg, signapp.Grant{Session: ben.Session, Token: ben.Token, Operation: op.ID}, 0)
				return err
			},
			"ItemReceipt": func() error {
				_, err := s.ItemReceipt(bg, signapp.Grant{Session: ben.Session, Token: ben.Token, Operation: op.ID})
				return err
			},
			"RequestActivation": func() error {
				_, err := s.RequestActivation(bg, signapp.Grant{Session: ben.Session, Token: ben.Token, Operation: op.ID})
				return err
			},
			"Redeem": func() error {
				_, err := s.Redeem(bg, signapp.Grant{Session: ben.Session, Token: ben.Token, Operation: op.ID}, []byte("{}"), []byte("{}"))
				return err
			},
			"Decline": func() error {
				_, err := s.Decline(bg, signapp.Grant{Session: ben.Session, Token: ben.Token, Operation: op.ID}, "")
				return err
			},
		} {
			if err := call(); !errors.Is(err, signapp.ErrNotFound) {
				t.Errorf("%s, %s: %v", state, name, err)
			}
		}
		if o, err := s.Get(bg, apptest.Acme, op.ID); err != nil || o.State != state {
			t.Fatalf("%v, %v", o, err)
		}
	}
	list, err := r.Service.SignerOperations(bg, "ben", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list {
		if o.Signer != "ben" {
			t.Errorf("ben sees %s of %s", o.ID, o.Signer)
		}
	}
}

// Retention: uploads, results, operations and their secrets disappear when
// their time is over, files included.
func TestRetention(t *testing.T) {
	r := newRig(t, func(c *signapp.Config) {
		c.Retention = signapp.Retention{Documents: time.Hour, Results: 48 * time.Hour, Operations: 240 * time.Hour}
	})
	op := r.Create("anna", "text")
	g, v := r.Open(apptest.Login("anna", "s"), op.ID)
	sad, proof := r.Approve(g, v)
	if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
		t.Fatal(err)
	}
	r.Await(op.ID)
	waiting := r.Create("anna", "waits")
	doc := r.Upload("unused")
	step := func(d time.Duration) {
		t.Helper()
		r.Clock.Advance(d)
		if err := r.Service.Step(bg); err != nil {
			t.Fatal(err)
		}
	}
	step(2 * time.Hour)
	_, err := r.Service.Create(bg, apptest.Acme, signapp.NewOperation{Signer: "anna", Items: []signapp.NewItem{{Document: doc.ID, Worker: "paper"}}})
	want(t, err, signapp.ErrNotFound)
	if n := countFiles(t, r, "documents"); n != 0 {
		t.Errorf("%d uploads kept", n)
	}
	if n := countFiles(t, r, "prepared"); n != 2 {
		t.Errorf("%d files", n)
	}
	checkFinished(t, r, r.Await(op.ID), "text")
	step(23 * time.Hour)
	if o, err := r.Service.Get(bg, apptest.Acme, waiting.ID); err != nil || o.State != signapp.StateExpired {
		t.Fatalf("%v, %v", o, err)
	}
	if n := countFiles(t, r, "prepared"); n != 1 {
		t.Errorf("%d files, want the finished one", n)
	}
	step(24 * time.Hour)
	_, _, err = r.Service.Result(bg, apptest.Acme, op.ID, 0)
	want(t, err, signapp.ErrExpired)
	if n := countFiles(t, r, "prepared"); n != 0 {
		t.Errorf("%d files kept", n)
	}
	if _, err := r.Service.Receipt(bg, apptest.Acme, op.ID); err != nil {
		t.Errorf("the receipt went with the document: %v", err)
	}
	r.Restart() // a start must not trip over what is gone
	step(240 * time.Hour)
	_, err = r.Service.Get(bg, apptest.Acme, op.ID)
	want(t, err, signapp.ErrNotFound)
	err = r.Store.View(bg, func(tx signapp.Tx) error {
		rows, err := tx.Operations().List(signapp.Everything(), signapp.Query{})
		if err == nil && len(rows) != 0 {
			err = fmt.Errorf("%d operations kept", len(rows))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// F4: without room nothing is half done, and the caller is told so.
func TestStorageFull(t *testing.T) {
	t.Run("files", func(t *testing.T) {
		r := newRig(t, nil)
		doc := r.Upload("text")
		r.Stop()
		r.Config.Limits.MinFree = 1 << 62
		r.Start()
		_, err := r.Service.Upload(bg, apptest.Acme, "a.pdf", strings.NewReader("x"))
		want(t, err, signapp.ErrFull)
		_, err = r.Service.Create(bg, apptest.Acme, signapp.NewOperation{Signer: "anna", Items: []signapp.NewItem{{Document: doc.ID, Worker: "paper"}}})
		want(t, err, signapp.ErrFull)
		if n := countFiles(t, r, "documents") + countFiles(t, r, "prepared") + countFiles(t, r, "partial"); n != 1 {
			t.Errorf("%d files", n)
		}
	})
	t.Run("database", func(t *testing.T) {
		r := apptest.NewRig(t, func(p string) (signapp.Store, error) { return appsqlite.Open(p, appsqlite.Options{MaxPages: 60}) }, nil)
		var err error
		made := 0
		for ; err == nil && made < 500; made++ {
			_, err = r.Service.Upload(bg, apptest.Acme, strings.Repeat("n", 250)+".pdf", strings.NewReader("x"))
		}
		want(t, err, signapp.ErrFull)
		if n := countFiles(t, r, "documents"); n != made-1 {
			t.Errorf("%d files for %d documents", n, made-1)
		}
	})
	t.Run("device", func(t *testing.T) {
		small := t.TempDir()
		if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=1m"); err != nil {
			t.Logf("no small file system here (%v): the error is made by a limit on the file's size instead", err)
			fullByLimit(t)
			return
		}
		t.Cleanup(func() { _ = syscall.Unmount(small, 0) })
		r := newRig(t, func(c *signapp.Config) { c.Dir, c.Limits.ClientBytes = filepath.Join(small, "files"), 1<<30 })
		_, err := r.Service.Upload(bg, apptest.Acme, "a.pdf", io.LimitReader(zeros{}, 4<<20))
		want(t, err, signapp.ErrFull)
		if n := countFiles(t, r, "documents") + countFiles(t, r, "partial"); n != 0 {
			t.Errorf("%d files", n)
		}
		if d := r.Upload("small"); d.Size != 5 {
			t.Error("room was not given back")
		}
	})
}

// fullByLimit makes a write fail for lack of room where no file system can be
// mounted: the process's file size limit answers like a full disk (EFBIG).
func fullByLimit(t *testing.T) {
	r := newRig(t, nil)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 20, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	_, err := r.Service.Upload(bg, apptest.Acme, "a.pdf", io.LimitReader(zeros{}, 4<<20))
	if rerr := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); rerr != nil {
		t.Fatal(rerr)
	}
	want(t, err, signapp.ErrFull)
	if n := countFiles(t, r, "documents") + countFiles(t, r, "partial"); n != 0 {
		t.Errorf("%d files", n)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// An upload that breaks off, is too large or empty leaves nothing.
func TestUploadRefusals(t *testing.T) {
	r := newRig(t, func(c *signapp.Config) { c.Limits.Document = 1000 })
	for name, c := range map[string]struct {
		name string
		body io.Reader
		want error
	}{
		"one byte too many": {"a.pdf", io.LimitReader(zeros{}, 1001), signapp.ErrTooLarge},
		"endless":           {"a.pdf", zeros{}, signapp.ErrTooLarge},
		"empty":             {"a.pdf", strings.NewReader(""), signapp.ErrInput},
		"broken off":        {"a.pdf", io.MultiReader(strings.NewReader("x"), brokenReader{}), signapp.ErrInput},
		"no name":           {"", strings.NewReader("x"), signapp.ErrInput},
		"only a path":       {"../../", strings.NewReader("x"), signapp.ErrInput},
		"control":           {"a\x00.pdf", strings.NewReader("x"), signapp.ErrInput},
		"long":              {strings.Repeat("a", 301), strings.NewReader("x"), signapp.ErrInput},
	} {
		if _, err := r.Service.Upload(bg, apptest.Acme, c.name, c.body); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := countFiles(t, r, "documents") + countFiles(t, r, "partial"); n != 0 {
		t.Errorf("%d files", n)
	}
	d, err := r.Service.Upload(bg, apptest.Acme, "../../etc/passwd", io.LimitReader(zeros{}, 1000))
	if err != nil || d.Name != "passwd" || d.Size != 1000 {
		t.Fatalf("%+v, %v", d, err)
	}
	sum := sha256.Sum256(make([]byte, 1000))
	f, got, err := r.Service.OpenDocument(bg, apptest.Acme, d.ID)
	if body := apptest.ReadAll(t, f, err); len(body) != 1000 || !bytes.Equal(got.SHA256, sum[:]) {
		t.Error("stored document differs")
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// I9: 100 MB go through upload, preparation, display, finishing and download
// in a heap that does not know their size.
func TestMemoryOf100MB(t *testing.T) {
	const size = 100 << 20
	r := newRig(t, func(c *signapp.Config) { c.Limits.Document = size })
	runtime.GC()
	stop := make(chan struct{})
	var peak uint64
	var wg sync.WaitGroup
	wg.Go(func() {
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	doc, err := r.Service.Upload(bg, apptest.Acme, "large.pdf", io.LimitReader(zeros{}, size))
	if err != nil {
		t.Fatal(err)
	}
	op, err := r.Service.Create(bg, apptest.Acme, signapp.NewOperation{Signer: "anna", Items: []signapp.NewItem{{Document: doc.ID, Worker: "paper"}}})
	if err != nil {
		t.Fatal(err)
	}
	g, v := r.Open(apptest.Login("anna", "s"), op.ID)
	copyAll := func(f io.ReadSeekCloser, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		if n, err := io.Copy(io.Discard, f); err != nil || n != size+apptest.Hole {
			t.Fatalf("%d bytes, %v", n, err)
		}
	}
	f, _, err := r.Service.ItemDocument(bg, g, 0)
	copyAll(f, err)
	sad, proof := r.Approve(g, v)
	if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
		t.Fatal(err)
	}
	if o := r.Await(op.ID); o.State != signapp.StateFinished {
		t.Fatalf("%s %s", o.State, o.Reason)
	}
	f, _, err = r.Service.Result(bg, apptest.Acme, op.ID, 0)
	copyAll(f, err)
	close(stop)
	wg.Wait()
	if peak > 64<<20 {
		t.Errorf("heap grew to %d MiB", peak>>20)
	}
}

// Many operations at once: each finishes with exactly its own key uses.
func TestManyAtOnce(t *testing.T) {
	r := newRig(t, func(c *signapp.Config) { c.Limits.Waiting = 1000 })
	const n = 40
	var wg sync.WaitGroup
	for i := range n {
		signer := []string{"anna", "ben"}[i%2]
		op := r.Create(signer, rand.Text(), rand.Text())
		g, v := r.Open(apptest.Login(signer, "s"), op.ID)
		sad, proof := r.Approve(g, v)
		for range 2 { // the app repeats out of impatience
			wg.Go(func() {
				if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(bg, 20*time.Second)
			defer cancel()
			if o, err := r.Service.Wait(ctx, apptest.Acme, op.ID); err != nil || o.State != signapp.StateFinished {
				t.Errorf("%v, %v", o, err)
			}
		})
	}
	wg.Wait()
	if keys, _ := r.Module.Uses(); keys != 2*n {
		t.Errorf("%d key uses for %d items", keys, 2*n)
	}
	if f := r.Paper.Finishes(); f != 2*n {
		t.Errorf("%d documents were finished %d times: two drivers at one operation", 2*n, f)
	}
}

// I6: the log of a whole life has no document name, no purpose, no token, no
// approval.
func TestLogHoldsNoSecrets(t *testing.T) {
	var log syncBuffer
	r := newRig(t, func(c *signapp.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	r.Module.Set(apptest.Vice{})
	for _, vice := range []apptest.Vice{{}, {Refuse: true}, {LoseAnswer: true}} {
		op := r.Create("anna", rand.Text())
		g, v := r.Open(apptest.Login("anna", "canary-session"), op.ID)
		sad, proof := r.Approve(g, v)
		r.Module.Set(vice)
		_, _ = r.Service.Redeem(bg, g, sad, proof)
		r.Module.Set(apptest.Vice{})
		link := op.ApprovalURL[strings.LastIndexByte(op.ApprovalURL, '/')+1:]
		for _, secret := range []string{"contract.pdf", "Lease 7", g.Token, link, string(proof)} {
			if strings.Contains(log.String(), secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
	}
	if !strings.Contains(log.String(), "refused") {
		t.Error("the log says nothing at all")
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Open refuses a configuration in which this process could write the signer's
// app, and one that misses something.
func TestOpenRefusesBadConfig(t *testing.T) {
	r := newRig(t, nil)
	for name, change := range map[string]func(*signapp.Config){
		"one origin for both": func(c *signapp.Config) { c.SigningOrigin = c.AppOrigin },
		"origin with a path":  func(c *signapp.Config) { c.AppOrigin += "/" },
		"no origin":           func(c *signapp.Config) { c.SigningOrigin = "" },
		"ftp":                 func(c *signapp.Config) { c.AppOrigin = "ftp://x" },
		"no store":            func(c *signapp.Config) { c.Store = nil },
		"no module":           func(c *signapp.Config) { c.Module = nil },
		"no directory":        func(c *signapp.Config) { c.Dir = "" },
	} {
		c := r.Config
		change(&c)
		if _, err := signapp.Open(bg, c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// SAP-06: an operation whose approval would be larger than what is taken from the signer's app is refused before anybody reads it; the names of many
// items, and of many files under one signature, are most of it.
func TestApprovalsFitIntoTheRelay(t *testing.T) {
	r := newRig(t, func(c *signapp.Config) { c.Limits.Items = 1000 })
	ask := func(n int) error {
		op := signapp.NewOperation{Signer: "anna", Purpose: "p"}
		for i := range n {
			sum := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
			op.Items = append(op.Items, signapp.NewItem{Digest: sum[:], Name: strings.Repeat("𝔸", 300)})
		}
		_, err := r.Service.Create(bg, apptest.Acme, op)
		return err
	}
	if err := ask(400); err != nil {
		t.Error(err)
	}
	if err := ask(700); !errors.Is(err, signapp.ErrInput) || !strings.Contains(err.Error(), "several operations") {
		t.Errorf("700 long names: %v", err)
	}
}
