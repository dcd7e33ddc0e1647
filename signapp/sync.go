package signapp

import (
	"context"
	"sync"
)

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

// turns lets so many things be done at one time, and of each client no more than half of
// them, so that one cannot keep out the others.
type turns struct {
	all  chan struct{}
	each int
	mu   sync.Mutex
	of   map[string]*lane
}

type lane struct {
	room  chan struct{}
	users int
}

func newTurns(n int) *turns {
	return &turns{all: make(chan struct{}, n), each: max(1, n/2), of: map[string]*lane{}}
}

// take waits for the client's turn and returns the function that gives it back. Who waits for room of the
// client's own holds nothing that others wait for.
func (t *turns) take(ctx context.Context, client string) (func(), error) {
	t.mu.Lock()
	l := t.of[client]
	if l == nil {
		l = &lane{room: make(chan struct{}, t.each)}
		t.of[client] = l
	}
	l.users++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(t.of, client)
		}
	}
	select {
	case l.room <- struct{}{}:
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
	select {
	case t.all <- struct{}{}:
		return func() { <-t.all; <-l.room; leave() }, nil
	case <-ctx.Done():
		<-l.room
		leave()
		return nil, ctx.Err()
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
