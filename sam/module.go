package sam

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/algopolicy"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sap"
)

// ErrOpen is returned by Open when the module's state is in doubt; it then stays
// closed. The message says what is wrong and what an officer can do.
var ErrOpen = errors.New("sam: the module stays closed")

// Module is an open signature activation module. It is safe for concurrent use.
type Module struct {
	cfg       Config
	store     Store
	token     cryptotoken.Token
	wrapper   cryptotoken.Wrapper
	clock     clock.Clock
	logger    *slog.Logger
	seal      *sealer
	statement cryptotoken.Signer
	keyID     string
	spki      []byte
	audience  string
	instance  string
	epoch     int64
	assurance string
	crypto    *algopolicy.Policy

	identities *cache[known]
	grants     atomic.Int64 // counts changes of roles
	parsed     *cache[*parsedKey]
	authKeys   *cache[*ecdsa.PublicKey]
	floors     floors
	memory     memory
	flights    flights
	outcomes   *outcomes

	graves   *graveyard
	lock     *os.File // of the anchor
	anchorMu sync.Mutex
	anchored anchor // what the file says; what is written next must follow it

	foreign atomic.Int64 // Store.Foreign when last looked at

	dirty  atomic.Bool
	closed atomic.Pointer[string]
	stop   chan struct{}
	wg     sync.WaitGroup
	once   sync.Once
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
		stop: make(chan struct{}),
	}
	m.outcomes = newOutcomes(m)
	var err error
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

// begin brings the state up, or says why not.
func (m *Module) begin(ctx context.Context) error {
	if err := m.openToken(ctx); err != nil {
		return err
	}
	if err := m.openState(ctx); err != nil {
		return err
	}
	if err := m.reconcile(ctx); err != nil {
		return err
	}
	err := m.update(ctx, self(), func(w *work) error {
		_, err := w.log(EventStart, audit.OK, "", audit.Data{
			"version": m.cfg.Version, "aud": m.audience, "assurance": m.assurance, "config": m.configDigest(),
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: audit: %w", ErrOpen, err)
	}
	return m.writeAnchor(ctx)
}

// openToken checks what the token can do and proves it works (FPT-01). The label
// of assurance follows from what the token says of itself (OPS-04, KEY-02).
func (m *Module) openToken(ctx context.Context) error {
	info, err := m.token.Info(ctx)
	if err != nil {
		return fmt.Errorf("%w: token: %w", ErrOpen, err)
	}
	if info.Development && m.cfg.Production {
		return fmt.Errorf("%w: token %s: %w (%s)", ErrOpen, info.Name, cryptotoken.ErrDevelopment, info.Reason)
	}
	m.assurance = sap.AssuranceSCAL2
	if info.Development {
		m.assurance = sap.AssuranceDevelopment
	}
	wrapper, ok := m.token.(cryptotoken.Wrapper)
	sealerOf, ok2 := m.token.(cryptotoken.Sealer)
	if !ok || !ok2 {
		return fmt.Errorf("%w: token %s cannot wrap keys and derive seals", ErrOpen, info.Name)
	}
	m.wrapper = wrapper
	if p, ok := m.token.(cryptotoken.Prober); ok {
		if err := p.Probe(ctx); err != nil {
			return fmt.Errorf("%w: token %s: %w", ErrOpen, info.Name, err)
		}
	}
	m.seal, err = newSealer(ctx, sealerOf, m.cfg.Cluster)
	return err
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
	var meta *Meta
	err = m.store.View(ctx, func(tx *Tx) error {
		var err error
		meta, err = tx.Meta.Get()
		return err
	})
	switch {
	case errors.Is(err, ErrNotFound) && anchor == nil:
		meta, err = m.create(ctx)
	case errors.Is(err, ErrNotFound):
		err = fmt.Errorf("%w: the database is empty but the anchor %s knows %d audit records; restore the database", ErrOpen, m.cfg.AnchorPath, anchor.Seq+1)
	case err == nil && anchor == nil:
		err = fmt.Errorf("%w: the anchor %s is missing; without it an old database cannot be told from the present one", ErrOpen, m.cfg.AnchorPath)
	case err == nil:
		meta, err = m.checkState(ctx, meta, anchor)
	}
	if err != nil {
		if errors.Is(err, ErrOpen) {
			return err
		}
		return fmt.Errorf("%w: %w", ErrOpen, err)
	}
	m.instance, m.epoch = meta.Instance, meta.Epoch
	m.audience = fmt.Sprintf("%s#%d", meta.Cluster, meta.Epoch)
	return m.openStatementKey(ctx, meta)
}

// create makes a new module: chain name, statement key, record 0.
func (m *Module) create(ctx context.Context) (*Meta, error) {
	key, err := m.token.Signer(ctx, cryptotoken.KeyRef{Label: m.cfg.StatementKey})
	if errors.Is(err, cryptotoken.ErrKeyNotFound) {
		named, ok := m.token.(cryptotoken.Named)
		if !ok {
			return nil, fmt.Errorf("%w: token has no key %q and cannot make one", ErrOpen, m.cfg.StatementKey)
		}
		key, err = named.CreateKey(ctx, cryptotoken.KeyRef{Label: m.cfg.StatementKey}, algo.P256)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: statement key: %w", ErrOpen, err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("%w: statement key: %w", ErrOpen, err)
	}
	name := make([]byte, 16)
	_, _ = rand.Read(name)
	meta := &Meta{Cluster: m.cfg.Cluster, Instance: hex.EncodeToString(name), Epoch: 1, StatementKey: spki}
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

func (m *Module) openStatementKey(ctx context.Context, meta *Meta) error {
	key, err := m.token.Signer(ctx, cryptotoken.KeyRef{Label: m.cfg.StatementKey})
	if err != nil {
		return fmt.Errorf("%w: statement key %q: %w", ErrOpen, m.cfg.StatementKey, err)
	}
	pub, ok := key.Public().(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return fmt.Errorf("%w: statement key %q is not on P-256", ErrOpen, m.cfg.StatementKey)
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil || string(spki) != string(meta.StatementKey) {
		return fmt.Errorf("%w: statement key %q is not the one this module was made with", ErrOpen, m.cfg.StatementKey)
	}
	m.statement, m.spki = key, spki
	m.keyID, err = sap.KeyID(pub)
	return err
}

// start begins the work that goes on beside the calls.
func (m *Module) start() {
	m.wg.Add(2)
	go func() { defer m.wg.Done(); m.outcomes.run(m.stop) }()
	go func() { defer m.wg.Done(); m.housekeeping() }()
}

// housekeeping writes the anchor while there are commits, and purges sessions.
func (m *Module) housekeeping() {
	anchor := time.NewTicker(m.cfg.AnchorEvery)
	purge := time.NewTicker(time.Minute)
	defer anchor.Stop()
	defer purge.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-anchor.C:
			if err := m.alarm(context.Background()); err != nil {
				m.logger.Error("samd: the alarm could not be recorded", "err", err)
			}
			if m.dirty.Swap(false) {
				if err := m.writeAnchor(context.Background()); err != nil {
					m.dirty.Store(true)
					m.logger.Error("samd: anchor could not be written", "err", err)
				}
			}
		case <-purge.C:
			if err := m.Purge(context.Background()); err != nil {
				m.logger.Error("samd: sessions could not be purged", "err", err)
			}
		}
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

// shut brings the module into the secure state: no key use until it is opened
// again, which runs the token's self-test (FPT-03).
func (m *Module) shut(ctx context.Context, why string) {
	if !m.closed.CompareAndSwap(nil, &why) {
		return
	}
	m.logger.Error("samd: closed", "why", why)
	err := m.update(ctx, self(), func(w *work) error {
		_, err := w.log(EventClosed, audit.Error, sap.ReasonToken, audit.Data{"detail": why})
		return err
	})
	if err != nil {
		m.logger.Error("samd: closing could not be recorded", "err", err)
	}
}

func (m *Module) closedWhy() string {
	if p := m.closed.Load(); p != nil {
		return *p
	}
	return ""
}
