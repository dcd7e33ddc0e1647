package api_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assent-sign/assent/api"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/signapp"
)

// The commands that docs/integrators.md shows, run as they are.
func TestCurlWalk(t *testing.T) {
	bash, _ := testenv.Need(t, "bash"), testenv.Need(t, "curl")
	script, err := os.ReadFile("testdata/curl-walk.sh.txt")
	if err != nil {
		t.Fatal(err)
	}
	run := func(t *testing.T, decide func(*world, string)) (string, string, error) {
		w := newWorld(t, func(c *api.Config) { c.Limits.Wait = time.Minute })
		srv := httptest.NewServer(w.router)
		defer srv.Close()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "contract.pdf"), []byte("%PDF-1.7 text"), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		go func() {
			for ctx.Err() == nil {
				time.Sleep(20 * time.Millisecond)
				w.app.mu.Lock()
				id := ""
				for k := range w.app.ops {
					id = k
				}
				w.app.mu.Unlock()
				if id != "" {
					decide(w, id)
					return
				}
			}
		}()
		cmd := exec.CommandContext(ctx, bash, "-c", string(script))
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "BASE="+srv.URL, "CLIENT=shop", "SECRET="+secrets["shop"], "SIGNER=alice", "WORKER=pades", "FILE=contract.pdf")
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		err := cmd.Run()
		if err != nil {
			return dir, errs.String(), err
		}
		return dir, out.String(), nil
	}
	dir, out, err := run(t, func(w *world, id string) { w.app.approve(t, id) })
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !strings.HasPrefix(out, baseURL+"/approve/") {
		t.Errorf("link: %q", out)
	}
	signed, _ := os.ReadFile(filepath.Join(dir, "signed.pdf"))
	receipt, _ := os.ReadFile(filepath.Join(dir, "receipt.json"))
	if string(signed) != "%PDF-1.7 signed contract.pdf" || !bytes.HasPrefix(receipt, []byte(`{"receipt":"op-`)) {
		t.Errorf("signed %q, receipt %q", signed, receipt)
	}
	if _, out, err = run(t, func(w *world, id string) { w.app.end(id, signapp.StateDeclined) }); err == nil || !strings.Contains(out, "not signed: declined") {
		t.Errorf("declined: %v %s", err, out)
	}
}

// I9: an upload passes through: who sends it does not get far ahead of who stores it. One over the limit is cut there, also when its
// length is not announced.
func TestUploadIsStreamed(t *testing.T) {
	var seen atomic.Int64
	w := newWorld(t, func(c *api.Config) {
		c.Limits.Document = 64 << 20
		c.Documents = counting{w0: c.Documents, seen: &seen}
	})
	srv := httptest.NewServer(w.router)
	defer srv.Close()
	token := w.serviceToken("shop")
	post := func(size int64, chunked bool) int {
		seen.Store(0)
		req, err := http.NewRequestWithContext(t.Context(), "POST", srv.URL+"/api/v1/documents", &zeros{left: size, seen: &seen})
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/pdf")
		if !chunked {
			req.ContentLength = size
		}
		res, err := srv.Client().Do(req)
		if err != nil {
			return 413 // the server may cut the connection while we still send
		}
		defer func() { _ = res.Body.Close() }()
		return res.StatusCode
	}
	if s := post(32<<20, true); s != 201 {
		t.Errorf("32 MB: %d", s)
	}
	for _, chunked := range []bool{true, false} {
		if s := post(65<<20, chunked); s != 413 {
			t.Errorf("over the limit (chunked %v): %d", chunked, s)
		}
	}
}

// F32: an upload that stalls is cut.
func TestStalledUploadIsCut(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Limits.UploadStall = 200 * time.Millisecond })
	srv := httptest.NewServer(w.router)
	defer srv.Close()
	conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "POST /api/v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/pdf\r\nContent-Length: 1000\r\n\r\n%%PDF-1.7", w.serviceToken("shop"))
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute)) // it would wait for ever
	answer, err := io.ReadAll(conn)
	if err != nil || bytes.HasPrefix(answer, []byte("HTTP/1.1 2")) {
		t.Errorf("%v %.200q", err, answer)
	}
}

// zeros gives so many bytes.
// zeros is a body that goes on only when most of what was read of it has been seen at the other end: whoever
// collects it first waits for ever, and is told so.
type zeros struct {
	left, read int64
	seen       *atomic.Int64
}

// ahead is more than lies on the way between two processes.
const ahead = 12 << 20

func (z *zeros) Read(b []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	for end := time.Now().Add(10 * time.Second); z.read-z.seen.Load() > ahead; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return 0, fmt.Errorf("%d bytes were read of the body and %d came to be stored", z.read, z.seen.Load())
		}
	}
	n := min(int64(len(b)), z.left)
	clear(b[:n])
	z.left, z.read = z.left-n, z.read+n
	return int(n), nil
}

// counting discards uploads, and says how much it has seen.
type counting struct {
	w0   api.Documents
	seen *atomic.Int64
}

func (c counting) Write(b []byte) (int, error) {
	c.seen.Add(int64(len(b)))
	return len(b), nil
}

func (c counting) Upload(_ context.Context, _ signapp.Client, name string, r io.Reader) (*signapp.Document, error) {
	n, err := io.Copy(c, r)
	if err != nil {
		return nil, err
	}
	return &signapp.Document{ID: "doc-1", Name: name, Size: n}, nil
}

func (c counting) Validate(ctx context.Context, cl signapp.Client, document, worker string, parts []string, beside ...signapp.Beside) ([]byte, error) {
	return c.w0.Validate(ctx, cl, document, worker, parts, beside...)
}

func (c counting) Result(ctx context.Context, cl signapp.Client, id string, i int) (io.ReadSeekCloser, *signapp.Item, error) {
	return c.w0.Result(ctx, cl, id, i)
}

func (c counting) Receipt(ctx context.Context, cl signapp.Client, id string) ([]byte, error) {
	return c.w0.Receipt(ctx, cl, id)
}
