package sam_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// AUD-01, AFL-01, KEY-10, I2: acts that count, repeat or clear away, and whose store fails
// at any one call: they fail and say so, and succeed afterwards.
func TestAUD01AnyCallFailsWhereItCounts(t *testing.T) {
	o := newCountingWorld(t)
	for _, a := range o.steps() {
		t.Run(a.name, func(t *testing.T) {
			if calls := failEach(t, o.World, a); calls == 0 {
				t.Error("no call of the store was made to fail: the test does not see the act")
			}
		})
	}
	o.Check()
}

// KEY-06, AFL-01: the same acts with any one record edited before one of the act's
// transactions.
func TestKEY06AnyRecordIsEditedWhereItCounts(t *testing.T) {
	o := newCountingWorld(t)
	for _, a := range o.steps() {
		t.Run(a.name, func(t *testing.T) { editEach(t, o.World, a) })
	}
	o.Check()
}

// countingWorld has limits that no test reaches.
type countingWorld struct {
	*onceWorld
	bob *samtest.Signer
}

func newCountingWorld(t *testing.T) *countingWorld {
	o := newOnceWorld(t, func(c *sam.Config) { c.LockoutLimit, c.WrongCodes = 1<<20, 1<<20 })
	return &countingWorld{o, o.NewSigner("bob", algo.P256)}
}

// expecting turns the refusal that an act is about into its success.
func expecting(want sap.Reason, do func() error) func() error {
	return func() error {
		err := do()
		switch {
		case err == nil:
			return errors.New("it was accepted")
		case errors.Is(err, want) && !errors.Is(err, sap.ReasonStore) && !errors.Is(err, sap.ReasonSeal):
			return nil
		}
		return err
	}
}

// room ends the one-time keys of what failed before.
func (o *countingWorld) room() {
	o.T.Helper()
	o.Token.Forget()
	o.Clock.Advance(11 * time.Minute)
	if err := o.M.EndOneTime(context.Background()); err != nil {
		o.T.Fatal(err)
	}
}

func (o *countingWorld) steps() []step {
	ctx, plain := samtest.Faulty(context.Background()), context.Background()
	need := func(err error) {
		o.T.Helper()
		if err != nil {
			o.T.Fatal(err)
		}
	}
	if _, err := o.M.CreateSigner(plain, samtest.RA, sam.NewSigner{ID: "erin", Name: "Erin", Proof: "p-1"}); err != nil {
		o.T.Fatal(err)
	}
	redeem := func(sad, proof []byte) func() error {
		return func() error { _, err := o.M.Redeem(ctx, samtest.SSPU, sad, proof, []byte("[]")); return err }
	}
	approve := func(statement, proof []byte) func() error {
		return func() error { _, err := o.M.ApproveOneTime(ctx, samtest.SSPU, statement, proof); return err }
	}
	enrol := func() *sam.Code {
		code, err := o.M.OpenEnrolment(plain, samtest.Officer, "erin")
		need(err)
		return code
	}
	return []step{
		{name: "open an enrolment in place of another", begin: func() func() error {
			enrol()
			return func() error { _, err := o.M.OpenEnrolment(ctx, samtest.Officer, "erin"); return err }
		}},
		{name: "a wrong code", begin: func() func() error {
			code := enrol()
			req, err := o.M.BeginEnrolment(plain, samtest.SSPU, code.ID)
			need(err)
			reg, err := newDevice().Register(o.StatementKey(), req, sap.B64(make([]byte, 20)))
			need(err)
			return expecting(sap.ReasonEnrolCode, func() error {
				_, err := o.M.FinishEnrolment(ctx, samtest.SSPU, code.ID, reg)
				return err
			})
		}},
		{name: "an approval without verification", begin: func() func() error {
			bad := *o.bob.Device
			bad.Flags = samtest.UP
			thief := *o.bob
			thief.Device = &bad
			return expecting(sap.ReasonUserVerified, redeem(o.Approve(&thief, 1)))
		}},
		{name: "a signature by an authenticator that counts", begin: func() func() error {
			o.bob.Device.Count += 5
			return redeem(o.Approve(o.bob, 1))
		}},
		{name: "a signature that ends a row of failures", begin: func() func() error {
			bad := *o.bob.Device
			bad.Flags = samtest.UP
			thief := *o.bob
			thief.Device = &bad
			sad, proof := o.Approve(&thief, 1)
			_, err := o.M.Redeem(plain, samtest.SSPU, sad, proof, []byte("[]"))
			need(fails(err, sap.ReasonUserVerified))
			o.bob.Device.Count += 5
			return redeem(o.Approve(o.bob, 1))
		}},
		{name: "the same call again", begin: func() func() error {
			o.bob.Device.Count += 5
			sad, proof := o.Approve(o.bob, 1)
			_, err := o.Redeem(sad, proof)
			need(err)
			return redeem(sad, proof)
		}},
		{name: "the same call after a start", begin: func() func() error {
			o.bob.Device.Count += 5
			sad, proof := o.Approve(o.bob, 1)
			_, err := o.Redeem(sad, proof)
			need(err)
			o.Crash()
			return redeem(sad, proof)
		}},
		{name: "approve a one-time key without verification", begin: func() func() error {
			o.room()
			o.alice.Device.Flags = samtest.UP
			statement, proof := o.ask()
			o.alice.Device.Flags = samtest.UP | samtest.UV
			return expecting(sap.ReasonUserVerified, approve(statement, proof))
		}},
		{name: "approve a one-time key by an authenticator that counts", begin: func() func() error {
			o.room()
			o.alice.Device.Count += 5
			return approve(o.ask())
		}},
		{name: "approve a one-time key again", begin: func() func() error {
			o.room()
			o.alice.Device.Count += 5
			statement, proof := o.ask()
			_, err := o.approve(statement, proof)
			need(err)
			return approve(statement, proof)
		}},
		{name: "ask for the use of a one-time key", begin: func() func() error {
			o.room()
			o.alice.Device.Count += 5
			key := o.key().Key
			return func() error {
				_, err := o.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: "alice", Key: key, N: 1})
				return err
			}
		}},
		{name: "forget old sessions", begin: func() func() error {
			o.Ask(o.bob, 1)
			o.Clock.Advance(3 * time.Hour)
			return func() error { return o.M.Purge(ctx) }
		}},
	}
}
