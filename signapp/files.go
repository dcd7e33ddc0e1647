package signapp

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// files is the directory of documents. Names are ids that this process made;
// nothing from outside becomes part of a path. A file appears under its name
// only when it is whole and on disk.
//
//	documents/<document id>        as uploaded
//	prepared/<operation id>.<item> prepared, and finished in place
//	partial/                       emptied at start
type files struct {
	root    string
	minFree uint64 // bytes to leave free on the file system
}

const (
	dirDocuments = "documents"
	dirPrepared  = "prepared"
	dirPartial   = "partial"
)

func openFiles(root string, minFree uint64) (*files, error) {
	for _, d := range []string{dirDocuments, dirPrepared, dirPartial} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o700); err != nil {
			return nil, fmt.Errorf("signapp: data directory: %w", err)
		}
	}
	f := &files{root: root, minFree: minFree}
	return f, f.sweep(dirPartial, func(string) bool { return false })
}

func (f *files) path(dir, name string) string { return filepath.Join(f.root, dir, name) }

// partial opens a new file that has no name yet. The caller commits or
// discards it.
func (f *files) partial() (*os.File, error) {
	if err := f.room(); err != nil {
		return nil, err
	}
	name := rand.Text()
	file, err := os.OpenFile(f.path(dirPartial, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	return file, storageError(err)
}

// room refuses new files while little space is left: the database and the
// documents being finished need it more.
func (f *files) room() error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(f.root, &st); err != nil {
		return storageError(err)
	}
	if free := st.Bavail * uint64(st.Bsize); free < f.minFree {
		return fmt.Errorf("%w: %d MiB free, %d MiB are kept", ErrFull, free>>20, f.minFree>>20)
	}
	return nil
}

// commit makes a partial file durable under its name.
func (f *files) commit(file *os.File, dir, name string) error {
	err := file.Sync()
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(file.Name(), f.path(dir, name))
	}
	if err == nil {
		err = syncDir(filepath.Join(f.root, dir))
	}
	if err != nil {
		return storageError(errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}

func discard(file *os.File) {
	_ = file.Close()
	_ = os.Remove(file.Name()) // what stays is swept at the next start
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

func (f *files) open(dir, name string) (*os.File, error) {
	file, err := os.Open(f.path(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: the file was deleted", ErrNotFound)
	}
	return file, storageError(err)
}

func (f *files) openWrite(dir, name string) (*os.File, error) {
	file, err := os.OpenFile(f.path(dir, name), os.O_RDWR, 0)
	return file, storageError(err)
}

func (f *files) remove(dir, name string) error {
	err := os.Remove(f.path(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return storageError(err)
}

// sweep removes the files of a directory that nobody wants any more.
func (f *files) sweep(dir string, wanted func(name string) bool) error {
	d, err := os.Open(filepath.Join(f.root, dir))
	if err != nil {
		return storageError(err)
	}
	defer func() { _ = d.Close() }()
	for {
		names, err := d.Readdirnames(256)
		for _, n := range names {
			if !wanted(n) {
				if err := f.remove(dir, n); err != nil {
					return err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return storageError(err)
		}
	}
}

// preparedName is the file of one item of an operation.
func preparedName(op string, item int) string { return fmt.Sprintf("%s.%d", op, item) }

// operationOf is the inverse of preparedName.
func operationOf(name string) string {
	op, _, _ := strings.Cut(name, ".")
	return op
}

// storageError maps a full or read-only file system to ErrFull; the words of
// the system stay for the operator.
func storageError(err error) error {
	if err == nil {
		return nil
	}
	for _, e := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EFBIG, syscall.EIO} {
		if errors.Is(err, e) {
			return fmt.Errorf("%w: %w", ErrFull, err)
		}
	}
	return err
}

// receive copies at most limit bytes from r to w through a fixed buffer and
// hashes them. Errors of r and of w are kept apart.
func receive(ctx context.Context, w io.Writer, r io.Reader, limit int64) (int64, []byte, error) {
	h := sha256.New()
	n, err := copyHash(ctx, w, h, io.LimitReader(r, limit+1))
	if err != nil {
		return 0, nil, err
	}
	if n > limit {
		return 0, nil, fmt.Errorf("%w: documents may have %d MiB", ErrTooLarge, limit>>20)
	}
	return n, h.Sum(nil), nil
}

func copyHash(ctx context.Context, w io.Writer, h hash.Hash, r io.Reader) (int64, error) {
	buf := make([]byte, 128<<10)
	var total int64
	for {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		n, rerr := r.Read(buf)
		if n > 0 {
			h.Write(buf[:n])
			if _, err := w.Write(buf[:n]); err != nil {
				return total, storageError(err)
			}
			total += int64(n)
		}
		if errors.Is(rerr, io.EOF) {
			return total, nil
		}
		if rerr != nil {
			return total, fmt.Errorf("%w: the upload broke off: %w", ErrInput, rerr)
		}
	}
}
