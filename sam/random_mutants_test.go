package sam_test

import (
	"context"
	"testing"

	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// KEY-11: every other act that draws random octets stops with their source, too: the
// offers of an enrolment, of a one-time key and of a change, and proposals that can be
// made while the module is closed. Nothing of it goes out.
func TestKEY11NothingGoesOutWithoutRandomOctets(t *testing.T) {
	ctx := context.Background()
	for name, call := range map[string]func(o *onceWorld, code *sam.Code) (made bool, err error){
		"one-time key": func(o *onceWorld, _ *sam.Code) (bool, error) {
			signed, err := o.M.RequestOneTime(ctx, samtest.SSPU, askOnce)
			return signed.Statement != "", err
		},
		"registration request": func(o *onceWorld, code *sam.Code) (bool, error) {
			signed, err := o.M.BeginEnrolment(ctx, samtest.SSPU, code.ID)
			return signed.Statement != "", err
		},
		"change": func(o *onceWorld, _ *sam.Code) (bool, error) {
			signed, err := o.M.BeginChange(ctx, samtest.SSPU, sam.AskChange{Signer: "alice", Action: sap.ActionAdd})
			return signed.Statement != "", err
		},
		"proposal of a closed module": func(o *onceWorld, _ *sam.Code) (bool, error) {
			p, err := o.M.Propose(ctx, samtest.Officer, sam.DecidePolicy, o.Args(o.Waits(sam.DecidePolicy)))
			return p != nil, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			random := &stuck{}
			o := newOnceWorld(t, func(c *sam.Config) { c.Random = random })
			if _, err := o.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "bob", Name: "Bob", Proof: "p"}); err != nil {
				t.Fatal(err)
			}
			code, err := o.M.OpenEnrolment(ctx, samtest.Officer, "bob")
			if err != nil {
				t.Fatal(err)
			}
			if name == "proposal of a closed module" {
				restartWith(t, o.World, func(c *sam.Config) { c.LockoutLimit = 100 })
			}
			if made, err := call(o, code); err != nil || !made {
				t.Fatalf("with a good source: %v, %v", made, err)
			}
			random.on = true
			if made, err := call(o, code); err == nil || made {
				t.Errorf("made %v: %v", made, err)
			}
		})
	}
}
