package signapp_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/apptest"
	"github.com/assent-sign/assent/workers"
)

// kept is what a client has by the books.
func kept(t *testing.T, r *apptest.Rig, client string) signapp.Kept {
	t.Helper()
	all, err := r.Service.Kept(bg)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range all {
		if k.Client == client {
			return k
		}
	}
	return signapp.Kept{Client: client}
}

// onDisk is what the files of the service take.
func onDisk(t *testing.T, r *apptest.Rig) (n int64) {
	t.Helper()
	err := filepath.WalkDir(r.Config.Dir, func(_ string, d os.DirEntry, err error) error {
		var st os.FileInfo
		if err == nil && !d.IsDir() {
			if st, err = d.Info(); err == nil {
				n += st.Size()
			}
		}
		if errors.Is(err, os.ErrNotExist) { // gone meanwhile
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const mib = 1 << 20

// T18: a client that uploads without end stops at its own bound, with its own reason;
// others go on, and what is deleted gives room.
func TestT18OneClientCannotFillTheDisk(t *testing.T) {
	r := newRig(t, func(c *signapp.Config) { c.Limits.ClientBytes = 4 * mib })
	var err error
	made := 0
	for ; err == nil && made < 20; made++ {
		_, err = r.Service.Upload(bg, apptest.Acme, "a.pdf", io.LimitReader(zeros{}, mib))
	}
	want(t, err, signapp.ErrQuota)
	if made != 4 { // three of one MiB and a block each, and the one that was refused
		t.Errorf("refused after %d", made)
	}
	if n := onDisk(t, r); n != 3*mib {
		t.Errorf("%d bytes on disk: what was refused is still there", n)
	}
	if _, err := r.Service.Upload(bg, apptest.Acme, "b.pdf", io.LimitReader(zeros{}, mib/2)); err != nil {
		t.Errorf("what fits was refused: %v", err)
	}
	if _, err := r.Service.Upload(bg, apptest.Other, "a.pdf", io.LimitReader(zeros{}, mib)); err != nil {
		t.Errorf("another client: %v", err)
	}
	r.Restart() // the books are durable
	_, err = r.Service.Upload(bg, apptest.Acme, "a.pdf", io.LimitReader(zeros{}, mib))
	want(t, err, signapp.ErrQuota)
	r.Clock.Advance(25 * time.Hour)
	if err := r.Service.Step(bg); err != nil {
		t.Fatal(err)
	}
	if k := kept(t, r, "acme"); k != (signapp.Kept{Client: "acme"}) {
		t.Errorf("after all was deleted: %+v", k)
	}
	if _, err := r.Service.Upload(bg, apptest.Acme, "a.pdf", io.LimitReader(zeros{}, mib)); err != nil {
		t.Error(err)
	}
}

// T18: uploads side by side share the one bound while they are being written: together
// they never have more on disk.
func TestT18UploadsSideBySideShareTheBound(t *testing.T) {
	const limit = 6 * mib
	r := newRig(t, func(c *signapp.Config) { c.Limits.ClientBytes = limit })
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		good  int
		most  int64
		watch = watched{func() {
			n := onDisk(t, r)
			mu.Lock()
			most = max(most, n)
			mu.Unlock()
		}}
	)
	for range 12 {
		wg.Go(func() {
			_, err := r.Service.Upload(bg, apptest.Acme, "a.pdf", io.LimitReader(watch, mib))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				good++
			} else if !errors.Is(err, signapp.ErrQuota) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most > limit || good == 0 || good > 5 {
		t.Errorf("%d stored, %d bytes at one time", good, most)
	}
	if k := kept(t, r, "acme"); k.Bytes != int64(good)*(mib+4096) {
		t.Errorf("%d stored: %+v", good, k)
	}
}

// watched is a stream that is looked around in.
type watched struct{ look func() }

func (w watched) Read(b []byte) (int, error) { w.look(); return zeros{}.Read(b) }

// T18: the books have the files and rows of operations as long as they are kept, in every
// state, and end with them.
func TestT18OperationsAreInTheBooks(t *testing.T) {
	r := newRig(t, func(c *signapp.Config) {
		c.Limits.ClientBytes = 1_000_000
		c.Retention = signapp.Retention{Documents: time.Hour, Results: 48 * time.Hour, Operations: 240 * time.Hour}
	})
	covers := func(when string, ops int64) {
		t.Helper()
		k := kept(t, r, "acme")
		if disk := onDisk(t, r); k.Operations != ops || k.Bytes < disk || k.Bytes > disk+(1+ops)*20_000 {
			t.Errorf("%s: %+v, %d bytes on disk", when, k, disk)
		}
	}
	text := strings.Repeat("x", 200_000)
	op := r.Create("anna", text)
	covers("prepared", 1)
	g, v := r.Open(apptest.Login("anna", "s"), op.ID)
	sad, proof := r.Approve(g, v)
	if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
		t.Fatal(err)
	}
	r.Await(op.ID)
	covers("finished", 1)
	doc := r.Upload(text)
	another, err := r.Service.Create(bg, apptest.Acme, newOp(doc.ID))
	if err != nil {
		t.Fatal(err)
	}
	covers("another", 2)
	_, err = r.Service.Create(bg, apptest.Acme, newOp(doc.ID))
	want(t, err, signapp.ErrQuota)
	covers("refused", 2)
	if _, err := r.Service.Cancel(bg, apptest.Acme, another.ID); err != nil {
		t.Fatal(err)
	}
	covers("cancelled", 2)
	for _, wait := range []time.Duration{2 * time.Hour, 48 * time.Hour} {
		r.Clock.Advance(wait)
		if err := r.Service.Step(bg); err != nil {
			t.Fatal(err)
		}
		covers(fmt.Sprint(wait), 2)
	}
	r.Clock.Advance(240 * time.Hour)
	if err := r.Service.Step(bg); err != nil {
		t.Fatal(err)
	}
	if k := kept(t, r, "acme"); k != (signapp.Kept{Client: "acme"}) {
		t.Errorf("at the end: %+v", k)
	}
}

func newOp(doc string) signapp.NewOperation {
	return signapp.NewOperation{Signer: "anna", Items: []signapp.NewItem{{Document: doc, Worker: "paper"}}}
}

// T18: so many operations of one client are kept and no more, ended ones too; a signer
// at the app origin has a bound of their own.
func TestT18OperationsAndSignersHaveBounds(t *testing.T) {
	r := newRig(t, func(c *signapp.Config) {
		c.Limits.ClientOperations, c.Limits.SignerBytes = 2, mib
	})
	for range 2 {
		if _, err := r.Service.Cancel(bg, apptest.Acme, r.Create("anna", "text").ID); err != nil {
			t.Fatal(err)
		}
	}
	doc := r.Upload("text")
	_, err := r.Service.Create(bg, apptest.Acme, newOp(doc.ID))
	want(t, err, signapp.ErrQuota)
	if n := countFiles(t, r, "prepared"); n != 0 {
		t.Errorf("%d files", n)
	}
	anna := signapp.Client{ID: signapp.SignerPrefix + "anna", Name: "Anna (own upload)"}
	_, err = r.Service.Upload(bg, anna, "a.pdf", io.LimitReader(zeros{}, mib))
	want(t, err, signapp.ErrQuota)
	if _, err := r.Service.Upload(bg, anna, "a.pdf", io.LimitReader(zeros{}, mib/2)); err != nil {
		t.Error(err)
	}
	if _, err := r.Service.Upload(bg, apptest.Acme, "a.pdf", io.LimitReader(zeros{}, mib)); err != nil {
		t.Error(err)
	}
}

// T18: files of before there were books are counted at the next start.
func TestT18FilesOfBeforeTheBooks(t *testing.T) {
	r := newRig(t, nil)
	r.Create("anna", strings.Repeat("x", 100_000))
	before := kept(t, r, "acme")
	r.Stop()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(r.Dir, "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		"UPDATE operations SET files = 0, progress = CAST('{}' AS BLOB)",
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	r.Start()
	if k := kept(t, r, "acme"); k.Operations != 1 || k.Bytes < before.Bytes-1000 || k.Bytes > before.Bytes+1000 {
		t.Errorf("%+v, before %+v", k, before)
	}
}

// showing is the worker of paper, of whose files the app is shown a copy.
type showing struct{ *apptest.Worker }

func (w showing) Prepare(ctx context.Context, in workers.Input, out workers.Output) (*workers.Prepared, error) {
	p, err := w.Worker.Prepare(ctx, in, out)
	if err == nil {
		p.ShownSize = in.Size
	}
	return p, err
}

func (showing) Show(_ context.Context, p *workers.Prepared, doc io.ReaderAt, out io.Writer) error {
	_, err := io.Copy(out, io.NewSectionReader(doc, 0, p.ShownSize))
	return err
}

type showingWorkers struct{ signapp.Workers }

func (s showingWorkers) Get(name string) (*workers.Entry, error) {
	e, err := s.Workers.Get(name)
	if err != nil {
		return nil, err
	}
	other := *e
	other.Worker = showing{e.Worker.(*apptest.Worker)}
	return &other, nil
}

// T18: what is written for a signer to look at is in the signer's bound as long as it is
// read, so that opening it again and again fills no disk; closing it gives the room back.
func TestT18CopiesToLookAtHaveTheSignersBound(t *testing.T) {
	r := newRig(t, func(c *signapp.Config) {
		c.Limits.SignerBytes, c.Workers = 3*mib, showingWorkers{c.Workers}
	})
	op := r.Create("anna", strings.Repeat("x", mib))
	g, _ := r.Open(apptest.Login("anna", "s"), op.ID)
	var open []io.Closer
	for {
		f, _, err := r.Service.ItemDocument(bg, g, 0)
		if err != nil {
			want(t, err, signapp.ErrQuota)
			break
		}
		if open = append(open, f); len(open) > 5 {
			t.Fatal("without end")
		}
	}
	if len(open) != 2 {
		t.Errorf("%d at one time", len(open))
	}
	for _, f := range open {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	f, _, err := r.Service.ItemDocument(bg, g, 0)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(f); err != nil || len(b) != mib {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	_ = f.Close()
}
