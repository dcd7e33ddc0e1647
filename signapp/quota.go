package signapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/assent-sign/assent/workers"
)

// What one client may make the application keep (T18). Without a bound one of them fills
// the disk down to Limits.MinFree, and then nobody can sign. The store keeps the books of
// what is durable (Tx.Kept); what is being written has been granted before and is
// counted here until the books have it: both at once is never too little. Work that was
// accepted is never refused for it afterwards.

// SignerPrefix begins the client id of a signer at the app origin.
const SignerPrefix = "signer:"

// Kept is what a client has in the application: bytes on disk, of files in whole blocks
// and of rows, and operations, ended ones too.
type Kept struct {
	Client     string
	Bytes      int64
	Operations int64
}

// blockSize is how much a file may take more than it has.
const blockSize = 4096

// quota counts what is being written and not in the store's books yet.
type quota struct {
	mu     sync.Mutex
	inWork map[string]int64 // bytes by client
}

// mayKeep is a client's bound in bytes.
func (s *Service) mayKeep(c Client) int64 {
	if strings.HasPrefix(c.ID, SignerPrefix) {
		return s.cfg.Limits.SignerBytes
	}
	return s.cfg.Limits.ClientBytes
}

// signerBytes is a signer's bound unless set: to look at a document takes room for a copy of it while it is open.
func signerBytes(l Limits) int64 { return min(max(1<<30, 4*l.Document), l.ClientBytes) }

// hold is what was granted for one request. Its methods may be used concurrently.
type hold struct {
	s *Service
	c Client
	n int64 // under quota.mu
}

func (s *Service) hold(c Client) *hold { return &hold{s: s, c: c} }

// add has n more bytes granted. ErrQuota.
func (h *hold) add(ctx context.Context, n int64) error {
	q, limit := &h.s.quota, h.s.mayKeep(h.c)
	q.mu.Lock()
	defer q.mu.Unlock()
	var kept Kept
	err := h.s.store.View(ctx, func(tx Tx) (err error) {
		kept, err = tx.Kept(h.c.ID)
		return err
	})
	if err != nil {
		return err
	}
	if has := kept.Bytes + q.inWork[h.c.ID]; n > limit-has {
		return fmt.Errorf("%w: %d of %d MiB are in use; what ends or is deleted gives room", ErrQuota, has>>20, limit>>20)
	}
	q.inWork[h.c.ID] += n
	h.n += n
	return nil
}

// grown has granted what a file is larger than the size that was granted for it, or
// discards the file. ErrQuota.
func (h *hold) grown(ctx context.Context, file *os.File, size int64) error {
	n, err := file.Seek(0, io.SeekEnd)
	if err == nil && n > size {
		err = h.add(ctx, n-size)
	}
	if err != nil {
		discard(file)
		return storageError(err)
	}
	return nil
}

// size is what was granted.
func (h *hold) size() int64 {
	h.s.quota.mu.Lock()
	defer h.s.quota.mu.Unlock()
	return h.n
}

// total is the size of files together.
func total(docs []workers.Beside) (n int64) {
	for _, d := range docs {
		n += d.Size
	}
	return n
}

// finishedSize is what the files of a finished operation take.
func (s *Service) finishedSize(r *record) (n int64) {
	for i, it := range r.fixed.Items {
		if it.hasFile() {
			n += sizeOnDisk(s.files.path(dirPrepared, preparedName(r.id, i)))
		}
	}
	return n
}

// end gives back what was granted: the books have what became of it.
func (h *hold) end() {
	q := &h.s.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.inWork[h.c.ID] -= h.n; q.inWork[h.c.ID] <= 0 {
		delete(q.inWork, h.c.ID)
	}
	h.n = 0
}

// grantStep is how much of a stream is granted at a time.
const grantStep = 1 << 20

// granted writes to w what is granted for it.
type granted struct {
	ctx  context.Context //nolint:containedctx // of the one request that it serves
	w    io.Writer
	hold *hold
	left int64
}

func (g *granted) Write(p []byte) (int, error) {
	for _, step := range []int64{grantStep, int64(len(p)) - g.left} { // near the bound: what is needed
		if g.left >= int64(len(p)) {
			break
		}
		err := g.hold.add(g.ctx, step)
		if err == nil {
			g.left += step
		} else if step != grantStep || !errors.Is(err, ErrQuota) {
			return 0, err
		}
	}
	n, err := g.w.Write(p)
	g.left -= int64(n)
	return n, err
}

// mayOperate refuses an operation more than a client may have.
func (s *Service) mayOperate(tx Tx, c Client) error {
	kept, err := tx.Kept(c.ID)
	if err == nil && kept.Operations >= s.cfg.Limits.ClientOperations {
		err = fmt.Errorf("%w: %d operations, ended ones too; the oldest go with time", ErrQuota, kept.Operations)
	}
	return err
}

// Kept tells what each client has, for the operator.
func (s *Service) Kept(ctx context.Context) ([]Kept, error) {
	var all []Kept
	err := s.store.View(ctx, func(tx Tx) (err error) {
		all, err = tx.KeptBy()
		return err
	})
	return all, err
}

// quarter is a fourth of the file system: what one client may fill by default.
func quarter(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, storageError(err)
	}
	return int64(min(st.Blocks*uint64(st.Bsize)/4, 1<<62)), nil
}

// sizeOnDisk is what a file counts; none is nothing.
func sizeOnDisk(path string) int64 {
	st, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return st.Size() + blockSize
}

// bookFiles counts for operations what is on disk for them and not in the books: those of
// before there were any. disk has bytes by operation.
func (s *Service) bookFiles(ctx context.Context, disk map[string]int64) error {
	for id, n := range disk {
		_, err := s.change(ctx, Everything(), id, func(_ Tx, r *record) error {
			if r.progress.Bytes >= n {
				return errUnchanged
			}
			r.progress.Bytes = n
			return nil
		})
		if err != nil && !isNotFound(err) {
			return err
		}
	}
	return nil
}
