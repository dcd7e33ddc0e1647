package sam_test

import (
	"context"
	"testing"

	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samsqlite"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// gate is a store before whose transactions something happens.
type gate struct {
	sam.Store
	before func(ctx context.Context)
}

func (g *gate) Update(ctx context.Context, fn func(*sam.Tx) error) error {
	g.before(ctx)
	return g.Store.Update(ctx, fn)
}

type whose struct{}

// as names a call, for the gate.
func as(name string) context.Context { return context.WithValue(context.Background(), whose{}, name) }

// newGatedWorld has a gate before its store, which calls before for the calls that have a name.
func newGatedWorld(t *testing.T, before func(name string)) *onceWorld {
	t.Helper()
	o := newOnceWorld(t)
	o.Stop()
	db, err := samsqlite.Open(samsqlite.Config{Path: o.DB()})
	if err != nil {
		t.Fatal(err)
	}
	o.Store = &samtest.Store{Store: &gate{db, func(ctx context.Context) {
		if name, ok := ctx.Value(whose{}).(string); ok {
			before(name)
		}
	}}}
	o.Cfg.Store = o.Store
	if o.M, err = sam.Open(context.Background(), o.Cfg); err != nil {
		t.Fatal(err)
	}
	return o
}

// failOnce asks for a one-time key and has a wrong approval refused; beside it, between
// its verification and its count, the request is given up, if meanwhile is set.
func failOnce(t *testing.T, o *onceWorld, d *samtest.Device, meanwhile *func(name string), giveUp bool) (key string, statement, proof []byte, err error) {
	t.Helper()
	signed, err := o.M.RequestOneTime(context.Background(), samtest.SSPU, askOnce)
	if err != nil {
		t.Fatal(err)
	}
	statement, proof, err = d.ApproveOnce(o.StatementKey(), signed)
	if err != nil {
		t.Fatal(err)
	}
	key = onceKeyOf(t, statement)
	asked := 0
	*meanwhile = func(name string) {
		if giveUp && name == "approve" && asked == 0 {
			asked++
			if err := o.M.GiveUpOneTime(as("end"), samtest.SSPU, key); err != nil {
				t.Error(err)
			}
		}
	}
	_, err = o.M.ApproveOneTime(as("approve"), samtest.SSPU, statement, proof)
	if giveUp != (asked == 1) {
		t.Errorf("given up %d times", asked)
	}
	return key, statement, proof, err
}

// AFL-01, T27: a failure that the authenticator itself proves counts also when the
// application gives the request up beside the approval: without end it would try an
// authenticator otherwise. It counts once, whoever sends it again.
func TestAFL01FailureBesideAGivenUpRequestCounts(t *testing.T) {
	for _, giveUp := range []bool{false, true} {
		var meanwhile func(string)
		o := newGatedWorld(t, func(name string) { meanwhile(name) })
		bad := *o.alice.Device
		bad.Flags = samtest.UP
		for n := range 3 { // the limit
			if locked(t, o.World, o.alice) {
				t.Errorf("locked after %d", n)
			}
			key, statement, proof, err := failOnce(t, o, &bad, &meanwhile, giveUp)
			refusedAs(t, err, sap.ReasonUserVerified, key)
			if _, err := o.approve(statement, proof); err == nil {
				t.Error("accepted when sent again")
			}
			var failures int
			if err := dba(t, o.World).QueryRow("SELECT failures FROM guard").Scan(&failures); err != nil || failures != n+1 {
				t.Errorf("given up %v: %d failures, want %d: %v", giveUp, failures, n+1, err)
			}
		}
		if !locked(t, o.World, o.alice) {
			t.Errorf("given up %v: not locked", giveUp)
		}
		o.Check()
	}
}

// AFL-01, ENR-06: the copy of an authenticator raises the alarm also then.
func TestAFL01CopyBesideAGivenUpRequestRaisesTheAlarm(t *testing.T) {
	var meanwhile func(string)
	o := newGatedWorld(t, func(name string) { meanwhile(name) })
	o.alice.Device.Count = 5
	o.key()
	copied := *o.alice.Device
	copied.Count = 5
	key, _, _, err := failOnce(t, o, &copied, &meanwhile, true)
	refusedAs(t, err, sap.ReasonCounter, key)
	if count(o.World, sam.EventCopy) != 1 || !locked(t, o.World, o.alice) {
		t.Errorf("%d alarms, locked %v", count(o.World, sam.EventCopy), locked(t, o.World, o.alice))
	}
	o.Check()
}

// KEY-10: a key that an approval has in hand when the giving up comes to its transaction
// stays: who asked learns that it is in hand, and it is used. What could be given up
// when it was asked for may be approved by then.
func TestKEY10KeyTakenInHandMeanwhileStays(t *testing.T) {
	for _, stop := range []int{1, 2} { // transactions of the approval: approved, generated
		var key string
		arrived, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		first, n := true, 0
		o := newGatedWorld(t, func(name string) {
			switch {
			case name == "end" && first:
				first = false
				close(arrived)
				<-release
			case name == "approve":
				if n++; n == stop+1 {
					close(release)
					refusedAs(t, <-done, sap.ReasonConsumed, key)
				}
			}
		})
		statement, proof := o.ask()
		key = onceKeyOf(t, statement)
		go func() { done <- o.M.GiveUpOneTime(as("end"), samtest.SSPU, key) }()
		<-arrived
		v, err := o.M.ApproveOneTime(as("approve"), samtest.SSPU, statement, proof)
		if err != nil {
			t.Fatalf("after %d: %v", stop, err)
		}
		if !o.M.Kept(key) {
			t.Errorf("after %d: the key is gone", stop)
		}
		o.use(t, v)
		o.dead(t, key)
	}
}
