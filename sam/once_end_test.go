package sam_test

import (
	"context"
	"crypto/x509"
	"testing"

	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// KEY-10: a certified key that will not be used is destroyed at once when the application
// that it was made for says so, by nobody else, once; what was signed with it stays
// fetched, and a key in use is not its to end.
func TestKEY10GivenUpIsDestroyed(t *testing.T) {
	o := newOnceWorld(t)
	end := func(c sam.Caller, key string) func() error {
		return func() error { return o.M.GiveUpOneTime(context.Background(), c, key) }
	}
	v := o.key()
	other := sam.Caller{Identity: "ssad-2", Role: sam.RoleSSPU}
	refused(t, o.World, sap.ReasonCaller, end(other, v.Key))
	refused(t, o.World, sap.ReasonKey, end(samtest.SSPU, "o-none"))
	sad, proof := o.Approve(o.alice, 1)
	before := len(o.Records())
	for range 2 { // the second time it is destroyed already: no error, and no record
		if err := end(samtest.SSPU, v.Key)(); err != nil {
			t.Fatal(err)
		}
	}
	if got := events(o.World, before); got != "key_destroyed" {
		t.Errorf("events %s", got)
	}
	if r := o.Records()[before]; r.Actor != "sspu:"+samtest.SSPU.Identity {
		t.Errorf("destroyed by %+v", r)
	}
	refused(t, o.World, sap.ReasonKeyState, func() error { _, err := o.Redeem(sad, proof); return err })
	o.dead(t, v.Key)

	statement, _ := o.ask() // offered, not approved
	if err := end(samtest.SSPU, onceKeyOf(t, statement))(); err != nil {
		t.Error(err)
	}
	o.dead(t, onceKeyOf(t, statement))
}

// KEY-10: a key that a call has in hand is not given up beside it, at no step: the record
// of its end follows what became of it. From its certificate on it can be, and is then
// found nowhere, neither in a record nor in memory, also when the one who made it has not
// returned yet.
func TestKEY10KeyInHandIsNotGivenUp(t *testing.T) {
	for _, step := range []sam.Step{sam.StepOnceApproved, sam.StepOnceGenerated, sam.StepOnceCertified, sam.StepReserved, sam.StepSigned} {
		t.Run(string(step), func(t *testing.T) {
			var o *onceWorld
			var key string
			got, asked := error(nil), 0
			o = newOnceWorld(t, func(c *sam.Config) {
				c.Hook = func(s sam.Step) {
					if s == step && key != "" {
						got = o.M.GiveUpOneTime(context.Background(), samtest.SSPU, key)
						asked++
					}
				}
			})
			statement, proof := o.ask()
			key = onceKeyOf(t, statement)
			v, err := o.approve(statement, proof)
			if err != nil {
				t.Fatal(err)
			}
			if step == sam.StepOnceCertified {
				if got != nil || o.M.Kept(key) {
					t.Errorf("%v, kept %v", got, o.M.Kept(key))
				}
			} else {
				o.use(t, v)
				refusedAs(t, got, sap.ReasonConsumed, key)
			}
			if asked != 1 {
				t.Errorf("asked %d times", asked)
			}
			o.dead(t, key)
		})
	}
}

// use signs once with a key.
func (o *onceWorld) use(t *testing.T, v *sam.OnceView) {
	t.Helper()
	cert, err := x509.ParseCertificate(v.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	o.alice.Key, o.alice.Cert, o.alice.Chain = v.Key, cert, v.Chain
	sad, proof := o.Approve(o.alice, 1)
	if _, err := o.Redeem(sad, proof); err != nil {
		t.Fatal(err)
	}
}
