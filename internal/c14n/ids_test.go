package c14n

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"
)

// Every identifier leads to its element, however many there are, and none that was not put in is found.
func TestIDTable(t *testing.T) {
	var ids idTable
	var elements elementTable
	want := map[string]Element{}
	for i := range 5000 {
		id := fmt.Sprint("i", i)
		key := keyOf(id)
		if _, _, ok := ids.find(&key); ok {
			t.Fatalf("%s is there before it is put in", id)
		}
		e := Element{Start: int64(i) << 20, Content: int64(i)<<20 + 4<<20, Depth: 1 + i%1024}
		if e.Empty = i%3 == 0; e.Empty {
			e.Tail, e.End = e.Content, e.Content
		}
		n := elements.add(e)
		if !e.Empty {
			e.Tail, e.End = e.Content+5<<30, e.Content+5<<30+1024
			elements.at(n).close(e.Tail, e.End)
		}
		ids.put(&key, n)
		want[id] = e
	}
	for id, e := range want {
		key := keyOf([]byte(id))
		n, _, ok := ids.find(&key)
		if !ok || elements.at(n).element() != e {
			t.Errorf("%s: %v, %+v, want %+v", id, ok, elements.at(n).element(), e)
		}
		if key = keyOf(id + "x"); func() bool { _, _, ok := ids.find(&key); return ok }() {
			t.Errorf("%sx is found", id)
		}
	}
}

// What is kept of an element with an identifier is small: a document of any size may have as many as the limit.
func TestIDTableIsSmall(t *testing.T) {
	const n = 1 << 16
	keys := make([]idKey, n)
	for i := range keys {
		keys[i] = keyOf(fmt.Sprint(i))
	}
	r := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			var ids idTable
			var elements elementTable
			for i := range keys {
				ids.put(&keys[i], elements.add(Element{Start: int64(i)}))
			}
		}
	})
	if each := r.AllocedBytesPerOp() / n; each > 80 {
		t.Errorf("%d bytes for each", each)
	}
}

// I9: identifiers whose digests are alike in some bits, as anybody can make in seconds, do not stand in one long row: each would be
// compared with all others.
func TestI9IdentifiersThatAreMadeToCollide(t *testing.T) {
	const n, longest = 1 << 14, 256
	for name, bits := range map[string]uint64{"the first octets": 1<<9 - 1, "other octets": ^uint64(1<<32-1) | 1<<9 - 1} {
		var ids idTable
		for i := range uint64(n) {
			var key idKey
			binary.LittleEndian.PutUint64(key[:], i&bits|i<<32&bits)
			binary.LittleEndian.PutUint64(key[8:], i)
			ids.put(&key, 0)
		}
		run := 0
		for _, k := range append(ids.slots, ids.slots...) {
			if run++; k == 0 {
				run = 0
			}
			if run > longest {
				t.Fatalf("%s: more than %d of %d slots in a row are taken", name, longest, len(ids.slots))
			}
		}
	}
}

// Offsets and numbers in the tables have 32 bits: no bound that a caller gives
// lets them be cut off, which would say that a signature covers other bytes.
func TestTablesHoldWhatLimitsLetThrough(t *testing.T) {
	l := Limits{Depth: math.MaxInt, Token: math.MaxInt, IDs: math.MaxInt}.withDefaults()
	for name, n := range map[string]int{"Depth": l.Depth, "Token": l.Token, "IDs": l.IDs} {
		if n > math.MaxInt32 {
			t.Errorf("%s may be %d", name, n)
		}
	}
}
