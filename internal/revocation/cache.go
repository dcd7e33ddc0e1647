package revocation

import (
	"sync"
	"time"
)

// Bounds of a Cache.
const (
	DefaultCacheBytes   = 64 << 20
	DefaultCacheEntries = 1024
)

// Cache keeps verified statements in memory until they are due, within bounds. It
// holds nothing that was not verified when it was put in, and everything is verified
// again when it is used. It is safe for concurrent use; the zero value is ready.
type Cache struct {
	// MaxBytes and MaxEntries bound it; zero means the defaults.
	MaxBytes, MaxEntries int

	mu      sync.Mutex
	entries map[string]*cached
	bytes   int
	clock   uint64
}

type cached struct {
	crl      *CRL
	response *Response
	size     int
	until    time.Time
	used     uint64
}

// get returns what is kept under a key and is not due at the time.
func (c *Cache) get(key string, at time.Time) *cached {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil {
		return nil
	}
	if !at.Before(e.until) {
		c.drop(key)
		return nil
	}
	c.clock++
	e.used = c.clock
	return e
}

// put keeps a statement; the least lately used make room. One that would fill more
// than a quarter is not kept, lest one list drive out all others.
func (c *Cache) put(key string, e *cached) {
	if c == nil || e.until.IsZero() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	maxBytes, maxEntries := orDefault(c.MaxBytes, DefaultCacheBytes), orDefault(c.MaxEntries, DefaultCacheEntries)
	c.drop(key)
	if e.size > maxBytes/4 {
		return
	}
	for len(c.entries) > 0 && (len(c.entries) >= maxEntries || c.bytes+e.size > maxBytes) {
		c.drop(c.oldest())
	}
	if c.entries == nil {
		c.entries = map[string]*cached{}
	}
	c.clock++
	e.used = c.clock
	c.entries[key] = e
	c.bytes += e.size
}

func (c *Cache) oldest() string {
	var key string
	var least uint64
	for k, e := range c.entries {
		if key == "" || e.used < least {
			key, least = k, e.used
		}
	}
	return key
}

func (c *Cache) drop(key string) {
	if e := c.entries[key]; e != nil {
		c.bytes -= e.size
		delete(c.entries, key)
	}
}

// Len tells how many statements are kept.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries)
}

func orDefault(n, def int) int {
	if n <= 0 {
		return def
	}
	return n
}
