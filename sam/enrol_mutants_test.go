package sam_test

import (
	"context"
	"testing"
	"time"

	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// ENR-03, ENR-04: a registration request is answered within ten minutes, to the second,
// whatever time the officer's code has left; an enrolment has at most fifty requests.
func TestENR04RequestsOfAnEnrolmentAtTheirBounds(t *testing.T) {
	for _, late := range []bool{false, true} {
		o := open(t)
		reg := o.register(t, samtest.NewDevice(samtest.Origin, samtest.RPID), o.code.Code)
		o.Clock.Advance(10*time.Minute - time.Second)
		if late {
			o.Clock.Advance(time.Second)
			refused(t, o.World, sap.ReasonExpired, func() error { return o.finish(reg) })
		} else if err := o.finish(reg); err != nil {
			t.Errorf("in the last second: %v", err)
		}
	}
	o := open(t) // with its first request
	begin := func() error {
		_, err := o.M.BeginEnrolment(context.Background(), samtest.SSPU, o.code.ID)
		return err
	}
	for n := 2; n <= 50; n++ {
		if err := begin(); err != nil {
			t.Fatalf("request %d: %v", n, err)
		}
	}
	refused(t, o.World, sap.ReasonEnrolment, begin)
}
