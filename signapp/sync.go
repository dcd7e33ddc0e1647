package signapp

import "sync"

// keyLocks is a mutex for each key in use.
type keyLocks struct {
	mu sync.Mutex
	m  map[string]*keyLock
}

type keyLock struct {
	mu    sync.Mutex
	users int
}

// lock waits for the key and returns the function that gives it back.
func (k *keyLocks) lock(key string) func() {
	k.mu.Lock()
	if k.m == nil {
		k.m = map[string]*keyLock{}
	}
	l := k.m[key]
	if l == nil {
		l = &keyLock{}
		k.m[key] = l
	}
	l.users++
	k.mu.Unlock()
	l.mu.Lock()
	return func() {
		l.mu.Unlock()
		k.mu.Lock()
		if l.users--; l.users == 0 {
			delete(k.m, key)
		}
		k.mu.Unlock()
	}
}

// broadcast wakes everyone who waits for a change of an operation.
type broadcast struct {
	mu sync.Mutex
	m  map[string]*topic
}

type topic struct {
	ch    chan struct{}
	users int
}

// subscribe returns a channel that is closed at the next change after this
// call, and the function that ends the subscription.
func (b *broadcast) subscribe(id string) (<-chan struct{}, func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.m == nil {
		b.m = map[string]*topic{}
	}
	t := b.m[id]
	if t == nil {
		t = &topic{ch: make(chan struct{})}
		b.m[id] = t
	}
	t.users++
	return t.ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if t.users--; t.users == 0 && b.m[id] == t {
			delete(b.m, id)
		}
	}
}

// publish tells that an operation changed.
func (b *broadcast) publish(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.m[id]; t != nil {
		close(t.ch)
		delete(b.m, id)
	}
}
