package sam_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// soon waits until something that the module does by itself is done.
func soon(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in a minute: %s", what)
		}
	}
}

// gone tells whether the module has overwritten every wrapped key that it got.
func (k *keeper) gone() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, b := range k.given {
		if !bytes.Equal(b, make([]byte, len(b))) {
			return false
		}
	}
	return len(k.given) > 0
}

// KEY-10: a certified key that nobody asks for any more, because the application died or
// the signer went away, is destroyed by the module itself when its time is over: its
// housekeeping, which runs every second, overwrites it and records its end.
func TestKEY10EndsByItselfWhenItsTimeIsOver(t *testing.T) {
	o := newOnceWorld(t, func(c *sam.Config) { c.AnchorEvery = 5 * time.Millisecond })
	v := o.key()
	o.Clock.Advance(9*time.Minute + 59*time.Second)
	if o.keys.gone() || !o.M.Kept(v.Key) {
		t.Error("gone before its time")
	}
	o.Clock.Advance(time.Second)
	if o.M.Kept(v.Key) {
		t.Error("there is a use of it after its time")
	}
	soon(t, "the record of its end", func() bool { return count(o.World, sam.EventDestroyed) == 1 })
	if r := last(o.World, sam.EventDestroyed); o.M.Kept(v.Key) || !o.keys.gone() || !contains(r.Data, `"cause":"time_over"`) || !contains(r.Data, v.Key) {
		t.Errorf("%+v", r)
	}
	o.dead(t, v.Key)
}

// KEY-10, FPT-03: a failure that closes the module overwrites every one-time key at once,
// also when nothing can be written, and those of the pool. Their end is recorded when that
// is possible again; after the reopening they are dead, and another one can be made.
func TestKEY10ClosingDestroysKeys(t *testing.T) {
	o := newOnceWorld(t, func(c *sam.Config) {
		c.AnchorEvery, c.KeyPool = 5*time.Millisecond, map[string]int{"P-256": 2}
	})
	v := o.key()
	soon(t, "the pool is full", func() bool { return o.M.Pooled("P-256") == 2 })
	o.Store.FailBefore(func(int) bool { return true })
	o.M.CloseForUse("a failure")
	if o.M.Kept(v.Key) || o.M.Pooled("P-256") != 0 || !o.keys.gone() {
		t.Error("a key is kept in a closed module")
	}
	if err := o.M.EndOneTime(context.Background()); err == nil { // as housekeeping may, before the store works again
		t.Error("the store does not fail")
	}
	o.Store.FailBefore(nil)
	soon(t, "the record of its end", func() bool { return count(o.World, sam.EventDestroyed) == 1 })
	if r := last(o.World, sam.EventDestroyed); !contains(r.Data, `"cause":"module_closed"`) || !contains(r.Data, v.Key) {
		t.Errorf("%+v", r)
	}
	soon(t, "the closing is on record", func() bool { return count(o.World, sam.EventClosed) == 1 })
	if _, err := o.M.Reopen(context.Background(), samtest.Officer, "tested"); err != nil {
		t.Fatal(err)
	}
	o.dead(t, v.Key)
	next := o.key()
	o.use(t, next)
	soon(t, "the pool is full again", func() bool { return o.M.Pooled("P-256") == 2 })
}

// KEY-10, FPT-03: a key that is in the making while the module closes is not kept, at
// whichever step; the signer's approval is used up.
func TestKEY10KeyInTheMakingWhileClosing(t *testing.T) {
	for _, step := range []sam.Step{sam.StepOnceApproved, sam.StepOnceGenerated} {
		t.Run(string(step), func(t *testing.T) {
			var o *onceWorld
			o = newOnceWorld(t, func(c *sam.Config) {
				c.Hook = func(s sam.Step) {
					if s == step {
						o.M.CloseForUse("a failure")
					}
				}
			})
			statement, proof := o.ask()
			key := onceKeyOf(t, statement)
			if _, err := o.approve(statement, proof); !errors.Is(err, sap.ReasonClosed) {
				t.Fatalf("%v", err)
			}
			if o.M.Kept(key) {
				t.Error("kept")
			}
			if _, err := o.M.Reopen(context.Background(), samtest.Officer, "tested"); err != nil {
				t.Fatal(err)
			}
			o.dead(t, key)
		})
	}
}

// KEY-10, KPR-06: the pool, which a change of the wrapping key empties, is filled again
// with the next key that is asked for.
func TestKEY10PoolFillsAgainAfterARotation(t *testing.T) {
	_, with := samtest.Once(t, "P-256")
	w := samtest.New(t, with, func(c *sam.Config) { c.KeyPool = map[string]int{"P-256": 2} })
	o := &onceWorld{World: w, alice: &samtest.Signer{ID: "alice", Device: samtest.NewDevice(samtest.Origin, samtest.RPID)}}
	o.Enrol(o.alice)
	full := func() bool { return w.M.Pooled("P-256") == 2 }
	soon(t, "the pool is full", full)
	first := kekOf(t, w)
	w.Decide(sam.DecideRotate, sam.RotateKEK{From: first, Why: "yearly"})
	if n := w.M.Pooled("P-256"); n != 0 {
		t.Errorf("%d keys under the old wrapping key", n)
	}
	o.use(t, o.key())
	soon(t, "the pool is full again", full)
	backUp(t, w)
	w.Decide(sam.DecideDestroyKEK, sam.DestroyKEK{KEK: first, Why: "yearly"})
	o.use(t, o.key())
}
