package signapp

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sap"
)

// Config is what a Service is made of. Limits and Retention have defaults for
// their zero fields; everything else but Log, StatementKey, Teller and Clock is
// required.
type Config struct {
	Dir     string // of documents, owned by this process alone
	Store   Store
	Module  Module
	Workers Workers
	// StatementKey verifies the module's receipts; nil: only their contents
	// are compared with what was redeemed.
	StatementKey *ecdsa.PublicKey
	// Teller tells how the module's keys follow from StatementKey; it is not believed.
	// nil: the module never changes its key.
	Teller        Teller
	Policy        string // the module's activation policy to ask for; "": its default
	RawPolicy     string // the same for digests of unseen content; "": Policy
	AppOrigin     string // such as https://sign.example, without a slash at the end
	SigningOrigin string // where the signer's app lives
	// OneTime says when operations get a one-time key without asking: "" never, and
	// asking is refused; OneTimeNoKey, OneTimeAlways. Both need the Certifier.
	OneTime   string
	Certifier Certifier
	Limits    Limits
	Retention Retention
	Clock     clock.Clock                         // nil: the system's
	Skew      func(context.Context) time.Duration // how far the module's clock is ahead of this machine's; nil: not known
	Log       *slog.Logger                        // nil: none
}

// Limits bound what callers may ask for.
type Limits struct {
	Document    int64         // bytes of one document; default 100 MiB
	Items       int           // of one operation; default 100
	Lifetime    time.Duration // of an operation when none is asked for; default 24 h
	MaxLifetime time.Duration // default 30 days
	Waiting     int           // operations of one client that may wait for one signer; default 100
	Declines    int           // of one signer in a row, after which a client has to wait; default 3
	Pause       time.Duration // how long; doubles with each further one, to 24 h; default 15 min
	Parallel    int           // documents prepared or finished at one time; default 4
	MinFree     uint64        // bytes of disk that stay free; default 64 MiB

	// What one client may have here at one time: bytes on disk (uploads, files and rows of its
	// operations) and operations, ended ones too, until their retention is over.
	ClientBytes      int64 // default a quarter of the file system of Dir
	SignerBytes      int64 // of a signer at the app origin; default 1 GiB or four Documents, or ClientBytes if that is less
	ClientOperations int64 // default 500,000
}

// Retention says how long things are kept.
type Retention struct {
	Documents  time.Duration // uploads; default 24 h
	Results    time.Duration // finished documents, after the end; default 30 days
	Operations time.Duration // what is known of an operation, after the end; default 400 days
	Redemption time.Duration // how long past a SAD's exp the module still answers a repetition; default 24 h
	Finish     time.Duration // how long finishing is tried at least; default 1 h
}

func (c *Config) defaults() {
	orElse(&c.Limits.Document, 100<<20)
	orElse(&c.Limits.Items, 100)
	orElse(&c.Limits.Lifetime, 24*time.Hour)
	orElse(&c.Limits.MaxLifetime, 30*24*time.Hour)
	orElse(&c.Limits.Waiting, 100)
	orElse(&c.Limits.Declines, 3)
	orElse(&c.Limits.Pause, 15*time.Minute)
	orElse(&c.Limits.Parallel, 4)
	orElse(&c.Limits.MinFree, 64<<20)
	orElse(&c.Limits.ClientOperations, 500_000)
	orElse(&c.Retention.Documents, 24*time.Hour)
	orElse(&c.Retention.Results, 30*24*time.Hour)
	orElse(&c.Retention.Operations, 400*24*time.Hour)
	orElse(&c.Retention.Redemption, 24*time.Hour)
	orElse(&c.Retention.Finish, time.Hour)
	if c.Clock == nil {
		c.Clock = clock.System{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

func orElse[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (c *Config) check() error {
	if c.Dir == "" || c.Store == nil || c.Module == nil || c.Workers == nil {
		return fmt.Errorf("signapp: Config needs Dir, Store, Module and Workers")
	}
	for name, o := range map[string]string{"AppOrigin": c.AppOrigin, "SigningOrigin": c.SigningOrigin} {
		u, err := url.Parse(o)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || o != u.Scheme+"://"+u.Host {
			return fmt.Errorf("signapp: %s %q is not an origin such as https://sign.example", name, o)
		}
	}
	switch c.OneTime {
	case "":
	case OneTimeNoKey, OneTimeAlways:
		if c.Certifier == nil {
			return fmt.Errorf("signapp: Config.OneTime %q needs a Certifier", c.OneTime)
		}
	default:
		return fmt.Errorf("signapp: Config.OneTime %q is not %s or %s", c.OneTime, OneTimeNoKey, OneTimeAlways)
	}
	if l := c.Limits; min(l.ClientBytes, l.SignerBytes, l.ClientOperations) < 0 {
		return fmt.Errorf("signapp: Limits.ClientBytes, SignerBytes and ClientOperations are not below 0; leave them out for the defaults")
	}
	if c.AppOrigin == c.SigningOrigin {
		return fmt.Errorf("signapp: the signing origin must differ from the app origin, or this process could write the signer's app")
	}
	return nil
}

// Service is the signing application. Its methods may be used concurrently.
type Service struct {
	cfg     Config
	store   Store
	files   *files
	log     *slog.Logger
	slots   chan struct{} // documents in work
	judging *turns        // documents being validated
	quota   quota
	locks   keyLocks // one driver for each operation
	changes broadcast
	ring    atomic.Pointer[sap.Keyring] // keys of the module that are verified so far

	defaultPolicy atomic.Pointer[string] // the module's, as it said once
	work          sync.WaitGroup
	ctx           context.Context // ends with Close
	stop          context.CancelFunc
}

// Open makes a Service over its directory and store. It removes files that no
// operation and no document owns; work that a crash interrupted goes on when
// Run is called.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	cfg.defaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	f, err := openFiles(cfg.Dir, cfg.Limits.MinFree)
	if err != nil {
		return nil, err
	}
	if cfg.Limits.ClientBytes == 0 {
		if cfg.Limits.ClientBytes, err = quarter(cfg.Dir); err != nil {
			return nil, err
		}
	}
	orElse(&cfg.Limits.SignerBytes, signerBytes(cfg.Limits))
	s := &Service{cfg: cfg, store: cfg.Store, files: f, log: cfg.Log, quota: quota{inWork: map[string]int64{}},
		slots: make(chan struct{}, cfg.Limits.Parallel), judging: newTurns(cfg.Limits.Parallel)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	if err := s.removeOrphans(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Close ends background work and waits for it. Whatever is not done is taken
// up at the next start. It does not close the Store.
func (s *Service) Close() error {
	s.stop()
	s.work.Wait()
	return nil
}

func (s *Service) now() time.Time { return s.cfg.Clock.Now() }

// removeOrphans deletes files that a crash left without an owner: an upload or
// a preparation that was never stored, or the files of an operation that ended
// without a result.
func (s *Service) removeOrphans(ctx context.Context) error {
	var failed error
	known := func(f func(Tx) error) bool {
		err := s.store.View(ctx, f)
		if err != nil && !isNotFound(err) {
			failed = err
		}
		return err == nil || !isNotFound(err) // in doubt the file stays
	}
	err := s.files.sweep(dirDocuments, func(name string) bool {
		return known(func(tx Tx) error {
			_, err := tx.Documents().Get(Everything(), name)
			return err
		})
	})
	if err != nil {
		return err
	}
	disk := map[string]int64{}
	err = s.files.sweep(dirPrepared, func(name string) bool {
		id := operationOf(name)
		kept := known(func(tx Tx) error {
			r, err := getRecord(tx, Everything(), id)
			if err == nil && !r.keepsFiles() {
				return ErrNotFound
			}
			return err
		})
		if kept {
			disk[id] += sizeOnDisk(s.files.path(dirPrepared, name))
		}
		return kept
	})
	if err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return s.bookFiles(ctx, disk)
}

// keepsFiles tells whether the prepared or finished files are still wanted.
func (r *record) keepsFiles() bool {
	return !r.progress.FilesGone && (!r.state.Terminal() || r.state == StateFinished)
}

// newID makes an unguessable identifier that fits sap.ValidID.
func newID(prefix string) string { return prefix + strings.ToLower(rand.Text()) }
