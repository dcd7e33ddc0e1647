package c14n

import (
	"crypto/sha256"
	"hash/maphash"
)

// keySize is how much is kept of an identifier's SHA-256. Two identifiers with the same key would be called one,
// and the document refused for it; nobody can make such, at 2^96 attempts.
const keySize = 24

type idKey [keySize]byte

func keyOf[T string | []byte](id T) idKey {
	sum := sha256.Sum256([]byte(id))
	return idKey(sum[:keySize])
}

// idTable maps identifiers to elements. It is small, because it is all that is kept of a large document: chunks that
// never move, and a table of numbers into them. The elements may be in chunks of others.
type idTable struct {
	slots  []uint32 // open addressing: 1 + the entry's number, 0 if free
	chunks [][]idEntry
	n      int
}

// slots is where an identifier is looked for first. Nobody outside knows it: who could choose identifiers that begin at the same
// place, or side by side, would have each compared with all others.
var slots = maphash.MakeSeed()

type idEntry struct {
	key     idKey
	element uint32
}

const (
	chunkBits = 10
	chunkSize = 1 << chunkBits
)

// find gives the element of a key, and the slot where it is, or where it would be put.
func (t *idTable) find(key *idKey) (element, slot int, ok bool) {
	mask := len(t.slots) - 1
	if mask < 0 {
		return 0, 0, false
	}
	for i := int(maphash.Bytes(slots, key[:])) & mask; ; i = (i + 1) & mask {
		k := t.slots[i]
		if k == 0 {
			return 0, i, false
		}
		if e := t.entry(k); e.key == *key {
			return int(e.element), i, true
		}
	}
}

func (t *idTable) entry(k uint32) *idEntry {
	return &t.chunks[(k-1)>>chunkBits][(k-1)&(chunkSize-1)]
}

// put adds a key that find did not find.
func (t *idTable) put(key *idKey, element int) {
	if 4*(t.n+1) > 3*len(t.slots) {
		t.grow()
	}
	if t.n>>chunkBits == len(t.chunks) {
		t.chunks = append(t.chunks, nil)
	}
	last := &t.chunks[t.n>>chunkBits]
	if *last == nil && t.n > 0 {
		*last = make([]idEntry, 0, chunkSize)
	}
	*last = append(*last, idEntry{*key, uint32(element)}) //nolint:gosec // at most Limits.IDs, which is below 2^31
	t.n++
	_, slot, _ := t.find(key)
	t.slots[slot] = uint32(t.n) //nolint:gosec // at most Limits.IDs, which is below 2^31
}

func (t *idTable) grow() {
	t.slots = make([]uint32, max(64, 2*len(t.slots)))
	for k := 1; k <= t.n; k++ {
		key := &t.entry(uint32(k)).key //nolint:gosec // at most Limits.IDs, which is below 2^31
		_, slot, _ := t.find(key)
		t.slots[slot] = uint32(k) //nolint:gosec // at most Limits.IDs, which is below 2^31
	}
}

// elementTable keeps elements in chunks that never move.
type elementTable struct {
	chunks [][]packed
	n      int
}

// packed is an Element: a tag is at most Limits.Token long, and so deep as Limits.Depth.
type packed struct {
	start, tail  int64
	content, end uint32 // from start, and from tail
	depth        int32  // below 0: Empty
}

func pack(e Element) packed {
	p := packed{e.Start, e.Tail, uint32(e.Content - e.Start), uint32(e.End - e.Tail), int32(e.Depth)} //nolint:gosec // at most Limits.Token and Depth, which are below 2^31
	if e.Empty {
		p.depth = -p.depth
	}
	return p
}

// close notes where the end tag is.
func (p *packed) close(tail, end int64) { p.tail, p.end = tail, uint32(end-tail) } //nolint:gosec // at most Limits.Token, which is below 2^31

func (p packed) element() Element {
	e := Element{Start: p.start, Content: p.start + int64(p.content), Tail: p.tail, End: p.tail + int64(p.end), Depth: int(p.depth)}
	if e.Depth < 0 {
		e.Depth, e.Empty = -e.Depth, true
	}
	return e
}

func (t *elementTable) at(i int) *packed { return &t.chunks[i>>chunkBits][i&(chunkSize-1)] }

func (t *elementTable) add(e Element) int {
	i := t.n
	if i>>chunkBits == len(t.chunks) {
		t.chunks = append(t.chunks, nil)
	}
	last := &t.chunks[i>>chunkBits]
	if *last == nil && i > 0 {
		*last = make([]packed, 0, chunkSize)
	}
	*last = append(*last, pack(e))
	t.n++
	return i
}
