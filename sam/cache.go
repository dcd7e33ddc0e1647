package sam

import "sync"

// cache is a bounded map for what can always be computed again. When it is full
// an eighth goes, whichever the map yields: no order is worth a lock held longer.
type cache[V any] struct {
	mu  sync.RWMutex
	m   map[string]V
	max int
}

func (c *cache[V]) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.m, key)
}

func (c *cache[V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.m)
}

// floors remembers, for records, the audit number of their last change that is
// known to be committed. Numbers only grow.
type floors struct{ *cache[int64] }

func (f floors) raise(object string, seq int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if old, ok := f.m[object]; !ok || old < seq {
		f.set(object, seq)
	}
}

func newCache[V any](limit int) *cache[V] {
	return &cache[V]{m: make(map[string]V), max: limit}
}

func (c *cache[V]) get(key string) (V, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	v, ok := c.m[key]
	return v, ok
}

func (c *cache[V]) put(key string, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set(key, v)
}

func (c *cache[V]) set(key string, v V) {
	if len(c.m) >= c.max {
		drop := c.max/8 + 1
		for k := range c.m {
			delete(c.m, k)
			if drop--; drop == 0 {
				break
			}
		}
	}
	c.m[key] = v
}
