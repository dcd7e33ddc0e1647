package sam

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algopolicy"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/internal/rng"
)

// ErrOpen is returned by Open when the module's state is in doubt; it then stays
// closed. The message says what is wrong and what an officer can do.
var ErrOpen = errors.New("sam: the module stays closed")

// Module is an open signature activation module. It is safe for concurrent use.
type Module struct {
	cfg                    Config
	store                  Store
	token                  cryptotoken.Token
	wrapper                cryptotoken.Wrapper
	clock                  clock.Steady
	logger                 *slog.Logger
	seal                   *sealer
	statement              atomic.Pointer[statementKey]
	keyMu                  sync.RWMutex // read while a transaction runs, so that the statement key changes between two of them
	audience               string
	instance               string
	epoch                  int64
	nameMu                 sync.Mutex  // audience and epoch, while a restore is being accepted
	development, certified atomic.Bool // what the token is, see label
	crypto                 *algopolicy.Policy

	identities *cache[known]
	grants     atomic.Int64 // counts changes of roles
	known      bool         // a ceremony was held
	parsed     *cache[*parsedKey]
	authKeys   *cache[*ecdsa.PublicKey]
	floors     floors
	memory     memory
	models     *models
	nobody     *ecdsa.PublicKey // verifies what is refused anyway, see pretend
	judged     atomic.Uint64    // assertions verified
	flights    flights
	outcomes   *outcomes

	graves   *graveyard
	ledger   *ledger
	lock     *os.File // of the anchor
	anchorMu sync.Mutex
	anchored anchor // what the file says; what is written next must follow it
	unkept   bool   // the anchor could not be written last time; housekeeping's own

	foreign atomic.Int64 // Store.Foreign when last looked at
	checked atomic.Int64 // Store.Foreign when the chain was last verified
	tipMu   sync.Mutex
	tip     audit.Head // last record known to be committed; Hash nil: none yet

	alarms  *alarms
	watch   *clock.Watch
	timeMu  sync.Mutex
	doubted bool // on record: the clock is in doubt

	random     *rng.Source
	mark       mark
	cond       atomic.Pointer[Condition]
	condMu     sync.Mutex // one change of the condition at a time
	voidBefore atomic.Int64
	waiting    atomic.Pointer[waits]
	backupMu   sync.Mutex    // one backup at a time
	rotateMu   sync.Mutex    // one change of the wrapping key, the statement key or the seals at a time
	resealed   progress      // of the re-sealing; under rotateMu
	unsealed   chan struct{} // a re-sealing has begun
	backup     atomic.Pointer[BackupReport]
	waitMu     sync.Mutex    // one end of the waiting at a time
	restoring  *restorePoint // what the decision restore is about
	accepted   atomic.Bool   // the restore is accepted; its anchor may be written

	strictBefore atomic.Int64 // guards of before are lost, see strictly
	unclean      bool         // the last run left no stop record
	before       bool         // this start began before the ceremony
	keep         bool         // a changed configuration counts without officers
	testMu       sync.Mutex
	lastTest     atomic.Pointer[SelfTestReport]

	newest    atomic.Pointer[audit.Signed] // checkpoint of the audit chain
	witnessMu sync.Mutex
	witnessed int64

	dirty    atomic.Bool
	closed   atomic.Pointer[string] // set under closeMu
	closeMu  sync.Mutex
	failures int           // calls of stopUse
	unsaved  chan struct{} // the closing is not durable yet
	stop     chan struct{}
	filling  chan struct{} // the pools of one-time keys may need more
	onceKeys *onceKeys
	wg       sync.WaitGroup
	once     sync.Once
}

// Open opens a module, or makes a new one when neither database nor anchor
// exists. It refuses doubtful state with ErrOpen: a missing anchor or database,
// a database older than the anchor, a broken audit chain, a wrong seal, another
// cluster's data, a token without the statement key. The store is closed when
// Open fails.
func Open(ctx context.Context, cfg Config) (*Module, error) {
	m, err := open(ctx, cfg)
	if err != nil {
		if cfg.Store != nil {
			_ = cfg.Store.Close()
		}
		return nil, err
	}
	m.start()
	return m, nil
}

func open(ctx context.Context, cfg Config) (*Module, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	m := &Module{
		cfg: cfg, store: cfg.Store, token: cfg.Token, clock: cfg.Clock, logger: cfg.Log,
		identities: newCache[known](1024), parsed: newCache[*parsedKey](8192),
		authKeys: newCache[*ecdsa.PublicKey](8192), floors: floors{newCache[int64](65536)}, memory: newMemory(),
		stop: make(chan struct{}), filling: make(chan struct{}, 1), unsealed: make(chan struct{}, 1), onceKeys: newOnceKeys(), unsaved: make(chan struct{}, 1), random: rng.New(cfg.Random),
	}
	m.outcomes = newOutcomes(m)
	m.alarms = newAlarms(cfg.Alarms)
	m.watch = clock.NewWatch(m.clock, cfg.ClockLimit, cfg.ClockLoss, cfg.TimeSources...)
	var err error
	if m.nobody, err = generator(); err != nil {
		return nil, err
	}
	if m.models, err = newModels(cfg.Models, cfg.DeviceBound); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if m.crypto, err = m.cfg.cryptoPolicy(); err != nil {
		return nil, err
	}
	if m.lock, err = lockAnchor(m.cfg.AnchorPath); err != nil {
		return nil, err
	}
	if err := m.begin(ctx); err != nil {
		_ = m.lock.Close()
		return nil, err
	}
	return m, nil
}

// generator is a public key that belongs to no authenticator: the curve's base
// point.
func generator() (*ecdsa.PublicKey, error) {
	curve := elliptic.P256().Params()
	point := make([]byte, 65)
	point[0] = 4
	curve.Gx.FillBytes(point[1:33])
	curve.Gy.FillBytes(point[33:])
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
}

// openToken checks what the token can do. That it works was tested just before
// (FPT-01). The label of assurance follows from what the token says of itself
// (OPS-04, KEY-02).
func (m *Module) openToken(ctx context.Context) error {
	info, err := m.learnToken(ctx)
	if err != nil {
		return fmt.Errorf("%w: token: %w", ErrOpen, err)
	}
	if info.Development && m.cfg.Production {
		return fmt.Errorf("%w: token %s: %w (%s)", ErrOpen, info.Name, cryptotoken.ErrDevelopment, info.Reason)
	}
	if err := m.cfg.mayServe(); err != nil {
		return err
	}
	wrapper, ok := m.token.(cryptotoken.Wrapper)
	_, ok2 := m.token.(cryptotoken.Sealer)
	if !ok || !ok2 {
		return fmt.Errorf("%w: token %s cannot wrap keys and derive seals", ErrOpen, info.Name)
	}
	m.wrapper = gate{wrapper, m}
	m.seal = &sealer{}
	m.mark = mark{m.cfg.AnchorPath + ".condition", m.seal}
	return m.openSeal(ctx)
}

// openState reads or makes the module's own record and compares it with the
// anchor and the token.
func (m *Module) openState(ctx context.Context) error {
	anchor, err := readAnchor(m.cfg.AnchorPath, m.seal)
	if err != nil {
		return err
	}
	if m.graves, err = openGraveyard(m.cfg.AnchorPath+".tombstones", m.seal); err != nil {
		return err
	}
	if m.ledger, err = openLedger(m.cfg.AnchorPath+".failures", m.seal); err != nil {
		return err
	}
	restored, err := m.noticeOfRestore().read()
	if err != nil {
		return err
	}
	var meta *Meta
	err = m.store.View(ctx, func(tx *Tx) error {
		var err error
		meta, err = tx.Meta.Get()
		return err
	})
	switch {
	case errors.Is(err, ErrNotFound) && anchor == nil && restored == "":
		meta, err = m.create(ctx)
	case errors.Is(err, ErrNotFound) && anchor == nil:
		err = fmt.Errorf("%w: the database is empty but %s tells of a restore; restore the backup again", ErrOpen, m.noticeOfRestore().path)
	case errors.Is(err, ErrNotFound):
		err = fmt.Errorf("%w: the database is empty but the anchor %s knows %d audit records; restore the database", ErrOpen, m.cfg.AnchorPath, anchor.Seq+1)
	case err == nil && anchor == nil && restored == "":
		err = fmt.Errorf("%w: the anchor %s is missing; without it an old database cannot be told from the present one", ErrOpen, m.cfg.AnchorPath)
	case err == nil:
		if err = m.findCrash(ctx); err == nil {
			meta, err = m.checkState(ctx, meta, anchor)
		}
	}
	if err != nil {
		if errors.Is(err, ErrOpen) {
			return err
		}
		return fmt.Errorf("%w: %w", ErrOpen, err)
	}
	m.instance, m.epoch = meta.Instance, meta.Epoch
	m.audience, m.before = audience(meta), meta.Ceremony == ""
	return m.openStatementKey(ctx, meta)
}

// findCrash looks how the last run ended, before this one writes anything.
func (m *Module) findCrash(ctx context.Context) error {
	return m.store.View(ctx, func(tx *Tx) error {
		head, err := tx.Audit.Last()
		if err != nil {
			return err
		}
		last, err := tx.Audit.Page(max(0, head.Seq-2), 3)
		m.unclean = true
		for _, r := range last {
			if r.Type != audit.TypeCheckpoint {
				m.unclean = r.Type != EventStop
			}
		}
		return err
	})
}

// create makes a new module: chain name, statement key, record 0.
func (m *Module) create(ctx context.Context) (*Meta, error) {
	spki, err := m.makeFirstKey(ctx)
	if err != nil {
		return nil, err
	}
	name := make([]byte, 16)
	if err := m.draw(name); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOpen, err)
	}
	epoch := m.seal.now.Load().records.epoch
	meta := &Meta{Cluster: m.cfg.Cluster, Instance: hex.EncodeToString(name), Epoch: 1, StatementKey: spki, SealEpoch: epoch, SealLow: epoch}
	return meta, m.update(ctx, self(), func(w *work) error {
		seq, err := w.log(audit.TypeStart, audit.OK, "", audit.Data{
			"chain": meta.Instance, "cluster": meta.Cluster, "epoch": meta.Epoch, "obj": meta.object(),
		})
		if err != nil {
			return err
		}
		w.stamp(meta, seq)
		return w.Meta.Insert(meta)
	})
}

// start begins the work that goes on beside the calls.
func (m *Module) start() {
	m.wg.Add(5)
	go func() { defer m.wg.Done(); m.timekeeping() }()
	go func() { defer m.wg.Done(); m.fillPools() }()
	go func() { defer m.wg.Done(); m.outcomes.run(m.stop) }()
	go func() { defer m.wg.Done(); m.housekeeping() }()
	go func() { defer m.wg.Done(); m.resealing() }()
}

// housekeeping writes the anchor while there are commits, and purges sessions.
func (m *Module) housekeeping() {
	anchor := time.NewTicker(m.cfg.AnchorEvery)
	purge := time.NewTicker(time.Minute)
	test := time.NewTicker(m.cfg.SelfTestEvery)
	confirm := time.NewTicker(m.cfg.ConfirmEvery)
	defer confirm.Stop()
	defer anchor.Stop()
	defer purge.Stop()
	defer test.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-m.alarms.wake:
			if err := m.raise(context.Background()); err != nil {
				m.logger.Error("samd: an alarm could not be recorded yet", "err", err)
			}
		case <-m.unsaved:
			m.saveUntilDone(context.Background())
		case <-test.C:
			m.periodicTest(context.Background())
		case <-confirm.C:
			if err := m.confirm(context.Background()); err != nil {
				m.logger.Error("samd: the audit chain could not be signed", "err", err)
			}
		case <-anchor.C:
			m.noticeStep(m.watch.Check())
			m.alarms.see()                      // what could not be recorded is tried again
			_ = m.endLate(context.Background()) // logged, and done again in a moment
			if err := m.alarm(context.Background()); err != nil {
				m.logger.Error("samd: the alarm could not be recorded", "err", err)
			}
			if m.dirty.Swap(false) {
				m.keepAnchor(context.Background())
			}
		case <-purge.C:
			if m.waitsFor(DecideRestore) != nil {
				continue // nothing of a database that nobody has accepted is changed
			}
			if err := m.Purge(context.Background()); err != nil {
				m.logger.Error("samd: sessions could not be purged", "err", err)
			}
			if _, err := m.learnToken(context.Background()); err != nil {
				m.logger.Error("samd: the token does not say what it is", "err", err)
			}
			if err := m.EndOneTime(context.Background()); err != nil {
				m.logger.Error("samd: one-time keys could not be destroyed", "err", err)
			}
			if err := m.ExpireKeys(context.Background()); err != nil {
				m.logger.Error("samd: expired keys could not be destroyed", "err", err)
			}
		}
	}
}

// saveUntilDone makes a closing durable; as long as the disk refuses, once a
// second.
func (m *Module) saveUntilDone(ctx context.Context) {
	for {
		err := m.saveClosed(ctx)
		if err == nil {
			return
		}
		m.logger.Error("samd: closing could not be recorded yet", "err", err)
		select {
		case <-m.stop:
			return
		case <-time.After(time.Second):
		}
	}
}

// periodicTest is FPT-02. A closed module was found wanting already.
func (m *Module) periodicTest(ctx context.Context) {
	if m.closedWhy() != "" {
		return
	}
	if info, err := m.token.Info(ctx); err != nil {
		m.heed(err)
		m.logger.Error("samd: token", "token", info.Name, "err", err)
	}
	if _, err := m.testNow(ctx, self(), testPeriodic); err != nil {
		m.logger.Error("samd: the self-test could not be recorded", "err", err)
	}
}

// Close ends the module: records the stop, writes the anchor, closes the store.
// It does not close the token. Calls that are under way are waited for.
func (m *Module) Close() error {
	var err error
	m.once.Do(func() {
		m.flights.wait()
		close(m.stop)
		m.wg.Wait()
		ctx := context.Background()
		err = m.update(ctx, self(), func(w *work) error {
			_, err := w.log(EventStop, audit.OK, "", audit.Data{})
			return err
		})
		err = errors.Join(err, m.confirm(ctx))
		err = errors.Join(err, m.writeAnchor(ctx), m.store.Close(), m.lock.Close())
	})
	return err
}

// Abandon stops the module as a crash would: nothing is recorded, the anchor
// stays as it is, only file handles are given back. For tests.
func (m *Module) Abandon() error {
	var err error
	m.once.Do(func() {
		close(m.stop)
		m.wg.Wait()
		err = errors.Join(m.store.Close(), m.lock.Close())
	})
	return err
}
