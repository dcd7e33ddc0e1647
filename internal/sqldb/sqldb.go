// Package sqldb opens an SQLite database the durable way (WAL, synchronous=FULL),
// brings its schema up to date, and shares commits: everything that waits while
// one commit is being flushed goes into the next one, so that throughput does
// not depend on the speed of the disk's flush.
//
// One goroutine owns the only writing connection. Update hands it a function;
// each function runs under a savepoint of its own, so that one that fails does
// not hurt the others of its group; then there is one COMMIT, and only after it
// succeeded does any Update return nil. When the commit fails (disk full, I/O
// error), every Update of the group returns the error and nothing of the group
// exists.
//
// A database belongs to one process: Open takes a lock beside the file.
package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Errors of this package.
var (
	ErrOpen   = errors.New("sqldb: the database cannot be opened")
	ErrInUse  = errors.New("sqldb: another process uses the database")
	ErrSchema = errors.New("sqldb: the schema is not one that this program knows")
	ErrCommit = errors.New("sqldb: the change could not be made durable")
	ErrClosed = errors.New("sqldb: the database is closed")
	ErrPanic  = errors.New("sqldb: a transaction function panicked")
)

// Config says what to open.
type Config struct {
	Path       string        // database file; made with mode 0600 when absent
	Migrations fs.FS         // numbered forward-only files NNNN_name.sql
	Readers    int           // connections for View; 4 when 0
	MaxGroup   int           // functions of one commit; 256 when 0
	MaxPages   int           // bound on the file's size in pages of 4096 bytes; none when 0
	Busy       time.Duration // wait for a lock that a foreign program holds; 5 s when 0
}

// DB is an open database.
type DB struct {
	lock    *os.File
	writer  *conn
	readers chan *conn
	nread   int
	jobs    chan *job
	group   int
	memo    any // see Tx.Memo; of the committer

	version int64        // data_version of the writing connection; of the committer
	foreign atomic.Int64 // see Foreign

	path      string
	snapshots sync.Mutex // one copy at a time

	mu     sync.RWMutex // held for reading while a job is handed over
	closed bool
	done   chan struct{}
}

type job struct {
	ctx  context.Context
	fn   func(*Tx) error
	err  error
	done chan struct{}
}

// Open opens or makes the database and migrates it. ErrOpen, ErrInUse,
// ErrSchema.
func Open(cfg Config) (*DB, error) {
	cfg.Readers = orDefault(cfg.Readers, 4)
	cfg.MaxGroup = orDefault(cfg.MaxGroup, 256)
	if cfg.Busy == 0 {
		cfg.Busy = 5 * time.Second
	}
	lock, err := takeLock(cfg.Path)
	if err != nil {
		return nil, err
	}
	d := &DB{path: cfg.Path, lock: lock, nread: cfg.Readers, group: cfg.MaxGroup, jobs: make(chan *job, cfg.MaxGroup), done: make(chan struct{})}
	if err := d.connect(cfg); err != nil {
		return nil, errors.Join(err, d.release())
	}
	go d.commitLoop()
	return d, nil
}

func orDefault(n, d int) int {
	if n <= 0 {
		return d
	}
	return n
}

func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOpen, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%w: %s: %w", ErrInUse, path, err)
	}
	return f, nil
}

func (d *DB) connect(cfg Config) error {
	f, err := os.OpenFile(cfg.Path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOpen, err)
	}
	_ = f.Close()
	opts := url.Values{
		"_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_foreign_keys": {"1"},
		"_busy_timeout": {strconv.FormatInt(cfg.Busy.Milliseconds(), 10)}, "_cache_size": {"-16000"},
		// A connection is used by one goroutine at a time (conn).
		"_mutex": {"no"},
	}
	dsn := func(extra string) string {
		return "file:" + (&url.URL{Path: cfg.Path}).EscapedPath() + "?" + opts.Encode() + extra
	}
	if d.writer, err = openConn(dsn("")); err != nil {
		return err
	}
	// A page that is split makes SQLite go through all slots of its cache at the commit
	// (its balancing numbers a page beyond the file's end for a moment), so that the
	// writer's is small; what falls out of it is in the system's.
	if err := d.writer.script("PRAGMA cache_size = -4000"); err != nil {
		return fmt.Errorf("%w: %w", ErrOpen, err)
	}
	// Hot pages are copied back from the log once in 16 MB, not once in 4.
	if err := d.writer.script("PRAGMA wal_autocheckpoint = 4000"); err != nil {
		return fmt.Errorf("%w: %w", ErrOpen, err)
	}
	if cfg.MaxPages > 0 {
		if err := d.writer.script("PRAGMA max_page_count = " + strconv.Itoa(cfg.MaxPages)); err != nil {
			return fmt.Errorf("%w: %w", ErrOpen, err)
		}
	}
	if err := migrate(d.writer, cfg.Migrations); err != nil {
		return err
	}
	// After migrations, which may be large: what a savepoint needs to undo is kept in
	// memory. Above 64 kB it would go through a temporary file, and the outcomes of
	// one commit are more.
	if err := d.writer.script("PRAGMA temp_store = MEMORY"); err != nil {
		return fmt.Errorf("%w: %w", ErrOpen, err)
	}
	if d.version, err = d.dataVersion(); err != nil {
		return err
	}
	d.readers = make(chan *conn, cfg.Readers)
	for range cfg.Readers {
		c, err := openConn(dsn("&_query_only=1"))
		if err != nil {
			return err
		}
		d.readers <- c
	}
	return nil
}

// View runs fn on one consistent state of committed data. Changes are refused.
func (d *DB) View(ctx context.Context, fn func(*Tx) error) error {
	var c *conn
	select {
	case c = <-d.readers:
	case <-ctx.Done():
		return ctx.Err()
	case <-d.done:
		return ErrClosed
	}
	defer func() { d.readers <- c }()
	if err := c.exec("BEGIN"); err != nil {
		return fmt.Errorf("sqldb: begin: %w", err)
	}
	defer func() { _ = c.exec("ROLLBACK") }()
	return guard(fn, &Tx{c: c})
}

// Update runs fn and returns nil only when what it did is durable. fn must use
// nothing but the given transaction, must not keep it and must be quick: all
// other changes wait for it. It may run even when ctx ends meanwhile; the
// answer then still says what happened. An error of fn is returned as it is.
func (d *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{ctx: ctx, fn: fn, done: make(chan struct{})}
	d.mu.RLock()
	if d.closed {
		d.mu.RUnlock()
		return ErrClosed
	}
	select {
	case d.jobs <- j:
		d.mu.RUnlock()
	case <-ctx.Done():
		d.mu.RUnlock()
		return ctx.Err()
	}
	<-j.done
	return j.err
}

// Foreign grows whenever the database is found changed by somebody else than
// this DB. It is looked up at the start of each group of Updates, under the lock
// that keeps others out until the commit: an Update function that finds it as it
// was knows that what was read since then was nobody else's work. Whoever
// changes the file past SQLite's locks does not show here.
func (d *DB) Foreign() int64 { return d.foreign.Load() }

// dataVersion changes on a connection when another one has committed.
func (d *DB) dataVersion() (int64, error) {
	var v int64
	err := (&Tx{c: d.writer}).Row("PRAGMA data_version").Scan(&v)
	return v, err
}

// Close waits for what is under way and closes the file.
func (d *DB) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	close(d.jobs)
	d.mu.Unlock()
	<-d.done
	for range d.nread {
		(<-d.readers).close()
	}
	return d.release()
}

func (d *DB) release() error {
	if d.writer != nil {
		d.writer.close()
	}
	for len(d.readers) > 0 { // after an Open that failed
		(<-d.readers).close()
	}
	return d.lock.Close()
}
