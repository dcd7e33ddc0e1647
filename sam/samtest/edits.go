package samtest

import (
	"bytes"
	"reflect"
	"sync"

	"github.com/assent-sign/assent/sam"
)

// edits makes one record come back with a seal that does not fit, from one transaction
// on: what the module finds when somebody edited a row of the database meanwhile.
type edits struct {
	mu     sync.Mutex
	on     bool
	left   int
	seen   map[string]bool // seals of the records that this transaction has read
	target []byte          // seal of the one that is edited
	call   string          // by which it was read then
}

// Edit makes a record look edited that is read for a context from Faulty, until Edited:
// the n-th (from 0), where a record counts once in every transaction that reads it. It
// is edited from that transaction on.
func (f *Faults) Edit(n int) {
	e := &f.edits
	e.mu.Lock()
	defer e.mu.Unlock()
	e.on, e.left, e.target, e.call = true, n, nil, ""
	e.seen = map[string]bool{}
}

// transaction begins another one.
func (e *edits) transaction() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = map[string]bool{}
}

// Edited ends it and tells how the record was read first, "" when there were not so
// many.
func (f *Faults) Edited() string {
	e := &f.edits
	e.mu.Lock()
	defer e.mu.Unlock()
	e.on = false
	return e.call
}

// in looks at the result of a call: a record, a list of them, or something else.
func (e *edits) in(call string, result any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.on {
		return
	}
	v := reflect.ValueOf(result)
	if v.Kind() != reflect.Slice {
		e.one(call, v)
		return
	}
	for i := range v.Len() {
		e.one(call, v.Index(i))
	}
}

func (e *edits) one(call string, v reflect.Value) {
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return
	}
	field := v.Elem().FieldByName("Stamp")
	if !field.IsValid() {
		return
	}
	stamp, ok := field.Addr().Interface().(*sam.Stamp)
	if !ok || len(stamp.MAC) == 0 {
		return
	}
	if e.target == nil && !e.seen[string(stamp.MAC)] {
		e.seen[string(stamp.MAC)] = true
		if e.left == 0 {
			e.target, e.call = bytes.Clone(stamp.MAC), call
		}
		e.left--
	}
	if bytes.Equal(stamp.MAC, e.target) {
		stamp.MAC = bytes.Clone(stamp.MAC)
		stamp.MAC[0] ^= 1
	}
}
