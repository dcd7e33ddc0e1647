package sam

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// onceKeys are the wrapped one-time keys of this process (KEY-10): certified ones by their
// id, and unused ones by their type. Nothing of them is ever written down.
type onceKeys struct {
	mu   sync.Mutex
	live map[string]onceKey
	pool map[algo.KeyType][]cryptotoken.Wrapped
}

type onceKey struct {
	key     cryptotoken.Wrapped
	expires time.Time
	owed    string // why it ended, when that is not on record yet
}

func newOnceKeys() *onceKeys {
	return &onceKeys{live: map[string]onceKey{}, pool: map[algo.KeyType][]cryptotoken.Wrapped{}}
}

func (k *onceKeys) put(id string, key cryptotoken.Wrapped, expires time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.live[id] = onceKey{key: key, expires: expires}
}

// peek looks at a key without giving the blob away.
func (k *onceKeys) peek(id string, now time.Time) (cryptotoken.Wrapped, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.live[id]
	e.key.Blob = nil
	return e.key, ok && now.Before(e.expires)
}

// take gives a key to the one activation that was reserved for it.
func (k *onceKeys) take(id string) (cryptotoken.Wrapped, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.live[id]
	delete(k.live, id)
	return e.key, ok
}

// drop overwrites and forgets a key.
func (k *onceKeys) drop(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.live[id].key.Blob)
	delete(k.live, id)
}

// forgetAll overwrites and forgets every key. late lists those that were certified, until
// their end is on record (drop).
func (k *onceKeys) forgetAll() {
	k.emptyPool()
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, e := range k.live {
		clear(e.key.Blob)
		k.live[id] = onceKey{}
	}
}

// owe overwrites a key and keeps its name for late, because its end is not on record yet.
func (k *onceKeys) owe(id, cause string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.live[id].key.Blob)
	k.live[id] = onceKey{owed: cause}
}

// late lists the keys whose time is over, and those whose end is owed, with its cause.
func (k *onceKeys) late(now time.Time) map[string]string {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[string]string{}
	for id, e := range k.live {
		if !now.Before(e.expires) {
			out[id] = e.owed
		}
	}
	return out
}

// fromPool takes an unused key; it was nobody's until now.
func (k *onceKeys) fromPool(kt algo.KeyType) (cryptotoken.Wrapped, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := k.pool[kt]
	if len(list) == 0 {
		return cryptotoken.Wrapped{}, false
	}
	key := list[0]
	k.pool[kt] = list[1:]
	return key, true
}

// toPool adds a key unless there are n already.
func (k *onceKeys) toPool(key cryptotoken.Wrapped, n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.pool[key.KeyType]) < n {
		k.pool[key.KeyType] = append(k.pool[key.KeyType], key)
	}
}

// emptyPool overwrites and forgets the unused keys.
func (k *onceKeys) emptyPool() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, list := range k.pool {
		for _, w := range list {
			clear(w.Blob)
		}
	}
	clear(k.pool)
}

// under tells whether a key of this process is under a wrapping key.
func (k *onceKeys) under(label string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.live {
		if e.key.KEK == label {
			return true
		}
	}
	for _, list := range k.pool {
		for _, w := range list {
			if w.KEK == label {
				return true
			}
		}
	}
	return false
}

func (k *onceKeys) pooled(kt algo.KeyType) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.pool[kt])
}

// takeKey takes a key from the pool, or makes one.
func (m *Module) takeKey(ctx context.Context, kt algo.KeyType) (cryptotoken.Wrapped, error) {
	defer m.refill() // also when it was empty: it is emptied with a change of the wrapping key
	if key, ok := m.onceKeys.fromPool(kt); ok {
		return key, nil
	}
	key, err := m.wrapper.GenerateWrapped(ctx, kt)
	if err != nil {
		return key, fmt.Errorf("%w: %w", sap.ReasonToken, err)
	}
	return key, nil
}

// refill wakes the filler; it never waits.
func (m *Module) refill() {
	select {
	case m.filling <- struct{}{}:
	default:
	}
}

// fillPools keeps the pools at their size until the module stops.
func (m *Module) fillPools() {
	for {
		if err := m.FillPools(context.Background()); err != nil {
			m.logger.Error("samd: the pool of one-time keys cannot be filled", "err", err)
		}
		select {
		case <-m.stop:
			return
		case <-m.filling:
		}
	}
}

// FillPools makes keys until every configured pool has its size, or the module
// stops. A pooled key belongs to nobody, is not recorded as anybody's, and dies
// with the process.
func (m *Module) FillPools(ctx context.Context) error {
	for name, n := range m.cfg.KeyPool {
		kt := algo.KeyType(name)
		for m.onceKeys.pooled(kt) < n && m.closedWhy() == "" {
			select {
			case <-m.stop:
				return nil
			default:
			}
			if err := m.fillOne(ctx, kt, n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Module) fillOne(ctx context.Context, kt algo.KeyType, n int) error {
	err := m.update(ctx, self(), func(w *work) error {
		_, err := w.log(EventKeyIntent, audit.OK, "", audit.Data{"pool": true, "key_type": string(kt)})
		return err
	})
	if err != nil {
		return err
	}
	key, err := m.wrapper.GenerateWrapped(ctx, kt)
	if err != nil {
		return fmt.Errorf("%w: %w", sap.ReasonToken, err)
	}
	if _, err := cryptotoken.CheckWrappedForm(key); err != nil {
		return fmt.Errorf("%w: %w", sap.ReasonToken, err)
	}
	m.onceKeys.toPool(key, n)
	if m.closedWhy() != "" { // closed meanwhile: stopUse may have emptied it before this one came
		m.onceKeys.emptyPool()
	}
	return nil
}
