package sam

import (
	"context"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// memory keeps what a redemption needs and what the module has read, verified
// and not changed since, so that the common case asks the database nothing
// before it writes. What is remembered counts only while
//
//   - the module knows of no later change of the record (floors), and
//   - nobody else has written to the database: reserve compares Store.Foreign in
//     the transaction that consumes the session, before any key is used. The
//     module then forgets everything and looks again.
//
// Remembered records are shared and must not be changed.
type memory struct {
	holdings *cache[*holding]    // by key id
	guards   *cache[*Guard]      // by object
	sessions *cache[*Activation] // by session id; open ones only
}

func newMemory() memory {
	return memory{newCache[*holding](8192), newCache[*Guard](8192), newCache[*Activation](16384)}
}

// forget empties the memory.
func (m *Module) forget() {
	m.memory.holdings.clear()
	m.memory.guards.clear()
	m.memory.sessions.clear()
	m.grants.Add(1) // callers are read anew too
}

// alarm records that somebody else has written to the database since the last
// look. What was changed is found when it is used: the seals do not fit.
func (m *Module) alarm(ctx context.Context) error {
	now := m.store.Foreign()
	if before := m.foreign.Swap(now); before == now {
		return nil
	}
	m.forget()
	m.logger.Error("samd: somebody else has written to the database")
	return m.update(ctx, self(), func(w *work) error {
		_, err := w.log(EventForeign, audit.Error, sap.ReasonSeal, audit.Data{"detail": "the database was changed by another program"})
		return err
	})
}

// fresh tells whether a remembered record is the last one the module knows of.
// Records without a history never change.
func (m *Module) fresh(r record) bool {
	object := r.object()
	if object == "" {
		return true
	}
	floor, known := m.floors.get(object)
	return known && floor == r.stamp().Seq
}

func (m *Module) freshHolding(h *holding) bool {
	if !m.fresh(h.signer) || !m.fresh(h.cred) {
		return false
	}
	for _, a := range h.auths {
		if !m.fresh(a) {
			return false
		}
	}
	return true
}

// recall fills in what the memory has of a redemption: all of it, or nothing.
func (r *redemption) recall() bool {
	m, b := r.m, r.sad.Bind
	sid, err := sap.UnB64(b.Session)
	if err != nil {
		return false
	}
	id, err := sap.UnB64(r.sad.Auth.Cred)
	if err != nil {
		return false
	}
	s, ok := m.memory.sessions.get(string(sid))
	if !ok || !m.fresh(s) {
		return false
	}
	h, ok := m.memory.holdings.get(b.Key)
	if !ok || h.cred.Signer != b.Signer || !m.freshHolding(h) {
		return false
	}
	g, ok := m.memory.guards.get(guardObject(id))
	if !ok || !m.fresh(g) {
		return false
	}
	r.session, r.held, r.guard = s, h, g
	return true
}
