package sam_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// KEY-10, AFL-04: who looks at a request and goes away leaves an offer, for which there is no key. A signer at the bound
// gets the next one in the place of the oldest offer, on record, as often as they look; a key is never ended for it, and with as
// many keys as there may be there is no other offer.
func TestKEY10OffersMakeRoomForOneAnother(t *testing.T) {
	o := newOnceWorld(t)
	const most = 4
	type approval struct{ statement, proof []byte }
	var all []approval
	for range 3 * most {
		statement, proof := o.ask()
		all = append(all, approval{statement, proof})
	}
	old := all[len(all)-most-1]
	refused(t, o.World, sap.ReasonConsumed, func() error { _, err := o.approve(old.statement, old.proof); return err })
	for _, a := range all[len(all)-most+1:] {
		if _, err := o.approve(a.statement, a.proof); err != nil {
			t.Fatal(err)
		}
	}
	statement, proof := o.ask() // in the place of the one offer that is left
	left := all[len(all)-most]
	refused(t, o.World, sap.ReasonConsumed, func() error { _, err := o.approve(left.statement, left.proof); return err })
	if _, err := o.approve(statement, proof); err != nil {
		t.Fatal(err)
	}
	refused(t, o.World, sap.ReasonTooMany, func() error {
		_, err := o.M.RequestOneTime(context.Background(), samtest.SSPU, askOnce)
		return err
	})
	ended := 0
	for _, r := range o.Records() {
		if r.Type == sam.EventDestroyed && strings.Contains(r.Data, `"cause":"superseded"`) {
			ended++
		}
	}
	if want := len(all) - most + 1; ended != want || o.keys.made() != most {
		t.Errorf("%d offers ended for others, want %d; %d keys", ended, want, o.keys.made())
	}
	o.Check()
}

// KEY-06: an offer that somebody edited is not ended for another: it is found.
func TestKEY10EditedOfferMakesNoRoom(t *testing.T) {
	o := newOnceWorld(t)
	for range 4 {
		o.ask()
	}
	exec(t, dba(t, o.World), "UPDATE onetime SET caller = 'other' WHERE created = (SELECT min(created) FROM onetime)")
	if _, err := o.M.RequestOneTime(context.Background(), samtest.SSPU, askOnce); !errors.Is(err, sap.ReasonSeal) {
		t.Errorf("%v", err)
	}
}
